//! Where the cursor stands in a list whose rows come, go and are put in order.

use std::sync::Arc;

/// The rows shown, in order, and the cursor, which stays on its row when rows move.
#[derive(Debug, Clone, Default)]
pub struct List {
    /// Places of the shown rows in the full list.
    pub order: Vec<u32>,
    /// Place in `order`.
    pub cursor: usize,
    /// Key of the row under the cursor.
    pub at: Option<Arc<str>>,
    /// First row on screen.
    pub offset: usize,
}

impl List {
    /// Takes a new order. The cursor stays on its row; where that is gone, on its line.
    pub fn set<'a>(&mut self, order: Vec<u32>, key: impl Fn(u32) -> &'a Arc<str>) {
        let line = self.cursor.saturating_sub(self.offset);
        self.order = order;
        let found = self
            .at
            .as_ref()
            .and_then(|at| self.order.iter().position(|i| key(*i) == at));
        self.cursor = found
            .unwrap_or(self.cursor)
            .min(self.order.len().saturating_sub(1));
        // The line on screen stays where the eye is.
        self.offset = self.cursor.saturating_sub(line);
        self.remember(key);
    }

    /// Moves the cursor, at most to either end.
    pub fn go<'a>(&mut self, by: isize, key: impl Fn(u32) -> &'a Arc<str>) {
        let last = self.order.len().saturating_sub(1);
        self.cursor = self.cursor.saturating_add_signed(by).min(last);
        self.remember(key);
    }

    /// Puts the cursor on a line of the list.
    pub fn go_to<'a>(&mut self, line: usize, key: impl Fn(u32) -> &'a Arc<str>) {
        self.cursor = line.min(self.order.len().saturating_sub(1));
        self.remember(key);
    }

    /// Place in the full list of the row under the cursor.
    pub fn here(&self) -> Option<usize> {
        self.order.get(self.cursor).map(|i| *i as usize)
    }

    /// Scrolls so that the cursor is among `rows` visible ones.
    pub fn keep_visible(&mut self, rows: usize) {
        let rows = rows.max(1);
        if self.cursor < self.offset {
            self.offset = self.cursor;
        } else if self.cursor >= self.offset + rows {
            self.offset = self.cursor + 1 - rows;
        }
        self.offset = self.offset.min(self.order.len().saturating_sub(rows));
    }

    fn remember<'a>(&mut self, key: impl Fn(u32) -> &'a Arc<str>) {
        self.at = self.order.get(self.cursor).map(|i| key(*i).clone());
    }
}

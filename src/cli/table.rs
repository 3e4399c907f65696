//! Tables for people: columns as wide as their widest cell, nothing cut.

use unicode_width::UnicodeWidthStr;

use super::style::Style;
use crate::text;

/// A cell: text that may come from anywhere, and how it is shown.
#[derive(Debug, Clone)]
pub struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    /// A cell in a style.
    pub fn styled(text: impl AsRef<str>, style: Style) -> Self {
        Cell {
            text: text::line(text.as_ref()),
            style,
        }
    }
}

impl<T: AsRef<str>> From<T> for Cell {
    fn from(text: T) -> Self {
        Cell::styled(text, Style::Plain)
    }
}

/// Rows under a heading.
#[derive(Debug, Clone, Default)]
pub struct Table {
    heading: Vec<String>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// A table with these columns.
    pub fn new(heading: &[&str]) -> Self {
        Table {
            heading: heading.iter().map(ToString::to_string).collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: Vec<Cell>) {
        self.rows.push(cells);
    }

    /// The table as text; `colour` says whether styles may be used.
    pub fn render(&self, colour: bool) -> String {
        let mut widths: Vec<usize> = self.heading.iter().map(|h| h.width()).collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.text.width());
            }
        }
        let heading: Vec<Cell> = self
            .heading
            .iter()
            .map(|h| Cell::styled(h, Style::Dim))
            .collect();
        let mut shown = String::new();
        for row in std::iter::once(&heading).chain(&self.rows) {
            let last = row.iter().rposition(|c| !c.text.is_empty()).unwrap_or(0);
            for (i, (cell, width)) in row.iter().zip(&widths).enumerate().take(last + 1) {
                shown.push_str(&cell.style.paint(&cell.text, colour));
                if i < last {
                    let gap = width - cell.text.width() + 2;
                    shown.extend(std::iter::repeat_n(' ', gap));
                }
            }
            shown.push('\n');
        }
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_nothing_trails() {
        let mut table = Table::new(&["SITE", "HOST", "WHY"]);
        table.row(vec!["a".into(), "web1".into(), "".into()]);
        table.row(vec!["漢字-long".into(), "w".into(), "x\x1b[2J".into()]);
        assert_eq!(
            table.render(false),
            "SITE       HOST  WHY\na          web1\n漢字-long  w     x^[[2J\n"
        );
    }
}

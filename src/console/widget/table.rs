//! One table for every list: only visible rows are built, columns that do not fit are left out
//! whole, the least important first.

use std::borrow::Cow;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::console::draw::pen::{Pen, fill};
use crate::console::theme::{Role, Theme};
use crate::text::{elide, width};

#[derive(Debug, Clone, Copy)]
pub struct Column<C> {
    pub id: C,
    /// Head.
    pub title: &'static str,
    /// Fewest cells it makes sense with.
    pub min: u16,
    /// Cells it would like.
    pub ideal: u16,
    /// Takes its share of what is left over.
    pub grows: bool,
    /// Numbers stand right.
    pub right: bool,
    /// 0 is never left out; the highest goes first.
    pub priority: u8,
    /// Not shown on terminals narrower than this.
    pub from: u16,
}

/// What stands in one cell.
pub struct Cell<'a> {
    /// Text, cleaned already.
    pub text: Cow<'a, str>,
    pub role: Role,
}

impl<'a> Cell<'a> {
    /// A cell.
    pub fn new(role: Role, text: impl Into<Cow<'a, str>>) -> Cell<'a> {
        Cell {
            text: text.into(),
            role,
        }
    }
}

/// Which columns fit in `room` cells (the line without its first one), and how wide each is. One
/// cell stands between two.
pub fn fit<C: Copy>(columns: &[Column<C>], room: u16) -> Vec<(Column<C>, u16)> {
    let mut kept: Vec<Column<C>> = columns
        .iter()
        .filter(|c| room + 1 >= c.from)
        .copied()
        .collect();
    let need = |kept: &[Column<C>], of: fn(&Column<C>) -> u16| -> u32 {
        let gaps = kept.len().saturating_sub(1) as u32;
        kept.iter().map(|c| u32::from(of(c))).sum::<u32>() + gaps
    };
    while need(&kept, |c| c.min) > u32::from(room) {
        let Some(worst) = (0..kept.len())
            .filter(|i| kept[*i].priority > 0)
            .max_by_key(|i| (kept[*i].priority, *i))
        else {
            break;
        };
        kept.remove(worst);
    }
    let mut widths: Vec<u16> = kept.iter().map(|c| c.min).collect();
    let mut left = u32::from(room).saturating_sub(need(&kept, |c| c.min));
    // First what each would like, the most important first; then the rest to those that grow.
    let mut by_priority: Vec<usize> = (0..kept.len()).collect();
    by_priority.sort_by_key(|i| kept[*i].priority);
    for i in by_priority {
        let more = u32::from(kept[i].ideal.saturating_sub(widths[i])).min(left);
        widths[i] += more as u16;
        left -= more;
    }
    let growing: Vec<usize> = (0..kept.len()).filter(|i| kept[*i].grows).collect();
    for (n, i) in growing.iter().enumerate() {
        let share = left / (growing.len() - n) as u32;
        widths[*i] += share as u16;
        left -= share;
    }
    kept.into_iter().zip(widths).collect()
}

/// What a table shows.
pub struct Table<'a, C, R> {
    /// Columns that may be shown.
    pub columns: &'a [Column<C>],
    /// How many rows there are.
    pub len: usize,
    /// First row on screen.
    pub offset: usize,
    /// Row under the cursor.
    pub cursor: Option<usize>,
    /// By which column the rows are in order.
    pub sorted: C,
    /// Row by its place.
    pub row: &'a dyn Fn(usize) -> &'a R,
    /// A row's cell.
    pub cell: &'a dyn Fn(&'a R, C) -> Cell<'a>,
    /// Whether a row is marked.
    pub marked: &'a dyn Fn(&R) -> bool,
    /// Whether a row is dimmed as a whole.
    pub dimmed: &'a dyn Fn(&R) -> bool,
}

impl<'a, C: Copy + PartialEq, R> Table<'a, C, R> {
    /// Draws heads and visible rows. Returns the columns shown.
    pub fn draw(&self, buf: &mut Buffer, theme: &Theme, area: Rect) -> Vec<C> {
        // The first cell belongs to the cursor's bar and to marks.
        let columns = fit(self.columns, area.width.saturating_sub(1));
        let mut head = Pen::on(buf, theme, area, 0);
        head.skip(1);
        let sign = if theme.ascii { "v" } else { "▾" };
        for (column, w) in &columns {
            let sorted = column.id == self.sorted;
            put_head(&mut head, column, *w, sorted.then_some(sign));
        }
        let rows = usize::from(area.height.saturating_sub(1));
        for line in 0..rows.min(self.len.saturating_sub(self.offset)) {
            let at = self.offset + line;
            let row = (self.row)(at);
            let y = line as u16 + 1;
            let here = self.cursor == Some(at);
            let whole = Rect::new(area.x, area.y + y, area.width, 1);
            if here {
                fill(buf, whole, theme.style(Role::Selected));
            }
            let dimmed = (self.dimmed)(row);
            let mut pen = Pen::on(buf, theme, area, y);
            let bar = if theme.ascii { ">" } else { "▌" };
            match ((self.marked)(row), here) {
                (true, true) => pen.put(Role::Cursor, if theme.ascii { "*" } else { "▶" }),
                (true, false) => pen.put(Role::Accent, if theme.ascii { "*" } else { "▸" }),
                (false, true) => pen.put(Role::Cursor, bar),
                (false, false) => pen.skip(1),
            };
            for (column, w) in &columns {
                let cell = (self.cell)(row, column.id);
                let role = match cell.role {
                    _ if dimmed => Role::Dim,
                    // The selected line has its own ink; only states keep their colour.
                    Role::Text | Role::Dim if here => Role::Selected,
                    role => role,
                };
                put_cell(&mut pen, role, &cell.text, *w, column.right);
            }
        }
        columns.into_iter().map(|(c, _)| c.id).collect()
    }
}

/// A column's title, with the sign of the order behind it, in the gap where there is no other room.
fn put_head<C>(pen: &mut Pen, column: &Column<C>, w: u16, sign: Option<&str>) {
    let w = usize::from(w);
    let title = elide(column.title, w);
    let gap = w.saturating_sub(width(&title));
    let (before, behind) = if column.right { (gap, 0) } else { (0, gap) };
    pen.skip(before).put(Role::Column, &title);
    match sign {
        Some(sign) => pen.put(Role::Strong, sign).skip(behind),
        None => pen.skip(behind + 1),
    };
}

fn put_cell(pen: &mut Pen, role: Role, text: &str, w: u16, right: bool) {
    let w = usize::from(w);
    let text = elide(text, w);
    let gap = w.saturating_sub(width(&text));
    if right {
        pen.skip(gap);
    }
    pen.put(role, &text);
    if !right {
        pen.skip(gap);
    }
    pen.skip(1);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(id: u8, min: u16, ideal: u16, grows: bool, priority: u8) -> Column<u8> {
        Column {
            id,
            title: "X",
            min,
            ideal,
            grows,
            right: false,
            priority,
            from: 0,
        }
    }

    #[test]
    fn columns_leave_whole_and_the_rest_fill_the_line() {
        let columns = [
            column(0, 10, 20, false, 0),
            column(1, 5, 5, false, 2),
            column(2, 8, 8, false, 3),
            column(3, 10, 30, true, 0),
        ];
        for room in 0..200 {
            let got = fit(&columns, room);
            let total: u32 = got.iter().map(|(_, w)| u32::from(*w) + 1).sum::<u32>() - 1;
            if room >= 21 {
                assert_eq!(total, u32::from(room).max(total.min(u32::from(room))));
            }
            let ids: Vec<u8> = got.iter().map(|(c, _)| c.id).collect();
            let wanted: &[u8] = match room {
                0..27 => &[0, 3],
                27..36 => &[0, 1, 3],
                _ => &[0, 1, 2, 3],
            };
            assert_eq!(ids, wanted, "at {room}");
        }
    }
}

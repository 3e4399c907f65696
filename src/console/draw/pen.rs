//! Writing into a buffer: one line, left to right, never past its end.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::console::theme::{Role, Theme};
use crate::text::{elide, width};

/// A line of pieces, each with its role.
pub type Spans = Vec<(Role, String)>;

/// A place to write on one line.
pub struct Pen<'a> {
    buf: &'a mut Buffer,
    theme: &'a Theme,
    x: u16,
    y: u16,
    right: u16,
}

impl<'a> Pen<'a> {
    /// At the left end of line `line` (from 0) of `area`.
    pub fn on(buf: &'a mut Buffer, theme: &'a Theme, area: Rect, line: u16) -> Pen<'a> {
        let area = area.intersection(buf.area);
        let (y, right) = if line < area.height {
            (area.y + line, area.right())
        } else {
            (area.y, area.x)
        };
        Pen {
            buf,
            theme,
            x: area.x,
            y,
            right,
        }
    }

    /// Cells left on the line.
    pub fn room(&self) -> usize {
        usize::from(self.right.saturating_sub(self.x))
    }

    /// Where the next cell goes.
    pub fn x(&self) -> u16 {
        self.x
    }

    /// Writes a text; what does not fit is elided.
    pub fn put(&mut self, role: Role, text: &str) -> &mut Self {
        self.put_style(self.theme.style(role), text)
    }

    /// Writes a text in a style.
    pub fn put_style(&mut self, style: Style, text: &str) -> &mut Self {
        let text = elide(text, self.room());
        if !text.is_empty() {
            let (x, _) = self
                .buf
                .set_stringn(self.x, self.y, &text, self.room(), style);
            self.x = x;
        }
        self
    }

    /// Leaves cells as they are.
    pub fn skip(&mut self, cells: usize) -> &mut Self {
        self.x = self.x.saturating_add(cells as u16).min(self.right);
        self
    }

    /// Writes spans one after the other.
    pub fn spans(&mut self, spans: &[(Role, String)]) -> &mut Self {
        for (role, text) in spans {
            self.put(*role, text);
        }
        self
    }

    /// Writes a text that ends at the line's right end, when there is room for all of it.
    pub fn right(&mut self, role: Role, text: &str) -> &mut Self {
        let w = width(text);
        if w <= self.room() {
            self.x = self.right - w as u16;
            self.put(role, text);
        }
        self
    }
}

/// Gives a whole area a style.
pub fn fill(buf: &mut Buffer, area: Rect, style: Style) {
    buf.set_style(area.intersection(buf.area), style);
}

/// Empties an area and gives it the ground.
pub fn clear(buf: &mut Buffer, theme: &Theme, area: Rect) {
    let area = area.intersection(buf.area);
    for y in area.y..area.bottom() {
        for x in area.x..area.right() {
            buf[(x, y)].reset();
        }
    }
    buf.set_style(area, theme.style(Role::Text));
}

pub fn spans_width(spans: &[(Role, String)]) -> usize {
    spans.iter().map(|(_, text)| width(text)).sum()
}

/// Draws lines from `top` on; the rest of the area stays as it is.
pub fn lines(buf: &mut Buffer, theme: &Theme, area: Rect, lines: &[Spans], top: usize) {
    for (at, line) in lines
        .iter()
        .skip(top)
        .take(usize::from(area.height))
        .enumerate()
    {
        Pen::on(buf, theme, area, at as u16).spans(line);
    }
}

/// A frame with a title; returns the inside.
pub fn frame(buf: &mut Buffer, theme: &Theme, area: Rect, title: &str) -> Rect {
    let area = area.intersection(buf.area);
    clear(buf, theme, area);
    if area.width < 4 || area.height < 3 {
        return area;
    }
    let inner = usize::from(area.width) - 2;
    let bar = "─".repeat(inner);
    let (tl, tr, bl, br, side, bar) = if theme.ascii {
        ("+", "+", "+", "+", "|", "-".repeat(inner))
    } else {
        ("╭", "╮", "╰", "╯", "│", bar)
    };
    let style = theme.style(Role::Border);
    buf.set_string(area.x, area.y, format!("{tl}{bar}{tr}"), style);
    for y in area.y + 1..area.bottom() - 1 {
        buf.set_string(area.x, y, side, style);
        buf.set_string(area.right() - 1, y, side, style);
    }
    buf.set_string(area.x, area.bottom() - 1, format!("{bl}{bar}{br}"), style);
    let title = elide(title, inner.saturating_sub(2));
    if !title.is_empty() {
        buf.set_string(
            area.x + 2,
            area.y,
            format!(" {title} "),
            theme.style(Role::Accent),
        );
    }
    Rect::new(
        area.x + 2,
        area.y + 1,
        area.width.saturating_sub(4),
        area.height - 2,
    )
}

//! How the lines of a log are drawn.

use std::ops::Range;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use unicode_width::UnicodeWidthStr;

use super::buffer::Line;
use super::clean::{Glyphs, glyphs, plain};
use super::level::Level;
use super::piece::Tone;
use super::row::{Look, Manner, Ready, ready, rows};
use super::screen::LogScreen;
use super::style::LogStyles;

/// Cursor bar, mark, space.
const GUTTER: usize = 3;
/// The text keeps at least this many columns; names and times make room for it.
const TEXT_LEAST: usize = 24;
/// From this width on dates are shown, not only times.
const WIDE: usize = 120;

/// What stands in front of the text, in columns.
#[derive(Debug, Clone, Copy)]
struct Margin {
    time: usize,
    name: usize,
}

impl Margin {
    fn width(self) -> usize {
        GUTTER + self.time + self.name
    }
}

impl LogScreen {
    /// Draws it.
    pub fn view(&self, area: Rect, cells: &mut Buffer, styles: &LogStyles) {
        let area = area.intersection(cells.area);
        if area.is_empty() {
            return;
        }
        cells.set_style(area, styles.text);
        let (columns, height) = (usize::from(area.width), usize::from(area.height));
        let margin = self.margin(columns);
        let (width, body) = self.body_of(columns, height);
        let last = self.draw_lines(area, cells, styles, margin, (width, body));
        self.draw_status(Rect { height: 1, ..area }, cells, styles, last);
        if self.has_foot() && area.height > 1 {
            let foot = Rect {
                y: area.bottom() - 1,
                height: 1,
                ..area
            };
            self.draw_foot(foot, cells, styles);
        }
    }

    /// Columns and rows that the text has on a screen of that size.
    pub(super) fn body_of(&self, columns: usize, height: usize) -> (usize, usize) {
        let rows = height.saturating_sub(1 + usize::from(self.has_foot()));
        (
            columns.saturating_sub(self.margin(columns).width()).max(2),
            rows.max(1),
        )
    }

    pub(super) fn has_foot(&self) -> bool {
        self.prompt.is_some()
            || self.notice.is_some()
            || self.buffer.search().is_some()
            || !self.buffer.filters().is_empty()
            || self.buffer.errors_only()
    }

    /// Whether times stand in front of the lines.
    pub(super) fn is_timed(&self) -> bool {
        self.margin(usize::from(self.size.0)).time > 0
    }

    fn margin(&self, columns: usize) -> Margin {
        let mut margin = Margin { time: 0, name: 0 };
        if self.times {
            margin.time = if columns >= WIDE { 24 } else { 13 };
            if columns < GUTTER + margin.time + TEXT_LEAST {
                margin.time = 0;
            }
        }
        if self.buffer.names() > 1 {
            let most = if columns >= WIDE { 24 } else { 14 };
            margin.name = 1 + self.buffer.longest_name().min(most);
            if columns < margin.width() + TEXT_LEAST {
                margin.name = 0;
            }
        }
        margin
    }

    /// Draws the log; gives the last line that is on screen.
    fn draw_lines(
        &self,
        area: Rect,
        cells: &mut Buffer,
        styles: &LogStyles,
        margin: Margin,
        (width, body): (usize, usize),
    ) -> Option<u64> {
        let here = self.here();
        let body = body.min(usize::from(area.height) - 1);
        // What has no end yet is seen too, as it would be in a terminal.
        let open: Vec<Line<'_>> = match self.follow {
            true => self
                .buffer
                .open_lines()
                .take(body.clamp(1, 4) - 1)
                .collect(),
            false => Vec::new(),
        };
        let body = body - open.len();
        let mut page = Page {
            area,
            cells,
            styles,
            margin,
            width,
            y: area.y + 1,
        };
        let end = page.y + body as u16;
        if here.is_none() {
            let words = if self.buffer.kept() == 0 {
                "no lines yet"
            } else if self.is_busy() {
                "looking …"
            } else {
                "no line passes the filters"
            };
            if open.is_empty() && body > 0 {
                let x = area.x + GUTTER as u16;
                write(page.cells, x, page.y, words, width, styles.faint);
            }
        }
        let top = self.top_for((width, body));
        let mut number = here.map(|_| top.line);
        let mut skip = top.row;
        let mut last = None;
        while let (Some(at), true) = (number, page.y < end) {
            let Some(line) = self.buffer.line(at) else {
                break;
            };
            last = Some(at);
            let under_cursor = here == Some(at) && !self.follow;
            self.draw_line(&mut page, line, end, skip, under_cursor, false);
            skip = 0;
            number = self.buffer.shown_down(at + 1);
        }
        for line in open {
            let end = page.y + 1;
            self.draw_line(&mut page, line, end, 0, false, true);
        }
        last
    }

    /// Draws one line, from row `skip` of it on, on rows before `end`.
    fn draw_line(
        &self,
        page: &mut Page<'_>,
        line: Line<'_>,
        end: u16,
        skip: usize,
        under_cursor: bool,
        open: bool,
    ) {
        let (width, styles) = (page.width, page.styles);
        let room = usize::from(end - page.y);
        let columns = if self.wrap {
            (width + 1) * (skip + room) + 1
        } else {
            self.shift + width + 1
        };
        let manner = Manner {
            search: self.buffer.search(),
            raw: self.raw,
            timed: page.margin.time > 0,
            columns,
            open,
        };
        let ready = ready(&line, manner);
        let row = Row {
            line,
            ready: &ready,
            styles,
            under_cursor,
        };
        let right = page.area.right();
        let span = (page.area.x + page.margin.width() as u16, right);
        if self.wrap {
            let starts = rows(&ready.glyphs, width);
            for (index, start) in starts.iter().enumerate().skip(skip).take(room) {
                self.draw_margin(page, &row, index == 0);
                let next = starts.get(index + 1).copied().unwrap_or(usize::MAX);
                row.draw(page.cells, page.y, span, *start..next, 0);
                page.y += 1;
            }
        } else {
            self.draw_margin(page, &row, true);
            row.draw(page.cells, page.y, span, 0..usize::MAX, self.shift);
            if ready.glyphs.columns() > self.shift + width && right > span.0 {
                set(
                    page.cells,
                    right - 1,
                    page.y,
                    styles.mark("›", ">"),
                    styles.faint,
                );
            }
            page.y += 1;
        }
    }

    fn draw_margin(&self, page: &mut Page<'_>, row: &Row<'_>, first: bool) {
        let (x, y, margin) = (page.area.x, page.y, page.margin);
        let (cells, styles) = (&mut *page.cells, page.styles);
        if row.under_cursor {
            set(cells, x, y, styles.mark("▌", ">"), styles.cursor);
        }
        if !first {
            return;
        }
        let mark = match row.ready.level {
            Some(Level::Error) => Some((styles.mark("✖", "X"), styles.error)),
            Some(Level::Warning) => Some((styles.mark("▲", "!"), styles.warning)),
            None if row.line.stderr() => Some((styles.mark("²", "2"), styles.faint)),
            None => None,
        };
        if let Some((mark, style)) = mark {
            set(cells, x + 1, y, mark, style);
        }
        let mut x = x + GUTTER as u16;
        if margin.time > 0 {
            let time = clock(row.line.stamp(), margin.time > 13);
            write(cells, x, y, &time, margin.time - 1, styles.faint);
            x += margin.time as u16;
        }
        if margin.name > 0 {
            let source = row.line.source();
            let name = fitting(self.buffer.source_name(source), margin.name - 1);
            let style = match styles.sources.len() {
                0 => styles.text,
                n => styles.sources[usize::from(source.0) % n],
            };
            write(cells, x, y, &name, margin.name - 1, style);
        }
    }
}

/// Where lines are being drawn.
struct Page<'a> {
    area: Rect,
    cells: &'a mut Buffer,
    styles: &'a LogStyles,
    margin: Margin,
    /// Columns of text.
    width: usize,
    /// The row that is next.
    y: u16,
}

/// One line on its way to the screen.
struct Row<'a> {
    line: Line<'a>,
    ready: &'a Ready,
    styles: &'a LogStyles,
    under_cursor: bool,
}

impl Row<'_> {
    /// Draws some of the glyphs between two columns, the first `shift` cells left out.
    fn draw(
        &self,
        cells: &mut Buffer,
        y: u16,
        (left, right): (u16, u16),
        glyphs: Range<usize>,
        shift: usize,
    ) {
        let Range { start, end } = glyphs;
        let glyphs: &Glyphs = &self.ready.glyphs;
        let mut looks = self.ready.looks.iter().peekable();
        let mut look = None;
        let mut found = self.ready.found.iter().peekable();
        let mut x = left;
        let mut skipped = 0;
        for (index, glyph) in glyphs.list().iter().enumerate().take(end).skip(start) {
            let cell_width = u16::from(glyph.width);
            if skipped < shift {
                skipped += usize::from(cell_width);
                continue;
            }
            if x + cell_width > right {
                break;
            }
            let at = glyph.at as usize;
            while let Some((_, next)) = looks.next_if(|(from, _)| *from <= at) {
                look = Some(*next);
            }
            while found.next_if(|place| place.end <= at).is_some() {}
            let mut style = self.style(look);
            if glyph.stand_in {
                style = style.patch(self.styles.faint);
            }
            if self.under_cursor {
                style = style.patch(self.styles.selected);
            }
            if found.peek().is_some_and(|place| place.contains(&at)) {
                style = style.patch(self.styles.found);
            }
            set(cells, x, y, glyphs.symbol(index), style);
            if cell_width == 2 {
                set(cells, x + 1, y, " ", style);
            }
            x += cell_width;
        }
    }

    fn style(&self, look: Option<Look>) -> Style {
        let styles = self.styles;
        match look {
            None | Some(Look::Ours(Tone::Plain)) => styles.text,
            Some(Look::Asked(sgr)) => styles.sgr(sgr),
            Some(Look::Ours(Tone::Faint)) => styles.faint,
            Some(Look::Ours(Tone::Good)) => styles.good,
            Some(Look::Ours(Tone::Refused)) => styles.warning,
            Some(Look::Ours(Tone::Failed)) => styles.error,
        }
    }
}

fn set(cells: &mut Buffer, x: u16, y: u16, symbol: &str, style: Style) {
    if let Some(cell) = cells.cell_mut((x, y)) {
        cell.set_symbol(symbol).set_style(style);
    }
}

/// Writes text where there is a screen; gives the column behind it.
pub(super) fn write(
    cells: &mut Buffer,
    x: u16,
    y: u16,
    text: &str,
    room: usize,
    style: Style,
) -> u16 {
    if cells.cell((x, y)).is_none() {
        return x; // writing outside of the buffer would panic
    }
    cells.set_stringn(x, y, text, room, style).0
}

/// As much of a text as fits, with an ellipsis where something is missing.
pub(super) fn fitting(text: &str, room: usize) -> String {
    let text = plain(text.as_bytes());
    if text.width() <= room {
        return text;
    }
    let all = glyphs(text.as_bytes(), room.saturating_sub(1));
    let mut out: String = all.text().to_owned();
    while out.width() + 1 > room && out.pop().is_some() {}
    out.push('…');
    out
}

/// The time in a timestamp to the millisecond; its date too where there is room.
fn clock(stamp: &[u8], date: bool) -> String {
    let stamp = plain(stamp);
    let Some((day, time)) = stamp.split_once('T') else {
        return stamp;
    };
    let time: String = time.trim_end_matches('Z').chars().take(12).collect();
    if date { format!("{day} {time}") } else { time }
}

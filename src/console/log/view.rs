//! How the Logs screen is drawn: a line that says where one is, the log, and, when there is
//! something to say, a line for prompt, search and filters.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use unicode_width::UnicodeWidthStr;

use super::buffer::Line;
use super::clean::{Glyphs, glyphs, plain};
use super::level::Level;
use super::pattern::Reading;
use super::pretty::Tone;
use super::prompt::Asked;
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

    fn has_foot(&self) -> bool {
        self.prompt.is_some()
            || self.notice.is_some()
            || self.buffer.search().is_some()
            || !self.buffer.filters().is_empty()
    }

    fn margin(&self, columns: usize) -> Margin {
        let mut margin = Margin { time: 0, name: 0 };
        if self.times {
            margin.time = if columns >= WIDE { 24 } else { 13 };
            if columns < GUTTER + margin.time + TEXT_LEAST {
                margin.time = 0;
            }
        }
        if self.buffer.sources() > 1 {
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
        if here.is_none() {
            let words = if self.buffer.kept() == 0 {
                "no lines yet"
            } else if self.is_busy() {
                "looking …"
            } else {
                "no line passes the filters"
            };
            let words: String = words.chars().take(width).collect();
            write(
                cells,
                area.x + GUTTER as u16,
                area.y + 1,
                &words,
                width,
                styles.faint,
            );
            return None;
        }
        let top = self.top_for((width, body));
        let (mut y, end) = (area.y + 1, area.y + 1 + body as u16);
        let end = end.min(area.bottom());
        let mut number = Some(top.line);
        let mut skip = top.row;
        let mut last = None;
        while let (Some(at), true) = (number, y < end) {
            let Some(line) = self.buffer.line(at) else {
                break;
            };
            last = Some(at);
            let room = usize::from(end - y);
            let columns = if self.wrap {
                width * (skip + room) + 1
            } else {
                self.shift + width + 1
            };
            let manner = Manner {
                search: self.buffer.search(),
                raw: self.raw,
                columns,
            };
            let ready = ready(&line, manner);
            let under_cursor = here == Some(at) && !self.follow;
            let row = Row {
                line,
                ready: &ready,
                styles,
                under_cursor,
            };
            let left = area.x + margin.width() as u16;
            let right = area.right();
            if self.wrap {
                let starts = rows(&ready.glyphs, width);
                for (index, start) in starts.iter().enumerate().skip(skip).take(room) {
                    self.draw_margin(area.x, y, cells, &row, margin, index == 0);
                    row.draw(cells, y, (left, right), *start, 0);
                    y += 1;
                }
            } else {
                self.draw_margin(area.x, y, cells, &row, margin, true);
                row.draw(cells, y, (left, right), 0, self.shift);
                if ready.glyphs.columns() > self.shift + width && right > left {
                    set(cells, right - 1, y, "›", styles.faint);
                }
                y += 1;
            }
            skip = 0;
            number = self.buffer.shown_down(at + 1);
        }
        last
    }

    fn draw_margin(
        &self,
        x: u16,
        y: u16,
        cells: &mut Buffer,
        row: &Row<'_>,
        margin: Margin,
        first: bool,
    ) {
        let styles = row.styles;
        if row.under_cursor {
            set(cells, x, y, "▌", styles.cursor);
        }
        if !first {
            return;
        }
        let mark = match row.ready.level {
            Some(Level::Error) => Some(("✖", styles.error)),
            Some(Level::Warning) => Some(("▲", styles.warning)),
            None if row.line.stderr() => Some(("²", styles.faint)),
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

    fn draw_status(&self, area: Rect, cells: &mut Buffer, styles: &LogStyles, last: Option<u64>) {
        cells.set_style(area, styles.status);
        let buffer = &self.buffer;
        let state = if self.follow {
            "● following"
        } else {
            "‖ paused"
        };
        // What comes first stays longest when there is little room.
        let mut parts = vec![
            (self.title.clone(), styles.strong),
            (state.into(), Style::new()),
        ];
        match self.new_below(last) {
            0 => {}
            new => parts.push((format!("▼ {} new below", thousands(new)), styles.strong)),
        }
        if let Some(percent) = buffer.progress() {
            parts.push((format!("looking {percent} %"), Style::new()));
        }
        if buffer.dropped() > 0 {
            let lines = if buffer.dropped() == 1 {
                "line"
            } else {
                "lines"
            };
            let words = format!("{} earlier {lines} dropped", thousands(buffer.dropped()));
            parts.push((words, Style::new()));
        }
        let (shown, kept) = (buffer.shown(), buffer.kept());
        let count = if shown == kept {
            format!("{} lines", thousands(kept))
        } else {
            format!("{} of {} lines", thousands(shown), thousands(kept))
        };
        parts.push((count, Style::new()));
        if let (false, Some(here)) = (self.follow, self.here()) {
            let at = shown + 1 - buffer.shown_from(here).min(shown);
            parts.push((format!("at {}", thousands(at)), Style::new()));
        }
        if self.times {
            parts.push(("times in UTC".into(), Style::new()));
        }
        draw_parts(area, cells, styles.status, &parts);
    }

    fn draw_foot(&self, area: Rect, cells: &mut Buffer, styles: &LogStyles) {
        if let Some(prompt) = &self.prompt {
            cells.set_style(area, styles.input);
            let what = match prompt.asked {
                Asked::Search => "search",
                Asked::FilterIn => "only lines with",
                Asked::FilterOut => "no lines with",
            };
            let how = match prompt.reading {
                Reading::Text => "text",
                Reading::Regex => "regex",
            };
            let (before, after) = prompt.around();
            let help = match &prompt.error {
                Some(why) => format!("✖ {}", plain(why.as_bytes())),
                None => "tab: text or regex".into(),
            };
            let lead = format!(" {what} ({how}): ");
            // The cursor stays in sight: the start of a long text gives way.
            let room = usize::from(area.width).saturating_sub(lead.width() + 2);
            let mut text = plain(before.as_bytes());
            while text.width() > room {
                text.remove(0);
            }
            let x = write(
                cells,
                area.x,
                area.y,
                &lead,
                usize::from(area.width),
                styles.faint,
            );
            let left = usize::from(area.right().saturating_sub(x));
            let x = write(cells, x, area.y, &text, left, styles.input);
            let after = format!("{} ", plain(after.as_bytes()));
            let left = usize::from(area.right().saturating_sub(x));
            let end = write(cells, x, area.y, &after, left, styles.input);
            if x < area.right() {
                let at = Rect {
                    x,
                    width: 1,
                    ..area
                };
                cells.set_style(
                    at,
                    Style::new().add_modifier(ratatui::style::Modifier::REVERSED),
                );
            }
            let style = if prompt.error.is_some() {
                styles.error
            } else {
                styles.faint
            };
            let left = usize::from(area.right().saturating_sub(end + 2));
            if left >= help.width() {
                write(cells, end + 2, area.y, &help, left, style);
            }
            return;
        }
        let mut parts = Vec::new();
        if let Some(notice) = &self.notice {
            parts.push((notice.clone(), styles.strong));
        }
        if let Some(search) = self.buffer.search() {
            let hits = self.buffer.hits();
            let count = match (self.is_busy(), hits) {
                (true, _) => "…".into(),
                (false, 0) => "not found".into(),
                (false, 1) => "1 line".into(),
                (false, hits) => match self.here().filter(|_| !self.follow) {
                    Some(here) if self.buffer.line(here).is_some_and(|l| l.hit()) => {
                        let at = hits + 1 - self.buffer.hits_from(here).min(hits);
                        format!("{} of {} lines", thousands(at), thousands(hits))
                    }
                    _ => format!("{} lines", thousands(hits)),
                },
            };
            let found = format!("{}: {count}", quote(search.text(), search.reading()));
            parts.push((found, styles.text));
        }
        for filter in self.buffer.filters() {
            let word = if filter.out { "without" } else { "only" };
            let pattern = &filter.pattern;
            let words = format!("{word} {}", quote(pattern.text(), pattern.reading()));
            parts.push((words, styles.faint));
        }
        draw_parts(area, cells, styles.text, &parts);
    }
}

/// One line on its way to the screen.
struct Row<'a> {
    line: Line<'a>,
    ready: &'a Ready,
    styles: &'a LogStyles,
    under_cursor: bool,
}

impl Row<'_> {
    /// Draws glyphs from `start` on between two columns, the first `shift` cells left out.
    fn draw(
        &self,
        cells: &mut Buffer,
        y: u16,
        (left, right): (u16, u16),
        start: usize,
        shift: usize,
    ) {
        let glyphs: &Glyphs = &self.ready.glyphs;
        let mut looks = self.ready.looks.iter().peekable();
        let mut look = None;
        let mut found = self.ready.found.iter().peekable();
        let mut x = left;
        let mut skipped = 0;
        for (index, glyph) in glyphs.list().iter().enumerate().skip(start) {
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
fn write(cells: &mut Buffer, x: u16, y: u16, text: &str, room: usize, style: Style) -> u16 {
    if cells.cell((x, y)).is_none() {
        return x; // writing outside of the buffer would panic
    }
    cells.set_stringn(x, y, text, room, style).0
}

/// Draws as many parts as fit, from the first on, two spaces between them.
fn draw_parts(area: Rect, cells: &mut Buffer, base: Style, parts: &[(String, Style)]) {
    let mut x = area.x + 1;
    for (index, (text, style)) in parts.iter().enumerate() {
        let room = usize::from(area.right().saturating_sub(x + 1));
        // The first part is shortened rather than left out.
        let text = if index == 0 {
            fitting(text, room)
        } else {
            text.clone()
        };
        if text.width() > room {
            return;
        }
        let end = write(cells, x, area.y, &text, room, base.patch(*style));
        x = end + 2;
    }
}

/// As much of a text as fits, with an ellipsis where something is missing.
fn fitting(text: &str, room: usize) -> String {
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

fn quote(text: &str, reading: Reading) -> String {
    let text = fitting(text, 40);
    match reading {
        Reading::Text => format!("“{text}”"),
        Reading::Regex => format!("/{text}/"),
    }
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

fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

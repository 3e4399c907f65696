//! The line above a log, which says where one is, and the one below it, for what is typed, searched
//! and filtered.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use unicode_width::UnicodeWidthStr;

use super::clean::plain;
use super::pattern::Reading;
use super::prompt::Asked;
use super::screen::LogScreen;
use super::style::LogStyles;
use super::view::{fitting, write};

impl LogScreen {
    pub(super) fn draw_status(
        &self,
        area: Rect,
        cells: &mut Buffer,
        styles: &LogStyles,
        last: Option<u64>,
    ) {
        cells.set_style(area, styles.status);
        let buffer = &self.buffer;
        let state = if self.follow {
            format!("{} following", styles.mark("●", "o"))
        } else {
            format!("{} paused", styles.mark("‖", "="))
        };
        // What comes first stays longest when there is little room.
        let mut parts = vec![(self.title.clone(), styles.strong), (state, Style::new())];
        match self.new_below(last) {
            0 => {}
            new => parts.push((
                format!("{} {} new below", styles.mark("▼", "v"), thousands(new)),
                styles.strong,
            )),
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

    pub(super) fn draw_foot(&self, area: Rect, cells: &mut Buffer, styles: &LogStyles) {
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
                Some(why) => format!("{} {}", styles.mark("✖", "X"), plain(why.as_bytes())),
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
                cells.set_style(at, Style::new().add_modifier(Modifier::REVERSED));
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
        if self.buffer.errors_only() {
            parts.push(("errors only".into(), styles.faint));
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

/// Draws the parts that fit, the first ones first, two spaces between them.
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
            continue;
        }
        let end = write(cells, x, area.y, &text, room, base.patch(*style));
        x = end + 2;
    }
}

fn quote(text: &str, reading: Reading) -> String {
    let text = fitting(text, 40);
    match reading {
        Reading::Text => format!("“{text}”"),
        Reading::Regex => format!("/{text}/"),
    }
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

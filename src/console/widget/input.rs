//! One line of text being typed.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use tui_textarea::{CursorMove, TextArea};

use crate::console::draw::pen::Pen;
use crate::console::theme::{Role, Theme};
use crate::text::{clean, width};

/// No more is taken, bytes: keys that a cat lies on do not fill the memory.
const LONGEST: usize = 4096;

/// A line with a cursor. The text area under it never sees a line break.
#[derive(Debug, Clone)]
pub struct Input {
    area: TextArea<'static>,
    longest: usize,
}

impl Default for Input {
    fn default() -> Self {
        Input::new("")
    }
}

impl Input {
    /// With a text, the cursor at its end.
    pub fn new(text: &str) -> Input {
        let mut area = TextArea::new(vec![clean(text).into_owned()]);
        area.move_cursor(CursorMove::End);
        Input {
            area,
            longest: LONGEST,
        }
    }

    /// An empty one that takes so many bytes.
    pub fn short(longest: usize) -> Input {
        Input {
            longest,
            ..Input::default()
        }
    }

    pub fn text(&self) -> &str {
        self.area.lines().first().map_or("", String::as_str)
    }

    /// Takes a key. Whether the text changed.
    pub fn key(&mut self, key: KeyEvent) -> bool {
        match (key.code, key.modifiers) {
            // Keys that would break the line, or mean something to what is around the field.
            (KeyCode::Enter | KeyCode::Tab | KeyCode::BackTab | KeyCode::Esc, _) => false,
            (KeyCode::Char('m' | 'j'), m) if m.contains(KeyModifiers::CONTROL) => false,
            // As in a shell.
            (KeyCode::Char('u'), m) if m.contains(KeyModifiers::CONTROL) => {
                self.area.delete_line_by_head()
            }
            (KeyCode::Char(_), m)
                if self.text().len() >= self.longest
                    && !m.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) =>
            {
                false
            }
            _ => self.area.input(key),
        }
    }

    /// Takes pasted text: its first line's worth, made harmless.
    pub fn paste(&mut self, text: &str) -> bool {
        let text = clean(text.trim());
        let left = self.longest.saturating_sub(self.text().len());
        let fits = |(at, c): &(usize, char)| at + c.len_utf8() <= left;
        let text: String = text
            .char_indices()
            .take_while(fits)
            .map(|it| it.1)
            .collect();
        !text.is_empty() && self.area.insert_str(text)
    }

    /// Draws the text with its cursor in `room` cells, scrolled so that the cursor is seen.
    pub fn draw(&self, pen: &mut Pen, theme: &Theme, room: usize, focused: bool) {
        let role = if focused { Role::Input } else { Role::Text };
        let cursor = self.area.cursor().1;
        let chars: Vec<char> = self.text().chars().collect();
        let cell = |c: &char| width(c.encode_utf8(&mut [0; 4]));
        // As much before the cursor as fits beside it.
        let mut from = cursor.min(chars.len());
        let mut used = 1;
        while from > 0 && used + cell(&chars[from - 1]) <= room.max(1) {
            from -= 1;
            used += cell(&chars[from]);
        }
        let mut used = 0;
        for (at, c) in chars.iter().enumerate().skip(from) {
            if used + cell(c) > room {
                break;
            }
            let mut style = theme.style(role);
            if focused && at == cursor {
                style = style.add_modifier(ratatui::style::Modifier::REVERSED);
            }
            pen.put_style(style, c.encode_utf8(&mut [0; 4]));
            used += cell(c);
        }
        if focused && cursor >= chars.len() && used < room {
            let style = theme
                .style(role)
                .add_modifier(ratatui::style::Modifier::REVERSED);
            pen.put_style(style, " ");
            used += 1;
        }
        let rest = " ".repeat(room.saturating_sub(used));
        if focused {
            pen.put(role, &rest);
        } else {
            pen.skip(rest.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use ratatui::buffer::Buffer;
    use ratatui::layout::Rect;

    use super::*;

    fn drawn(input: &Input, room: u16) -> String {
        let theme = Theme::built_in("mono").unwrap();
        let area = Rect::new(0, 0, room, 1);
        let mut buf = Buffer::empty(area);
        let mut pen = Pen::on(&mut buf, &theme, area, 0);
        input.draw(&mut pen, &theme, usize::from(room), true);
        buf.content().iter().map(|cell| cell.symbol()).collect()
    }

    #[test]
    fn the_end_of_a_long_line_is_seen_and_no_more_is_taken_than_fits() {
        assert_eq!(drawn(&Input::new("shop"), 10), "shop      ");
        assert_eq!(drawn(&Input::new("a-long-name"), 6), "-name ");
        assert_eq!(drawn(&Input::new("ünïcödé日本"), 6), "é日 本  ");
        let mut input = Input::default();
        assert!(input.paste(&"ä".repeat(LONGEST)));
        assert_eq!(input.text().len(), LONGEST);
        assert!(!input.key(KeyEvent::new(KeyCode::Char('x'), KeyModifiers::NONE)));
        assert!(!input.paste("x"));
        assert!(input.key(KeyEvent::new(KeyCode::Backspace, KeyModifiers::NONE)));
        assert!(input.key(KeyEvent::new(KeyCode::Char('x'), KeyModifiers::NONE)));
    }
}

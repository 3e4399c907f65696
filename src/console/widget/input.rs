//! One line of text being typed.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use tui_textarea::{CursorMove, TextArea};

use crate::console::draw::pen::Pen;
use crate::console::theme::{Role, Theme};
use crate::text::{clean, width};

/// A line with a cursor. The text area under it never sees a line break.
#[derive(Debug, Clone)]
pub struct Input {
    area: TextArea<'static>,
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
        Input { area }
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
            _ => self.area.input(key),
        }
    }

    /// Takes pasted text: its first line's worth, made harmless.
    pub fn paste(&mut self, text: &str) -> bool {
        let text = clean(text.trim());
        !text.is_empty() && self.area.insert_str(text.as_ref())
    }

    /// Draws the text with its cursor in `room` cells, scrolled so that the cursor is seen.
    pub fn draw(&self, pen: &mut Pen, theme: &Theme, room: usize, focused: bool) {
        let role = if focused { Role::Input } else { Role::Text };
        let cursor = self.area.cursor().1;
        let chars: Vec<char> = self.text().chars().collect();
        let cell = |c: &char| width(c.encode_utf8(&mut [0; 4]));
        let mut from = 0;
        while chars[from..cursor.min(chars.len())]
            .iter()
            .map(cell)
            .sum::<usize>()
            + 1
            > room.max(1)
        {
            from += 1;
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

//! The line in which a search or a filter is typed.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::pattern::Reading;

/// What is being asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    Search,
    FilterIn,
    FilterOut,
}

/// What came of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Typed {
    /// It goes on.
    More,
    /// Enter was pressed.
    Done,
    /// Escape was pressed.
    Dropped,
}

/// Longer patterns are pasted by mistake.
const MOST: usize = 256;

#[derive(Debug, Clone)]
pub struct Prompt {
    pub asked: Asked,
    pub reading: Reading,
    text: Vec<char>,
    cursor: usize,
    /// Why the text cannot be used.
    pub error: Option<String>,
}

impl Prompt {
    pub fn new(asked: Asked, reading: Reading) -> Self {
        Self {
            asked,
            reading,
            text: Vec::new(),
            cursor: 0,
            error: None,
        }
    }

    pub fn text(&self) -> String {
        self.text.iter().collect()
    }

    /// The text before and after the cursor.
    pub fn around(&self) -> (String, String) {
        (
            self.text[..self.cursor].iter().collect(),
            self.text[self.cursor..].iter().collect(),
        )
    }

    /// Takes a key press.
    pub fn key(&mut self, key: KeyEvent) -> Typed {
        let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Enter => return Typed::Done,
            KeyCode::Esc => return Typed::Dropped,
            KeyCode::Char('c' | 'g') if ctrl => return Typed::Dropped,
            // Going back over the start leaves, as in less and vi.
            KeyCode::Backspace if self.text.is_empty() => return Typed::Dropped,
            KeyCode::Tab => {
                self.reading = match self.reading {
                    Reading::Text => Reading::Regex,
                    Reading::Regex => Reading::Text,
                };
            }
            KeyCode::Backspace if self.cursor > 0 => {
                self.cursor -= 1;
                self.text.remove(self.cursor);
            }
            KeyCode::Delete if self.cursor < self.text.len() => {
                self.text.remove(self.cursor);
            }
            KeyCode::Left => self.cursor = self.cursor.saturating_sub(1),
            KeyCode::Right => self.cursor = (self.cursor + 1).min(self.text.len()),
            KeyCode::Home => self.cursor = 0,
            KeyCode::End => self.cursor = self.text.len(),
            KeyCode::Char('a') if ctrl => self.cursor = 0,
            KeyCode::Char('e') if ctrl => self.cursor = self.text.len(),
            KeyCode::Char('u') if ctrl => {
                self.text.drain(..self.cursor);
                self.cursor = 0;
            }
            KeyCode::Char('k') if ctrl => self.text.truncate(self.cursor),
            KeyCode::Char('w') if ctrl => {
                let before = &self.text[..self.cursor];
                let end = before
                    .iter()
                    .rposition(|c| *c != ' ')
                    .map_or(0, |at| at + 1);
                let start = before[..end]
                    .iter()
                    .rposition(|c| *c == ' ')
                    .map_or(0, |at| at + 1);
                self.text.drain(start..self.cursor);
                self.cursor = start;
            }
            KeyCode::Char(c) if !ctrl && !key.modifiers.contains(KeyModifiers::ALT) => {
                self.insert(c);
            }
            _ => {}
        }
        self.error = None;
        Typed::More
    }

    /// Takes pasted text: its first line that has something in it.
    pub fn paste(&mut self, text: &str) {
        let line = text
            .lines()
            .find(|l| !l.trim().is_empty())
            .unwrap_or_default();
        line.chars().for_each(|c| self.insert(c));
        self.error = None;
    }

    fn insert(&mut self, c: char) {
        // A tab is a character that lines can hold; other controls are not typed.
        if self.text.len() < MOST && (c == '\t' || !c.is_control()) {
            self.text.insert(self.cursor, c);
            self.cursor += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(prompt: &mut Prompt, code: KeyCode) -> Typed {
        prompt.key(KeyEvent::new(code, KeyModifiers::NONE))
    }

    #[test]
    fn text_is_edited_at_the_cursor() {
        let mut prompt = Prompt::new(Asked::Search, Reading::Text);
        prompt.paste("\n one two\nthree\n");
        assert_eq!(prompt.text(), " one two");
        press(&mut prompt, KeyCode::Home);
        press(&mut prompt, KeyCode::Delete);
        press(&mut prompt, KeyCode::Char('x'));
        assert_eq!(prompt.around(), ("x".into(), "one two".into()));
        press(&mut prompt, KeyCode::End);
        prompt.key(KeyEvent::new(KeyCode::Char('w'), KeyModifiers::CONTROL));
        assert_eq!(prompt.text(), "xone ");
        prompt.key(KeyEvent::new(KeyCode::Char('u'), KeyModifiers::CONTROL));
        assert_eq!(press(&mut prompt, KeyCode::Backspace), Typed::Dropped);
    }

    #[test]
    fn controls_cannot_be_pasted_and_length_is_bounded() {
        let mut prompt = Prompt::new(Asked::Search, Reading::Text);
        prompt.paste(&"\x1b[31m\u{9b}ab\0".repeat(500));
        assert_eq!(prompt.text().chars().count(), MOST);
        assert!(!prompt.text().chars().any(char::is_control));
    }
}

//! Forms: fields that are checked while they are typed into. What a form means is its own file;
//! nothing here draws or knows a terminal beyond its keys.

pub mod draw;
pub mod site;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::widget::input::Input;

/// One line of a form.
#[derive(Debug, Clone)]
pub struct Field<I> {
    pub id: I,
    pub label: &'static str,
    /// What is expected, shown while it is typed into.
    pub help: &'static str,
    /// What it holds.
    pub value: Value,
    /// What is wrong with it.
    pub error: Option<String>,
    /// Was left once, or typed into: from then on its error is shown.
    pub touched: bool,
    /// Belongs to what is being made.
    pub shown: bool,
    /// The site whose value it was taken over from, until another is chosen.
    pub from: Option<String>,
}

/// What a field holds.
#[derive(Debug, Clone)]
// A form has a dozen fields: their size does not matter.
#[expect(clippy::large_enum_variant)]
pub enum Value {
    Text(Input),
    /// One of several.
    Choice(Vec<String>, usize),
}

/// What a key led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The form stays.
    Stay,
    /// It is left.
    Leave,
    /// It is filled in; go on.
    Submit,
}

/// Fields and where the cursor is.
#[derive(Debug, Clone)]
pub struct Form<I> {
    pub title: String,
    pub fields: Vec<Field<I>>,
    /// The one typed into.
    pub focus: usize,
}

impl<I: Copy + PartialEq> Form<I> {
    /// A field's text.
    pub fn text(&self, id: I) -> &str {
        match self.fields.iter().find(|f| f.id == id).map(|f| &f.value) {
            Some(Value::Text(input)) => input.text().trim(),
            Some(Value::Choice(options, at)) => options.get(*at).map_or("", String::as_str),
            None => "",
        }
    }

    /// A field, to be changed.
    pub fn field(&mut self, id: I) -> Option<&mut Field<I>> {
        self.fields.iter_mut().find(|f| f.id == id)
    }

    /// Takes a key.
    pub fn key(&mut self, key: KeyEvent) -> Next {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Esc => return Next::Leave,
            KeyCode::Char('c') if control => return Next::Leave,
            KeyCode::Char('s') if control => return Next::Submit,
            KeyCode::Tab | KeyCode::Down => self.step(1),
            KeyCode::BackTab | KeyCode::Up => self.step(-1),
            KeyCode::Enter if self.is_last() => return Next::Submit,
            KeyCode::Enter => self.step(1),
            code => {
                let Some(field) = self.fields.get_mut(self.focus) else {
                    return Next::Stay;
                };
                match &mut field.value {
                    Value::Text(input) => {
                        if input.key(key) {
                            field.touched = true;
                        }
                    }
                    Value::Choice(options, at) => {
                        let was = *at;
                        choose(options, at, code);
                        if *at != was {
                            field.from = None;
                        }
                    }
                }
            }
        }
        Next::Stay
    }

    /// Takes pasted text, into the focused field only.
    pub fn paste(&mut self, text: &str) {
        if let Some(Field {
            value: Value::Text(input),
            touched,
            ..
        }) = self.fields.get_mut(self.focus)
            && input.paste(text)
        {
            *touched = true;
        }
    }

    /// Shows all errors, and goes to the first.
    pub fn show_errors(&mut self) {
        for field in &mut self.fields {
            field.touched = true;
        }
        if let Some(first) = self
            .fields
            .iter()
            .position(|f| f.shown && f.error.is_some())
        {
            self.focus = first;
        }
    }

    /// Whether nothing is wrong.
    pub fn is_right(&self) -> bool {
        self.fields.iter().all(|f| !f.shown || f.error.is_none())
    }

    fn is_last(&self) -> bool {
        !self.fields.iter().skip(self.focus + 1).any(|f| f.shown)
    }

    fn step(&mut self, by: isize) {
        if let Some(field) = self.fields.get_mut(self.focus) {
            field.touched = true;
        }
        let count = self.fields.len() as isize;
        let mut at = self.focus as isize;
        for _ in 0..count {
            at = (at + by).rem_euclid(count);
            if self.fields[at as usize].shown {
                break;
            }
        }
        self.focus = at as usize;
    }
}

fn choose(options: &[String], at: &mut usize, code: KeyCode) {
    let count = options.len();
    if count == 0 {
        return;
    }
    match code {
        KeyCode::Right | KeyCode::Char(' ') => *at = (*at + 1) % count,
        KeyCode::Left => *at = (*at + count - 1) % count,
        KeyCode::Char(c) => {
            // The next option that begins with the letter.
            let found = (1..=count)
                .map(|n| (*at + n) % count)
                .find(|i| options[*i].starts_with(c.to_ascii_lowercase()));
            if let Some(found) = found {
                *at = found;
            }
        }
        _ => {}
    }
}

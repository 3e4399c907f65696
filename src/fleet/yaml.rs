//! Values to be written, and their text.

use super::tree::{Meaning, Raw, reread};

/// A value to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A text; quoted where it has to be.
    Text(String),
    /// A number, `true` or `false`: never quoted.
    Bare(String),
    List(Vec<Value>),
    /// Keys and values, in this order.
    Mapping(Vec<(String, Value)>),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::Text(text.to_owned())
    }
}
impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::Text(text)
    }
}
impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Value::Bare(number.to_string())
    }
}
impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Value::Bare(flag.to_string())
    }
}
impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(items: Vec<T>) -> Self {
        Value::List(items.into_iter().map(Into::into).collect())
    }
}
impl From<Vec<(String, Value)>> for Value {
    fn from(fields: Vec<(String, Value)>) -> Self {
        Value::Mapping(fields)
    }
}

/// A key with its value.
pub(super) fn field(key: &str, value: impl Into<Value>) -> (String, Value) {
    (key.to_owned(), value.into())
}

/// In which surroundings a text is written.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Manner {
    /// Inside brackets or braces.
    pub flow: bool,
    /// The neighbours put everything in double quotes, as JSON does.
    pub quoted: bool,
}

/// Whether YAML takes the text, unquoted, for a number, true or false, and would write it the same.
pub(super) fn is_bare(text: &str) -> bool {
    match reread(text) {
        Some(Raw::Scalar(Meaning::Text | Meaning::Null, _)) => false,
        Some(Raw::Scalar(meaning, _)) => meaning.is_written(text),
        _ => false,
    }
}

/// A text, quoted where it has to be.
pub(super) fn text(text: &str, manner: Manner) -> String {
    if manner.quoted || !is_plain(text, manner.flow) {
        double_quoted(text)
    } else {
        text.to_owned()
    }
}

/// What stood before, with another content: in the same quotes where they can hold it.
pub(super) fn instead(old: &str, new: &str, manner: Manner) -> String {
    let printable = !new.chars().any(|c| needs_escape(c) || c == '\n');
    match old.chars().next() {
        Some('\'') if printable => format!("'{}'", new.replace('\'', "''")),
        Some('"') => double_quoted(new),
        _ => text(new, manner),
    }
}

/// Words that readers of YAML 1.1 take for true or false.
const WORDS: &[&str] = &["y", "n", "yes", "no", "on", "off", "true", "false", "null"];

fn is_plain(text: &str, flow: bool) -> bool {
    let edge = |c: char| c.is_whitespace() || "-?:,[]{}#&*!|>'\"%@`=<~".contains(c);
    let first_is_fine = text.chars().next().is_some_and(|c| !edge(c));
    let last_is_fine = !text.ends_with(|c: char| c.is_whitespace() || c == ':');
    let inner = |c: char| !(needs_escape(c) || flow && ",[]{}:".contains(c));
    // Octal and base 60 are numbers in YAML 1.1 only.
    let number = text.starts_with(|c: char| c.is_ascii_digit() || "+.".contains(c))
        && text
            .chars()
            .all(|c| c.is_ascii_digit() || ":_.+-".contains(c))
        && text.bytes().filter(|b| *b == b'.').count() < 2;
    first_is_fine
        && last_is_fine
        && text.chars().all(inner)
        && !text.contains(": ")
        && !text.contains(" #")
        && !number
        && !WORDS.contains(&text.to_lowercase().as_str())
        && reread(text) == Some(Raw::Scalar(Meaning::Text, text.to_owned()))
}

fn needs_escape(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{feff}' | '\u{2028}' | '\u{2029}' | '\u{fffe}' | '\u{ffff}'
        )
}

fn double_quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if needs_escape(c) => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A value in one line.
pub(super) fn inline(value: &Value, manner: Manner) -> String {
    let flow = Manner {
        flow: true,
        ..manner
    };
    match value {
        Value::Text(it) => text(it, manner),
        // What is neither number nor flag would say more than a value.
        Value::Bare(it) if is_bare(it) => it.clone(),
        Value::Bare(it) => text(it, manner),
        Value::List(items) => {
            let items: Vec<_> = items.iter().map(|item| inline(item, flow)).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Mapping(entries) if entries.is_empty() => "{}".to_owned(),
        Value::Mapping(entries) => {
            let entries: Vec<_> = entries.iter().map(|(k, v)| entry(k, v, flow)).collect();
            format!("{{ {} }}", entries.join(", "))
        }
    }
}

/// `key: value` in one line.
pub(super) fn entry(key: &str, value: &Value, manner: Manner) -> String {
    format!("{}: {}", text(key, manner), inline(value, manner))
}

/// `key: value` in as many lines as it needs, the first one without its indentation.
pub(super) fn block(key: &str, value: &Value, indent: usize, step: usize, eol: &str) -> String {
    let manner = Manner::default();
    let key = text(key, manner);
    match value {
        Value::Mapping(entries) if !entries.is_empty() => {
            let inner = indent + step;
            let lines = entries.iter().map(|(key, value)| {
                let small = matches!(value, Value::Mapping(e) if e.len() == 1 && indent > step);
                let line = match small {
                    true => entry(key, value, manner),
                    false => block(key, value, inner, step, eol),
                };
                format!("{eol}{}{line}", " ".repeat(inner))
            });
            format!("{key}:{}", lines.collect::<String>())
        }
        value => format!("{key}: {}", inline(value, manner)),
    }
}

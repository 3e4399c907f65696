//! One mapping of the file against its table of keys.

use std::collections::HashMap;
use std::ops::Range;
use std::str::FromStr;

use super::finding::Report;
use super::key::{Key, Table};
use super::name::{Invalid, Name};
use super::nearest;
use super::tree::{Entry, Kind, Meaning, Node, Scalar};

/// The entries of a mapping that its table knows.
pub(super) struct Fields<'n> {
    /// What is described, for messages: "site `bob`".
    pub what: String,
    /// Where to point when something is missing.
    at: Range<usize>,
    /// It was no mapping: nothing further is said about what is missing.
    broken: bool,
    found: Vec<(&'static Key, &'n Entry)>,
    /// Keys that were probably meant by unknown ones: they are not also called missing.
    meant: Vec<&'static str>,
}

impl<'n> Fields<'n> {
    /// Reads `node`; `at` is the place of its name.
    pub fn read(
        node: &'n Node,
        table: &'static Table,
        what: String,
        at: Range<usize>,
        report: &mut Report,
    ) -> Self {
        let mut fields = Fields {
            what,
            at,
            broken: false,
            found: Vec::new(),
            meant: Vec::new(),
        };
        let Some(entries) = mapping(node, &fields.what, report) else {
            fields.broken = true;
            return fields;
        };
        // What a merge key would bring is not called missing.
        fields.broken = entries.iter().any(|entry| entry.key.text() == Some("<<"));
        for (word, entry) in unique(entries, &fields.what, report) {
            match table.key(word) {
                Some(key) => fields.found.push((key, entry)),
                None => fields
                    .meant
                    .extend(unknown(word, entry, table, &fields.what, report)),
            }
        }
        fields
    }

    /// The entry of `key`, when it was written.
    pub fn entry(&self, key: &str) -> Option<&'n Entry> {
        self.found
            .iter()
            .find(|(known, _)| known.name == key)
            .map(|(_, entry)| *entry)
    }

    /// The value of `key`, when it was written.
    pub fn get(&self, key: &str) -> Option<&'n Node> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// All entries with their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&'static Key, &'n Entry)> + '_ {
        self.found.iter().copied()
    }

    /// Says that `key` is missing.
    pub fn missing(&self, key: &Key, report: &mut Report) {
        if !self.broken && self.entry(key.name).is_none() && !self.meant.contains(&key.name) {
            let message = format!("{} has no `{}`", self.what, key.name);
            let help = format!("add `{}: {}`. {}", key.name, key.example, key.doc);
            report.error(self.at.clone(), message).help(help);
        }
    }
}

/// The entries of a mapping; nothing written counts as an empty one.
pub(super) fn mapping<'n>(node: &'n Node, what: &str, report: &mut Report) -> Option<&'n [Entry]> {
    match &node.kind {
        Kind::Mapping { entries, .. } => Some(entries),
        _ if node.is_null() => Some(&[]),
        _ => {
            report
                .error(
                    node.span.clone(),
                    format!("{what} has to be a mapping of keys to values"),
                )
                .label(format!("this is {}", node.noun()));
            None
        }
    }
}

/// Entries whose keys are texts, each of them once; says what else there is.
pub(super) fn unique<'n>(
    entries: &'n [Entry],
    what: &str,
    report: &mut Report,
) -> Vec<(&'n str, &'n Entry)> {
    let mut seen: HashMap<&str, &Node> = HashMap::new();
    let mut kept = Vec::new();
    for entry in entries {
        let Some(word) = entry.key.text() else {
            let message = format!("a key of {what} has to be a word");
            report.error(entry.key.span.clone(), message);
            continue;
        };
        if word == "<<" {
            report
                .error(entry.key.span.clone(), "merge keys (`<<`) are not read")
                .help("put what several sites share under `defaults`, or repeat a value by its alias: `env: *shared`");
            continue;
        }
        if let Some(first) = seen.get(word) {
            report
                .error(
                    entry.key.span.clone(),
                    format!("the key `{word}` is there twice in {what}"),
                )
                .label("again here")
                .also(first.span.clone(), "first here");
            continue;
        }
        seen.insert(word, &entry.key);
        kept.push((word, entry));
    }
    kept
}

fn unknown(
    word: &str,
    entry: &Entry,
    table: &Table,
    what: &str,
    report: &mut Report,
) -> Option<&'static str> {
    let finding = report.error(
        entry.key.span.clone(),
        format!("{what} has no key `{word}`"),
    );
    let meant = table.meant(word);
    match meant {
        Some(near) => finding.label(format!("did you mean `{near}`?")),
        None => {
            let names: Vec<_> = table.keys.iter().map(|key| key.name).collect();
            finding.help(format!(
                "the keys of {} are: {}",
                table.of,
                names.join(", ")
            ))
        }
    };
    meant
}

/// The text of a scalar as it stands in the file. A plain scalar that a YAML reader takes for a
/// value written differently (`8.10` is 8.1, `0x10` is 16, `~` is nothing) is refused.
pub(super) fn text<'n>(node: &'n Node, what: &str, report: &mut Report) -> Option<&'n str> {
    let Kind::Scalar(scalar) = &node.kind else {
        report
            .error(
                node.span.clone(),
                format!("{what} has to be a single value"),
            )
            .label(format!("this is {}", node.noun()));
        return None;
    };
    if !scalar.meaning.is_written(&scalar.text) {
        match &scalar.meaning {
            Meaning::Null => {
                let place = place_of(node);
                report
                    .error(place, format!("{what} has no value"))
                    .help("write a value (\"\" is an empty text), or remove the key")
            }
            meaning => {
                let read = match meaning {
                    Meaning::Bool(value) => value.to_string(),
                    Meaning::Int(value) => value.to_string(),
                    Meaning::Float(value) => format!("{value:?}"),
                    Meaning::Null | Meaning::Text => String::new(),
                };
                let quoted = format!("write \"{}\"", scalar.text);
                report
                    .error(
                        node.span.clone(),
                        format!("{what}: YAML reads {} as {read}", scalar.text),
                    )
                    .label(quoted)
            }
        };
        return None;
    }
    if let Some(c) = scalar.text.chars().find(|c| *c == '\0') {
        report.error(
            node.span.clone(),
            format!("{what} has the character {c:?} in it"),
        );
        return None;
    }
    Some(&scalar.text)
}

/// Where to point at a value; what was left out is pointed at by the character before it.
pub(super) fn place_of(node: &Node) -> Range<usize> {
    if node.span.is_empty() {
        node.span.start.saturating_sub(1)..node.span.end
    } else {
        node.span.clone()
    }
}

/// A text, read by `parse`; says what would be right when it cannot be.
pub(super) fn parsed<T>(
    node: &Node,
    what: &str,
    parse: impl FnOnce(&str) -> Result<T, Invalid>,
    report: &mut Report,
) -> Option<T> {
    let text = text(node, what, report)?;
    match parse(text) {
        Ok(value) => Some(value),
        Err(Invalid(why)) => {
            report
                .error(node.span.clone(), format!("{what}: {text:?} is not right"))
                .label(why);
            None
        }
    }
}

/// A whole number in plain decimal, from `least` to `most`.
pub(super) fn count(
    node: &Node,
    what: &str,
    least: u32,
    most: u32,
    report: &mut Report,
) -> Option<u32> {
    if let Kind::Scalar(Scalar {
        meaning: Meaning::Int(value),
        text,
        ..
    }) = &node.kind
        && !text.bytes().all(|b| b.is_ascii_digit())
    {
        report
            .error(
                node.span.clone(),
                format!("{what} has to be a plain decimal number"),
            )
            .label(format!("write {value}"));
        return None;
    }
    parsed(node, what, |text| number(text, least, most), report)
}

pub(super) fn number(text: &str, least: u32, most: u32) -> Result<u32, Invalid> {
    let decimal = text.bytes().all(|b| b.is_ascii_digit());
    if decimal && text.len() > 1 && text.starts_with('0') {
        return Err(Invalid(
            "some readers take a leading 0 for octal; write it without".into(),
        ));
    }
    match text.parse::<u32>() {
        Ok(number) if decimal && (least..=most).contains(&number) => Ok(number),
        _ => Err(Invalid(format!("a whole number from {least} to {most}"))),
    }
}

/// `true` or `false`.
pub(super) fn flag(node: &Node, what: &str, report: &mut Report) -> Option<bool> {
    if let Kind::Scalar(scalar) = &node.kind
        && let Meaning::Bool(value) = scalar.meaning
    {
        return Some(value);
    }
    let finding = report.error(place_of(node), format!("{what} is true or false"));
    let right = match node.text().map(str::to_lowercase).as_deref() {
        Some("yes" | "on" | "y" | "1" | "true") => Some("write true"),
        Some("no" | "off" | "n" | "0" | "false") => Some("write false"),
        _ => None,
    };
    if let Some(right) = right {
        finding.label(right);
    }
    None
}

/// One of `words`.
pub(super) fn word<'w>(
    node: &Node,
    what: &str,
    words: &[&'w str],
    report: &mut Report,
) -> Option<&'w str> {
    let text = text(node, what, report)?;
    if let Some(word) = words.iter().find(|word| **word == text) {
        return Some(word);
    }
    let finding = report.error(node.span.clone(), format!("{what} cannot be {text:?}"));
    match nearest(text, words.iter().copied()) {
        Some(near) => finding.label(format!("did you mean `{near}`?")),
        None => finding.label(format!("one of: {}", words.join(", "))),
    };
    None
}

/// The items of a list.
pub(super) fn list<'n>(
    node: &'n Node,
    what: &str,
    example: &str,
    report: &mut Report,
) -> Option<&'n [Node]> {
    match &node.kind {
        Kind::Sequence { items, .. } => Some(items),
        kind => {
            let finding = report.error(place_of(node), format!("{what} has to be a list"));
            match kind {
                Kind::Scalar(scalar) if !node.is_null() && !scalar.text.contains([' ', ',']) => {
                    finding.label(format!("write [{}]", scalar.text))
                }
                _ => finding.help(format!("such as {example}")),
            };
            None
        }
    }
}

/// A program and its arguments.
pub(super) fn command(node: &Node, what: &str, report: &mut Report) -> Option<Vec<String>> {
    let items = list(node, what, "[program, argument]", report)?;
    if items.is_empty() {
        report.error(node.span.clone(), format!("{what} names no program"));
        return None;
    }
    let words = items
        .iter()
        .map(|item| text(item, what, report).map(str::to_owned));
    let words: Vec<_> = words.collect();
    words.into_iter().collect()
}

/// A [`Name`] from a key or a value, with a name that would be right.
pub(super) fn name(node: &Node, what: &str, report: &mut Report) -> Option<Name> {
    let text = text(node, what, report)?;
    match Name::from_str(text) {
        Ok(name) => Some(name),
        Err(Invalid(why)) => {
            let finding = report.error(node.span.clone(), format!("{what}: {why}"));
            if let Some(near) = slug(text) {
                finding.label(format!("`{near}` would do"));
            }
            None
        }
    }
}

/// The nearest text that is a name.
fn slug(text: &str) -> Option<String> {
    let mut slug = String::new();
    for c in text.chars().flat_map(char::to_lowercase) {
        match c {
            'a'..='z' | '0'..='9' => slug.push(c),
            'à'..='å' => slug.push('a'),
            'è'..='ë' => slug.push('e'),
            'ì'..='ï' => slug.push('i'),
            'ò'..='ö' => slug.push('o'),
            'ù'..='ü' => slug.push('u'),
            'ç' => slug.push('c'),
            'ñ' => slug.push('n'),
            _ if !slug.is_empty() && !slug.ends_with('-') => slug.push('-'),
            _ => {}
        }
    }
    slug.truncate(63);
    let slug = slug.trim_end_matches('-');
    (!slug.is_empty()).then(|| slug.to_owned())
}

//! One value of the file: read as what a key may say, or said to be wrong, with what would be right.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::LazyLock;

use indexmap::IndexSet;
use serde::de::value::{Error, StrDeserializer};
use serde::de::{DeserializeOwned, IntoDeserializer};

use super::finding::{Finding, Report};
use super::key::Kind;
use super::name::{Invalid, Name};
use super::nearest;
use super::tree::{Entry, Kind as Shape, Meaning, Node, Scalar};
use super::value;

/// Names written elsewhere in the file, right or wrong: a reference to an entry that has errors of
/// its own is not a second error.
#[derive(Debug, Default)]
pub struct Known<'n> {
    pub hosts: IndexSet<&'n str>,
    pub accounts: IndexSet<&'n str>,
}

/// Where nothing can be referred to.
pub static NOTHING: LazyLock<Known<'static>> = LazyLock::new(Known::default);

/// A value at its place.
pub struct At<'n, 'r> {
    pub node: &'n Node,
    /// How it is called in messages: "`memory`".
    pub what: String,
    /// What its key's row says may stand here.
    pub kind: Kind,
    pub known: &'r Known<'r>,
    pub report: &'r mut Report,
}

impl<'n, 'r> At<'n, 'r> {
    /// A value that has no row of its own.
    pub fn new(node: &'n Node, what: impl Into<String>, report: &'r mut Report) -> Self {
        At {
            node,
            what: what.into(),
            kind: Kind::Text,
            known: &NOTHING,
            report,
        }
    }

    /// A value inside this one.
    pub fn inner<'i>(&mut self, node: &'i Node, what: impl Into<String>) -> At<'i, '_> {
        At::new(node, what, self.report)
    }

    /// Says what is wrong with it.
    pub fn error(&mut self, message: impl Into<String>) -> &mut Finding {
        self.report.error(self.node.span.clone(), message)
    }

    /// The text of a scalar as it stands in the file. A plain scalar that a YAML reader takes for a
    /// value written differently (`8.10` is 8.1, `0x10` is 16, `~` is nothing) is refused.
    pub fn text(&mut self) -> Option<&'n str> {
        let (node, what) = (self.node, &self.what);
        let Shape::Scalar(scalar) = &node.kind else {
            let message = format!("{what} has to be a single value");
            let label = format!("this is {}", node.noun());
            self.error(message).label(label);
            return None;
        };
        let read = match &scalar.meaning {
            meaning if meaning.is_written(&scalar.text) => None,
            Meaning::Null => {
                let message = format!("{what} has no value");
                self.report
                    .error(place_of(node), message)
                    .help("write a value (\"\" is an empty text), or remove the key");
                return None;
            }
            Meaning::Bool(value) => Some(value.to_string()),
            Meaning::Int(value) => Some(value.to_string()),
            Meaning::Float(value) => Some(format!("{value:?}")),
            Meaning::Text => None,
        };
        if let Some(read) = read {
            let message = format!("{what}: YAML reads {} as {read}", scalar.text);
            self.error(message)
                .label(format!("write \"{}\"", scalar.text));
            return None;
        }
        if let Some(c) = scalar.text.chars().find(|c| *c == '\0') {
            let message = format!("{what} has the character {c:?} in it");
            self.error(message);
            return None;
        }
        Some(&scalar.text)
    }

    /// A text, read by `parse`; says what would be right when it cannot be.
    pub fn parsed<T>(&mut self, parse: impl FnOnce(&str) -> Result<T, Invalid>) -> Option<T> {
        let text = self.text()?;
        match parse(text) {
            Ok(value) => Some(value),
            Err(Invalid(why)) => {
                let message = format!("{}: {text:?} is not right", self.what);
                self.error(message).label(why);
                None
            }
        }
    }

    /// A limit: `none` takes one away that `defaults` would give.
    pub fn limit<T>(
        &mut self,
        parse: impl FnOnce(&str) -> Result<T, Invalid>,
    ) -> Option<Option<T>> {
        self.parsed(|text| match text {
            "none" => Ok(None),
            text => parse(text).map(Some),
        })
    }

    /// A whole number in plain decimal, in the range of its row.
    pub fn count(&mut self) -> Option<u32> {
        let (least, most) = self.range();
        if let Shape::Scalar(Scalar {
            meaning: Meaning::Int(value),
            text,
            ..
        }) = &self.node.kind
            && !text.bytes().all(|b| b.is_ascii_digit())
        {
            let message = format!("{} has to be a plain decimal number", self.what);
            self.error(message).label(format!("write {value}"));
            return None;
        }
        self.parsed(|text| value::parse_number(text, least, most))
    }

    /// A time, no longer than its row says.
    pub fn seconds(&mut self) -> Option<u32> {
        let most = match self.kind {
            Kind::Seconds(most) => most,
            _ => value::DAY,
        };
        self.parsed(|text| value::parse_seconds(text, most))
    }

    /// A limit that is a whole number in the range of its row.
    pub fn count_limit(&mut self) -> Option<Option<u32>> {
        let (least, most) = self.range();
        self.limit(|text| value::parse_number(text, least, most))
    }

    /// The port of a machine.
    pub fn port(&mut self) -> Option<u16> {
        self.count().and_then(|port| u16::try_from(port).ok())
    }

    fn range(&self) -> (u32, u32) {
        match self.kind {
            Kind::Count(least, most) | Kind::CountLimit(least, most) => (least, most),
            _ => (0, u32::MAX),
        }
    }

    /// `true` or `false`.
    pub fn flag(&mut self) -> Option<bool> {
        if let Shape::Scalar(scalar) = &self.node.kind
            && let Meaning::Bool(value) = scalar.meaning
        {
            return Some(value);
        }
        let message = format!("{} is true or false", self.what);
        let finding = self.report.error(place_of(self.node), message);
        match self.node.text().map(str::to_lowercase).as_deref() {
            Some("yes" | "on" | "y" | "1" | "true") => {
                finding.label("write true");
            }
            Some("no" | "off" | "n" | "0" | "false") => {
                finding.label("write false");
            }
            _ => {}
        }
        None
    }

    /// One of the words of its row.
    pub fn word(&mut self) -> Option<&'static str> {
        let Kind::Word(words) = self.kind else {
            return None;
        };
        let text = self.text()?;
        if let Some(word) = words.iter().find(|word| **word == text) {
            return Some(word);
        }
        let message = format!("{} cannot be {text:?}", self.what);
        let finding = self.error(message);
        match nearest(text, words.iter().copied()) {
            Some(near) => finding.label(format!("did you mean `{near}`?")),
            None => finding.label(format!("one of: {}", words.join(", "))),
        };
        None
    }

    /// What is called by one of the words of its row.
    pub fn named<T: DeserializeOwned>(&mut self) -> Option<T> {
        let word: StrDeserializer<'_, Error> = self.word()?.into_deserializer();
        T::deserialize(word).ok()
    }

    /// The items of a list.
    pub fn list(&mut self, example: &str) -> Option<&'n [Node]> {
        let node = self.node;
        let Shape::Sequence { items, .. } = &node.kind else {
            let message = format!("{} has to be a list", self.what);
            let finding = self.report.error(place_of(node), message);
            match &node.kind {
                Shape::Scalar(scalar) if !node.is_null() && !scalar.text.contains([' ', ',']) => {
                    finding.label(format!("write [{}]", scalar.text))
                }
                _ => finding.help(format!("such as {example}")),
            };
            return None;
        };
        Some(items)
    }

    /// The items of a list that `parse` can read, each with its place.
    pub fn items<T>(
        &mut self,
        example: &str,
        parse: impl Fn(&str) -> Result<T, Invalid>,
    ) -> Option<Vec<(T, Range<usize>)>> {
        let items = self.list(example)?;
        let what = self.what.clone();
        let read = items.iter().filter_map(|item| {
            let value = self.inner(item, &*what).parsed(&parse)?;
            Some((value, item.span.clone()))
        });
        Some(read.collect())
    }

    /// Whether a mapping stands here, where a single value might as well: what else stands here is
    /// read as that.
    pub fn is_mapping(&mut self) -> bool {
        if let Kind::Either(single, _) = self.kind
            && !matches!(self.node.kind, Shape::Mapping { .. })
        {
            self.kind = *single;
            return false;
        }
        true
    }

    /// Reads the mappings that stand here: one, or a list of them.
    pub fn each(&mut self, example: &str, mut read: impl FnMut(&mut At<'n, '_>)) {
        let node = self.node;
        let items = match &node.kind {
            Shape::Sequence { items, .. } => items.as_slice(),
            Shape::Mapping { .. } => std::slice::from_ref(node),
            Shape::Scalar(_) => {
                let message = format!("{} has to be a mapping, or a list of them", self.what);
                let finding = self.report.error(place_of(node), message);
                finding.help(format!("such as {example}"));
                return;
            }
        };
        for node in items {
            read(&mut At {
                node,
                what: self.what.clone(),
                kind: self.kind,
                known: self.known,
                report: self.report,
            });
        }
    }

    /// A path on the operator's machine.
    pub fn path(&mut self) -> Option<String> {
        let path = self.text()?;
        if path.is_empty() {
            let message = format!("{} names no file", self.what);
            self.error(message);
            return None;
        }
        Some(path.to_owned())
    }

    /// A program and its arguments.
    pub fn command(&mut self) -> Option<Vec<String>> {
        let items = self.list("[program, argument]")?;
        let program = items.first().map(|item| item.text() != Some(""));
        if program != Some(true) {
            let message = format!("{} names no program", self.what);
            self.error(message);
            return None;
        }
        let what = self.what.clone();
        let words = items
            .iter()
            .map(|item| self.inner(item, &*what).text().map(str::to_owned));
        let words: Vec<_> = words.collect();
        words.into_iter().collect()
    }

    /// A [`Name`] from a key or a value, with a name that would be right.
    pub fn name(&mut self) -> Option<Name> {
        let text = self.text()?;
        match text.parse() {
            Ok(name) => Some(name),
            Err(Invalid(why)) => {
                let message = format!("{}: {why}", self.what);
                let finding = self.error(message);
                if let Some(near) = slug(text) {
                    finding.label(format!("`{near}` would do"));
                }
                None
            }
        }
    }

    /// The name of an entry of the top-level mapping that its row names.
    pub fn reference(&mut self) -> Option<Name> {
        let (noun, known) = match self.kind {
            Kind::Reference("accounts") => ("account", &self.known.accounts),
            _ => ("host", &self.known.hosts),
        };
        let text = self.text()?;
        if known.contains(text) {
            return text.parse().ok();
        }
        let message = format!("there is no {noun} `{text}`");
        let near = match self.report.is_full() {
            true => None,
            false => nearest(text, known.iter().copied()),
        };
        let finding = self.error(message);
        match near {
            Some(near) => finding.label(format!("did you mean `{near}`?")),
            None if known.is_empty() => finding.help(format!("add it under `{noun}s:`")),
            None if known.len() <= 8 => {
                let known: Vec<&str> = known.iter().copied().collect();
                finding.help(format!("{noun}s are: {}", known.join(", ")))
            }
            None => finding.help(format!(
                "add it under `{noun}s:`, or name one that is there"
            )),
        };
        None
    }

    /// The entries of a mapping whose keys are texts, each of them once; nothing written counts as
    /// an empty one. Says what else there is.
    pub fn entries(&mut self) -> Option<Vec<(&'n str, &'n Entry)>> {
        let entries = match &self.node.kind {
            Shape::Mapping { entries, .. } => entries.as_slice(),
            _ if self.node.is_null() => &[],
            _ => {
                let message = format!("{} has to be a mapping of keys to values", self.what);
                let label = format!("this is {}", self.node.noun());
                self.error(message).label(label);
                return None;
            }
        };
        let (what, report) = (&self.what, &mut *self.report);
        let mut seen: HashMap<&str, &Node> = HashMap::new();
        let mut kept = Vec::new();
        for entry in entries {
            let at = entry.key.span.clone();
            let Some(word) = entry.key.text() else {
                report.error(at, format!("a key of {what} has to be a word"));
                continue;
            };
            if word == "<<" {
                report
                    .error(at, "merge keys (`<<`) are not read")
                    .help("put what several sites share under `defaults`, or repeat a value by its alias: `env: *shared`");
                continue;
            }
            if let Some(first) = seen.get(word) {
                report
                    .error(at, format!("the key `{word}` is there twice in {what}"))
                    .label("again here")
                    .also(first.span.clone(), "first here");
                continue;
            }
            seen.insert(word, &entry.key);
            kept.push((word, entry));
        }
        Some(kept)
    }

    /// A mapping from checked names to texts; `lines`: a text may have several.
    pub fn texts(
        &mut self,
        check: impl Fn(&str) -> Result<String, Invalid>,
        lines: bool,
    ) -> BTreeMap<String, String> {
        let mut all = BTreeMap::new();
        for (word, entry) in self.entries().unwrap_or_default() {
            if let Err(Invalid(why)) = check(word) {
                let message = format!("{word:?} is no name for {}", self.what);
                self.report
                    .error(entry.key.span.clone(), message)
                    .label(why);
                continue;
            }
            let what = format!("`{}.{word}`", self.what.trim_matches('`'));
            let mut value = self.inner(&entry.value, what);
            match value.text() {
                Some(text) if !lines && text.chars().any(char::is_control) => {
                    let message = format!("{} has to be one line", value.what);
                    value.error(message);
                }
                Some(text) => {
                    all.insert(word.to_owned(), text.to_owned());
                }
                None => {}
            }
        }
        all
    }
}

/// Where to point at a value; what was left out is pointed at by the character before it.
fn place_of(node: &Node) -> Range<usize> {
    if node.span.is_empty() {
        node.span.start.saturating_sub(1)..node.span.end
    } else {
        node.span.clone()
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

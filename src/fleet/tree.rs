//! The fleet file as a tree whose nodes know their place.
//!
//! Two independent readers must agree on every file: `saphyr-parser` (YAML 1.2, knows places) and
//! `serde_yaml` (libyaml, knows what a plain scalar means). Where they differ, the file is refused:
//! an edit is proved with one of them and other programs read the file with either.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

use super::bounds::{self, TooMuch};
use super::finding::Report;

mod meaning;

pub(crate) use meaning::{Meaning, Raw, reread};

/// A value in the file.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    /// Its bytes, without anchor, without trailing blanks or comments.
    pub span: Range<usize>,
    pub kind: Kind,
    /// It stands here as `*name`; `span` is that alias, places inside are the anchor's.
    pub alias: bool,
    /// It carries `&name`.
    pub anchored: bool,
}

#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Scalar(Scalar),
    Sequence { items: Vec<Node>, flow: bool },
    Mapping { entries: Vec<Entry>, flow: bool },
}

#[derive(Debug, Clone)]
pub(crate) struct Scalar {
    /// The text, unquoted.
    pub text: String,
    /// Neither quoted nor a block.
    pub plain: bool,
    /// What a YAML reader takes it for.
    pub meaning: Meaning,
}

#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub key: Node,
    pub value: Node,
}

impl Node {
    /// A text that stands alone.
    pub fn of_text(text: &str) -> Self {
        let scalar = Scalar {
            text: text.to_owned(),
            plain: false,
            meaning: Meaning::Text,
        };
        Node {
            span: 0..text.len(),
            kind: Kind::Scalar(scalar),
            alias: false,
            anchored: false,
        }
    }

    /// Nothing was written (`sites:`), or `null`.
    pub fn is_null(&self) -> bool {
        matches!(&self.kind, Kind::Scalar(s) if s.meaning == Meaning::Null)
    }

    /// The text of a scalar.
    pub fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar(scalar) => Some(&scalar.text),
            _ => None,
        }
    }

    pub fn entries(&self) -> &[Entry] {
        match &self.kind {
            Kind::Mapping { entries, .. } => entries,
            _ => &[],
        }
    }

    /// The entry with this key.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|e| e.key.text() == Some(key))
    }

    /// How many values it is, keys and itself among them, and the bytes of their texts.
    pub fn size(&self) -> (usize, usize) {
        let sum = |a: (usize, usize), b: (usize, usize)| (a.0 + b.0, a.1 + b.1);
        match &self.kind {
            Kind::Scalar(scalar) => (1, scalar.text.len()),
            Kind::Sequence { items, .. } => items.iter().map(Node::size).fold((1, 0), sum),
            Kind::Mapping { entries, .. } => {
                let entries = entries.iter().map(|e| sum(e.key.size(), e.value.size()));
                entries.fold((1, 0), sum)
            }
        }
    }

    /// What it is, for messages.
    pub fn noun(&self) -> &'static str {
        match &self.kind {
            Kind::Sequence { .. } => "a list",
            Kind::Mapping { .. } => "a mapping",
            Kind::Scalar(s) => match s.meaning {
                Meaning::Null => "nothing",
                Meaning::Bool(_) => "true or false",
                Meaning::Int(_) | Meaning::Float(_) => "a number",
                Meaning::Text => "a text",
            },
        }
    }
}

/// Reads the one document of `source`. On errors that leave no tree, says them and is `None`.
pub(crate) fn parse(source: &str, report: &mut Report) -> Option<Node> {
    if source.starts_with('\u{feff}') {
        report
            .error(0..3, "the file begins with a byte order mark")
            .help("save it as UTF-8 without one");
        return None;
    }
    if let Err(TooMuch { at, why, help }) = bounds::size(source) {
        let finding = report.error(at..at, why);
        if let Some(help) = help {
            finding.help(help);
        }
        return None;
    }
    let first = Builder::new(source, report).run();
    if matches!(first, Err(Stop::Said)) {
        return None;
    }
    let second = match meaning::read(source) {
        Ok(second) => second,
        Err(error) => {
            syntax_error(source, &error, report);
            return None;
        }
    };
    match first {
        Ok(Some(mut tree)) => {
            meaning::agree(&mut tree, second, report);
            Some(tree)
        }
        Ok(None) => {
            report
                .error(0..0, "the file is empty")
                .help("`ostler init` writes one to begin with");
            None
        }
        Err(Stop::Said) => None,
        Err(Stop::Scan { at, why }) => {
            report.error(at..at, format!("this is not YAML: {why}"));
            None
        }
    }
}

/// Says what libyaml did not like, with the remedy where the cause is a usual one.
fn syntax_error(source: &str, error: &serde_yaml::Error, report: &mut Report) {
    let (line, column) = error.location().map_or((1, 1), |l| (l.line(), l.column()));
    let at = report.byte(line, column);
    let text = error.to_string();
    let why = text.split(" at line ").next().unwrap_or(&text);
    let begin = source[..at].rfind('\n').map_or(0, |i| i + 1);
    let end = source[at..].find('\n').map_or(source.len(), |i| at + i);
    let indent = source[begin..].len() - source[begin..].trim_start_matches([' ', '\t']).len();
    if let Some(tab) = source[begin..begin + indent].find('\t') {
        let tab = begin + tab;
        report
            .error(tab..tab + 1, "a tab is used to indent")
            .label("a tab")
            .help("YAML indents with spaces only; two per level is usual");
        return;
    }
    let next = source[at..end].chars().next().map_or(0, char::len_utf8);
    let finding = report.error(at..at + next, format!("this is not YAML: {why}"));
    let before = source[begin..at].chars().next_back();
    let indicator = |c: Option<char>| matches!(c, Some('@' | '`' | '%' | '*' | '&' | '!'));
    if why == "unknown anchor" {
        finding
            .help("no `&name` above has this name; a text that begins with * must stand in quotes");
    } else if indicator(before) || indicator(source[at..end].chars().next()) {
        finding.help("a text that begins with one of @ ` % * & ! must stand in quotes");
    } else if why.contains("mapping values are not allowed") {
        finding
            .help("a text that contains `: ` must stand in quotes; or a line is indented too far");
    } else if why.contains("expected key") || why.contains("block end") {
        finding.help("look at the indentation of this line and of the one above");
    } else if why.contains("expected ','") {
        finding.help("a bracket or brace above is not closed, or a comma is missing");
    }
    if let Some(opened) = text
        .split_once(", while ")
        .and_then(|(_, rest)| context(rest))
    {
        let (what, line, column) = opened;
        let from = report.byte(line, column);
        if from < at {
            report.amend(|finding| {
                finding.also(from..from + 1, what);
            });
        }
    }
}

/// Reads "parsing a flow mapping at line 3 column 9".
fn context(text: &str) -> Option<(String, usize, usize)> {
    let (what, place) = text.rsplit_once(" at line ")?;
    let (line, column) = place.split_once(" column ")?;
    Some((
        format!("while {what}"),
        line.parse().ok()?,
        column.parse().ok()?,
    ))
}

/// Why there is no tree.
enum Stop {
    /// A finding says it.
    Said,
    /// The reader's own words.
    Scan { at: usize, why: String },
}

/// A collection that is not finished.
struct Open {
    node: Node,
    anchor: usize,
    key: Option<Node>,
}

struct Builder<'s, 'r> {
    source: &'s str,
    report: &'r mut Report,
    /// Byte of each character, for files that are not ASCII.
    bytes: Option<Vec<usize>>,
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    root: Option<Node>,
    /// Where the last node or indicator ended.
    last: usize,
    tagged: bool,
}

impl<'s, 'r> Builder<'s, 'r> {
    fn new(source: &'s str, report: &'r mut Report) -> Self {
        let bytes = (!source.is_ascii()).then(|| {
            source
                .char_indices()
                .map(|(i, _)| i)
                .chain([source.len()])
                .collect()
        });
        Builder {
            source,
            report,
            bytes,
            open: Vec::new(),
            anchors: HashMap::new(),
            root: None,
            last: 0,
            tagged: false,
        }
    }

    fn byte(&self, character: usize) -> usize {
        match &self.bytes {
            None => character.min(self.source.len()),
            Some(bytes) => bytes.get(character).copied().unwrap_or(self.source.len()),
        }
    }

    fn run(mut self) -> Result<Option<Node>, Stop> {
        let mut documents = 0;
        for event in Parser::new_from_str(self.source) {
            let (event, span) = event.map_err(|error| Stop::Scan {
                at: self.byte(error.marker().index()),
                why: error.info().to_owned(),
            })?;
            match event {
                Event::DocumentStart(_) => {
                    documents += 1;
                    if documents > 1 {
                        let at = self.byte(span.start.index());
                        let end = self.byte(span.end.index());
                        self.report
                            .error(at..end, "a second document begins here")
                            .help("a fleet file is one YAML document; remove the line `---`");
                        return Err(Stop::Said);
                    }
                }
                event => self.event(event, span)?,
            }
        }
        if self.tagged {
            Err(Stop::Said)
        } else {
            Ok(self.root)
        }
    }

    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Stop> {
        let start = self.byte(span.start.index());
        let end = self.byte(span.end.index()).max(start);
        match event {
            Event::Alias(id) => {
                let Some(mut node) = self.anchors.get(&id).cloned() else {
                    self.report
                        .error(start..end, "this alias stands inside its own anchor")
                        .help("write the value out");
                    return Err(Stop::Said);
                };
                node.span = start..start + self.source[start..end].trim_end().len();
                node.alias = true;
                node.anchored = false;
                self.close(node, 0);
            }
            Event::Scalar(text, style, anchor, tag) => {
                let node = self.scalar(text, style, start..end, anchor > 0);
                if let Some(tag) = tag {
                    self.refuse_tag(start..node.span.end, &tag.to_string());
                }
                self.close(node, anchor);
            }
            Event::SequenceStart(anchor, tag) => {
                let (at, flow) = self.begin(start..end, tag.map(|t| t.to_string()));
                self.open(
                    Kind::Sequence {
                        items: Vec::new(),
                        flow,
                    },
                    at,
                    anchor,
                );
            }
            Event::MappingStart(anchor, tag) => {
                let (at, flow) = self.begin(start..end, tag.map(|t| t.to_string()));
                self.open(
                    Kind::Mapping {
                        entries: Vec::new(),
                        flow,
                    },
                    at,
                    anchor,
                );
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(Open {
                    mut node, anchor, ..
                }) = self.open.pop()
                else {
                    return Ok(());
                };
                let flow = matches!(node.kind, Kind::Sequence { flow, .. } | Kind::Mapping { flow, .. } if flow);
                let first = match &node.kind {
                    Kind::Sequence { items, .. } => items.first().map(|n| n.span.start),
                    Kind::Mapping { entries, .. } => entries.first().map(|e| e.key.span.start),
                    Kind::Scalar(_) => None,
                };
                if flow {
                    node.span.end = start + 1;
                } else {
                    node.span.start = node.span.start.min(first.unwrap_or(end));
                    node.span.end = self.last;
                }
                self.close(node, anchor);
            }
            _ => {}
        }
        Ok(())
    }

    /// Where a collection begins, its anchor left out, and whether it is in flow style.
    fn begin(&mut self, span: Range<usize>, tag: Option<String>) -> (usize, bool) {
        if let Some(tag) = tag {
            self.refuse_tag(span.clone(), &tag);
        }
        let at = self.skip_properties(span.start);
        let flow = self.source[at..].starts_with(['[', '{']);
        self.last = at + usize::from(flow);
        (at, flow)
    }

    fn open(&mut self, kind: Kind, at: usize, anchor: usize) {
        let node = Node {
            span: at..at,
            kind,
            alias: false,
            anchored: anchor > 0,
        };
        self.open.push(Open {
            node,
            anchor,
            key: None,
        });
    }

    /// A node is complete: hand it to the collection it stands in.
    fn close(&mut self, node: Node, anchor: usize) {
        self.last = self.last.max(node.span.end);
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        let Some(parent) = self.open.last_mut() else {
            self.root = Some(node);
            return;
        };
        match (&mut parent.node.kind, parent.key.take()) {
            (Kind::Sequence { items, .. }, _) => items.push(node),
            (Kind::Mapping { entries, .. }, Some(key)) => entries.push(Entry { key, value: node }),
            (Kind::Mapping { .. }, None) => parent.key = Some(node),
            (Kind::Scalar(_), _) => {}
        }
    }

    fn scalar(
        &self,
        text: Cow<'_, str>,
        style: ScalarStyle,
        span: Range<usize>,
        anchored: bool,
    ) -> Node {
        let start = self.skip_properties(span.start);
        let source = self.source;
        let span = match style {
            ScalarStyle::Plain if text.is_empty() => {
                let rest = source[self.last..].trim_start_matches(' ');
                let is_value = self.open.last().is_some_and(|open| open.key.is_some());
                let at = match rest.starts_with(':') && is_value {
                    true => source.len() - rest.len() + 1,
                    false => start,
                };
                at..at
            }
            ScalarStyle::Plain => {
                let end = span.end.max(start);
                start..start + source[start..end].trim_end().len()
            }
            ScalarStyle::SingleQuoted => start..closing(source, start, '\''),
            ScalarStyle::DoubleQuoted => start..closing(source, start, '"'),
            ScalarStyle::Literal | ScalarStyle::Folded => {
                let header = source[self.last..]
                    .find(['|', '>'])
                    .map_or(start, |i| self.last + i);
                let end = span.end.max(header);
                header..header + source[header..end].trim_end().len()
            }
        };
        let plain = style == ScalarStyle::Plain;
        let scalar = Scalar {
            text: text.into_owned(),
            plain,
            meaning: Meaning::Text,
        };
        Node {
            span,
            kind: Kind::Scalar(scalar),
            alias: false,
            anchored,
        }
    }

    /// Steps over `&anchor` and `!tag`, which the reader counts to the node.
    fn skip_properties(&self, start: usize) -> usize {
        let mut at = start;
        while self.source[at..].starts_with(['&', '!']) {
            let rest = &self.source[at..];
            let word = rest.find(char::is_whitespace).unwrap_or(rest.len());
            at += word + (rest[word..].len() - rest[word..].trim_start().len());
        }
        at
    }

    fn refuse_tag(&mut self, span: Range<usize>, tag: &str) {
        self.tagged = true;
        self.report
            .error(span, format!("the tag `{tag}` is not read here"))
            .help("leave the tag out; put a text that looks like a number in quotes");
    }
}

/// Byte after the quote that closes the one at `start`.
fn closing(source: &str, start: usize, quote: char) -> usize {
    let mut characters = source[start..].char_indices().skip(1).peekable();
    while let Some((i, c)) = characters.next() {
        if quote == '"' && c == '\\' {
            characters.next();
        } else if c == quote {
            if quote == '\'' && characters.peek().is_some_and(|(_, next)| *next == '\'') {
                characters.next();
            } else {
                return start + i + 1;
            }
        }
    }
    source.len()
}

#[cfg(test)]
mod tests;

//! What is wrong, or doubtful, in a fleet file: with its place, and what would be right.

use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::text::seen;
use annotate_snippets::{AnnotationKind, Group, Level as Mark, Renderer, Snippet};

/// How bad a [`Finding`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// The file cannot be used.
    Error,
    /// The file can be used, but probably says what was not meant.
    Warning,
}

/// One thing to say about a fleet file.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// How bad it is.
    pub level: Level,
    /// The file it is about.
    pub file: PathBuf,
    /// Line of the first character, from 1.
    pub line: usize,
    /// Column of the first character, in characters from 1.
    pub column: usize,
    /// Bytes of the source it is about.
    pub span: Range<usize>,
    /// What is wrong, in one line.
    pub message: String,
    /// What stands under the underlined text: mostly what would be right.
    pub label: Option<String>,
    /// Other places that matter: bytes and what to say of them.
    pub also: Vec<(Range<usize>, String)>,
    /// What to do about it.
    pub help: Option<String>,
}

impl Finding {
    /// Sets what stands under the underlined text.
    pub(crate) fn label(&mut self, text: impl Into<String>) -> &mut Self {
        self.label = Some(text.into());
        self
    }

    /// Sets the remedy.
    pub(crate) fn help(&mut self, text: impl Into<String>) -> &mut Self {
        self.help = Some(text.into());
        self
    }

    /// Adds another place.
    pub(crate) fn also(&mut self, span: Range<usize>, text: impl Into<String>) -> &mut Self {
        self.also.push((span, text.into()));
        self
    }
}

/// Collects findings while a file is read.
pub(crate) struct Report {
    file: PathBuf,
    /// Byte offset at which each line begins.
    lines: Vec<usize>,
    source: String,
    findings: Vec<Finding>,
}

impl Report {
    pub fn new(source: &str, file: &Path) -> Self {
        let breaks = source
            .bytes()
            .enumerate()
            .filter(|(_, b)| *b == b'\n')
            .map(|(i, _)| i + 1);
        Report {
            file: file.into(),
            lines: std::iter::once(0).chain(breaks).collect(),
            source: source.into(),
            findings: Vec::new(),
        }
    }

    /// The file that is read.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Line and column of a byte, both from 1.
    fn place(&self, byte: usize) -> (usize, usize) {
        let line = self.lines.partition_point(|begin| *begin <= byte).max(1);
        let begin = self.lines[line - 1];
        let column = self
            .source
            .get(begin..byte)
            .map_or(0, |text| text.chars().count());
        (line, column + 1)
    }

    /// The byte at `line` and `column` (from 1), or the end of what there is.
    pub fn byte(&self, line: usize, column: usize) -> usize {
        let Some(begin) = self.lines.get(line.saturating_sub(1)) else {
            return self.source.len();
        };
        let rest = &self.source[*begin..];
        let steps = rest.char_indices().map(|(i, _)| i).chain([rest.len()]);
        begin + steps.take(column.max(1)).last().unwrap_or(0)
    }

    fn add(&mut self, level: Level, span: Range<usize>, message: String) -> &mut Finding {
        let span = whole_characters(&self.source, &span);
        let (line, column) = self.place(span.start);
        let at = self.findings.len();
        self.findings.push(Finding {
            level,
            file: self.file.clone(),
            line,
            column,
            span,
            message,
            label: None,
            also: Vec::new(),
            help: None,
        });
        &mut self.findings[at]
    }

    pub fn error(&mut self, span: Range<usize>, message: impl Into<String>) -> &mut Finding {
        self.add(Level::Error, span, message.into())
    }

    pub fn warning(&mut self, span: Range<usize>, message: impl Into<String>) -> &mut Finding {
        self.add(Level::Warning, span, message.into())
    }

    /// Adds to the last finding.
    pub fn amend(&mut self, add: impl FnOnce(&mut Finding)) {
        if let Some(finding) = self.findings.last_mut() {
            add(finding);
        }
    }

    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(|f| f.level == Level::Error)
    }

    /// All findings, in the order of the file.
    pub fn finish(mut self) -> Vec<Finding> {
        self.findings.sort_by_key(|f| (f.span.start, f.level));
        self.findings
    }
}

/// Findings as text for people, in the manner of rustc. `source` is what they were found in.
pub fn render(findings: &[Finding], source: &str, path: &Path, colour: bool) -> String {
    let renderer = if colour {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    let path = path.display().to_string();
    let shown = findings
        .iter()
        .map(|f| renderer.render(&[group(f, source, &path)]));
    let mut text = seen(&shown.collect::<Vec<_>>().join("\n\n"));
    if !text.is_empty() {
        text.push('\n');
    }
    text
}

fn group<'a>(finding: &'a Finding, source: &'a str, path: &'a str) -> Group<'a> {
    let mark = match finding.level {
        Level::Error => Mark::ERROR,
        Level::Warning => Mark::WARNING,
    };
    // Only the lines that matter are handed over: a file may have tens of thousands.
    let own = whole_characters(source, &finding.span);
    let mut shown = own.clone();
    for (span, _) in &finding.also {
        let span = whole_characters(source, span);
        shown = shown.start.min(span.start)..shown.end.max(span.end);
    }
    let Range {
        start: first,
        end: last,
    } = shown;
    let from = source[..first].rfind('\n').map_or(0, |i| i + 1);
    let to = source[last..].find('\n').map_or(source.len(), |i| last + i);
    // Same length, so that places stay; a carriage return would be drawn as a sign.
    let window = source[from..to.max(from)].replace('\r', " ");
    let length = window.len();
    let between = source[from..own.start].matches('\n').count();
    let line = finding.line.saturating_sub(between);
    let moved = |span: &Range<usize>| {
        let span = whole_characters(source, span);
        let start = span.start.saturating_sub(from).min(length);
        start..span.end.saturating_sub(from).clamp(start, length)
    };
    let mut snippet = Snippet::source(window)
        .line_start(line)
        .path(path)
        .annotation(
            AnnotationKind::Primary
                .span(moved(&finding.span))
                .label(finding.label.as_deref()),
        );
    for (span, text) in &finding.also {
        snippet = snippet.annotation(
            AnnotationKind::Context
                .span(moved(span))
                .label(text.as_str()),
        );
    }
    let mut group = mark
        .primary_title(finding.message.as_str())
        .element(snippet);
    if let Some(help) = &finding.help {
        group = group.element(Mark::HELP.message(help.as_str()));
    }
    group
}

/// The span widened to whole characters, inside the source.
fn whole_characters(source: &str, span: &Range<usize>) -> Range<usize> {
    let mut start = span.start.min(source.len());
    let mut end = span.end.clamp(start, source.len());
    while !source.is_char_boundary(start) {
        start -= 1;
    }
    while !source.is_char_boundary(end) {
        end += 1;
    }
    start..end
}

//! What is wrong, or doubtful, in a fleet file: with its place, and what would be right.

use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::text::seen;
use annotate_snippets::{
    Annotation, AnnotationKind, Group, Level as Mark, Origin, Renderer, Snippet,
};

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

/// Most findings of a level that are kept of one file; of the others it is said how many they are.
const MOST: usize = 200;
/// Longest sentence about a finding, in bytes: it may repeat what stands in the file.
const LONGEST: usize = 1000;
/// Longest piece of the file that is shown with a finding, in bytes.
const WINDOW: usize = 4096;

/// A sentence that is not longer than it may be.
fn sentence(text: impl Into<String>) -> String {
    let mut text = text.into();
    if text.len() > LONGEST {
        text.truncate(whole_characters(&text, &(LONGEST..LONGEST)).start);
        text.push('…');
    }
    text
}

impl Finding {
    /// Sets what stands under the underlined text.
    pub(crate) fn label(&mut self, text: impl Into<String>) -> &mut Self {
        self.label = Some(sentence(text));
        self
    }

    /// Sets the remedy.
    pub(crate) fn help(&mut self, text: impl Into<String>) -> &mut Self {
        self.help = Some(sentence(text));
        self
    }

    /// Adds another place.
    pub(crate) fn also(&mut self, span: Range<usize>, text: impl Into<String>) -> &mut Self {
        self.also.push((span, sentence(text)));
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
    /// How many errors and warnings there are, those that are not kept too.
    errors: usize,
    warnings: usize,
    /// Where what is said of a finding that is not kept goes.
    spare: Option<Finding>,
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
            errors: 0,
            warnings: 0,
            spare: None,
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
        let count = match level {
            Level::Error => &mut self.errors,
            Level::Warning => &mut self.warnings,
        };
        *count += 1;
        let kept = *count <= MOST;
        let (line, column, span) = match kept {
            true => {
                let span = whole_characters(&self.source, &span);
                let (line, column) = self.place(span.start);
                (line, column, span)
            }
            false => (0, 0, 0..0),
        };
        let finding = Finding {
            level,
            file: self.file.clone(),
            line,
            column,
            span,
            message: sentence(message),
            label: None,
            also: Vec::new(),
            help: None,
        };
        if !kept {
            return self.spare.insert(finding);
        }
        self.spare = None;
        let at = self.findings.len();
        self.findings.push(finding);
        &mut self.findings[at]
    }

    /// Whether no more errors are kept: what is said about another one need not be found out.
    pub fn is_full(&self) -> bool {
        self.errors >= MOST
    }

    pub fn error(&mut self, span: Range<usize>, message: impl Into<String>) -> &mut Finding {
        self.add(Level::Error, span, message.into())
    }

    pub fn warning(&mut self, span: Range<usize>, message: impl Into<String>) -> &mut Finding {
        self.add(Level::Warning, span, message.into())
    }

    /// Adds to the last finding.
    pub fn amend(&mut self, add: impl FnOnce(&mut Finding)) {
        if let Some(finding) = self.spare.as_mut().or(self.findings.last_mut()) {
            add(finding);
        }
    }

    pub fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// All findings, in the order of the file; last, how many more there are.
    pub fn finish(mut self) -> Vec<Finding> {
        self.findings.sort_by_key(|f| (f.span.start, f.level));
        let mut found = std::mem::take(&mut self.findings);
        let counts = [
            (Level::Error, self.errors, "error"),
            (Level::Warning, self.warnings, "warning"),
        ];
        for (level, count, noun) in counts {
            let more = count.saturating_sub(MOST);
            if more > 0 {
                (self.errors, self.warnings) = (0, 0);
                let end = self.source.len();
                let message = format!("{} more not shown", crate::text::count(more, noun));
                found.push(self.add(level, end..end, message).clone());
            }
        }
        found
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
    let group = mark.primary_title(finding.message.as_str());
    let own = (&finding.span, finding.label.as_deref(), true);
    let also = finding.also.iter();
    let also = also.map(|(span, text)| (span, Some(text.as_str()), false));
    let all: Vec<Place<'a>> = std::iter::once(own).chain(also).collect();
    // Only the lines that matter are handed over: a file may have tens of thousands, and one line
    // may be all of it.
    let mut group = match snippet(&all, finding, source, path) {
        Some(snippet) => group.element(snippet),
        None => match snippet(&all[..1], finding, source, path) {
            Some(own) => {
                let others = all[1..].iter();
                let others = others.filter_map(|place| snippet(&[*place], finding, source, path));
                group.element(own).elements(others.collect::<Vec<_>>())
            }
            None => {
                let origin = Origin::path(path).line(finding.line);
                let group = group.element(origin.char_column(finding.column));
                match &finding.label {
                    Some(label) => group.element(Mark::NOTE.message(label.as_str())),
                    None => group,
                }
            }
        },
    };
    if let Some(help) = &finding.help {
        group = group.element(Mark::HELP.message(help.as_str()));
    }
    group
}

/// Bytes of the source, what is said of them, and whether the finding is about them.
type Place<'a> = (&'a Range<usize>, Option<&'a str>, bool);

/// The lines with these places; `None` where they are more than can be shown.
fn snippet<'a>(
    places: &[Place<'a>],
    finding: &Finding,
    source: &str,
    path: &'a str,
) -> Option<Snippet<'a, Annotation<'a>>> {
    let whole: Vec<_> = places
        .iter()
        .map(|(span, ..)| whole_characters(source, span))
        .collect();
    let first = whole.iter().map(|span| span.start).min()?;
    let last = whole.iter().map(|span| span.end).max()?;
    if last - first > WINDOW {
        return None;
    }
    let from = source[..first].rfind('\n').map_or(0, |i| i + 1);
    let to = source[last..].find('\n').map_or(source.len(), |i| last + i);
    let window = source.get(from..to.max(from))?;
    if window.len() > 2 * WINDOW {
        return None;
    }
    // Same length, so that places stay; a carriage return would be drawn as a sign.
    let window = window.replace('\r', " ");
    let length = window.len();
    let line = match places.first() {
        Some((_, _, true)) => {
            let between = source[from..whole[0].start].matches('\n').count();
            finding.line.saturating_sub(between)
        }
        _ => source[..from].matches('\n').count() + 1,
    };
    let annotations = places.iter().zip(&whole).map(|((_, label, own), span)| {
        let start = span.start.saturating_sub(from).min(length);
        let span = start..span.end.saturating_sub(from).clamp(start, length);
        let kind = match own {
            true => AnnotationKind::Primary,
            false => AnnotationKind::Context,
        };
        kind.span(span).label(*label)
    });
    let snippet = Snippet::source(window).line_start(line).path(path);
    Some(snippet.annotations(annotations.collect::<Vec<_>>()))
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

//! Where in the text a change goes, and in which manner.

use std::ops::Range;

use super::scalar::{self, Manner};
use super::{Change, EditError, Value};
use crate::fleet::tree::{Entry, Kind, Node};

/// Bytes that give way to a text.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Splice {
    pub range: Range<usize>,
    pub text: String,
}

fn put(range: Range<usize>, text: impl Into<String>) -> Splice {
    Splice {
        range,
        text: text.into(),
    }
}

/// The text with all splices made.
pub(super) fn apply(source: &str, mut splices: Vec<Splice>) -> String {
    splices.sort_by_key(|splice| splice.range.start);
    let mut out = String::with_capacity(source.len() + 256);
    let mut at = 0;
    for splice in splices {
        out.push_str(&source[at..splice.range.start.max(at)]);
        out.push_str(&splice.text);
        at = splice.range.end.max(at);
    }
    out.push_str(&source[at..]);
    out
}

/// What makes `change`.
pub(super) fn splices(
    source: &str,
    tree: &Node,
    change: &Change,
) -> Result<Vec<Splice>, EditError> {
    let page = Page {
        source,
        eol: if source.contains("\r\n") {
            "\r\n"
        } else {
            "\n"
        },
    };
    match change {
        Change::Put { path, value } => page.put(tree, path, value),
        Change::Delete { path } => {
            let (owner, entry) = page.place(tree, path)?;
            let Kind::Mapping { entries, flow } = &owner.node.kind else {
                return Err(odd(path));
            };
            let index = entries.iter().position(|e| std::ptr::eq(e, entry));
            let spans: Vec<_> = entries.iter().map(|e| page.whole(e)).collect();
            page.cut(&owner, &spans, index.unwrap_or(0), *flow, "{}")
                .ok_or_else(|| odd(path))
        }
        Change::Append { path, item } => {
            let value = Value::List(vec![Value::Text(item.clone())]);
            let Ok((_, entry)) = page.place(tree, path) else {
                return page.put(tree, path, &value);
            };
            if entry.value.alias {
                return Err(aliased(path));
            }
            match &entry.value.kind {
                Kind::Sequence { items, flow } if !items.is_empty() => {
                    let spans: Vec<_> = items.iter().map(|item| item.span.clone()).collect();
                    let manner = Manner {
                        flow: *flow,
                        quoted: page.is_quoted(items.last()),
                    };
                    let text = scalar::text(item, manner);
                    match flow {
                        true => Ok(page.add_flow(&spans, &text)),
                        false => page.add_item(&spans, &text).ok_or_else(|| odd(path)),
                    }
                }
                Kind::Sequence { flow: true, .. } => {
                    let manner = Manner {
                        flow: true,
                        quoted: false,
                    };
                    let at = entry.value.span.start + 1;
                    Ok(vec![put(at..at, scalar::text(item, manner))])
                }
                _ => page.put(tree, path, &value),
            }
        }
        Change::Take { path, index } => {
            let (_, entry) = page.place(tree, path)?;
            let Kind::Sequence { items, flow } = &entry.value.kind else {
                return Err(odd(path));
            };
            if entry.value.alias {
                return Err(aliased(path));
            }
            let spans: Vec<_> = items.iter().map(|item| item.span.clone()).collect();
            let owner = Owner {
                node: &entry.value,
                key: Some(&entry.key),
            };
            page.cut(&owner, &spans, *index, *flow, "[]")
                .ok_or_else(|| odd(path))
        }
    }
}

fn aliased(path: &[String]) -> EditError {
    let path = path.join(".");
    EditError::Refused(format!(
        "{path} is an alias of a value that stands elsewhere in the file"
    ))
}

fn odd(path: &[String]) -> EditError {
    EditError::Refused(format!(
        "{} is written in a way that cannot be edited",
        path.join(".")
    ))
}

/// A collection and the key it stands behind.
struct Owner<'t> {
    node: &'t Node,
    key: Option<&'t Node>,
}

struct Page<'s> {
    source: &'s str,
    eol: &'static str,
}

impl Page<'_> {
    fn line_start(&self, at: usize) -> usize {
        self.source[..at].rfind('\n').map_or(0, |i| i + 1)
    }

    /// End of the line, its break left out.
    fn line_end(&self, at: usize) -> usize {
        let end = self.source[at..]
            .find('\n')
            .map_or(self.source.len(), |i| at + i);
        if self.source[at..end].ends_with('\r') {
            end - 1
        } else {
            end
        }
    }

    /// Beginning of the line after the one that ends at `end`.
    fn next_line(&self, end: usize) -> usize {
        self.source[end..]
            .find('\n')
            .map_or(self.source.len(), |i| end + i + 1)
    }

    fn column(&self, at: usize) -> usize {
        at - self.line_start(at)
    }

    /// Whether nothing but blanks stands before it on its line.
    fn begins_line(&self, at: usize) -> bool {
        self.source[self.line_start(at)..at]
            .bytes()
            .all(|b| b == b' ')
    }

    fn is_quoted(&self, node: Option<&Node>) -> bool {
        node.is_some_and(|node| self.source[node.span.start..].starts_with('"'))
    }

    /// Key and value of an entry, the colon of an empty value included.
    fn whole(&self, entry: &Entry) -> Range<usize> {
        entry.key.span.start..entry.value.span.end.max(entry.key.span.end)
    }

    /// The end of what belongs to an entry by indentation: its last line, and comments below it
    /// that stand further right than `column`.
    fn end_of(&self, span: &Range<usize>, column: usize) -> usize {
        let mut end = self.line_end(span.end);
        let mut at = self.next_line(end);
        while at < self.source.len() {
            let line = &self.source[at..self.line_end(at)];
            let words = line.trim_start_matches(' ');
            if words.starts_with('#') && line.len() - words.len() > column {
                end = self.line_end(at);
            } else if !words.trim().is_empty() {
                break;
            }
            at = self.next_line(self.line_end(at));
        }
        end
    }

    /// The collection that holds the entry of `path`, and the entry.
    fn place<'t>(
        &self,
        tree: &'t Node,
        path: &[String],
    ) -> Result<(Owner<'t>, &'t Entry), EditError> {
        let mut owner = Owner {
            node: tree,
            key: None,
        };
        let mut found = None;
        for (depth, key) in path.iter().enumerate() {
            if owner.node.alias {
                return Err(aliased(&path[..depth]));
            }
            let Some(entry) = owner.node.entry(key) else {
                return Err(EditError::Missing {
                    what: format!("`{}`", path.join(".")),
                    near: None,
                });
            };
            if depth + 1 < path.len() {
                owner = Owner {
                    node: &entry.value,
                    key: Some(&entry.key),
                };
            }
            found = Some(entry);
        }
        found.map(|entry| (owner, entry)).ok_or_else(|| odd(path))
    }

    /// How far entries are indented below their key in this file.
    fn step(&self, tree: &Node) -> usize {
        let inner = tree
            .entries()
            .iter()
            .find_map(|entry| match &entry.value.kind {
                Kind::Mapping {
                    entries,
                    flow: false,
                } if !entry.value.alias => {
                    let first = entries.first()?;
                    self.column(first.key.span.start)
                        .checked_sub(self.column(entry.key.span.start))
                }
                _ => None,
            });
        inner.filter(|step| (1..=8).contains(step)).unwrap_or(2)
    }

    fn put(&self, tree: &Node, path: &[String], value: &Value) -> Result<Vec<Splice>, EditError> {
        let step = self.step(tree);
        let mut node = tree;
        let mut key: Option<&Node> = None;
        let mut flow = false;
        for (depth, word) in path.iter().enumerate() {
            if node.alias {
                return Err(aliased(&path[..depth]));
            }
            let is_flow = matches!(node.kind, Kind::Mapping { flow: true, .. });
            flow |= is_flow && !node.entries().is_empty();
            match node.entry(word) {
                Some(entry) => {
                    flow |= is_flow;
                    key = Some(&entry.key);
                    node = &entry.value;
                }
                None => {
                    // What is missing in between is written along.
                    let wrap =
                        |inner: Value, key: &String| Value::Mapping(vec![(key.clone(), inner)]);
                    let value = path[depth + 1..].iter().rev().fold(value.clone(), wrap);
                    let owner = Owner { node, key };
                    return self
                        .insert(&owner, word, &value, flow, step)
                        .ok_or_else(|| odd(path));
                }
            }
        }
        if node.alias {
            return Err(aliased(path));
        }
        let key = key.ok_or_else(|| odd(path))?;
        self.replace(key, node, value, flow, step)
            .ok_or_else(|| odd(path))
    }

    /// Another value behind a key that is there.
    fn replace(
        &self,
        key: &Node,
        old: &Node,
        value: &Value,
        flow: bool,
        step: usize,
    ) -> Option<Vec<Splice>> {
        let manner = Manner {
            flow,
            quoted: self.is_quoted(Some(key)),
        };
        let old_text = &self.source[old.span.clone()];
        let block = matches!(
            old.kind,
            Kind::Mapping { flow: false, .. } | Kind::Sequence { flow: false, .. }
        );
        if old.span.is_empty() {
            let at = old.span.start;
            let text = format!(" {}", scalar::inline(value, manner));
            return self.source[..at]
                .ends_with(':')
                .then(|| vec![put(at..at, text)]);
        }
        if !block {
            let text = match value {
                Value::Text(text) => scalar::instead(old_text, text, manner),
                value => scalar::inline(value, manner),
            };
            return Some(vec![put(old.span.clone(), text)]);
        }
        // A block goes with its lines; what replaces it stands on the key's line, or below it.
        let colon = key.span.end + self.source[key.span.end..].find(':')? + 1;
        let between = &self.source[colon..old.span.start];
        if between.contains(['#', '&']) || self.source[old.span.clone()].contains(" #") {
            return None;
        }
        let column = self.column(key.span.start);
        if let (Kind::Sequence { items, .. }, Value::List(new)) = (&old.kind, value)
            && !new.is_empty()
        {
            let first = items.first()?.span.start;
            let dash = self.dash(first)?;
            let between = format!(
                "{}{}{}",
                self.eol,
                " ".repeat(self.column(dash)),
                &self.source[dash..first]
            );
            let items: Vec<_> = new
                .iter()
                .map(|v| scalar::inline(v, Manner::default()))
                .collect();
            return Some(vec![put(first..old.span.end, items.join(&between))]);
        }
        let text = match value {
            Value::Mapping(entries) if !entries.is_empty() => {
                let name = "x";
                let text = scalar::block(name, value, column, step, self.eol);
                text[name.len() + 1..].to_owned()
            }
            value => format!(" {}", scalar::inline(value, manner)),
        };
        Some(vec![put(colon..old.span.end, text)])
    }

    /// A new entry in a mapping, after the last one.
    fn insert(
        &self,
        owner: &Owner<'_>,
        key: &str,
        value: &Value,
        flow: bool,
        step: usize,
    ) -> Option<Vec<Splice>> {
        let entries = owner.node.entries();
        let quoted = self.is_quoted(entries.last().map(|e| &e.key).or(owner.key));
        let manner = Manner { flow: true, quoted };
        if flow && !entries.is_empty() {
            let spans: Vec<_> = entries.iter().map(|entry| self.whole(entry)).collect();
            return Some(self.add_flow(&spans, &scalar::entry(key, value, manner)));
        }
        let Some(last) = entries.last() else {
            return self.insert_first(owner, key, value, flow, step);
        };
        if !self.begins_line(entries.first()?.key.span.start) {
            return None;
        }
        let column = self.column(entries.first()?.key.span.start);
        let end = self.end_of(&self.whole(last), column);
        let neighbour_is_flow = matches!(&last.value.kind, Kind::Mapping { flow: true, entries } if !entries.is_empty());
        let line = scalar::entry(
            key,
            value,
            Manner {
                flow: false,
                quoted,
            },
        );
        let text =
            match matches!(value, Value::Mapping(_)) && !(neighbour_is_flow && line.len() < 140) {
                true => scalar::block(key, value, column, step, self.eol),
                false => line,
            };
        let apart = if self.stands_apart(entries) {
            self.eol
        } else {
            ""
        };
        let indent = " ".repeat(column);
        Some(vec![put(
            end..end,
            format!("{apart}{}{indent}{text}", self.eol),
        )])
    }

    /// The first entry of a mapping that is empty, or not there yet (`sites:`).
    fn insert_first(
        &self,
        owner: &Owner<'_>,
        key: &str,
        value: &Value,
        flow: bool,
        step: usize,
    ) -> Option<Vec<Splice>> {
        let owner_key = owner.key?;
        let span = owner.node.span.clone();
        let written = &self.source[span.clone()];
        let manner = Manner {
            flow: true,
            quoted: self.is_quoted(Some(owner_key)),
        };
        let line = scalar::entry(key, value, manner);
        if flow || written.contains('#') {
            return match written.starts_with('{') {
                true => Some(vec![put(
                    span.start + 1..span.start + 1,
                    format!(" {line}"),
                )]),
                false if written.is_empty() => {
                    Some(vec![put(span.clone(), format!(" {{ {line} }}"))])
                }
                false => Some(vec![put(span.clone(), format!("{{ {line} }}"))]),
            };
        }
        if owner.node.anchored || !self.begins_line(owner_key.span.start) {
            return None;
        }
        let column = self.column(owner_key.span.start);
        let whole = owner_key.span.start..span.end;
        let end = self.end_of(&whole, column);
        let mut splices = Vec::new();
        if !span.is_empty() {
            let before = self.source[..span.start].trim_end_matches(' ').len();
            splices.push(put(before..span.end, ""));
        }
        let indent = column + step;
        let text = scalar::block(key, value, indent, step, self.eol);
        splices.push(put(
            end..end,
            format!("{}{}{text}", self.eol, " ".repeat(indent)),
        ));
        Some(splices)
    }

    /// Whether blank lines stand between the entries.
    fn stands_apart(&self, entries: &[Entry]) -> bool {
        let [.., before, last] = entries else {
            return false;
        };
        let gap = &self.source[self.line_end(self.whole(before).end)..last.key.span.start];
        // The first piece ends the line of the entry before, the last one begins this entry's.
        let lines: Vec<&str> = gap.split('\n').collect();
        lines
            .iter()
            .skip(1)
            .rev()
            .skip(1)
            .any(|line| line.trim().is_empty())
    }

    /// One more item after the last of a collection in brackets or braces.
    fn add_flow(&self, spans: &[Range<usize>], text: &str) -> Vec<Splice> {
        let Some(last) = spans.last() else {
            return Vec::new();
        };
        let rest = &self.source[last.end..self.line_end(last.end)];
        let after = rest.trim_start();
        let comma = after.starts_with(',');
        let closes =
            after.starts_with([']', '}']) || comma && after[1..].trim().starts_with([']', '}']);
        if self.begins_line(last.start) && !closes {
            let end = self.line_end(last.end);
            let indent = " ".repeat(self.column(last.start));
            let line = format!("{}{indent}{text}{}", self.eol, if comma { "," } else { "" });
            let mut splices = vec![put(end..end, line)];
            if !comma {
                splices.insert(0, put(last.end..last.end, ","));
                if last.end == end {
                    let line = std::mem::take(&mut splices[1].text);
                    return vec![put(end..end, format!(",{line}"))];
                }
            }
            return splices;
        }
        vec![put(last.end..last.end, format!(", {text}"))]
    }

    /// One more item of a block list.
    fn add_item(&self, spans: &[Range<usize>], text: &str) -> Option<Vec<Splice>> {
        let last = spans.last()?;
        let dash = self.dash(last.start)?;
        let column = self.column(dash);
        let gap = &self.source[dash..last.start];
        let end = self.end_of(last, column);
        let line = format!("{}{}{gap}{text}", self.eol, " ".repeat(column));
        Some(vec![put(end..end, line)])
    }

    /// The dash before an item of a block list that begins its line.
    fn dash(&self, item: usize) -> Option<usize> {
        let start = self.line_start(item);
        let before = &self.source[start..item];
        let dash = before.find('-')?;
        let alone = before[..dash].trim().is_empty() && before[dash + 1..].trim().is_empty();
        alone.then_some(start + dash)
    }

    /// Takes the entry or item at `index` out of a collection.
    fn cut(
        &self,
        owner: &Owner<'_>,
        spans: &[Range<usize>],
        index: usize,
        flow: bool,
        empty: &str,
    ) -> Option<Vec<Splice>> {
        let span = spans.get(index)?.clone();
        if flow {
            self.cut_flow(owner, spans, index)
        } else {
            self.cut_block(owner, span, spans.len(), empty)
        }
    }

    fn cut_flow(
        &self,
        owner: &Owner<'_>,
        spans: &[Range<usize>],
        index: usize,
    ) -> Option<Vec<Splice>> {
        let span = spans.get(index)?.clone();
        let (start, end) = (self.line_start(span.start), self.line_end(span.end));
        let rest = self.source[span.end..end].trim_start();
        let rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
        let alone = self.begins_line(span.start) && (rest.is_empty() || rest.starts_with('#'));
        if alone && spans.len() > 1 {
            return Some(vec![put(start..self.next_line(end), "")]);
        }
        let range = match (index, spans.len()) {
            (0, 1) => owner.node.span.start + 1..owner.node.span.end - 1,
            (last, count) if last + 1 == count => spans[last - 1].end..span.end,
            (index, _) => span.start..spans[index + 1].start,
        };
        (!self.source[range.clone()].contains(['#', '\n'])).then(|| vec![put(range, "")])
    }

    fn cut_block(
        &self,
        owner: &Owner<'_>,
        span: Range<usize>,
        count: usize,
        empty: &str,
    ) -> Option<Vec<Splice>> {
        let begin = if empty == "[]" {
            self.dash(span.start)?
        } else {
            span.start
        };
        if !self.begins_line(begin) {
            return None;
        }
        let mut start = self.line_start(begin);
        let many_lines = self.source[span.clone()].contains('\n');
        let end = match many_lines {
            true => self.end_of(&span, self.column(begin)),
            false => self.line_end(span.end),
        };
        let mut next = self.next_line(end);
        if count == 1 {
            let key = owner.key?;
            let colon = key.span.end + self.source[key.span.end..].find(':')? + 1;
            return Some(vec![
                put(colon..colon, format!(" {empty}")),
                put(start..next, ""),
            ]);
        }
        // A blank line on both sides is one too many afterwards.
        let blank = |from: usize| self.source[from..self.line_end(from)].trim().is_empty();
        let before = start > 0 && blank(self.line_start(start - 1));
        if many_lines && before && (next >= self.source.len() || blank(next)) {
            start = self.line_start(start - 1);
        }
        // At the end of a file without a last line break, the break before goes instead.
        if next >= self.source.len() && !self.source.ends_with('\n') && start > 0 {
            start = self.line_end(self.line_start(start - 1));
            next = self.source.len();
        }
        Some(vec![put(start..next, "")])
    }
}

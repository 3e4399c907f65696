//! Where in the text a change goes, and in which manner.

use std::ops::Range;

use super::{Change, EditError};
use crate::fleet::tree::{Entry, Kind, Node};
use crate::fleet::yaml::{self, Manner, Value};

mod collection;
mod entry;

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
                    let text = yaml::text(item, manner);
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
                    Ok(vec![put(at..at, yaml::text(item, manner))])
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
}

//! Entries of mappings: another value, a new entry after the last, the first one.

use super::super::EditError;
use super::{Owner, Page, Splice, aliased, odd, put};
use crate::fleet::tree::{Entry, Kind, Node};
use crate::fleet::yaml::{self, Manner, Value};

impl Page<'_> {
    /// The value at `path`, there already or not.
    pub(super) fn put(
        &self,
        tree: &Node,
        path: &[String],
        value: &Value,
    ) -> Result<Vec<Splice>, EditError> {
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
            let text = format!(" {}", yaml::inline(value, manner));
            return self.source[..at]
                .ends_with(':')
                .then(|| vec![put(at..at, text)]);
        }
        if !block {
            let text = match value {
                Value::Text(text) => yaml::instead(old_text, text, manner),
                value => yaml::inline(value, manner),
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
                .map(|v| yaml::inline(v, Manner::default()))
                .collect();
            return Some(vec![put(first..old.span.end, items.join(&between))]);
        }
        let text = match value {
            Value::Mapping(entries) if !entries.is_empty() => {
                let name = "x";
                let text = yaml::block(name, value, column, step, self.eol);
                text[name.len() + 1..].to_owned()
            }
            value => format!(" {}", yaml::inline(value, manner)),
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
            return Some(self.add_flow(&spans, &yaml::entry(key, value, manner)));
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
        let line = yaml::entry(
            key,
            value,
            Manner {
                flow: false,
                quoted,
            },
        );
        let text =
            match matches!(value, Value::Mapping(_)) && !(neighbour_is_flow && line.len() < 140) {
                true => yaml::block(key, value, column, step, self.eol),
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
        let line = yaml::entry(key, value, manner);
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
        let text = yaml::block(key, value, indent, step, self.eol);
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
}

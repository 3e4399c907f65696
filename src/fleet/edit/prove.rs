//! Whether an edited text is the old one with the intended change, and nothing else.

use super::Change;
use super::splice::Splice;
use crate::fleet::tree::{Kind, Meaning, Node, Raw, reread};
use crate::fleet::yaml::{self, Value};

/// The change is made in the reading of the old text by other code than in the text itself; both
/// have to come to the same. All comments stay, save those inside what was to be removed.
pub(super) fn holds(
    old: &str,
    old_tree: &Node,
    new: &str,
    new_tree: &Node,
    change: &Change,
    splices: &[Splice],
) -> bool {
    let mut wanted = Raw::from(old_tree);
    if !make(&mut wanted, change) || wanted != Raw::from(new_tree) {
        return false;
    }
    let removes = matches!(change, Change::Delete { .. } | Change::Take { .. });
    let gone = |at: usize| removes && splices.iter().any(|s| s.range.contains(&at));
    let kept = comments(old, old_tree)
        .into_iter()
        .filter(|(at, _)| !gone(*at));
    let kept: Vec<&str> = kept.map(|(_, text)| text).collect();
    let now: Vec<&str> = comments(new, new_tree)
        .into_iter()
        .map(|(_, text)| text)
        .collect();
    kept == now
}

/// Makes the change in a reading.
fn make(raw: &mut Raw, change: &Change) -> bool {
    match change {
        Change::Put { path, value } => put(raw, path, value),
        Change::Delete { path } => {
            let Some((last, outer)) = path.split_last() else {
                return false;
            };
            let Some(Raw::Mapping(entries)) = find(raw, outer) else {
                return false;
            };
            let before = entries.len();
            entries.retain(|(key, _)| !is(key, last));
            entries.len() + 1 == before
        }
        Change::Append { path, item } => {
            let text = Raw::Scalar(Meaning::Text, item.clone());
            match find(raw, path) {
                Some(Raw::Sequence(items)) => {
                    items.push(text);
                    true
                }
                Some(Raw::Scalar(Meaning::Null, _)) | None => {
                    put(raw, path, &Value::List(vec![Value::Text(item.clone())]))
                }
                _ => false,
            }
        }
        Change::Take { path, index } => match find(raw, path) {
            Some(Raw::Sequence(items)) if *index < items.len() => {
                items.remove(*index);
                true
            }
            _ => false,
        },
    }
}

fn is(key: &Raw, word: &str) -> bool {
    match key {
        Raw::Scalar(Meaning::Text, text) => text == word,
        Raw::Scalar(meaning, _) => meaning.is_written(word) && reread(word).as_ref() == Some(key),
        _ => false,
    }
}

fn find<'r>(raw: &'r mut Raw, path: &[String]) -> Option<&'r mut Raw> {
    path.iter().try_fold(raw, |raw, word| match raw {
        Raw::Mapping(entries) => entries
            .iter_mut()
            .find(|(key, _)| is(key, word))
            .map(|(_, value)| value),
        _ => None,
    })
}

fn put(raw: &mut Raw, path: &[String], value: &Value) -> bool {
    let Some((first, rest)) = path.split_first() else {
        *raw = reading(value);
        return true;
    };
    if matches!(raw, Raw::Scalar(Meaning::Null, _)) {
        *raw = Raw::Mapping(Vec::new());
    }
    let Raw::Mapping(entries) = raw else {
        return false;
    };
    let at = match entries.iter().position(|(key, _)| is(key, first)) {
        Some(at) => at,
        None => {
            let key = Raw::Scalar(Meaning::Text, first.clone());
            entries.push((key, Raw::Scalar(Meaning::Null, String::new())));
            entries.len() - 1
        }
    };
    put(&mut entries[at].1, rest, value)
}

/// What a value reads as.
fn reading(value: &Value) -> Raw {
    match value {
        Value::Text(text) => Raw::Scalar(Meaning::Text, text.clone()),
        Value::Bare(text) => match reread(text).filter(|_| yaml::is_bare(text)) {
            Some(meaning) => meaning,
            None => Raw::Scalar(Meaning::Text, text.clone()),
        },
        Value::List(items) => Raw::Sequence(items.iter().map(reading).collect()),
        Value::Mapping(entries) => {
            let entry = |(key, value): &(String, Value)| {
                (Raw::Scalar(Meaning::Text, key.clone()), reading(value))
            };
            Raw::Mapping(entries.iter().map(entry).collect())
        }
    }
}

/// All comments with their places: a `#` after a blank, outside of every scalar.
pub(super) fn comments<'s>(source: &'s str, tree: &Node) -> Vec<(usize, &'s str)> {
    let mut scalars = Vec::new();
    spans(tree, &mut scalars);
    scalars.sort_unstable();
    let mut found = Vec::new();
    let mut at = 0;
    let mut next = scalars.into_iter().peekable();
    while at < source.len() {
        while next.peek().is_some_and(|(_, end)| *end <= at) {
            next.next();
        }
        let gap_end = next
            .peek()
            .map_or(source.len(), |(start, _)| (*start).max(at));
        let hash = source[at..gap_end]
            .match_indices('#')
            .map(|(i, _)| at + i)
            .find(|i| {
                source[..*i]
                    .chars()
                    .next_back()
                    .is_none_or(char::is_whitespace)
            });
        match hash {
            Some(hash) => {
                let end = source[hash..].find('\n').map_or(source.len(), |i| hash + i);
                found.push((hash, source[hash..end].trim_end()));
                at = end;
            }
            None => match next.next() {
                Some((_, end)) => at = end.max(gap_end),
                None => break,
            },
        }
    }
    found
}

/// Places of the scalars; what stands behind an alias is elsewhere.
fn spans(node: &Node, out: &mut Vec<(usize, usize)>) {
    if node.alias {
        return;
    }
    match &node.kind {
        Kind::Scalar(_) if node.span.is_empty() => {}
        Kind::Scalar(_) => out.push((node.span.start, node.span.end)),
        Kind::Sequence { items, .. } => items.iter().for_each(|item| spans(item, out)),
        Kind::Mapping { entries, .. } => entries.iter().for_each(|entry| {
            spans(&entry.key, out);
            spans(&entry.value, out);
        }),
    }
}

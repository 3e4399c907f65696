//! A row of a table of keys: the words about a key, how it is read into what is being made, and how
//! it is written again.

use std::ops::Range;

use super::at::{At, Known};
use super::fields::Fields;
use super::finding::Report;
use super::key::{KEY, Key, Table};
use super::tree::Node;
use super::yaml::Value;

/// A key of an `M`, read into a `D`.
pub(super) struct Row<D: 'static, M: 'static> {
    /// The words about it.
    pub key: Key,
    /// Puts what the file says into what is made; says what is wrong.
    pub read: fn(&mut D, &mut At<'_, '_>),
    /// What the file says for it; `None` where leaving it out says the same.
    pub write: fn(&M) -> Option<Value>,
}

/// Rows of a table: a key with its words, or a service's own, then how it is read and written.
macro_rules! rows {
    ($(
        $($name:literal => { $($word:ident: $value:expr),* $(,)? })?
        $(service $key:path,)?
        read $read:expr; write $write:expr;
    )*) => {
        [$($crate::fleet::row::Row {
            $(key: $crate::fleet::key::Key { name: $name, $($word: $value,)* ..KEY },)?
            $(key: $key,)?
            read: $read,
            write: $write,
        }),*]
    };
}
pub(super) use rows;

/// The words of rows, for their table; `N` is how many there are.
pub(super) const fn keys<D, M, const N: usize>(rows: &[Row<D, M>]) -> [Key; N] {
    let mut keys = [KEY; N];
    let mut i = 0;
    while i < N {
        keys[i] = rows[i].key;
        i += 1;
    }
    keys
}

/// Puts the value of a key where it belongs, when it could be read.
pub(super) fn put<T>(slot: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *slot = value;
    }
}

impl<D, M> Row<D, M> {
    /// Reads the key from its mapping, when it was written. `inside` is the key of that mapping,
    /// with its dot.
    pub fn take(
        &self,
        fields: &Fields<'_>,
        inside: &str,
        known: &Known<'_>,
        into: &mut D,
        report: &mut Report,
    ) {
        if let Some(node) = fields.get(self.key.name) {
            let mut at = At {
                node,
                what: format!("`{inside}{}`", self.key.name),
                kind: self.key.kind,
                known,
                report,
            };
            (self.read)(into, &mut at);
        }
    }
}

/// Reads a mapping that stands behind a key of `into`; returns what was written there.
pub(super) fn read_inner<'n, D, M>(
    at: &mut At<'n, '_>,
    table: &'static Table,
    rows: &[Row<D, M>],
    into: &mut D,
) -> Fields<'n> {
    let fields = Fields::read(at.node, table, at.what.clone(), head(at.node), at.report);
    let inside = format!("{}.", at.what.trim_matches('`'));
    for row in rows {
        row.take(&fields, &inside, at.known, into, at.report);
    }
    fields
}

/// The same where some of its keys have to be there.
pub(super) fn read_all<'n, D, M>(
    at: &mut At<'n, '_>,
    table: &'static Table,
    rows: &[Row<D, M>],
    into: &mut D,
) -> Fields<'n> {
    let fields = read_inner(at, table, rows, into);
    fields.require(at.report, |_| true);
    fields
}

/// Where to point at a mapping in which something is missing: its first key.
pub(super) fn head(node: &Node) -> Range<usize> {
    let first = node.entries().first().filter(|_| !node.alias);
    first.map_or(&node.span, |entry| &entry.key.span).clone()
}

/// What rows say of `of`, in their order.
pub(super) fn write<D, M>(rows: &[Row<D, M>], of: &M) -> Vec<(String, Value)> {
    let said = rows
        .iter()
        .filter_map(|row| Some((row.key.name.to_owned(), (row.write)(of)?)));
    said.collect()
}

/// The same as one value; nothing where no key has to be said.
pub(super) fn write_inner<D, M>(rows: &[Row<D, M>], of: &M) -> Option<Value> {
    let fields = write(rows, of);
    (!fields.is_empty()).then_some(Value::Mapping(fields))
}

#[cfg(test)]
mod tests;

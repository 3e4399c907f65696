//! One mapping of the file against its table of keys.

use std::ops::Range;

use super::at::{At, NOTHING};
use super::finding::Report;
use super::key::{Key, Table};
use super::tree::{Entry, Node};

/// The entries of a mapping that its table knows.
pub(super) struct Fields<'n> {
    /// What is described, for messages: "site `bob`".
    pub what: String,
    table: &'static Table,
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
            table,
            at,
            broken: false,
            found: Vec::new(),
            meant: Vec::new(),
        };
        let Some(entries) = At::new(node, &*fields.what, report).entries() else {
            fields.broken = true;
            return fields;
        };
        // What a merge key would bring is not called missing.
        fields.broken = node.entry("<<").is_some();
        for (word, entry) in entries {
            match table.key(word) {
                Some(key) => fields.found.push((key, entry)),
                None => fields
                    .meant
                    .extend(unknown(word, entry, table, &fields.what, report)),
            }
        }
        fields
    }

    /// Whether nothing was written.
    pub fn is_empty(&self, node: &Node) -> bool {
        !self.broken && node.entries().is_empty()
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

    /// The value of `key`, to be read, when it was written.
    pub fn at<'r>(&self, key: &str, report: &'r mut Report) -> Option<At<'n, 'r>> {
        let (key, entry) = self.found.iter().find(|(known, _)| known.name == key)?;
        Some(At {
            node: &entry.value,
            what: format!("`{}`", key.name),
            kind: key.kind,
            known: &NOTHING,
            report,
        })
    }

    /// Says which of the required keys are missing, of those that `wanted` asks for.
    pub fn require(&self, report: &mut Report, wanted: impl Fn(&Key) -> bool) {
        if self.broken {
            return;
        }
        for key in self.table.keys.iter().filter(|key| key.required) {
            let said = self.entry(key.name).is_some() || self.meant.contains(&key.name);
            if !said && wanted(key) {
                let message = format!("{} has no `{}`", self.what, key.name);
                let help = format!("add `{}: {}`. {}", key.name, key.example, key.doc);
                report.error(self.at.clone(), message).help(help);
            }
        }
    }
}

fn unknown(
    word: &str,
    entry: &Entry,
    table: &Table,
    what: &str,
    report: &mut Report,
) -> Option<&'static str> {
    let meant = match report.is_full() {
        true => None,
        false => table.meant(word),
    };
    let finding = report.error(
        entry.key.span.clone(),
        format!("{what} has no key `{word}`"),
    );
    match meant {
        Some(near) => finding.label(format!("did you mean `{near}`?")),
        None => {
            let names: Vec<_> = table.known().map(|key| key.name).collect();
            finding.help(format!(
                "the keys of {} are: {}",
                table.of,
                names.join(", ")
            ))
        }
    };
    meant
}

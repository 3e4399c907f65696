//! Secrets: files that only the site sees, from where the operator keeps them.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::fleet::at::At;
use crate::fleet::fields::Fields;
use crate::fleet::finding::Report;
use crate::fleet::key::{KEY, Key, Kind, OWN, Table};
use crate::fleet::name::Invalid;
use crate::fleet::tree::Node;
use crate::fleet::value;
use crate::fleet::yaml::{Value, field};

/// Where the bytes of a secret come from, on the operator's machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretSpec {
    /// Content of a file; relative paths start at the fleet file's folder.
    File(String),
    /// Standard output of a command (program and arguments, no shell), final newline removed.
    Command(Vec<String>),
    /// Stays as it is on the host and is never read here. No file can say it: it takes the place of
    /// a source that is not known to be the operator's own.
    #[serde(skip_deserializing)]
    Kept,
}

/// The key under which a site names its secrets.
pub const SECRETS: Key = Key {
    name: "secrets",
    kind: Kind::NamedOne(&SECRET),
    recipes: OWN,
    example: "{ DB_PASSWORD: { file: secrets/bob-db } }",
    doc: "What the site reads in `/run/secrets/NAME`: `{ file: path }` or `{ command: [program, argument] }`, both on the operator's machine.",
    synonyms: &["secret"],
    ..KEY
};

pub const SECRET: Table = Table {
    of: "a secret",
    shared: false,
    keys: &[
        Key {
            name: "file",
            example: "secrets/bob-db",
            doc: "File on the operator's machine; a relative path starts at the fleet file's folder.",
            synonyms: &["path"],
            ..KEY
        },
        Key {
            name: "command",
            kind: Kind::Command,
            example: "[pass, show, bob/db]",
            doc: "Program and arguments, run on the operator's machine without a shell; what it prints is the secret.",
            synonyms: &["cmd", "exec"],
            ..KEY
        },
    ],
};

/// Reads what stands behind the key.
pub(in crate::fleet) fn read(at: &mut At<'_, '_>) -> BTreeMap<String, SecretSpec> {
    let mut all = BTreeMap::new();
    for (word, entry) in at.entries().unwrap_or_default() {
        let place = entry.key.span.clone();
        if let Err(Invalid(why)) = value::parse_secret_name(word) {
            let message = format!("{word:?} is no name for a secret");
            at.report.error(place, message).label(why);
            continue;
        }
        if let Some(secret) = secret(word, &entry.value, place, at.report) {
            all.insert(word.to_owned(), secret);
        }
    }
    all
}

fn secret(word: &str, node: &Node, at: Range<usize>, report: &mut Report) -> Option<SecretSpec> {
    one(&format!("the secret `{word}`"), node, at, report)
}

/// Reads where one secret comes from; `what`: how it is called in messages, `at`: the place of its
/// name.
pub(in crate::fleet) fn one(
    what: &str,
    node: &Node,
    at: Range<usize>,
    report: &mut Report,
) -> Option<SecretSpec> {
    if node.text().is_some() && !node.is_null() {
        // The text is not repeated: it may be the secret itself.
        report
            .error(at, format!("{what} has to say where it comes from"))
            .help("write `{ file: path }` or `{ command: [program, argument] }`; a secret itself does not belong in this file");
        return None;
    }
    let bare = what.trim_start_matches("the ").to_owned();
    let fields = Fields::read(node, &SECRET, bare, at.clone(), report);
    of_fields(what, &fields, at, report)
}

/// The same of a mapping that says more than that.
pub(in crate::fleet) fn of_fields(
    what: &str,
    fields: &Fields<'_>,
    at: Range<usize>,
    report: &mut Report,
) -> Option<SecretSpec> {
    match (fields.get("file"), fields.get("command")) {
        (Some(file), None) => At::new(file, format!("`file` of {what}"), report)
            .path()
            .map(SecretSpec::File),
        (None, Some(command)) => At::new(command, format!("`command` of {what}"), report)
            .command()
            .map(SecretSpec::Command),
        _ => {
            let message = format!("{what} comes from a `file` or a `command`");
            report.error(at, message).help("write exactly one of them");
            None
        }
    }
}

/// What is written behind the key.
pub(in crate::fleet) fn write(secrets: &BTreeMap<String, SecretSpec>) -> Option<Value> {
    let all = secrets
        .iter()
        .map(|(name, spec)| field(name, vec![source(spec)]));
    (!secrets.is_empty()).then(|| Value::Mapping(all.collect()))
}

/// The one key that says where a secret comes from.
pub(in crate::fleet) fn source(spec: &SecretSpec) -> (String, Value) {
    match spec {
        SecretSpec::File(path) => field("file", path.as_str()),
        SecretSpec::Command(words) => field("command", words.clone()),
        // Refused when it is read back: no file says it.
        SecretSpec::Kept => field("kept", true),
    }
}

//! What was changed by hand on a container: the part of drift that planning goes by.

use std::collections::BTreeMap;

use super::field::looks_secret;
use super::spec::{self, Map};
use crate::observe::made::alike;
use crate::observe::model::ObservedContainer;
use crate::record::spec::ContainerSpec;
use crate::record::{Labelled, SiteRecord, labels};

/// What changed: path → (before, after).
pub(crate) type Changes = BTreeMap<String, (Option<String>, Option<String>)>;

/// Characters of a value that are shown.
const LONG: usize = 60;

/// The one field that is put right in place, together with the memory limit.
pub(crate) const SWAP: &str = "swap";

/// Whether a record is about this very container, and not about one that it replaced or that
/// replaces it.
pub(crate) fn is_about(record: &SiteRecord, container: &ObservedContainer) -> bool {
    // Records of older versions tell no address.
    let address = record.address;
    address.is_none_or(|address| container.asked_address() == Some(address))
        && record.hash.as_deref() == container.spec_hash()
}

/// How the container differs from what the engine told of it when it was applied. Empty where
/// either is not known.
pub(crate) fn changes(container: &ObservedContainer, record: Option<&SiteRecord>) -> Changes {
    let known = record
        .filter(|record| is_about(record, container))
        .and_then(|record| record.made.as_ref())
        .zip(container.inspected.as_ref());
    match known {
        Some((was, now)) if alike(was, &now.made) && *was != now.made => {
            between(&was.to_map(), &now.made.to_map())
        }
        _ => Changes::new(),
    }
}

/// What differs between two sets of fields.
pub(crate) fn between(was: &Map, now: &Map) -> Changes {
    let paths = was
        .keys()
        .chain(now.keys().filter(|p| !was.contains_key(*p)));
    paths
        .filter(|path| was.get(*path) != now.get(*path))
        .map(|path| {
            (
                path.clone(),
                (was.get(path).cloned(), now.get(path).cloned()),
            )
        })
        .collect()
}

/// Whether a container that runs is not where requests are sent to: someone took it off the
/// network, or gave it another address.
pub(crate) fn is_unplugged(container: &ObservedContainer, network: &str) -> bool {
    let Some(asked) = container.label(labels::ADDRESS) else {
        return false;
    };
    container.is_running()
        && container
            .addresses
            .get(network)
            .is_none_or(|has| has.to_string() != *asked)
}

/// Whether it can only be put right by another container in its place; says why.
pub(crate) fn spoiled(
    container: &ObservedContainer,
    record: Option<&SiteRecord>,
    network: &str,
) -> Vec<String> {
    let mut causes: Vec<String> = changes(container, record)
        .iter()
        .filter(|(path, _)| *path != SWAP)
        .map(|(path, (was, now))| {
            let text = |value: &Option<String>| shown(path, value).unwrap_or("none".into());
            format!("{path} {}→{} by hand", text(was), text(now))
        })
        .collect();
    if causes.is_empty() && is_unplugged(container, network) {
        causes.push(format!("taken off the network {network} by hand"));
    }
    causes
}

/// Whether swap was given on top of the memory limit.
pub(crate) fn has_swap(container: &ObservedContainer, record: Option<&SiteRecord>) -> bool {
    changes(container, record).contains_key(SWAP)
}

/// Whether what was changed by hand is what the file has come to say: the container that is there
/// is the one that is wanted, though it was made from another spec.
pub(crate) fn is_adopted(
    container: &ObservedContainer,
    record: Option<&SiteRecord>,
    wanted: &ContainerSpec,
) -> bool {
    let Some(was) = record.and_then(|record| record.spec.as_ref()) else {
        return false;
    };
    let mut live = changes(container, record);
    live.remove(SWAP);
    if live.is_empty() {
        return false;
    }
    let can_be_said = |path: &String| path == "image" || path.starts_with("env.");
    let file = between(&spec::fields(was), &spec::fields(wanted));
    live.keys().all(can_be_said)
        && file.keys().eq(live.keys())
        && file.iter().zip(&live).all(|((_, f), (_, l))| f.1 == l.1)
}

/// A value for people; of what looks like a secret, that there is one.
pub(crate) fn shown(path: &str, value: &Option<String>) -> Option<String> {
    let secret = path.strip_prefix("env.").is_some_and(looks_secret);
    let value = value.as_deref()?;
    if secret {
        return Some("(not shown)".to_owned());
    }
    let line = value.replace(['\n', '\t'], " ");
    Some(match line.char_indices().nth(LONG) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line,
    })
}

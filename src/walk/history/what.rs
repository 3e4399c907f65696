//! What an apply changed, in words, from what its journals name.

use crate::apply::journal::Named;
use crate::fleet::Name;
use crate::text::{count, elide};

/// Sites that are named; of more it is said how many they are.
const NAMED: usize = 3;
/// Longest reason of a change, in columns.
const LONGEST: usize = 60;

/// What was done to a site: as it is said of what is to be done, and of what was.
type Verb = (&'static str, &'static str);

const CHANGE: Verb = ("change", "changed");

/// What one apply did to one site.
struct Deed<'a> {
    site: &'a Name,
    verb: Verb,
    /// All of it was done.
    done: bool,
    /// Why, of a change.
    why: &'a str,
}

/// What an apply changed, or was to change: `archived shop, to create blog`. Each operation comes
/// with whether it was done.
pub(super) fn what<'a>(operations: impl Iterator<Item = (&'a Named, bool)> + Clone) -> String {
    let mut deeds: Vec<Deed> = Vec::new();
    for (named, _) in operations.clone() {
        let Some(site) = &named.site else { continue };
        if deeds.iter().any(|deed| deed.site == site) {
            continue;
        }
        let theirs = operations.clone();
        let theirs = theirs.filter(|(named, _)| named.site.as_ref() == Some(site));
        let causes = || theirs.clone().flat_map(|(named, _)| &named.cause);
        deeds.push(Deed {
            site,
            verb: verb(causes().map(String::as_str)),
            done: theirs.clone().all(|(_, done)| done),
            why: causes().next().map_or("", String::as_str),
        });
    }
    if deeds.is_empty() {
        return of_hosts(operations);
    }
    let mut parts: Vec<String> = Vec::new();
    let mut told: Vec<(Verb, bool)> = Vec::new();
    for deed in &deeds {
        let kind = (deed.verb, deed.done);
        if told.contains(&kind) {
            continue;
        }
        told.push(kind);
        let alike: Vec<&Deed> = deeds
            .iter()
            .filter(|it| (it.verb, it.done) == kind)
            .collect();
        parts.push(said(&alike));
    }
    parts.join(", ")
}

fn said(alike: &[&Deed]) -> String {
    let Some(first) = alike.first() else {
        return String::new();
    };
    let verb = match first.done {
        true => first.verb.1.to_owned(),
        false => format!("to {}", first.verb.0),
    };
    match alike {
        [one] if one.verb == CHANGE && !one.why.is_empty() => {
            format!("{verb} {} ({})", one.site, elide(one.why, LONGEST))
        }
        few if few.len() <= NAMED => {
            let names: Vec<&str> = few.iter().map(|deed| deed.site.as_str()).collect();
            format!("{verb} {}", names.join(", "))
        }
        many => format!("{verb} {}", count(many.len(), "site")),
    }
}

fn verb<'a>(causes: impl Iterator<Item = &'a str> + Clone) -> Verb {
    let any = |is: fn(&str) -> bool| causes.clone().any(is);
    let to = |word: &'static str| {
        let mut causes = causes.clone();
        causes.any(|cause| cause.contains("state: ") && cause.ends_with(word))
    };
    match () {
        () if any(|it| it == "asked for: restart") => ("restart", "restarted"),
        () if to("archived") => ("archive", "archived"),
        () if to("stopped") => ("stop", "stopped"),
        () if to("running") || any(|it| it == "back in the file") => ("start", "started"),
        () if any(|it| it == "removed from the file") => ("remove", "removed"),
        () if any(|it| it.starts_with("host: ")) => ("move", "moved"),
        () if any(|it| it == "new site") => ("create", "created"),
        () => CHANGE,
    }
}

/// Of an apply that was about no site.
fn of_hosts<'a>(operations: impl Iterator<Item = (&'a Named, bool)> + Clone) -> String {
    let mut hosts: Vec<&str> = operations
        .clone()
        .map(|(named, _)| named.host.as_str())
        .collect();
    hosts.dedup();
    let notes = |named: &Named| matches!(&*named.kind, "settle_run" | "record_fleet");
    let verb: Verb = match operations.clone().all(|(named, _)| notes(named)) {
        true => ("note what was cut off on", "noted what was cut off on"),
        false => ("prepare", "prepared"),
    };
    let verb = match operations.clone().all(|(_, done)| done) {
        true => verb.1.to_owned(),
        false => format!("to {}", verb.0),
    };
    match hosts.len() {
        0 => String::new(),
        1..=NAMED => format!("{verb} {}", hosts.join(", ")),
        n => format!("{verb} {}", count(n, "host")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Class, OperationId};

    fn named(site: &str, kind: &str, cause: &str) -> Named {
        Named {
            id: OperationId(format!("web1/{site}/{kind}")),
            host: "web1".parse().unwrap(),
            site: site.parse().ok(),
            kind: kind.into(),
            class: Class::Write,
            cause: vec![cause.into()],
        }
    }

    #[test]
    fn it_says_what_became_of_which_site() {
        for (operations, words) in [
            (
                vec![("shop", "unroute", "state: running → archived", true)],
                "archived shop",
            ),
            (
                vec![("shop", "unroute", "state: running → archived", false)],
                "to archive shop",
            ),
            (
                vec![
                    ("a", "create_container", "new site", true),
                    ("b", "create_container", "new site", true),
                    ("c", "set_limits", "memory: 64M → 128M", true),
                    ("d", "create_container", "new site", false),
                ],
                "created a, b, changed c (memory: 64M → 128M), to create d",
            ),
            (
                vec![("b", "restart_container", "asked for: restart", true)],
                "restarted b",
            ),
            (
                vec![("b", "stop_container", "removed from the file", true)],
                "removed b",
            ),
            (
                vec![("b", "route", "state: stopped → running", true)],
                "started b",
            ),
            (
                vec![("", "prepare_host", "no toolbox yet", true)],
                "prepared web1",
            ),
            (
                vec![("", "settle_run", "was cut off", true)],
                "noted what was cut off on web1",
            ),
        ] {
            let all: Vec<(Named, bool)> = operations
                .iter()
                .map(|(site, kind, cause, done)| (named(site, kind, cause), *done))
                .collect();
            assert_eq!(what(all.iter().map(|(named, done)| (named, *done))), words);
        }
        let many: Vec<Named> = (0..12)
            .map(|n| named(&format!("s{n}"), "x", "new site"))
            .collect();
        assert_eq!(
            what(many.iter().map(|named| (named, true))),
            "created 12 sites"
        );
    }
}

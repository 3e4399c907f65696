//! Why: what differs, field by field, in the words of the fleet file.

use std::collections::BTreeMap;

use crate::fleet::{Limits, Network, SiteState, domain_both_ways, value};
use crate::observe::model::{ObservedContainer, RunState};
use crate::record::route::{Proxies, RouteEntry, RouteTarget, Trust};
use crate::record::spec::{Bind, ContainerSpec};
use crate::record::{RecordedState, SiteRecord};
use crate::text::age_in_words;

/// Begins the cause of starting a container that ended.
const EXITED: &str = "container exited";

/// Why a site changes: its state, its spec.
pub(crate) fn of_site(record: Option<&SiteRecord>, spec: Option<&ContainerSpec>) -> Vec<String> {
    let Some(record) = record else {
        return vec!["new site".to_owned()];
    };
    let mut causes: Vec<String> = of_state(record.state, SiteState::Running)
        .into_iter()
        .collect();
    match (&record.spec, spec) {
        (Some(was), Some(now)) => causes.extend(of_spec(was, now)),
        (None, Some(_)) if record.state == RecordedState::Wanted(SiteState::Running) => {
            causes.push("recipe: gets a container of its own".to_owned());
        }
        (Some(_), None) => causes.push("recipe: proxy, its container goes".to_owned()),
        _ => {}
    }
    causes
}

/// Why a state changes.
pub(crate) fn of_state(was: RecordedState, now: SiteState) -> Option<String> {
    match was {
        RecordedState::Wanted(was) if was == now => None,
        RecordedState::Wanted(was) => Some(format!("state: {} → {}", was.word(), now.word())),
        RecordedState::Leftover => Some("back in the file".to_owned()),
    }
}

/// Why a container must be made although the file did not change.
pub(crate) fn of_missing(found: &[&ObservedContainer], known: &[String]) -> Option<String> {
    if !known.is_empty() {
        return None;
    }
    Some(match found.first() {
        None => "its container is missing".to_owned(),
        Some(one) if matches!(one.run, RunState::Dead | RunState::Removing) => {
            "the engine gave up on its container".to_owned()
        }
        Some(_) => "its container is not the one that was applied".to_owned(),
    })
}

/// Why a container is started that was found not running. `now` in Unix seconds.
pub(crate) fn of_halt(container: &ObservedContainer, now: i64) -> String {
    if container.run == RunState::Created {
        return "its container was never started".to_owned();
    }
    let Some(inspected) = &container.inspected else {
        return "its container does not run".to_owned();
    };
    let mut words = Vec::new();
    if let Some(code) = inspected.exit_code {
        words.push(code.to_string());
    }
    if inspected.oom_killed {
        words.push("out of memory".to_owned());
    }
    let why = if words.is_empty() {
        String::new()
    } else {
        format!(" ({})", words.join(", "))
    };
    let ago = inspected
        .finished_at
        .as_deref()
        .and_then(|text| chrono::DateTime::parse_from_rfc3339(text).ok())
        .map(|then| now - then.timestamp())
        .filter(|seconds| *seconds >= 0)
        .map(|seconds| format!(" {} ago", age_in_words(seconds)))
        .unwrap_or_default();
    format!("{EXITED}{why}{ago}")
}

/// A cause without what another moment tells in other words: how long ago a container ended.
pub(crate) fn ageless(cause: &str) -> &str {
    let Some(rest) = cause.strip_prefix(EXITED) else {
        return cause;
    };
    let why = match rest.starts_with(" (") {
        true => rest.find(')').map_or(0, |at| at + 1),
        false => 0,
    };
    match is_age(&rest[why..]) {
        true => &cause[..EXITED.len() + why],
        false => cause,
    }
}

/// Whether this is ` 5 min ago`, and nothing else.
fn is_age(text: &str) -> bool {
    let mut words = text.split(' ');
    let first = (words.next(), words.next(), words.next(), words.next());
    let (Some(""), Some(number), Some("s" | "min" | "h" | "d"), Some("ago")) = first else {
        return false;
    };
    words.next().is_none() && number.parse::<u64>().is_ok()
}

/// What differs between two specs.
pub(crate) fn of_spec(was: &ContainerSpec, now: &ContainerSpec) -> Vec<String> {
    let mut causes = Vec::new();
    if was.image != now.image {
        causes.push(format!("image: {} → {}", was.image, now.image));
    }
    of_map("env", &was.env, &now.env, &mut causes);
    of_files(was, now, &mut causes);
    of_binds(&was.binds, &now.binds, &mut causes);
    if was.user != now.user || was.root != now.root {
        let word = |user: &Option<String>| user.clone().unwrap_or_else(|| "the image's".into());
        causes.push(format!("user: {} → {}", word(&was.user), word(&now.user)));
    }
    if was.health != now.health {
        causes.push("health command: changed".into());
    }
    let rest = [
        (
            "command",
            was.command != now.command || was.entrypoint != now.entrypoint,
        ),
        ("network", was.network != now.network),
        ("host name", was.hostname != now.hostname),
        ("memory folders", was.tmpfs != now.tmpfs),
        ("capabilities", was.cap_add != now.cap_add),
        (
            "way to stop",
            was.stop_signal != now.stop_signal || was.stop_grace_s != now.stop_grace_s,
        ),
        ("read-only", was.read_only != now.read_only),
    ];
    for (what, differs) in rest {
        if differs {
            causes.push(format!("{what}: changed"));
        }
    }
    causes
}

fn of_map(
    what: &str,
    was: &BTreeMap<String, String>,
    now: &BTreeMap<String, String>,
    causes: &mut Vec<String>,
) {
    for (key, value) in now {
        match was.get(key) {
            None => causes.push(format!("{what}: added {key}")),
            Some(old) if old != value => causes.push(format!("{what}: changed {key}")),
            Some(_) => {}
        }
    }
    for key in was.keys().filter(|key| !now.contains_key(*key)) {
        causes.push(format!("{what}: removed {key}"));
    }
}

fn of_files(was: &ContainerSpec, now: &ContainerSpec, causes: &mut Vec<String>) {
    let ini = |spec: &ContainerSpec| spec.files.get("php/20-site.ini").cloned();
    let (ini_was, ini_now) = (ini(was), ini(now));
    if ini_was != ini_now {
        let lines = |text: Option<String>| -> BTreeMap<String, String> {
            text.unwrap_or_default()
                .lines()
                .filter_map(|line| line.split_once(" = "))
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .collect()
        };
        let (was, now) = (lines(ini_was), lines(ini_now));
        for key in was
            .keys()
            .chain(now.keys().filter(|k| !was.contains_key(*k)))
        {
            match (was.get(key), now.get(key)) {
                (Some(a), Some(b)) if a != b => causes.push(format!("ini: {key} {a} → {b}")),
                (None, Some(b)) => causes.push(format!("ini: added {key} = {b}")),
                (Some(_), None) => causes.push(format!("ini: removed {key}")),
                _ => {}
            }
        }
    }
    let others = |spec: &ContainerSpec| {
        spec.files
            .iter()
            .filter(|(path, _)| *path != "php/20-site.ini")
            .map(|(path, text)| (path.clone(), text.clone()))
            .collect::<BTreeMap<_, _>>()
    };
    of_map("configuration", &others(was), &others(now), causes);
}

fn of_binds(was: &[Bind], now: &[Bind], causes: &mut Vec<String>) {
    let secrets = |binds: &[Bind]| binds.iter().any(|bind| bind.inside == "/run/secrets");
    match (secrets(was), secrets(now)) {
        (false, true) => causes.push("secrets: the first ones".into()),
        (true, false) => causes.push("secrets: none any more".into()),
        _ => {}
    }
    let rest = |binds: &[Bind]| -> Vec<Bind> {
        binds
            .iter()
            .filter(|bind| bind.inside != "/run/secrets")
            .cloned()
            .collect()
    };
    if rest(was) != rest(now) {
        causes.push("folders: changed".into());
    }
}

/// Why limits change. `recorded`: as last applied; `live`: as found; `wanted`: as the file says.
pub(crate) fn of_limits(recorded: &Limits, live: &Limits, wanted: &Limits) -> Vec<String> {
    let mut causes = Vec::new();
    let none = || "none".to_owned();
    let all = recorded
        .each()
        .into_iter()
        .zip(live.each())
        .zip(wanted.each());
    for (((what, recorded), (_, live)), (_, wanted)) in all {
        let recorded = recorded.unwrap_or_else(none);
        let (live, wanted) = (live.unwrap_or_else(none), wanted.unwrap_or_else(none));
        if live != recorded {
            causes.push(format!("{what} {recorded}→{live} by hand"));
        }
        if recorded != wanted {
            causes.push(format!("{what}: {recorded} → {wanted}"));
        }
    }
    causes
}

/// Why a route changes, as far as the operator decided it: another address alone is no cause.
pub(crate) fn of_route(was: Option<&RouteEntry>, now: &RouteEntry) -> Vec<String> {
    let Some(was) = was else { return Vec::new() };
    let mut causes = Vec::new();
    for domain in now.domains.iter().filter(|d| !was.domains.contains(d)) {
        let domain = domain_both_ways(domain.as_str());
        causes.push(format!("domains: added {domain}"));
    }
    for domain in was.domains.iter().filter(|d| !now.domains.contains(d)) {
        let domain = domain_both_ways(domain.as_str());
        causes.push(format!("domains: removed {domain}"));
    }
    if causes.is_empty() && was.domains != now.domains {
        causes.push("domains: another order".into());
    }
    for (domain, to) in &now.redirects {
        match was.redirects.get(domain) {
            None => causes.push(format!("redirects: added {domain} → {to}")),
            Some(old) if old != to => {
                causes.push(format!("redirects: {domain} → {to}, was {old}"));
            }
            Some(_) => {}
        }
    }
    for domain in was.redirects.keys() {
        if !now.redirects.contains_key(domain) {
            causes.push(format!("redirects: removed {domain}"));
        }
    }
    for (name, value) in &now.headers {
        match was.headers.get(name) {
            None => causes.push(format!("headers: added {name}: {value}")),
            Some(old) if old != value => {
                causes.push(format!("headers: {name}: {value}, was {old}"));
            }
            Some(_) => {}
        }
    }
    for name in was.headers.keys() {
        if !now.headers.contains_key(name) {
            causes.push(format!("headers: removed {name}"));
        }
    }
    if was.connections != now.connections {
        causes.push(format!(
            "connections: {} → {}",
            was.connections, now.connections
        ));
    }
    if was.timeout_s != now.timeout_s {
        let [was, now] = [was, now].map(|entry| value::format_seconds(entry.timeout_s));
        causes.push(format!("timeout: {was} → {now}"));
    }
    let moved = match (&was.target, &now.target) {
        (
            RouteTarget::Address { ip: a, port: p, .. },
            RouteTarget::Address { ip: b, port: q, .. },
        ) => (p != q).then(|| format!("port: {a}:{p} → {b}:{q}")),
        (RouteTarget::Resolve { host: a, port: p }, RouteTarget::Resolve { host: b, port: q }) => {
            (a != b || p != q).then(|| format!("to: {a}:{p} → {b}:{q}"))
        }
        _ => None,
    };
    causes.extend(moved);
    causes
}

/// Why the router is told otherwise whom to believe.
pub(crate) fn of_proxies(was: &Proxies, now: &Proxies) -> Vec<String> {
    let named = |of: &Proxies, other: &Proxies| {
        let all = of.iter().filter(|(_, trust)| **trust != Trust::Site);
        let only = all.filter(|(network, _)| !other.contains_key(*network));
        let only: Vec<String> = only.map(|(network, _)| network.to_string()).collect();
        match only.as_slice() {
            [first, second, third, rest @ ..] if rest.len() > 1 => {
                format!("{first}, {second}, {third} and {} more", rest.len())
            }
            few => few.join(", "),
        }
    };
    let mut causes = Vec::new();
    for (word, names) in [("added", named(now, was)), ("removed", named(was, now))] {
        if !names.is_empty() {
            causes.push(format!("trusted_proxies: {word} {names}"));
        }
    }
    let other = |(network, trust): (&Network, &Trust)| {
        was.get(network).is_some_and(|before| before != trust)
    };
    if now.iter().any(other) {
        let begins = now.values().any(|trust| *trust == Trust::Protocol);
        causes.push(format!("proxy_protocol: {} → {begins}", !begins));
    }
    causes
}

/// Which secrets change.
pub(crate) fn of_secrets(
    was: &BTreeMap<String, String>,
    now: &BTreeMap<String, String>,
) -> Vec<String> {
    let mut causes = Vec::new();
    of_map("secrets", was, now, &mut causes);
    causes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_told_as_the_file_writes_them() {
        let mega = |m: u64| Limits {
            memory: Some(m << 20),
            nano_cpus: Some(500_000_000),
            pids: None,
        };
        let none = Limits::default();
        assert_eq!(
            of_limits(&mega(128), &mega(128), &mega(256)),
            ["memory: 128M → 256M"]
        );
        assert_eq!(
            of_limits(&mega(128), &mega(256), &mega(128)),
            ["memory 128M→256M by hand"]
        );
        assert_eq!(
            of_limits(&mega(1024), &none, &mega(1024)),
            ["memory 1G→none by hand", "cpus 0.5→none by hand"]
        );
    }

    #[test]
    fn an_end_is_told_with_its_code_and_age() {
        let mut container = ObservedContainer {
            run: RunState::Exited,
            ..ObservedContainer::default()
        };
        assert_eq!(of_halt(&container, 0), "its container does not run");
        container.inspected = Some(crate::observe::model::Inspected {
            exit_code: Some(137),
            oom_killed: true,
            finished_at: Some("1970-01-01T00:00:10Z".into()),
            ..Default::default()
        });
        let halt = of_halt(&container, 850);
        assert_eq!(halt, "container exited (137, out of memory) 14 min ago");
        assert_eq!(ageless(&halt), "container exited (137, out of memory)");
        for other in [
            "container exited (0) on purpose",
            "container exited (0) 5 min ago, as agreed",
            "container exited (0) many h ago",
        ] {
            assert_eq!(ageless(other), other);
        }
        assert_eq!(ageless("container exited 3 d ago"), "container exited");
        assert_eq!(ageless("new site"), "new site");
    }
}

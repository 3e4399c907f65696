//! A hash of what was found on a host and matters for its plan: a saved plan is applied only while
//! it stays the same.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use super::container::{self, is_active};
use super::index::Index;
use super::route;
use crate::fleet::value::format_seconds;
use crate::fleet::{Fleet, Name, ProxyTarget, Recipe, SiteState};
use crate::observe::model::ObservedHost;
use crate::record::route::RouteTarget;
use crate::record::{HostState, Labelled, RecordedState, StateRead};

/// The hash. `name`: the host. Of foreign containers only those matter that a `proxy` leads to: an
/// address may be somebody else's by the time it is routed to. What others hold (addresses, ports)
/// is checked again by the engine when it is asked for.
pub fn of(host: &ObservedHost, fleet: &Fleet, name: &Name) -> String {
    let mut hash = Sha256::new();
    for ((place, what), how) in &list(host, fleet, name) {
        // Each with its length in front, so that no two lists look alike.
        for field in [place, what, &how.exact] {
            hash.update((field.len() as u64).to_le_bytes());
            hash.update(field);
        }
    }
    hex::encode(&hash.finalize()[..16])
}

/// What was found on a host and matters for its plan, in words: place (a site, or nothing for the
/// host itself) → what → how it is. Two of them say what moved in between.
pub type Facts = BTreeMap<String, BTreeMap<String, String>>;

/// The same that [`of`] hashes, told. Digests of secrets are told by a digest of them.
pub fn facts(host: &ObservedHost, fleet: &Fleet, name: &Name) -> Facts {
    let mut facts = Facts::new();
    for ((place, what), how) in list(host, fleet, name) {
        facts.entry(place).or_default().insert(what, how.shown);
    }
    facts
}

/// How something is.
struct How {
    /// All of it: any change of it is a change.
    exact: String,
    /// As it is told.
    shown: String,
}

/// By place and what.
#[derive(Default)]
struct List(BTreeMap<(String, String), How>);

impl List {
    fn tell(&mut self, place: &str, what: impl Into<String>, exact: &str, shown: String) {
        let how = How {
            exact: exact.to_owned(),
            shown,
        };
        self.0.insert((place.to_owned(), what.into()), how);
    }

    /// What is told as it is.
    fn say(&mut self, place: &str, what: impl Into<String>, how: impl ToString) {
        let how = how.to_string();
        self.tell(place, what, &how.clone(), how);
    }
}

fn list(host: &ObservedHost, fleet: &Fleet, name: &Name) -> BTreeMap<(String, String), How> {
    let mut list = List::default();
    let index = Index::of(host, &fleet.name);
    let helpers = [index.toolboxes, index.routers, index.guards];
    let helpers = helpers.into_iter().flatten().map(|c| ("", c));
    let sites = index.sites.iter();
    let sites = sites.flat_map(|(site, all)| all.iter().map(move |c| (*site, *c)));
    for (site, container) in helpers.chain(sites) {
        let life = match is_active(container) {
            true => "running",
            false => "not running",
        };
        list.tell(
            site,
            format!("container {}", container.name),
            &format!("{life} {}", container.id),
            format!("{life} ({})", container::short(&container.id)),
        );
    }
    for network in host.networks.iter().filter(|n| n.is_of(&fleet.name)) {
        let what = format!("network {}", network.name);
        list.tell("", what, &network.id, container::short(&network.id).into());
    }
    for (site, target) in leads(host, fleet, name) {
        let to = target.as_ref().map_or_else(String::clone, shown);
        list.say(site.as_str(), "leads to", to);
    }
    match &host.state {
        StateRead::NoToolbox => list.say("", "what ostler keeps there", "not read"),
        StateRead::Damaged { why } => list.say("", "what ostler keeps there", why),
        StateRead::Read(state) => kept(state, &mut list),
    }
    list.0
}

/// What ostler keeps on the host.
fn kept(state: &HostState, list: &mut List) {
    if let Some(record) = &state.host {
        let by = record.applied_by.as_deref().unwrap_or("nobody");
        let hash = &record.fleet_hash;
        let shown = format!("{} by {by}", short(hash));
        list.tell("", "fleet file applied", hash, shown);
        let key = &record.digest_key;
        list.tell("", "key of digests", key, digest(key));
    }
    let config = &state.router.config_hash;
    list.tell("", "router's configuration", config, short(config));
    for (network, trust) in &state.router.proxies {
        list.say("", format!("trust in {network}"), trust.word());
    }
    for entry in state.router.routes.values() {
        let site = entry.site.as_str();
        let domains: Vec<&str> = entry.domains.iter().map(|d| d.as_str()).collect();
        list.say(site, "domains", domains.join(", "));
        let redirects = entry.redirects.iter();
        let redirects: Vec<String> = redirects.map(|(d, to)| format!("{d} → {to}")).collect();
        list.say(site, "redirects", redirects.join(", "));
        for (name, value) in &entry.headers {
            list.say(site, format!("header {name}"), value);
        }
        list.say(site, "route", shown(&entry.target));
        list.say(site, "connections", entry.connections);
        list.say(site, "timeout", format_seconds(entry.timeout_s));
    }
    for (name, record) in &state.certificates {
        let stored = record
            .stored
            .as_ref()
            .map(|it| it.facts.fingerprint.as_str());
        let served = record.served.as_ref().map(|it| it.fingerprint.as_str());
        for (what, which) in [("certificate", stored), ("certificate served", served)] {
            let which = which.unwrap_or_default();
            list.tell(name.as_str(), what, which, short(which));
        }
    }
    for (name, record) in &state.sites {
        let site = name.as_str();
        list.say(site, "user id", record.uid);
        let hash = record.hash.as_deref().unwrap_or_default();
        list.tell(site, "container's specification", hash, short(hash));
        for (key, limit) in record.limits.each() {
            list.say(site, key, limit.unwrap_or_else(|| "none".into()));
        }
        let state = match record.state {
            RecordedState::Wanted(state) => state.word(),
            RecordedState::Leftover => "leftover",
        };
        list.say(site, "state", state);
        for (secret, bytes) in &record.secrets {
            list.tell(site, format!("secret {secret}"), bytes, digest(bytes));
        }
        for (service, kept) in &record.services {
            let kept = kept.to_string();
            list.tell(site, format!("service {service}"), &kept, digest(&kept));
        }
    }
}

/// What differs between two moments, a line each.
pub fn moved(then: &Facts, now: &Facts) -> Vec<String> {
    let nothing = BTreeMap::new();
    let mut lines = Vec::new();
    let places: BTreeSet<&String> = then.keys().chain(now.keys()).collect();
    for place in places {
        let was = then.get(place).unwrap_or(&nothing);
        let is = now.get(place).unwrap_or(&nothing);
        let at = match place.as_str() {
            "" => String::new(),
            site => format!("{site}: "),
        };
        if !place.is_empty() && (was.is_empty() || is.is_empty()) {
            let what = if was.is_empty() {
                "is there now"
            } else {
                "is gone"
            };
            lines.push(format!("{at}{what}"));
            continue;
        }
        let fields: BTreeSet<&String> = was.keys().chain(is.keys()).collect();
        for what in fields {
            match (was.get(what), is.get(what)) {
                (Some(a), Some(b)) if a == b => {}
                // What a digest is says nothing to anybody.
                (Some(_), Some(_))
                    if what.starts_with("secret ") || what.starts_with("service ") =>
                {
                    lines.push(format!("{at}{what} is another"));
                }
                (Some(a), Some(b)) => lines.push(format!("{at}{what}: {a} → {b}")),
                (Some(_), None) => lines.push(format!("{at}{what} is gone")),
                (None, Some(b)) => lines.push(format!("{at}{what} is new: {b}")),
                (None, None) => {}
            }
        }
    }
    lines
}

/// Where each `proxy` to a container leads at this moment, or why that cannot be told.
fn leads<'a>(
    host: &ObservedHost,
    fleet: &'a Fleet,
    name: &'a Name,
) -> Vec<(&'a Name, Result<RouteTarget, String>)> {
    let mut sites = fleet
        .sites_on(name)
        .filter(|site| site.state == SiteState::Running)
        .filter_map(|site| match &site.recipe {
            Recipe::Proxy { to } if matches!(to, ProxyTarget::Container { .. }) => {
                Some((&site.name, to))
            }
            _ => None,
        })
        .peekable();
    if sites.peek().is_none() {
        return Vec::new();
    }
    let index = Index::of(host, &fleet.name);
    let ports = fleet.hosts.get(name).map(|host| host.ports);
    let ports = ports.unwrap_or_default();
    sites
        .map(|(site, to)| (site, route::proxy_target(to, ports, &index)))
        .collect()
}

fn shown(target: &RouteTarget) -> String {
    match target {
        RouteTarget::Address { ip, port, .. } => format!("{ip}:{port}"),
        RouteTarget::Resolve { host, port } => format!("{host}:{port}"),
        RouteTarget::Stopped => "the page that says it is stopped".into(),
    }
}

fn short(hash: &str) -> String {
    match hash.get(..10).unwrap_or(hash) {
        "" => "none".to_owned(),
        hash => hash.to_owned(),
    }
}

fn digest(bytes: &str) -> String {
    hex::encode(&Sha256::digest(bytes.as_bytes())[..6])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::{Limits, SiteState};
    use crate::observe::model::{ObservedContainer, RunState};
    use crate::record::{HostState, SiteRecord, labels, names};

    fn host(memory: u64, run: RunState, digest: &str) -> ObservedHost {
        let record = SiteRecord {
            schema: 1,
            site: "blog".parse().unwrap(),
            uid: 200_000,
            spec: None,
            hash: None,
            limits: Limits {
                memory: Some(memory << 20),
                ..Limits::default()
            },
            address: None,
            route: None,
            secrets: [("PASSWORD".to_owned(), digest.to_owned())].into(),
            services: Default::default(),
            state: RecordedState::Wanted(SiteState::Running),
            image_id: None,
            made: None,
        };
        let labels = [
            (labels::FLEET, "x"),
            (labels::ROLE, "site"),
            (labels::SITE, "blog"),
        ];
        ObservedHost {
            containers: vec![ObservedContainer {
                id: "0123456789abcdef".into(),
                name: own_name(),
                labels: labels.map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
                run,
                ..ObservedContainer::default()
            }],
            state: StateRead::Read(std::sync::Arc::new(HostState {
                sites: [(record.site.clone(), record.into())].into(),
                ..HostState::default()
            })),
            ..ObservedHost::default()
        }
    }

    fn own_name() -> String {
        names::site(&"x".parse().unwrap(), "blog")
    }

    fn fleet() -> Fleet {
        let text = "fleet: x\nhosts: { one: { engine: 'unix:///x' } }\nsites:\n  shop: { host: one, recipe: proxy, to: 'app:80', domains: [shop.example] }\n  off: { host: one, recipe: proxy, to: 'no:80', domains: [off.example], state: stopped }\n";
        let loaded = crate::fleet::load(text, "fleet.yml".as_ref());
        loaded.unwrap().fleet
    }

    /// The same host with somebody else's container on it.
    fn beside(name: &str, ip: [u8; 4], run: RunState) -> ObservedHost {
        let mut host = host(128, RunState::Running, "d1");
        host.containers.push(ObservedContainer {
            id: format!("{name}{ip:?}"),
            name: name.into(),
            run,
            addresses: [("web".to_owned(), ip.into())].into(),
            ..ObservedContainer::default()
        });
        host
    }

    /// The address of a container that a `proxy` leads to may be another customer's by now.
    #[test]
    fn what_a_proxy_leads_to_matters_and_other_containers_do_not() {
        let (fleet, one) = (fleet(), "one".parse().unwrap());
        let then = beside("app", [172, 18, 0, 5], RunState::Running);
        for (now, says) in [
            (
                beside("app", [172, 18, 0, 6], RunState::Running),
                "shop: leads to: 172.18.0.5:80 → 172.18.0.6:80",
            ),
            (
                beside("app", [172, 18, 0, 5], RunState::Exited),
                "shop: leads to: 172.18.0.5:80 → the container app does not run",
            ),
            (
                beside("web", [172, 18, 0, 5], RunState::Running),
                "shop: leads to: 172.18.0.5:80 → there is no container app on this host",
            ),
        ] {
            assert_ne!(of(&then, &fleet, &one), of(&now, &fleet, &one), "{says}");
            let facts = |host| facts(host, &fleet, &one);
            assert_eq!(moved(&facts(&then), &facts(&now)), [says]);
        }
        let mut crowded = then.clone();
        let web = beside("web", [172, 18, 0, 9], RunState::Running);
        crowded
            .containers
            .extend(web.containers.into_iter().skip(1));
        assert_eq!(of(&then, &fleet, &one), of(&crowded, &fleet, &one));
        // A copy has labels, and is nobody's.
        let mut copied = then.clone();
        copied.containers.push(ObservedContainer {
            id: "2".repeat(16),
            name: "copy".into(),
            ..then.containers[0].clone()
        });
        assert_eq!(of(&then, &fleet, &one), of(&copied, &fleet, &one));
        // No site of another host's leads there.
        let two = "two".parse().unwrap();
        let elsewhere = beside("app", [172, 18, 0, 6], RunState::Running);
        assert_eq!(of(&then, &fleet, &two), of(&elsewhere, &fleet, &two));
    }

    #[test]
    fn what_moved_is_told_field_by_field() {
        let (fleet, one) = (fleet(), "one".parse().unwrap());
        let then = facts(&host(128, RunState::Running, "d1"), &fleet, &one);
        assert!(moved(&then, &then).is_empty());
        let now = facts(&host(256, RunState::Exited, "d2"), &fleet, &one);
        assert_eq!(
            moved(&then, &now),
            [
                format!(
                    "blog: container {}: running (0123456789ab) → not running (0123456789ab)",
                    own_name()
                ),
                "blog: memory: 128M → 256M".into(),
                "blog: secret PASSWORD is another".into(),
            ]
        );
        let gone = facts(&ObservedHost::default(), &fleet, &one);
        assert!(moved(&then, &gone).contains(&"blog: is gone".to_owned()));
        assert!(!format!("{now:?}").contains("d2"), "not the digest itself");
    }

    /// What the hash covers the facts tell: nothing moves that could not be named.
    #[test]
    fn facts_differ_wherever_the_hash_does() {
        let (fleet, one) = (fleet(), "one".parse().unwrap());
        let base = host(128, RunState::Running, "d1");
        let mut others = vec![
            host(256, RunState::Running, "d1"),
            host(128, RunState::Exited, "d1"),
            host(128, RunState::Running, "d2"),
        ];
        let mut renamed = base.clone();
        renamed.containers[0].name = names::next(&own_name());
        others.push(renamed);
        let mut replaced = base.clone();
        replaced.containers[0].id = "fedcba9876543210".into();
        others.push(replaced);
        for other in others {
            assert_ne!(of(&base, &fleet, &one), of(&other, &fleet, &one));
            assert!(!moved(&facts(&base, &fleet, &one), &facts(&other, &fleet, &one)).is_empty());
        }
    }
}

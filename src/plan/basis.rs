//! A hash of what was found on a host and matters for its plan: a saved plan is applied only while
//! it stays the same.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use super::container::is_active;
use super::index::Index;
use super::route;
use crate::fleet::{Fleet, Name, ProxyTarget, Recipe, SiteState};
use crate::observe::model::ObservedHost;
use crate::record::route::{RouteEntry, RouteTarget};
use crate::record::{Labelled, RecordedState, Role, StateRead};

/// The hash. `name`: the host. Of foreign containers only those matter that a `proxy` leads to: an
/// address may be somebody else's by the time it is routed to. What others hold (addresses, ports)
/// is checked again by the engine when it is asked for.
pub fn of(host: &ObservedHost, fleet: &Fleet, name: &Name) -> String {
    let mut hash = Fields(Sha256::new());
    let mut ours: Vec<_> = host
        .containers
        .iter()
        .filter(|c| c.is_of(&fleet.name) && c.role() != Some(Role::Lock))
        .collect();
    ours.sort_by(|a, b| a.id.cmp(&b.id));
    for container in ours {
        hash.field(b"container");
        hash.field(container.id.as_bytes());
        hash.field(container.name.as_bytes());
        hash.field(&[u8::from(is_active(container))]);
    }
    for network in &host.networks {
        if network.is_of(&fleet.name) {
            hash.field(b"network");
            hash.field(network.id.as_bytes());
        }
    }
    for (site, target) in leads(host, fleet, name) {
        hash.field(b"leads");
        hash.field(site.as_str().as_bytes());
        hash.field(format!("{target:?}").as_bytes());
    }
    match &host.state {
        StateRead::NoToolbox => hash.field(b"no toolbox"),
        StateRead::Damaged { why } => hash.field(why.as_bytes()),
        StateRead::Read(state) => {
            hash.field(b"state");
            if let Some(record) = &state.host {
                hash.field(record.fleet_hash.as_bytes());
                hash.field(record.digest_key.as_bytes());
            }
            hash.field(state.router.config_hash.as_bytes());
            for entry in state.router.routes.values() {
                hash.route(entry);
            }
            for (name, record) in &state.sites {
                hash.field(b"site");
                hash.field(name.as_str().as_bytes());
                hash.field(&record.uid.to_le_bytes());
                hash.field(record.hash.as_deref().unwrap_or("").as_bytes());
                let limits = &record.limits;
                hash.field(&limits.memory.unwrap_or(0).to_le_bytes());
                hash.field(&limits.nano_cpus.unwrap_or(0).to_le_bytes());
                hash.field(&limits.pids.unwrap_or(0).to_le_bytes());
                hash.field(format!("{:?}", record.state).as_bytes());
                for (secret, digest) in &record.secrets {
                    hash.field(secret.as_bytes());
                    hash.field(digest.as_bytes());
                }
            }
        }
    }
    hash.end()
}

/// What was found on a host and matters for its plan, in words: place (a site, or nothing for the
/// host itself) → what → how it is. Two of them say what moved in between.
pub type Facts = BTreeMap<String, BTreeMap<String, String>>;

/// The same that [`of`] hashes, told. Digests of secrets are told by a digest of them.
pub fn facts(host: &ObservedHost, fleet: &Fleet, name: &Name) -> Facts {
    let mut facts = Facts::new();
    let mut tell = |place: &str, what: String, how: String| {
        facts.entry(place.to_owned()).or_default().insert(what, how);
    };
    for container in host.containers.iter().filter(|c| c.is_of(&fleet.name)) {
        if container.role() == Some(Role::Lock) {
            continue;
        }
        let site = container.site().unwrap_or_default();
        let life = match is_active(container) {
            true => "running",
            false => "not running",
        };
        let id = container.id.get(..12).unwrap_or(&container.id);
        let what = format!("container {}", container.name);
        tell(site, what, format!("{life} ({id})"));
    }
    for network in host.networks.iter().filter(|n| n.is_of(&fleet.name)) {
        let id = network.id.get(..12).unwrap_or(&network.id);
        tell("", format!("network {}", network.name), id.to_owned());
    }
    for (site, target) in leads(host, fleet, name) {
        let to = target.as_ref().map_or_else(String::clone, shown);
        tell(site.as_str(), "leads to".into(), to);
    }
    let state = match &host.state {
        StateRead::NoToolbox => {
            tell("", "what ostler keeps there".into(), "not read".into());
            return facts;
        }
        StateRead::Damaged { why } => {
            tell("", "what ostler keeps there".into(), why.clone());
            return facts;
        }
        StateRead::Read(state) => state,
    };
    if let Some(record) = &state.host {
        let by = record.applied_by.as_deref().unwrap_or("nobody");
        let hash = short(&record.fleet_hash);
        tell("", "fleet file applied".into(), format!("{hash} by {by}"));
        tell("", "key of digests".into(), digest(&record.digest_key));
    }
    let config = short(&state.router.config_hash);
    tell("", "router's configuration".into(), config);
    for entry in state.router.routes.values() {
        let site = entry.site.as_str();
        let list: Vec<&str> = entry.domains.iter().map(|d| d.as_str()).collect();
        tell(site, "domains".into(), list.join(", "));
        let redirects = entry.redirects.iter();
        let list: Vec<String> = redirects.map(|(d, to)| format!("{d} → {to}")).collect();
        tell(site, "redirects".into(), list.join(", "));
        tell(site, "route".into(), shown(&entry.target));
        tell(site, "connections".into(), entry.connections.to_string());
    }
    for (name, record) in &state.sites {
        let site = name.as_str();
        tell(site, "user id".into(), record.uid.to_string());
        let hash = record.hash.as_deref().map_or("none".into(), short);
        tell(site, "container's specification".into(), hash);
        for (key, limit) in record.limits.each() {
            tell(site, key.into(), limit.unwrap_or_else(|| "none".into()));
        }
        let state = match record.state {
            RecordedState::Wanted(state) => state.word(),
            RecordedState::Leftover => "leftover",
        };
        tell(site, "state".into(), state.into());
        for (secret, bytes) in &record.secrets {
            tell(site, format!("secret {secret}"), digest(bytes));
        }
    }
    facts
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
                (Some(_), Some(_)) if what.starts_with("secret ") => {
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
    sites
        .map(|(site, to)| (site, route::proxy_target(to, &index)))
        .collect()
}

fn shown(target: &RouteTarget) -> String {
    match target {
        RouteTarget::Address { ip, port } => format!("{ip}:{port}"),
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

/// Each field with its length in front, so that no two lists of fields look alike.
struct Fields(Sha256);

impl Fields {
    fn field(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }
    fn route(&mut self, entry: &RouteEntry) {
        self.field(entry.site.as_str().as_bytes());
        for domain in &entry.domains {
            self.field(domain.as_str().as_bytes());
        }
        for (domain, to) in &entry.redirects {
            self.field(domain.as_str().as_bytes());
            self.field(to.as_bytes());
        }
        self.field(format!("{:?}", entry.target).as_bytes());
        self.field(&entry.connections.to_le_bytes());
    }
    fn end(self) -> String {
        hex::encode(&self.0.finalize()[..16])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::{Limits, SiteState};
    use crate::observe::model::{ObservedContainer, RunState};
    use crate::record::{HostState, SiteRecord};

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
        use crate::record::labels;
        let labels = [(labels::FLEET, "x"), (labels::SITE, "blog")];
        ObservedHost {
            containers: vec![ObservedContainer {
                id: "0123456789abcdef".into(),
                name: "ostler-x-1".into(),
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
                "blog: container ostler-x-1: running (0123456789ab) → not running (0123456789ab)",
                "blog: memory: 128M → 256M",
                "blog: secret PASSWORD is another",
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
        renamed.containers[0].name = "ostler-x-2".into();
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

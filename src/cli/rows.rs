//! Rows about sites and hosts, for tables and for programs. Pure: from what should be and what was
//! found.

use std::net::Ipv4Addr;

use serde::Serialize;

use crate::fleet::{Domain, Fleet, Host, Name, Recipe, SiteState};
use crate::observe::model::{HostObservation, Observed, ObservedContainer, ObservedHost, RunState};
use crate::plan::drift::{self, Drift, Field};
use crate::plan::unfinished::told;
use crate::record::lock::Holder;
use crate::record::route::RouteTarget;
use crate::record::{Applying, Labelled, RecordedState, Role, SiteRecord};

/// One site, as `sites --json` tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SiteRow {
    /// Its name.
    pub name: Name,
    /// The customer.
    pub account: Option<Name>,
    /// Where it runs.
    pub host: Name,
    /// How it is run; `None` for a leftover.
    pub recipe: Option<&'static str>,
    /// What is: `running`, `stopped`, `archived`, `routed` (a proxy), `missing`, `created`, `exited`,
    /// `restarting`, `paused`, `dead`, `leftover`, `unreachable`.
    pub state: &'static str,
    /// What the file says should be; `None` for a leftover.
    pub wanted: Option<SiteState>,
    /// Whether `state` is as wanted.
    pub ok: bool,
    /// Why it is not well.
    pub why: Option<String>,
    /// What differs from what was last applied, a line each.
    pub drift: Vec<String>,
    /// Domains.
    pub domains: Vec<Domain>,
    /// The container's address on the sites' network.
    pub address: Option<Ipv4Addr>,
    /// The image it runs.
    pub image: Option<String>,
    /// Bytes; as the daemon has it, else as last applied, else as the file says.
    pub memory_limit: Option<u64>,
    /// Container's id.
    pub container: Option<String>,
}

/// One host, as `hosts --json` tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HostRow {
    /// Its name.
    pub name: Name,
    /// Where its engine is.
    pub engine: String,
    /// Whether it answered.
    pub reachable: bool,
    /// Why not.
    pub why: Option<String>,
    /// The engine's release.
    pub version: Option<String>,
    /// The API version in use.
    pub api: Option<String>,
    /// Operating system.
    pub os: Option<String>,
    /// CPUs.
    pub cpus: Option<u32>,
    /// Bytes.
    pub memory: Option<u64>,
    /// Sites of the file that live there.
    pub sites: usize,
    /// Containers with our labels.
    pub containers: usize,
    /// Containers without.
    pub foreign: usize,
    /// The router's state in the engine's words; `None`: there is none.
    pub router: Option<String>,
    /// When our certificate ends, unix seconds; `None` where the connection has none.
    pub client_certificate_until: Option<i64>,
    /// When the engine's certificate ends, unix seconds.
    pub server_certificate_until: Option<i64>,
    /// Who holds the lock of the fleet there.
    pub lock: Option<Holder>,
    /// Applies that were cut off there.
    pub unfinished: Vec<Applying>,
    /// The same in words.
    #[serde(skip)]
    pub told: Vec<String>,
}

/// A row for every site of the file that `selected` takes, then one for every leftover.
pub fn sites(fleet: &Fleet, observed: &Observed, selected: impl Fn(&Name) -> bool) -> Vec<SiteRow> {
    let mut rows = Vec::new();
    let found_drift = drift::of_fleet(fleet, observed);
    for site in fleet.sites.values().filter(|s| selected(&s.name)) {
        let found = match observed.hosts.get(&site.host) {
            Some(HostObservation::Reached(host)) => Ok(host.as_ref()),
            Some(HostObservation::Unreachable { why }) => Err(why.as_str()),
            None => Err("not looked at"),
        };
        let host = found.ok();
        let record = host.and_then(|h| h.state.read()?.record(&site.name));
        let container = host.and_then(|h| container_of(h, &fleet.name, &site.name));
        let proxy = matches!(site.recipe, Recipe::Proxy { .. });
        let state = match host {
            None => "unreachable",
            Some(host) => state_word(host, site.state, proxy, record, container, &site.name),
        };
        let why = match found {
            Err(why) => Some(why.to_owned()),
            Ok(_) => why(state, site.state, record, container),
        };
        let wanted = if proxy && site.state == SiteState::Running {
            "routed"
        } else {
            site.state.word()
        };
        let limits = container
            .and_then(|c| c.inspected.as_ref())
            .map(|i| i.limits);
        let limits = limits.or(record.map(|r| r.limits)).unwrap_or(site.limits);
        rows.push(SiteRow {
            name: site.name.clone(),
            account: site.account.clone(),
            host: site.host.clone(),
            recipe: Some(site.recipe.word()),
            state,
            wanted: Some(site.state),
            ok: state == wanted,
            why,
            drift: by_hand(&found_drift, &site.host, &site.name, state == wanted),
            domains: site.domains.clone(),
            address: container.and_then(|c| address_of(c, &fleet.name)),
            image: container.map(|c| c.image.clone()),
            memory_limit: limits.memory,
            container: container.map(|c| c.id.clone()),
        });
    }
    for (name, host) in &observed.hosts {
        let Some(host) = host.reached() else { continue };
        let Some(state) = host.state.read() else {
            continue;
        };
        for record in state.sites.values() {
            let elsewhere = fleet
                .sites
                .get(&record.site)
                .is_some_and(|s| s.host != *name);
            let known = fleet.sites.contains_key(&record.site) && !elsewhere;
            if !known && selected(&record.site) {
                rows.push(leftover(fleet, name, host, record));
            }
        }
    }
    rows
}

fn leftover(fleet: &Fleet, host: &Name, found: &ObservedHost, record: &SiteRecord) -> SiteRow {
    let container = container_of(found, &fleet.name, &record.site);
    let why = match record.state {
        RecordedState::Leftover => "removed from the fleet file; container stopped, data kept",
        RecordedState::Wanted(_) => "not in this fleet file; apply would stop it",
    };
    SiteRow {
        name: record.site.clone(),
        account: None,
        host: host.clone(),
        recipe: None,
        state: "leftover",
        wanted: None,
        ok: record.state == RecordedState::Leftover,
        why: Some(why.into()),
        drift: Vec::new(),
        domains: Vec::new(),
        address: container.and_then(|c| address_of(c, &fleet.name)),
        image: container.map(|c| c.image.clone()),
        memory_limit: record.limits.memory,
        container: container.map(|c| c.id.clone()),
    }
}

/// The container of a site. Of several the one that runs, then the newest: the others are being
/// replaced.
fn container_of<'a>(
    host: &'a ObservedHost,
    fleet: &Name,
    site: &Name,
) -> Option<&'a ObservedContainer> {
    host.containers
        .iter()
        .filter(|c| c.is_site(fleet, site.as_str()))
        .max_by_key(|c| (c.is_running(), c.created))
}

fn address_of(container: &ObservedContainer, fleet: &Name) -> Option<Ipv4Addr> {
    let network = format!("ostler-{fleet}");
    let found = container.addresses.get(&network).copied();
    found.or_else(|| container.asked_address())
}

fn state_word(
    host: &ObservedHost,
    wanted: SiteState,
    proxy: bool,
    record: Option<&SiteRecord>,
    container: Option<&ObservedContainer>,
    site: &Name,
) -> &'static str {
    let routes = host.state.read().map(|s| &s.router.routes);
    let target = routes.and_then(|r| r.get(site)).map(|entry| &entry.target);
    if proxy {
        return match target {
            Some(RouteTarget::Stopped) => "stopped",
            Some(_) => "routed",
            None if wanted == SiteState::Archived && record.is_some() => "archived",
            None => "missing",
        };
    }
    let Some(container) = container else {
        // A site that never ran has nothing to stop or to take away.
        let parked = matches!(target, Some(RouteTarget::Stopped));
        return match wanted {
            SiteState::Archived if target.is_none() => "archived",
            SiteState::Stopped if parked => "stopped",
            _ if record.is_some_and(|r| r.state == RecordedState::Wanted(SiteState::Archived)) => {
                "archived"
            }
            _ => "missing",
        };
    };
    match container.run {
        RunState::Running => "running",
        RunState::Paused => "paused",
        RunState::Restarting => "restarting",
        RunState::Removing => "missing",
        RunState::Dead => "dead",
        RunState::Created => "created",
        RunState::Exited => {
            let meant = record.is_some_and(|r| {
                matches!(
                    r.state,
                    RecordedState::Wanted(SiteState::Stopped) | RecordedState::Leftover
                )
            });
            if meant { "stopped" } else { "exited" }
        }
    }
}

fn why(
    state: &str,
    wanted: SiteState,
    record: Option<&SiteRecord>,
    container: Option<&ObservedContainer>,
) -> Option<String> {
    match state {
        "missing" if record.is_none() => Some("not applied yet".into()),
        "missing" => Some("its container is gone".into()),
        "created" => Some("its container was never started".into()),
        "exited" | "restarting" | "dead" => Some(ended(container?)),
        "paused" => Some("paused by hand".into()),
        _ if state == wanted.word() || state == "routed" => None,
        _ => Some(format!("should be {}: not applied yet", wanted.word())),
    }
}

/// How a container ended, as far as is known.
fn ended(container: &ObservedContainer) -> String {
    let word = match container.run {
        RunState::Restarting => "keeps exiting",
        _ => "exited",
    };
    let Some(facts) = &container.inspected else {
        return word.to_owned();
    };
    let code = facts.exit_code.unwrap_or_default();
    match facts.oom_killed {
        true => format!("{word} ({code}, out of memory)"),
        false => format!("{word} ({code})"),
    }
}

/// What was changed by hand since it was last applied, a line each. What `why` says is not said
/// twice.
fn by_hand(found: &[Drift], host: &Name, site: &Name, ok: bool) -> Vec<String> {
    let fields = found
        .iter()
        .filter(|d| d.host == *host && d.site.as_ref() == Some(site))
        .flat_map(|d| &d.fields);
    fields
        .filter(|f| f.by_hand() && (ok || !matches!(f.path.as_str(), "state" | "container")))
        .map(Field::line)
        .collect()
}

/// A row for every host that `selected` takes.
pub fn hosts(fleet: &Fleet, observed: &Observed, selected: impl Fn(&Name) -> bool) -> Vec<HostRow> {
    let hosts = fleet.hosts.values().filter(|h| selected(&h.name));
    hosts
        .map(|h| host(fleet, h, observed.hosts.get(&h.name)))
        .collect()
}

fn host(fleet: &Fleet, host: &Host, found: Option<&HostObservation>) -> HostRow {
    let reached = found.and_then(HostObservation::reached);
    let facts = reached.map(|r| &r.engine);
    let certificates = facts.and_then(|f| f.certificates);
    let containers = reached.map_or(&[][..], |r| &r.containers);
    let mine = |c: &&ObservedContainer| c.is_of(&fleet.name);
    let router = containers.iter().find(|c| c.is(&fleet.name, Role::Router));
    HostRow {
        name: host.name.clone(),
        engine: host.engine.to_string(),
        reachable: reached.is_some(),
        why: match found {
            Some(HostObservation::Unreachable { why }) => Some(why.clone()),
            Some(HostObservation::Reached(_)) => None,
            None => Some("not looked at".into()),
        },
        version: facts.map(|f| f.version.clone()),
        api: facts.map(|f| f.api.clone()),
        os: facts.map(|f| f.os.clone()),
        cpus: facts.map(|f| f.cpus),
        memory: facts.map(|f| f.memory),
        sites: fleet.sites_on(&host.name).count(),
        containers: containers.iter().filter(mine).count(),
        foreign: containers.iter().filter(|c| !mine(c)).count(),
        router: router.map(|r| r.status.clone()),
        client_certificate_until: certificates.map(|c| c.client_until),
        server_certificate_until: certificates.map(|c| c.server_until),
        lock: reached.and_then(|r| r.lock.clone()),
        unfinished: reached.map_or(Vec::new(), |r| r.unfinished().cloned().collect()),
        told: reached.map_or(Vec::new(), told),
    }
}

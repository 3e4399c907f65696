//! What is told of sites and hosts, for tables and for programs. The judgement is the verdict's.

use std::collections::HashMap;

use serde::Serialize;

use crate::fleet::{Fleet, Host, Name, SiteState};
use crate::observe::model::{HostObservation, Observed, ObservedContainer};
use crate::observe::whose::{self, whose};
use crate::plan::drift::Field;
use crate::plan::unfinished::told;
use crate::record::Applying;
use crate::record::lock::Holder;
use crate::verdict::due::DriftBySite;
use crate::verdict::site::rows_with;
use crate::verdict::trouble::trouble;
use crate::verdict::{Due, HostData, Life, Link, Probe, SiteRow, State};

/// One site, as `sites --json` tells it.
#[derive(Debug, Clone, Serialize)]
pub struct SiteTold {
    name: String,
    account: Option<String>,
    host: String,
    recipe: Option<String>,
    state: Life,
    verdict: State,
    since: Option<i64>,
    since_exact: Option<bool>,
    wanted: Option<SiteState>,
    ok: bool,
    why: Option<String>,
    drift: Vec<String>,
    domains: Vec<String>,
    address: Option<String>,
    image: Option<String>,
    newer_image: bool,
    memory_limit: Option<u64>,
    container: Option<String>,
}

impl SiteTold {
    /// Out of its verdict.
    pub fn of(row: SiteRow) -> SiteTold {
        let some = |text: String| Some(text).filter(|text| !text.is_empty());
        SiteTold {
            ok: row.is_ok(),
            drift: by_hand(&row),
            name: row.name,
            account: some(row.account),
            host: row.host,
            recipe: some(row.recipe),
            state: row.life,
            verdict: row.state,
            since: row.since.map(|since| since.at),
            since_exact: row.since.map(|since| since.exact),
            wanted: row.wanted,
            why: some(row.why),
            domains: row.domains,
            address: some(row.address),
            image: some(row.image),
            newer_image: row.newer_image,
            memory_limit: row.memory_limit,
            container: row.container,
        }
    }
}

/// A verdict for every site of the file that `selected` takes, then for every leftover. `due`: what
/// is to be done, where that was planned; `probes`: what came of asking the sites.
pub fn judged(
    fleet: &Fleet,
    observed: &Observed,
    due: Option<&Due>,
    probes: &HashMap<Name, Probe>,
    selected: impl Fn(&Name) -> bool,
) -> Vec<SiteRow> {
    let now = chrono::Utc::now().timestamp();
    let mut rows = rows_with(fleet, observed, due, probes, now);
    rows.retain(|row| row.name.parse().is_ok_and(|name| selected(&name)));
    rows
}

/// What was changed by hand since it was last applied, a line each; without what `state` says
/// already.
pub fn by_hand(row: &SiteRow) -> Vec<String> {
    let said = |field: &&Field| !row.as_wanted && matches!(&*field.path, "state" | "container");
    let fields = row.drift.iter().filter(|field| field.by_hand());
    fields.filter(|f| !said(f)).map(Field::line).collect()
}

/// One host, as `hosts --json` tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HostTold {
    pub name: Name,
    pub engine: String,
    /// Whether it answered.
    pub reachable: bool,
    /// The link in a word: `ready` or `lost`.
    #[serde(rename = "verdict")]
    pub link: Link,
    /// Why it did not.
    pub why: Option<String>,
    /// The engine's release.
    pub version: Option<String>,
    /// The API version in use.
    pub api: Option<String>,
    /// Operating system.
    pub os: Option<String>,
    pub cpus: Option<u32>,
    /// Bytes.
    pub memory: Option<u64>,
    /// Sites of the file that live there.
    pub sites: usize,
    /// Containers of the fleet.
    pub containers: usize,
    /// All others.
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
    /// What is the matter with a host that answers.
    pub trouble: Option<String>,
    /// What is to be told of it, in words.
    #[serde(skip)]
    pub told: Vec<String>,
}

/// A row for every host that `selected` takes.
pub fn hosts(
    fleet: &Fleet,
    observed: &Observed,
    selected: impl Fn(&Name) -> bool,
) -> Vec<HostTold> {
    let hosts = fleet.hosts.values().filter(|h| selected(&h.name));
    hosts
        .map(|h| host(fleet, h, observed.hosts.get(&h.name)))
        .collect()
}

fn host(fleet: &Fleet, host: &Host, found: Option<&HostObservation>) -> HostTold {
    let reached = found.and_then(HostObservation::reached);
    let facts = reached.map(|r| &r.engine);
    let certificates = facts.and_then(|f| f.certificates);
    let containers = reached.map_or(&[][..], |r| &r.containers);
    let mine = |c: &&ObservedContainer| whose(c, &fleet.name).is_some();
    let router = whose::router(containers, &fleet.name);
    let trouble = reached.and_then(|r| trouble(fleet, host, r));
    let trouble = trouble.map(|(_, why)| why);
    HostTold {
        name: host.name.clone(),
        engine: host.engine.to_string(),
        reachable: reached.is_some(),
        link: HostData::of(found, DriftBySite::new(), 0).link,
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
        told: reached
            .map_or(Vec::new(), told)
            .into_iter()
            .chain(trouble.clone())
            .collect(),
        trouble,
    }
}

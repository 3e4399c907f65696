//! A host with its verdict; and one in trouble as one line among the sites, not one line per site.

use std::sync::Arc;

use super::evidence::{HostData, Reading, Source};
use super::link::{Link, Pulse};
use super::reach::link;
use super::row::{SiteRow, blank};
use super::since::Since;
use super::state::State;
use super::tally::{Tally, tally};
use super::trouble::{trouble, untended};
use crate::fleet::{Fleet, Host, Name};
use crate::observe::model::ObservedHost;
use crate::plan::unfinished::told;
use crate::record::{Machine, Scarce};
use crate::text::{clean, count};

/// One line of the list of hosts.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HostRow {
    /// What the cursor is bound to: the host's name.
    pub key: Arc<str>,
    /// The host.
    pub name: String,
    /// How its engine is reached.
    pub address: String,
    /// Whether it answers.
    pub link: Link,
    /// Unix seconds since when.
    pub since: i64,
    /// When it was last read in full.
    pub seen: Option<i64>,
    /// All that is known of it is from then.
    pub stale: bool,
    /// When the next attempt is made.
    pub retry_at: Option<i64>,
    /// What is the matter.
    pub why: String,
    /// Engine version.
    pub version: String,
    /// API version.
    pub api: String,
    /// Operating system.
    pub os: String,
    pub cpus: u32,
    /// Bytes.
    pub memory: u64,
    /// Containers there, all and running.
    pub containers: (usize, usize),
    /// Containers that are not ostler's.
    pub foreign: usize,
    /// Sites of the file there, and how many are in which trouble.
    pub sites: Tally,
    /// Sum of the sites' requests per second.
    pub requests: Option<f64>,
    /// Who applied last, as recorded there.
    pub applied_by: String,
    /// Round trip and clock.
    pub pulse: Option<Pulse>,
    /// Its machine's numbers.
    pub machine: Option<Reading<Machine>>,
    /// When the first of the connection's certificates ends, unix seconds.
    pub certificate_until: Option<i64>,
    /// Who applies now, and what was cut off, in words.
    pub told: Vec<String>,
}

impl HostRow {
    /// What of its disks is nearly used up.
    pub fn scarce(&self) -> Vec<Scarce> {
        self.machine.map_or_else(Vec::new, |m| m.value.scarce())
    }

    /// The worst of disk, memory and load, where they are known.
    pub fn pressure(&self) -> Option<f64> {
        self.machine.map(|m| m.value.pressure(self.cpus))
    }
}

/// The row of a host, the rows of its sites and containers given.
pub fn host_row(
    fleet: Option<&Fleet>,
    host: &Host,
    data: &HostData,
    sites: &[SiteRow],
    now: i64,
) -> HostRow {
    let (link, why) = link(data, now);
    let mut row = HostRow {
        key: Arc::from(host.name.as_str()),
        pulse: data.pulse,
        machine: data.machine.map(|(it, at)| Source::Engine.told(it, at)),
        name: host.name.to_string(),
        address: host.engine.to_string(),
        link,
        since: data.link_since,
        seen: data.observed_at,
        stale: data.is_stale(now),
        retry_at: data.retry_at,
        why,
        ..HostRow::default()
    };
    let mut requests = None;
    row.sites = tally(sites, false);
    for site in sites {
        row.foreign += usize::from(site.foreign);
        if let Some(reading) = site.requests {
            *requests.get_or_insert(0.0) += reading.value;
        }
    }
    row.requests = requests;
    if row.link == Link::Ready && row.why.is_empty() {
        row.why = Scarce::words(&row.scarce());
    }
    if let Some(observed) = &data.observed {
        describe_engine(&mut row, observed);
        let trouble = fleet.and_then(|fleet| trouble(fleet, host, observed));
        row.told.extend(trouble.map(|(_, why)| why));
        let untended = fleet.and_then(|fleet| untended(fleet, observed, now));
        row.told.extend(untended);
    }
    row
}

fn describe_engine(row: &mut HostRow, observed: &ObservedHost) {
    row.version = clean(&observed.engine.version).into_owned();
    row.api = clean(&observed.engine.api).into_owned();
    row.os = clean(&observed.engine.os).into_owned();
    row.cpus = observed.engine.cpus;
    row.memory = observed.engine.memory;
    row.certificate_until = observed.engine.certificates.map(|c| c.until());
    let running = observed
        .containers
        .iter()
        .filter(|c| c.is_running())
        .count();
    row.containers = (observed.containers.len(), running);
    row.told = told(observed);
    row.applied_by = observed
        .state
        .read()
        .and_then(|s| s.host.as_ref())
        .and_then(|h| h.applied_by.as_deref())
        .map(|t| clean(t).into_owned())
        .unwrap_or_default();
}

/// The line of a host that is lost or degraded, whose disks are nearly full. `rows` are its sites'
/// and containers'.
pub fn alert(host: &Name, data: &HostData, rows: &[SiteRow], now: i64) -> Option<SiteRow> {
    let (link, mut why) = link(data, now);
    let state = match link {
        Link::BackingOff => State::Lost,
        Link::Degraded => State::Degraded,
        Link::Ready => return full(host, data),
        Link::Connecting => return None,
    };
    let sites = rows.iter().filter(|r| r.in_file).count();
    let unread = data.unread(now);
    if (state == State::Lost || unread.is_some()) && sites > 0 {
        let unknown = count(sites, "site");
        why = format!("{why}; {unknown} not known");
    }
    Some(SiteRow {
        state,
        since: Some(match unread {
            Some(at) => Since {
                at,
                exact: data.observed_at.is_some(),
            },
            None => link_since(data),
        }),
        why,
        stale: false,
        ..host_line(host, data)
    })
}

/// Since when its link is as it is: of one that never answered it is known since the first attempt.
fn link_since(data: &HostData) -> Since {
    let answered = data.links.iter().any(|change| change.link == Link::Ready);
    Since {
        at: data.link_since,
        exact: answered,
    }
}

/// The line of a host that answers and with which something is the matter.
pub fn ailing(fleet: &Fleet, host: &Host, data: &HostData) -> Option<SiteRow> {
    (data.link == Link::Ready).then_some(())?;
    let (state, why) = trouble(fleet, host, data.observed.as_ref()?)?;
    Some(SiteRow {
        state,
        why,
        stale: false,
        ..host_line(&host.name, data)
    })
}

/// The line of a host whose disks have little left.
fn full(host: &Name, data: &HostData) -> Option<SiteRow> {
    let scarce = data.machine?.0.scarce();
    let state = match scarce.first()?.is_out() {
        true => State::Failing,
        false => State::Warning,
    };
    Some(SiteRow {
        state,
        why: Scarce::words(&scarce),
        stale: false,
        ..host_line(host, data)
    })
}

/// A line about a host among those of its sites.
pub fn host_line(host: &Name, data: &HostData) -> SiteRow {
    SiteRow {
        // Keys of sites and containers have a slash.
        key: Arc::from(host.as_str()),
        is_host: true,
        ..blank(host, host.as_str(), data, false)
    }
}

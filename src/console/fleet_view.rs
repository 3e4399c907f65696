//! The fleet as the console shows it: plain rows, made from what workers send.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::message::DriftBySite;
use crate::fleet::{Name, SiteState};
use crate::host::Machine;
use crate::observe::model::ObservedHost;
use crate::plan::drift::Field;

/// All that the lists show.
#[derive(Debug, Clone, Default)]
pub struct FleetView {
    /// The fleet's name, or the host's where there is no fleet file.
    pub name: String,
    /// A simulated fleet.
    pub demo: bool,
    /// Read-only.
    pub on_call: bool,
    /// In the file's order.
    pub hosts: Vec<HostRow>,
    /// In the file's order, then leftovers, then foreign containers.
    pub sites: Vec<SiteRow>,
}

/// How a host is reached at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Link {
    /// First attempt.
    #[default]
    Connecting,
    /// It answers, and what is shown is current.
    Ready,
    /// It answers in part, or slowly.
    Degraded,
    /// It does not answer; the next attempt waits.
    BackingOff,
}

/// How far away a host is, and how wrong its clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pulse {
    /// How long a ping took.
    pub round_trip: Duration,
    /// Seconds that the host's clock is ahead of ours; below 0: behind. To a second or two.
    pub skew_s: Option<i64>,
}

impl Pulse {
    /// Clocks are read in whole seconds, each its own: less is no difference.
    const SAME_S: i64 = 2;

    /// How wrong the host's clock is, where it is.
    pub fn skew(&self) -> Option<i64> {
        self.skew_s.filter(|s| s.abs() > Self::SAME_S)
    }

    /// Whether another pulse is worth telling: nobody reads on from 12 ms to 13 ms.
    pub fn differs(&self, other: &Pulse) -> bool {
        let ms = |p: &Pulse| p.round_trip.as_secs_f64() * 1e3;
        let (a, b) = (ms(self), ms(other));
        let far = (a - b).abs() > (a.min(b) * 0.3).max(2.0);
        far || self.skew() != other.skew()
    }
}

/// A change of a host's link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkChange {
    /// Unix seconds.
    pub at: i64,
    /// To what.
    pub link: Link,
    /// Why.
    pub why: String,
}

/// Where a number comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The router's own numbers.
    Router,
    /// A request made from the operator's side.
    Probe,
    /// A request made by ostler from the host.
    Verified,
    /// The Docker Engine.
    Engine,
}

impl Source {
    /// In words.
    pub fn word(self) -> &'static str {
        match self {
            Source::Router => "router",
            Source::Probe => "probe from here",
            Source::Verified => "request on the host",
            Source::Engine => "engine",
        }
    }
}

/// A value with its source and the moment it was read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading<T> {
    /// The value.
    pub value: T,
    /// Unix seconds.
    pub at: i64,
    /// Where from.
    pub source: Source,
}

/// What one site is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// A host that does not answer.
    Lost,
    /// It does not answer, or its container is down.
    Failing,
    /// The engine keeps restarting it.
    Restarting,
    /// It answers, but something wants a look.
    Warning,
    /// A host that answers slowly, or not to everything.
    Degraded,
    /// It is not as it was last applied.
    Drift,
    /// The file was changed since it was last applied, or it never was.
    Pending,
    /// Coming up.
    Starting,
    /// Its host has not answered yet.
    Unknown,
    /// Removed from the file; its container is stopped and kept.
    Leftover,
    /// As it should be.
    Ok,
    /// A foreign container that runs.
    Running,
    /// Stopped, as the file says; or a foreign container that ended well.
    Stopped,
    /// Archived, as the file says.
    Archived,
}

impl State {
    /// The word on screen.
    pub fn word(self) -> &'static str {
        match self {
            State::Lost => "lost",
            State::Degraded => "degraded",
            State::Failing => "failing",
            State::Restarting => "restarting",
            State::Warning => "warning",
            State::Drift => "drift",
            State::Pending => "to apply",
            State::Starting => "starting",
            State::Unknown => "not known",
            State::Leftover => "leftover",
            State::Ok => "ok",
            State::Running => "running",
            State::Stopped => "stopped",
            State::Archived => "archived",
        }
    }

    /// How much it matters: 0 first.
    pub fn severity(self) -> u8 {
        match self {
            State::Lost | State::Failing | State::Restarting => 0,
            State::Warning | State::Degraded => 1,
            State::Drift => 2,
            State::Pending | State::Starting => 3,
            State::Unknown => 4,
            State::Leftover => 5,
            State::Ok | State::Running => 6,
            State::Stopped => 7,
            State::Archived => 8,
        }
    }

    /// Whether nothing wants attention.
    pub fn is_well(self) -> bool {
        self.severity() >= 6
    }
}

/// One line of the list of sites.
#[derive(Debug, Clone, PartialEq)]
pub struct SiteRow {
    /// What it is bound to: unique over the fleet, stable while the row lives.
    pub key: Arc<str>,
    /// The site's name, or a foreign container's.
    pub name: String,
    /// Not a site but a host in trouble.
    pub is_host: bool,
    /// A container without a label of ours.
    pub foreign: bool,
    /// In the fleet file.
    pub in_file: bool,
    /// Compose project of a foreign container.
    pub project: String,
    /// Customer.
    pub account: String,
    /// Host.
    pub host: String,
    /// Recipe's word; the service of a foreign container.
    pub recipe: String,
    /// Image reference.
    pub image: String,
    /// Domains it answers for.
    pub domains: Vec<String>,
    /// What the file wants.
    pub wanted: Option<SiteState>,
    /// What it is doing.
    pub state: State,
    /// Unix seconds since when, where known.
    pub since: Option<i64>,
    /// Last HTTP status.
    pub http: Option<Reading<u16>>,
    /// Requests per second.
    pub requests: Option<Reading<f64>>,
    /// Answers of 500 and above per minute.
    pub errors: Option<Reading<f64>>,
    /// Connections held at the router.
    pub connections: Option<Reading<u32>>,
    /// Bytes in use.
    pub memory_used: Option<Reading<u64>>,
    /// Bytes allowed.
    pub memory_limit: Option<u64>,
    /// Share of one CPU in use, 1.0 = one whole.
    pub cpu: Option<Reading<f64>>,
    /// Restarts made by the engine.
    pub restarts: u64,
    /// Times the kernel killed a process of it for memory, as far as the engine remembers.
    pub oom: u32,
    /// The last of them.
    pub last_oom: i64,
    /// Whether its container runs.
    pub running: bool,
    /// Container that serves it.
    pub container: Option<String>,
    /// That container's name.
    pub container_name: String,
    /// Its address on the sites' network.
    pub address: String,
    /// What is the matter, or worth knowing.
    pub why: String,
    /// What differs between last applied, live, and the file.
    pub drift: Vec<Field>,
    /// Its host does not answer: all of this is from `seen`.
    pub stale: bool,
    /// When its host was last read.
    pub seen: Option<i64>,
}

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
    /// CPUs.
    pub cpus: u32,
    /// Bytes.
    pub memory: u64,
    /// Containers there, all and running.
    pub containers: (usize, usize),
    /// Containers that are not ostler's.
    pub foreign: usize,
    /// Sites of the file there, and how many are not well.
    pub sites: (usize, usize),
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
    /// The worst of disk, memory and load, where they are known.
    pub fn pressure(&self) -> Option<f64> {
        self.machine.map(|m| m.value.pressure(self.cpus))
    }
}

/// What is known of one host, as it came in.
#[derive(Debug, Clone, Default)]
pub struct HostData {
    /// Whether it answers.
    pub link: Link,
    /// Since when.
    pub link_since: i64,
    /// Why not.
    pub why: String,
    /// When the next attempt is made; none while it is away: only when asked to.
    pub retry_at: Option<i64>,
    /// Its last changes, newest last.
    pub links: VecDeque<LinkChange>,
    /// Round trip and clock.
    pub pulse: Option<Pulse>,
    /// Its machine's numbers, and when they were read.
    pub machine: Option<(Machine, i64)>,
    /// Why there are no newer ones.
    pub machine_why: String,
    /// Last observation; stays when the host goes away.
    pub observed: Option<Arc<ObservedHost>>,
    /// What of it differs.
    pub drift: Arc<DriftBySite>,
    /// When.
    pub observed_at: Option<i64>,
    /// Since when looking at it has failed.
    pub unread_since: Option<i64>,
    /// Router's numbers by site.
    pub traffic: HashMap<Name, Traffic>,
    /// Numbers of the engine, by container.
    pub stats: HashMap<String, Usage>,
    /// What was seen of each container since the console runs.
    pub history: HashMap<String, History>,
}

/// Changes of a link that are remembered.
const LINKS_KEPT: usize = 50;

/// A host that was not read for so long is not watched as it should be, seconds: everything is
/// read every ten minutes.
pub const OLD_S: i64 = 720;

impl HostData {
    /// Of a host that is being connected to.
    pub fn connecting(now: i64) -> HostData {
        HostData {
            link: Link::Connecting,
            link_since: now,
            ..HostData::default()
        }
    }

    /// Whether it answers, at least in part.
    pub fn is_up(&self) -> bool {
        matches!(self.link, Link::Ready | Link::Degraded)
    }

    /// When what is known of a host that answers is old, if nothing comes.
    pub fn old_at(&self) -> Option<i64> {
        self.observed_at
            .filter(|_| self.is_up())
            .map(|at| at + OLD_S)
    }

    /// Since when nothing was read of a host that answers.
    pub fn unread(&self, now: i64) -> Option<i64> {
        let old = self.old_at().filter(|at| now >= *at).and(self.observed_at);
        self.unread_since.or(old).filter(|_| self.is_up())
    }

    /// Whether what is known of it may not be so any more.
    pub fn is_stale(&self, now: i64) -> bool {
        !self.is_up() || self.unread(now).is_some()
    }

    /// A moment that the host's clock told, on ours.
    pub fn ours(&self, at: i64) -> i64 {
        at - self.pulse.and_then(|p| p.skew()).unwrap_or(0)
    }

    /// Takes the router's numbers. The status of an answer stays known when the log that told it
    /// has moved on.
    pub fn set_traffic(&mut self, numbers: Vec<(Name, Traffic)>) {
        for (site, mut new) in numbers {
            let old = self.traffic.get(&site).and_then(|old| old.status);
            new.status = new.status.or(old);
            self.traffic.insert(site, new);
        }
    }

    /// Takes a new state of the link. Whether the host came or went.
    pub fn set_link(&mut self, now: i64, link: Link, why: String, retry_at: Option<i64>) -> bool {
        let up = |l| matches!(l, Link::Ready | Link::Degraded);
        // A host that stays degraded is one line, with the newest reason.
        let last = self.links.back_mut();
        if let Some(last) = last
            && last.link == link
            && (link == Link::Degraded || last.why == why)
        {
            last.why.clone_from(&why);
        } else {
            let why = why.clone();
            self.links.push_back(LinkChange { at: now, link, why });
            if self.links.len() > LINKS_KEPT {
                self.links.pop_front();
            }
        }
        // Away is away since the first attempt that failed, however often it is tried.
        if self.link != link && (up(self.link) || up(link)) {
            self.link_since = now;
        }
        let turned = up(self.link) != up(link) || self.link == Link::Connecting;
        (self.link, self.why, self.retry_at) = (link, why, retry_at);
        turned
    }
}

/// The router's numbers of one site.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Traffic {
    /// When they were read, unix seconds.
    pub at: i64,
    /// Requests per second.
    pub requests: f64,
    /// Answers of 500 and above per minute; `None`: what was read does not tell.
    pub errors: Option<f64>,
    /// Connections held.
    pub connections: u32,
    /// Status of the last answer and when it was given, where known.
    pub status: Option<(u16, i64)>,
}

/// What a container uses.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Usage {
    /// When it was read.
    pub at: i64,
    /// Bytes.
    pub memory: u64,
    /// Bytes allowed; 0: no limit.
    pub memory_limit: u64,
    /// Share of one CPU since the reading before; `None` at the first.
    pub cpu: Option<f64>,
    /// CPU time so far, to take the next difference from.
    pub cpu_total_ns: u64,
}

/// What happened to a container while the console watched.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct History {
    /// Kills for memory.
    pub ooms: u32,
    /// The last of them.
    pub last_oom: i64,
    /// When it last changed between running and not.
    pub changed: Option<i64>,
}

/// What a request from the operator's side found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// When, unix seconds.
    pub at: i64,
    /// Addresses the domain resolves to, or why not.
    pub dns: Result<Vec<String>, String>,
    /// Status of the answer, or why there was none.
    pub http: Result<u16, String>,
}

/// Data of all hosts.
pub type Hosts = BTreeMap<Name, HostData>;

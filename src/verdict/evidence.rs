//! What a verdict is made from: all that is known of a host, each with its age.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use super::due::{DriftBySite, Due};
use super::history::History;
use super::link::{Link, LinkChange, Pulse};
use super::since::Since;
use crate::fleet::{Fleet, Name};
use crate::observe::asked::Probe;
use crate::observe::model::{HostObservation, ObservedHost};
use crate::observe::served::Watched;
use crate::record::Machine;

/// Everything the rows of one fleet are made from.
pub struct Facts<'a> {
    /// The file; none when a single host is looked at.
    pub fleet: Option<&'a Fleet>,
    /// What planning found.
    pub due: &'a Due,
    /// What came of asking the sites ourselves.
    pub probes: &'a HashMap<Name, Probe>,
    /// Unix seconds.
    pub now: i64,
}

/// Where a number comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The router's own numbers.
    Router,
    /// Our own question to the site, through its router.
    Probe,
    /// The Docker Engine.
    Engine,
}

impl Source {
    /// A value that it told then, unix seconds.
    pub fn told<T>(self, value: T, at: i64) -> Reading<T> {
        Reading {
            value,
            at,
            source: self,
        }
    }

    pub fn word(self) -> &'static str {
        match self {
            Source::Router => "router",
            Source::Probe => "asked",
            Source::Engine => "engine",
        }
    }
}

/// A value with its source and the moment it was read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading<T> {
    pub value: T,
    /// Unix seconds.
    pub at: i64,
    /// Where from.
    pub source: Source,
}

/// What is known of one host, as it came in.
#[derive(Debug, Clone, Default)]
pub struct HostData {
    /// Whether it answers.
    pub link: Link,
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
    pub observed_at: Option<i64>,
    /// Since when looking at it has failed.
    pub unread_since: Option<i64>,
    /// What was found of its sites' certificates.
    pub certificates: Arc<Watched>,
    /// Router's numbers by site.
    pub traffic: HashMap<Name, Traffic>,
    /// Numbers of the engine, by container.
    pub stats: HashMap<String, Usage>,
    /// What events told of each container.
    pub history: HashMap<String, History>,
    /// When events were first heard as they came; those of before are what the engine remembered.
    pub listening: Option<i64>,
    /// When containers of sites were removed, by their names.
    pub removed: HashMap<String, i64>,
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

    /// Of one that was looked at once, a moment ago; `None`: it was not.
    pub fn of(found: Option<&HostObservation>, drift: DriftBySite, now: i64) -> HostData {
        let away = |why: &str| HostData {
            link: Link::BackingOff,
            why: why.to_owned(),
            ..HostData::connecting(now)
        };
        match found {
            None => away("not looked at"),
            Some(HostObservation::Unreachable { why }) => away(why),
            Some(HostObservation::Reached(host)) => HostData {
                link: Link::Ready,
                observed: Some(host.clone()),
                observed_at: Some(now),
                drift: Arc::new(drift),
                ..HostData::connecting(now)
            },
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

    /// Takes the router's numbers. What the log told stays known when the log has moved on.
    pub fn set_traffic(&mut self, numbers: Vec<(Name, Traffic)>) {
        for (site, mut new) in numbers {
            let errs = new.errors.is_some_and(|errors| errors >= 1.0);
            let was = self.traffic.get(&site).filter(|old| old.errors.is_some());
            new.erring = errs.then(|| Since::signs(new.at, was.map(|old| old.at)));
            if let Some(old) = self.traffic.get(&site) {
                new.status = new.status.or(old.status);
                let over = old.bad.filter(|_| new.bad.is_none()).map(|run| run.last);
                let again = over.zip(new.good);
                let again = again.map(|(bad, good)| Since::signs(good.max(bad), Some(bad)));
                new.again = again.or(old.again);
                new.erring = new.erring.and(old.erring.or(new.erring));
                // Nothing good was read since: it is the run of before, seen from later on.
                if new.good.is_none() {
                    new.good = old.good;
                    new.bad = Run::joined(old.bad, new.bad);
                    new.waited = Run::joined(old.waited, new.waited);
                }
            }
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
    /// When the last visitor came who got an answer below 500, where the log tells.
    pub good: Option<i64>,
    /// The bad answers since the last good one: 5xx, and those that [`Traffic::waited`] counts.
    /// As far back as the log was read: at least so many, at least so long.
    pub bad: Option<Run>,
    /// Those of them for which the visitor waited in vain: the router's time was up, or the visitor's
    /// patience.
    pub waited: Option<Run>,
    /// Since when there are answers of 500 and above all the time.
    pub erring: Option<Since>,
    /// Since when visitors get good answers again, where bad ones are known.
    pub again: Option<Since>,
}

/// Things of one kind that came after each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    pub count: u32,
    /// When the first and the last of them came to the router, unix seconds.
    pub first: i64,
    pub last: i64,
}

impl Run {
    /// The same run read twice, the second time perhaps no more from its beginning.
    fn joined(old: Option<Run>, new: Option<Run>) -> Option<Run> {
        match (old, new) {
            (Some(old), Some(new)) => Some(Run {
                count: old.count.max(new.count),
                first: old.first.min(new.first),
                last: old.last.max(new.last),
            }),
            (old, new) => new.or(old),
        }
    }

    /// One more, which came at `at`.
    pub fn and(run: Option<Run>, at: i64) -> Option<Run> {
        let run = run.unwrap_or(Run {
            count: 0,
            first: at,
            last: at,
        });
        Some(Run {
            count: run.count.saturating_add(1),
            first: run.first.min(at),
            last: run.last.max(at),
        })
    }
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

/// Data of all hosts.
pub type Hosts = BTreeMap<Name, HostData>;

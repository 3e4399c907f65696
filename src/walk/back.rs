//! The way back from an apply that was cut off: a plan against the fleet file that was applied
//! before it, for the sites it touched. It is shown, confirmed and run like any other plan; data is
//! left alone by it as by any other.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use futures_util::future::join_all;

use super::lineage;
use crate::engine::Client;
use crate::fleet::{self, Fleet, Name, SecretSpec, SiteState, file_hash};
use crate::host::secret::SecretSource;
use crate::host::{Toolbox, state};
use crate::observe::model::{HostObservation, Observed};
use crate::observe::scan::{Inspect, scan_in_time};
use crate::plan::{Notice, Plan, PlanOptions, plan_with};
use crate::record::text::printable;
use crate::record::{Applying, Layout, RecordedState, names};

/// Why an apply is not taken back.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BackError {
    /// No host that answers has a note of it.
    #[error("no host has an unfinished apply {0}")]
    Unknown(String),
    /// Somebody applied another file since.
    #[error(
        "{host}: another fleet file was applied there since, {by}: what it was before is not to be had back without undoing that too"
    )]
    AppliedSince {
        /// Where.
        host: Name,
        /// By whom and when.
        by: String,
    },
    /// The file that was applied before is not to be had.
    #[error("{host}: the fleet file that was applied before it is not to be had: {why}")]
    NoFile {
        /// Where.
        host: Name,
        /// Why not.
        why: String,
    },
    /// Two hosts with different files before it exchanged sites.
    #[error(
        "{one} and {other} exchanged sites in it, and had different fleet files before: whichever is taken back first \
         would take a site down that is not up on the other"
    )]
    Crossed {
        /// Where.
        one: Name,
        /// And where.
        other: Name,
    },
    /// A host that it worked on is not in the operator's fleet file.
    #[error("{host} is not in your fleet file")]
    NoHost {
        /// Which.
        host: Name,
    },
}

impl BackError {
    /// What can be done instead.
    pub fn help(&self) -> &'static str {
        match self {
            BackError::Unknown(_) => "`ostler status` says what was cut off",
            BackError::NoHost { .. } => "get the version of the fleet file that names it",
            BackError::AppliedSince { .. }
            | BackError::NoFile { .. }
            | BackError::Crossed { .. } => {
                "`ostler apply` finishes it instead: it brings the sites to what your fleet file says"
            }
        }
    }
}

/// One apply that was cut off, on all hosts that answered.
pub type CutOff = BTreeMap<Name, Applying>;

/// Applies that were cut off, by name. Those that were taking another one back are left out: that
/// other one is what is to be taken back.
pub fn cut_off(observed: &Observed) -> BTreeMap<String, CutOff> {
    let mut found: BTreeMap<String, CutOff> = BTreeMap::new();
    for (host, seen) in reached(observed) {
        for note in seen.unfinished().filter(|note| note.takes_back.is_none()) {
            let on = found.entry(note.run.clone()).or_default();
            on.insert(host.clone(), note.clone());
        }
    }
    found
}

fn reached(
    observed: &Observed,
) -> impl Iterator<Item = (&Name, &crate::observe::model::ObservedHost)> {
    let hosts = observed.hosts.iter();
    hosts.filter_map(|(name, host)| Some((name, host.reached()?)))
}

/// What takes an apply back on the hosts that had the same fleet file before it.
#[derive(Debug)]
pub struct Way {
    /// The file that was applied before: its text, and what it says. Empty text: none was.
    pub source: String,
    /// What it says; of hosts, those that this way is about.
    pub fleet: Fleet,
    /// What brings them back.
    pub plan: Plan,
    /// What was found on them just now.
    pub observed: Observed,
    /// Ways before this one, by number, that bring up what this one takes down: it is gone only
    /// where they came to their end.
    pub after: BTreeSet<usize>,
}

impl Way {
    fn brings(&self, site: &Name) -> bool {
        let found = self.fleet.sites.get(site);
        found.is_some_and(|site| {
            site.state == SiteState::Running && self.fleet.hosts.contains_key(&site.host)
        })
    }

    /// Sites of which something is taken down here and that do not run here afterwards.
    fn takes(&self) -> BTreeSet<&Name> {
        let sites = self.plan.operations.iter().filter_map(|o| o.site.as_ref());
        sites.filter(|site| !self.brings(site)).collect()
    }

    fn waits_for(&self, other: &Way) -> bool {
        self.takes().iter().any(|site| other.brings(site))
    }
}

/// Puts ways into an order in which a site that was moved is up where it was before it is taken
/// down where it came to.
fn in_order(ways: Vec<Way>) -> Result<Vec<Way>, BackError> {
    let mut left = ways;
    let mut sorted: Vec<Way> = Vec::new();
    while !left.is_empty() {
        let waits = |way: &Way| left.iter().find(|other| way.waits_for(other));
        let Some(next) = left.iter().position(|way| waits(way).is_none()) else {
            let host = |way: Option<&Way>| {
                let first = way.and_then(|way| way.fleet.hosts.keys().next());
                first.cloned().unwrap_or_default()
            };
            let one = left.first();
            return Err(BackError::Crossed {
                one: host(one),
                other: host(one.and_then(waits)),
            });
        };
        let mut way = left.remove(next);
        let before = sorted.iter().enumerate();
        let after = before.filter(|(_, other)| way.waits_for(other));
        way.after = after.map(|(number, _)| number).collect();
        sorted.push(way);
    }
    Ok(sorted)
}

/// What it takes to find the way.
pub struct Search<'a> {
    /// The operator's fleet file: how hosts are reached, and where its history is.
    pub path: &'a Path,
    /// What it says.
    pub fleet: &'a Fleet,
    /// What was found on the hosts.
    pub observed: &'a Observed,
    /// Connections to them.
    pub clients: &'a BTreeMap<Name, Client>,
    /// Where the bytes of secrets come from.
    pub secrets: &'a dyn SecretSource,
    /// The operator's state directory: what was applied from here before.
    pub state: Option<&'a Path>,
}

/// A fleet file that is gone back to.
struct Former {
    text: String,
    /// Whether this operator applied it or has it in git. Else all that is known of it is that a
    /// host keeps it, and whoever rules that host may have written it.
    own: bool,
}

impl Search<'_> {
    /// The way back from `run`: as a rule one; several where hosts had different fleet files before.
    ///
    /// # Errors
    /// On any of its hosts the way is not open: then it is not gone on the others either.
    pub async fn ways(&self, run: &str) -> Result<Vec<Way>, BackError> {
        let notes = cut_off(self.observed)
            .remove(run)
            .ok_or_else(|| BackError::Unknown(run.to_owned()))?;
        let mut groups: BTreeMap<&str, BTreeSet<&Name>> = BTreeMap::new();
        for (host, note) in &notes {
            self.check(host, note)?;
            groups.entry(&note.before).or_default().insert(host);
        }
        let mut ways = Vec::new();
        for (before, hosts) in groups {
            let former = match before {
                "" => Former {
                    text: String::new(),
                    own: true,
                },
                hash => self.file(hash, &hosts).await?,
            };
            // On the heap: what looks at hosts is too large for the stack of a thread.
            ways.push(Box::pin(self.way(run, former, &hosts, &notes)).await?);
        }
        let mut ways = in_order(ways)?;
        if let Some(first) = ways.first_mut() {
            first.plan.notices.extend(elsewhere(&notes));
        }
        Ok(ways)
    }

    /// Whether nobody applied anything else there meanwhile.
    fn check(&self, host: &Name, note: &Applying) -> Result<(), BackError> {
        if !self.fleet.hosts.contains_key(host) {
            return Err(BackError::NoHost { host: host.clone() });
        }
        let record = self.record(host);
        let now = record.map_or("", |r| r.fleet_hash.as_str());
        if now == note.before || now == note.fleet_hash {
            return Ok(());
        }
        let by = record.and_then(|r| r.applied_by.as_deref());
        Err(BackError::AppliedSince {
            host: host.clone(),
            by: format!("by {}", printable(by.unwrap_or("somebody"))),
        })
    }

    fn record(&self, host: &Name) -> Option<&crate::record::HostRecord> {
        let seen = self.observed.hosts.get(host)?.reached()?;
        seen.state.read()?.host.as_ref()
    }

    /// The fleet file with this hash: from git, else from a host that keeps it.
    async fn file(&self, hash: &str, hosts: &BTreeSet<&Name>) -> Result<Former, BackError> {
        let no_file = |why: &str| BackError::NoFile {
            host: hosts.first().map(|h| (*h).clone()).unwrap_or_default(),
            why: why.into(),
        };
        let former = |bytes: Vec<u8>, own: bool| match String::from_utf8(bytes) {
            Ok(text) => Ok(Former { text, own }),
            Err(_) => Err(no_file("it is not UTF-8")),
        };
        if let Some(bytes) = lineage::version(self.path, hash).await {
            return former(bytes, true);
        }
        let applied = self.state.map(|state| lineage::recall(state, self.path));
        let own = applied.is_some_and(|applied| applied.hashes.iter().any(|h| h == hash));
        for (name, client) in self.clients {
            let keeps = self.record(name).is_some_and(|r| r.fleet_hash == hash);
            let Some(host) = self.fleet.hosts.get(name).filter(|_| keeps) else {
                continue;
            };
            let toolbox = Toolbox {
                client: client.clone(),
                id: names::toolbox(&self.fleet.name),
                layout: Layout::new(&host.root),
            };
            let copy = state::read_fleet_copy(&toolbox).await;
            if let Ok(Some(bytes)) = copy
                && file_hash(&bytes) == hash
            {
                return former(bytes, own);
            }
        }
        Err(no_file(
            "no host keeps it any more, and your git history does not have it",
        ))
    }

    async fn way(
        &self,
        run: &str,
        former: Former,
        hosts: &BTreeSet<&Name>,
        notes: &CutOff,
    ) -> Result<Way, BackError> {
        let source = former.text;
        let mut fleet = match source.as_str() {
            // Nothing was applied before: nothing was wished for.
            "" => Fleet {
                sites: Default::default(),
                ..self.fleet.clone()
            },
            text => {
                fleet::load(text, self.path)
                    .map_err(|findings| BackError::NoFile {
                        host: hosts.first().map(|h| (*h).clone()).unwrap_or_default(),
                        why: format!("this ostler finds {} errors in it", findings.len()),
                    })?
                    .fleet
            }
        };
        if !former.own {
            withhold(&mut fleet, self.fleet);
        }
        fleet.hosts.retain(|name, _| hosts.contains(name));
        for name in hosts {
            let Some(mine) = self.fleet.hosts.get(*name) else {
                continue;
            };
            let host = fleet.hosts.entry((*name).clone());
            let host = host.or_insert_with(|| mine.clone());
            // Where it is, is what the operator's file says now: there its note was found.
            host.engine = mine.engine.clone();
            host.root.clone_from(&mine.root);
        }
        let hash = match source.as_str() {
            "" => String::new(),
            text => file_hash(text.as_bytes()),
        };
        let mut observed = self.look(&fleet).await;
        observed.lineage.ancestors.insert(hash.clone());
        let here = || notes.iter().filter(|(host, _)| hosts.contains(host));
        let touched: BTreeSet<Name> = here().flat_map(|(_, n)| n.sites.clone()).collect();
        let gone = self.moved_for_good(notes);
        let (stays, touched): (BTreeSet<Name>, _) = touched.into_iter().partition(|site| {
            let here = fleet.sites.get(site).map(|site| &site.host);
            gone.contains_key(site) && here.is_none_or(|host| !hosts.contains(host))
        });
        observed.lineage.known_sites.extend(touched.iter().cloned());
        let options = PlanOptions {
            only: Some(touched),
            stop_unknown: true,
            takes_back: Some(run.to_owned()),
            ..PlanOptions::default()
        };
        let now = chrono::Utc::now().timestamp();
        let mut plan = plan_with(&fleet, &hash, &observed, &[], now, &options);
        plan.notices.extend(stays.into_iter().filter_map(|site| {
            let host = here().find(|(_, note)| note.sites.contains(&site))?.0;
            let from = gone.get(&site)?;
            Some(Notice {
                host: host.clone(),
                text: format!(
                    "stays here: that apply moved it from {from} and came to its end there"
                ),
                site: Some(site),
            })
        }));
        for (host, note) in here() {
            let secrets = note.secrets.iter().filter(|site| {
                let site = fleet.sites.get(site.as_str());
                let known = |site: &fleet::Site| !site.secrets.values().any(is_kept);
                site.is_some_and(|site| !site.secrets.is_empty() && known(site))
            });
            plan.notices.extend(secrets.map(|site| Notice {
                host: host.clone(),
                site: Some(site.clone()),
                text: "its secrets become what their sources say now: what they were is kept nowhere"
                    .into(),
            }));
        }
        Ok(Way {
            source,
            fleet,
            plan,
            observed,
            after: BTreeSet::new(),
        })
    }

    /// Sites that it moved away from a host on which it came to its end, with that host: there they
    /// are not brought back, so they have to stay where they are now.
    fn moved_for_good(&self, notes: &CutOff) -> BTreeMap<Name, Name> {
        let hosts: BTreeSet<&Name> = notes.values().flat_map(|note| &note.hosts).collect();
        let ended = hosts.into_iter().filter(|host| !notes.contains_key(*host));
        let mut moved = BTreeMap::new();
        for host in ended {
            let seen = self.observed.hosts.get(host).and_then(|h| h.reached());
            for (site, record) in seen
                .and_then(|s| s.state.read())
                .iter()
                .flat_map(|s| &s.sites)
            {
                if record.state == RecordedState::Leftover {
                    moved.insert(site.clone(), host.clone());
                }
            }
        }
        moved
    }

    /// Looks closely at the hosts of `fleet`, as they are for that file.
    async fn look(&self, fleet: &Fleet) -> Observed {
        let looking = fleet.hosts.values().filter_map(|host| {
            let client = self.clients.get(&host.name)?;
            Some(async move {
                let look = scan_in_time(client, host, fleet, Some(self.secrets), &Inspect::Ours);
                let found = match look.await {
                    Ok(found) => HostObservation::Reached(std::sync::Arc::new(found)),
                    Err(e) => HostObservation::Unreachable { why: e.to_string() },
                };
                (host.name.clone(), found)
            })
        });
        let found: Vec<_> = join_all(looking).await;
        let mut observed = self.observed.clone();
        observed.hosts.extend(found);
        observed
    }
}

/// Takes the sources of secrets out of a fleet file that is not known to be the operator's: they
/// name files and commands on the operator's machine. Those that the operator's own file has as
/// well stay, for the same host only: no host is to be given the secrets of another.
fn withhold(former: &mut Fleet, mine: &Fleet) {
    for (site, it) in &mut former.sites {
        let mine = mine.sites.get(site).filter(|mine| mine.host == it.host);
        let known = mine.map(|site| &site.secrets);
        for (name, spec) in &mut it.secrets {
            if known.and_then(|known| known.get(name)) != Some(&*spec) {
                *spec = SecretSpec::Kept;
            }
        }
    }
}

fn is_kept(spec: &SecretSpec) -> bool {
    *spec == SecretSpec::Kept
}

/// What is not taken back: hosts on which it came to its end, and hosts that do not answer.
fn elsewhere(notes: &CutOff) -> Vec<Notice> {
    let all: BTreeSet<&Name> = notes.values().flat_map(|note| &note.hosts).collect();
    all.into_iter()
        .filter(|host| !notes.contains_key(host.as_str()))
        .map(|host| Notice {
            host: host.clone(),
            site: None,
            text:
                "that apply came to its end here, or this host does not answer: it stays as it is"
                    .into(),
        })
        .collect()
}

//! The way back from an apply that was cut off: a plan against the fleet file that was applied
//! before it, for the sites it touched. It is shown, confirmed and run like any other plan; data is
//! left alone by it as by any other.

use std::collections::{BTreeMap, BTreeSet};

use crate::fleet::{Fleet, Name, SiteState};
use crate::observe::model::Observed;
use crate::plan::Plan;
use crate::record::Applying;

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
        host: Name,
        /// By whom and when.
        by: String,
    },
    /// The file that was applied before is not to be had.
    #[error("{host}: the fleet file that was applied before it is not to be had: {why}")]
    NoFile {
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
        one: Name,
        /// And where.
        other: Name,
    },
    /// A host that it worked on is not in the operator's fleet file.
    #[error("{host} is not in your fleet file")]
    NoHost { host: Name },
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
    /// The host that keeps it, where nobody else is known to have it: then whoever rules that host may
    /// have written it.
    pub kept_by: Option<Name>,
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
pub(super) fn in_order(ways: Vec<Way>) -> Result<Vec<Way>, BackError> {
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

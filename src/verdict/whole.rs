//! A fleet as a whole, or one engine: what is not as it should be, the worst first, and what could
//! not be looked at. All is well only where a plan would find nothing to do either.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Serialize, Serializer};

use super::due::Due;
use super::judge::joined;
use super::row::SiteRow;
use super::state::State;
use super::trouble::{trouble, untended};
use crate::fleet::{Fleet, Host, Name};
use crate::observe::asked::{Probe, SiteAnswer};
use crate::observe::model::{HostObservation, Observed, ObservedHost};
use crate::plan::drift;
use crate::plan::unfinished::told;
use crate::plan::{OperationKind, Plan};
use crate::record::Scarce;
use crate::text::{count, line};

/// How a whole is, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// All was looked at, and all is as it should be.
    Well,
    /// Something fails or differs.
    NotWell,
    /// Something could not be looked at, whatever the rest does.
    NotAllKnown,
}

impl Standing {
    /// The word on screen.
    pub fn word(self) -> &'static str {
        match self {
            Standing::Well => "well",
            Standing::NotWell => "not well",
            Standing::NotAllKnown => "not all known",
        }
    }
}

impl Serialize for Standing {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.word())
    }
}

/// One thing that is not as it should be, or not known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub host: String,
    /// The site or container; `None`: the host itself.
    pub site: Option<String>,
    #[serde(rename = "verdict")]
    pub state: State,
    pub why: String,
}

impl Finding {
    /// About a host itself.
    pub fn of_host(host: &Name, state: State, why: impl AsRef<str>) -> Finding {
        Finding {
            host: host.to_string(),
            site: None,
            state,
            why: line(why.as_ref()),
        }
    }

    /// About a site or container.
    pub fn of_site(host: &str, site: &str, state: State, why: impl AsRef<str>) -> Finding {
        Finding {
            host: host.to_owned(),
            site: Some(site.to_owned()),
            state,
            why: line(why.as_ref()),
        }
    }

    /// Whether it says that something could not be looked at.
    pub fn is_unknown(&self) -> bool {
        matches!(self.state, State::Lost | State::Unknown)
    }

    /// On one line.
    pub fn line(&self) -> String {
        let place = match &self.site {
            Some(site) => format!("{site} on {}", self.host),
            None => self.host.clone(),
        };
        match self.why.as_str() {
            "" => format!("{place}: {}", self.state.word()),
            why => format!("{place}: {}: {why}", self.state.word()),
        }
    }
}

/// How many sites or containers there are, and how many of them are well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    pub noun: &'static str,
    pub all: usize,
    pub well: usize,
}

/// What was found of all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whole {
    /// Hosts, and how many of them were reached; none where one engine is looked at.
    pub hosts: Option<(usize, usize)>,
    pub count: Count,
    /// The worst first.
    pub found: Vec<Finding>,
}

impl Whole {
    /// Puts together what was found.
    pub fn of(hosts: Option<(usize, usize)>, count: Count, mut found: Vec<Finding>) -> Whole {
        found.sort_by_key(|it| (it.state.severity(), it.state));
        Whole {
            hosts,
            count,
            found,
        }
    }

    /// What is not known outweighs what is known to be wrong.
    pub fn standing(&self) -> Standing {
        match () {
            () if self.found.is_empty() => Standing::Well,
            () if self.found.iter().any(Finding::is_unknown) => Standing::NotAllKnown,
            () => Standing::NotWell,
        }
    }

    /// The worst of it, on one line.
    pub fn worst(&self) -> Option<String> {
        self.found.first().map(Finding::line)
    }

    /// All of it on one line: how it is, how many are well, what is worst.
    pub fn summary(&self, name: &str) -> String {
        let mut parts = Vec::new();
        if let Some((all, reached)) = self.hosts {
            parts.push(format!("{reached} of {} ready", count(all, "host")));
        }
        let Count { noun, all, well } = self.count;
        parts.push(format!("{well} of {} as they should be", count(all, noun)));
        let mut states: BTreeMap<(u8, State), usize> = BTreeMap::new();
        for it in self.found.iter().filter(|it| it.site.is_some()) {
            let key = (it.state.severity(), it.state);
            *states.entry(key).or_default() += 1;
        }
        let told = states.iter();
        parts.extend(told.map(|((_, state), n)| format!("{n} {}", state.word())));
        let mut text = format!("{name}: {}: {}", self.standing().word(), parts.join(", "));
        if let Some(worst) = self.worst() {
            text.push_str(&format!("; worst: {worst}"));
        }
        let unknown = self.found.iter().position(Finding::is_unknown);
        if let Some(at) = unknown.filter(|at| *at > 0) {
            text.push_str(&format!("; not known: {}", self.found[at].line()));
        }
        line(&text)
    }
}

/// What a fleet as a whole is judged by.
pub struct Known<'a> {
    pub fleet: &'a Fleet,
    /// The hosts that were asked.
    pub observed: &'a Observed,
    /// What would be done.
    pub plan: &'a Plan,
    /// The sites that are meant, judged with that plan.
    pub rows: &'a [SiteRow],
    /// What came of asking the sites that should answer.
    pub probes: &'a HashMap<Name, Probe>,
    /// Hosts whose disks have little left.
    pub scarce: &'a BTreeMap<Name, Vec<Scarce>>,
    /// What can never be looked at in on-call mode is no finding there.
    pub on_call: bool,
    /// Unix seconds.
    pub now: i64,
}

/// Seconds before a certificate's end from which on it is something to look after.
pub const SOON: i64 = 30 * 86_400;

impl Known<'_> {
    /// Judges all of it.
    pub fn judge(&self) -> Whole {
        let mut found = Vec::new();
        let mut reached = 0;
        let asked: Vec<&Host> = self
            .fleet
            .hosts
            .values()
            .filter(|host| self.observed.hosts.contains_key(&host.name))
            .collect();
        for host in &asked {
            match self.observed.hosts.get(&host.name) {
                Some(HostObservation::Reached(seen)) => {
                    reached += 1;
                    self.host(host, seen, &mut found);
                }
                Some(HostObservation::Unreachable { why }) => {
                    found.push(Finding::of_host(&host.name, State::Lost, why));
                }
                None => {}
            }
        }
        let due = Due::of(self.plan);
        let (mut all, mut well) = (0, 0);
        for row in self.rows {
            let finding = self.site(row, &due);
            if row.in_file {
                all += 1;
                well += usize::from(finding.is_none() && !row.stale);
            }
            found.extend(finding);
        }
        self.rest(&mut found);
        let noun = "site";
        let count = Count { noun, all, well };
        Whole::of(Some((asked.len(), reached)), count, found)
    }

    fn host(&self, host: &Host, seen: &ObservedHost, found: &mut Vec<Finding>) {
        let mut say = |state, why: &str| found.push(Finding::of_host(&host.name, state, why));
        let damaged = trouble(self.fleet, host, seen);
        if let Some((state, why)) = &damaged {
            say(*state, why);
        }
        // Whoever applies at this moment is nothing to mend.
        let left = seen.lock.as_ref().is_some_and(|lock| lock.is_stale());
        if left || seen.unfinished().next().is_some() || !seen.unread.is_empty() {
            told(seen).iter().for_each(|why| say(State::Warning, why));
        }
        if let Some(why) = untended(self.fleet, seen, self.now) {
            say(State::Warning, &why);
        }
        if let Some(scarce) = self.scarce.get(&host.name)
            && let Some(worst) = scarce.first()
        {
            let state = match worst.is_out() {
                true => State::Failing,
                false => State::Warning,
            };
            say(state, &Scarce::words(scarce));
        }
        let until = seen.engine.certificates.map(|it| it.until());
        if let Some(left) = until.map(|until| until - self.now).filter(|it| *it < SOON) {
            let days = usize::try_from(left / 86_400).unwrap_or_default();
            let why = format!(
                "a certificate of its connection ends in {}",
                count(days, "day")
            );
            say(State::Warning, &why);
        }
        if !self.on_call && damaged.is_none_or(|(state, _)| state != State::Failing) {
            let unknown = drift::unknown(seen);
            unknown.iter().for_each(|why| say(State::Unknown, why));
        }
    }

    fn site(&self, row: &SiteRow, due: &Due) -> Option<Finding> {
        if row.stale {
            // Its host is a finding by itself.
            return None;
        }
        let say = |state, why: &str| Some(Finding::of_site(&row.host, &row.name, state, why));
        let name = row.name.parse::<Name>().ok();
        let here = |site: &&Name| self.observed_on(&row.host, site);
        let causes = name.as_ref().and_then(|name| due.sites.get(name));
        let kept = row.state == State::Leftover && row.as_wanted && !row.running;
        if !row.state.is_well() && !kept {
            return say(row.state, &row.why);
        }
        if let Some(causes) = causes.filter(|_| row.in_file || !kept) {
            return say(State::Pending, &joined(causes));
        }
        let answer = name.as_ref().and_then(|name| self.answer(name));
        if let Some(answer) = answer.filter(|it| matches!(it, SiteAnswer::NotAsked(_))) {
            return say(State::Unknown, &answer.words());
        }
        let why = name.as_ref().filter(here).and_then(|name| {
            let seen = self.observed.hosts.get(row.host.as_str())?.reached()?;
            seen.secret_errors.get(name)
        });
        match why {
            Some(why) if !self.on_call => say(State::Unknown, &format!("not compared: {why}")),
            _ => None,
        }
    }

    fn answer(&self, site: &Name) -> Option<&SiteAnswer> {
        Some(&self.probes.get(site)?.answer)
    }

    fn observed_on(&self, host: &str, site: &Name) -> bool {
        let lives_on = self.fleet.sites.get(site).map(|site| site.host.as_str());
        lives_on == Some(host)
    }

    /// What the plan says and nothing above does: of hosts themselves, and whatever else there is to
    /// do or in the way.
    fn rest(&self, found: &mut Vec<Finding>) {
        let lost: BTreeSet<String> = found
            .iter()
            .filter(|it| it.state == State::Lost)
            .map(|it| it.host.clone())
            .collect();
        let told = |found: &[Finding], host: &Name, site: Option<&Name>| {
            let site = site.map(Name::as_str);
            found
                .iter()
                .any(|it| it.host == host.as_str() && it.site.as_deref() == site)
        };
        for problem in &self.plan.problems {
            let (host, site) = (&problem.host, problem.site.as_ref());
            let asked = self.observed.hosts.contains_key(host);
            if !asked || lost.contains(host.as_str()) || told(found, host, site) {
                continue;
            }
            found.push(Finding {
                site: site.map(Name::to_string),
                ..Finding::of_host(host, State::Failing, &problem.what)
            });
        }
        let mut causes: BTreeMap<(&Name, Option<&Name>), Vec<&str>> = BTreeMap::new();
        let mut notes = Vec::new();
        for operation in &self.plan.operations {
            let follows = matches!(
                operation.kind,
                OperationKind::SettleRun { .. } | OperationKind::RecordFleet { .. }
            );
            let (host, site) = (&operation.host, operation.site.as_ref());
            if follows {
                notes.push(operation);
                continue;
            }
            if site.is_some() && told(found, host, site) {
                continue;
            }
            let causes = causes.entry((host, site)).or_default();
            for cause in &operation.cause {
                if !causes.contains(&cause.as_str()) {
                    causes.push(cause);
                }
            }
        }
        for ((host, site), causes) in causes {
            found.push(Finding {
                site: site.map(Name::to_string),
                ..Finding::of_host(host, State::Pending, joined(causes))
            });
        }
        // What only notes something goes with the rest, but for where it is all there is to do.
        for note in notes {
            let host = &note.host;
            if !found.iter().any(|it| it.host == host.as_str()) {
                found.push(Finding::of_host(host, State::Pending, joined(&note.cause)));
            }
        }
    }
}

#[cfg(test)]
mod tests;

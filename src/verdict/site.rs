//! The sites and containers of a host, each with its verdict.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::certificates::{self, Stand};
use super::container::describe;
use super::due::{Due, drift_of};
use super::evidence::{Facts, HostData, Source};
use super::foreign;
use super::judge::{Case, joined};
use super::life::Life;
use super::reach::away;
use super::row::{SiteRow, blank};
use super::serving::Signs;
use super::since::Since;
use super::state::State;
use crate::fleet::{Fleet, Name, Site, SiteState};
use crate::observe::asked::Probe;
use crate::observe::model::{Observed, ObservedContainer};
use crate::observe::whose;
use crate::plan::newer;
use crate::record::{HostState, RecordedState, names};
use crate::text::clean;

/// Numbers of the router say something about now for this long.
pub const FRESH_S: i64 = 60;

/// The sites of a fleet that was looked at once, at `now` (unix seconds): those of the file in its
/// order, then what is there and in the file no more.
pub fn rows_of_fleet(
    fleet: &Fleet,
    observed: &Observed,
    probes: &HashMap<Name, Probe>,
    now: i64,
) -> Vec<SiteRow> {
    rows_with(fleet, observed, None, probes, now)
}

/// The same where it was planned what is to be done, `due`.
pub fn rows_with(
    fleet: &Fleet,
    observed: &Observed,
    due: Option<&Due>,
    probes: &HashMap<Name, Probe>,
    now: i64,
) -> Vec<SiteRow> {
    let (mut known, mut left) = (BTreeMap::new(), Vec::new());
    for host in fleet.hosts.values() {
        let found = observed.hosts.get(&host.name);
        let reached = found.and_then(|found| found.reached());
        let drift = reached.map(|seen| drift_of(Some(fleet), &host.name, seen));
        let drift = drift.unwrap_or_default();
        let compared = Due::of_drift(&drift);
        let facts = Facts {
            fleet: Some(fleet),
            due: due.unwrap_or(&compared),
            probes,
            now,
        };
        let data = HostData::of(found, drift, now);
        for row in rows_of_host(&facts, &host.name, &data) {
            match row.in_file {
                true => drop(known.insert(row.name.clone(), row)),
                false if row.foreign => {}
                false => left.push(row),
            }
        }
    }
    let mut rows: Vec<SiteRow> = fleet
        .sites
        .keys()
        .filter_map(|name| known.remove(name.as_str()))
        .collect();
    rows.append(&mut left);
    rows
}

/// What is on one host of this fleet, and the network of its sites.
struct Ours<'a> {
    fleet: &'a Fleet,
    network: String,
    state: Option<&'a HostState>,
    containers: BTreeMap<&'a str, Vec<&'a ObservedContainer>>,
}

impl<'a> Ours<'a> {
    fn serving(&self, site: &str) -> Option<&'a ObservedContainer> {
        let containers = self.containers.get(site)?;
        whose::serving(containers, &self.fleet.name, site, self.state)
    }
}

/// All rows of one host: its sites of the file, leftovers, foreign containers.
pub fn rows_of_host(facts: &Facts, host: &Name, data: &HostData) -> Vec<SiteRow> {
    let observed = data.observed.as_deref();
    let containers = observed.map_or(&[][..], |observed| &observed.containers);
    let foreign = |container| foreign::row(facts, host, container, data);
    let Some(fleet) = facts.fleet else {
        return containers.iter().map(foreign).collect();
    };
    let state = observed.and_then(|observed| observed.state.read());
    let sorted = whose::sort(containers, &fleet.name, state);
    let ours = Ours {
        fleet,
        network: names::network(&fleet.name),
        state,
        containers: sorted.sites,
    };
    let mut rows: Vec<SiteRow> = fleet
        .sites_on(host)
        .map(|site| site_row(facts, site, data, &ours))
        .collect();
    let recorded = ours.state.into_iter().flat_map(|state| state.sites.keys());
    let there = ours.containers.keys().copied();
    let left: BTreeSet<&str> = there
        .chain(recorded.map(Name::as_str))
        .filter(|site| fleet.sites.get(*site).is_none_or(|s| &s.host != host))
        .collect();
    let left = left.into_iter();
    rows.extend(left.map(|site| leftover_row(facts, host, site, data, &ours)));
    rows.extend(sorted.others.into_iter().map(foreign));
    rows
}

fn site_row(facts: &Facts, site: &Site, data: &HostData, ours: &Ours) -> SiteRow {
    let stale = data.is_stale(facts.now);
    let mut row = blank(&site.host, site.name.as_str(), data, stale);
    let differs = data.drift.get(&Some(site.name.clone()));
    row.drift = differs.cloned().unwrap_or_default();
    row.in_file = true;
    row.account = site
        .account
        .as_ref()
        .map_or_else(String::new, Name::to_string);
    row.recipe = site.recipe.word().to_owned();
    row.domains = site.domains.iter().map(|d| d.to_string()).collect();
    row.wanted = Some(site.state);
    let record = ours.state.and_then(|state| state.record(&site.name));
    let applied = record.and_then(|record| record.limits.memory);
    row.memory_limit = applied.or(site.limits.memory);
    let serving = ours.serving(site.name.as_str());
    if let Some(container) = serving {
        describe(&mut row, container, data, Some(&ours.network));
    }
    if let Some(observed) = &data.observed {
        let images = ours.fleet.hosts.get(&site.host).map(|host| &host.images);
        let newer = images.and_then(|all| newer::of_site(observed, all, site, record, serving));
        if let Some(newer) = newer {
            // By now the engine tells the image's id in its place.
            row.image = newer.image;
            row.newer_image = true;
        }
        row.life = Life::of_site(observed, site, serving);
        row.as_wanted = row.life.is_as_wanted(site);
    }
    let signs = Signs {
        probe: facts.probes.get(&site.name),
        traffic: data.traffic.get(&site.name),
        begun: row.turned.filter(|_| row.running),
        now: facts.now,
    };
    numbers(&mut row, &signs);
    let causes = facts
        .due
        .sites
        .get(&site.name)
        .map_or(&[][..], Vec::as_slice);
    let case = Case {
        facts,
        site,
        data,
        serving,
        record,
        inhabited: !ours.containers.is_empty(),
        causes,
        row: &row,
        signs,
    };
    let judged = case.judge();
    (row.state, row.why, row.since) = (judged.state, judged.why, judged.since);
    let certificate = certificates::of_site(ours.fleet, site, data, facts.now);
    row.certificate = certificate.map(Arc::new);
    certified(&mut row);
    if row.newer_image && row.why.is_empty() {
        row.why = format!("newer image there: {}", row.image);
    }
    if site.state != SiteState::Running {
        // What the router answers in its place says nothing of it.
        row.http = None;
    }
    if row.state == State::Archived {
        // Numbers of before say nothing about now.
        (row.http, row.requests, row.errors, row.connections) = (None, None, None, None);
        (row.bad, row.waited) = (None, None);
    }
    if row.stale {
        row.why = away(data, &site.host);
    }
    row
}

/// What its certificate does to it: who comes by https gets none, or will get none.
fn certified(row: &mut SiteRow) {
    let Some(certificate) = row.certificate.clone() else {
        return;
    };
    let Some(why) = certificates::first(&certificate) else {
        return;
    };
    let state = match certificate.stand {
        Stand::Expired | Stand::Mismatch => certificate.state,
        _ => State::Warning,
    };
    if state.severity() < row.state.severity() {
        row.state = state;
        row.since = match certificate.stand {
            Stand::Expired => certificate.until.map(Since::exactly),
            _ => None,
        };
        let before = std::mem::replace(&mut row.why, why);
        if !before.is_empty() {
            row.why = format!("{}; {before}", row.why);
        }
    } else if row.why.is_empty() {
        row.why = why;
    } else {
        row.why = format!("{}; {why}", row.why);
    }
}

/// What the router and our own questions tell of a site.
fn numbers(row: &mut SiteRow, signs: &Signs) {
    let router = Source::Router;
    if let Some(traffic) = signs.traffic {
        let at = traffic.at;
        // What is dimmed with its age may be old.
        if row.stale || signs.now - at < FRESH_S {
            row.requests = Some(router.told(traffic.requests, at));
            row.errors = traffic.errors.map(|errors| router.told(errors, at));
            row.connections = Some(router.told(traffic.connections, at));
        }
        (row.bad, row.waited) = (signs.bad(), signs.waited());
    }
    if let Some((answer, probe)) = signs.answer().zip(signs.probe) {
        row.http = Some(Source::Probe.told(answer.clone(), probe.at));
    }
}

fn leftover_row(facts: &Facts, host: &Name, site: &str, data: &HostData, ours: &Ours) -> SiteRow {
    let name = clean(site).into_owned();
    let mut row = blank(host, &name, data, data.is_stale(facts.now));
    let record = ours.state.and_then(|state| state.sites.get(site));
    row.memory_limit = record.and_then(|record| record.limits.memory);
    let serving = ours.serving(site);
    if let Some(container) = serving {
        describe(&mut row, container, data, Some(&ours.network));
    }
    row.state = State::Leftover;
    row.life = Life::Leftover;
    row.as_wanted = record.is_some_and(|record| match record.state {
        RecordedState::Leftover => true,
        RecordedState::Wanted(state) => state == SiteState::Archived && serving.is_none(),
    });
    let causes = facts.due.sites.get(site).map_or(&[][..], Vec::as_slice);
    let moved = ours.fleet.sites.get(site).map(|site| &site.host);
    let here = match moved {
        Some(host) => format!("on {host} in the file"),
        None => "not in the file any more".into(),
    };
    row.why = if row.stale {
        away(data, host)
    } else if !causes.is_empty() {
        joined(causes)
    } else if serving.is_some_and(ObservedContainer::is_running) {
        format!("{here}, and still running here")
    } else if record.is_some() && !row.as_wanted {
        format!("{here}; the next apply stops it and keeps its data")
    } else {
        row.since = row.turned.map(Since::exactly);
        let kept = match (serving, record) {
            (Some(_), _) => "stopped, its data kept",
            // A proxy has neither.
            (None, Some(record)) if record.spec.is_none() => "its route is gone",
            (None, _) => "its container is gone, its data kept",
        };
        format!("{here}; {kept}")
    };
    row
}

#[cfg(test)]
mod tests;

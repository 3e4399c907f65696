//! The sites and containers of a host, each with its verdict.

use std::collections::HashMap;

use super::container::describe;
use super::evidence::{Facts, HostData, Reading, Source};
use super::foreign;
use super::judge::judge;
use super::reach::away;
use super::row::{SiteRow, blank};
use super::state::State;
use crate::console::text::clean;
use crate::fleet::{Name, Site};
use crate::observe::model::ObservedContainer;
use crate::record::{Labelled, Role, SiteRecord};

/// Numbers of the router say something about now for this long.
pub const FRESH_S: i64 = 60;

/// All rows of one host: its sites of the file, leftovers, foreign containers.
pub fn rows_of_host(facts: &Facts, host: &Name, data: &HostData) -> Vec<SiteRow> {
    let mut rows = Vec::new();
    let fleet_name = facts.fleet.map(|f| f.name.as_str()).unwrap_or("");
    let mut ours: HashMap<&str, Vec<&ObservedContainer>> = HashMap::new();
    let mut foreign = Vec::new();
    if let Some(observed) = &data.observed {
        for container in &observed.containers {
            let mine = facts.fleet.is_some() && container.fleet() == Some(fleet_name);
            match (mine, container.role(), container.site()) {
                (true, Some(Role::Site), Some(site)) => {
                    ours.entry(site).or_default().push(container)
                }
                (true, ..) => {}
                (false, ..) => foreign.push(container),
            }
        }
    }
    if let Some(fleet) = facts.fleet {
        for site in fleet.sites_on(host) {
            let containers = ours.remove(site.name.as_str()).unwrap_or_default();
            rows.push(site_row(facts, site, data, &containers));
        }
        let mut left: Vec<_> = ours.into_iter().collect();
        left.sort_by_key(|(name, _)| *name);
        for (site, containers) in left {
            if fleet.sites.get(site).is_none_or(|s| &s.host != host) {
                rows.push(leftover_row(facts, host, site, data, &containers));
            }
        }
    }
    rows.extend(
        foreign
            .into_iter()
            .map(|container| foreign::row(facts, host, container, data)),
    );
    rows
}

fn site_row(
    facts: &Facts,
    site: &Site,
    data: &HostData,
    containers: &[&ObservedContainer],
) -> SiteRow {
    let stale = data.is_stale(facts.now);
    let mut row = blank(&site.host, site.name.as_str(), data, stale);
    let differs = data.drift.get(&Some(site.name.clone()));
    row.drift = differs.cloned().unwrap_or_default();
    row.in_file = true;
    row.account = site
        .account
        .as_ref()
        .map(Name::to_string)
        .unwrap_or_default();
    row.recipe = site.recipe.word().to_owned();
    row.domains = site.domains.iter().map(|d| d.to_string()).collect();
    row.wanted = Some(site.state);
    row.memory_limit = site.limits.memory;
    let record = data
        .observed
        .as_deref()
        .and_then(|o| o.state.read())
        .and_then(|s| s.record(&site.name));
    let serving = serving(containers, record);
    if let Some(container) = serving {
        describe(&mut row, container, data);
    }
    if let Some(traffic) = data.traffic.get(&site.name) {
        let at = traffic.at;
        let source = Source::Router;
        // What is dimmed with its age may be old.
        if row.stale || facts.now - at < FRESH_S {
            row.requests = Some(Reading {
                value: traffic.requests,
                at,
                source,
            });
            row.errors = traffic.errors.map(|value| Reading { value, at, source });
            row.connections = Some(Reading {
                value: traffic.connections,
                at,
                source,
            });
        }
        row.http = traffic
            .status
            .map(|(value, at)| Reading { value, at, source });
    }
    if let Some(probe) = facts.probes.get(&site.name)
        && let Ok(value) = probe.http
        && row.http.is_none_or(|h| h.at < probe.at)
    {
        row.http = Some(Reading {
            value,
            at: probe.at,
            source: Source::Probe,
        });
    }
    // An answer of the run before says nothing about this one.
    let begun = row.since.filter(|_| row.running);
    row.http = row.http.filter(|h| begun.is_none_or(|begun| h.at >= begun));
    let causes = facts
        .due
        .sites
        .get(&site.name)
        .map_or(&[][..], Vec::as_slice);
    let (state, why) = judge(facts, site, data, serving, record, causes, &row);
    row.state = state;
    row.why = why;
    if state == State::Archived {
        // Numbers of before say nothing about now.
        (row.http, row.requests, row.errors, row.connections) = (None, None, None, None);
    }
    if row.stale {
        row.why = away(data, &site.host);
    }
    row
}

/// The container that serves a site: the one whose hash was recorded, else one that runs, else any.
pub fn serving<'a>(
    containers: &[&'a ObservedContainer],
    record: Option<&SiteRecord>,
) -> Option<&'a ObservedContainer> {
    let hash = record.and_then(|r| r.hash.as_deref());
    let better = |c: &&&ObservedContainer| {
        (
            c.is_running(),
            hash.is_some() && c.spec_hash() == hash,
            !c.name.ends_with("-next"),
            c.created,
        )
    };
    containers.iter().max_by_key(better).copied()
}

fn leftover_row(
    facts: &Facts,
    host: &Name,
    site: &str,
    data: &HostData,
    containers: &[&ObservedContainer],
) -> SiteRow {
    let name = clean(site).into_owned();
    let mut row = blank(host, &name, data, data.is_stale(facts.now));
    let serving = serving(containers, None);
    if let Some(container) = serving {
        describe(&mut row, container, data);
    }
    row.state = State::Leftover;
    let causes = facts.due.sites.get(site).map_or(&[][..], Vec::as_slice);
    row.why = if row.stale {
        away(data, host)
    } else if !causes.is_empty() {
        causes
            .iter()
            .map(|c| clean(c))
            .collect::<Vec<_>>()
            .join("; ")
    } else if serving.is_some_and(ObservedContainer::is_running) {
        "not in the file any more, and still running".into()
    } else {
        "not in the file any more; stopped, its data kept".into()
    };
    row
}

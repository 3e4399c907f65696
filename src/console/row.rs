//! Pure functions from what is known to what is shown.

use std::collections::HashMap;
use std::sync::Arc;

use super::fleet_view::{HostData, HostRow, Link, Probe, Reading, SiteRow, Source, State};
use super::planned::Due;
use super::text::clean;
use super::words::brief;
use crate::fleet::{Fleet, Host, Name, Site};
use crate::observe::look::look;
use crate::observe::model::{ObservedContainer, ObservedHost, RunState};
use crate::record::SiteRecord;

mod judge;

use judge::{OOM_MATTERS_S, health_in_status, judge, short_exit};

/// Everything the rows of one fleet are made from.
pub struct Facts<'a> {
    /// The file; none when a single host is looked at.
    pub fleet: Option<&'a Fleet>,
    /// What planning found.
    pub due: &'a Due,
    /// Probes by site.
    pub probes: &'a HashMap<Name, Probe>,
    /// Unix seconds.
    pub now: i64,
}

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
            let mine = facts.fleet.is_some() && container.ours("fleet") == Some(fleet_name);
            match (mine, container.ours("role"), container.ours("site")) {
                (true, Some("site"), Some(site)) => ours.entry(site).or_default().push(container),
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
            .map(|container| foreign_row(facts, host, container, data)),
    );
    rows
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

fn blank(host: &Name, name: &str, data: &HostData, stale: bool) -> SiteRow {
    SiteRow {
        key: Arc::from(format!("{host}/{name}")),
        name: name.to_owned(),
        is_host: false,
        foreign: false,
        in_file: false,
        project: String::new(),
        account: String::new(),
        host: host.to_string(),
        recipe: String::new(),
        image: String::new(),
        domains: Vec::new(),
        wanted: None,
        state: State::Unknown,
        since: None,
        http: None,
        requests: None,
        errors: None,
        connections: None,
        memory_used: None,
        memory_limit: None,
        cpu: None,
        restarts: 0,
        oom: 0,
        last_oom: 0,
        running: false,
        container: None,
        container_name: String::new(),
        address: String::new(),
        why: String::new(),
        drift: Vec::new(),
        stale,
        seen: data.observed_at,
    }
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
        describe_container(&mut row, container, data);
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
fn serving<'a>(
    containers: &[&'a ObservedContainer],
    record: Option<&SiteRecord>,
) -> Option<&'a ObservedContainer> {
    let hash = record.and_then(|r| r.hash.as_deref());
    let better = |c: &&&ObservedContainer| {
        (
            c.is_running(),
            hash.is_some() && c.ours("hash") == hash,
            !c.name.ends_with("-next"),
            c.created,
        )
    };
    containers.iter().max_by_key(better).copied()
}

fn describe_container(row: &mut SiteRow, container: &ObservedContainer, data: &HostData) {
    row.image = clean(&container.image).into_owned();
    row.container = Some(container.id.clone());
    row.running = container.is_running();
    row.container_name = clean(&container.name).into_owned();
    row.address = container
        .addresses
        .values()
        .next()
        .map(|ip| ip.to_string())
        .unwrap_or_default();
    let history = data.history.get(&container.id);
    row.oom = history.map_or(0, |h| h.ooms);
    row.last_oom = history.map_or(0, |h| h.last_oom);
    if let Some(inspected) = &container.inspected {
        row.restarts = inspected.restarts;
        row.memory_limit = inspected.limits.memory.or(row.memory_limit);
    }
    row.since = history
        .and_then(|h| h.changed)
        .or_else(|| changed_at(container).map(|at| data.ours(at)))
        .or_else(|| {
            let ago = ago_in_status(&container.status)?;
            data.observed_at.map(|at| at - ago)
        });
    if let Some(usage) = data.stats.get(&container.id) {
        let source = Source::Engine;
        row.memory_used = Some(Reading {
            value: usage.memory,
            at: usage.at,
            source,
        });
        row.cpu = usage.cpu.map(|value| Reading {
            value,
            at: usage.at,
            source,
        });
        if usage.memory_limit > 0 && row.memory_limit.is_some() {
            row.memory_limit = Some(usage.memory_limit);
        }
    }
}

/// When a container started, or ended, as an inspect told.
fn changed_at(container: &ObservedContainer) -> Option<i64> {
    let inspected = container.inspected.as_ref()?;
    let text = if container.is_running() {
        inspected.started_at.as_deref()
    } else {
        inspected.finished_at.as_deref()
    };
    let at = chrono::DateTime::parse_from_rfc3339(text?)
        .ok()?
        .timestamp();
    // The engine writes the year 1 for "never".
    (at > 0).then_some(at)
}

/// Seconds out of the engine's words, such as `Up 3 hours` or `Exited (137) 5 minutes ago`.
pub fn ago_in_status(status: &str) -> Option<i64> {
    let words: Vec<&str> = status.split_whitespace().collect();
    let unit_at = words.iter().position(|w| unit(w).is_some())?;
    let unit = unit(words[unit_at])?;
    let before = unit_at.checked_sub(1).map(|i| words[i])?;
    let n = match before {
        "a" | "an" | "than" => 1,
        text => text.parse::<i64>().ok()?,
    };
    Some(n * unit)
}

fn unit(word: &str) -> Option<i64> {
    Some(match word.trim_end_matches('s') {
        "second" => 1,
        "minute" => 60,
        "hour" => 3600,
        "day" => 86_400,
        "week" => 604_800,
        "month" => 2_592_000,
        "year" => 31_536_000,
        _ => return None,
    })
}

fn away(data: &HostData, host: &Name) -> String {
    if data.is_up() {
        return format!("{host}: {}", unread(data));
    }
    match (data.link, data.observed_at) {
        (Link::Connecting, None) => format!("{host}: connecting"),
        (_, None) => format!("{host} never answered: {}", clean(brief(&data.why))),
        _ => format!("{host} does not answer: {}", clean(brief(&data.why))),
    }
}

/// Why a host that answers is not read, or that it is not.
pub fn unread(data: &HostData) -> String {
    match data.unread_since {
        Some(_) if !data.why.is_empty() => clean(brief(&data.why)).into_owned(),
        Some(_) => "it cannot be read".into(),
        None if data.why.is_empty() => "it answers, but was not read for long".into(),
        None => format!("{}; not read for long", clean(brief(&data.why))),
    }
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
        describe_container(&mut row, container, data);
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

fn foreign_row(
    facts: &Facts,
    host: &Name,
    container: &ObservedContainer,
    data: &HostData,
) -> SiteRow {
    let seen = look(container);
    let name = clean(&container.name).into_owned();
    let mut row = blank(host, &name, data, data.is_stale(facts.now));
    // A foreign container may carry the name of a site: its id keeps the two apart.
    row.key = Arc::from(format!("{host}//{}", container.id));
    row.foreign = true;
    row.project = seen
        .project
        .map(|p| clean(&p).into_owned())
        .unwrap_or_default();
    row.domains = seen.domains.iter().map(|d| clean(d).into_owned()).collect();
    row.memory_limit = None;
    row.recipe = seen
        .service
        .map(|s| clean(&s).into_owned())
        .unwrap_or_default();
    describe_container(&mut row, container, data);
    let oom_recent = data
        .history
        .get(&container.id)
        .is_some_and(|h| h.ooms > 0 && facts.now - h.last_oom < OOM_MATTERS_S);
    let health = container
        .inspected
        .as_ref()
        .and_then(|i| i.health.as_deref())
        .unwrap_or_else(|| health_in_status(&container.status));
    let exit = container.inspected.as_ref().and_then(|i| i.exit_code);
    let ended_well = exit == Some(0) || container.status.starts_with("Exited (0)");
    (row.state, row.why) = match container.run {
        RunState::Running if health == "unhealthy" => (State::Failing, "unhealthy".into()),
        RunState::Running if health == "starting" => (State::Starting, "health: starting".into()),
        RunState::Running if oom_recent => (State::Warning, format!("oom ×{}", row.oom)),
        RunState::Running => (State::Running, String::new()),
        RunState::Restarting => (State::Restarting, short_exit(container)),
        RunState::Created => (State::Stopped, "created, never started".into()),
        RunState::Paused => (State::Stopped, "paused".into()),
        RunState::Exited if ended_well => (State::Stopped, String::new()),
        _ => (State::Failing, short_exit(container)),
    };
    if row.stale {
        row.why = away(data, host);
    }
    row
}

/// A host's link, and what is the matter: one that answers and is not read is not well.
pub fn link(data: &HostData, now: i64) -> (Link, String) {
    match data.unread(now) {
        Some(_) => (Link::Degraded, unread(data)),
        None => (data.link, clean(brief(&data.why)).into_owned()),
    }
}

/// The row of a host, the rows of its sites and containers given.
pub fn host_row(host: &Host, data: &HostData, sites: &[SiteRow], now: i64) -> HostRow {
    let (link, why) = link(data, now);
    let mut row = HostRow {
        key: Arc::from(host.name.as_str()),
        pulse: data.pulse,
        machine: data.machine.map(|(value, at)| Reading {
            value,
            at,
            source: Source::Engine,
        }),
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
    for site in sites {
        if site.in_file {
            row.sites.0 += 1;
            row.sites.1 += usize::from(!site.state.is_well() && !site.stale);
        }
        row.foreign += usize::from(site.foreign);
        if let Some(reading) = site.requests {
            *requests.get_or_insert(0.0) += reading.value;
        }
    }
    row.requests = requests;
    if let Some(observed) = &data.observed {
        describe_engine(&mut row, observed);
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
    row.told = crate::plan::unfinished::told(observed);
    row.applied_by = observed
        .state
        .read()
        .and_then(|s| s.host.as_ref())
        .and_then(|h| h.applied_by.as_deref())
        .map(|t| clean(t).into_owned())
        .unwrap_or_default();
}

#[cfg(test)]
mod tests;

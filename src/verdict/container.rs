//! What a container tells: since when, how it ended, whether it is healthy, what it uses.

use std::net::Ipv4Addr;

use super::evidence::{HostData, Source};
use super::history::History;
use super::row::SiteRow;
use crate::observe::model::{ObservedContainer, RunState};
use crate::record::Labelled;
use crate::text::clean;

/// Kills for memory are a warning for this long.
const OOM_MATTERS_S: i64 = 3600;

/// Fills in what its container tells. `network`: the sites' one, where it is ours.
pub(super) fn describe(
    row: &mut SiteRow,
    container: &ObservedContainer,
    data: &HostData,
    network: Option<&str>,
) {
    row.image = clean(&container.image).into_owned();
    row.container = Some(container.id.clone());
    row.running = container.is_running();
    row.container_name = clean(&container.name).into_owned();
    row.address = address(container, network).map_or_else(String::new, |ip| ip.to_string());
    let history = data.history.get(&container.id);
    row.oom = history.map_or(0, |h| h.ooms);
    row.last_oom = history.map_or(0, |h| h.last_oom);
    if let Some(inspected) = &container.inspected {
        row.restarts = inspected.restarts;
        row.memory_limit = inspected.limits.memory;
    }
    row.turned = turned(container, data);
    if let Some(usage) = data.stats.get(&container.id) {
        let engine = Source::Engine;
        row.memory_used = Some(engine.told(usage.memory, usage.at));
        row.cpu = usage.cpu.map(|cpu| engine.told(cpu, usage.at));
        if usage.memory_limit > 0 && row.memory_limit.is_some() {
            row.memory_limit = Some(usage.memory_limit);
        }
    }
}

/// When a container started, or ended: as events, an inspect, or the engine's words tell.
pub(super) fn turned(container: &ObservedContainer, data: &HostData) -> Option<i64> {
    let history = data.history.get(&container.id);
    history
        .and_then(|h| h.changed)
        .or_else(|| changed_at(container).map(|at| data.ours(at)))
        .or_else(|| {
            let ago = ago_in_status(&container.status)?;
            data.observed_at.map(|at| at - ago)
        })
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

/// Its address on the sites' network, or the one that was asked for there; else any.
fn address(container: &ObservedContainer, network: Option<&str>) -> Option<Ipv4Addr> {
    let has = &container.addresses;
    let there = network.and_then(|network| has.get(network)).copied();
    let asked = || container.asked_address();
    there
        .or_else(asked)
        .or_else(|| has.values().next().copied())
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

/// What a health check says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Health {
    /// Well, or there is no check.
    Fine,
    /// It has not passed yet.
    Starting,
    /// It fails.
    Bad,
}

/// Docker's own word about health: of an inspect, else out of the status line.
pub(super) fn health(container: &ObservedContainer) -> Health {
    let status = &container.status;
    let inspected = container.inspected.as_ref();
    match inspected.and_then(|i| i.health.as_deref()) {
        Some("unhealthy") => Health::Bad,
        Some("starting") => Health::Starting,
        Some(_) => Health::Fine,
        None if status.ends_with("(unhealthy)") => Health::Bad,
        None if status.ends_with("(health: starting)") => Health::Starting,
        None => Health::Fine,
    }
}

/// Whether kills for memory happened lately enough to matter.
pub(super) fn was_killed(history: Option<&History>, now: i64) -> bool {
    history.is_some_and(|h| h.ooms > 0 && now - h.last_oom < OOM_MATTERS_S)
}

/// The exit code of its last run, as an inspect or the engine's words tell.
fn exit_code(container: &ObservedContainer) -> Option<i64> {
    let inspected = container.inspected.as_ref();
    inspected.and_then(|i| i.exit_code).or_else(|| {
        let (_, rest) = container.status.split_once('(')?;
        rest.split_once(')')?.0.parse().ok()
    })
}

/// Whether it ended without an error.
pub(super) fn ended_well(container: &ObservedContainer) -> bool {
    container.run == RunState::Exited && exit_code(container) == Some(0)
}

/// Whether somebody had the engine end it: it says so, or it would have started it again.
pub(super) fn was_stopped(container: &ObservedContainer, history: Option<&History>) -> bool {
    let inspected = container.inspected.as_ref();
    let policy = inspected.and_then(|i| i.restart.as_deref());
    let again = matches!(policy, Some("always" | "unless-stopped"));
    container.run == RunState::Exited && (again || history.is_some_and(History::was_stopped))
}

/// How it ended: `exited (137): out of memory`. `limit` follows where it was for memory; `asked`:
/// who had it ended, where somebody had.
pub(super) fn exit_words(
    container: &ObservedContainer,
    limit: &str,
    asked: Option<&str>,
) -> String {
    let code = exit_code(container);
    let oom = container.inspected.as_ref().is_some_and(|i| i.oom_killed);
    let meaning = match (code, asked) {
        _ if oom => format!("out of memory{limit}"),
        (_, Some(asked)) => format!("stopped {asked}"),
        // That nobody had it ended is not known.
        (Some(0), _) => "ended without an error".into(),
        (Some(125..=127), _) => "its command cannot be run".into(),
        (Some(137), _) => "killed".into(),
        (Some(139), _) => "crashed".into(),
        (Some(143), _) => "terminated".into(),
        _ => "failed".into(),
    };
    match code {
        Some(code) => format!("exited ({code}): {meaning}"),
        None => format!("does not run: {meaning}"),
    }
}

//! What the container of a row tells: since when, how it ended, what it uses.

use super::evidence::{HostData, Reading, Source};
use super::row::SiteRow;
use crate::console::text::clean;
use crate::observe::model::ObservedContainer;

/// Fills in what its container tells.
pub(super) fn describe(row: &mut SiteRow, container: &ObservedContainer, data: &HostData) {
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

//! What is the matter with a site: its state and the reason, out of all that is known of it.

use super::evidence::{Facts, HostData};
use super::row::SiteRow;
use super::state::State;
use crate::console::text::{clean, rate, size};
use crate::fleet::{Recipe, Site, SiteState};
use crate::observe::model::{ObservedContainer, RunState};
use crate::record::{RecordedState, SiteRecord};

/// Kills for memory are a warning for this long.
pub(super) const OOM_MATTERS_S: i64 = 3600;
/// A container that started less than this ago and does not answer yet is starting.
const STARTING_S: i64 = 60;

/// State and reason of a site of the file.
pub(super) fn judge(
    facts: &Facts,
    site: &Site,
    data: &HostData,
    serving: Option<&ObservedContainer>,
    record: Option<&SiteRecord>,
    causes: &[String],
    row: &SiteRow,
) -> (State, String) {
    if data.observed.is_none() {
        return (State::Unknown, String::new());
    }
    let due = || {
        causes
            .iter()
            .map(|c| clean(c))
            .collect::<Vec<_>>()
            .join("; ")
    };
    let applied = record.is_some_and(|r| r.state != RecordedState::Leftover);
    let by_hand = row
        .drift
        .iter()
        .filter(|field| field.by_hand())
        .map(|field| clean(&field.line()).into_owned())
        .collect::<Vec<_>>()
        .join("; ");
    let pending = |fallback: &str| {
        let text = if causes.is_empty() {
            fallback.to_owned()
        } else {
            due()
        };
        if by_hand.is_empty() || !applied || serving.is_none() {
            return (State::Pending, text);
        }
        (State::Drift, by_hand.clone())
    };
    match site.state {
        SiteState::Archived if serving.is_none() && causes.is_empty() => {
            return (State::Archived, String::new());
        }
        SiteState::Archived => return pending("to be archived"),
        SiteState::Stopped => {
            let up = serving.is_some_and(ObservedContainer::is_running);
            return if up || !causes.is_empty() || !by_hand.is_empty() {
                pending("to be stopped")
            } else {
                (State::Stopped, String::new())
            };
        }
        SiteState::Running => {}
    }
    if matches!(site.recipe, Recipe::Proxy { .. }) {
        return match row.http {
            Some(http) if http.value >= 500 => (State::Failing, format!("answers {}", http.value)),
            _ if !causes.is_empty() || !by_hand.is_empty() => pending(""),
            _ if !applied => (State::Pending, "not applied yet".into()),
            _ => (State::Ok, String::new()),
        };
    }
    let Some(container) = serving else {
        return if applied {
            (State::Failing, "its container is gone".into())
        } else {
            pending("not applied yet")
        };
    };
    let up_for = row.since.map(|at| facts.now - at);
    let limit = row
        .memory_limit
        .map(|m| format!(", memory {}", size(m)))
        .unwrap_or_default();
    let oom_recent = data
        .history
        .get(&container.id)
        .is_some_and(|h| h.ooms > 0 && facts.now - h.last_oom < OOM_MATTERS_S);
    let oom = || format!("oom ×{}{limit}", row.oom);
    // One that the engine started again after it ended is not starting: it is failing.
    let young = up_for.is_some_and(|s| s < STARTING_S) && row.restarts == 0 && !oom_recent;
    match container.run {
        RunState::Running => {}
        RunState::Restarting => {
            let why = if oom_recent {
                oom()
            } else {
                exit_words(container, &limit)
            };
            return (State::Restarting, why);
        }
        RunState::Created if young || facts.now - data.ours(container.created) < STARTING_S => {
            return (State::Starting, String::new());
        }
        RunState::Paused => return (State::Failing, "its container is paused".into()),
        _ => {
            let mut why = exit_words(container, &limit);
            if oom_recent {
                why = format!("{}; {why}", oom());
            }
            return (State::Failing, why);
        }
    }
    let health = container
        .inspected
        .as_ref()
        .and_then(|i| i.health.as_deref())
        .unwrap_or_else(|| health_in_status(&container.status));
    let full = match (row.memory_used, row.memory_limit) {
        (Some(used), Some(limit)) if limit > 0 && used.value as f64 >= 0.95 * limit as f64 => {
            Some(format!("memory {} of {}", size(used.value), size(limit)))
        }
        _ => None,
    };
    if let Some(http) = row.http.filter(|h| h.value >= 500) {
        if young {
            return (State::Starting, format!("answers {}", http.value));
        }
        let why = match full {
            _ if oom_recent => oom(),
            Some(full) => format!("answers {}, {full}", http.value),
            None => format!("answers {}", http.value),
        };
        return (State::Failing, why);
    }
    match health {
        "unhealthy" => return (State::Failing, "its health command fails".into()),
        "starting" => {
            return (
                State::Starting,
                "its health command has not passed yet".into(),
            );
        }
        _ => {}
    }
    if oom_recent {
        return (State::Warning, oom());
    }
    if let Some(errors) = row.errors.filter(|e| e.value >= 1.0) {
        return (
            State::Warning,
            format!("{} answers of 5xx a minute", rate(errors.value)),
        );
    }
    if let Some(full) = full {
        return (State::Warning, full);
    }
    if !causes.is_empty() || !by_hand.is_empty() {
        return pending("");
    }
    (State::Ok, String::new())
}

/// Docker's own word about health, out of the status line.
pub(super) fn health_in_status(status: &str) -> &str {
    if status.ends_with("(unhealthy)") {
        "unhealthy"
    } else if status.ends_with("(health: starting)") {
        "starting"
    } else if status.ends_with("(healthy)") {
        "healthy"
    } else {
        ""
    }
}

fn exit_words(container: &ObservedContainer, limit: &str) -> String {
    let code = container
        .inspected
        .as_ref()
        .and_then(|i| i.exit_code)
        .or_else(|| {
            let (_, rest) = container.status.split_once('(')?;
            rest.split_once(')')?.0.parse().ok()
        });
    let oom = container.inspected.as_ref().is_some_and(|i| i.oom_killed);
    let meaning = match code {
        _ if oom => format!("out of memory{limit}"),
        Some(0) => "ended by itself".into(),
        Some(125..=127) => "its command cannot be run".into(),
        Some(137) => "killed".into(),
        Some(139) => "crashed".into(),
        Some(143) => "terminated".into(),
        _ => "failed".into(),
    };
    match code {
        Some(code) => format!("container exited ({code}): {meaning}"),
        None => format!("container does not run: {meaning}"),
    }
}

/// The same where every row is a container.
pub(super) fn short_exit(container: &ObservedContainer) -> String {
    let words = exit_words(container, "");
    match words.strip_prefix("container ") {
        Some(rest) => rest.to_owned(),
        None => words,
    }
}

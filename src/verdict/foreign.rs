//! A container that is not ours, judged by what the engine tells of it.

use std::sync::Arc;

use super::container::describe;
use super::evidence::{Facts, HostData};
use super::judge::{OOM_MATTERS_S, health_in_status, short_exit};
use super::reach::away;
use super::row::{SiteRow, blank};
use super::state::State;
use crate::console::text::clean;
use crate::fleet::Name;
use crate::observe::look::look;
use crate::observe::model::{ObservedContainer, RunState};

pub(super) fn row(
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
    describe(&mut row, container, data);
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

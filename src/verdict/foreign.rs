//! A container that is not ours, judged by what the engine tells of it.

use std::sync::Arc;

use super::container::{Health, describe, ended_well, exit_words, health, was_killed};
use super::evidence::{Facts, HostData};
use super::life::Life;
use super::reach::away;
use super::row::{SiteRow, blank};
use super::state::State;
use crate::fleet::Name;
use crate::observe::look::look;
use crate::observe::model::{ObservedContainer, RunState};
use crate::text::clean;

/// State and reason of a container by itself. `oom`: kills for memory that still matter, in words.
pub fn judge(container: &ObservedContainer, oom: Option<String>) -> (State, String) {
    match (container.run, health(container), oom) {
        (RunState::Running, Health::Bad, _) => (State::Failing, "unhealthy".into()),
        (RunState::Running, Health::Starting, _) => (State::Starting, "health: starting".into()),
        (RunState::Running, _, Some(oom)) => (State::Warning, oom),
        (RunState::Running, ..) => (State::Running, String::new()),
        (RunState::Restarting, ..) => (State::Restarting, exit_words(container, "")),
        (RunState::Created, ..) => (State::Stopped, "created, never started".into()),
        (RunState::Paused, ..) => (State::Stopped, "paused".into()),
        _ if ended_well(container) => (State::Stopped, String::new()),
        _ => (State::Failing, exit_words(container, "")),
    }
}

pub(super) fn row(
    facts: &Facts,
    host: &Name,
    container: &ObservedContainer,
    data: &HostData,
) -> SiteRow {
    let seen = look(container);
    let text = |text: Option<String>| text.map_or_else(String::new, |t| clean(&t).into_owned());
    let name = clean(&container.name).into_owned();
    let mut row = blank(host, &name, data, data.is_stale(facts.now));
    // A foreign container may carry the name of a site: its id keeps the two apart.
    row.key = Arc::from(format!("{host}//{}", container.id));
    row.foreign = true;
    row.life = Life::of_container(container.run);
    row.project = text(seen.project);
    row.domains = seen.domains.iter().map(|d| clean(d).into_owned()).collect();
    row.recipe = text(seen.service);
    describe(&mut row, container, data, None);
    let killed = was_killed(data.history.get(&container.id), facts.now);
    let oom = killed.then(|| format!("oom ×{}", row.oom));
    (row.state, row.why) = judge(container, oom);
    if row.stale {
        row.why = away(data, host);
    }
    row
}

//! A container that is not ours, judged by what the engine tells of it.

use std::sync::Arc;

use super::container::{Health, describe, ended_well, exit_words, health, was_killed, was_stopped};
use super::evidence::{Facts, HostData};
use super::history::History;
use super::life::Life;
use super::reach::away;
use super::row::{SiteRow, blank};
use super::since::Since;
use super::state::State;
use crate::fleet::Name;
use crate::observe::look::look;
use crate::observe::model::{ObservedContainer, RunState};
use crate::observe::whose::is_foreign;
use crate::record::Labelled;
use crate::text::clean;

/// State and reason of a container by itself. `oom`: kills for memory that still matter, in words.
pub fn judge(
    container: &ObservedContainer,
    history: Option<&History>,
    oom: Option<String>,
) -> (State, String) {
    match (container.run, health(container), oom) {
        (RunState::Running, Health::Bad, _) => (State::Failing, "unhealthy".into()),
        (RunState::Running, Health::Starting, _) => (State::Starting, "health: starting".into()),
        (RunState::Running, _, Some(oom)) => (State::Warning, oom),
        (RunState::Running, ..) => (State::Running, String::new()),
        (RunState::Restarting, ..) => (State::Restarting, exit_words(container, "", None)),
        (RunState::Created, ..) => (State::Stopped, "created, never started".into()),
        (RunState::Paused, ..) => (State::Stopped, "paused".into()),
        _ if ended_well(container) => (State::Stopped, String::new()),
        _ if was_stopped(container, history) => {
            (State::Stopped, exit_words(container, "", Some("by hand")))
        }
        _ => (State::Failing, exit_words(container, "", None)),
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
    let history = data.history.get(&container.id);
    let oom = was_killed(history, facts.now).then(|| format!("oom ×{}", row.oom));
    (row.state, row.why) = judge(container, history, oom);
    let heard = data.listening;
    let turned = row.turned.map(Since::exactly);
    row.since = match row.state {
        State::Warning => history.and_then(|h| h.killed(heard)),
        State::Restarting => {
            let ended = row.turned.map(Since::at_least);
            Since::first(history.and_then(|h| h.restarting(heard)), ended)
        }
        State::Failing if row.running => {
            let told = history.and_then(|h| h.health);
            told.and_then(|(good, at)| (!good).then_some(Since::exactly(at)))
        }
        _ if container.run == RunState::Created => {
            Some(Since::exactly(data.ours(container.created)))
        }
        _ => turned,
    };
    if row.why.is_empty() {
        row.why = copied(container).unwrap_or_default();
    }
    if row.stale {
        row.why = away(data, host);
    }
    row
}

/// What it looks like and is not: an image made of a container of ours has that one's labels, and so
/// has all that is made of it.
fn copied(container: &ObservedContainer) -> Option<String> {
    let fleet = container.fleet().filter(|_| is_foreign(container))?;
    let of = container.site().map(|site| format!(" of {}", clean(site)));
    let (fleet, of) = (clean(fleet), of.unwrap_or_default());
    Some(format!(
        "a copy{of}, by its labels of the fleet {fleet}; ostler leaves it alone"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::names;

    #[test]
    fn a_copy_is_told_of_as_one() {
        let label = |key: &str, value: &str| (format!("ostler.{key}"), value.to_owned());
        let mut container = ObservedContainer {
            name: names::site(&"x".parse().unwrap(), "blog"),
            labels: [
                label("fleet", "x"),
                label("role", "site"),
                label("site", "blog"),
            ]
            .into(),
            ..ObservedContainer::default()
        };
        assert_eq!(copied(&container), None);
        container.name = "blog-copy".into();
        let why = "a copy of blog, by its labels of the fleet x; ostler leaves it alone";
        assert_eq!(copied(&container).as_deref(), Some(why));
        container.labels.clear();
        assert_eq!(copied(&container), None);
    }
}

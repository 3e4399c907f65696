//! What is there of a site, whatever should be: the word that `sites --json` gives as `state`.

use serde::Serialize;

use crate::fleet::{Recipe, Site, SiteState};
use crate::observe::model::{ObservedContainer, ObservedHost, RunState};
use crate::record::RecordedState;
use crate::record::route::RouteTarget;

/// How far a site is alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Life {
    /// Its host does not answer.
    #[default]
    Unreachable,
    /// Its container runs.
    Running,
    /// Stopped, as it was applied.
    Stopped,
    /// Its route and container were taken away, as it was applied.
    Archived,
    /// A `proxy` that the router knows.
    Routed,
    /// Neither container nor route.
    Missing,
    /// Its container was never started.
    Created,
    /// Its container ended.
    Exited,
    /// The engine keeps starting its container again.
    Restarting,
    /// Its container was paused.
    Paused,
    /// The engine gave its container up.
    Dead,
    /// Not in the fleet file any more.
    Leftover,
}

impl Life {
    /// Of a container by itself.
    pub(super) fn of_container(run: RunState) -> Life {
        match run {
            RunState::Running => Life::Running,
            RunState::Paused => Life::Paused,
            RunState::Restarting => Life::Restarting,
            RunState::Removing => Life::Missing,
            RunState::Dead => Life::Dead,
            RunState::Created => Life::Created,
            RunState::Exited => Life::Exited,
        }
    }

    /// Of a site of the file.
    pub(super) fn of_site(
        host: &ObservedHost,
        site: &Site,
        container: Option<&ObservedContainer>,
    ) -> Life {
        let state = host.state.read();
        let target = state.and_then(|s| s.router.routes.get(&site.name));
        let target = target.map(|entry| &entry.target);
        let recorded = state
            .and_then(|s| s.record(&site.name))
            .map(|record| record.state);
        let parked = matches!(target, Some(RouteTarget::Stopped));
        let archived = RecordedState::Wanted(SiteState::Archived);
        if matches!(site.recipe, Recipe::Proxy { .. }) {
            return match target {
                Some(RouteTarget::Stopped) => Life::Stopped,
                Some(_) => Life::Routed,
                None if site.state == SiteState::Archived && recorded.is_some() => Life::Archived,
                None => Life::Missing,
            };
        }
        let Some(container) = container else {
            // A site that never ran has nothing to stop or to take away.
            return match site.state {
                SiteState::Archived if target.is_none() => Life::Archived,
                SiteState::Stopped if parked => Life::Stopped,
                _ if recorded == Some(archived) => Life::Archived,
                _ => Life::Missing,
            };
        };
        match (container.run, recorded) {
            (
                RunState::Exited,
                Some(RecordedState::Wanted(SiteState::Stopped) | RecordedState::Leftover),
            ) => Life::Stopped,
            (run, _) => Life::of_container(run),
        }
    }

    /// Whether a site is as the file wants it.
    pub(super) fn is_as_wanted(self, site: &Site) -> bool {
        let proxy = matches!(site.recipe, Recipe::Proxy { .. });
        let wanted = match site.state {
            SiteState::Running if proxy => Life::Routed,
            SiteState::Running => Life::Running,
            SiteState::Stopped => Life::Stopped,
            SiteState::Archived => Life::Archived,
        };
        self == wanted
    }
}

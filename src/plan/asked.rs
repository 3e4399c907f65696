//! What an operator asks for that no line of the file says: just that, on what is there. What an
//! apply would change besides is said, and left as it is.

use super::container::existing;
use super::draft::{Chain, Draft, Step};
use super::index::Index;
use super::operation::{Interruption, OperationKind};
use super::site::Answers;
use super::unfinished;
use super::wish::{Intent, Wish};
use crate::fleet::{Host, Name, Recipe, Site, SiteState};
use crate::observe::model::{ObservedContainer, ObservedHost};
use crate::observe::whose;
use crate::record::route::RouteTarget;
use crate::record::{HostState, RecordedState, StateRead, names};

/// Seconds that a container has to end before it is started again.
const GRACE_S: u32 = 30;

/// Whether nothing else is asked for than what is done in place.
pub(super) fn is_all(wish: &Wish) -> bool {
    let restarts = |intent: &Intent| matches!(intent, Intent::Restart { .. });
    !wish.intents.is_empty() && wish.intents.iter().all(restarts)
}

/// The part of a plan that follows intents, out of the one that makes the host match the file.
pub(super) fn only(wish: &Wish, host: &Host, seen: &ObservedHost, full: Draft) -> Draft {
    let mut draft = Draft::new(host.name.clone());
    let empty = HostState::default();
    let state = match &seen.state {
        StateRead::Read(state) => &**state,
        StateRead::NoToolbox => &empty,
        StateRead::Damaged { .. } => {
            draft.problems = full.problems;
            return draft;
        }
    };
    let fleet = &wish.fleet.name;
    let others = |record: &crate::record::HostRecord| record.fleet != fleet.as_str();
    if state.host.as_ref().is_some_and(others) {
        draft.problems = full.problems;
        return draft;
    }
    unfinished::tell(wish, seen, &mut draft);
    let index = Index::of(seen, fleet);
    let mut any = false;
    for site in wish.fleet.sites_on(&host.name) {
        let asked =
            |intent: &Intent| matches!(intent, Intent::Restart { site: it } if *it == site.name);
        let runs = site.state == SiteState::Running;
        // Of others it is said why not, for the whole plan.
        if runs && !matches!(site.recipe, Recipe::Proxy { .. }) && wish.intents.iter().any(asked) {
            any = true;
            restart(fleet, site, state, &index, &mut draft);
            differs(&full, Some(&site.name), &mut draft);
        }
    }
    if any {
        differs(&full, None, &mut draft);
    }
    draft
}

/// Restarts the container that serves a site, and waits until it answers.
fn restart(fleet: &Name, site: &Site, state: &HostState, index: &Index, draft: &mut Draft) {
    let (name, word) = (&site.name, "asked for: restart");
    let record = state.record(name);
    let there = index
        .sites
        .get(name.as_str())
        .map_or(&[][..], Vec::as_slice);
    let usable = |it: &&ObservedContainer| whose::is_usable(it);
    let serving = whose::serving(there, fleet, name.as_str(), Some(state)).filter(usable);
    let Some(container) = serving else {
        let what = match record {
            Some(_) => "restart: its container is gone",
            None => "restart: it has no container yet",
        };
        draft.problem(Some(name), what, "apply it: that makes one");
        return;
    };
    let runs = RecordedState::Wanted(SiteState::Running);
    if let Some(record) = record.filter(|record| record.state != runs) {
        let was = match record.state {
            RecordedState::Wanted(state) => state.word(),
            RecordedState::Leftover => "a leftover",
        };
        let what = format!("restart: it is {was}, and the file says running since");
        draft.problem(Some(name), what, "apply it: that starts it");
        return;
    }
    let mut chain = Chain::new(draft.host.clone(), name.clone());
    let interrupts = match container.is_running() {
        true => Interruption::Seconds(3),
        false => Interruption::None,
    };
    let kind = OperationKind::RestartContainer {
        container: existing(container),
        grace_s: GRACE_S,
    };
    let step = Step::new("restart", kind, &[]).because(word);
    chain.push(step.interrupts(interrupts), &[]);
    let network = names::network(fleet);
    let route = state.router.routes.get(name);
    let routed = route.filter(|_| whose::is_routed(container, &network, route));
    let asks = index.toolboxes.iter().any(|toolbox| toolbox.is_running());
    match routed.map(|entry| &entry.target) {
        Some(RouteTarget::Address { ip, port, .. }) if asks => {
            let answers = Answers {
                site,
                address: *ip,
                port: *port,
            };
            let kind = answers.wait(existing(container), None);
            chain.push(Step::new("restarted", kind, &[]).because(word), &[]);
        }
        Some(_) => draft.notice(
            Some(name),
            "whether it answers is not looked at: the toolbox does not run",
        ),
        None => draft.notice(
            Some(name),
            "whether it answers is not looked at: the router sends no requests to its container",
        ),
    }
    draft.operations.extend(chain.operations);
}

/// Says what else an apply would do.
fn differs(full: &Draft, site: Option<&Name>, draft: &mut Draft) {
    let mut causes: Vec<&str> = Vec::new();
    let notes = |kind: &OperationKind| {
        let settles = matches!(kind, OperationKind::SettleRun { .. });
        settles || matches!(kind, OperationKind::RecordFleet { .. }) || kind.facts().follows
    };
    let theirs = full.operations.iter().filter(|it| it.site.as_ref() == site);
    for operation in theirs.filter(|it| !notes(&it.kind)) {
        for cause in &operation.cause {
            if !causes.contains(&cause.as_str()) {
                causes.push(cause);
            }
        }
    }
    let problems = full.problems.iter().filter(|it| it.site.as_ref() == site);
    causes.extend(problems.map(|problem| problem.what.as_str()));
    if !causes.is_empty() {
        let causes = causes.join("; ");
        let text = format!("left to an apply: {causes}");
        draft.notice(site, text);
    }
}

//! A site that should not run: stopped, archived, or gone from the file. Its files stay in all
//! three.

use super::stage::Stage;
use super::view::View;
use crate::fleet::{Limits, Name, Recipe, Site, SiteState};
use crate::observe::model::ObservedContainer;
use crate::observe::whose::is_usable;
use crate::plan::container::{existing, is_active, set_restart};
use crate::plan::draft::{Draft, Step};
use crate::plan::drift::hand;
use crate::plan::ground::Ground;
use crate::plan::limits;
use crate::plan::lineage;
use crate::plan::operation::{Interruption, OperationKind};
use crate::plan::recipe;
use crate::plan::service;
use crate::plan::{cause, route as routes};
use crate::record::route::{RouteEntry, RouteTarget};
use crate::record::{Labelled, RecordedState, SiteRecord};

/// Container stopped and kept, domains answered with a plain page.
pub(super) fn stopped<'a>(ground: &mut Ground<'a>, draft: &mut Draft, site: &Site, view: View<'a>) {
    let entry = routes::entry(&ground.wish.claims, site, RouteTarget::Stopped);
    let mut causes = state_causes(&view, SiteState::Stopped);
    let route_causes = cause::of_route(view.routed, &entry);
    let mut stage = Stage::of(ground, draft, &site.name, view);
    if stage.view.record.is_none()
        && let Some(wanted) = recipe::container(site, stage.uid, &stage.ground.setting())
    {
        stage.folders(wanted.serves_www, &causes);
    }
    let mut why: Vec<String> = causes.iter().chain(&route_causes).cloned().collect();
    if why.is_empty() {
        why.push("the router does not say that it is stopped".to_owned());
    }
    let interrupts = match stage.view.containers.iter().any(|c| c.is_running()) {
        true => Interruption::Lasting,
        false => Interruption::None,
    };
    stage.route(&entry, interrupts, &why);
    if causes.is_empty() {
        causes.push("state: stopped, but its container runs".into());
    }
    let keep = to_keep(&stage.view, site);
    if keep.is_none() {
        let view = &stage.view;
        let spoiled = view.containers.iter();
        causes.extend(spoiled.flat_map(|c| hand::spoiled(c, view.record, &view.network)));
    }
    halt(&mut stage, keep, &causes);
    if let Some(keep) = keep {
        as_recorded(&mut stage, keep);
    }
    let state = RecordedState::Wanted(SiteState::Stopped);
    record(stage, keep, Some(entry), state, &why);
}

/// The container that stays, stopped.
fn to_keep<'a>(view: &View<'a>, site: &Site) -> Option<&'a ObservedContainer> {
    // A route of its own takes the place of a container.
    let keeps_one = !matches!(site.recipe, Recipe::Proxy { .. });
    // One that was changed by hand beyond repair goes: starting the site makes it anew.
    let sound = |c: &ObservedContainer| hand::spoiled(c, view.record, &view.network).is_empty();
    let keeps_one = |c: &ObservedContainer| keeps_one && sound(c) && can_be_limited(view, c);
    view.best(|c| keeps_one(c) && recorded_hash(view).is_none_or(|hash| has_hash(c, hash)))
        .or_else(|| view.best(keeps_one))
}

/// Route and container gone; files, user id and state stay.
pub(super) fn archived<'a>(
    ground: &mut Ground<'a>,
    draft: &mut Draft,
    site: &Site,
    view: View<'a>,
) {
    if view.record.is_none() && view.containers.is_empty() && view.routed.is_none() {
        return;
    }
    let mut causes = state_causes(&view, SiteState::Archived);
    if causes.is_empty() {
        causes.push("state: archived, but something of it is there".into());
    }
    let mut stage = Stage::of(ground, draft, &site.name, view);
    stage.unroute(&causes);
    for container in stage.view.containers.clone() {
        stage.retire(container, &causes);
    }
    let archived = RecordedState::Wanted(SiteState::Archived);
    let was_archived = stage
        .view
        .record
        .is_some_and(|record| record.state == archived);
    if !stage.view.containers.is_empty() || !was_archived {
        stage.clean(None);
    }
    record(stage, None, None, archived, &causes);
}

/// Plans a site of which something is on this host and that the file has elsewhere or not at all.
pub(crate) fn leftover(ground: &mut Ground, draft: &mut Draft, name: &Name) {
    let view = View::of(ground, name);
    let moved = ground.wish.fleet.sites.get(name.as_str());
    let options = ground.wish.options;
    let refused = moved.is_none()
        && !options.stop_unknown
        && lineage::refuses(&ground.wish.observed.lineage, name);
    let waits_for = moved.map(|site| &site.host).filter(|host| {
        let host = ground.wish.observed.hosts.get(*host);
        host.is_none_or(|host| host.reached().is_none())
    });
    let may = !refused && waits_for.is_none();
    let settled = view.routed.is_none()
        && view.containers.len() <= 1
        && !view.containers.iter().any(|c| {
            is_active(c)
                || !is_usable(c)
                || (c.name != view.name && !view.is_taken(ground))
                || (may && set_restart(c, false).is_some())
        })
        && view.record.is_some_and(|record| match record.state {
            RecordedState::Leftover => true,
            RecordedState::Wanted(state) => {
                state == SiteState::Archived && view.containers.is_empty()
            }
        });
    if settled {
        let what = match (moved, view.containers.is_empty()) {
            (Some(site), _) => format!("it lives on {} now; its files are still here", site.host),
            (None, true) => "no longer in the file; its files are still here".to_owned(),
            (None, false) => {
                "no longer in the file; its stopped container and its files are still here"
                    .to_owned()
            }
        };
        draft.notice(Some(name), what);
        return;
    }
    if refused {
        draft.problem(
            Some(name),
            "it runs here, and no version of your fleet file ever named it: it is not stopped",
            "get your colleague's fleet file, or write the site into yours",
        );
        return;
    }
    if let Some(host) = waits_for {
        draft.notice(
            Some(name),
            format!("stays up here until {host} can be reached"),
        );
        return;
    }
    let cause = match moved {
        Some(site) => format!("host: {} → {}", ground.host.name, site.host),
        None => "removed from the file".to_owned(),
    };
    let causes = [cause];
    draft.notice(
        Some(name),
        match moved {
            Some(site) => format!("its files stay here: they are not copied to {}", site.host),
            None => "its files and its stopped container stay here".to_owned(),
        },
    );
    let keep = view
        .best(|c| recorded_hash(&view).is_none_or(|hash| has_hash(c, hash)))
        .or_else(|| view.best(|_| true));
    let mut stage = Stage::of(ground, draft, name, view);
    stage.unroute(&causes);
    halt(&mut stage, keep, &causes);
    let recorded = stage.view.record;
    if let Some(keep) = keep {
        let left = |record: &SiteRecord| record.state == RecordedState::Leftover;
        // Until it is left over, that the engine would start it again is nobody's doing by hand.
        let causes = match recorded.is_some_and(left) {
            true => &[][..],
            false => &causes,
        };
        stays_stopped(&mut stage, keep, causes);
    }
    match recorded.is_some() || keep.is_some() {
        true => record(stage, keep, None, RecordedState::Leftover, &causes),
        false => drop(stage.finish()),
    }
}

/// Stops the container that is kept and removes all others.
fn halt(stage: &mut Stage, keep: Option<&ObservedContainer>, causes: &[String]) {
    if let Some(keep) = keep {
        stage.stop(keep, "", causes);
    }
    let others = stage.view.others(keep);
    for other in &others {
        stage.retire(other, causes);
    }
    if let Some(keep) = keep {
        stage.rename(&existing(keep));
    }
    if !others.is_empty() {
        stage.clean(keep.and_then(|keep| keep.spec_hash()).map(str::to_owned));
    }
}

/// The record of a site that does not run: what its kept container was made from stays in it.
fn record(
    mut stage: Stage,
    keep: Option<&ObservedContainer>,
    route: Option<RouteEntry>,
    state: RecordedState,
    causes: &[String],
) {
    service::halted(&mut stage, state);
    let (view, record) = (&stage.view, &mut stage.record);
    match keep {
        Some(keep) if view.record.is_none_or(|was| !hand::is_about(was, keep)) => {
            // The one that was recorded is gone; of this one only the hash is known.
            if recorded_hash(view).is_none_or(|hash| !has_hash(keep, hash)) {
                record.spec = None;
            }
            record.hash = keep.spec_hash().map(str::to_owned);
            // Apply asks the engine how it was made.
            record.made = None;
            record.limits = limits::of(keep, view.record).unwrap_or_default();
            record.image_id = Some(keep.image_id.clone());
            record.address = view.address(keep);
        }
        Some(_) => {}
        None => record.address = None,
    }
    record.route = route;
    record.state = state;
    stage.write_record(causes);
    stage.finish();
}

fn state_causes(view: &View, to: SiteState) -> Vec<String> {
    match view.record {
        None => vec![format!("new site, state: {}", to.word())],
        Some(record) => cause::of_state(record.state, to).into_iter().collect(),
    }
}

/// Whether the limits of a stopped container can be set back to what was recorded.
fn can_be_limited(view: &View, container: &ObservedContainer) -> bool {
    match (
        limits::of(container, view.record),
        limits::recorded(container, view.record),
    ) {
        (Some(has), Some(recorded)) => limits::in_place(&has, &recorded),
        _ => true,
    }
}

/// One that was stopped by hand would come back with the next start of the engine.
fn stays_stopped(stage: &mut Stage, keep: &ObservedContainer, causes: &[String]) {
    // Stopping one that runs tells the engine too.
    if !is_active(keep)
        && let Some((kind, by_hand)) = set_restart(keep, false)
    {
        let by_hand = [by_hand];
        let causes = if causes.is_empty() { &by_hand } else { causes };
        stage.push(Step::new("restarts", kind, causes));
    }
}

/// What was changed by hand on a container that stays stopped, put right in place.
fn as_recorded(stage: &mut Stage, keep: &ObservedContainer) {
    stays_stopped(stage, keep, &[]);
    let recorded = stage.view.record;
    let Some(record) = recorded.filter(|record| hand::is_about(record, keep)) else {
        return;
    };
    let live = limits::of(keep, recorded).unwrap_or(record.limits);
    let swap = hand::has_swap(keep, recorded);
    if live != record.limits || swap {
        let mut causes = cause::of_limits(&record.limits, &live, &record.limits);
        if causes.is_empty() {
            causes.push("swap on top of its memory by hand".into());
        }
        let kind = OperationKind::SetLimits {
            container: existing(keep),
            limits: record.limits,
            was: match swap {
                true => Limits {
                    memory: None,
                    ..live
                },
                false => live,
            },
        };
        stage.push(Step::new("limits", kind, &causes));
    }
    let edited = stage
        .ground
        .differs(&record.site)
        .is_some_and(|d| !d.conf.is_empty());
    if edited && let (Some(spec), Some(hash)) = (&record.spec, &record.hash) {
        let kind = OperationKind::WriteConf {
            site: record.site.clone(),
            hash: hash.clone(),
            files: spec.files.clone(),
        };
        let step = Step::new("conf", kind, &[]).because("configuration edited by hand");
        stage.push_prepared(step);
    }
}

fn recorded_hash<'a>(view: &View<'a>) -> Option<&'a str> {
    view.record.and_then(|record| record.hash.as_deref())
}

fn has_hash(container: &ObservedContainer, hash: &str) -> bool {
    container.spec_hash() == Some(hash)
}

//! A site that should not run: stopped, archived, or gone from the file. Its files stay in all
//! three.

use super::step::{
    clean, finish, folders, is_taken, rename, retire, route, stop, unroute, write_record,
};
use super::view::View;
use crate::fleet::{Limits, Name, Recipe, Site, SiteState};
use crate::observe::model::ObservedContainer;
use crate::plan::container::{existing, is_active, is_usable, set_restart};
use crate::plan::draft::{Chain, Draft, Step};
use crate::plan::drift::hand;
use crate::plan::ground::Ground;
use crate::plan::limits;
use crate::plan::lineage;
use crate::plan::operation::{Interruption, OperationId, OperationKind};
use crate::plan::recipe;
use crate::plan::{cause, route as routes};
use crate::record::route::{RouteEntry, RouteTarget};
use crate::record::{Labelled, RecordedState, SiteRecord};

/// Container stopped and kept, domains answered with a plain page.
pub(super) fn stopped(ground: &mut Ground, chain: &mut Chain, site: &Site, view: &View) {
    let uid = uid(ground, view, &site.name);
    let entry = routes::entry(&ground.wish.claims, site, RouteTarget::Stopped);
    let mut causes = state_causes(view, SiteState::Stopped);
    let route_causes = cause::of_route(view.routed, &entry);
    let wanted = recipe::container(site, uid, &ground.setting());
    if view.record.is_none()
        && let Some(wanted) = &wanted
    {
        folders(chain, &site.name, uid, wanted.serves_www, &causes, ground);
    }
    let all: Vec<String> = causes.iter().chain(&route_causes).cloned().collect();
    let interrupts = if view.containers.iter().any(|c| c.is_running()) {
        Interruption::Lasting
    } else {
        Interruption::None
    };
    let why = if all.is_empty() {
        vec!["the router does not say that it is stopped".to_owned()]
    } else {
        all.clone()
    };
    route(chain, view, &entry, interrupts, &why, ground);
    if causes.is_empty() {
        causes.push("state: stopped, but its container runs".into());
    }
    // A route of its own takes the place of a container.
    let keeps_one = !matches!(site.recipe, Recipe::Proxy { .. });
    // One that was changed by hand beyond repair goes: starting the site makes it anew.
    let sound = |c: &ObservedContainer| hand::spoiled(c, view.record, &view.network).is_empty();
    let keeps_one = |c: &ObservedContainer| keeps_one && sound(c) && can_be_limited(view, c);
    let keep =
        view.best(|c| keeps_one(c) && recorded_hash(view).is_none_or(|hash| has_hash(c, hash)));
    let keep = keep.or_else(|| view.best(keeps_one));
    if keep.is_none() {
        let spoiled = view.containers.iter();
        causes.extend(spoiled.flat_map(|c| hand::spoiled(c, view.record, &view.network)));
    }
    halt(chain, view, &site.name, keep, &causes, ground);
    if let Some(keep) = keep {
        as_recorded(chain, view, keep, ground);
    }
    let record = halted_record(
        view,
        &site.name,
        uid,
        keep,
        Some(entry),
        RecordedState::Wanted(SiteState::Stopped),
    );
    record_if_changed(chain, view, record, &why, ground);
}

/// Route and container gone; files, user id and state stay.
pub(super) fn archived(ground: &mut Ground, chain: &mut Chain, site: &Site, view: &View) {
    if view.record.is_none() && view.containers.is_empty() && view.routed.is_none() {
        return;
    }
    let uid = uid(ground, view, &site.name);
    let mut causes = state_causes(view, SiteState::Archived);
    if causes.is_empty() {
        causes.push("state: archived, but something of it is there".into());
    }
    unroute(chain, view, &site.name, &causes, ground);
    for container in &view.containers {
        retire(chain, view, container, &causes, ground);
    }
    let archived = RecordedState::Wanted(SiteState::Archived);
    let was_archived = view.record.is_some_and(|record| record.state == archived);
    if !view.containers.is_empty() || !was_archived {
        clean(chain, &site.name, None, ground);
    }
    let record = halted_record(view, &site.name, uid, None, None, archived);
    record_if_changed(chain, view, record, &causes, ground);
}

/// Plans a site of which something is on this host and that the file has elsewhere or not at all;
/// returns the last of its operations.
pub(crate) fn leftover(ground: &mut Ground, draft: &mut Draft, name: &Name) -> Option<OperationId> {
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
                || (c.name != view.name && !is_taken(&view, ground))
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
        return None;
    }
    if refused {
        draft.problem(
            Some(name),
            "it runs here, and no version of your fleet file ever named it: it is not stopped",
            "get your colleague's fleet file, or write the site into yours",
        );
        return None;
    }
    if let Some(host) = waits_for {
        draft.notice(
            Some(name),
            format!("stays up here until {host} can be reached"),
        );
        return None;
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
    let mut chain = Chain::new(draft.host, name);
    let uid = uid(ground, &view, name);
    unroute(&mut chain, &view, name, &causes, ground);
    let keep = view
        .best(|c| recorded_hash(&view).is_none_or(|hash| has_hash(c, hash)))
        .or_else(|| view.best(|_| true));
    halt(&mut chain, &view, name, keep, &causes, ground);
    if let Some(keep) = keep {
        let left = |record: &SiteRecord| record.state == RecordedState::Leftover;
        // Until it is left over, that the engine would start it again is nobody's doing by hand.
        let causes = match view.record.is_some_and(left) {
            true => &[][..],
            false => &causes,
        };
        stays_stopped(&mut chain, keep, causes);
    }
    if view.record.is_some() || keep.is_some() {
        let record = halted_record(&view, name, uid, keep, None, RecordedState::Leftover);
        record_if_changed(&mut chain, &view, record, &causes, ground);
    }
    finish(draft, chain)
}

/// Stops the container that is kept and removes all others.
fn halt(
    chain: &mut Chain,
    view: &View,
    site: &Name,
    keep: Option<&ObservedContainer>,
    causes: &[String],
    ground: &Ground,
) {
    if let Some(keep) = keep {
        stop(chain, view, keep, "", causes, ground);
    }
    let others = view.others(keep);
    for other in &others {
        retire(chain, view, other, causes, ground);
    }
    if let Some(keep) = keep {
        rename(chain, view, &existing(keep), ground);
    }
    if !others.is_empty() {
        let hash = keep.and_then(|keep| keep.spec_hash()).map(str::to_owned);
        clean(chain, site, hash, ground);
    }
}

/// The record of a site that does not run: what its kept container was made from stays in it.
fn halted_record(
    view: &View,
    site: &Name,
    uid: u32,
    keep: Option<&ObservedContainer>,
    route: Option<RouteEntry>,
    state: RecordedState,
) -> SiteRecord {
    let mut record = view.record.cloned().unwrap_or(SiteRecord {
        schema: 1,
        site: site.clone(),
        uid,
        spec: None,
        hash: None,
        limits: Limits::default(),
        address: None,
        route: None,
        secrets: Default::default(),
        state,
        image_id: None,
        made: None,
    });
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
    record
}

fn record_if_changed(
    chain: &mut Chain,
    view: &View,
    record: SiteRecord,
    causes: &[String],
    ground: &Ground,
) {
    if view.record != Some(&record) {
        write_record(chain, record, causes, ground);
    }
}

fn state_causes(view: &View, to: SiteState) -> Vec<String> {
    match view.record {
        None => vec![format!("new site, state: {}", to.word())],
        Some(record) => cause::of_state(record.state, to).into_iter().collect(),
    }
}

fn uid(ground: &mut Ground, view: &View, site: &Name) -> u32 {
    match view.record {
        Some(record) => record.uid,
        None => ground
            .uids
            .take(site, ground.seen, ground.state, &ground.index),
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
fn stays_stopped(chain: &mut Chain, keep: &ObservedContainer, causes: &[String]) {
    // Stopping one that runs tells the engine too.
    if !is_active(keep)
        && let Some((kind, by_hand)) = set_restart(keep, false)
    {
        let by_hand = [by_hand];
        let causes = if causes.is_empty() { &by_hand } else { causes };
        chain.push(Step::new("restarts", kind, causes), &[]);
    }
}

/// What was changed by hand on a container that stays stopped, put right in place.
fn as_recorded(chain: &mut Chain, view: &View, keep: &ObservedContainer, ground: &Ground) {
    stays_stopped(chain, keep, &[]);
    let Some(record) = view.record.filter(|record| hand::is_about(record, keep)) else {
        return;
    };
    let live = limits::of(keep, view.record).unwrap_or(record.limits);
    let swap = hand::has_swap(keep, view.record);
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
        chain.push(Step::new("limits", kind, &causes), &[]);
    }
    let edited = ground
        .differs(&record.site)
        .is_some_and(|d| !d.conf.is_empty());
    if edited && let (Some(spec), Some(hash)) = (&record.spec, &record.hash) {
        let kind = OperationKind::WriteConf {
            site: record.site.clone(),
            hash: hash.clone(),
            files: spec.files.clone(),
        };
        let step = Step::new("conf", kind, &[]).because("configuration edited by hand");
        chain.push(step, &[ground.prepared.as_ref()]);
    }
}

fn recorded_hash<'a>(view: &View<'a>) -> Option<&'a str> {
    view.record.and_then(|record| record.hash.as_deref())
}

fn has_hash(container: &ObservedContainer, hash: &str) -> bool {
    container.spec_hash() == Some(hash)
}

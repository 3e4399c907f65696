//! The steps that a site's part is made of, whatever state it is to come to.

use super::view::View;
use crate::fleet::Name;
use crate::observe::model::ObservedContainer;
use crate::plan::container::{existing, is_active, planned, short};
use crate::plan::draft::{Chain, Draft, Step};
use crate::plan::ground::Ground;
use crate::plan::operation::{ContainerRef, Interruption, OperationId, OperationKind};
use crate::record::SiteRecord;
use crate::record::route::RouteEntry;

/// Seconds that running requests have before a container that is no longer routed is stopped.
const DRAIN_S: u32 = 30;

/// Puts the site's operations into the draft; returns the last of them.
pub(super) fn finish(draft: &mut Draft, chain: Chain) -> Option<OperationId> {
    let last = chain.operations.last().map(|last| last.id.clone());
    draft.operations.extend(chain.operations);
    last
}

/// Lets a container's requests end and stops it.
pub(super) fn stop(
    chain: &mut Chain,
    view: &View,
    container: &ObservedContainer,
    tag: &str,
    cause: &[String],
    ground: &Ground,
) {
    if container.is_running()
        && let Some(address) = view.address(container)
    {
        let kind = OperationKind::Drain {
            address,
            at_most_s: DRAIN_S,
        };
        let needs = [ground.router_ready.as_ref(), ground.prepared.as_ref()];
        chain.push(Step::new(format!("drain{tag}"), kind, cause), &needs);
    }
    if is_active(container) {
        let kind = OperationKind::StopContainer {
            container: existing(container),
            grace_s: DRAIN_S,
        };
        let step =
            Step::new(format!("stop{tag}"), kind, cause).undone_by(OperationKind::StartContainer {
                container: existing(container),
            });
        chain.push(step, &[]);
    }
}

/// Removes a container that another one replaced or that is no longer wanted.
pub(super) fn retire(
    chain: &mut Chain,
    view: &View,
    container: &ObservedContainer,
    cause: &[String],
    ground: &Ground,
) {
    let tag = format!("-{}", short(&container.id));
    stop(chain, view, container, &tag, cause, ground);
    let kind = OperationKind::RemoveContainer {
        container: existing(container),
        force: false,
    };
    let step = Step::new(format!("remove{tag}"), kind, cause)
        .no_way_back("the container is gone; files and state stay");
    chain.push(step, &[]);
}

/// Gives the container that stays its final name.
pub(super) fn rename(chain: &mut Chain, view: &View, current: &ContainerRef, ground: &Ground) {
    if current.name == view.name || is_taken(view, ground) {
        return;
    }
    let kind = OperationKind::RenameContainer {
        container: current.clone(),
        to: view.name.clone(),
    };
    let step = Step::new("rename", kind, &[])
        .because("it is the only one now")
        .undone_by(OperationKind::RenameContainer {
            container: planned(&view.name),
            to: current.name.clone(),
        });
    chain.push(step, &[]);
}

/// Tells the router where the site is, unless it knows.
pub(super) fn route(
    chain: &mut Chain,
    view: &View,
    entry: &RouteEntry,
    interrupts: Interruption,
    cause: &[String],
    ground: &Ground,
) {
    let edited = ground
        .differs(&entry.site)
        .map_or(&[][..], |differs| &differs.route);
    if view.routed == Some(entry) && edited.is_empty() {
        return;
    }
    let by_hand: Vec<String> = edited
        .iter()
        .map(|one| format!("{} in the router changed by hand", one.path))
        .collect();
    let cause = match view.routed == Some(entry) {
        true => &by_hand[..],
        false => cause,
    };
    let kind = OperationKind::Route {
        entry: entry.clone(),
    };
    let step = Step::new("route", kind, cause).interrupts(interrupts);
    let step = match view.routed {
        Some(was) => step.undone_by(OperationKind::Route { entry: was.clone() }),
        None => step.undone_by(OperationKind::Unroute {
            site: entry.site.clone(),
        }),
    };
    let needs = [ground.router_ready.as_ref(), ground.prepared.as_ref()];
    chain.push(step, &needs);
}

/// Takes the site's routes away, unless there are none.
pub(super) fn unroute(
    chain: &mut Chain,
    view: &View,
    site: &Name,
    cause: &[String],
    ground: &Ground,
) {
    let Some(was) = view.routed else { return };
    let kind = OperationKind::Unroute { site: site.clone() };
    let step = Step::new("unroute", kind, cause)
        .interrupts(Interruption::Lasting)
        .undone_by(OperationKind::Route { entry: was.clone() });
    let needs = [ground.router_ready.as_ref(), ground.prepared.as_ref()];
    chain.push(step, &needs);
}

/// Makes the site's folders, after taking over files that were there before it.
pub(super) fn folders(
    chain: &mut Chain,
    site: &Name,
    uid: u32,
    placeholder: bool,
    cause: &[String],
    ground: &Ground,
) {
    let needs = [ground.prepared.as_ref()];
    if let Some(from) = ground.seen.folders.get(site)
        && (from.uid != uid || from.gid != uid)
    {
        let kind = OperationKind::TakeOwnership {
            site: site.clone(),
            from: *from,
            uid,
        };
        let step = Step::new("own", kind, &[])
            .because(format!(
                "owner of its files: {}:{} → {uid}:{uid}",
                from.uid, from.gid
            ))
            .no_way_back("whose each file was is not kept");
        chain.push(step, &needs);
    }
    let kind = OperationKind::CreateFolders {
        site: site.clone(),
        uid,
        placeholder,
    };
    chain.push(Step::new("folders", kind, cause), &needs);
}

/// Removes configuration that no container uses any more.
pub(super) fn clean(chain: &mut Chain, site: &Name, keep: Option<String>, ground: &Ground) {
    let kind = OperationKind::CleanConf {
        site: site.clone(),
        keep,
    };
    let step = Step::new("clean", kind, &[]).because("no container reads the old configuration");
    chain.push(step, &[ground.prepared.as_ref()]);
}

/// Writes the site's record where it is not as it should be.
pub(super) fn write_record(
    chain: &mut Chain,
    record: SiteRecord,
    cause: &[String],
    ground: &Ground,
) {
    let kind = OperationKind::WriteRecord {
        record: Box::new(record),
    };
    let step = Step::new("record", kind, cause);
    chain.push(step, &[ground.prepared.as_ref()]);
}

/// Whether a container that is not ours has the site's name.
pub(super) fn is_taken(view: &View, ground: &Ground) -> bool {
    let fleet = &ground.wish.fleet.name;
    ground.index.taken_by_other(&view.name, fleet).is_some()
}

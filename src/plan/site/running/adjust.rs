//! What is looked at, and changed, on a container that stays.

use super::super::stage::Stage;
use super::super::view::View;
use crate::fleet::{Limits, Site};
use crate::observe::made::alike;
use crate::observe::model::ObservedContainer;
use crate::plan::container::existing;
use crate::plan::draft::Step;
use crate::plan::drift::hand;
use crate::plan::image::{self, Newer};
use crate::plan::operation::OperationKind;
use crate::plan::{cause, limits};
use crate::record::spec::ContainerSpec;
use crate::record::{Fields, Labelled, SiteRecord};

/// A newer image under the same tag, where it is asked for: else it is only told.
pub(super) fn newer_image(
    stage: &Stage,
    container: &ObservedContainer,
    reference: &str,
) -> Option<Newer> {
    let asked = stage.ground.wish.updates(stage.name);
    image::newer(stage.ground.seen, container, reference).filter(|_| asked)
}

pub(super) fn set_limits(stage: &mut Stage, keep: &ObservedContainer, site: &Site) {
    let record = stage.view.record;
    let Some(was) = limits::of(keep, record) else {
        return;
    };
    let swap = hand::has_swap(keep, record);
    if was == site.limits && !swap {
        return;
    }
    let kind = |limits: Limits, was: Limits| OperationKind::SetLimits {
        container: existing(keep),
        limits,
        was,
    };
    let recorded = limits::recorded(keep, record).unwrap_or(was);
    let mut causes = cause::of_limits(&recorded, &was, &site.limits);
    if swap {
        causes.push("swap on top of its memory by hand".into());
    }
    // Memory is set together with swap: also where only that was changed.
    let before = match swap {
        true => Limits {
            memory: None,
            ..was
        },
        false => was,
    };
    let step = Step::new("limits", kind(site.limits, before), &causes);
    let step = if limits::in_place(&site.limits, &before) {
        step.undone_by(kind(was, site.limits))
    } else {
        step.no_way_back("a limit cannot be taken away in place")
    };
    if was.memory != site.limits.memory && matches!(site.recipe, crate::fleet::Recipe::Php { .. }) {
        stage.notice("its number of PHP workers follows the memory at the next restart");
    }
    stage.push(step);
}

/// Why the container that is there cannot get its limits in place.
pub(super) fn limits_in_the_way(view: &View, hash: &str, site: &Site) -> Vec<String> {
    let is_same = |c: &ObservedContainer| c.spec_hash().is_some_and(|h| h == hash);
    let Some(container) = view.best(is_same) else {
        let recorded = view.record.map(|record| record.limits);
        return recorded
            .map(|recorded| cause::of_limits(&recorded, &recorded, &site.limits))
            .unwrap_or_default();
    };
    let live = limits::of(container, view.record).unwrap_or(site.limits);
    let recorded = limits::recorded(container, view.record).unwrap_or(live);
    cause::of_limits(&recorded, &live, &site.limits)
}

/// What was changed on a container, or in the files it reads, that only another container in its
/// place puts right.
pub(super) fn spoiled(stage: &Stage, container: &ObservedContainer) -> Vec<String> {
    let view = &stage.view;
    let mut causes = hand::spoiled(container, view.record, &view.network);
    if has_edited_files(stage, container) {
        let paths = stage
            .ground
            .differs(stage.name)
            .into_iter()
            .flat_map(|d| &d.conf);
        causes.extend(paths.map(|one| format!("configuration {} edited by hand", one.path)));
    }
    causes
}

/// Whether files that a container reads at its start were edited on the host.
pub(super) fn has_edited_files(stage: &Stage, container: &ObservedContainer) -> bool {
    stage
        .view
        .record
        .is_some_and(|record| hand::is_about(record, container))
        && stage
            .ground
            .differs(stage.name)
            .is_some_and(|d| !d.conf.is_empty())
}

/// What a record keeps of how its container was made. Of one that stays: what was known of it, and
/// what the file has come to say; `None`: apply asks the engine.
pub(super) fn still_made(stage: &Stage, keep: &ObservedContainer) -> Option<Fields> {
    let view = &stage.view;
    let wanted = stage.record.spec.as_ref()?;
    let live = keep.inspected.as_ref().map(|i| i.made.clone());
    let known = view
        .record
        .filter(|record| hand::is_about(record, keep))
        .and_then(|record| record.made.clone());
    let Some(known) = known else { return live };
    if let Some(live) = live.as_ref().filter(|live| !alike(live, &known)) {
        return Some(live.clone());
    }
    if !hand::is_adopted(keep, view.record, wanted) {
        return Some(known);
    }
    let mut live = live?.to_map();
    // Put right in the same plan.
    live.remove(hand::SWAP);
    if let Some(swap) = known.get(hand::SWAP) {
        live.insert(hand::SWAP.to_owned(), swap.to_owned());
    }
    Some(live.into())
}

/// Whether how a container was made is not recorded, or in words that the engine does not use any
/// more. Not where the container was not looked at closely.
pub(super) fn is_made_anew(record: &SiteRecord, keep: Option<&ObservedContainer>) -> bool {
    let live = keep.and_then(|keep| keep.inspected.as_ref());
    live.is_some_and(|live| {
        let known = record.made.as_ref();
        !known.is_some_and(|known| alike(known, &live.made))
    })
}

/// Whether configuration of another container than the one that stays may lie about.
pub(super) fn has_stale_files(
    view: &View,
    spec: &ContainerSpec,
    hash: &str,
    others: &[&ObservedContainer],
) -> bool {
    let recorded = view.record.and_then(|record| record.hash.as_deref());
    if others.is_empty() && recorded.is_none_or(|old| old == hash) {
        return false;
    }
    let none_recorded = view
        .record
        .and_then(|record| record.spec.as_ref())
        .is_some_and(|spec| spec.files.is_empty());
    // Only of what is recorded is it known what it read.
    let all_recorded = others.iter().all(|other| other.spec_hash() == recorded);
    !(none_recorded && all_recorded && spec.files.is_empty())
}

//! A site that should run in a container of ours.
//!
//! Nothing here asks how far an earlier apply came. Among the site's containers one may be as
//! wanted; if none is, one is created. Then: run, answer, route, retire the others, take the final
//! name, record. Each step is left out when it is done already.

mod adjust;
mod create;
mod life;

use std::collections::BTreeSet;

use adjust::{
    has_edited_files, has_stale_files, is_made_anew, limits_in_the_way, newer_image, set_limits,
    spoiled, still_made,
};
use create::create;
pub(crate) use life::Answers;
use life::{await_ready, start};

use super::stage::{Refused, Stage};
use super::view::View;
use crate::fleet::{Site, SiteState};
use crate::observe::model::{ObservedContainer, RunState};
use crate::plan::container::{existing, set_restart};
use crate::plan::draft::{Draft, Step};
use crate::plan::drift::hand;
use crate::plan::ground::Ground;
use crate::plan::operation::Interruption;
use crate::plan::recipe::base::Wanted;
use crate::plan::{cause, image, limits, recipe, route as routes, service};
use crate::record::route::{RouteEntry, RouteTarget};
use crate::record::spec::ContainerSpec;
use crate::record::{Labelled, RecordedState, SiteRecord};

pub(super) fn plan<'a>(ground: &mut Ground<'a>, draft: &mut Draft, site: &Site, view: View<'a>) {
    let mut stage = Stage::of(ground, draft, &site.name, view);
    let Some(wanted) = recipe::container(site, stage.uid, &stage.ground.setting()) else {
        return;
    };
    let (hash, keep) = choose(&stage, site, &wanted);
    if build(&mut stage, site, wanted, hash, keep).is_ok() {
        stage.finish();
    }
}

/// The container that is as wanted already, if there is one, and the hash that stands.
fn choose<'a>(
    stage: &Stage<'_, 'a>,
    site: &Site,
    wanted: &Wanted,
) -> (String, Option<&'a ObservedContainer>) {
    let view = &stage.view;
    // The recorded hash stands as long as the spec is the recorded one, also when a later version
    // of this program would compute another hash for the same spec.
    let hash = match view.record {
        Some(SiteRecord {
            spec: Some(spec),
            hash: Some(hash),
            ..
        }) if *spec == wanted.spec => hash.clone(),
        _ => wanted.spec.hash(),
    };
    let in_place = |container: &ObservedContainer| {
        newer_image(stage, container, &wanted.spec.image).is_none()
            && limits::of(container, view.record)
                .is_none_or(|has| limits::in_place(&has, &site.limits))
    };
    let fits = |container: &ObservedContainer| {
        container.spec_hash() == Some(&hash)
            && in_place(container)
            && spoiled(stage, container).is_empty()
    };
    // What was changed by hand and then written into the file is as wanted.
    let adopted = view.best(|container| {
        in_place(container)
            && !hand::is_unplugged(container, &view.network)
            && !has_edited_files(stage, container)
            && hand::is_adopted(container, view.record, &wanted.spec)
    });
    let keep = adopted.or_else(|| view.best(fits));
    let hash = match (adopted, keep) {
        (Some(_), _) => view.record.and_then(|r| r.hash.clone()).unwrap_or(hash),
        (None, Some(_)) => hash,
        // A new container is made by this version's hash.
        (None, None) => wanted.spec.hash(),
    };
    (hash, keep)
}

/// Services, container, route; then what the old leaves behind, services again, and the record.
fn build<'a>(
    stage: &mut Stage<'_, 'a>,
    site: &Site,
    wanted: Wanted,
    hash: String,
    keep: Option<&'a ObservedContainer>,
) -> Result<(), Refused> {
    let mut causes = why(stage, site, &wanted, &hash, keep);
    let others = stage.view.others(keep);
    let serving = others.iter().copied().find(|c| stage.view.is_routed(c));
    match stage.view.record.and_then(|record| record.spec.as_ref()) {
        None => stage.folders(wanted.serves_www, &causes),
        Some(was) if keep.is_none() && sees_more(stage, site, was, &wanted.spec) => {
            stage.folders(false, &causes);
        }
        Some(_) => {}
    }
    service::before(site, stage)?;

    let mut removed = None;
    let (current, address) = match keep {
        Some(keep) => (existing(keep), stage.view.address(keep)),
        None => {
            let created = create(stage, &wanted.spec, site, &hash, &causes, serving)?;
            removed = created.spare;
            (created.container, Some(created.address))
        }
    };
    let Some(ip) = address else {
        return Err(stage.refuse(
            format!(
                "the container {} has no address on {}",
                current.name, stage.ground.network
            ),
            "remove it; the next apply makes it anew",
        ));
    };
    let answers = Answers {
        site,
        address: ip,
        port: wanted.port,
    };
    let started = start(stage, keep, &current, &causes);
    if let Some(keep) = keep {
        adjust(stage, site, keep, started);
    }
    let target = RouteTarget::Address {
        ip,
        port: wanted.port,
        https: wanted.https,
    };
    let entry = routes::entry(&stage.ground.wish.claims, site, target);
    let routed = stage.view.routed;
    if started || routed.is_none_or(|was| was.target != entry.target) {
        await_ready(stage, &answers, &current, serving, &causes);
    }
    let route_causes = why_route(stage, &entry, &causes);
    stage.route(&entry, Interruption::None, &route_causes);

    let retired = ["another container serves now".to_owned()];
    for other in others.iter().filter(|c| removed != Some(c.id.as_str())) {
        stage.retire(other, &retired);
    }
    stage.rename(&current);
    service::after(site, stage);
    if has_stale_files(&stage.view, &wanted.spec, &hash, &others) {
        stage.clean(Some(hash.clone()));
    }

    let record = &mut stage.record;
    record.spec = Some(wanted.spec);
    record.hash = Some(hash);
    record.limits = site.limits;
    record.address = address;
    record.route = Some(entry);
    record.state = RecordedState::Wanted(SiteState::Running);
    causes.extend(
        route_causes
            .into_iter()
            .filter(|_| stage.view.record.is_some()),
    );
    note(stage, keep, causes);
    Ok(())
}

/// Whether the container shows a folder of the site that an earlier version did not make.
fn sees_more(stage: &Stage, site: &Site, was: &ContainerSpec, now: &ContainerSpec) -> bool {
    let uploads = stage.ground.layout.uploads(&site.name);
    let has = |spec: &ContainerSpec| spec.binds.iter().any(|bind| bind.host == uploads);
    has(now) && !has(was)
}

/// Why the site changes; nothing where it does not.
fn why(
    stage: &Stage,
    site: &Site,
    wanted: &Wanted,
    hash: &str,
    keep: Option<&ObservedContainer>,
) -> Vec<String> {
    let view = &stage.view;
    let mut causes = cause::of_site(view.record, Some(&wanted.spec));
    if keep.is_none() {
        causes.extend(limits_in_the_way(view, hash, site));
        if let Some(container) = view.best(|_| true) {
            causes.extend(spoiled(stage, container));
        }
        let serving = view.best(|_| true);
        let newer = serving.and_then(|is| newer_image(stage, is, &wanted.spec.image));
        causes.extend(newer.map(|newer| newer.cause()));
        causes.extend(cause::of_missing(&view.containers, &causes));
        if wanted.spec.root {
            causes.push("runs as root inside: its image insists on it".into());
        }
    }
    causes
}

fn why_route(stage: &Stage, entry: &RouteEntry, causes: &[String]) -> Vec<String> {
    let mut why = cause::of_route(stage.view.routed, entry);
    if why.is_empty() {
        why.extend_from_slice(causes);
    }
    if why.is_empty() && stage.view.routed != Some(entry) {
        why.push("the router does not send its requests there yet".into());
    }
    why
}

/// What is told of a container that stays, and changed on it.
fn adjust(stage: &mut Stage, site: &Site, keep: &ObservedContainer, started: bool) {
    if keep.run == RunState::Restarting {
        stage.notice("its container keeps exiting and is started again by the engine; see its log");
    }
    set_limits(stage, keep, site);
    let told = started && keep.run != RunState::Paused;
    if !told && let Some((kind, cause)) = set_restart(keep, true) {
        stage.push(Step::new("restarts", kind, &[cause]));
    }
}

/// Records what was applied, where the record says something else.
fn note(stage: &mut Stage, keep: Option<&ObservedContainer>, mut causes: Vec<String>) {
    let view = &stage.view;
    let is_made_anew = view.record.is_some_and(|record| is_made_anew(record, keep));
    if !stage.is_told_anew() && !is_made_anew {
        return;
    }
    if let Some(record) = view.record {
        let (was, now) = (&record.limits, &stage.record.limits);
        causes.extend(cause::of_limits(was, was, now));
    }
    if causes.is_empty() && is_made_anew {
        causes.push("how its container was made is not recorded in this engine's words".into());
    }
    if causes.is_empty() {
        causes.push("what was applied is not recorded as it is".into());
    }
    let mut said = BTreeSet::new();
    causes.retain(|cause| said.insert(cause.clone()));
    let made = keep.and_then(|keep| still_made(stage, keep));
    let image_id = match (keep, &stage.record.spec) {
        (Some(keep), _) => Some(keep.image_id.clone()),
        (None, Some(spec)) => {
            image::find(&stage.ground.seen.images, &spec.image).map(str::to_owned)
        }
        (None, None) => None,
    };
    stage.record.image_id = image_id;
    stage.record.made = made;
    stage.write_record(&causes);
}

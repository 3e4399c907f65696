//! A site that should run in a container of ours.
//!
//! Nothing here asks how far an earlier apply came. Among the site's containers one may be as
//! wanted; if none is, one is created. Then: run, answer, route, retire the others, take the final
//! name, record. Each step is left out when it is done already.

mod adjust;
mod create;
mod life;
mod secrets;

use std::collections::{BTreeMap, BTreeSet};

use adjust::{
    has_edited_files, has_stale_files, is_told_anew, limits_in_the_way, newer_image, set_limits,
    spoiled, still_made,
};
use create::create;
use life::{await_ready, restart, start};
use secrets::{remove_secrets, secrets, write_secrets};

use super::step::{clean, folders, rename, retire, route, write_record};
use super::view::View;
use crate::fleet::{Site, SiteState};
use crate::observe::model::{ObservedContainer, RunState};
use crate::plan::container::{existing, set_restart};
use crate::plan::draft::{Chain, Draft, Step};
use crate::plan::drift::hand;
use crate::plan::ground::Ground;
use crate::plan::operation::Interruption;
use crate::plan::recipe::{self, Wanted};
use crate::plan::{cause, image, limits, route as routes};
use crate::record::route::RouteTarget;
use crate::record::{Labelled, RecordedState, SiteRecord};

pub(super) fn plan<'a>(
    ground: &mut Ground<'a>,
    draft: &mut Draft,
    chain: &mut Chain,
    site: &Site,
    view: &View<'a>,
) {
    let uid = match view.record {
        Some(record) => record.uid,
        None => ground
            .uids
            .take(&site.name, ground.seen, ground.state, &ground.index),
    };
    let Some(wanted) = recipe::container(site, uid, &ground.setting()) else {
        return;
    };
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
        limits::of(container, view.record).is_none_or(|has| limits::in_place(&has, &site.limits))
    };
    let fits = |container: &ObservedContainer| {
        container.spec_hash() == Some(&hash)
            && in_place(container)
            && spoiled(ground, view, &site.name, container).is_empty()
    };
    // What was changed by hand and then written into the file is as wanted.
    let adopted = view.best(|container| {
        in_place(container)
            && !hand::is_unplugged(container, &view.network)
            && !has_edited_files(ground, view, &site.name, container)
            && hand::is_adopted(container, view.record, &wanted.spec)
    });
    let keep = adopted.or_else(|| view.best(fits));
    let hash = match (adopted, keep) {
        (Some(_), _) => view.record.and_then(|r| r.hash.clone()).unwrap_or(hash),
        (None, Some(_)) => hash,
        // A new container is made by this version's hash.
        (None, None) => wanted.spec.hash(),
    };
    let secrets = match secrets(ground, draft, site, view) {
        Ok(secrets) => secrets,
        Err(()) => return,
    };
    let target = Target {
        site,
        uid,
        hash: &hash,
        keep,
        secrets,
    };
    build(ground, draft, chain, view, wanted, target);
}

/// What the site is to become.
struct Target<'a> {
    site: &'a Site,
    uid: u32,
    hash: &'a str,
    /// The container that is as wanted already.
    keep: Option<&'a ObservedContainer>,
    secrets: BTreeMap<String, String>,
}

fn build<'a>(
    ground: &mut Ground<'a>,
    draft: &mut Draft,
    chain: &mut Chain,
    view: &View<'a>,
    wanted: Wanted,
    target: Target,
) {
    let Target {
        site,
        uid,
        hash,
        keep,
        secrets,
    } = target;
    let port = wanted.port;
    let mut causes = cause::of_site(view.record, Some(&wanted.spec));
    if keep.is_none() {
        causes.extend(limits_in_the_way(view, hash, site));
        if let Some(container) = view.best(|_| true) {
            causes.extend(spoiled(ground, view, &site.name, container));
        }
        causes.extend(cause::of_missing(&view.containers, &causes));
    }
    if wanted.spec.root && keep.is_none() {
        causes.push("runs as root inside: its image insists on it".into());
    }
    let others = view.others(keep);
    let serving = others.iter().copied().find(|c| view.is_routed(c));

    let needs_folders = view.record.is_none_or(|record| record.spec.is_none());
    if needs_folders {
        folders(chain, &site.name, uid, wanted.serves_www, &causes, ground);
    }
    write_secrets(chain, view, &site.name, uid, &secrets, ground);

    let mut removed = None;
    let (current, address) = match keep {
        Some(keep) => (existing(keep), view.address(keep)),
        None => {
            let plan = create(
                ground,
                draft,
                chain,
                view,
                wanted.spec.clone(),
                site,
                uid,
                hash,
                &causes,
                serving,
            );
            match plan {
                Ok((current, address, spare)) => {
                    removed = spare;
                    (current, Some(address))
                }
                Err((what, remedy)) => {
                    // Nothing of this site is begun that could not be finished.
                    chain.operations.clear();
                    draft.problem(Some(&site.name), what, remedy);
                    return;
                }
            }
        }
    };
    let Some(address) = address else {
        chain.operations.clear();
        draft.problem(
            Some(&site.name),
            format!(
                "the container {} has no address on {}",
                current.name, ground.network
            ),
            "remove it; the next apply makes it anew",
        );
        return;
    };

    let started = start(chain, view, keep, &current, &causes, ground);
    if let Some(keep) = keep {
        if keep.run == RunState::Restarting {
            draft.notice(
                Some(&site.name),
                "its container keeps exiting and is started again by the engine; see its log",
            );
        }
        newer_image(draft, ground, site, keep, &wanted.spec.image);
        set_limits(draft, chain, view, keep, site);
        let told = started && keep.run != RunState::Paused;
        if !told && let Some((kind, cause)) = set_restart(keep, true) {
            chain.push(Step::new("restarts", kind, &[cause]), &[]);
        }
    }
    let entry = routes::entry(
        &ground.wish.claims,
        site,
        RouteTarget::Address { ip: address, port },
    );
    let rerouted = view.routed.is_none_or(|was| was.target != entry.target);
    if started || rerouted {
        await_ready(
            chain, view, site, &current, address, port, serving, &causes, ground,
        );
    }
    let mut route_causes = cause::of_route(view.routed, &entry);
    if route_causes.is_empty() {
        route_causes.clone_from(&causes);
    }
    if route_causes.is_empty() && view.routed != Some(&entry) {
        route_causes.push("the router does not send its requests there yet".into());
    }
    route(
        chain,
        view,
        &entry,
        Interruption::None,
        &route_causes,
        ground,
    );
    let retired = ["another container serves now".to_owned()];
    for other in others
        .iter()
        .filter(|other| removed != Some(other.id.as_str()))
    {
        retire(chain, view, other, &retired, ground);
    }
    rename(chain, view, &current, ground);
    remove_secrets(chain, view, &site.name, uid, &secrets, ground);
    if has_stale_files(view, &wanted.spec, hash, &others) {
        clean(chain, &site.name, Some(hash.to_owned()), ground);
    }
    restart(chain, draft, ground, site, keep, started, address, port);

    let image_id = match keep {
        Some(keep) => Some(keep.image_id.clone()),
        None => image::find(&ground.seen.images, &wanted.spec.image).map(str::to_owned),
    };
    let unchanged = view.record.is_some_and(|record| {
        record.spec.as_ref() == Some(&wanted.spec)
            && record.hash.as_deref() == Some(hash)
            && record.limits == site.limits
            && record.address == Some(address)
            && record.route.as_ref() == Some(&entry)
            && record.secrets == secrets
            && record.state == RecordedState::Wanted(SiteState::Running)
            && !is_told_anew(record, keep)
    });
    if !unchanged {
        let made = keep.and_then(|keep| still_made(view, keep, &wanted.spec));
        causes.extend(route_causes.into_iter().filter(|_| view.record.is_some()));
        if let Some(record) = view.record {
            let (was, now) = (&record.limits, &site.limits);
            causes.extend(cause::of_limits(was, was, now));
        }
        if causes.is_empty() && view.record.is_some_and(|r| is_told_anew(r, keep)) {
            causes.push("how its container was made is not recorded in this engine's words".into());
        }
        if causes.is_empty() {
            causes.push("what was applied is not recorded as it is".into());
        }
        let mut said = BTreeSet::new();
        causes.retain(|cause| said.insert(cause.clone()));
        let record = SiteRecord {
            schema: 1,
            site: site.name.clone(),
            uid,
            spec: Some(wanted.spec),
            hash: Some(hash.to_owned()),
            limits: site.limits,
            address: Some(address),
            route: Some(entry),
            secrets,
            state: RecordedState::Wanted(SiteState::Running),
            image_id,
            made,
        };
        write_record(chain, record, &causes, ground);
    }
}

//! A site that should run in a container of ours.
//!
//! Nothing here asks how far an earlier apply came. Among the site's containers one may be as
//! wanted; if none is, one is created. Then: run, answer, route, retire the others, take the final
//! name, record. Each step is left out when it is done already.

use std::collections::BTreeMap;

use super::{View, clean, folders, rename, retire, route};
use crate::fleet::{Limits, Name, Site, SiteState};
use crate::observe::model::{ObservedContainer, RecordedState, RunState, SiteRecord};
use crate::plan::cause;
use crate::plan::draft::{Chain, Draft, Step};
use crate::plan::ground::{Ground, existing, free_name, is_active, planned};
use crate::plan::intent::Intent;
use crate::plan::names::{self, Labels};
use crate::plan::operation::{ContainerRef, Interruption, OperationKind};
use crate::plan::recipe::{self, Wanted};
use crate::plan::router::RouteTarget;
use crate::plan::spec::{ContainerSpec, NewContainer};
use crate::plan::{image, limits, route as routes};

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
    let fits = |container: &ObservedContainer| {
        container.labels.get(names::HASH) == Some(&hash)
            && limits::of(container, view.record)
                .is_none_or(|has| limits::in_place(&has, &site.limits))
    };
    let keep = view.best(fits);
    // A new container is made by this version's hash.
    let hash = match keep {
        Some(_) => hash,
        None => wanted.spec.hash(),
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
    // A secret that is only taken away may still be read by the container that serves.
    let taken_away = is_part(&secrets, view);
    if !taken_away {
        write_secrets(chain, view, &site.name, uid, &secrets, ground);
    }

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
    if route_causes.is_empty() {
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
    rename(chain, view, &current);
    if taken_away {
        write_secrets(chain, view, &site.name, uid, &secrets, ground);
    }
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
    });
    if !unchanged {
        causes.extend(route_causes.into_iter().filter(|_| view.record.is_some()));
        causes.dedup();
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
        };
        super::record(chain, record, &causes, ground);
    }
}

/// Why the container that is there cannot get its limits in place.
fn limits_in_the_way(view: &View, hash: &str, site: &Site) -> Vec<String> {
    let is_same = |c: &ObservedContainer| c.labels.get(names::HASH).is_some_and(|h| h == hash);
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

/// Whether configuration of another container than the one that stays may lie about.
fn has_stale_files(
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
    let all_recorded = others
        .iter()
        .all(|other| other.labels.get(names::HASH).map(String::as_str) == recorded);
    !(none_recorded && all_recorded && spec.files.is_empty())
}

/// Whether all of these are recorded just so, and more.
fn is_part(secrets: &BTreeMap<String, String>, view: &View) -> bool {
    view.record.is_some_and(|record| {
        secrets.len() < record.secrets.len()
            && secrets
                .iter()
                .all(|(name, digest)| record.secrets.get(name) == Some(digest))
    })
}

type Created<'a> = (ContainerRef, std::net::Ipv4Addr, Option<&'a str>);

#[expect(
    clippy::too_many_arguments,
    reason = "one caller; a struct would only rename them"
)]
fn create<'a>(
    ground: &mut Ground<'a>,
    draft: &mut Draft,
    chain: &mut Chain,
    view: &View<'a>,
    spec: ContainerSpec,
    site: &Site,
    uid: u32,
    hash: &str,
    causes: &[String],
    serving: Option<&ObservedContainer>,
) -> Result<Created<'a>, (String, &'static str)> {
    let fleet = &ground.wish.fleet.name;
    let (name, spare) = free_name(
        &ground.index,
        fleet,
        &view.name,
        serving.map(|c| c.id.as_str()),
    )
    .map_err(|what| (what, "rename or remove that container"))?;
    let address = ground.addresses.take().map_err(|what| {
        (
            what,
            "move sites to another host, or remove containers that are not used",
        )
    })?;
    if let Some(spare) = spare {
        retire(
            chain,
            view,
            spare,
            &["left half-way by an earlier apply".to_owned()],
            ground,
        );
    }
    if !spec.files.is_empty() {
        let kind = OperationKind::WriteConf {
            site: site.name.clone(),
            hash: hash.to_owned(),
            files: spec.files.clone(),
        };
        chain.push(Step::new("conf", kind, causes), &[ground.prepared.as_ref()]);
    }
    let image = image::need(draft, &ground.seen.images, &spec.image, site.name.as_str());
    let container = NewContainer {
        labels: Labels {
            fleet,
            role: names::ROLE_SITE,
            site: Some(&site.name),
            hash,
            replaces: !view.containers.is_empty(),
            address: Some(address),
            limits: Some(&site.limits),
            uid: Some(uid),
            root: None,
        }
        .build(),
        name: name.clone(),
        spec,
        address: Some(address),
        limits: site.limits,
    };
    let kind = OperationKind::CreateContainer {
        container: Box::new(container),
    };
    let step = Step::new("create", kind, causes).undone_by(OperationKind::RemoveContainer {
        container: planned(&name),
        force: true,
    });
    let needs = [
        image.as_ref(),
        ground.network_ready.as_ref(),
        ground.prepared.as_ref(),
    ];
    chain.push(step, &needs);
    Ok((
        planned(&name),
        address,
        spare.map(|spare| spare.id.as_str()),
    ))
}

/// Starts what does not run; returns whether it did.
fn start(
    chain: &mut Chain,
    view: &View,
    keep: Option<&ObservedContainer>,
    current: &ContainerRef,
    causes: &[String],
    ground: &Ground,
) -> bool {
    let Some(keep) = keep else {
        let kind = OperationKind::StartContainer {
            container: current.clone(),
        };
        chain.push(Step::new("start", kind, causes), &[]);
        return true;
    };
    if keep.run == RunState::Paused {
        // Stopping resumes it: what it was doing ends properly.
        let kind = OperationKind::RestartContainer {
            container: existing(keep),
            grace_s: 10,
        };
        chain.push(
            Step::new("start", kind, &[]).because("its container is paused"),
            &[],
        );
        return true;
    }
    if is_active(keep) {
        return false;
    }
    let kind = OperationKind::StartContainer {
        container: existing(keep),
    };
    let mut step = Step::new("start", kind, causes);
    let should_run = RecordedState::Wanted(SiteState::Running);
    if view.record.is_none_or(|record| record.state == should_run) {
        step = step.because(cause::of_halt(keep, ground.wish.now));
    }
    if !view.is_routed(keep) {
        // One that requests are sent to stays up even if it is slow to answer: nothing else does.
        step = step.undone_by(OperationKind::StopContainer {
            container: existing(keep),
            grace_s: 10,
        });
    }
    chain.push(step, &[]);
    true
}

/// A newer image under the same tag is told, not followed.
fn newer_image(
    draft: &mut Draft,
    ground: &Ground,
    site: &Site,
    keep: &ObservedContainer,
    reference: &str,
) {
    if let Some(now) = image::find(&ground.seen.images, reference)
        && !keep.image_id.is_empty()
        && keep.image_id != now
    {
        draft.notice(
            Some(&site.name),
            format!("{reference} is a newer image by now; the container stays on the one it was made from"),
        );
    }
}

fn set_limits(
    draft: &mut Draft,
    chain: &mut Chain,
    view: &View,
    keep: &ObservedContainer,
    site: &Site,
) {
    let Some(was) = limits::of(keep, view.record) else {
        return;
    };
    if was == site.limits {
        return;
    }
    let kind = |limits: Limits, was: Limits| OperationKind::SetLimits {
        container: existing(keep),
        limits,
        was,
    };
    let recorded = limits::recorded(keep, view.record).unwrap_or(was);
    let causes = cause::of_limits(&recorded, &was, &site.limits);
    let step = Step::new("limits", kind(site.limits, was), &causes);
    let step = if limits::in_place(&site.limits, &was) {
        step.undone_by(kind(was, site.limits))
    } else {
        step.no_way_back("a limit cannot be taken away in place")
    };
    if was.memory != site.limits.memory && matches!(site.recipe, crate::fleet::Recipe::Php { .. }) {
        draft.notice(
            Some(&site.name),
            "its number of PHP workers follows the memory at the next restart",
        );
    }
    chain.push(step, &[]);
}

#[expect(
    clippy::too_many_arguments,
    reason = "one caller; a struct would only rename them"
)]
fn await_ready(
    chain: &mut Chain,
    view: &View,
    site: &Site,
    current: &ContainerRef,
    address: std::net::Ipv4Addr,
    port: u16,
    serving: Option<&ObservedContainer>,
    causes: &[String],
    ground: &Ground,
) {
    let kind = OperationKind::AwaitReady {
        container: current.clone(),
        address,
        port,
        path: site.health.path.clone(),
        domain: site
            .domains
            .first()
            .map_or_else(|| site.name.to_string(), ToString::to_string),
        timeout_s: site.health.timeout_s,
        baseline: serving
            .filter(|serving| serving.is_running())
            .and_then(|serving| view.address(serving)),
    };
    let mut step = Step::new("ready", kind, causes);
    if causes.is_empty() {
        step = step.because("it must answer before requests are sent to it");
    }
    chain.push(step, &[ground.prepared.as_ref()]);
}

/// The intent `restart`, where the site is not started anyway.
#[expect(
    clippy::too_many_arguments,
    reason = "one caller; a struct would only rename them"
)]
fn restart(
    chain: &mut Chain,
    draft: &mut Draft,
    ground: &Ground,
    site: &Site,
    keep: Option<&ObservedContainer>,
    started: bool,
    address: std::net::Ipv4Addr,
    port: u16,
) {
    let asked = ground
        .wish
        .intents
        .iter()
        .any(|intent| matches!(intent, Intent::Restart { site: name } if *name == site.name));
    if !asked {
        return;
    }
    let Some(keep) = keep.filter(|_| !started) else {
        draft.notice(Some(&site.name), "restart: this plan starts it anyway");
        return;
    };
    // The rename may have come first; the id stays.
    let container = ContainerRef {
        name: names::site(&ground.wish.fleet.name, site.name.as_str()),
        id: Some(keep.id.clone()),
    };
    let kind = OperationKind::RestartContainer {
        container: container.clone(),
        grace_s: 30,
    };
    let step = Step::new("restart", kind, &[])
        .because("asked for: restart")
        .interrupts(Interruption::Seconds(3));
    chain.push(step, &[]);
    let kind = OperationKind::AwaitReady {
        container,
        address,
        port,
        path: site.health.path.clone(),
        domain: site
            .domains
            .first()
            .map_or_else(|| site.name.to_string(), ToString::to_string),
        timeout_s: site.health.timeout_s,
        baseline: None,
    };
    let step = Step::new("restarted", kind, &[]).because("asked for: restart");
    chain.push(step, &[ground.prepared.as_ref()]);
}

/// The digests the site's secrets should have; an error means that the site cannot be planned.
fn secrets(
    ground: &Ground,
    draft: &mut Draft,
    site: &Site,
    view: &View,
) -> Result<BTreeMap<String, String>, ()> {
    let known = ground.seen.secret_digests.get(&site.name);
    let recorded = view.record.map(|record| &record.secrets);
    let mut digests = BTreeMap::new();
    let mut unread = Vec::new();
    for name in site.secrets.keys() {
        let now = known.and_then(|known| known.get(name));
        let then = recorded.and_then(|recorded| recorded.get(name));
        if now.is_none() && ground.seen.secret_errors.contains_key(&site.name) {
            unread.push((name, then.is_some()));
        }
        // Empty: the host has no key yet, so apply computes it.
        let digest = now.or(then).cloned().unwrap_or_default();
        digests.insert(name.clone(), digest);
    }
    if unread.is_empty() {
        return Ok(digests);
    }
    let why = ground
        .seen
        .secret_errors
        .get(&site.name)
        .cloned()
        .unwrap_or_default();
    if unread.iter().all(|(_, written)| *written) {
        draft.notice(
            Some(&site.name),
            format!("its secrets could not be read here and stay as they are on the host: {why}"),
        );
        return Ok(digests);
    }
    draft.problem(
        Some(&site.name),
        format!("a secret cannot be read: {why}"),
        "mend its `file:` or `command:` under `secrets:`",
    );
    Err(())
}

fn write_secrets(
    chain: &mut Chain,
    view: &View,
    site: &Name,
    uid: u32,
    digests: &BTreeMap<String, String>,
    ground: &Ground,
) {
    let none = BTreeMap::new();
    let recorded = view.record.map_or(&none, |record| &record.secrets);
    if recorded == digests {
        return;
    }
    let kind = OperationKind::WriteSecrets {
        site: site.clone(),
        uid,
        digests: digests.clone(),
    };
    let causes = cause::of_secrets(recorded, digests);
    let mut step = Step::new("secrets", kind, &causes);
    if !recorded.is_empty() {
        step = step.no_way_back("the former values are not kept");
    }
    chain.push(step, &[ground.prepared.as_ref()]);
}

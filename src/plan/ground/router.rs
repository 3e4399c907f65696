//! The router: its configuration, and its replacement by overlap. Two of them can listen on the
//! same ports: the new one answers before the old one is told to finish.

use std::collections::BTreeMap;

use super::helper::{Await, CPU_WEIGHT, Helper};
use crate::fleet::{Host, Name, Subnet};
use crate::observe::model::ObservedHost;
use crate::plan::cause;
use crate::plan::draft::{Draft, Step};
use crate::plan::image;
use crate::plan::operation::{OperationId, OperationKind};
use crate::plan::place::Place;
use crate::record::layout::{Layout, RUN, run_on_host};
use crate::record::route::{self, RouterConfig};
use crate::record::spec::{Bind, ContainerSpec, SpecNetwork};
use crate::record::{Role, names};

/// Seconds that running requests have when the router itself is replaced.
const GRACE: u32 = 30;

/// The container of the router. The configuration's hash is part of it: it is read at the start.
pub(super) fn spec(fleet: &Name, host: &Host, layout: &Layout, config: &str) -> ContainerSpec {
    let read = |path: String| Bind {
        host: path.clone(),
        inside: path,
        read_only: true,
    };
    ContainerSpec {
        image: host.images.router.clone(),
        command: Some(route::command(layout.root())),
        // Started as root for the ports and the certificates; HAProxy drops to its own user.
        user: Some("0:0".into()),
        env: BTreeMap::from([("OSTLER_CONFIG".into(), config.to_owned())]),
        binds: vec![
            read(layout.router()),
            run_folder(fleet),
            read(layout.certs()),
        ],
        network: SpecNetwork::Host,
        cap_add: route::CAPABILITIES.map(str::to_owned).to_vec(),
        stop_signal: Some("SIGUSR1".into()),
        stop_grace_s: GRACE,
        open_files: Some(route::OPEN_FILES),
        cpu_weight: Some(CPU_WEIGHT),
        ..ContainerSpec::default()
    }
}

/// Where the router makes its socket and the toolbox finds it.
pub(super) fn run_folder(fleet: &Name) -> Bind {
    Bind {
        host: run_on_host(fleet),
        inside: RUN.to_owned(),
        read_only: false,
    }
}

/// Whether no other container holds the router's ports.
pub(super) fn can_listen(host: &Host, seen: &ObservedHost, draft: &mut Draft) -> bool {
    let mut free = true;
    for port in [host.ports.http, host.ports.https] {
        let holder = seen.containers.iter().find(|container| {
            container.is_running()
                && container
                    .published
                    .iter()
                    .any(|(published, protocol)| *published == port && protocol == "tcp")
        });
        if let Some(holder) = holder {
            draft.problem(
                None,
                format!("port {port} is held by the container {}", holder.name),
                "stop it, or give the router other `ports:` on this host until its sites are taken over",
            );
            free = false;
        }
    }
    free
}

/// What waits for the router.
pub(super) struct Ready {
    /// The ports were found free: before that no site is begun.
    pub checked: Option<OperationId>,
    /// It answers, and no other one does.
    pub answers: Option<OperationId>,
}

/// Plans the router.
pub(super) fn plan(
    place: &Place,
    subnet: Subnet,
    prepared: Option<&OperationId>,
    draft: &mut Draft,
) -> Option<Ready> {
    let host = place.host;
    let config = RouterConfig::of(place.fleet(), host, subnet);
    for network in &host.trusted_proxies {
        if !config.proxies.contains_key(network) {
            draft.notice(
                None,
                format!("trusted_proxies: {network} is in the sites' network {subnet}, and not believed: a customer's container is no proxy"),
            );
        }
    }
    let config_hash = config.hash();
    let helper = Helper {
        word: "router",
        role: Role::Router,
        name: names::router(place.fleet()),
        spec: spec(place.fleet(), host, &place.layout, &config_hash),
        limits: None,
        root: None,
        overlap: Some(GRACE),
    };
    // What it reads only at its start it may have read as it was edited: another one, by overlap.
    let reload = place.seen.differs.as_ref().is_some_and(|d| d.reload);
    let settled = helper.settle(&place.index.routers, reload);
    let newer = settled
        .keep
        .filter(|_| place.wish.updates_router(&host.name));
    let newer = newer.and_then(|keep| image::newer(place.seen, keep, &host.images.router));
    let mut settled = match newer {
        Some(_) => helper.settle(&place.index.routers, true),
        None => settled,
    };
    let mut checked = None;
    // While ours listens, it is the one that holds them.
    if settled.starts() && settled.serving().is_none() {
        let kind = OperationKind::CheckPorts {
            ports: vec![host.ports.http, host.ports.https],
        };
        let step = Step::new("check-ports", kind, &[]).because("the router is about to listen");
        checked = Some(draft.push(step, &[prepared]));
    }
    let mut last = checked.clone();
    let causes = rewritten(place, &config, &config_hash);
    if !causes.is_empty() {
        let kind = OperationKind::WriteRouter {
            config,
            hash: config_hash,
        };
        let step = Step::new("router/write", kind, &causes);
        last = Some(draft.push(step, &[last.as_ref().or(prepared)]));
    }
    settled.why = settled
        .others
        .first()
        .and_then(|other| match (reload, &newer) {
            (true, _) => Some("the router's configuration was edited by hand".to_owned()),
            (false, Some(newer)) => Some(newer.cause()),
            (false, None) => (other.image != host.images.router)
                .then(|| format!("router image: {} → {}", other.image, host.images.router)),
        });
    let port = host.ports.http;
    let answers = Await {
        by: &|container| OperationKind::AwaitRouter { container, port },
        because: "sites are reached through it",
    };
    let answers = helper.plan(place, settled, prepared, last, Some(answers), draft)?;
    // The one that is there does its work until it is replaced for a newer image, last of all.
    let answers = answers.filter(|_| newer.is_none());
    Some(Ready { checked, answers })
}

/// Why its files are written, where they are.
fn rewritten(place: &Place, config: &RouterConfig, config_hash: &str) -> Vec<String> {
    let recorded = &place.state.router;
    let differs = place.seen.differs.as_ref();
    let mut causes = Vec::new();
    if recorded.config_hash.is_empty() {
        return vec!["the router has no configuration yet".to_owned()];
    }
    if recorded.config_hash != config_hash {
        causes.push(
            "the router's ports, the sites' network or its configuration's form changed".to_owned(),
        );
    } else if differs.is_some_and(|differs| !differs.router.is_empty()) {
        causes.push("its files or its routes were changed by hand".to_owned());
    }
    causes.extend(cause::of_proxies(&recorded.proxies, &config.proxies));
    causes
}

//! The router: its configuration, and its replacement by overlap. Two of them can listen on the
//! same ports: the new one answers before the old one is told to finish.

use std::collections::BTreeMap;

use crate::fleet::{Host, Limits};
use crate::observe::model::{ObservedHost, RunState};
use crate::plan::container::{existing, free_name, is_active, planned, set_restart, settle, short};
use crate::plan::draft::{Draft, Step};
use crate::plan::image;
use crate::plan::index::Index;
use crate::plan::operation::{Interruption, OperationId, OperationKind};
use crate::plan::wish::Wish;
use crate::record::layout::Layout;
use crate::record::route::{self, RouterConfig};
use crate::record::spec::{Bind, ContainerSpec, NewContainer, SpecNetwork};
use crate::record::{HostState, Role};
use crate::record::{labels::Labels, names};

/// Seconds that running requests have when the router itself is replaced.
const GRACE: u32 = 30;

/// The container of the router. The configuration's hash is part of it: it is read at the start.
pub(super) fn spec(host: &Host, layout: &Layout, config: &str) -> ContainerSpec {
    let bind = |path: String, read_only: bool| Bind {
        host: path.clone(),
        inside: path,
        read_only,
    };
    ContainerSpec {
        image: host.images.router.clone(),
        command: Some(route::command(layout.root())),
        // Started as root for the ports and the certificates; HAProxy drops to its own user.
        user: Some("0:0".into()),
        env: BTreeMap::from([("OSTLER_CONFIG".into(), config.to_owned())]),
        binds: vec![
            bind(layout.router(), true),
            bind(layout.run(), false),
            bind(layout.certs(), true),
        ],
        network: SpecNetwork::Host,
        cap_add: route::CAPABILITIES.map(str::to_owned).to_vec(),
        stop_signal: Some("SIGUSR1".into()),
        stop_grace_s: GRACE,
        ..ContainerSpec::default()
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
#[expect(
    clippy::too_many_arguments,
    reason = "all of it is known only to the caller"
)]
pub(super) fn plan(
    wish: &Wish,
    host: &Host,
    seen: &ObservedHost,
    state: &HostState,
    index: &Index,
    layout: &Layout,
    prepared: Option<&OperationId>,
    draft: &mut Draft,
) -> Option<Ready> {
    let fleet = &wish.fleet.name;
    let name = names::router(fleet);
    let config = RouterConfig::new(host.ports);
    let config_hash = config.hash();
    let mut spec = spec(host, layout, &config_hash);
    let hash = spec.hash();
    let (keep, mut others) = settle(&index.routers, &hash, &name);
    let edited = seen.differs.as_ref().map_or(&[][..], |d| &d.router);
    // What it reads only at its start it may have read as it was edited: another one, by overlap.
    let reload = seen.differs.as_ref().is_some_and(|d| d.reload);
    let keep = match keep {
        Some(spoiled) if reload => {
            others.insert(0, spoiled);
            None
        }
        keep => keep,
    };
    let serving = others.iter().find(|other| other.is_running());
    let mut last: Option<OperationId> = None;
    let mut checked = None;
    let (mut removed, mut current) = (None, keep.map(existing));

    let starts = keep.is_none_or(|keep| !is_active(keep));
    if starts {
        let kind = OperationKind::CheckPorts {
            ports: vec![host.ports.http, host.ports.https],
        };
        // While ours listens, it is the one that holds them.
        if serving.is_none() {
            let step = Step::new("check-ports", kind, &[]).because("the router is about to listen");
            checked = Some(draft.push(step, &[prepared]));
            last.clone_from(&checked);
        }
    }
    if state.router.config_hash != config_hash || !edited.is_empty() {
        let cause = if state.router.config_hash == config_hash {
            "its files or its routes were changed by hand"
        } else if state.router.config_hash.is_empty() {
            "the router has no configuration yet"
        } else {
            "the router's ports or its configuration's form changed"
        };
        let kind = OperationKind::WriteRouter {
            config,
            hash: config_hash,
        };
        let step = Step::new("router/write", kind, &[]).because(cause);
        let after = last.as_ref().or(prepared).cloned();
        last = Some(draft.push(step, &[after.as_ref()]));
    }
    if let Some(keep) = keep {
        let again = match (keep.run, set_restart(keep, true)) {
            (RunState::Paused, _) => Some((
                "router/start",
                OperationKind::RestartContainer {
                    container: existing(keep),
                    grace_s: 1,
                },
                "the router is paused".to_owned(),
            )),
            _ if starts => Some((
                "router/start",
                OperationKind::StartContainer {
                    container: existing(keep),
                },
                "the router does not run".to_owned(),
            )),
            (_, Some((kind, cause))) => Some(("router/restarts", kind, cause)),
            _ => None,
        };
        if let Some((id, kind, cause)) = again {
            let step = Step::new(id, kind, &[]).because(cause);
            let after = last.as_ref().or(prepared).cloned();
            last = Some(draft.push(step, &[after.as_ref()]));
        }
    } else {
        let cause = match others.first() {
            None => "the router is missing".to_owned(),
            Some(_) if reload => "the router's configuration was edited by hand".to_owned(),
            Some(other) if other.image != host.images.router => {
                format!("router image: {} → {}", other.image, host.images.router)
            }
            Some(_) => "the router is not as it should be".to_owned(),
        };
        let (free, spare) = match free_name(index, fleet, &name, serving.map(|c| c.id.as_str())) {
            Ok(free) => free,
            Err(what) => {
                draft.problem(None, what, "rename or remove that container");
                return None;
            }
        };
        if let Some(spare) = spare {
            let kind = OperationKind::RemoveContainer {
                container: existing(spare),
                force: true,
            };
            let id = format!("router/remove-{}", short(&spare.id));
            let step = Step::new(id, kind, &[]).because("a router left half-way");
            let after = last.as_ref().or(prepared).cloned();
            last = Some(draft.push(step, &[after.as_ref()]));
            removed = Some(spare.id.as_str());
        }
        let image = image::need(draft, &seen.images, &spec.image, "the router");
        let limits = Limits::default();
        let container = NewContainer {
            labels: Labels {
                fleet,
                role: Role::Router,
                site: None,
                hash: &hash,
                replaces: !others.is_empty(),
                address: None,
                limits: None,
                uid: None,
                root: None,
            }
            .build(),
            name: free.clone(),
            spec: std::mem::take(&mut spec),
            address: None,
            limits,
        };
        let step = Step::new(
            "router/create",
            OperationKind::CreateContainer {
                container: Box::new(container),
            },
            std::slice::from_ref(&cause),
        )
        .undone_by(OperationKind::RemoveContainer {
            container: planned(&free),
            force: true,
        });
        let after = last.as_ref().or(prepared).cloned();
        let created = draft.push(step, &[after.as_ref(), image.as_ref()]);
        let kind = OperationKind::StartContainer {
            container: planned(&free),
        };
        let step = Step::new("router/start", kind, &[cause]);
        last = Some(draft.push(step, &[Some(&created)]));
        current = Some(planned(&free));
    }
    let others: Vec<_> = others
        .into_iter()
        .filter(|other| removed != Some(other.id.as_str()))
        .collect();
    if let Some(container) = current.clone()
        && (starts || others.iter().any(|other| is_active(other)))
    {
        let kind = OperationKind::AwaitRouter {
            container,
            port: host.ports.http,
        };
        let step = Step::new("router/await", kind, &[]).because("sites are reached through it");
        last = Some(draft.push(step, &[last.as_ref()]));
    }
    for other in &others {
        if is_active(other) {
            let kind = OperationKind::StopContainer {
                container: existing(other),
                grace_s: GRACE,
            };
            let step = Step::new(format!("router/stop-{}", short(&other.id)), kind, &[])
                .because("another router takes its place")
                .interrupts(Interruption::None)
                .undone_by(OperationKind::StartContainer {
                    container: existing(other),
                });
            last = Some(draft.push(step, &[last.as_ref()]));
        }
        let kind = OperationKind::RemoveContainer {
            container: existing(other),
            force: false,
        };
        let step = Step::new(format!("router/remove-{}", short(&other.id)), kind, &[])
            .because("another router takes its place")
            .no_way_back("the container is gone");
        last = Some(draft.push(step, &[last.as_ref()]));
    }
    if let Some(container) = current.filter(|container| container.name != name) {
        let kind = OperationKind::RenameContainer {
            container,
            to: name,
        };
        let step = Step::new("router/rename", kind, &[]).because("the old one is gone");
        last = Some(draft.push(step, &[last.as_ref()]));
    }
    Some(Ready {
        checked,
        answers: last,
    })
}

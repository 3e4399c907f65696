//! The guard: where a host says `isolate: strict`, what keeps its sites from the host's own services
//! and from the cloud's metadata address. It stands before any site is begun.

use super::helper::{Await, Helper};
use crate::fleet::{Host, Isolate, Limits, Name, Subnet};
use crate::observe::model::ObservedContainer;
use crate::plan::container::{existing, is_active, short};
use crate::plan::draft::{Draft, Step};
use crate::plan::operation::{OperationId, OperationKind};
use crate::plan::place::Place;
use crate::record::spec::{ContainerSpec, SpecNetwork};
use crate::record::{Role, guard, names};

/// It runs a shell, and now and then nft.
const LIMITS: Limits = Limits {
    memory: Some(64 * 1024 * 1024),
    nano_cpus: None,
    pids: Some(20),
};
/// Seconds to end.
const GRACE: u32 = 10;

/// The guard as it should be.
pub(crate) fn spec(fleet: &Name, host: &Host, subnet: Subnet) -> ContainerSpec {
    ContainerSpec {
        image: host.images.guard.clone(),
        entrypoint: Some(vec!["sh".into()]),
        command: Some(guard::command(fleet, subnet, host.ports)),
        user: Some("0:0".into()),
        network: SpecNetwork::Host,
        cap_add: guard::CAPABILITIES.map(str::to_owned).to_vec(),
        read_only: true,
        stop_signal: Some("SIGTERM".into()),
        stop_grace_s: GRACE,
        ..ContainerSpec::default()
    }
}

/// Plans the guard, or that it goes; returns what is ready after it.
pub(super) fn plan(
    place: &Place,
    subnet: Subnet,
    prepared: Option<OperationId>,
    draft: &mut Draft,
) -> Option<Option<OperationId>> {
    if place.host.isolate != Isolate::Strict {
        for guard in &place.index.guards {
            retire(place, guard, prepared.as_ref(), draft);
        }
        return Some(prepared);
    }
    let fleet = place.fleet();
    let helper = Helper {
        word: "guard",
        role: Role::Guard,
        name: names::guard(fleet),
        spec: spec(fleet, place.host, subnet),
        limits: Some(LIMITS),
        root: None,
        // Rules are put in one step, in place of those of the one before: that one may be killed.
        overlap: None,
    };
    let settled = helper.settle(&place.index.guards, false);
    let table = guard::table(fleet);
    let stands = Await {
        by: &|container| OperationKind::AwaitGuard {
            container,
            table: table.clone(),
        },
        because: "no site is begun before its host is guarded",
    };
    let before = prepared.as_ref();
    let ready = helper.plan(place, settled, before, None, Some(stands), draft)?;
    Some(ready.or(prepared))
}

/// Takes one away that nothing asks for any more, its rules first: so one that does not run is
/// started for that.
fn retire(place: &Place, old: &ObservedContainer, before: Option<&OperationId>, draft: &mut Draft) {
    const CAUSE: &str = "isolate: strict → sites";
    let (container, id) = (existing(old), short(&old.id));
    let mut last = None;
    if !is_active(old) {
        let container = container.clone();
        let kind = OperationKind::StartContainer { container };
        let step = Step::new(format!("guard/start-{id}"), kind, &[])
            .because("it takes its rules away itself");
        last = Some(draft.push(step, &[before]));
    }
    let kind = OperationKind::OpenGuard {
        container: container.clone(),
        table: guard::table(place.fleet()),
    };
    let step = Step::new(format!("guard/open-{id}"), kind, &[])
        .because(CAUSE)
        .undone_by(OperationKind::RestartContainer {
            container: container.clone(),
            grace_s: GRACE,
        });
    let opened = draft.push(step, &[last.as_ref().or(before)]);
    let kind = OperationKind::StopContainer {
        container: container.clone(),
        grace_s: GRACE,
    };
    let step = Step::new(format!("guard/stop-{id}"), kind, &[])
        .because(CAUSE)
        .undone_by(OperationKind::StartContainer {
            container: container.clone(),
        });
    let stopped = draft.push(step, &[Some(&opened)]);
    let kind = OperationKind::RemoveContainer {
        container,
        force: false,
    };
    let step = Step::new(format!("guard/remove-{id}"), kind, &[])
        .because(CAUSE)
        .no_way_back("the container is gone");
    draft.push(step, &[Some(&stopped)]);
}

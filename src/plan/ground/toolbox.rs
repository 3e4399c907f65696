//! The toolbox, and the folders it looks after.

use super::helper::{CPU_WEIGHT, Helper};
use super::router::run_folder;
use crate::fleet::{Host, Limits, Name};
use crate::plan::draft::{Draft, Step};
use crate::plan::operation::{OperationId, OperationKind};
use crate::plan::place::Place;
use crate::record::layout::Layout;
use crate::record::spec::{Bind, ContainerSpec, SpecNetwork};
use crate::record::{Labelled, Role, labels, names};

/// What the toolbox may use at most: it holds nothing and runs short scripts.
const LIMITS: Limits = Limits {
    memory: Some(256 * 1024 * 1024),
    nano_cpus: None,
    pids: Some(200),
};

/// The toolbox as it should be.
pub(super) fn spec(fleet: &Name, host: &Host, layout: &Layout) -> ContainerSpec {
    ContainerSpec {
        image: host.images.toolbox.clone(),
        entrypoint: Some(vec!["sleep".into()]),
        command: Some(vec!["infinity".into()]),
        user: Some("0:0".into()),
        binds: vec![
            Bind {
                host: layout.root().to_owned(),
                inside: layout.root().to_owned(),
                read_only: false,
            },
            run_folder(fleet),
        ],
        network: SpecNetwork::Host,
        cap_add: ["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID"]
            .map(str::to_owned)
            .to_vec(),
        stop_signal: Some("SIGKILL".into()),
        stop_grace_s: 1,
        cpu_weight: Some(CPU_WEIGHT),
        ..ContainerSpec::default()
    }
}

/// Whether the toolbox that is there looks after the folder that the file names.
pub(super) fn can_be_read(place: &Place, draft: &mut Draft) -> bool {
    let Place {
        host,
        seen,
        index,
        layout,
        ..
    } = place;
    let other = index
        .toolboxes
        .iter()
        .filter_map(|toolbox| toolbox.label(labels::ROOT))
        .find(|root| *root != layout.root());
    if let Some(root) = other {
        draft.problem(
            None,
            format!("everything is kept in {root}; the file says {}", host.root),
            "set `root:` back; a move takes every site down and is not done by ostler",
        );
        return false;
    }
    if seen.engine.remapped_users {
        draft.notice(
            None,
            "the engine remaps users or runs without root: owners of files differ from what plans say",
        );
    }
    true
}

/// The toolbox of a host.
fn helper<'a>(place: &'a Place) -> Helper<'a> {
    Helper {
        word: "toolbox",
        role: Role::Toolbox,
        name: names::toolbox(place.fleet()),
        spec: spec(place.fleet(), place.host, &place.layout),
        limits: Some(LIMITS),
        root: Some(place.layout.root()),
        overlap: None,
    }
}

/// Plans the toolbox; returns what it is ready after.
pub(super) fn plan(place: &Place, draft: &mut Draft) -> Option<Option<OperationId>> {
    let helper = helper(place);
    let settled = helper.settle(&place.index.toolboxes, false);
    helper.plan(place, settled, None, None, None, draft)
}

/// Makes the folders that the toolbox looks after, where they are not there yet.
pub(super) fn prepare(
    place: &Place,
    toolbox: Option<OperationId>,
    draft: &mut Draft,
) -> Option<OperationId> {
    if place.state.host.is_some() {
        return toolbox;
    }
    let kind = OperationKind::PrepareHost {
        toolbox: names::toolbox(place.fleet()),
        expect_empty: place.seen.state.read().is_none(),
    };
    let step = Step::new("prepare", kind, &[])
        .because(format!("{} is not ostler's yet", place.layout.root()));
    Some(draft.push(step, &[toolbox.as_ref()]))
}

//! The toolbox, and the folders it looks after.

use crate::fleet::{Host, Limits};
use crate::observe::model::{ObservedHost, RunState};
use crate::plan::container::{existing, free_name, is_active, planned, set_restart, settle, short};
use crate::plan::draft::{Draft, Step};
use crate::plan::image;
use crate::plan::index::Index;
use crate::plan::operation::{OperationId, OperationKind};
use crate::plan::wish::Wish;
use crate::record::layout::Layout;
use crate::record::spec::{Bind, ContainerSpec, NewContainer, SpecNetwork};
use crate::record::{HostState, Labelled, Role, labels};
use crate::record::{labels::Labels, names};

/// What the toolbox may use at most: it holds nothing and runs short scripts.
const LIMITS: Limits = Limits {
    memory: Some(256 * 1024 * 1024),
    nano_cpus: None,
    pids: Some(200),
};

/// The toolbox as it should be.
pub(super) fn spec(host: &Host, layout: &Layout) -> ContainerSpec {
    ContainerSpec {
        image: host.images.toolbox.clone(),
        entrypoint: Some(vec!["sleep".into()]),
        command: Some(vec!["infinity".into()]),
        user: Some("0:0".into()),
        binds: vec![Bind {
            host: layout.root().to_owned(),
            inside: layout.root().to_owned(),
            read_only: false,
        }],
        network: SpecNetwork::Host,
        cap_add: ["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID"]
            .map(str::to_owned)
            .to_vec(),
        stop_signal: Some("SIGKILL".into()),
        stop_grace_s: 1,
        ..ContainerSpec::default()
    }
}

/// Whether the toolbox that is there looks after the folder that the file names.
pub(super) fn can_be_read(
    host: &Host,
    seen: &ObservedHost,
    index: &Index,
    layout: &Layout,
    draft: &mut Draft,
) -> bool {
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

/// Plans the toolbox and, unless `blind`, the folders; returns what they are ready after.
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
    blind: bool,
    draft: &mut Draft,
) -> Option<Option<OperationId>> {
    let fleet = &wish.fleet.name;
    let name = names::toolbox(fleet);
    let spec = spec(host, layout);
    let hash = spec.hash();
    let (keep, others) = settle(&index.toolboxes, &hash, &name);
    let mut last: Option<OperationId> = None;
    let (mut removed, mut current) = (None, keep.map(existing));
    if let Some(keep) = keep {
        let container = existing(keep);
        let again = match (keep.run, set_restart(keep, true)) {
            (RunState::Paused, _) => {
                let kind = OperationKind::RestartContainer {
                    container,
                    grace_s: 1,
                };
                Some(("toolbox/start", kind, "the toolbox is paused".to_owned()))
            }
            _ if !is_active(keep) => {
                let kind = OperationKind::StartContainer { container };
                let why = "the toolbox does not run".to_owned();
                Some(("toolbox/start", kind, why))
            }
            (_, Some((kind, cause))) => Some(("toolbox/restarts", kind, cause)),
            _ => None,
        };
        if let Some((id, kind, cause)) = again {
            let step = Step::new(id, kind, &[]).because(cause);
            last = Some(draft.push(step, &[]));
        }
    } else {
        let cause = match others.first() {
            None => "the toolbox is missing".to_owned(),
            Some(_) => "the toolbox is not as it should be".to_owned(),
        };
        let (free, spare) = match free_name(index, fleet, &name, None) {
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
            let id = format!("toolbox/remove-{}", short(&spare.id));
            let step = Step::new(id, kind, &[]).because("a toolbox left half-way");
            last = Some(draft.push(step, &[]));
            removed = Some(spare.id.as_str());
        }
        let image = image::need_toolbox(draft, &seen.images, host);
        let container = NewContainer {
            labels: Labels {
                fleet,
                role: Role::Toolbox,
                site: None,
                hash: &hash,
                replaces: !others.is_empty(),
                address: None,
                limits: Some(&LIMITS),
                uid: None,
                root: Some(layout.root()),
            }
            .build(),
            name: free.clone(),
            spec,
            address: None,
            limits: LIMITS,
        };
        let step = Step::new(
            "toolbox/create",
            OperationKind::CreateContainer {
                container: Box::new(container),
            },
            std::slice::from_ref(&cause),
        )
        .undone_by(OperationKind::RemoveContainer {
            container: planned(&free),
            force: true,
        });
        let created = draft.push(step, &[image.as_ref(), last.as_ref()]);
        let kind = OperationKind::StartContainer {
            container: planned(&free),
        };
        let step = Step::new("toolbox/start", kind, &[cause]);
        last = Some(draft.push(step, &[Some(&created)]));
        current = Some(planned(&free));
    }
    for other in others
        .iter()
        .filter(|other| removed != Some(other.id.as_str()))
    {
        let kind = OperationKind::RemoveContainer {
            container: existing(other),
            force: true,
        };
        let id = format!("toolbox/remove-{}", short(&other.id));
        let step = Step::new(id, kind, &[]).because("another toolbox takes its place");
        last = Some(draft.push(step, &[last.as_ref()]));
    }
    if let Some(container) = current.filter(|container| container.name != name) {
        let kind = OperationKind::RenameContainer {
            container,
            to: name.clone(),
        };
        let step = Step::new("toolbox/rename", kind, &[]).because("the old one is gone");
        last = Some(draft.push(step, &[last.as_ref()]));
    }
    if state.host.is_none() && !blind {
        let kind = OperationKind::PrepareHost {
            toolbox: name,
            expect_empty: seen.state.read().is_none(),
        };
        let step = Step::new("prepare", kind, &[])
            .because(format!("{} is not ostler's yet", layout.root()));
        last = Some(draft.push(step, &[last.as_ref()]));
    }
    Some(last)
}

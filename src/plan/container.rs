//! A container as planning sees it: what it can be kept for, how an operation names it, which name
//! a new one gets.

use super::index::Index;
use super::operation::{ContainerRef, OperationKind};
use crate::fleet::Name;
use crate::observe::model::{ObservedContainer, RunState};
use crate::observe::whose::is_usable;
use crate::record::{Labelled, names};

/// Among containers of one role: the one that is as wanted, and the others.
pub(crate) fn settle<'a>(
    containers: &[&'a ObservedContainer],
    hash: &str,
    name: &str,
) -> (Option<&'a ObservedContainer>, Vec<&'a ObservedContainer>) {
    let keep = containers
        .iter()
        .copied()
        .filter(|c| c.spec_hash() == Some(hash) && is_usable(c))
        .min_by_key(|c| (!c.is_running(), c.name != name, &c.id));
    let mut others: Vec<&ObservedContainer> = containers
        .iter()
        .copied()
        .filter(|c| keep.is_none_or(|keep| keep.id != c.id))
        .collect();
    others.sort_by(|a, b| a.id.cmp(&b.id));
    (keep, others)
}

/// Not one that has ended: its process is there, even if paused or between two attempts.
pub(crate) fn is_active(container: &ObservedContainer) -> bool {
    matches!(
        container.run,
        RunState::Running | RunState::Paused | RunState::Restarting
    )
}

/// Has the engine start it again, or not, where someone told it otherwise.
pub(crate) fn set_restart(
    container: &ObservedContainer,
    always: bool,
) -> Option<(OperationKind, String)> {
    let live = container.inspected.as_ref()?.restart.as_deref()?;
    let wanted = if always { "always" } else { "no" };
    (live != wanted).then(|| {
        let kind = OperationKind::SetRestart {
            container: existing(container),
            always,
        };
        (kind, format!("restart {wanted}→{live} by hand"))
    })
}

/// Names an existing container.
pub(crate) fn existing(container: &ObservedContainer) -> ContainerRef {
    ContainerRef {
        name: container.name.clone(),
        id: Some(container.id.clone()),
    }
}

/// Names a container that the plan creates.
pub(crate) fn planned(name: &str) -> ContainerRef {
    ContainerRef {
        name: name.to_owned(),
        id: None,
    }
}

/// The first digits of an id, as Docker shows it.
pub(crate) fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}

/// The name a new container gets: `name`, or the temporary one next to it while `name` is taken by
/// another. Where both are ours, `spare` is to be removed first. A container of someone else under
/// both names is a problem.
pub(crate) fn free_name<'a>(
    index: &Index<'a>,
    fleet: &Name,
    name: &str,
    serving: Option<&str>,
) -> Result<(String, Option<&'a ObservedContainer>), String> {
    let next = names::next(name);
    let others = |name: &str| index.taken_by_other(name, fleet).is_some();
    if others(&next) {
        return Err(format!(
            "a container named {next} is there that is not ours"
        ));
    }
    let holder = |name: &str| index.by_name.get(name).copied();
    if others(name) {
        let spare = holder(&next);
        // The one that serves has the only name there is.
        if spare.is_some_and(|spare| serving == Some(spare.id.as_str())) {
            return Err(format!(
                "a container named {name} is there that is not ours"
            ));
        }
        return Ok((next, spare));
    }
    Ok(match (holder(name), holder(&next)) {
        (None, _) => (name.to_owned(), None),
        (Some(_), None) => (next, None),
        (Some(_), Some(spare)) if serving != Some(spare.id.as_str()) => (next, Some(spare)),
        (Some(spare), Some(_)) => (name.to_owned(), Some(spare)),
    })
}

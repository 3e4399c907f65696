//! What is taken back when an operation fails. Pure.

use crate::plan::{Deed, Operation, OperationKind, Plan, Undo};

/// The operations that take back what was done for the site of `failed`, newest first, each with
/// the place of the operation it takes back. `order` is the order in which operations were done.
///
/// Once a site's route was switched nothing is taken back: the new state serves, and the next plan
/// finishes it. Of an operation of the host itself only what made the container that failed is
/// taken back: everything else, others stand on.
pub fn after_failure(plan: &Plan, order: &[usize], failed: usize) -> Vec<(usize, OperationKind)> {
    let Some(failure) = plan.operations.get(failed) else {
        return Vec::new();
    };
    if failure.kind.facts().apart {
        return Vec::new();
    }
    let related = |operation: &Operation| {
        operation.host == failure.host
            && !operation.kind.facts().apart
            && operation.site == failure.site
            && (failure.site.is_some()
                || (container(&failure.kind).is_some()
                    && container(&operation.kind) == container(&failure.kind)))
    };
    let done = || {
        order
            .iter()
            .filter_map(|&at| Some((at, plan.operations.get(at)?)))
            .filter(|(at, o)| *at != failed && related(o))
    };
    let was_done = order.contains(&failed);
    let switched = || done().any(|(_, o)| o.kind.facts().switches());
    if failure.site.is_some() && (switched() || was_done && failure.kind.facts().switches()) {
        return Vec::new();
    }
    let mut undos: Vec<(usize, OperationKind)> =
        done().filter_map(|(at, o)| Some((at, by(o)?))).collect();
    // A create whose answer was lost may have made the container all the same. One that was done
    // counts as such also when it is asked about last, as when a run is cancelled.
    let itself = failure.kind.facts().deed == Deed::Create;
    if (itself || was_done)
        && let Some(kind) = by(failure)
    {
        undos.push((failed, kind));
    }
    undos.reverse();
    undos
}

fn by(operation: &Operation) -> Option<OperationKind> {
    match &operation.undo {
        Undo::By(kind) => Some((**kind).clone()),
        Undo::Nothing | Undo::Impossible(_) => None,
    }
}

/// The container that an operation is about.
fn container(kind: &OperationKind) -> Option<&str> {
    use OperationKind as K;
    match kind {
        K::CreateContainer { container } => Some(&container.name),
        K::StartContainer { container }
        | K::AwaitReady { container, .. }
        | K::AwaitRouter { container, .. }
        | K::RestartContainer { container, .. }
        | K::SetLimits { container, .. }
        | K::SetRestart { container, .. } => Some(&container.name),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::Name;
    use crate::plan::{Class, ContainerRef, Interruption, OperationId};
    use crate::record::route::{RouteEntry, RouteTarget};

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }
    fn reference(name: &str) -> ContainerRef {
        ContainerRef {
            name: name.into(),
            id: None,
        }
    }
    fn remove(container: &str) -> OperationKind {
        OperationKind::RemoveContainer {
            container: reference(container),
            force: true,
        }
    }
    fn operation(id: &str, site: Option<&str>, kind: OperationKind, undo: Undo) -> Operation {
        Operation {
            id: OperationId(id.into()),
            host: name("web1"),
            site: site.map(name),
            kind,
            class: Class::Write,
            cause: vec![],
            interrupts: Interruption::None,
            undo,
            after: vec![],
        }
    }
    fn start(container: &str) -> OperationKind {
        OperationKind::StartContainer {
            container: reference(container),
        }
    }
    fn create(container: &str) -> OperationKind {
        OperationKind::CreateContainer {
            container: Box::new(crate::record::spec::NewContainer {
                name: container.into(),
                spec: Default::default(),
                address: None,
                limits: Default::default(),
                labels: Default::default(),
            }),
        }
    }
    fn plan(operations: Vec<Operation>) -> Plan {
        Plan {
            operations,
            ..Plan::default()
        }
    }

    #[test]
    fn only_the_failed_site_and_newest_first() {
        let plan = plan(vec![
            operation(
                "a/create",
                Some("a"),
                create("a"),
                Undo::By(Box::new(remove("a"))),
            ),
            operation(
                "b/create",
                Some("b"),
                create("b"),
                Undo::By(Box::new(remove("b"))),
            ),
            operation(
                "a/conf",
                Some("a"),
                start("x"),
                Undo::By(Box::new(remove("x"))),
            ),
            operation("a/start", Some("a"), start("a"), Undo::Nothing),
        ]);
        assert_eq!(
            after_failure(&plan, &[0, 1, 2], 3),
            [(2, remove("x")), (0, remove("a"))]
        );
    }

    #[test]
    fn nothing_after_the_switch() {
        let route = OperationKind::Route {
            entry: RouteEntry {
                site: name("a"),
                domains: vec![],
                target: RouteTarget::Stopped,
                connections: 1,
                timeout_s: 60,
                redirects: Default::default(),
                headers: Default::default(),
            },
        };
        let plan = plan(vec![
            operation(
                "a/create",
                Some("a"),
                create("a"),
                Undo::By(Box::new(remove("a"))),
            ),
            operation("a/route", Some("a"), route, Undo::Nothing),
            operation("a/stop", Some("a"), start("old"), Undo::Nothing),
        ]);
        assert!(after_failure(&plan, &[0, 1], 2).is_empty());
        assert_eq!(after_failure(&plan, &[0], 1), [(0, remove("a"))]);
    }

    #[test]
    fn a_create_that_failed_may_have_created() {
        let undo = Undo::By(Box::new(remove("a")));
        let plan = plan(vec![operation("a/create", Some("a"), create("a"), undo)]);
        assert_eq!(after_failure(&plan, &[], 0), [(0, remove("a"))]);
    }

    #[test]
    fn a_failed_router_takes_back_itself_only() {
        let plan = plan(vec![
            operation(
                "toolbox",
                None,
                create("t"),
                Undo::By(Box::new(remove("t"))),
            ),
            operation("router", None, create("r"), Undo::By(Box::new(remove("r")))),
            operation("start", None, start("r"), Undo::Nothing),
        ]);
        assert_eq!(after_failure(&plan, &[0, 1], 2), [(1, remove("r"))]);
    }
}

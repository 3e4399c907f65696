//! Order between sites: what one site gives up, another has already taken over.
//!
//! A domain that goes from one site to another is routed to its new site before the old one lets go
//! of it, so that no visitor finds neither. A site that goes to another host serves there before it
//! stops here.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::graph::{Notice, Plan};
use super::newer;
use super::operation::{Operation, OperationId, OperationKind, Undo};
use crate::fleet::{Domain, Fleet, Name};
use crate::record::route::RouteEntry;

/// Ties operations of different sites together and puts all of them in an order that respects it.
pub(crate) fn tie(fleet: &Fleet, plan: &mut Plan) {
    keep_what_cannot_move(fleet, plan);
    let mut ties = moves(fleet, plan);
    ties.extend(handovers(plan));
    if plan.careful {
        ties.extend(newer::one_first(plan));
    }
    if ties.is_empty() {
        return;
    }
    let places: HashMap<OperationId, usize> = plan
        .operations
        .iter()
        .enumerate()
        .map(|(at, operation)| (operation.id.clone(), at))
        .collect();
    for (later, earlier) in ties {
        // Two sites that swap their domains cannot both be last.
        if !depends(&plan.operations, &places, earlier, later) {
            let id = plan.operations[earlier].id.clone();
            let after = &mut plan.operations[later].after;
            if !after.contains(&id) {
                after.push(id);
            }
        }
    }
    sort(&mut plan.operations, &places);
}

/// A site that cannot be planned on its new host stays up on the old one.
fn keep_what_cannot_move(fleet: &Fleet, plan: &mut Plan) {
    let mut stay: BTreeSet<(Name, Name)> = BTreeSet::new();
    for operation in &plan.operations {
        let Some((site, to)) = moved(fleet, operation) else {
            continue;
        };
        let in_the_way = plan
            .problems
            .iter()
            .any(|p| p.host == *to && p.site.as_ref().is_none_or(|name| name == site));
        if in_the_way {
            stay.insert((operation.host.clone(), site.clone()));
        }
    }
    if stay.is_empty() {
        return;
    }
    let stays = |operation: &Operation| {
        operation
            .site
            .as_ref()
            .is_some_and(|site| stay.contains(&(operation.host.clone(), site.clone())))
    };
    // An apply that was cut off is not dealt with while something on its host is left as it is.
    let unsettled = |operation: &Operation| {
        matches!(operation.kind, OperationKind::SettleRun { .. })
            && stay.iter().any(|(host, _)| *host == operation.host)
    };
    let gone: BTreeSet<OperationId> = plan
        .operations
        .iter()
        .filter(|operation| stays(operation) || unsettled(operation))
        .map(|operation| operation.id.clone())
        .collect();
    plan.operations
        .retain(|operation| !gone.contains(&operation.id));
    for operation in &mut plan.operations {
        operation.after.retain(|id| !gone.contains(id));
    }
    for (host, site) in &stay {
        // Nothing is recorded where nothing is done.
        let only_record = plan
            .operations
            .iter()
            .filter(|operation| operation.host == *host)
            .all(|operation| matches!(operation.kind, OperationKind::RecordFleet { .. }));
        if only_record {
            plan.operations.retain(|operation| operation.host != *host);
        }
        plan.notices
            .retain(|notice| notice.host != *host || notice.site.as_ref() != Some(site));
        plan.notices.push(Notice {
            host: host.clone(),
            site: Some(site.clone()),
            text: format!(
                "stays up here: it cannot be brought up on {}",
                fleet.sites[site.as_str()].host
            ),
        });
    }
}

/// The site of an operation and its new host, where it is not the operation's.
fn moved<'a>(fleet: &'a Fleet, operation: &Operation) -> Option<(&'a Name, &'a Name)> {
    let site = fleet.sites.get(operation.site.as_ref()?.as_str())?;
    (site.host != operation.host).then_some((&site.name, &site.host))
}

/// (later, earlier): the first operation of a site here after its last one there.
fn moves(fleet: &Fleet, plan: &Plan) -> Vec<(usize, usize)> {
    let mut ties = Vec::new();
    let mut seen = BTreeSet::new();
    for (at, operation) in plan.operations.iter().enumerate() {
        let Some((site, to)) = moved(fleet, operation) else {
            continue;
        };
        if !seen.insert((&operation.host, site)) {
            continue;
        }
        let there = plan
            .operations
            .iter()
            .rposition(|o| o.host == *to && o.site.as_ref() == Some(site));
        ties.extend(there.map(|there| (at, there)));
    }
    ties
}

/// (later, earlier): the route that lets go of a domain after the one that takes it.
fn handovers(plan: &Plan) -> Vec<(usize, usize)> {
    let mut taken: HashMap<(&Name, &str), usize> = HashMap::new();
    let mut given: BTreeMap<(usize, &str), &Name> = BTreeMap::new();
    for (at, operation) in plan.operations.iter().enumerate() {
        let (was, now) = match (&operation.kind, &operation.undo) {
            (OperationKind::Route { entry }, Undo::By(undo)) => (entry_of(undo), Some(entry)),
            (OperationKind::Unroute { .. }, Undo::By(undo)) => (entry_of(undo), None),
            _ => continue,
        };
        let (was, now) = (names(was), names(now));
        for domain in now.difference(&was) {
            taken.insert((&operation.host, domain), at);
        }
        for domain in was.difference(&now) {
            given.insert((at, domain), &operation.host);
        }
    }
    given
        .into_iter()
        .filter_map(|((later, domain), host)| Some((later, *taken.get(&(host, domain))?)))
        .collect()
}

fn entry_of(kind: &OperationKind) -> Option<&RouteEntry> {
    match kind {
        OperationKind::Route { entry } => Some(entry),
        _ => None,
    }
}

fn names(entry: Option<&RouteEntry>) -> BTreeSet<&str> {
    entry
        .into_iter()
        .flat_map(|entry| entry.domains.iter().chain(entry.redirects.keys()))
        .map(Domain::as_str)
        .collect()
}

/// Whether `at` comes after `on`, directly or not.
fn depends(
    operations: &[Operation],
    places: &HashMap<OperationId, usize>,
    at: usize,
    on: usize,
) -> bool {
    let mut seen = BTreeSet::new();
    let mut todo = vec![at];
    while let Some(at) = todo.pop() {
        if at == on {
            return true;
        }
        if seen.insert(at) {
            let after = operations[at].after.iter();
            todo.extend(after.filter_map(|id| places.get(id)));
        }
    }
    false
}

/// Each operation after what it waits for; otherwise as it was.
fn sort(operations: &mut Vec<Operation>, places: &HashMap<OperationId, usize>) {
    let mut waits = vec![0usize; operations.len()];
    let mut followers = vec![Vec::new(); operations.len()];
    for (at, operation) in operations.iter().enumerate() {
        for before in operation.after.iter().filter_map(|id| places.get(id)) {
            waits[at] += 1;
            followers[*before].push(at);
        }
    }
    let mut ready: BTreeSet<usize> = (0..operations.len()).filter(|at| waits[*at] == 0).collect();
    let mut order = Vec::with_capacity(operations.len());
    while let Some(at) = ready.pop_first() {
        order.push(at);
        for next in &followers[at] {
            waits[*next] -= 1;
            if waits[*next] == 0 {
                ready.insert(*next);
            }
        }
    }
    let mut taken: Vec<Option<Operation>> = operations.drain(..).map(Some).collect();
    operations.extend(order.into_iter().filter_map(|at| taken[at].take()));
}

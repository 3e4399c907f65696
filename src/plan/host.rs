//! One host's part of the plan: whether it can be planned at all, then the ground, then its sites.

use std::collections::BTreeSet;

use super::draft::{Draft, Step};
use super::graph::Plan;
use super::ground::Ground;
use super::index::Index;
use super::operation::{OperationId, OperationKind};
use super::place::Place;
use super::wish::Wish;
use super::{asked, basis, image, lineage, newer, service, site, unfinished, upkeep};
use crate::fleet::{Host, Name, SiteState};
use crate::observe::model::{HostObservation, ObservedHost};
use crate::record::layout::Layout;
use crate::record::{HostState, StateRead};

/// Adds `host`'s part to `plan`.
pub(crate) fn plan(wish: &Wish, host: &Host, plan: &mut Plan) {
    let mut draft = Draft::new(host.name.clone());
    match wish.observed.hosts.get(&host.name) {
        Some(HostObservation::Reached(seen)) => {
            let digest = basis::of(seen, wish.fleet, &host.name);
            plan.basis.insert(host.name.clone(), digest);
            reached(wish, host, seen, &mut draft);
            if asked::is_all(wish) {
                draft = asked::only(wish, host, seen, draft);
            }
            if wish.options.upkeep {
                draft = upkeep::only(draft);
            }
        }
        Some(HostObservation::Unreachable { why }) => {
            if is_needed(wish, host, None) {
                draft.problem(
                    None,
                    format!("it cannot be reached: {why}"),
                    "its sites are left as they are; `ostler doctor` says more",
                );
            } else if wish.options.only.is_none() {
                plan.unknown.insert(host.name.clone());
                draft.notice(
                    None,
                    format!("it cannot be reached, what is left there is not known: {why}"),
                );
            }
        }
        None => {
            if is_needed(wish, host, None) {
                draft.problem(None, "it was not looked at", "plan again");
            }
        }
    }
    draft.finish(plan);
}

fn reached(wish: &Wish, host: &Host, seen: &ObservedHost, draft: &mut Draft) {
    let index = Index::of(seen, &wish.fleet.name);
    let empty = HostState::default();
    let state = match &seen.state {
        StateRead::Read(state) => state,
        StateRead::NoToolbox => &empty,
        StateRead::Damaged { why } => {
            draft.problem(
                None,
                format!("what ostler keeps on it is damaged: {why}"),
                "put the file back from a copy, or move it away; nothing is planned until then",
            );
            return;
        }
    };
    if let Some(images) = wish.pulls(&host.name) {
        return image::again(draft, seen, &images);
    }
    unfinished::tell(wish, seen, draft);
    let settled = unfinished::to_settle(wish, seen);
    if settled.is_empty() && !is_needed(wish, host, Some((state, &index))) {
        return;
    }
    if let Some(record) = &state.host
        && record.fleet != wish.fleet.name.as_str()
    {
        draft.problem(
            None,
            format!("{} belongs to the fleet {}", host.root, record.fleet),
            "give this fleet another `root:` on this host",
        );
        return;
    }
    lineage::check(&wish.observed.lineage, state, draft);
    let place = Place {
        wish,
        host,
        seen,
        state,
        index,
        layout: Layout::new(&host.root),
    };
    let Some(mut ground) = Ground::lay(place, draft) else {
        return;
    };
    for service in service::ALL {
        if let Some(ready) = service.host(&mut ground, draft) {
            ground.helpers.insert(service.name(), ready);
        }
    }
    for site in wish.fleet.sites_on(&host.name) {
        if wish.options.selects(site.name.as_str()) {
            site::plan(&mut ground, draft, site);
            service::apart(&site.name, Some(site), &ground, draft);
        }
    }
    for name in not_in_file(wish, host, state, &ground.index) {
        if wish.options.selects(name.as_str()) {
            site::leftover(&mut ground, draft, &name);
            service::apart(&name, None, &ground, draft);
        }
    }
    newer::tell(&ground, draft);
    unfinished::settle(wish, &settled, draft);
    // What is taken back leaves the host with the fleet file that was applied before.
    if draft.is_idle() || wish.options.takes_back.is_some() {
        return;
    }
    // After what ends every site's part, and after what no site waits for.
    let waited: BTreeSet<&OperationId> = draft
        .images
        .iter()
        .chain(&draft.operations)
        .flat_map(|operation| &operation.after)
        .collect();
    let ends: Vec<OperationId> = draft
        .images
        .iter()
        .chain(&draft.operations)
        .map(|operation| &operation.id)
        .filter(|id| !waited.contains(id))
        .cloned()
        .collect();
    let kind = OperationKind::RecordFleet {
        hash: wish.fleet_hash.to_owned(),
    };
    let step = Step::new("record", kind, &[]).because("the fleet file applied is kept here");
    draft.push(step, &ends.iter().map(Some).collect::<Vec<_>>());
}

/// Whether anything on this host is our business: a site that should be there, or something of
/// ours that is.
fn is_needed(wish: &Wish, host: &Host, found: Option<(&HostState, &Index)>) -> bool {
    let selected = |name: &str| wish.options.selects(name);
    if wish.updates_router(&host.name) {
        return true;
    }
    if wish.fleet.sites_on(&host.name).any(|site| {
        selected(site.name.as_str()) && (site.state != SiteState::Archived || found.is_none())
    }) {
        return true;
    }
    found.is_some_and(|(state, index)| {
        state
            .sites
            .keys()
            .map(Name::as_str)
            .chain(index.sites.keys().copied())
            .chain(state.router.routes.keys().map(Name::as_str))
            .any(selected)
            || wish.options.only.is_none() && (!index.nothing_of_ours() || state.host.is_some())
    })
}

/// Sites of which something is on the host and that the file has elsewhere or not at all.
fn not_in_file(wish: &Wish, host: &Host, state: &HostState, index: &Index) -> BTreeSet<Name> {
    let here = |name: &str| {
        wish.fleet
            .sites
            .get(name)
            .is_some_and(|site| site.host == host.name)
    };
    let labelled = index
        .sites
        .keys()
        .filter_map(|name| (!here(name)).then(|| name.parse::<Name>().ok()).flatten());
    state
        .sites
        .keys()
        .chain(state.router.routes.keys())
        .filter(|name| !here(name.as_str()))
        .cloned()
        .chain(labelled)
        .collect()
}

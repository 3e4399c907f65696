use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::interpret::World;
use super::make::{draws, sharing, world};
use crate::fleet::{Fleet, Isolate, Name, Recipe, SiteState};
use crate::observe::model::*;
use crate::plan::{Intent, Operation, OperationKind, Plan, plan};
use crate::record::route::RouteTarget;
use crate::record::{Labelled, Role, labels};

/// With an authority that gives certificates to most sites.
fn fleet(draws: &[Option<super::make::Draw>]) -> Fleet {
    let mut fleet = super::make::fleet(draws);
    fleet.acme = super::certificate::authority();
    fleet
}

fn planned(fleet: &Fleet, world: &World) -> Plan {
    let observed = world.observe(fleet);
    let plan = plan(fleet, "hash", &observed, &[], 0);
    well_formed(&plan);
    plan
}

/// Every operation has a cause and a name of its own, and comes after what it waits for.
pub(super) fn well_formed(plan: &Plan) {
    let mut seen = BTreeSet::new();
    for operation in &plan.operations {
        assert!(!operation.cause.is_empty(), "{} has no cause", operation.id);
        for before in &operation.after {
            assert!(seen.contains(before), "{} is before {before}", operation.id);
        }
        assert!(
            seen.insert(&operation.id),
            "{} is there twice",
            operation.id
        );
    }
    for host in plan.operations.iter().map(|operation| &operation.host) {
        // Nothing is recorded where the state could not be read.
        if plan
            .problems
            .iter()
            .any(|p| p.host == *host && p.site.is_none())
        {
            continue;
        }
        let last = plan
            .operations
            .iter()
            .rfind(|operation| operation.host == *host);
        let last = last.map(|operation| &operation.kind);
        assert!(
            matches!(last, Some(OperationKind::RecordFleet { .. })),
            "{last:?}"
        );
    }
}

/// Plans and runs until nothing is left: once, or twice where the first could not see everything.
pub(super) fn settle(fleet: &Fleet, world: &mut World, rounds: usize) {
    settle_after(fleet, world, rounds, 0);
}

/// [`settle`] after so many interrupted runs.
pub(super) fn settle_after(fleet: &Fleet, world: &mut World, rounds: usize, interrupted: usize) {
    for _ in 0..rounds {
        let plan = planned(fleet, world);
        world.run_all(&plan);
    }
    let rest = planned(fleet, world);
    assert!(rest.is_empty(), "{}", super::text::text(&rest));
    as_the_file_says(fleet, world, interrupted);
}

/// Nothing missing, nothing orphaned, nothing used twice.
fn as_the_file_says(fleet: &Fleet, world: &World, interrupted: usize) {
    for (host_name, host) in &world.hosts {
        let ours = || {
            host.containers
                .iter()
                .filter(|c| c.fleet().is_some_and(|f| f == "test"))
        };
        let mut addresses = BTreeSet::new();
        for container in &host.containers {
            for address in container.addresses.values() {
                assert!(addresses.insert(*address), "{address} is used twice");
            }
        }
        for container in ours() {
            assert!(
                !container.name.ends_with("-next"),
                "{} stayed",
                container.name
            );
        }
        let Some(state) = &host.disk else {
            assert_eq!(ours().count(), 0);
            continue;
        };
        let uids: BTreeSet<u32> = state.sites.values().map(|record| record.uid).collect();
        assert_eq!(uids.len(), state.sites.len(), "a user id is used twice");
        for role in [Role::Toolbox, Role::Router] {
            let found: Vec<_> = host.role(&world.fleet, role).collect();
            assert_eq!(found.len(), 1, "{role:?}");
            assert!(found[0].is_running());
        }
        let strict = fleet
            .hosts
            .get(host_name)
            .is_some_and(|host| host.isolate == Isolate::Strict);
        let guards: Vec<_> = host.role(&world.fleet, Role::Guard).collect();
        assert_eq!(guards.len(), usize::from(strict), "guards");
        assert!(guards.iter().all(|guard| guard.is_running()));
        for (name, record) in &state.sites {
            let containers: Vec<_> = host.site_containers(&world.fleet, name).collect();
            assert!(containers.len() <= 1, "{name} has {}", containers.len());
            let conf = host.conf.get(name).cloned().unwrap_or_default();
            let hashes: BTreeSet<String> = containers
                .iter()
                .filter(|c| c.labels.contains_key("test.files"))
                .map(|c| c.labels[labels::HASH].clone())
                .collect();
            assert!(
                hashes.is_subset(&conf),
                "{name}: a container without its configuration"
            );
            // A killed apply may leave the files of a container that never was; no more than that.
            let left = conf.difference(&hashes).count();
            assert!(left <= interrupted, "{name}: {conf:?}, read: {hashes:?}");
            let wanted = fleet.sites.get(name).filter(|site| site.host == *host_name);
            let active = containers
                .iter()
                .any(|c| c.is_running() || c.run == RunState::Restarting);
            let route = state.router.routes.get(name);
            match wanted.map(|site| (site.state, &site.recipe)) {
                Some((SiteState::Running, Recipe::Proxy { .. })) => {
                    assert!(route.is_some() && containers.is_empty());
                }
                Some((SiteState::Running, _)) => {
                    assert!(active, "{name} does not run");
                    let Some(RouteTarget::Address { ip, .. }) = route.map(|r| &r.target) else {
                        panic!("{name} is not routed");
                    };
                    assert!(
                        containers[0]
                            .addresses
                            .values()
                            .any(|address| address == ip)
                    );
                    assert_eq!(
                        Some(&containers[0].labels[labels::HASH]),
                        record.hash.as_ref()
                    );
                }
                Some((SiteState::Stopped, _)) => {
                    assert!(!active && route.map(|r| &r.target) == Some(&RouteTarget::Stopped));
                }
                Some((SiteState::Archived, _)) => assert!(containers.is_empty() && route.is_none()),
                None => assert!(!active && route.is_none(), "{name} was left running"),
            }
        }
    }
}

fn foreign(world: &World) -> BTreeMap<Name, Vec<ObservedContainer>> {
    let foreign = |c: &&ObservedContainer| c.fleet().is_none_or(|f| f != "test");
    let of = |(name, host): (&Name, &super::interpret::WorldHost)| {
        let containers = host.containers.iter().filter(foreign).cloned().collect();
        (name.clone(), containers)
    };
    world.hosts.iter().map(of).collect()
}

/// Runs `count` operations of a plan in an order that `picks` chooses among those that may run.
pub(super) fn run_some(world: &mut World, plan: &Plan, picks: &[u8], count: usize) {
    run_watched(world, plan, picks, count, |_| ());
}

/// [`run_some`], looked at after every operation.
fn run_watched(
    world: &mut World,
    plan: &Plan,
    picks: &[u8],
    count: usize,
    mut look: impl FnMut(&World),
) {
    let mut done = BTreeSet::new();
    let mut picks = picks.iter().cycle();
    while done.len() < count {
        let ready: Vec<&Operation> = plan
            .operations
            .iter()
            .filter(|o| !done.contains(&o.id) && o.after.iter().all(|id| done.contains(id)))
            .collect();
        let Some(pick) = picks.next().filter(|_| !ready.is_empty()) else {
            break;
        };
        let operation = ready[usize::from(*pick) % ready.len()];
        world.run(operation, &mut done);
        look(world);
    }
}

/// Something that happens to a host while nobody looks.
fn mishap(world: &mut World, what: u8, which: u8) {
    let Some(host) = world.hosts.values_mut().nth(usize::from(which) % 2) else {
        return;
    };
    let ours: Vec<usize> = (0..host.containers.len())
        .filter(|at| host.containers[*at].fleet().is_some_and(|f| f == "test"))
        .collect();
    let Some(at) = ours
        .get(usize::from(which / 2) % ours.len().max(1))
        .copied()
    else {
        return;
    };
    let container = &mut host.containers[at];
    let is_site = container.role() == Some(Role::Site);
    match what % 7 {
        0 => container.run = RunState::Exited,
        1 => {
            host.containers.remove(at);
        }
        2 if is_site => container.run = RunState::Paused,
        3 if is_site => container.run = RunState::Restarting,
        4 if is_site => container.run = RunState::Dead,
        5 if is_site => {
            container.inspected.get_or_insert_default().limits.memory = Some(64 << 20);
        }
        6 => world.secret_version += 1,
        _ => {}
    }
}

/// Few cases by default: `PROPTEST_CASES=10000` looks longer.
pub(super) fn config() -> ProptestConfig {
    let cases = match std::env::var_os("PROPTEST_CASES") {
        Some(_) => ProptestConfig::default().cases,
        None => 60,
    };
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    /// An applied plan plans empty, whatever others keep on the hosts, and leaves that alone.
    #[test]
    fn applied_plans_plan_empty(draws in draws(), others in 0u8..8) {
        let fleet = fleet(&draws);
        let mut world = world(others);
        let before = foreign(&world);
        settle(&fleet, &mut world, 1);
        prop_assert_eq!(before, foreign(&world));
    }

    /// From one file to another, at once or stopped after any operation, in any order that the plan
    /// allows, once or twice.
    #[test]
    fn any_interruption_converges(
        first in draws(),
        second in draws(),
        others in 0u8..8,
        picks in proptest::collection::vec(any::<u8>(), 1..40),
        cuts in proptest::collection::vec(0usize..60, 1..3),
    ) {
        let mut world = world(others);
        let before = foreign(&world);
        let (first, second) = (sharing(&first), sharing(&second));
        settle(&first, &mut world, 1);
        for cut in cuts {
            let plan = planned(&second, &world);
            run_some(&mut world, &plan, &picks, cut);
        }
        settle_after(&second, &mut world, 1, 2);
        prop_assert_eq!(before, foreign(&world));
    }

    /// Interrupted on the way to one file, then another file is applied.
    #[test]
    fn a_change_of_mind_converges(
        first in draws(),
        second in draws(),
        third in draws(),
        picks in proptest::collection::vec(any::<u8>(), 1..40),
        cut in 0usize..60,
        another in 0usize..60,
    ) {
        let mut world = world(1);
        let (first, second, third) = (sharing(&first), sharing(&second), sharing(&third));
        let plan = planned(&first, &world);
        run_some(&mut world, &plan, &picks, cut);
        let plan = planned(&second, &world);
        run_some(&mut world, &plan, &picks, another);
        settle_after(&third, &mut world, 1, 2);
    }

    /// A site fails at any of its operations before its route is switched: what was done of it is
    /// taken back, what served still serves, and the next plan is a clean one.
    #[test]
    fn a_failed_site_is_taken_back(first in draws(), second in draws(), cut in 0usize..12, pick in 0usize..5) {
        let mut world = world(0);
        let (first, second) = (sharing(&first), sharing(&second));
        settle(&first, &mut world, 1);
        let plan = planned(&second, &world);
        let sites: BTreeSet<&Name> = plan.operations.iter().filter_map(|o| o.site.as_ref()).collect();
        let Some(failing) = sites.iter().nth(pick % sites.len().max(1)).copied() else {
            return Ok(());
        };
        let its: Vec<&Operation> =
            plan.operations.iter().filter(|o| o.site.as_ref() == Some(failing)).collect();
        let switch = its
            .iter()
            .position(|o| matches!(o.kind, OperationKind::Route { .. } | OperationKind::Unroute { .. }))
            .unwrap_or(0);
        let undone = &its[..cut.min(switch)];
        let mut done = BTreeSet::new();
        for operation in &plan.operations {
            let theirs = operation.site.as_ref() != Some(failing);
            let record = matches!(operation.kind, OperationKind::RecordFleet { .. });
            let may = operation.after.iter().all(|id| done.contains(id));
            if (theirs && may && !record) || undone.contains(&operation) {
                world.run(operation, &mut done);
            }
        }
        world.undo(undone);
        for host in world.hosts.values() {
            for container in host.site_containers(&world.fleet, failing) {
                prop_assert!(!container.name.ends_with("-next"));
            }
        }
        settle(&second, &mut world, 1);
    }

    /// Whatever happens to containers behind our back is put right.
    #[test]
    fn mishaps_are_mended(
        draws in draws(),
        mishaps in proptest::collection::vec((any::<u8>(), any::<u8>()), 1..4),
    ) {
        let fleet = fleet(&draws);
        let mut world = world(0);
        settle(&fleet, &mut world, 1);
        for (what, which) in mishaps {
            mishap(&mut world, what, which);
        }
        // Without a toolbox nothing can be read: the first plan brings it back.
        settle(&fleet, &mut world, 2);
    }

    /// A restart is one: whatever else differs, nothing else is done, and it differs afterwards too.
    #[test]
    fn a_restart_changes_nothing_else(
        first in draws(),
        second in draws(),
        cut in 0usize..60,
        mishaps in proptest::collection::vec((any::<u8>(), any::<u8>()), 0..3),
        at in 0usize..5,
    ) {
        let mut world = world(0);
        let (first, second) = (sharing(&first), sharing(&second));
        settle(&first, &mut world, 1);
        let way = planned(&second, &world);
        run_some(&mut world, &way, &[0], cut);
        for (what, which) in mishaps {
            mishap(&mut world, what, which);
        }
        let site: Name = ["ash", "birch", "cedar", "dogwood", "elm"][at].parse().unwrap();
        let asked = [Intent::Restart { site: site.clone() }];
        let plan = plan(&second, "hash", &world.observe(&second), &asked, 0);
        for operation in &plan.operations {
            let kind = operation.kind.facts().word;
            prop_assert!(["restart_container", "await_ready"].contains(&kind), "{kind}");
            prop_assert_eq!(operation.site.as_ref(), Some(&site));
        }
        let mut before = world.clone();
        world.run_all(&plan);
        // But for whether its container runs.
        let quiet = |world: &mut World| {
            for host in world.hosts.values_mut() {
                for container in &mut host.containers {
                    if container.site() == Some(site.as_str()) {
                        container.run = RunState::Running;
                    }
                }
            }
            format!("{:?}", world.hosts)
        };
        prop_assert_eq!(quiet(&mut before), quiet(&mut world));
    }

    /// Two runs agree, and a site that did not change gets no operation.
    #[test]
    fn what_did_not_change_is_left_alone(draws in draws(), other in super::make::draw(), at in 0usize..5) {
        let mut world = world(0);
        let before = fleet(&draws);
        settle(&before, &mut world, 1);
        let at = at % draws.len();
        let mut changed = draws.clone();
        changed[at] = Some(other);
        let after = fleet(&changed);
        let first = planned(&after, &world);
        prop_assert_eq!(&first, &planned(&after, &world));
        let name = ["ash", "birch", "cedar", "dogwood", "elm"][at];
        for operation in &first.operations {
            let site = operation.site.as_ref().map(Name::as_str);
            prop_assert!(site.is_none() || site == Some(name), "{}", operation.id);
        }
    }

    /// A domain that both files have on a host leads somewhere all the time, to whichever site.
    #[test]
    fn no_domain_is_lost_on_the_way(first in draws(), second in draws(), picks in proptest::collection::vec(any::<u8>(), 1..40)) {
        let mut world = world(0);
        let (first, second) = (sharing(&first), sharing(&second));
        settle(&first, &mut world, 1);
        let before = world.clone();
        let mut after = world.clone();
        settle(&second, &mut after, 1);
        let plan = planned(&second, &world);
        run_watched(&mut world, &plan, &picks, plan.operations.len(), |world| {
            for (name, host) in &world.hosts {
                let (was, will) = (before.hosts[name].domains(), after.hosts[name].domains());
                for domain in was.intersection(&will) {
                    assert!(host.domains().contains(domain), "{domain} was lost");
                }
            }
        });
    }

    /// Going back to the former file brings back what was there.
    #[test]
    fn there_and_back(first in draws(), second in draws()) {
        let mut world = world(0);
        let (first, second) = (sharing(&first), sharing(&second));
        for fleet in [&first, &second, &first] {
            settle(fleet, &mut world, 1);
        }
    }
}

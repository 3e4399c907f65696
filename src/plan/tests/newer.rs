//! Newer images under the same tags.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::interpret::World;
use super::make::{draws, fleet, name, sharing, world};
use super::properties::{config, run_some, settle, settle_after, well_formed};
use crate::fleet::*;
use crate::observe::model::{HostObservation, ObservedContainer};
use crate::plan::show::groups;
use crate::plan::{Intent, OperationKind, Plan, PlanOptions, newer, plan, plan_with};
use crate::record::Role;

/// The plan of `ostler update`: of everything, or of these.
fn update(fleet: &Fleet, world: &World, named: &[&str]) -> Plan {
    let observed = world.observe(fleet);
    let named: Vec<Name> = named.iter().map(|site| name(site)).collect();
    let meant = named.iter().cloned().collect();
    let meant = (!named.is_empty()).then_some(&meant);
    let (intents, only) = newer::find(fleet, &observed).ask(meant, &named);
    let options = PlanOptions {
        only: Some(only),
        ..PlanOptions::default()
    };
    let plan = plan_with(fleet, "hash", &observed, &intents, 0, &options);
    well_formed(&plan);
    plan
}

fn drawn(host: u8, recipe: u8) -> Option<super::make::Draw> {
    Some(super::make::Draw {
        host,
        recipe,
        domains: 0,
        memory: 1,
        cpus: 0,
        env: 0,
        secrets: 0,
        www: 0,
        state: 0,
    })
}

/// Ash, birch and dogwood are static, on host one, one and two; cedar is an image of its own on one.
fn applied() -> (Fleet, World) {
    let fleet = fleet(&[drawn(0, 0), drawn(0, 0), drawn(0, 5), drawn(1, 0)]);
    let mut world = world(0);
    world.lineage.ancestors.insert("hash".into());
    settle(&fleet, &mut world, 1);
    (fleet, world)
}

/// Another image under a tag, on every host that has it.
fn push(world: &mut World, image: &str) {
    for host in world.hosts.values_mut() {
        if let Some(id) = host.images.get_mut(image) {
            id.push_str(", newer");
        }
    }
}

fn told(plan: &Plan) -> Vec<(&str, &str)> {
    let told = plan.notices.iter();
    told.map(|n| (n.host.as_str(), n.text.as_str())).collect()
}

fn touched(plan: &Plan) -> Vec<(&str, Vec<&str>, &str)> {
    groups(plan)
        .into_iter()
        .filter_map(|group| Some((group.site?.as_str(), group.causes, group.verb)))
        .collect()
}

/// For each container of a role the image that it runs.
fn runs(world: &World, role: Role) -> BTreeSet<String> {
    let hosts = world.hosts.values();
    let all = hosts.flat_map(|host| host.role(&world.fleet, role));
    all.map(|c: &ObservedContainer| c.image_id.clone())
        .collect()
}

#[test]
fn a_newer_image_is_told_and_replaces_nothing_until_that_is_asked() {
    let (mut fleet, mut world) = applied();
    push(&mut world, "nginx:1.28");
    let observed = world.observe(&fleet);
    let only_told = plan(&fleet, "hash", &observed, &[], 0);
    assert!(only_told.is_empty());
    assert_eq!(
        told(&only_told),
        [
            (
                "one",
                "2 sites (ash, birch) run an older image than nginx:1.28 is by now: `ostler update`"
            ),
            (
                "two",
                "dogwood runs an older image than nginx:1.28 is by now: `ostler update`"
            ),
        ]
    );
    // What else the file says of a site that is as its tag is not applied by the way.
    fleet.sites.get_mut("cedar").unwrap().connections += 1;
    let update = update(&fleet, &world, &[]);
    let causes = || {
        let newer = "newer nginx:1.28: image of ngi → image of ngi";
        vec![newer, "another container serves now"]
    };
    assert_eq!(
        touched(&update),
        [
            ("ash", causes(), "replace"),
            ("birch", causes(), "replace"),
            ("dogwood", causes(), "replace"),
        ]
    );
    assert!(update.careful && told(&update).is_empty());
    world.run_all(&update);
    assert_eq!(
        runs(&world, Role::Site),
        ["image of example/app:1", "image of nginx:1.28, newer"]
            .map(str::to_owned)
            .into()
    );
    fleet.sites.get_mut("cedar").unwrap().connections -= 1;
    let observed = world.observe(&fleet);
    let after = plan(&fleet, "hash", &observed, &[], 0);
    assert!(after.is_empty() && told(&after).is_empty());
    for host in observed.hosts.values() {
        let Some(state) = host.reached().and_then(|host| host.state.read()) else {
            panic!()
        };
        for record in state.sites.values().filter(|r| r.site.as_str() != "cedar") {
            assert_eq!(
                record.image_id.as_deref(),
                Some("image of nginx:1.28, newer")
            );
        }
    }
}

#[test]
fn one_site_goes_first_and_routers_last() {
    let (fleet, mut world) = applied();
    push(&mut world, "nginx:1.28");
    push(&mut world, "haproxy:3.0");
    let plan = update(&fleet, &world, &[]);
    let first = |site: &str| {
        let of = |o: &&crate::plan::Operation| o.site.as_ref().is_some_and(|s| s.as_str() == site);
        plan.operations.iter().find(of).unwrap()
    };
    assert!(first("ash").after.is_empty());
    let waits = |operation: &crate::plan::Operation, id: &str| {
        assert!(
            operation.after.iter().any(|before| before.0 == id),
            "{}: {:?}",
            operation.id,
            operation.after
        );
    };
    waits(first("birch"), "one/ash/record");
    waits(first("dogwood"), "one/ash/record");
    for host in ["one", "two"] {
        let id = format!("{host}/router/create");
        let router = plan.operations.iter().find(|o| o.id.0 == id).unwrap();
        waits(router, "one/birch/record");
        waits(router, "two/dogwood/record");
        assert_eq!(
            router.cause,
            ["newer haproxy:3.0: image of hap → image of hap"]
        );
    }
    world.run_all(&plan);
    let newer = "image of haproxy:3.0, newer".to_owned();
    assert_eq!(runs(&world, Role::Router), [newer].into());
    let rest = update(&fleet, &world, &[]);
    assert!(rest.is_empty() && !rest.careful);
    // Sites that are named leave routers alone.
    push(&mut world, "nginx:1.28");
    push(&mut world, "haproxy:3.0");
    let one = update(&fleet, &world, &["birch"]);
    assert_eq!(touched(&one).len(), 1);
    let routers = |o: &crate::plan::Operation| o.id.0.contains("/router/");
    assert!(!one.operations.iter().any(routers));
}

#[test]
fn routers_are_replaced_one_host_after_the_other() {
    let (fleet, mut world) = applied();
    push(&mut world, "haproxy:3.0");
    let only_routers = update(&fleet, &world, &[]);
    push(&mut world, "nginx:1.28");
    for plan in [only_routers, update(&fleet, &world, &[])] {
        assert!(plan.careful);
        let of = |host: &str| {
            let id = format!("{host}/router/");
            let mut these = plan.operations.iter().filter(|o| o.id.0.starts_with(&id));
            let first = these.next().unwrap();
            (first, these.next_back().unwrap())
        };
        let ((_, before), (next, _)) = (of("one"), of("two"));
        assert_eq!(before.id.0, "one/router/rename");
        assert_eq!(next.id.0, "two/router/create");
        assert!(next.after.contains(&before.id), "{:?}", next.after);
        world.clone().run_all(&plan);
    }
}

#[test]
fn what_cannot_be_updated_is_said() {
    let mut fleet = fleet(&[drawn(0, 4), drawn(0, 0), drawn(1, 0)]);
    let mut world = world(0);
    settle(&fleet, &mut world, 1);
    fleet.sites.get_mut("birch").unwrap().state = SiteState::Stopped;
    settle(&fleet, &mut world, 1);
    push(&mut world, "nginx:1.28");
    let plan = update(&fleet, &world, &["ash", "birch"]);
    let what: Vec<&str> = plan.problems.iter().map(|p| p.what.as_str()).collect();
    assert_eq!(
        what,
        [
            "update: it is a proxy: ostler does not own what it leads to",
            "update: the file says state: stopped"
        ]
    );
    assert!(plan.operations.is_empty());
    // What is on a host that does not answer is not known: no reason to call it up to date.
    let mut observed = world.observe(&fleet);
    let why = "it hangs".to_owned();
    observed
        .hosts
        .insert(name("two"), HostObservation::Unreachable { why });
    let (intents, only) = newer::find(&fleet, &observed).ask(None, &[]);
    assert_eq!((intents.len(), only), (0, [name("cedar")].into()));
}

#[test]
fn pulls_are_for_what_runs_and_for_what_registries_have() {
    let (mut fleet, mut world) = applied();
    fleet.sites.get_mut("birch").unwrap().recipe = Recipe::Image {
        image: "example/app@sha256:ab".into(),
        port: 80,
        root: false,
        mount: None,
    };
    for host in world.hosts.values_mut() {
        for (image, id) in host.images.clone() {
            if image != "example/app:1" {
                let name = image.split(':').next().unwrap_or_default();
                host.images.insert(format!("{name}@sha256:ab"), id);
            }
        }
    }
    let observed = world.observe(&fleet);
    let pulls = |only: Option<&BTreeSet<Name>>| newer::pulls(&fleet, &observed, only);
    let one = |image: &str| (name("one"), image.to_owned());
    assert_eq!(pulls(Some(&[name("cedar")].into())), [one("example/app:1")]);
    let all = pulls(None);
    assert!(all.contains(&one("haproxy:3.0")) && all.contains(&one("nginx:1.28")));
    assert!(!all.iter().any(|(_, image)| image.contains('@')), "{all:?}");
    let pull = |(host, image): (Name, String)| Intent::Pull { host, image };
    let intents: Vec<Intent> = all.into_iter().map(pull).collect();
    let plan = plan(&fleet, "hash", &observed, &intents, 0);
    let pulled = |o: &crate::plan::Operation| match &o.kind {
        OperationKind::PullImage { image, anew: true } => (o.host.to_string(), image.clone()),
        other => panic!("{other:?}"),
    };
    let pulled: Vec<_> = plan.operations.iter().map(pulled).collect();
    let of = |host: &str, image: &str| (host.to_owned(), image.to_owned());
    assert_eq!(
        pulled,
        [
            of("one", "haproxy:3.0"),
            of("one", "nginx:1.28"),
            of("two", "haproxy:3.0"),
            of("two", "nginx:1.28")
        ]
    );
    let text = "example/app:1 was built on the host: it is not asked for";
    assert_eq!(told(&plan), [("one", text)]);
    assert!(!plan.careful);
}

proptest! {
    #![proptest_config(config())]

    /// An update, at once or cut off after any operation in any order that it allows: another one, or
    /// the usual plan, ends it; what was updated plans empty.
    #[test]
    fn updates_converge(
        draws in draws(),
        which in any::<u8>(),
        picks in proptest::collection::vec(any::<u8>(), 1..40),
        cut in 0usize..60,
        again in any::<bool>(),
    ) {
        let fleet = sharing(&draws);
        let mut world = world(0);
        settle(&fleet, &mut world, 1);
        world.rebuild(which);
        let first = update(&fleet, &world, &[]);
        run_some(&mut world, &first, &picks, cut);
        if again {
            let second = update(&fleet, &world, &[]);
            world.run_all(&second);
            let found = newer::find(&fleet, &world.observe(&fleet));
            prop_assert_eq!(found, newer::Found::default());
            // What was cut off after its route was switched runs the newer one: apply finishes it.
            settle_after(&fleet, &mut world, 1, 1);
        } else {
            settle_after(&fleet, &mut world, 1, 1);
        }
    }
}

use proptest::prelude::*;

use super::interpret::World;
use super::make::{draws, fleet, name, world};
use crate::fleet::{EngineAddress, Fleet, Limits, Name, Recipe, load, to_yaml};
use crate::observe::model::*;
use crate::plan::drift::{self, Drift, Field, Kind};
use crate::plan::{OperationKind, Plan, PlanOptions, plan, plan_with};
use crate::record::*;
use crate::record::{Labelled, Role, labels, names};

/// As the engine would tell it after a change by hand.
fn set(inspected: &mut Inspected, path: String, value: String) {
    let mut fields = inspected.made.to_map();
    fields.insert(path, value);
    inspected.made = fields.into();
}

pub(super) fn unset(inspected: &mut Inspected, path: &str) {
    let mut fields = inspected.made.to_map();
    fields.remove(path);
    inspected.made = fields.into();
}

fn planned(fleet: &Fleet, world: &World) -> Plan {
    plan(fleet, "hash", &world.observe(fleet), &[], 0)
}

fn drifted(fleet: &Fleet, world: &World) -> Vec<Drift> {
    drift::of_fleet(fleet, &world.observe(fleet))
}

fn settled(fleet: &Fleet) -> World {
    let mut world = world(0);
    let plan = planned(fleet, &world);
    world.run_all(&plan);
    world
}

/// What a person does to a site's container, or to the files behind it. Says what of it shows, if
/// anything does: `None` where there is nothing to do it to.
fn by_hand(world: &mut World, what: u8, which: u8) -> Option<&'static str> {
    let ours = names::network(&world.fleet);
    let host = world.hosts.values_mut().nth(usize::from(which) % 2)?;
    let sites: Vec<usize> = (0..host.containers.len())
        .filter(|at| host.containers[*at].role() == Some(Role::Site))
        .collect();
    let at = *sites.get(usize::from(which / 2) % sites.len().max(1))?;
    let site: Name = host.containers[at].labels[labels::SITE].parse().unwrap();
    let routed = host.disk.as_ref()?.router.routes.contains_key(&site);
    let has_files = host.containers[at].labels.contains_key("test.files");
    let has_secrets = !host.disk.as_ref()?.sites.get(&site)?.secrets.is_empty();
    let container = &mut host.containers[at];
    let runs = container.is_running();
    let inspected = container.inspected.as_mut()?;
    let different = |applied: &str, live: &str| Different {
        path: "x.example".into(),
        applied: Some(applied.into()),
        live: Some(live.into()),
    };
    match what % 16 {
        0 => {
            inspected.limits.memory = Some(64 << 20);
            Some("memory")
        }
        1 => {
            inspected.limits.pids = None;
            Some("pids")
        }
        2 if runs => {
            container.run = RunState::Exited;
            Some("state")
        }
        2 => {
            container.run = RunState::Running;
            Some("state")
        }
        3 => {
            host.containers.remove(at);
            Some("container")
        }
        4 => {
            set(inspected, "env.MODE".into(), "other".into());
            Some("env.MODE")
        }
        5 => {
            set(inspected, "image".into(), "example/app:7".into());
            Some("image")
        }
        6 => {
            container.addresses.clear();
            unset(inspected, &format!("network.{ours}"));
            Some("network.ostler-test")
        }
        7 => {
            inspected.restart = Some("on-failure".into());
            Some("restart")
        }
        8 => {
            set(inspected, "cpu_shares".into(), "512".into());
            Some("cpu_shares")
        }
        9 => {
            let container = &mut host.containers[at];
            container.labels.clear();
            container.addresses.clear();
            container.id = format!("f{}", &container.id[1..]);
            Some("container")
        }
        10 if runs => {
            container.run = RunState::Paused;
            Some("state")
        }
        11 if inspected.limits.memory.is_some() => {
            set(inspected, "swap".into(), "unlimited".into());
            Some("swap")
        }
        12 if routed => {
            let one = host.edited.sites.entry(site).or_default();
            one.route = vec![different("a", "b")];
            Some("x.example")
        }
        13 if has_files => {
            let one = host.edited.sites.entry(site).or_default();
            one.conf = vec![different("as written", "edited")];
            Some("configuration.x.example")
        }
        14 if has_secrets && runs => {
            let one = host.edited.sites.entry(site).or_default();
            one.services
                .insert("secrets", vec![different("written", "changed")]);
            Some("secrets.x.example")
        }
        15 => {
            set(inspected, "user".into(), "0:0".into());
            container.id = format!("e{}", &container.id[1..]);
            Some("user")
        }
        _ => None,
    }
}

/// Few cases by default: `PROPTEST_CASES=10000` looks longer.
fn config() -> ProptestConfig {
    let cases = match std::env::var_os("PROPTEST_CASES") {
        Some(_) => ProptestConfig::default().cases,
        None => 80,
    };
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

fn paths(found: &[Drift]) -> Vec<&str> {
    let fields = found.iter().flat_map(|drift| &drift.fields);
    fields.map(|field| field.path.as_str()).collect()
}

proptest! {
    #![proptest_config(config())]

    /// What was applied has not drifted; what was changed by hand has, and in that field; applying
    /// puts it right, and only then nothing is left to do.
    #[test]
    fn whatever_drifts_is_seen_and_mended(
        draws in draws(),
        changes in proptest::collection::vec((any::<u8>(), any::<u8>()), 1..4),
    ) {
        let fleet = fleet(&draws);
        let mut world = settled(&fleet);
        prop_assert_eq!(drifted(&fleet, &world), vec![]);
        let before = world.clone();
        let done: Vec<_> = changes.iter().map(|(what, which)| by_hand(&mut world, *what, *which)).collect();
        let found = drifted(&fleet, &world);
        if let [Some(path)] = done[..] {
            // A limit may have been set to what it was.
            let changed = world != before;
            prop_assert_eq!(paths(&found).contains(&path), changed, "{:?} of {:?}", path, found);
            prop_assert!(found.iter().all(|d| d.by_hand() && d.site.is_some()));
        }
        let plan = planned(&fleet, &world);
        prop_assert_eq!(plan.operations.is_empty(), found.is_empty(), "{:?}\n{}", found, super::text::text(&plan));
        world.run_all(&plan);
        prop_assert_eq!(drifted(&fleet, &world), vec![]);
        prop_assert!(planned(&fleet, &world).is_empty());
    }

    /// What the file says new is the file's change: no other word for it.
    #[test]
    fn changes_of_the_file_are_the_files(first in draws(), second in draws()) {
        let (first, second) = (fleet(&first), fleet(&second));
        let world = settled(&first);
        let found = drifted(&second, &world);
        for field in found.iter().flat_map(|drift| &drift.fields) {
            prop_assert_eq!(field.kind, Kind::File, "{:?}", field);
        }
        prop_assert_eq!(found.is_empty(), planned(&second, &world).is_empty(), "{:?}", found);
    }

    /// What can be adopted is written into the file; then no container is touched, and nothing
    /// has drifted.
    #[test]
    fn what_is_adopted_is_kept(draws in draws(), what in 0usize..5, which in any::<u8>()) {
        let mut fleet = fleet(&draws);
        for host in fleet.hosts.values_mut() {
            // Only what a file can say.
            host.engine = EngineAddress::Unix { path: format!("/run/{}.sock", host.name) };
        }
        for site in fleet.sites.values_mut() {
            if let Recipe::Proxy { .. } = site.recipe {
                site.secrets.clear();
                site.env.clear();
                site.limits = Limits::default();
            }
        }
        let mut world = settled(&fleet);
        let Some(path) = by_hand(&mut world, [0u8, 1, 2, 4, 5][what], which) else { return Ok(()) };
        let observed = world.observe(&fleet);
        let Some(changed) = drift::of_fleet(&fleet, &observed).into_iter().next() else { return Ok(()) };
        let site = changed.site.clone().unwrap();
        let adoption = drift::adopt(&fleet, &site, &observed, &[]);
        let adoptable: Vec<&Field> = changed.fields.iter().filter(|f| f.adoptable).collect();
        prop_assert_eq!(adoption.edits.len(), adoptable.len());
        prop_assert_eq!(adoption.left.len(), changed.fields.len() - adoptable.len());
        if adoption.edits.is_empty() {
            return Ok(());
        }
        let text = to_yaml(&fleet);
        let (adoption, edited) =
            drift::adopt_into(&text, "fleet.yml".as_ref(), &fleet, &site, &observed, &[]).unwrap();
        if adoption.edits.is_empty() {
            // That there is no limit on processes cannot be said: there is a default.
            prop_assert_eq!(path, "pids");
            prop_assert_eq!(edited.text, text);
            return Ok(());
        }
        let after = edited.fleet;
        let plan = planned(&after, &world);
        for operation in &plan.operations {
            use OperationKind as K;
            prop_assert!(
                matches!(operation.kind, K::WriteRecord { .. } | K::RecordFleet { .. } | K::Route { .. }
                    | K::SetRestart { .. } | K::AwaitReady { .. }),
                "{path}: {}", super::text::text(&plan)
            );
        }
        world.run_all(&plan);
        prop_assert_eq!(drifted(&after, &world), vec![]);
        prop_assert!(planned(&after, &world).is_empty());
    }
}

fn one(yaml: &str) -> Fleet {
    let text = format!(
        "fleet: test\nhosts: {{ one: {{ engine: 'unix:///x' }} }}\nsites:\n  ash: {yaml}\n"
    );
    load(&text, "fleet.yml".as_ref()).unwrap().fleet
}

const ASH: &str =
    "{ host: one, recipe: static, domains: [ash.example], memory: 128M, env: { MODE: live } }";

fn fields(fleet: &Fleet, world: &World) -> Vec<Field> {
    let found = drifted(fleet, world);
    found.into_iter().flat_map(|drift| drift.fields).collect()
}

fn container(world: &mut World) -> &mut ObservedContainer {
    let host = world.hosts.get_mut(&name("one")).unwrap();
    let mine = |c: &&mut ObservedContainer| c.labels.contains_key(labels::SITE);
    host.containers.iter_mut().find(mine).unwrap()
}

#[test]
fn three_values_meet() {
    let mut world = settled(&one(ASH));
    let live = container(&mut world).inspected.as_mut().unwrap();
    live.limits.memory = Some(256 << 20);
    let by = |yaml: &str| {
        let found = fields(&one(yaml), &world);
        assert_eq!(found.len(), 1, "{found:?}");
        let field = &found[0];
        (field.line(), field.kind, field.adoptable)
    };
    assert_eq!(
        by(ASH),
        ("memory 128M→256M by hand".into(), Kind::Hand, true)
    );
    assert_eq!(
        by(&ASH.replace("128M", "512M")),
        (
            "memory 128M→256M by hand, the file says 512M".into(),
            Kind::Both,
            true
        )
    );
    assert_eq!(
        by(&ASH.replace("128M", "256M")),
        (
            "memory 128M→256M by hand, the file says 256M".into(),
            Kind::Both,
            false
        )
    );
}

#[test]
fn values_that_look_like_secrets_are_not_told_and_not_adopted() {
    let fleet = one(ASH);
    let mut world = settled(&fleet);
    let live = container(&mut world).inspected.as_mut().unwrap();
    set(live, "env.DB_PASSWORD".into(), "hunter2".into());
    let found = fields(&fleet, &world);
    assert_eq!(found[0].live.as_deref(), Some("(not shown)"));
    assert!(!format!("{found:?}").contains("hunter2"));
    let observed = world.observe(&fleet);
    let adoption = drift::adopt(&fleet, &name("ash"), &observed, &[]);
    assert!(adoption.edits.is_empty());
    assert!(adoption.left[0].1.contains("`secrets:`"), "{adoption:?}");
    let plan = planned(&fleet, &world);
    assert!(!super::text::text(&plan).contains("hunter2"));
}

#[test]
fn a_container_of_somebody_else_in_its_place_stays_and_the_site_comes_back() {
    let fleet = one(ASH);
    let mut world = settled(&fleet);
    let mine = container(&mut world);
    mine.labels.clear();
    mine.addresses.clear();
    mine.image = "other:1".into();
    let (id, taken) = (mine.id.clone(), mine.name.clone());
    let found = fields(&fleet, &world);
    assert_eq!(found[0].path, "container");
    assert_eq!(
        found[0].live.as_deref(),
        Some(format!("{taken} is not ours: other:1").as_str())
    );
    let plan = planned(&fleet, &world);
    assert_eq!(plan.problems, vec![]);
    world.run_all(&plan);
    assert!(
        world.hosts[&name("one")]
            .containers
            .iter()
            .any(|c| c.id == id)
    );
    assert_eq!(container(&mut world).name, names::next(&taken));
    assert!(planned(&fleet, &world).is_empty());
    // Once it is gone the site's container gets its name.
    let host = world.hosts.get_mut(&name("one")).unwrap();
    host.containers.retain(|c| c.id != id);
    let plan = planned(&fleet, &world);
    world.run_all(&plan);
    assert_eq!(container(&mut world).name, taken);
    assert!(planned(&fleet, &world).is_empty());
}

#[test]
fn the_routers_own_files_are_mended_with_another_router_by_overlap() {
    let fleet = one(ASH);
    let mut world = settled(&fleet);
    let host = world.hosts.get_mut(&name("one")).unwrap();
    host.edited.router = vec![Different {
        path: "haproxy.cfg".into(),
        applied: Some("as written".into()),
        live: Some("edited".into()),
    }];
    host.edited.reload = true;
    let found = drifted(&fleet, &world);
    assert_eq!(
        (paths(&found), found[0].site.clone()),
        (vec!["router.haproxy.cfg"], None)
    );
    let plan = planned(&fleet, &world);
    world.run_all(&plan);
    // The files are as written again: nothing is left to be read anew.
    world.hosts.get_mut(&name("one")).unwrap().edited.reload = false;
    assert_eq!(drifted(&fleet, &world), vec![]);
    assert!(planned(&fleet, &world).is_empty());
}

#[test]
fn another_version_of_the_engine_is_nobodys_change_and_is_written_down() {
    let fleet = one(ASH);
    let mut world = settled(&fleet);
    let live = container(&mut world).inspected.as_mut().unwrap();
    set(live, "form".into(), "1 29.0".into());
    set(live, "cgroupns".into(), "private".into());
    assert_eq!(fields(&fleet, &world), []);
    let plan = planned(&fleet, &world);
    let kinds: Vec<_> = plan.operations.iter().map(|o| &o.kind).collect();
    assert!(
        matches!(
            kinds.as_slice(),
            [
                OperationKind::WriteRecord { .. },
                OperationKind::RecordFleet { .. }
            ]
        ),
        "{kinds:?}"
    );
    world.run_all(&plan);
    assert!(planned(&fleet, &world).operations.is_empty());
    let live = container(&mut world).inspected.as_mut().unwrap();
    set(live, "cgroupns".into(), "host".into());
    assert_eq!(fields(&fleet, &world)[0].path, "cgroupns");
}

/// Whatever was cut off before it was recorded: once the site is stopped, what is recorded is its
/// container, and neither drift nor the next plan have anything to say.
#[test]
fn a_stopped_site_is_recorded_as_its_container_is() {
    let stopped = |yaml: &str| one(&yaml.replace("{ host", "{ state: stopped, host"));
    let limited = ASH.replace("memory: 128M", "memory: 128M, cpus: 1");
    // Another container of another spec; one of the same spec at another address.
    for (before, after) in [(ASH, &*ASH.replace("live", "next")), (&*limited, ASH)] {
        let mut world = settled(&one(before));
        let old = container(&mut world).id.clone();
        let plan = planned(&one(after), &world);
        let mut done = Default::default();
        for operation in &plan.operations {
            if matches!(operation.kind, OperationKind::WriteRecord { .. }) {
                break;
            }
            world.run(operation, &mut done);
        }
        let new = container(&mut world).id.clone();
        assert_ne!(old, new, "{after}");
        let plan = planned(&stopped(after), &world);
        world.run_all(&plan);
        assert_eq!(container(&mut world).id, new, "{after}");
        assert_eq!(drifted(&stopped(after), &world), vec![], "{after}");
        let again = planned(&stopped(after), &world);
        assert!(again.is_empty(), "{}", super::text::text(&again));
        // It is known how it was made: a change by hand is seen.
        let live = container(&mut world).inspected.as_mut().unwrap();
        set(live, "env.MODE".into(), "broken".into());
        assert!(!drifted(&stopped(after), &world).is_empty(), "{after}");
    }
}

/// What was stopped by hand before it left the file does not come back with the engine.
#[test]
fn a_site_that_is_left_over_stays_stopped() {
    let mut world = settled(&one(ASH));
    container(&mut world).run = RunState::Exited;
    let mut fleet = one(ASH);
    fleet.sites.clear();
    let plan = planned(&fleet, &world);
    let restarts = |plan: &Plan| {
        let found = plan
            .operations
            .iter()
            .find(|o| o.kind.facts().word == "set_restart");
        found.map(|o| o.cause.clone())
    };
    assert_eq!(restarts(&plan).unwrap(), ["removed from the file"]);
    world.run_all(&plan);
    let policy = |world: &mut World| container(world).inspected.as_ref().unwrap().restart.clone();
    assert_eq!(policy(&mut world).unwrap(), "no");
    assert!(planned(&fleet, &world).is_empty());
    assert_eq!(drifted(&fleet, &world), vec![]);
    // Also when someone says so later; who never knew the site leaves it alone, without a word.
    container(&mut world).inspected.as_mut().unwrap().restart = Some("always".into());
    assert_eq!(
        fields(&fleet, &world)[0].line(),
        "restart no→always by hand"
    );
    let plan = planned(&fleet, &world);
    assert_eq!(restarts(&plan).unwrap(), ["restart no→always by hand"]);
    let mut stranger = world.observe(&fleet);
    stranger.lineage = Default::default();
    let theirs = crate::plan::plan(&fleet, "other", &stranger, &[], 0);
    assert_eq!((restarts(&theirs), theirs.problems), (None, vec![]));
    world.run_all(&plan);
    assert!(planned(&fleet, &world).is_empty());
}

/// Ash's domain goes to birch, and only birch is applied: ash has lost it by the file, not by hand.
#[test]
fn a_domain_handed_over_is_no_change_by_hand() {
    let fleet = |ash: &str, birch: &str| {
        let ash = format!(
            "{{ host: one, recipe: static, domains: [{ash}] }}\n  birch: {{ host: one, recipe: static, domains: [{birch}] }}"
        );
        one(&ash)
    };
    let before = fleet("ash.example, x.example", "birch.example");
    let mut world = settled(&before);
    let after = fleet("ash.example", "birch.example, x.example");
    let options = PlanOptions {
        only: Some([name("birch")].into()),
        ..PlanOptions::default()
    };
    let observed = world.observe(&after);
    let alone = plan_with(&after, "hash", &observed, &[], 0, &options);
    world.run_all(&alone);
    let told = |fleet: &Fleet, world: &World| -> Vec<_> {
        let found = fields(fleet, world).into_iter();
        found.map(|field| (field.line(), field.kind)).collect()
    };
    let noted = "domains: ash.example x.example → ash.example";
    assert_eq!(told(&after, &world), [(noted.to_owned(), Kind::File)]);
    // Given back by the file: both change, and neither by hand.
    let back = told(&before, &world);
    let wanted = "domains: ash.example → ash.example x.example";
    assert_eq!(back[0], (wanted.to_owned(), Kind::File));
    assert!(back.iter().all(|(_, kind)| *kind == Kind::File), "{back:?}");
    // One that nobody has is missing by hand still.
    let mut edited = world.clone();
    let host = edited.hosts.get_mut(&name("one")).unwrap();
    let routes = &mut host.disk.as_mut().unwrap().router.routes;
    routes.get_mut("ash").unwrap().domains.clear();
    assert_eq!(told(&after, &edited)[0].1, Kind::Hand);
    // Applied as a whole it is noted, and nothing is left.
    let plan = planned(&after, &world);
    for operation in &plan.operations {
        assert!(!operation.cause.is_empty(), "{operation:?}");
    }
    world.run_all(&plan);
    assert_eq!(drifted(&after, &world), vec![]);
    assert!(planned(&after, &world).is_empty());
}

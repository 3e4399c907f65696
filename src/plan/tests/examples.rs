use std::collections::BTreeSet;

use super::interpret::World;
use super::make::{Draw, domain, fleet, host, name, site, world};
use super::text::text;
use crate::fleet::*;
use crate::observe::model::*;
use crate::plan::service::operation::ServiceOperation;
use crate::plan::service::secrets::operation::SecretsOperation;
use crate::plan::show::groups;
use crate::plan::{Intent, OperationKind, Plan, PlanOptions, plan, plan_with};
use crate::record::names;
use crate::record::*;

const PLAIN: Draw = Draw {
    host: 0,
    recipe: 0,
    domains: 0,
    memory: 1,
    cpus: 0,
    env: 0,
    secrets: 0,
    www: 0,
    state: 0,
};
const PHP: Draw = Draw { recipe: 3, ..PLAIN };
const APP: Draw = Draw { recipe: 5, ..PLAIN };
const PROXY: Draw = Draw { recipe: 4, ..PLAIN };

/// Ash is static, birch is PHP, cedar is an image of its own.
fn three() -> Fleet {
    fleet(&[Some(PLAIN), Some(PHP), Some(APP)])
}

fn planned(fleet: &Fleet, world: &World) -> Plan {
    plan(fleet, "hash", &world.observe(fleet), &[], 0)
}

fn applied(fleet: &Fleet) -> World {
    let mut world = world(0);
    world.lineage.ancestors.insert("hash".into());
    let plan = planned(fleet, &world);
    world.run_all(&plan);
    assert!(planned(fleet, &world).is_empty());
    world
}

fn change(fleet: &mut Fleet, text: &str, how: impl FnOnce(&mut Site)) {
    how(fleet.sites.get_mut(&name(text)).unwrap());
}

fn container<'a>(world: &'a mut World, site: &str) -> &'a mut ObservedContainer {
    let host = world.hosts.get_mut(&name("one")).unwrap();
    host.containers
        .iter_mut()
        .find(|c| c.site().is_some_and(|s| s == site))
        .unwrap()
}

/// Who gets any operation.
fn touched(plan: &Plan) -> Vec<&str> {
    groups(plan)
        .iter()
        .filter_map(|group| group.site.map(Name::as_str))
        .collect()
}

fn kinds(plan: &Plan) -> Vec<&'static str> {
    plan.operations
        .iter()
        .map(|o| o.kind.facts().word)
        .collect()
}

#[test]
fn the_first_apply() {
    let fleet = fleet(&[
        Some(PLAIN),
        Some(Draw {
            secrets: 1,
            www: 2,
            domains: 1,
            ..PHP
        }),
        Some(PROXY),
    ]);
    insta::assert_snapshot!(text(&planned(&fleet, &world(1))));
}

#[test]
fn changes_of_every_sort() {
    let mut fleet = three();
    let world = applied(&fleet);
    change(&mut fleet, "ash", |site| {
        site.limits.memory = Some(256 << 20);
        site.domains.push(domain("www.ash.example"));
    });
    change(&mut fleet, "birch", |site| {
        site.recipe = Recipe::Php {
            php: "8.3".into(),
            ini: [("memory_limit".to_owned(), "128M".to_owned())].into(),
        };
        site.env.insert("DEBUG".into(), "1".into());
    });
    change(&mut fleet, "cedar", |site| site.limits.memory = None);
    insta::assert_snapshot!(text(&planned(&fleet, &world)));
}

#[test]
fn a_memory_limit_changes_in_place_and_alone() {
    let mut fleet = three();
    let world = applied(&fleet);
    change(&mut fleet, "cedar", |site| {
        site.limits.memory = Some(256 << 20);
    });
    let plan = planned(&fleet, &world);
    assert_eq!(kinds(&plan), ["set_limits", "write_record", "record_fleet"]);
    assert_eq!(plan.operations[0].cause, ["memory: 128M → 256M"]);
    assert_eq!(touched(&plan), ["cedar"]);
}

#[test]
fn a_domain_changes_the_router_alone() {
    let mut fleet = three();
    let world = applied(&fleet);
    change(&mut fleet, "ash", |site| {
        site.domains = vec![domain("new.example")];
    });
    let plan = planned(&fleet, &world);
    assert_eq!(kinds(&plan), ["route", "write_record", "record_fleet"]);
    assert_eq!(
        plan.operations[0].cause,
        ["domains: added new.example", "domains: removed ash.example"]
    );
}

#[test]
fn stopped_archived_and_removed() {
    let mut fleet = three();
    let mut world = applied(&fleet);
    change(&mut fleet, "ash", |site| site.state = SiteState::Stopped);
    change(&mut fleet, "birch", |site| site.state = SiteState::Archived);
    fleet.sites.shift_remove(&name("cedar"));
    let plan = planned(&fleet, &world);
    insta::assert_snapshot!("stopped_archived_and_removed", text(&plan));
    world.run_all(&plan);
    insta::assert_snapshot!("leftovers", text(&planned(&fleet, &world)));
    for text in ["ash", "birch"] {
        change(&mut fleet, text, |site| site.state = SiteState::Running);
    }
    fleet.sites.insert(name("cedar"), site("cedar", &APP));
    insta::assert_snapshot!("brought_back", text(&planned(&fleet, &world)));
}

#[test]
fn what_was_changed_by_hand_is_told() {
    let fleet = three();
    let mut world = applied(&fleet);
    let ash = container(&mut world, "ash").inspected.as_mut().unwrap();
    ash.limits = Limits {
        memory: Some(1 << 30),
        nano_cpus: None,
        pids: Some(100),
    };
    let birch = container(&mut world, "birch");
    birch.run = RunState::Exited;
    let inspected = birch.inspected.as_mut().unwrap();
    inspected.exit_code = Some(137);
    inspected.oom_killed = true;
    container(&mut world, "cedar").run = RunState::Paused;
    insta::assert_snapshot!(text(&planned(&fleet, &world)));
}

#[test]
fn a_restart_is_asked_for() {
    let fleet = three();
    let world = applied(&fleet);
    let restart = |text: &str| Intent::Restart { site: name(text) };
    let observed = world.observe(&fleet);
    let plan = plan(
        &fleet,
        "hash",
        &observed,
        &[restart("cedar"), restart("nobody")],
        0,
    );
    assert_eq!(kinds(&plan), ["restart_container", "await_ready"]);
    assert_eq!(plan.operations[0].cause, ["asked for: restart"]);
    assert_eq!(plan.problems.len(), 1);
    assert_eq!(plan.problems[0].what, "restart: no such site in the file");
    assert!(plan.notices.is_empty(), "{:?}", plan.notices);
}

#[test]
fn a_restart_says_what_else_differs_and_leaves_it() {
    let mut fleet = three();
    let mut world = applied(&fleet);
    container(&mut world, "cedar")
        .inspected
        .get_or_insert_default()
        .limits
        .memory = Some(64 << 20);
    change(&mut fleet, "cedar", |site| {
        site.domains.push("more.example".parse().unwrap());
    });
    let restart = |world: &World, fleet: &Fleet| {
        let asked = [Intent::Restart {
            site: name("cedar"),
        }];
        plan(fleet, "newer", &world.observe(fleet), &asked, 0)
    };
    let made = restart(&world, &fleet);
    assert_eq!(kinds(&made), ["restart_container", "await_ready"]);
    let said: Vec<&str> = made.notices.iter().map(|it| &*it.text).collect();
    assert_eq!(said.len(), 1, "{said:?}");
    for part in ["left to an apply", "by hand", "domains: added more.example"] {
        assert!(said[0].contains(part), "{said:?}");
    }
    // One that ended is started again; one that is not there is not made.
    container(&mut world, "cedar").run = RunState::Exited;
    let made = restart(&world, &fleet);
    assert_eq!(kinds(&made), ["restart_container", "await_ready"]);
    let host = world.hosts.values_mut().next().unwrap();
    host.containers.retain(|it| it.site() != Some("cedar"));
    let made = restart(&world, &fleet);
    assert!(made.operations.is_empty(), "{}", text(&made));
    assert_eq!(made.problems[0].what, "restart: its container is gone");
}

#[test]
fn an_older_file_does_not_stop_a_newer_site() {
    let mut fleet = three();
    let mut world = applied(&fleet);
    fleet.sites.shift_remove(&name("cedar"));
    // This operator's history names neither the file last applied nor cedar.
    world.lineage = Lineage::default();
    for text in ["ash", "birch"] {
        world.lineage.known_sites.insert(name(text));
    }
    change(&mut fleet, "ash", |site| {
        site.limits.memory = Some(256 << 20);
    });
    let observed = world.observe(&fleet);
    let refused = plan(&fleet, "older", &observed, &[], 0);
    insta::assert_snapshot!(text(&refused));
    assert_eq!(touched(&refused), ["ash"]);
    let options = PlanOptions {
        stop_unknown: true,
        ..PlanOptions::default()
    };
    let told_to = plan_with(&fleet, "older", &observed, &[], 0, &options);
    assert_eq!(touched(&told_to), ["ash", "cedar"]);
}

#[test]
fn what_was_cut_off_before_any_site_is_finished_by_its_name() {
    let fleet = fleet(&[Some(PLAIN), Some(Draw { host: 1, ..PLAIN })]);
    let mut world = applied(&fleet);
    let note = |site: Option<&str>| Applying {
        run: "r1".into(),
        sites: site.map(name).into_iter().collect(),
        ..Applying::default()
    };
    for (host, site) in [("one", Some("ash")), ("two", None)] {
        let host = world.hosts.get_mut(&name(host)).unwrap();
        host.disk.as_mut().unwrap().applying.push(note(site));
    }
    let settles = |finishes: Option<&str>| -> Vec<String> {
        let options = PlanOptions {
            only: Some([name("ash")].into()),
            finishes: finishes.map(str::to_owned),
            ..PlanOptions::default()
        };
        let plan = plan_with(&fleet, "hash", &world.observe(&fleet), &[], 0, &options);
        let settle = |kind: &OperationKind| matches!(kind, OperationKind::SettleRun { .. });
        let settles = plan.operations.iter().filter(|o| settle(&o.kind));
        settles.map(|o| o.host.to_string()).collect()
    };
    assert_eq!(settles(Some("r1")), ["one", "two"]);
    assert_eq!(settles(Some("r2")), ["one"]);
    assert_eq!(settles(None), ["one"]);
}

#[test]
fn a_host_of_which_nothing_is_wanted_is_not_taken_to_be_right_when_it_is_away() {
    let fleet = fleet(&[Some(PLAIN)]);
    let world = applied(&fleet);
    let mut observed = world.observe(&fleet);
    assert!(plan(&fleet, "hash", &observed, &[], 0).unknown.is_empty());
    let away = HostObservation::Unreachable {
        why: "connection refused".into(),
    };
    observed.hosts.insert(name("two"), away);
    let plan = plan(&fleet, "hash", &observed, &[], 0);
    assert!(plan.is_empty());
    assert_eq!(plan.unknown, [name("two")].into());
    assert!(plan.notices[0].text.starts_with("it cannot be reached"));
}

#[test]
fn a_host_that_cannot_be_reached_delays_no_other() {
    let fleet = fleet(&[Some(PLAIN), Some(Draw { host: 1, ..PLAIN })]);
    let mut observed = world(0).observe(&fleet);
    observed.hosts.insert(
        name("two"),
        HostObservation::Unreachable {
            why: "connection refused".into(),
        },
    );
    let plan = plan(&fleet, "hash", &observed, &[], 0);
    assert_eq!(touched(&plan), ["ash"]);
    assert_eq!(plan.problems.len(), 1);
    assert_eq!(
        plan.problems[0].what,
        "it cannot be reached: connection refused"
    );
    assert!(plan.operations.iter().all(|o| o.host == name("one")));
}

#[test]
fn a_port_that_another_container_holds_is_named() {
    let fleet = three();
    let mut world = world(0);
    let host = world.hosts.get_mut(&name("one")).unwrap();
    host.containers.push(ObservedContainer {
        id: "1".repeat(64),
        name: "nginx-proxy".into(),
        run: RunState::Running,
        published: vec![(80, "tcp".into())],
        ..ObservedContainer::default()
    });
    let plan = planned(&fleet, &world);
    assert!(plan.operations.is_empty());
    assert_eq!(
        plan.problems[0].what,
        "port 80 is held by the container nginx-proxy"
    );
}

#[test]
fn a_foreign_container_under_our_name_keeps_one_site_only() {
    let fleet = three();
    let mut world = world(0);
    let host = world.hosts.get_mut(&name("one")).unwrap();
    let birch = names::site(&name("test"), "birch");
    for (id, taken) in [("1", birch.clone()), ("2", names::next(&birch))] {
        host.containers.push(ObservedContainer {
            id: id.repeat(64),
            name: taken,
            ..ObservedContainer::default()
        });
    }
    let plan = planned(&fleet, &world);
    assert_eq!(touched(&plan), ["ash", "cedar"]);
    assert_eq!(plan.problems[0].site, Some(name("birch")));
}

#[test]
fn a_secret_that_cannot_be_read_keeps_a_new_site_back() {
    let fleet = fleet(&[
        Some(Draw {
            secrets: 1,
            ..PLAIN
        }),
        Some(PLAIN),
    ]);
    let mut observed = world(0).observe(&fleet);
    let HostObservation::Reached(seen) = observed.hosts.get_mut(&name("one")).unwrap() else {
        unreachable!()
    };
    let error = "KEY: key: no such file".to_owned();
    std::sync::Arc::make_mut(seen)
        .secret_errors
        .insert(name("ash"), error);
    let plan = plan(&fleet, "hash", &observed, &[], 0);
    assert_eq!(touched(&plan), ["birch"]);
    assert_eq!(
        plan.problems[0].what,
        "a secret cannot be read: KEY: key: no such file"
    );
}

#[test]
fn a_changed_secret_is_written_and_restarts_nothing() {
    let fleet = fleet(&[Some(Draw {
        secrets: 1,
        ..PLAIN
    })]);
    let mut world = applied(&fleet);
    world.secret_version = 2;
    let plan = planned(&fleet, &world);
    assert_eq!(
        kinds(&plan),
        ["write_secrets", "write_record", "record_fleet"]
    );
    assert_eq!(plan.operations[0].cause, ["secrets: changed KEY"]);
}

#[test]
fn a_secret_is_taken_away_after_its_last_reader() {
    let mut fleet = fleet(&[Some(Draw {
        secrets: 1,
        ..PLAIN
    })]);
    let world = applied(&fleet);
    change(&mut fleet, "ash", |site| site.secrets.clear());
    let kinds = kinds(&planned(&fleet, &world));
    let at = |kind| kinds.iter().position(|k| *k == kind);
    assert!(at("write_secrets") > at("remove_container"), "{kinds:?}");
}

#[test]
fn a_renamed_secret_stays_until_its_last_reader_is_gone() {
    let mut fleet = fleet(&[Some(Draw {
        secrets: 1,
        ..PLAIN
    })]);
    let mut world = applied(&fleet);
    change(&mut fleet, "ash", |site| {
        let (_, spec) = site.secrets.pop_first().unwrap();
        site.secrets.insert("RENAMED".into(), spec);
        site.env
            .insert("WHERE".into(), "/run/secrets/RENAMED".into());
    });
    let plan = planned(&fleet, &world);
    let writes: Vec<(usize, &Vec<String>)> =
        plan.operations
            .iter()
            .enumerate()
            .filter_map(|(at, operation)| match &operation.kind {
                OperationKind::Service(ServiceOperation::Secrets(
                    SecretsOperation::WriteSecrets { keep, .. },
                )) => Some((at, keep)),
                _ => None,
            })
            .collect();
    let at = |kind| kinds(&plan).iter().position(|k| *k == kind).unwrap();
    let [(first, kept), (second, none)] = writes[..] else {
        panic!("{plan:#?}")
    };
    assert!(first < at("create_container") && kept.len() == 1);
    assert!(second > at("remove_container") && none.is_empty());
    world.run_all(&plan);
    assert!(planned(&fleet, &world).is_empty());
}

#[test]
fn a_copy_that_inherited_labels_is_not_ours() {
    let fleet = three();
    let mut world = applied(&fleet);
    let mut copy = container(&mut world, "ash").clone();
    copy.id = "2".repeat(64);
    copy.name = "made-by-hand".into();
    copy.addresses.clear();
    let host = world.hosts.get_mut(&name("one")).unwrap();
    host.containers.push(copy);
    assert!(planned(&fleet, &world).is_empty());
}

#[test]
fn a_limit_that_was_not_asked_for_costs_a_new_container() {
    let fleet = fleet(&[Some(Draw { memory: 0, ..PLAIN })]);
    let mut world = applied(&fleet);
    container(&mut world, "ash").inspected = Some(Inspected {
        limits: Limits {
            memory: Some(64 << 20),
            nano_cpus: None,
            pids: Some(100),
        },
        ..Inspected::default()
    });
    let plan = planned(&fleet, &world);
    assert!(kinds(&plan).contains(&"create_container"));
    assert_eq!(groups(&plan)[0].causes[0], "memory none→64M by hand");
    world.run_all(&plan);
    assert!(planned(&fleet, &world).is_empty());
}

#[test]
fn only_what_is_selected() {
    let mut fleet = three();
    let options = |text: &str| PlanOptions {
        only: Some(BTreeSet::from([name(text)])),
        ..PlanOptions::default()
    };
    let observed = world(0).observe(&fleet);
    let plan = plan_with(&fleet, "hash", &observed, &[], 0, &options("birch"));
    assert_eq!(touched(&plan), ["birch"]);
    // Neither is what is gone from the file.
    let world = applied(&fleet);
    fleet.sites.shift_remove(&name("cedar"));
    let observed = world.observe(&fleet);
    assert!(plan_with(&fleet, "hash", &observed, &[], 0, &options("birch")).is_empty());
    let plan = plan_with(&fleet, "hash", &observed, &[], 0, &options("cedar"));
    assert_eq!(touched(&plan), ["cedar"]);
}

#[test]
fn a_site_moves_to_another_host() {
    let mut fleet = fleet(&[Some(PLAIN), Some(Draw { host: 1, ..PHP })]);
    let mut world = applied(&fleet);
    change(&mut fleet, "ash", |site| site.host = name("two"));
    let plan = planned(&fleet, &world);
    insta::assert_snapshot!(text(&plan));
    let mut observed = world.observe(&fleet);
    let why = "no route to host".to_owned();
    observed
        .hosts
        .insert(name("two"), HostObservation::Unreachable { why });
    let waiting = crate::plan::plan(&fleet, "hash", &observed, &[], 0);
    assert!(waiting.operations.is_empty(), "{}", text(&waiting));
    world.run_all(&plan);
    assert!(planned(&fleet, &world).is_empty());
}

#[test]
fn the_router_is_replaced_by_overlap() {
    let mut fleet = fleet(&[Some(PLAIN)]);
    let world = applied(&fleet);
    fleet.hosts.get_mut(&name("one")).unwrap().images.router = "haproxy:3.2".into();
    insta::assert_snapshot!(text(&planned(&fleet, &world)));
}

#[test]
fn another_root_is_refused() {
    let mut fleet = three();
    let world = applied(&fleet);
    fleet.hosts.get_mut(&name("one")).unwrap().root = "/data/ostler".into();
    let plan = planned(&fleet, &world);
    assert!(plan.operations.is_empty());
    assert_eq!(
        plan.problems[0].what,
        "everything is kept in /srv/ostler; the file says /data/ostler"
    );
}

#[test]
fn a_host_without_sites_is_left_alone() {
    let mut fleet = fleet(&[Some(PLAIN)]);
    fleet.hosts.insert(name("three"), host("three"));
    let plan = planned(&fleet, &world(0));
    assert!(plan.operations.iter().all(|o| o.host == name("one")));
}

#[test]
fn a_saved_plan_reads_back_and_its_basis_moves_with_the_host() {
    let fleet = three();
    let mut world = applied(&fleet);
    let first = planned(&fleet, &world);
    let json = serde_json::to_string(&first).unwrap();
    assert_eq!(serde_json::from_str::<Plan>(&json).unwrap(), first);
    assert_eq!(planned(&fleet, &world).basis, first.basis);
    container(&mut world, "ash").run = RunState::Exited;
    assert_ne!(planned(&fleet, &world).basis, first.basis);
}

#[test]
fn old_configuration_goes_after_its_last_reader() {
    let mut fleet = three();
    let world = applied(&fleet);
    change(&mut fleet, "birch", |site| {
        site.env.insert("A".into(), "b".into());
    });
    let plan = planned(&fleet, &world);
    let at = |test: fn(&OperationKind) -> bool| plan.operations.iter().position(|o| test(&o.kind));
    use OperationKind as K;
    let create = at(|k| matches!(k, K::CreateContainer { .. }));
    let route = at(|k| matches!(k, K::Route { .. }));
    let stop = at(|k| matches!(k, K::StopContainer { .. }));
    let clean = at(|k| matches!(k, K::CleanConf { .. }));
    assert!(create < route && route < stop && stop < clean && create.is_some());
}

#[test]
fn a_thousand_sites_fit_and_plan_empty() {
    let mut fleet = fleet(&[]);
    for at in 0..1000 {
        let text = format!("site-{at}");
        fleet
            .sites
            .insert(name(&text), site(&text, &[PLAIN, PHP][at % 2]));
    }
    let world = applied(&fleet);
    let observed = world.observe(&fleet);
    assert!(plan(&fleet, "hash", &observed, &[], 0).is_empty());
    // More than a bridge takes are refused by name, before anything is done.
    for at in 1000..1030 {
        let text = format!("site-{at}");
        fleet.sites.insert(name(&text), site(&text, &PLAIN));
    }
    let plan = plan(&fleet, "hash", &observed, &[], 0);
    assert_eq!((touched(&plan).len(), plan.problems.len()), (20, 10));
}

#[test]
fn a_proxy_leads_to_127_0_0_1_only_where_its_container_is_on_the_hosts_network() {
    let fleet = fleet(&[Some(PROXY)]);
    let with = |mode: &str, port: u16| {
        let app = "app".to_owned();
        let to = ProxyTarget::Container { name: app, port };
        let mut fleet = fleet.clone();
        change(&mut fleet, "ash", |site| {
            site.recipe = Recipe::Proxy { to: to.clone() };
        });
        let mut world = world(0);
        let host = world.hosts.get_mut(&name("one")).unwrap();
        host.containers.push(ObservedContainer {
            id: "a".repeat(64),
            name: "app".into(),
            run: RunState::Running,
            network_mode: mode.into(),
            ..ObservedContainer::default()
        });
        planned(&fleet, &world)
    };
    for (mode, why) in [
        ("container:0123", "uses another container's network"),
        ("none", "is on no network"),
        ("shop_default", "has no IPv4 address"),
    ] {
        let plan = with(mode, 8080);
        assert!(touched(&plan).is_empty(), "{mode}: {}", text(&plan));
        let what = &plan.problems[0].what;
        assert!(
            what.contains("the container app") && what.contains(why),
            "{what}"
        );
    }
    // The router listens there too.
    let own = &with("host", 80).problems[0].what;
    assert!(own.contains("the host's own router"), "{own}");
    let plan = with("host", 8080);
    assert!(text(&plan).contains("127.0.0.1:8080"), "{}", text(&plan));
}

#[test]
fn a_toolbox_that_is_named_as_its_own_base_is_not_built_from_itself() {
    let mut fleet = three();
    for host in fleet.hosts.values_mut() {
        host.images.toolbox_base.clone_from(&host.images.toolbox);
    }
    let plan = planned(&fleet, &world(0));
    let toolbox = &Images::default().toolbox;
    let pulled = |kind: &OperationKind| matches!(kind, OperationKind::PullImage { image, .. } if image == toolbox);
    assert!(
        plan.operations
            .iter()
            .any(|operation| pulled(&operation.kind))
    );
}

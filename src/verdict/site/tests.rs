//! A fleet that was looked at once, as the command line looks.

use std::sync::Arc;

use super::*;
use crate::observe::model::{HostObservation, Inspected, ObservedHost, RunState};
use crate::record::{SiteRecord, StateRead};
use crate::verdict::SiteRow;

const NOW: i64 = 1_795_230_000;

const FILE: &str = "\
fleet: x
hosts:
  away: { engine: 'unix:///nowhere' }
  here: { engine: 'unix:///var/run/docker.sock' }
sites:
  shop: { host: away, recipe: static, domains: [shop.example] }
  blog: { host: here, recipe: static, domains: [blog.example], memory: 64M }
";

fn record(site: &str, state: serde_json::Value) -> SiteRecord {
    serde_json::from_value(serde_json::json!({
        "schema": 1, "site": site, "uid": 200000, "spec": null, "hash": "h",
        "limits": {"memory": 64 << 20, "nano_cpus": null, "pids": 256}, "route": null,
        "secrets": {}, "state": state, "image_id": null, "address": null,
    }))
    .unwrap()
}

fn container(site: &str, run: RunState) -> ObservedContainer {
    let label = |key: &str, value: &str| (format!("ostler.{key}"), value.to_owned());
    ObservedContainer {
        id: site.into(),
        name: names::site(&"x".parse().unwrap(), site),
        labels: [
            label("fleet", "x"),
            label("role", "site"),
            label("site", site),
            label("hash", "h"),
        ]
        .into(),
        run,
        created: NOW - 3600,
        inspected: Some(Inspected {
            started_at: chrono::DateTime::from_timestamp(NOW - 60, 0).map(|t| t.to_rfc3339()),
            limits: crate::fleet::Limits {
                memory: Some(64 << 20),
                pids: Some(256),
                ..Default::default()
            },
            ..Inspected::default()
        }),
        ..ObservedContainer::default()
    }
}

fn rows(containers: Vec<ObservedContainer>, records: Vec<SiteRecord>) -> Vec<SiteRow> {
    rows_with(containers, records, BTreeMap::new())
}

fn rows_with(
    containers: Vec<ObservedContainer>,
    records: Vec<SiteRecord>,
    images: BTreeMap<String, String>,
) -> Vec<SiteRow> {
    let file = crate::fleet::load(FILE, "fleet.yml".as_ref());
    let sites = records.into_iter().map(|r| (r.site.clone(), r.into()));
    let here = ObservedHost {
        containers,
        images,
        state: StateRead::Read(Arc::new(HostState {
            sites: sites.collect(),
            ..HostState::default()
        })),
        ..ObservedHost::default()
    };
    let why = "no Docker socket at /nowhere".to_owned();
    let observed = Observed {
        hosts: [
            (
                "away".parse().unwrap(),
                HostObservation::Unreachable { why },
            ),
            (
                "here".parse().unwrap(),
                HostObservation::Reached(here.into()),
            ),
        ]
        .into(),
        ..Observed::default()
    };
    rows_of_fleet(&file.unwrap().fleet, &observed, &HashMap::new(), NOW)
}

fn told(row: &SiteRow) -> (&str, State, Life, bool, &str) {
    (&row.name, row.state, row.life, row.is_ok(), &row.why)
}

#[test]
fn what_nobody_could_look_at_is_not_known_and_what_was_never_applied_is_to_apply() {
    let rows = rows(Vec::new(), Vec::new());
    let why = "away does not answer: no Docker socket at /nowhere";
    assert_eq!(
        rows.iter().map(told).collect::<Vec<_>>(),
        [
            ("shop", State::Unknown, Life::Unreachable, false, why),
            (
                "blog",
                State::Pending,
                Life::Missing,
                false,
                "not applied yet"
            ),
        ]
    );
}

#[test]
fn a_site_as_applied_is_ok_since_its_container_started() {
    let wanted = serde_json::json!({"wanted": "running"});
    let container = container("blog", RunState::Running);
    let rows = rows(vec![container], vec![record("blog", wanted)]);
    assert_eq!(told(&rows[1]), ("blog", State::Ok, Life::Running, true, ""));
    assert_eq!(rows[1].since, Some(Since::exactly(NOW - 60)));
    assert_eq!(rows[1].memory_limit, Some(64 << 20));
}

/// The engine itself tells only the id of the older one by then.
#[test]
fn an_older_image_than_its_tag_stands_for_is_told_by_its_tag() {
    let mut record = record("blog", serde_json::json!({"wanted": "running"}));
    record.spec = Some(crate::record::spec::ContainerSpec {
        image: "nginx:1.28".into(),
        ..Default::default()
    });
    let mut container = container("blog", RunState::Running);
    container.image = "sha256:1111".into();
    container.image_id = "sha256:1111".into();
    for (now, newer, image) in [
        ("sha256:1111", false, "sha256:1111"),
        ("sha256:2222", true, "nginx:1.28"),
    ] {
        let images = [("nginx:1.28".to_owned(), now.to_owned())].into();
        let rows = rows_with(vec![container.clone()], vec![record.clone()], images);
        let row = &rows[1];
        assert_eq!((row.newer_image, row.image.as_str()), (newer, image));
        assert!(row.is_ok());
    }
}

#[test]
fn what_was_stopped_and_is_to_run_again_does_not_fail() {
    let wanted = serde_json::json!({"wanted": "stopped"});
    let container = container("blog", RunState::Exited);
    let rows = rows(vec![container], vec![record("blog", wanted)]);
    let why = "to be started";
    assert_eq!(
        told(&rows[1]),
        ("blog", State::Pending, Life::Stopped, false, why)
    );
}

#[test]
fn the_file_says_otherwise_and_the_host_was_changed() {
    let wanted = || serde_json::json!({"wanted": "running"});
    let mut was = record("blog", wanted());
    was.limits.memory = Some(32 << 20);
    let mut container = container("blog", RunState::Running);
    let inspected = container.inspected.as_mut().unwrap();
    inspected.limits.memory = Some(32 << 20);
    let found = rows(vec![container.clone()], vec![was.clone()]);
    let why = "memory: 32M → 64M";
    assert_eq!(
        told(&found[1]),
        ("blog", State::Pending, Life::Running, true, why)
    );
    let inspected = container.inspected.as_mut().unwrap();
    inspected.limits.memory = Some(96 << 20);
    let found = rows(vec![container], vec![record("blog", wanted())]);
    let why = "memory 64M→96M by hand";
    assert_eq!(
        told(&found[1]),
        ("blog", State::Drift, Life::Running, true, why)
    );
}

#[test]
fn what_is_recorded_and_not_in_the_file_is_left_over_and_a_copy_is_nobodys() {
    let left = record("old", serde_json::json!("leftover"));
    let mut copy = container("blog", RunState::Running);
    copy.name = "blog-copy".into();
    let rows = rows(vec![copy], vec![left]);
    assert_eq!(rows.len(), 3, "{rows:?}");
    assert_eq!(rows[1].container, None);
    assert_eq!(rows[1].life, Life::Missing);
    // A proxy: it never had a container.
    let why = "not in the file any more; its route is gone";
    assert_eq!(
        told(&rows[2]),
        ("old", State::Leftover, Life::Leftover, true, why)
    );
}

#[test]
fn what_is_left_of_a_site_is_told_as_it_is() {
    let left = |site: &str| {
        let mut record = record(site, serde_json::json!("leftover"));
        let spec = crate::record::spec::ContainerSpec::default();
        record.spec = Some(spec);
        record
    };
    let ended = container("old", RunState::Exited);
    for (containers, record, why) in [
        (
            vec![ended.clone()],
            left("old"),
            "not in the file any more; stopped, its data kept",
        ),
        (
            Vec::new(),
            left("old"),
            "not in the file any more; its container is gone, its data kept",
        ),
        (
            vec![container("old", RunState::Running)],
            left("old"),
            "not in the file any more, and still running here",
        ),
        // The file has it on another host.
        (
            vec![container("shop", RunState::Exited)],
            left("shop"),
            "on away in the file; stopped, its data kept",
        ),
    ] {
        let rows = rows(containers, vec![record]);
        let found = rows.iter().find(|row| row.state == State::Leftover);
        assert_eq!(found.map(|row| row.why.as_str()), Some(why));
    }
}

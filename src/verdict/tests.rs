//! Rows from made-up hosts: which state, and why.

use std::collections::HashMap;
use std::sync::Arc;

use super::container::ago_in_status;
use super::due::drift_of;
use super::site::rows_of_host;
use super::*;
use crate::observe::model::{Inspected, ObservedContainer, ObservedHost, RunState};
use crate::record::{HostState, SiteRecord, StateRead};

const NOW: i64 = 1_795_230_000;
const FILE: &str = "\
fleet: x
hosts: { web1: { engine: 'unix:///var/run/docker.sock' } }
sites:
  blog: { host: web1, recipe: static, domains: [blog.example], memory: 128M }
";

struct Case {
    file: String,
    container: Option<ObservedContainer>,
    applied: bool,
    memory: Option<u64>,
    causes: Vec<&'static str>,
    data: HostData,
}

impl Case {
    fn new() -> Case {
        let label = |k: &str, v: &str| (format!("ostler.{k}"), v.to_owned());
        Case {
            file: FILE.into(),
            container: Some(ObservedContainer {
                id: "c1".into(),
                name: crate::record::names::site(&"x".parse().unwrap(), "blog"),
                run: RunState::Running,
                status: "Up 3 hours".into(),
                created: NOW - 10_800,
                labels: [
                    label("fleet", "x"),
                    label("site", "blog"),
                    label("role", "site"),
                ]
                .into(),
                ..ObservedContainer::default()
            }),
            applied: true,
            memory: None,
            causes: Vec::new(),
            data: HostData {
                link: Link::Ready,
                ..HostData::default()
            },
        }
    }

    fn with(mut self, change: impl FnOnce(&mut ObservedContainer)) -> Case {
        change(self.container.as_mut().unwrap());
        self
    }

    fn oom(mut self, ago: i64) -> Case {
        let history = History {
            ooms: 3,
            last_oom: NOW - ago,
            changed: None,
        };
        self.data.history.insert("c1".into(), history);
        self
    }

    fn status(mut self, status: u16) -> Case {
        let traffic = Traffic {
            at: NOW - 2,
            status: Some((status, NOW - 2)),
            ..Traffic::default()
        };
        self.data.traffic.insert("blog".parse().unwrap(), traffic);
        self
    }

    fn row(mut self) -> SiteRow {
        let fleet = crate::fleet::load(&self.file, std::path::Path::new("f"))
            .unwrap()
            .fleet;
        let mut state = HostState::default();
        if self.applied {
            let record = serde_json::json!({
                "schema": 1, "site": "blog", "uid": 200000, "spec": null, "hash": null,
                "limits": {"memory": self.memory, "nano_cpus": null, "pids": null},
                "route": null, "secrets": {}, "state": {"wanted": "running"},
                "image_id": null, "address": null,
            });
            let record: SiteRecord = serde_json::from_value(record).unwrap();
            state.sites.insert("blog".parse().unwrap(), record.into());
        }
        self.data.observed_at = Some(NOW - 5);
        self.data.observed = Some(Arc::new(ObservedHost {
            containers: self.container.take().into_iter().collect(),
            state: StateRead::Read(Arc::new(state)),
            ..ObservedHost::default()
        }));
        let causes = self.causes.iter().map(|c| (*c).to_owned()).collect();
        let due = Due {
            sites: HashMap::from([("blog".parse().unwrap(), causes)]),
        };
        let facts = Facts {
            fleet: Some(&fleet),
            due: &due,
            probes: &HashMap::new(),
            now: NOW,
        };
        let host = "web1".parse().unwrap();
        let seen = self.data.observed.clone().unwrap_or_default();
        self.data.drift = Arc::new(drift_of(Some(&fleet), &host, &seen));
        let mut rows = rows_of_host(&facts, &host, &self.data);
        assert_eq!(rows.len(), 1, "{rows:?}");
        rows.remove(0)
    }

    fn judged(self) -> (State, String) {
        let row = self.row();
        (row.state, row.why)
    }
}

fn state(case: Case, state: State, why: &str) {
    assert_eq!(case.judged(), (state, why.to_owned()));
}

#[test]
fn a_site_that_runs_is_well() {
    state(Case::new(), State::Ok, "");
    state(Case::new().status(404), State::Ok, "");
}

#[test]
fn an_answer_of_500_is_a_failure_unless_it_only_just_came_up() {
    state(Case::new().status(502), State::Failing, "answers 502");
    let young = Case::new().with(|c| c.status = "Up 20 seconds".into());
    state(young.status(503), State::Starting, "answers 503");
    let again = Case::new().with(|c| {
        c.status = "Up 2 seconds".into();
        c.inspected = Some(Inspected {
            restarts: 3,
            ..Inspected::default()
        });
    });
    state(again.status(502), State::Failing, "answers 502");
}

#[test]
fn an_answer_of_the_run_before_says_nothing_about_this_one() {
    let case = |answered: i64| {
        let mut case = Case::new().status(502);
        let history = History {
            changed: Some(NOW - 100),
            ..History::default()
        };
        case.data.history.insert("c1".into(), history);
        let traffic = case.data.traffic.values_mut().next().unwrap();
        traffic.status = Some((502, NOW - answered));
        case
    };
    state(case(99), State::Failing, "answers 502");
    state(case(101), State::Ok, "");
    assert_eq!(case(101).row().http, None);
}

#[test]
fn numbers_of_a_minute_ago_say_nothing_about_now() {
    let case = |ago: i64| {
        let mut case = Case::new().status(200);
        let traffic = case.data.traffic.values_mut().next().unwrap();
        (traffic.at, traffic.requests, traffic.errors) = (NOW - ago, 3.0, Some(30.0));
        case
    };
    state(case(59), State::Warning, "30 answers of 5xx a minute");
    state(case(60), State::Ok, "");
    let row = case(60).row();
    assert_eq!(
        (row.requests, row.errors, row.connections),
        (None, None, None)
    );
    // Errors that are not known are none to warn of.
    let mut unknown = case(2);
    let traffic = unknown.data.traffic.values_mut().next().unwrap();
    traffic.errors = None;
    state(unknown, State::Ok, "");
}

#[test]
fn what_the_host_s_clock_told_is_put_right() {
    let mut case = Case::new().with(|c| {
        let started = chrono::DateTime::from_timestamp(NOW - 20 + 600, 0).unwrap();
        c.inspected = Some(Inspected {
            started_at: Some(started.to_rfc3339()),
            ..Inspected::default()
        });
    });
    case.data.pulse = Some(Pulse {
        round_trip: std::time::Duration::from_millis(9),
        skew_s: Some(600),
    });
    let row = case.status(503).row();
    assert_eq!((row.since, row.state), (Some(NOW - 20), State::Starting));
}

#[test]
fn memory_is_named_with_its_limit() {
    state(Case::new().oom(60), State::Warning, "oom ×3, memory 128M");
    state(
        Case::new().oom(60).status(502),
        State::Failing,
        "oom ×3, memory 128M",
    );
    // Killed and started again by the engine a moment ago.
    let young = Case::new().with(|c| c.status = "Up 2 seconds".into());
    let why = "oom ×3, memory 128M";
    state(young.oom(2).status(502), State::Failing, why);
    // Old kills are over.
    state(Case::new().oom(4000), State::Ok, "");
    let mut full = Case::new();
    let usage = Usage {
        at: NOW,
        memory: 127 << 20,
        memory_limit: 128 << 20,
        ..Usage::default()
    };
    full.data.stats.insert("c1".into(), usage);
    state(full, State::Warning, "memory 127M of 128M");
}

#[test]
fn a_container_that_ended_says_how() {
    for (status, oom, why) in [
        (
            "Exited (1) 5 minutes ago",
            false,
            "container exited (1): failed",
        ),
        (
            "Exited (0) 5 minutes ago",
            false,
            "container exited (0): ended by itself",
        ),
        (
            "Exited (127) 1 second ago",
            false,
            "container exited (127): its command cannot be run",
        ),
        (
            "Exited (137) 2 hours ago",
            true,
            "container exited (137): out of memory, memory 128M",
        ),
    ] {
        let case = Case::new().with(|c| {
            c.run = RunState::Exited;
            c.status = status.into();
            c.inspected = oom.then(|| Inspected {
                oom_killed: true,
                exit_code: Some(137),
                limits: crate::fleet::Limits {
                    memory: Some(128 << 20),
                    ..Default::default()
                },
                ..Inspected::default()
            });
        });
        state(case, State::Failing, why);
    }
    let again = Case::new().with(|c| {
        c.run = RunState::Restarting;
        c.status = "Restarting (1) 3 seconds ago".into();
    });
    state(again, State::Restarting, "container exited (1): failed");
}

#[test]
fn health_is_believed() {
    let sick = Case::new().with(|c| c.status = "Up 3 hours (unhealthy)".into());
    state(sick, State::Failing, "its health command fails");
    let soon = Case::new().with(|c| c.status = "Up 3 seconds (health: starting)".into());
    assert_eq!(soon.judged().0, State::Starting);
}

#[test]
fn what_was_changed_by_hand_is_drift_and_what_the_file_says_is_to_apply() {
    let limits = |mega: u64| Inspected {
        limits: crate::fleet::Limits {
            memory: Some(mega << 20),
            ..Default::default()
        },
        ..Inspected::default()
    };
    let mut by_hand = Case::new().with(|c| c.inspected = Some(limits(256)));
    by_hand.memory = Some(128 << 20);
    state(by_hand, State::Drift, "memory 128M→256M by hand");
    let mut as_applied = Case::new().with(|c| c.inspected = Some(limits(128)));
    as_applied.memory = Some(128 << 20);
    state(as_applied, State::Ok, "");
    let mut file = Case::new();
    file.causes = vec!["domains: added www.blog.example"];
    state(file, State::Pending, "domains: added www.blog.example");
    let mut new = Case::new();
    (new.container, new.applied, new.causes) = (None, false, vec!["new site"]);
    state(new, State::Pending, "new site");
}

#[test]
fn a_container_that_is_gone_is_a_failure() {
    let mut gone = Case::new();
    gone.container = None;
    state(gone, State::Failing, "its container is gone");
}

#[test]
fn what_the_file_wants_stopped_is_well_when_it_is() {
    let file = FILE.replace("memory: 128M", "state: stopped");
    let mut stopped = Case::new().with(|c| c.run = RunState::Exited);
    stopped.file.clone_from(&file);
    state(stopped, State::Stopped, "");
    let mut runs = Case::new();
    runs.file = file;
    state(runs, State::Pending, "to be stopped");
    let mut archived = Case::new();
    archived.file = FILE.replace("memory: 128M", "state: archived");
    archived.container = None;
    state(archived, State::Archived, "");
}

#[test]
fn a_host_that_is_away_leaves_the_last_state_with_its_age() {
    let mut away = Case::new().status(502);
    away.data.link = Link::BackingOff;
    away.data.why = "no route to host".into();
    let row = away.row();
    assert!(row.stale);
    assert_eq!(row.state, State::Failing);
    assert_eq!(row.why, "web1 does not answer: no route to host");
    assert_eq!(row.seen, Some(NOW - 5));
}

#[test]
fn a_site_that_is_in_the_file_no_more_is_a_leftover() {
    let mut left = Case::new().with(|c| {
        c.run = RunState::Exited;
        let site = "old\u{1b}[2J";
        c.labels.insert("ostler.site".into(), site.into());
        c.name = crate::record::names::site(&"x".parse().unwrap(), site);
    });
    left.applied = false;
    left.file = "fleet: x\nhosts: { web1: { engine: 'unix:///x' } }\n".into();
    let row = left.row();
    assert_eq!(row.state, State::Leftover);
    assert_eq!(row.name, "old␛[2J");
    assert_eq!(row.why, "not in the file any more; stopped, its data kept");
}

#[test]
fn ages_are_read_out_of_the_engines_words() {
    for (status, seconds) in [
        ("Up 3 hours", Some(10_800)),
        ("Up About a minute", Some(60)),
        ("Up About an hour", Some(3_600)),
        ("Up Less than a second", Some(1)),
        ("Exited (137) 5 minutes ago", Some(300)),
        ("Up 2 weeks (unhealthy)", Some(1_209_600)),
        ("Created", None),
        ("", None),
    ] {
        assert_eq!(ago_in_status(status), seconds, "{status}");
    }
}

//! Rows from made-up hosts: which state, and why.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::container::ago_in_status;
use super::due::drift_of;
use super::site::rows_of_host;
use super::*;
use crate::fleet::Name;
use crate::observe::model::{Inspected, ObservedContainer, ObservedHost, RunState};
use crate::record::{Applying, Holder, HostState, SiteRecord, StateRead};

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
    /// Another state of the host than what `applied` says.
    host_state: Option<StateRead>,
    /// An apply of it is noted on the host; whether it runs.
    note: Option<bool>,
    causes: Vec<&'static str>,
    probe: Option<Probe>,
    /// What is there beside its container.
    others: Vec<ObservedContainer>,
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
            host_state: None,
            note: None,
            causes: Vec::new(),
            probe: None,
            others: Vec::new(),
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

    fn with_state(mut self, state: StateRead) -> Case {
        self.host_state = Some(state);
        self
    }

    fn noted(mut self, runs: bool) -> Case {
        self.note = Some(runs);
        self
    }

    /// Three kills for memory, the last so long ago.
    fn oom(mut self, ago: i64) -> Case {
        let history = self.data.history.entry("c1".into()).or_default();
        for n in [20, 10, 0] {
            history.take(NOW - ago - n, "oom", "");
        }
        self
    }

    /// Things that happened to its container, so long ago.
    fn heard(mut self, events: &[(i64, &str, &str)]) -> Case {
        let history = self.data.history.entry("c1".into()).or_default();
        for (ago, action, detail) in events {
            history.take(NOW - ago, action, detail);
        }
        self
    }

    /// Questions of ours, so long ago, and what came of them.
    fn asked(mut self, questions: &[(i64, SiteAnswer)]) -> Case {
        for (ago, answer) in questions {
            let took = Duration::from_millis(3);
            let (at, before) = (NOW - ago, self.probe.as_ref());
            self.probe = Some(Probe::new(
                at,
                answer.clone(),
                Road::Connection,
                took,
                before,
            ));
        }
        self
    }

    /// A question of ours a moment ago, answered with this.
    fn status(self, status: u16) -> Case {
        self.asked(&[(2, SiteAnswer::Site(status))])
    }

    /// What visitors got, as the router's log tells it.
    fn visitors(mut self, change: impl FnOnce(&mut Traffic)) -> Case {
        let site = "blog".parse().unwrap();
        let traffic = self.data.traffic.entry(site).or_insert(Traffic {
            at: NOW - 2,
            errors: Some(0.0),
            ..Traffic::default()
        });
        change(traffic);
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
        if self.note.is_some() {
            state.applying.push(Applying {
                run: "r".into(),
                who: "root".into(),
                at: chrono::DateTime::from_timestamp(NOW - 9, 0)
                    .unwrap()
                    .to_rfc3339(),
                sites: ["blog".parse().unwrap()].into(),
                ..Applying::default()
            });
        }
        let lock = self.note.filter(|runs| *runs).map(|_| Holder {
            run: "r".into(),
            ..Holder::default()
        });
        let read = StateRead::Read(Arc::new(state));
        self.data.observed_at = Some(NOW - 5);
        self.data.observed = Some(Arc::new(ObservedHost {
            containers: self
                .container
                .take()
                .into_iter()
                .chain(self.others)
                .collect(),
            state: self.host_state.take().unwrap_or(read),
            lock,
            ..ObservedHost::default()
        }));
        let causes = self.causes.iter().map(|c| (*c).to_owned()).collect();
        let due = Due {
            sites: HashMap::from([("blog".parse().unwrap(), causes)]),
        };
        let facts = Facts {
            fleet: Some(&fleet),
            due: &due,
            probes: &self
                .probe
                .take()
                .map(|p| ("blog".parse().unwrap(), p))
                .into_iter()
                .collect(),
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

/// A run of bad answers: how many, and how long ago the first and the last of them were asked for.
fn run(count: u32, first: i64, last: i64) -> Option<Run> {
    Some(Run {
        count,
        first: NOW - first,
        last: NOW - last,
    })
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
        c.status = "Up 3 seconds".into();
        c.inspected = Some(Inspected {
            restarts: 3,
            ..Inspected::default()
        });
    });
    state(again.status(502), State::Failing, "answers 502");
}

#[test]
fn an_answer_of_the_run_before_says_nothing_about_this_one() {
    let case = |asked: i64| {
        let case = Case::new().heard(&[(100, "start", "")]);
        case.asked(&[(asked, SiteAnswer::Site(502))])
    };
    state(case(99), State::Failing, "answers 502");
    state(case(101), State::Ok, "");
    assert_eq!(case(101).row().http, None);
    let visitors = |ago: i64| {
        let case = Case::new().heard(&[(100, "start", "")]);
        case.visitors(|t| {
            t.bad = run(3, ago + 10, ago);
            t.status = Some((503, NOW - ago));
        })
    };
    state(visitors(99), State::Failing, "answers 503");
    state(visitors(101), State::Ok, "");
}

#[test]
fn numbers_of_a_minute_ago_say_nothing_about_now() {
    let case = |ago: i64| {
        Case::new().status(200).visitors(|traffic| {
            (traffic.at, traffic.requests, traffic.errors) = (NOW - ago, 3.0, Some(30.0));
        })
    };
    state(case(59), State::Warning, "30 answers of 5xx a minute");
    let one = case(2).visitors(|t| t.errors = Some(1.0));
    state(one, State::Warning, "1 answer of 5xx a minute");
    state(case(60), State::Ok, "");
    let row = case(60).row();
    assert_eq!(
        (row.requests, row.errors, row.connections),
        (None, None, None)
    );
    // Errors that are not known are none to warn of.
    state(case(2).visitors(|t| t.errors = None), State::Ok, "");
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
    let since = Some(Since::exactly(NOW - 20));
    assert_eq!((row.since, row.state), (since, State::Starting));
}

#[test]
fn memory_is_named_with_its_limit() {
    state(Case::new().oom(60), State::Warning, "oom ×3, memory 128M");
    state(
        Case::new().oom(60).status(502),
        State::Failing,
        "oom ×3, memory 128M; answers 502",
    );
    // Killed and started again by the engine a moment ago.
    let young = Case::new().with(|c| c.status = "Up 3 seconds".into());
    let why = "oom ×3, memory 128M; answers 502";
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
            "container exited (0): ended without an error",
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

#[test]
fn a_site_that_hangs_does_not_answer() {
    let silent = |ago: i64| (ago, SiteAnswer::Silent(4));
    let well = |ago: i64| (ago, SiteAnswer::Site(200));
    let waited = |count, first, last| {
        move |t: &mut Traffic| {
            (t.bad, t.waited) = (run(count, first, last), run(count, first, last));
        }
    };
    let asked = "does not answer within 4 s";
    let (exactly, at_least) = (
        |ago: i64| Some(Since::exactly(NOW - ago)),
        |ago: i64| Some(Since::at_least(NOW - ago)),
    );
    for (case, state, why, since) in [
        // Only we asked: it may have hung before.
        (
            Case::new().asked(&[silent(6)]),
            State::Failing,
            asked,
            at_least(6),
        ),
        (
            Case::new().asked(&[silent(26), silent(16), silent(6)]),
            State::Failing,
            asked,
            at_least(26),
        ),
        (
            Case::new().asked(&[well(36), silent(26), silent(6)]),
            State::Failing,
            asked,
            exactly(26),
        ),
        // Visitors knew it first.
        (
            Case::new().asked(&[silent(6)]).visitors(waited(3, 400, 30)),
            State::Failing,
            "does not answer within 4 s; 3 visitors waited in vain",
            at_least(400),
        ),
        (
            Case::new()
                .asked(&[silent(6)])
                .visitors(|t| t.good = Some(NOW - 20)),
            State::Failing,
            asked,
            exactly(6),
        ),
        // It hung before, and not all the time since.
        (
            Case::new()
                .asked(&[well(100), silent(6)])
                .visitors(waited(2, 300, 200)),
            State::Failing,
            asked,
            at_least(6),
        ),
        // Nobody could ask: they alone tell.
        (
            Case::new().visitors(waited(2, 90, 40)),
            State::Failing,
            "does not answer: 2 visitors waited in vain",
            at_least(90),
        ),
        (
            Case::new()
                .asked(&[(5, SiteAnswer::NotAsked("no way there".into()))])
                .visitors(waited(2, 90, 40))
                .visitors(|t| t.good = Some(NOW - 100)),
            State::Failing,
            "does not answer: 2 visitors waited in vain",
            exactly(90),
        ),
        // One may have had no patience; one for whom the router's time was up had.
        (
            Case::new().visitors(waited(1, 40, 40)),
            State::Warning,
            "1 visitor waited in vain",
            at_least(40),
        ),
        (
            Case::new()
                .visitors(waited(1, 80, 80))
                .visitors(|t| t.status = Some((504, NOW - 80))),
            State::Failing,
            "does not answer: 1 visitor waited in vain",
            at_least(80),
        ),
        // A page of it hangs, and what we ask for does not.
        (
            Case::new().status(200).visitors(waited(4, 300, 20)),
            State::Warning,
            "4 visitors waited in vain; asked, it answers",
            at_least(300),
        ),
        // They came while it hung, which is over.
        (
            Case::new()
                .asked(&[silent(30), silent(20), well(10), well(5)])
                .visitors(waited(4, 300, 20)),
            State::Ok,
            "",
            exactly(10),
        ),
        (
            Case::new().status(200).visitors(waited(4, 3_000, 2_000)),
            State::Ok,
            "",
            exactly(10_805),
        ),
        // What we ask for fails, and visitors are served.
        (
            Case::new()
                .asked(&[(15, SiteAnswer::Site(500)), (5, SiteAnswer::Site(500))])
                .visitors(|t| t.good = Some(NOW - 3)),
            State::Warning,
            "answers 500; visitors get answers",
            at_least(15),
        ),
        (
            Case::new()
                .asked(&[(900, SiteAnswer::Site(500)), (5, SiteAnswer::Site(500))])
                .visitors(|t| t.good = Some(NOW - 600)),
            State::Failing,
            "answers 500",
            at_least(900),
        ),
    ] {
        let row = case.row();
        // What the engine's words tell is told as exactly as they do.
        assert_eq!(
            (row.state, row.why.as_str(), row.since),
            (state, why, since)
        );
    }
}

#[test]
fn one_who_only_just_came_up_and_does_not_answer_is_starting_since_it_started() {
    let case = Case::new().heard(&[(20, "start", "")]);
    let row = case.asked(&[(6, SiteAnswer::Silent(4))]).row();
    assert_eq!(
        (row.state, row.since),
        (State::Starting, Some(Since::exactly(NOW - 20)))
    );
}

#[test]
fn since_is_the_beginning_of_the_state_and_not_of_the_container() {
    let limits = |mega: u64| Inspected {
        limits: crate::fleet::Limits {
            memory: Some(mega << 20),
            ..Default::default()
        },
        ..Inspected::default()
    };
    let by_hand = || {
        let mut case = Case::new().with(|c| c.inspected = Some(limits(256)));
        case.memory = Some(128 << 20);
        case
    };
    let exited = || {
        Case::new().with(|c| {
            (c.run, c.status) = (RunState::Exited, "Exited (1) 5 minutes ago".into());
        })
    };
    let mut gone = Case::new();
    gone.container = None;
    let name = crate::record::names::site(&"x".parse().unwrap(), "blog");
    gone.data.removed.insert(name, NOW - 50);
    let mut full = Case::new().status(200).visitors(|t| t.errors = Some(3.0));
    full = full.visitors(|t| t.erring = Some(Since::at_least(NOW - 9)));
    let exactly = |ago: i64| Some(Since::exactly(NOW - ago));
    let at_least = |ago: i64| Some(Since::at_least(NOW - ago));
    let listening = |mut case: Case, ago: i64| {
        case.data.listening = Some(NOW - ago);
        case
    };
    let restarting = || {
        Case::new().with(|c| {
            (c.run, c.status) = (RunState::Restarting, "Restarting (1) 3 seconds ago".into());
        })
    };
    let crashes = [(300, "die", ""), (290, "start", ""), (8, "die", "")];
    let fail = |ago| (ago, SiteAnswer::Site(503));
    let well = |ago| (ago, SiteAnswer::Site(200));
    for (what, case, state, since) in [
        (
            "up for three hours",
            Case::new(),
            State::Ok,
            exactly(10_805),
        ),
        // Six seconds after the first 503.
        (
            "first 503",
            Case::new().asked(&[well(16), fail(6)]),
            State::Failing,
            exactly(6),
        ),
        (
            "came back",
            Case::new().asked(&[fail(60), well(50), well(5)]),
            State::Ok,
            exactly(50),
        ),
        // Nobody asked for an hour: it may have come back long before.
        (
            "seen back",
            Case::new().asked(&[fail(3_700), well(5)]),
            State::Ok,
            at_least(5),
        ),
        (
            "set right",
            Case::new().heard(&[(44, "update", "")]),
            State::Ok,
            exactly(44),
        ),
        (
            "started after",
            Case::new().heard(&[(30, "start", "")]),
            State::Ok,
            exactly(30),
        ),
        ("changed at no known time", by_hand(), State::Drift, None),
        (
            "changed",
            by_hand().heard(&[(77, "update", "")]),
            State::Drift,
            exactly(77),
        ),
        ("ended", exited(), State::Failing, exactly(305)),
        ("gone", gone, State::Failing, exactly(50)),
        ("errors", full, State::Warning, at_least(9)),
        (
            "killed",
            listening(Case::new().oom(60), 900),
            State::Warning,
            exactly(80),
        ),
        (
            "killed before",
            listening(Case::new().oom(60), 70),
            State::Warning,
            at_least(80),
        ),
        (
            "crashes",
            listening(restarting().heard(&crashes), 900),
            State::Restarting,
            exactly(300),
        ),
        (
            "crashes unheard",
            restarting(),
            State::Restarting,
            at_least(8),
        ),
        (
            "unhealthy",
            Case::new()
                .with(|c| c.status = "Up 3 hours (unhealthy)".into())
                .heard(&[(33, "health_status", "unhealthy")]),
            State::Failing,
            exactly(33),
        ),
        (
            "unhealthy, nobody knows for how long",
            Case::new().with(|c| c.status = "Up 3 hours (unhealthy)".into()),
            State::Failing,
            None,
        ),
    ] {
        let row = case.row();
        assert_eq!((row.state, row.since), (state, since), "{what}");
    }
}

#[test]
fn whoever_had_it_ended_is_named_and_an_apply_is_nobodys_hand() {
    let stopped = |policy: &str| {
        Case::new().with(|c| {
            (c.run, c.status) = (RunState::Exited, "Exited (0) 5 seconds ago".into());
            c.inspected = Some(Inspected {
                exit_code: Some(0),
                restart: Some(policy.into()),
                ..Inspected::default()
            });
        })
    };
    // The engine would have started it again.
    state(
        stopped("always"),
        State::Failing,
        "container exited (0): stopped by hand",
    );
    state(
        stopped("no"),
        State::Failing,
        "container exited (0): ended without an error",
    );
    let asked = stopped("no").heard(&[(5, "die", ""), (5, "stop", "")]);
    state(
        asked,
        State::Failing,
        "container exited (0): stopped by hand",
    );
    let cut_off = stopped("no").noted(false);
    let why = "container exited (0): stopped by an apply that was cut off";
    state(cut_off, State::Failing, why);
    let under_way = |wanted: &str| {
        let mut case = stopped("no").noted(true);
        case.file = FILE.replace("memory: 128M", &format!("state: {wanted}"));
        case
    };
    state(
        under_way("running"),
        State::Pending,
        "is being applied by root",
    );
    state(
        under_way("archived"),
        State::Pending,
        "is being archived by root",
    );
    let row = under_way("stopped").row();
    assert_eq!(
        (row.state, row.why.as_str()),
        (State::Pending, "is being stopped by root")
    );
    assert_eq!(row.since, Some(Since::exactly(NOW - 9)));
    // What goes on working while others are worked on is judged as ever.
    state(Case::new().noted(true), State::Ok, "");
    state(
        Case::new().noted(true).status(502),
        State::Failing,
        "answers 502",
    );
    let mut changed = stopped("no").noted(false);
    changed.file = FILE.replace("memory: 128M", "state: archived");
    changed.causes = vec!["state: running → archived"];
    let why = "the apply of root was cut off; state: running → archived";
    state(changed, State::Pending, why);
}

#[test]
fn what_was_applied_and_cannot_be_read_is_not_known() {
    let why = "what was applied there cannot be read";
    let damaged = StateRead::Damaged { why: "x".into() };
    let mut none = Case::new().with_state(damaged.clone());
    none.container = None;
    state(none, State::Unknown, why);
    // What runs is judged by itself.
    let fine = Case::new().with_state(damaged).status(200);
    assert_eq!(fine.judged().0, State::Ok);
    // A host that nothing was applied on has nothing to be read.
    let mut new = Case::new().with_state(StateRead::NoToolbox);
    (new.container, new.causes) = (None, vec!["new site"]);
    state(new, State::Pending, "new site");
}

#[test]
fn what_was_never_applied_or_has_new_domains_does_not_fail_for_it() {
    let page = |page: &str| SiteAnswer::Router {
        status: 404,
        page: page.into(),
    };
    let asked = |page: SiteAnswer| Case::new().asked(&[(2, page)]);
    let why = "the router does not know its domain (404)";
    state(asked(page("unknown-domain")), State::Failing, why);
    let mut renamed = asked(page("unknown-domain"));
    renamed.causes = vec!["domains: added www.blog.example"];
    state(renamed, State::Pending, "domains: added www.blog.example");
    let proxy = "recipe: proxy, to: 'http://10.0.0.1:80'";
    let proxied = |page: SiteAnswer, applied: bool| {
        let mut case = Case::new().asked(&[(2, page)]);
        case.file = FILE
            .replace("recipe: static", proxy)
            .replace(", memory: 128M", "");
        (case.container, case.applied) = (None, applied);
        case
    };
    let new = proxied(page("unknown-domain"), false);
    state(new, State::Pending, "not applied yet");
    let unreached = "nothing takes connections there (404)";
    state(
        proxied(page("unreachable"), true),
        State::Failing,
        unreached,
    );
    let mut new = asked(page("unknown-domain")).noted(true);
    new.applied = false;
    state(new, State::Pending, "is being applied by root");
    // What the router says in place of one that is stopped is no answer of it.
    let mut stopped = asked(page("stopped")).with(|c| c.run = RunState::Exited);
    stopped.file = FILE.replace("memory: 128M", "state: stopped");
    let row = stopped.row();
    assert_eq!((row.state, row.http), (State::Stopped, None));
}

#[test]
fn sites_whose_router_is_down_fail_since_it_ended() {
    let label = |key: &str, value: &str| (format!("ostler.{key}"), value.to_owned());
    let router = |run, status: &str| ObservedContainer {
        id: "r1".into(),
        name: "ostler-x-router".into(),
        labels: [label("fleet", "x"), label("role", "router")].into(),
        run,
        status: status.into(),
        ..ObservedContainer::default()
    };
    let asked = |router: ObservedContainer| {
        let refused = SiteAnswer::NoRouter("connection refused".into());
        let mut case = Case::new().asked(&[(2, refused)]);
        case.others = vec![router];
        let row = case.row();
        (row.state, row.since)
    };
    let ended = asked(router(RunState::Exited, "Exited (1) 5 minutes ago"));
    assert_eq!(ended, (State::Failing, Some(Since::exactly(NOW - 305))));
    // It runs, and does not answer: nobody knows since when.
    let up = asked(router(RunState::Running, "Up 3 hours"));
    assert_eq!(up, (State::Failing, Some(Since::at_least(NOW - 2))));
}

#[test]
fn what_the_log_told_before_is_not_forgotten() {
    let site: Name = "blog".parse().unwrap();
    let mut data = HostData::default();
    let mut read = |at: i64, change: &dyn Fn(&mut Traffic)| {
        let mut traffic = Traffic {
            at,
            errors: Some(0.0),
            ..Traffic::default()
        };
        change(&mut traffic);
        data.set_traffic(vec![(site.clone(), traffic)]);
        data.traffic[&site]
    };
    let bad = |first, last| {
        Some(Run {
            count: 2,
            first,
            last,
        })
    };
    // Errors that were there when it was first read may be older; those that came are not.
    let first = read(100, &|t| t.errors = Some(4.0));
    assert_eq!(first.erring, Some(Since::at_least(100)));
    assert_eq!(read(110, &|_| {}).erring, None);
    assert_eq!(
        read(120, &|t| t.errors = Some(2.0)).erring,
        Some(Since::exactly(120))
    );
    assert_eq!(
        read(130, &|t| t.errors = Some(9.0)).erring,
        Some(Since::exactly(120))
    );
    // A run of bad answers, of which the log then tells only the end, and its own end.
    let failing = read(140, &|t| (t.bad, t.good) = (bad(131, 139), Some(125)));
    assert_eq!((failing.again, failing.good), (None, Some(125)));
    assert_eq!(
        read(150, &|t| t.bad = bad(145, 149)).bad,
        Some(Run {
            count: 2,
            first: 131,
            last: 149
        })
    );
    let over = read(160, &|t| t.good = Some(155));
    assert_eq!((over.bad, over.again), (None, Some(Since::exactly(155))));
    assert_eq!(
        read(170, &|t| t.good = Some(169)).again,
        Some(Since::exactly(155))
    );
}

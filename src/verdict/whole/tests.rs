//! How a whole is judged, from rows, plans and hosts that are made up.

use std::sync::Arc;

use super::*;
use crate::fleet::SiteState;
use crate::plan::{Class, Interruption, Operation, OperationId, Problem, Undo};
use crate::record::{Applying, HostState, Machine, StateRead};

const NOW: i64 = 1_795_230_000;
const FILE: &str = "\
fleet: x
hosts:
  away: { engine: 'unix:///nowhere' }
  here: { engine: 'unix:///x' }
sites:
  blog: { host: here, recipe: static, domains: [blog.example] }
  shop: { host: here, recipe: static, domains: [shop.example] }
";

/// What one case differs by from a fleet that is well.
#[derive(Default)]
struct Case {
    away: bool,
    rows: Vec<(&'static str, State, bool)>,
    seen: ObservedHost,
    plan: Plan,
    scarce: Vec<Scarce>,
    probes: HashMap<Name, Probe>,
    on_call: bool,
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn row(site: &str, state: State, in_file: bool) -> SiteRow {
    SiteRow {
        name: site.into(),
        host: "here".into(),
        state,
        in_file,
        as_wanted: true,
        wanted: in_file.then_some(SiteState::Running),
        why: "so it is".into(),
        running: in_file,
        ..SiteRow::default()
    }
}

fn operation(site: Option<&str>, kind: OperationKind, cause: &str) -> Operation {
    Operation {
        id: OperationId(format!("here/{}/x", site.unwrap_or_default())),
        host: name("here"),
        site: site.map(name),
        class: Class::Write,
        kind,
        cause: vec![cause.into()],
        interrupts: Interruption::None,
        undo: Undo::Nothing,
        after: Vec::new(),
    }
}

fn note(run: &str) -> OperationKind {
    OperationKind::SettleRun {
        run: run.into(),
        undone: false,
    }
}

fn judged(case: Case) -> (Whole, String) {
    let fleet = crate::fleet::load(FILE, "fleet.yml".as_ref())
        .unwrap()
        .fleet;
    let mut seen = case.seen;
    if matches!(seen.state, StateRead::NoToolbox) {
        seen.state = StateRead::Read(Arc::new(HostState::default()));
    }
    seen.differs.get_or_insert_default();
    let why = "no route to host".to_owned();
    let mut observed = Observed::default();
    observed
        .hosts
        .insert(name("here"), HostObservation::Reached(Arc::new(seen)));
    if case.away {
        observed
            .hosts
            .insert(name("away"), HostObservation::Unreachable { why });
    }
    let mut rows = vec![row("blog", State::Ok, true), row("shop", State::Ok, true)];
    for (site, state, in_file) in case.rows {
        rows.retain(|row| row.name != site);
        rows.push(row(site, state, in_file));
    }
    let whole = Known {
        fleet: &fleet,
        observed: &observed,
        plan: &case.plan,
        rows: &rows,
        probes: &case.probes,
        scarce: &[(name("here"), case.scarce)].into(),
        on_call: case.on_call,
        now: NOW,
    }
    .judge();
    let summary = whole.summary("x");
    (whole, summary)
}

#[test]
fn each_thing_that_is_not_as_it_should_be_counts() {
    use Standing::{NotAllKnown, NotWell, Well};
    let one = |site, state, in_file| Case {
        rows: vec![(site, state, in_file)],
        ..Case::default()
    };
    let does = |site, kind, cause| Case {
        plan: Plan {
            operations: vec![operation(site, kind, cause)],
            ..Plan::default()
        },
        ..Case::default()
    };
    let problem = |site: Option<&str>| Case {
        plan: Plan {
            problems: vec![Problem {
                host: name("here"),
                site: site.map(name),
                what: "port 80 is taken".into(),
                remedy: String::new(),
            }],
            ..Plan::default()
        },
        ..Case::default()
    };
    let damaged = Case {
        seen: ObservedHost {
            state: StateRead::Damaged {
                why: "no JSON".into(),
            },
            ..ObservedHost::default()
        },
        ..Case::default()
    };
    let cut_off = Case {
        seen: ObservedHost {
            state: StateRead::Read(Arc::new(HostState {
                applying: vec![Applying::default()],
                ..HostState::default()
            })),
            ..ObservedHost::default()
        },
        ..Case::default()
    };
    let blind = |on_call| {
        let mut seen = ObservedHost::default();
        seen.differs.get_or_insert_default().unknown = vec!["the router's files".into()];
        Case {
            seen,
            on_call,
            ..Case::default()
        }
    };
    let unread = Case {
        seen: ObservedHost {
            secret_errors: [(name("blog"), "DB: no such file".into())].into(),
            ..ObservedHost::default()
        },
        ..Case::default()
    };
    let full = |free| Case {
        scarce: Machine {
            disk: (1000, free),
            ..Machine::default()
        }
        .scarce(),
        ..Case::default()
    };
    let left = State::Leftover;
    let note_only = does(None, note("r"), "the apply of anna was cut off");
    for (case, standing, well, says) in [
        (
            Case::default(),
            Well,
            2,
            "x: well: 1 of 1 host ready, 2 of 2 sites as they should be",
        ),
        (
            one("blog", State::Failing, true),
            NotWell,
            1,
            "1 failing; worst: blog on here: failing: so it is",
        ),
        (
            one("blog", State::Restarting, true),
            NotWell,
            1,
            "1 restarting",
        ),
        (one("blog", State::Warning, true), NotWell, 1, "1 warning"),
        (one("blog", State::Drift, true), NotWell, 1, "1 drift"),
        (one("blog", State::Pending, true), NotWell, 1, "1 to apply"),
        (one("blog", State::Starting, true), NotWell, 1, "1 starting"),
        (one("blog", State::Stopped, true), Well, 2, "2 of 2 sites"),
        (
            one("blog", State::Unknown, true),
            NotAllKnown,
            1,
            "not all known",
        ),
        // What is kept of a site that was removed is no site, and nothing to mend.
        (one("old", left, false), Well, 2, "2 of 2 sites"),
        (
            does(Some("blog"), note("r"), "memory: 64M → 96M"),
            NotWell,
            1,
            "to apply: memory: 64M → 96M",
        ),
        (
            problem(None),
            NotWell,
            2,
            "worst: here: failing: port 80 is taken",
        ),
        (problem(Some("blog")), NotWell, 1, "port 80 is taken"),
        (
            damaged,
            NotWell,
            2,
            "here: failing: what ostler keeps there cannot be used: no JSON",
        ),
        (cut_off, NotWell, 2, "was cut off"),
        (
            blind(false),
            NotAllKnown,
            2,
            "worst: here: not known: the router's files",
        ),
        (blind(true), Well, 2, "well"),
        (
            unread,
            NotAllKnown,
            1,
            "worst: blog on here: not known: not compared: DB",
        ),
        (
            full(90),
            NotWell,
            2,
            "worst: here: warning: 9% of the bytes",
        ),
        (
            full(10),
            NotWell,
            2,
            "worst: here: failing: 1% of the bytes",
        ),
    ] {
        let (whole, summary) = judged(case);
        assert_eq!(whole.standing(), standing, "{summary}");
        assert_eq!((whole.count.all, whole.count.well), (2, well), "{summary}");
        assert!(summary.contains(says), "{says:?} is not in {summary:?}");
        assert!(!summary.contains('\n'));
    }
    // Also what only notes something: a plan that has it is not empty.
    let (whole, summary) = judged(note_only);
    assert_eq!(whole.standing(), NotWell, "{summary}");
}

#[test]
fn what_is_not_known_outweighs_what_is_wrong_and_both_are_said() {
    let case = Case {
        away: true,
        rows: vec![("blog", State::Failing, true)],
        ..Case::default()
    };
    let (whole, summary) = judged(case);
    assert_eq!(whole.standing(), Standing::NotAllKnown);
    let begins = "x: not all known: 1 of 2 hosts ready, 1 of 2 sites as they should be, 1 failing; worst: away: lost: no route to host";
    assert_eq!(summary, begins);
    let mut seen = ObservedHost::default();
    seen.differs.get_or_insert_default().unknown = vec!["its files".into()];
    let (_, summary) = judged(Case {
        seen,
        rows: vec![("blog", State::Failing, true)],
        ..Case::default()
    });
    let ends = "worst: blog on here: failing: so it is; not known: here: not known: its files";
    assert!(summary.ends_with(ends), "{summary}");
}

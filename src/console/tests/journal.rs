//! What was applied, who applies, and what was cut off.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::fixture::{container, drift_plan, host, name, three};
use crate::apply::journal::Named;
use crate::apply::progress::Tally;
use crate::console::activity::{Commit, Step};
use crate::console::effect::{Effect, Wish};
use crate::console::harness::{App, NOW, Setup};
use crate::console::message::{HostNews, Message, Seen};
use crate::console::planned::Planned;
use crate::console::proposal::Proposal;
use crate::observe::model::ObservedHost;
use crate::plan::{Class, OperationId};
use crate::record::lock::Holder;
use crate::record::{Applying, StateRead};
use crate::verdict::Pulse;
use crate::walk::history::{Past, PastOperation, State};
use crate::walk::past::Told;

fn past(run: &str, ago: i64, site: &str, state: State) -> Past {
    let at = chrono::DateTime::from_timestamp(NOW - ago, 0).unwrap();
    let operation = |id: &str, outcome, note: Option<&str>| PastOperation {
        named: Named {
            id: OperationId(format!("web1/{site}/{id}")),
            host: name("web1"),
            site: Some(name(site)),
            kind: id.into(),
            class: Class::Write,
            cause: vec!["memory: 128M → 256M".into()],
        },
        outcome,
        note: note.map(str::to_owned),
        took_ms: 340,
    };
    Past {
        run: run.into(),
        at: at.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
        ended_at: Some(at.format("%Y-%m-%dT%H:%M:%SZ").to_string()),
        took_ms: Some(4200),
        who: "anna".into(),
        whence: "laptop (process 77)".into(),
        fleet_hash: "0123456789abcdef".into(),
        commit: None,
        state,
        settled_by: None,
        hosts: BTreeSet::from([name("web1")]),
        sites: BTreeSet::from([name(site)]),
        kinds: [("set_limits".to_owned(), 1), ("write_record".to_owned(), 1)].into(),
        all: 2,
        done: 1,
        tally: Tally {
            all: 2,
            done: 1,
            failed: 1,
            ..Tally::default()
        },
        what: format!("to change {site} (memory: 128M → 256M)"),
        failed: vec![],
        operations: vec![
            operation("set_limits", "done", None),
            operation("write_record", "failed", Some("the disk is full")),
        ],
    }
}

fn told(app: &mut App) {
    let told = Told {
        applies: vec![
            past("20261121T010000Z-a", 7200, "alice-blog", State::Partial),
            past("20261120T010000Z-b", 93_600, "carol", State::Done),
        ],
        unanswered: [(name("web3"), "it does not answer".into())].into(),
        own: None,
    };
    app.send(Message::Journal(Arc::new(told)));
}

fn web1() -> ObservedHost {
    host(vec![
        container("chatons", "alice-blog", 86_400),
        container("chatons", "carol", 86_400),
    ])
}

fn with_state(change: impl FnOnce(&mut ObservedHost)) -> ObservedHost {
    let mut seen = web1();
    change(&mut seen);
    seen
}

fn note() -> Applying {
    Applying {
        schema: 1,
        run: "20261121T025000Z-c".into(),
        who: "anna".into(),
        whence: "laptop (process 77)".into(),
        at: "2026-11-21T02:50:00Z".into(),
        fleet_hash: "h".into(),
        sites: BTreeSet::from([name("alice-blog")]),
        hosts: BTreeSet::from([name("web1")]),
        operations: 40,
        ended: 14,
        middle: vec!["web1/alice-blog/create".into()],
        ..Applying::default()
    }
}

fn cut_off() -> ObservedHost {
    with_state(|seen| set_notes(seen, vec![note()]))
}

fn set_notes(seen: &mut ObservedHost, notes: Vec<Applying>) {
    let StateRead::Read(state) = &mut seen.state else {
        panic!("the fixture has a state");
    };
    Arc::make_mut(state).applying = notes;
}

fn observe(app: &mut App, seen: ObservedHost) {
    let seen = Seen::of(app.model.fleet.as_deref(), &name("web1"), Arc::new(seen));
    app.send(Message::Host(name("web1"), HostNews::Observed(seen)));
}

#[test]
fn what_was_applied_is_listed_opened_and_read_again_when_somebody_applied() {
    let mut app = three(Setup::default());
    app.take();
    app.press("a");
    assert!(
        app.take().contains(&Effect::Journal),
        "read when it is looked at"
    );
    assert!(app.text().contains("reading the journals"));
    told(&mut app);
    let text = app.text();
    for part in [
        "Today, Sat 21 Nov 2026 (UTC)",
        "Yesterday, Fri 20 Nov 2026 (UTC)",
        "to change alice-blog",
        "Changes of all sites and hosts",
        "anna@laptop",
        "alice-blog",
        "carol",
        "partial",
        "web3: what",
    ] {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
    app.wait(5);
    assert!(
        !app.take().contains(&Effect::Journal),
        "not again by itself"
    );
    app.press("j j k enter");
    insta::assert_snapshot!("past", app.text());
    app.press("q");
    assert!(app.text().contains("▌✖"), "{}", app.text());
    let applied = with_state(|seen| {
        let StateRead::Read(state) = &mut seen.state else {
            return;
        };
        let record = Arc::make_mut(state).host.as_mut();
        record.unwrap().applied_by = Some("ben".into());
    });
    observe(&mut app, applied);
    assert!(app.take().contains(&Effect::Journal), "ben applied");
}

#[test]
fn a_site_s_page_says_who_changed_it_last() {
    let mut app = three(Setup::default());
    told(&mut app);
    app.send(Message::Clock(app.model.now_ms)).press("/");
    app.type_text("alice-blog").press("enter enter");
    let text = app.text();
    assert!(text.contains("anna  memory: 128M → 256M"), "{text}");
}

#[test]
fn what_was_cut_off_is_on_the_first_screen_and_can_be_finished_or_undone() {
    let mut app = three(Setup::default());
    observe(&mut app, cut_off());
    let text = app.text();
    assert!(
        text.contains("anna's apply on web1 was cut off, 14/40"),
        "{text}"
    );
    app.press("a");
    insta::assert_snapshot!("cut_off", app.text());
    app.take();
    app.press("F");
    let asked = |app: &mut App| {
        let mut wishes = app.take().into_iter();
        wishes.find_map(|wish| match wish {
            Effect::Propose(_, request) => Some(request),
            _ => None,
        })
    };
    let finish = asked(&mut app).unwrap();
    assert_eq!(finish.sites, Some(vec![name("alice-blog")]));
    assert_eq!(finish.wish, Wish::Finish(note().run));
    // One that came to its end before any site of it was begun is about no site, not about all.
    let mut ground = cut_off();
    let mut bare = note();
    bare.sites.clear();
    set_notes(&mut ground, vec![bare]);
    observe(&mut app, ground);
    app.press("esc F");
    assert_eq!(asked(&mut app).unwrap().sites, Some(Vec::new()));
    app.press("esc U");
    let undo = asked(&mut app).unwrap();
    assert_eq!(undo.wish, Wish::Undo("20261121T025000Z-c".into()));
    assert!(undo.title.contains("anna at laptop"), "{}", undo.title);
    let mut on_call = three(Setup {
        on_call: true,
        ..Setup::default()
    });
    observe(&mut on_call, cut_off());
    assert!(on_call.text().contains("was cut off") && !on_call.text().contains("undoes"));
    on_call.take();
    on_call.press("U F");
    assert_eq!(asked(&mut on_call), None);
}

#[test]
fn a_leftover_that_no_site_can_be_called_is_not_taken_for_all_sites() {
    let mut app = three(Setup::default());
    let mut seen = host(vec![container("chatons", "carol", 61 * 86_400)]);
    seen.containers.push(container("chatons", "Not_A_Name", 60));
    observe(&mut app, seen);
    app.press("/");
    app.type_text("Not_A_Name").press("enter");
    assert!(app.text().contains("leftover"), "{}", app.text());
    app.take();
    app.press("A");
    let asked = |e: &Effect| matches!(e, Effect::Propose(..));
    assert!(!app.take().iter().any(asked));
    let text = app.text();
    assert!(text.contains("is not what a site can be called"), "{text}");
}

#[test]
fn since_when_somebody_applies_is_told_by_our_clock() {
    let mut app = three(Setup::default());
    let mut seen = cut_off();
    seen.lock = Some(Holder {
        who: "anna".into(),
        whence: "laptop (process 77)".into(),
        since: NOW - 12 + 300,
        silent_s: 3,
        run: note().run,
        dead: false,
    });
    let pulse = Pulse {
        round_trip: std::time::Duration::from_millis(12),
        skew_s: Some(300),
    };
    app.send(Message::Host(name("web1"), HostNews::Pulse(pulse)));
    observe(&mut app, seen);
    let text = app.text();
    assert!(text.contains("anna@laptop applying on web1 24s"), "{text}");
}

#[test]
fn who_applies_now_is_in_the_header() {
    let mut app = three(Setup::default());
    let mut seen = cut_off();
    let lock = |silent_s| Holder {
        who: "anna".into(),
        whence: "laptop (process 77)".into(),
        since: NOW - 12,
        silent_s,
        run: note().run,
        dead: false,
    };
    seen.lock = Some(lock(3));
    observe(&mut app, seen.clone());
    let text = app.text();
    assert!(text.contains("anna@laptop applying on web1 24s"), "{text}");
    assert!(!text.contains("cut off"), "it goes on: {text}");
    seen.lock = Some(lock(61));
    observe(&mut app, seen);
    assert!(app.text().contains("cut off"), "{}", app.text());
}

#[test]
fn a_written_fleet_file_can_be_committed_once() {
    let mut app = three(Setup::default());
    app.send(Message::Clock(app.model.now_ms)).press("/");
    app.type_text("carol").press("enter R");
    let Some(Effect::Propose(id, request)) = app.take().pop() else {
        panic!("nothing was asked");
    };
    let proposal = Proposal {
        left: Vec::new(),
        request,
        diff: vec![],
        planned: Arc::new(Planned::of(drift_plan())),
        uncommitted: Some("fleet.yml has changes that are not committed".into()),
    };
    app.send(Message::Proposed(id, Ok(Box::new(proposal))));
    assert!(
        app.text().contains("▲ fleet.yml has changes"),
        "{}",
        app.text()
    );
    app.wait(1).press("A");
    let offered = Commit::Offered("carol: memory: 128M → 256M".into());
    app.send(Message::Step(id, Step::Commit(offered)));
    assert!(
        app.text()
            .contains("K commits the fleet file: carol: memory"),
        "{}",
        app.text()
    );
    app.take();
    app.press("K K");
    let commits: Vec<_> = app
        .take()
        .into_iter()
        .filter(|e| matches!(e, Effect::Commit(..)))
        .collect();
    let wanted = Effect::Commit(id, "carol: memory: 128M → 256M".into());
    assert_eq!(commits, [wanted]);
    app.send(Message::Step(
        id,
        Step::Commit(Commit::Failed("a hook\u{1b}[2J says no".into())),
    ));
    let text = app.text();
    assert!(
        text.contains("not committed: a hook") && text.contains("says no"),
        "{text}"
    );
}

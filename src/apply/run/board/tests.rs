//! Which operation may begin, of plans that were made up.

use super::*;
use crate::apply::progress::Failure;
use crate::plan::{Class, ContainerRef, Interruption, Undo};

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn start() -> OperationKind {
    OperationKind::StartContainer {
        container: ContainerRef {
            name: "c".into(),
            id: None,
        },
    }
}

fn write() -> OperationKind {
    OperationKind::CleanConf {
        site: name("a"),
        keep: None,
    }
}

fn operation(id: &str, kind: OperationKind, after: &[&str]) -> Operation {
    let mut parts = id.split('/');
    Operation {
        host: name(parts.next().unwrap()),
        site: parts
            .next()
            .filter(|s| !s.is_empty() && *s != "router")
            .map(name),
        id: OperationId(id.into()),
        kind,
        class: Class::Write,
        cause: vec![],
        interrupts: Interruption::None,
        undo: Undo::Nothing,
        after: after.iter().map(|a| OperationId((*a).into())).collect(),
    }
}

fn plan(operations: Vec<Operation>) -> Plan {
    Plan {
        operations,
        ..Plan::default()
    }
}

fn all(board: &mut Board, host: &str) -> Vec<usize> {
    let host = name(host);
    std::iter::from_fn(|| board.next(&host)).collect()
}

fn done() -> OperationOutcome {
    OperationOutcome::Done { note: None }
}

fn failed() -> OperationOutcome {
    OperationOutcome::Failed {
        failure: Failure::new("x"),
    }
}

#[test]
fn four_changes_and_two_starts_at_a_time() {
    let sites = ["a", "b", "c", "d", "e", "f"];
    let mut operations: Vec<_> = sites
        .iter()
        .map(|s| operation(&format!("h/{s}/start"), start(), &[]))
        .collect();
    operations.extend(
        sites
            .iter()
            .map(|s| operation(&format!("h/{s}/write"), write(), &[])),
    );
    let plan = plan(operations);
    let mut board = Board::new(&plan, &Pace::default());
    assert!(all(&mut board, "h").is_empty(), "not open yet");
    board.open(&name("h"));
    // Two sites, each finished before another is begun.
    assert_eq!(all(&mut board, "h"), [0, 6, 1, 7]);
    board.end(0, done());
    assert_eq!(all(&mut board, "h"), [2]);
}

#[test]
fn a_failure_stays_with_its_site() {
    let record = OperationKind::RecordFleet {
        hash: String::new(),
    };
    let plan = plan(vec![
        operation("h/a/1", write(), &[]),
        operation("h/a/2", write(), &["h/a/1"]),
        operation("h/b/1", write(), &[]),
        operation("h/b/2", write(), &["h/b/1"]),
        operation("h//record", record, &["h/a/2", "h/b/2"]),
    ]);
    let mut board = Board::new(&plan, &Pace::default());
    board.open(&name("h"));
    assert_eq!(all(&mut board, "h"), [0, 2]);
    assert_eq!(board.end(0, failed()).len(), 2, "and the one after it");
    assert!(board.fail_site(0).is_empty());
    board.end(2, done());
    assert_eq!(all(&mut board, "h"), [3]);
    board.end(3, done());
    assert_eq!(all(&mut board, "h"), [4], "what was applied is recorded");
    board.end(4, done());
    assert!(board.is_finished(&name("h")));
    assert_eq!((board.order(), board.count()), ([2, 3, 4].as_slice(), 4));
}

#[test]
fn a_careful_plan_begins_nothing_after_a_failure() {
    let mut plan = plan(vec![
        operation("h/a/1", write(), &[]),
        operation("h/b/1", write(), &["h/a/1"]),
        operation("h/b/2", write(), &["h/b/1"]),
        operation("i/c/1", write(), &["h/a/1"]),
        operation("i/c/2", write(), &["i/c/1"]),
        operation("i/d/1", write(), &["i/c/2"]),
    ]);
    for careful in [true, false] {
        plan.careful = careful;
        let mut board = Board::new(&plan, &Pace::default());
        board.open(&name("h"));
        board.open(&name("i"));
        assert_eq!(all(&mut board, "h"), [0]);
        assert!(all(&mut board, "i").is_empty());
        board.end(0, done());
        assert_eq!(
            (all(&mut board, "h"), all(&mut board, "i")),
            (vec![1], vec![3])
        );
        board.end(1, failed());
        let mut left: Vec<usize> = board.halt().iter().map(|end| end.at).collect();
        left.sort();
        assert_eq!(left, if careful { vec![5] } else { vec![] });
        // What was begun comes to its end.
        board.end(3, done());
        assert_eq!(all(&mut board, "i"), [4]);
        board.end(4, done());
        assert_eq!(all(&mut board, "i").is_empty(), careful);
    }
}

#[test]
fn after_a_failure_no_router_is_replaced_that_was_not_begun() {
    let mut plan = plan(vec![
        operation("h/a/1", write(), &[]),
        operation("h/a/2", write(), &["h/a/1"]),
        operation("h/router/create", start(), &["i/router/create"]),
        operation("i/router/create", start(), &[]),
        operation("i/router/start", start(), &["i/router/create"]),
        operation("j/router/create", start(), &["i/router/create"]),
        operation("j/b/1", write(), &["j/router/create"]),
        operation("j/c/1", write(), &[]),
        operation("j/c/2", write(), &["j/c/1", "j/router/create"]),
    ]);
    plan.careful = true;
    for begun in [false, true] {
        let mut board = Board::new(&plan, &Pace::default());
        for host in ["h", "i", "j"] {
            board.open(&name(host));
        }
        assert_eq!(board.next(&name("h")), Some(0));
        if begun {
            assert_eq!(all(&mut board, "i"), [3]);
            assert_eq!(board.next(&name("j")), Some(7));
        }
        board.end(0, failed());
        board.fail_site(0);
        let mut left: Vec<usize> = board.halt().iter().map(|end| end.at).collect();
        left.sort();
        let skipped = match begun {
            // What was begun is not left half-way, nor is a site that waits for its router.
            true => vec![2, 6],
            false => (2..=8).collect(),
        };
        assert_eq!(left, skipped);
        if begun {
            board.end(3, done());
            assert_eq!(all(&mut board, "i"), [4]);
        }
    }
}

#[test]
fn a_host_that_fails_delays_no_other() {
    let plan = plan(vec![
        operation("h/a/1", write(), &[]),
        operation("h/a/2", write(), &["h/a/1"]),
        operation("i/b/1", write(), &[]),
    ]);
    let mut board = Board::new(&plan, &Pace::default());
    board.open(&name("i"));
    assert_eq!(board.fail_host(&name("h"), "gone").len(), 2);
    assert!(board.is_finished(&name("h")) && !board.is_finished(&name("i")));
    assert_eq!(all(&mut board, "i"), [2]);
}

#[test]
fn cancelled_sites_that_were_begun_are_named() {
    let plan = plan(vec![
        operation("h/a/1", write(), &[]),
        operation("h/a/2", write(), &["h/a/1"]),
        operation("h/b/1", write(), &[]),
        operation("h/c/1", write(), &[]),
        operation("h/c/2", write(), &["h/c/1"]),
    ]);
    let mut board = Board::new(&plan, &Pace::default());
    board.open(&name("h"));
    assert_eq!(all(&mut board, "h"), [0, 2, 3]);
    for at in [0, 2, 3] {
        board.end(at, done());
    }
    assert_eq!(all(&mut board, "h"), [1, 4]);
    board.end(4, done());
    assert!(board.cancel().is_empty());
    assert!(board.unfinished_sites().is_empty(), "a still runs");
    board.end(1, failed());
    assert_eq!(board.unfinished_sites(), [0]);
}

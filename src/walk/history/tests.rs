use super::*;
use crate::apply::journal::Started;
use crate::apply::progress::Ended;
use crate::plan::Class;

const RUN: &str = "20261121T220000Z-00000000";

fn entry(hosts: &[&str], done: &[&str], word: Option<&str>) -> Entry {
    let named = |host: &&str| Named {
        id: OperationId(format!("{host}/blog/create")),
        host: host.parse().unwrap(),
        site: "blog".parse().ok(),
        kind: "create_container".into(),
        class: Class::Write,
        cause: vec!["new site".into()],
    };
    Entry {
        started: Started {
            form: 1,
            run: RUN.into(),
            fleet: "x".into(),
            who: "anna".into(),
            whence: "laptop".into(),
            at: "2026-11-21T22:00:00Z".into(),
            fleet_hash: "h".into(),
            commit: None,
            operations: hosts.iter().map(named).collect(),
        },
        operations: done
            .iter()
            .map(|host| {
                let id = OperationId(format!("{host}/blog/create"));
                let outcome = OperationOutcome::Done { note: None };
                let took_ms = 40;
                (id, Ended { outcome, took_ms })
            })
            .collect(),
        hosts: vec![],
        ended: word.map(|word| Close {
            word: word.into(),
            at: "2026-11-21T22:00:09Z".into(),
            took_ms: None,
        }),
        settled: None,
    }
}

fn on(host: &str, entry: Entry) -> (Name, Vec<Entry>) {
    (host.parse().unwrap(), vec![entry])
}

fn one(own: Vec<Entry>, hosts: Vec<(Name, Vec<Entry>)>) -> Past {
    let mut all = merge(own, hosts, &BTreeSet::new());
    assert_eq!(all.len(), 1);
    all.remove(0)
}

#[test]
fn one_apply_on_several_hosts_is_one_entry() {
    let past = one(
        vec![],
        vec![
            on("web1", entry(&["web1"], &["web1"], Some("done"))),
            on("web2", entry(&["web2"], &["web2"], Some("partial"))),
        ],
    );
    assert_eq!((past.done, past.all, past.hosts.len()), (2, 2, 2));
    assert_eq!(past.state, State::Partial);
    assert_eq!(past.took_ms, Some(9000));
    assert_eq!(past.kinds["create_container"], 2);
    assert_eq!(past.about(), "blog");
}

#[test]
fn a_host_without_an_end_is_unfinished_until_somebody_deals_with_it() {
    let cut = entry(&["web1"], &[], None);
    let own = entry(&["web1", "web2"], &["web2"], Some("partial"));
    let past = one(vec![own.clone()], vec![on("web1", cut.clone())]);
    assert_eq!(past.state, State::Unfinished);
    let running = merge(vec![], vec![on("web1", cut.clone())], &[RUN.into()].into());
    assert_eq!(running[0].state, State::Running);
    let mut dealt = cut;
    dealt.settled = Some(("undone".into(), "later".into()));
    let past = one(vec![own], vec![on("web1", dealt)]);
    assert_eq!(past.state, State::Undone);
    assert_eq!(past.settled_by.as_deref(), Some("later"));
}

#[test]
fn killed_before_the_own_journal_ended() {
    let own = entry(&["web1"], &["web1"], None);
    let past = one(vec![own.clone()], vec![]);
    assert_eq!((past.state, past.ended_at), (State::Unfinished, None));
    // The host had its last word: nothing is left to be done.
    let there = entry(&["web1"], &["web1"], Some("done"));
    assert_eq!(one(vec![own], vec![on("web1", there)]).state, State::Done);
}

#[test]
fn killed_before_it_came_to_every_host() {
    let own = entry(&["web1", "web2"], &["web1"], None);
    let there = entry(&["web1"], &["web1"], Some("done"));
    let past = one(vec![own.clone()], vec![on("web1", there.clone())]);
    assert_eq!((past.state, past.ended_at), (State::Unfinished, None));
    let mut dealt = there.clone();
    dealt.settled = Some(("finished".into(), "later".into()));
    let past = one(vec![own.clone()], vec![on("web1", dealt)]);
    assert_eq!(past.state, State::Finished);
    // One that could not be worked on at all was not cut off.
    let mut failed = own.clone();
    let why = Failure::new("locked by ben");
    failed.hosts.push(("web2".parse().unwrap(), why));
    let past = one(vec![failed], vec![on("web1", there.clone())]);
    assert_eq!(past.state, State::Partial);
    let other = entry(&["web2"], &["web2"], Some("done"));
    let past = one(vec![own], vec![on("web1", there), on("web2", other)]);
    assert_eq!(past.state, State::Done);
}

#[test]
fn what_was_taken_back_is_told_once_and_with_its_time() {
    let mut own = entry(&["web1"], &["web1"], Some("partial"));
    let id = OperationId("web1/blog/create".into());
    let outcome = OperationOutcome::Undone;
    let took_ms = 0;
    own.operations.push((id, Ended { outcome, took_ms }));
    let past = one(vec![own], vec![]);
    let operation = &past.operations[0];
    assert_eq!((operation.outcome, operation.took_ms), ("undone", 40));
    assert_eq!(past.done, 0);
}

#[test]
fn journals_cannot_drive_a_terminal() {
    let mut bad = entry(&["web1"], &[], Some("done"));
    bad.started.who = "a\u{1b}[2Jb\nc".into();
    bad.started.operations[0].cause = vec!["x\u{1b}]0;t\u{7}y".into()];
    let past = one(vec![bad], vec![]);
    assert_eq!(past.who, "ab c");
    assert_eq!(past.operations[0].named.cause, ["xy"]);
}

//! What was applied, from all journals that can be read: the operator's own and the hosts'. One
//! apply is one entry, however many journals tell of it. Pure.

mod what;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::apply::journal::{Close, Entry, Named};
use crate::apply::progress::{Failure, OperationOutcome, Tally};
use crate::fleet::Name;
use crate::plan::OperationId;
use crate::text::plain_line;

/// How an apply ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Everything was done.
    Done,
    /// Something failed.
    Partial,
    /// It was stopped by its operator.
    Cancelled,
    /// No host could be begun with.
    Failed,
    /// It goes on.
    Running,
    /// It was cut off and nobody dealt with it yet.
    Unfinished,
    /// It was cut off, and a later apply finished it.
    Finished,
    /// It was cut off, and a later apply took it back.
    Undone,
}

impl State {
    /// The word people and programs see.
    pub fn word(self) -> &'static str {
        match self {
            State::Done => "done",
            State::Partial => "partial",
            State::Cancelled => "cancelled",
            State::Failed => "failed",
            State::Running => "running",
            State::Unfinished => "cut off",
            State::Finished => "cut off, finished later",
            State::Undone => "cut off, taken back",
        }
    }
}

/// One apply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Past {
    /// Its name.
    pub run: String,
    /// When it began, RFC 3339, UTC.
    pub at: String,
    /// When it ended; absent while it runs and when it was cut off.
    pub ended_at: Option<String>,
    /// How long it took; likewise.
    pub took_ms: Option<u64>,
    /// Login name.
    pub who: String,
    /// Machine and process.
    pub whence: String,
    /// Hash of the fleet file.
    pub fleet_hash: String,
    /// Its commit, where exactly these bytes were committed.
    pub commit: Option<String>,
    /// How it ended.
    pub state: State,
    /// The apply that finished it or took it back.
    pub settled_by: Option<String>,
    /// Hosts that it worked on.
    pub hosts: BTreeSet<Name>,
    /// Sites that it touched.
    pub sites: BTreeSet<Name>,
    /// Operations by kind.
    pub kinds: BTreeMap<String, usize>,
    /// How many operations it had.
    pub all: usize,
    /// How many of them were done.
    pub done: usize,
    /// How all of them stand.
    pub tally: Tally,
    /// What it changed, or was to change, in words.
    pub what: String,
    /// What failed: the operation, or the host, and why.
    pub failed: Vec<Failed>,
    /// Every operation, in the plan's order; left out of lists.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub operations: Vec<PastOperation>,
}

/// Something that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failed {
    pub host: Name,
    /// Which operation; none: the host as a whole.
    pub operation: Option<OperationId>,
    pub why: String,
}

/// One operation of an apply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PastOperation {
    /// What it was, where and why.
    #[serde(flatten)]
    pub named: Named,
    /// `done`, `failed`, `skipped`, `undone`, or `unknown`: no journal says.
    pub outcome: &'static str,
    /// Why it failed or was not begun, or what was worth knowing.
    pub note: Option<String>,
    /// How long it ran; 0: it was not begun.
    pub took_ms: u64,
}

impl Past {
    /// How its operations stand, in words.
    pub fn counts(&self) -> String {
        self.tally.words(match self.state {
            State::Running => "to go",
            _ => "not known",
        })
    }

    /// What it was about, in a few words: `blog, shop` or `12 sites` or the hosts.
    pub fn about(&self) -> String {
        let list = |names: &BTreeSet<Name>| -> Vec<String> {
            names.iter().map(|name| name.to_string()).collect()
        };
        match self.sites.len() {
            0 => list(&self.hosts).join(", "),
            1..=3 => list(&self.sites).join(", "),
            n => format!("{n} sites"),
        }
    }
}

/// Puts journals together: the operator's own, and each host's. `running`: applies that hold a lock
/// at this moment. Newest first.
pub fn merge(
    own: Vec<Entry>,
    hosts: Vec<(Name, Vec<Entry>)>,
    running: &BTreeSet<String>,
) -> Vec<Past> {
    let mut parts: BTreeMap<String, Parts> = BTreeMap::new();
    for entry in own {
        parts
            .entry(entry.started.run.clone())
            .or_default()
            .own
            .replace(entry);
    }
    for (host, entries) in hosts {
        for entry in entries {
            let part = parts.entry(entry.started.run.clone()).or_default();
            part.hosts.push((host.clone(), entry));
        }
    }
    let all = parts.into_iter().rev();
    all.filter_map(|(run, parts)| past(run, parts, running))
        .collect()
}

/// What is told of one apply.
#[derive(Default)]
struct Parts {
    own: Option<Entry>,
    hosts: Vec<(Name, Entry)>,
}

fn past(run: String, parts: Parts, running: &BTreeSet<String>) -> Option<Past> {
    let all = || parts.own.iter().chain(parts.hosts.iter().map(|(_, e)| e));
    let first = &all().next()?.started;
    let mut operations: Vec<PastOperation> = Vec::new();
    let mut places: BTreeMap<&OperationId, usize> = BTreeMap::new();
    for named in all().flat_map(|e| &e.started.operations) {
        places.entry(&named.id).or_insert_with(|| {
            operations.push(PastOperation {
                named: printable(named),
                outcome: "unknown",
                note: None,
                took_ms: 0,
            });
            operations.len() - 1
        });
    }
    // The own journal comes first: a host is told of what happened on it at its end only.
    for entry in all() {
        let mut told: BTreeMap<&OperationId, (&OperationOutcome, u64)> = BTreeMap::new();
        for (id, ended) in &entry.operations {
            // One that was taken back is told twice; how long it took is in the first line.
            let before = told.get(id).map_or(0, |(_, before)| *before);
            told.insert(id, (&ended.outcome, before.max(ended.took_ms)));
        }
        for (id, (outcome, took)) in told {
            let Some(operation) = places.get(id).and_then(|at| operations.get_mut(*at)) else {
                continue;
            };
            if operation.outcome == "unknown" {
                (operation.outcome, operation.note) = words(outcome);
                operation.took_ms = took;
            }
        }
    }
    let mut failed: Vec<Failed> = operations
        .iter()
        .filter(|o| o.outcome == "failed")
        .map(|o| Failed {
            host: o.named.host.clone(),
            operation: Some(o.named.id.clone()),
            why: o.note.clone().unwrap_or_default(),
        })
        .collect();
    for (host, failure) in all().flat_map(|e| &e.hosts) {
        let why = why(failure);
        if !failed
            .iter()
            .any(|f| &f.host == host && f.operation.is_none())
        {
            failed.push(Failed {
                host: host.clone(),
                operation: None,
                why,
            });
        }
    }
    let tally = tally(&operations);
    let done = operations.iter().map(|o| (&o.named, o.outcome == "done"));
    let what = what::what(done);
    let mut kinds = BTreeMap::new();
    for operation in &operations {
        *kinds.entry(operation.named.kind.clone()).or_insert(0) += 1;
    }
    let (state, settled_by) = state(&run, &parts, running);
    let end = end(&parts).filter(|_| !matches!(state, State::Running));
    Some(Past {
        at: line(&first.at),
        ended_at: end.as_ref().map(|e| line(&e.at)),
        took_ms: end
            .as_ref()
            .and_then(|e| e.took_ms.or(between(&first.at, &e.at))),
        who: line(&first.who),
        whence: line(&first.whence),
        fleet_hash: line(&first.fleet_hash),
        commit: first.commit.as_deref().map(line),
        state,
        settled_by: settled_by.map(|by| line(&by)),
        hosts: operations.iter().map(|o| o.named.host.clone()).collect(),
        sites: operations
            .iter()
            .filter_map(|o| o.named.site.clone())
            .collect(),
        kinds,
        all: tally.all,
        done: tally.done,
        tally,
        what,
        failed,
        operations,
        run: line(&run),
    })
}

fn tally(operations: &[PastOperation]) -> Tally {
    let mut tally = Tally {
        all: operations.len(),
        ..Tally::default()
    };
    for operation in operations {
        let one = match operation.outcome {
            "done" => &mut tally.done,
            "failed" => &mut tally.failed,
            "undone" => &mut tally.undone,
            "skipped" => &mut tally.left,
            _ => &mut tally.open,
        };
        *one += 1;
    }
    tally
}

/// The end of the whole: the operator's own word, else the last of the hosts'.
fn end(parts: &Parts) -> Option<Close> {
    if let Some(own) = &parts.own {
        return own.ended.clone();
    }
    let ends = parts.hosts.iter().map(|(_, e)| e.ended.clone());
    ends.collect::<Option<Vec<_>>>()?
        .into_iter()
        .max_by(|a, b| a.at.cmp(&b.at))
}

fn state(run: &str, parts: &Parts, running: &BTreeSet<String>) -> (State, Option<String>) {
    if running.contains(run) {
        return (State::Running, None);
    }
    let all = || parts.own.iter().chain(parts.hosts.iter().map(|(_, e)| e));
    let settled = all().find_map(|e| e.settled.clone());
    // A host on which it did not end is unfinished, whatever the operator's journal says of the
    // rest: the connection was lost, as a rule.
    let open = |e: &Entry| e.ended.is_none() && e.settled.is_none();
    let hosts_open = parts.hosts.iter().any(|(_, e)| open(e));
    let own_open = parts.own.as_ref().filter(|own| open(own));
    // Killed before it came to all of them: one that tells nothing of it was not begun on.
    let silent = own_open.is_some_and(|own| {
        let mut named = own.started.operations.iter().map(|o| &o.host);
        let told = |host: &Name| {
            let failed = own.hosts.iter().any(|(failed, _)| failed == host);
            failed || parts.hosts.iter().any(|(there, _)| there == host)
        };
        !named.all(told)
    });
    let nothing = own_open.is_some() && parts.hosts.is_empty();
    if hosts_open || (settled.is_none() && (silent || nothing)) {
        return (State::Unfinished, None);
    }
    if let Some((word, by)) = settled {
        let state = match word.as_str() {
            "undone" => State::Undone,
            _ => State::Finished,
        };
        return (state, Some(by));
    }
    let words: Vec<&str> = match &parts.own {
        Some(own) if own.ended.is_some() => own.ended.iter().map(|e| e.word.as_str()).collect(),
        _ => parts
            .hosts
            .iter()
            .filter_map(|(_, e)| Some(e.ended.as_ref()?.word.as_str()))
            .chain(
                own_open
                    .iter()
                    .flat_map(|own| own.hosts.iter().map(|_| "failed")),
            )
            .collect(),
    };
    // Killed after the hosts had their last word: on them it is complete.
    let state = match () {
        () if words.iter().all(|w| *w == "done") => State::Done,
        () if words.contains(&"cancelled") => State::Cancelled,
        () if words.iter().all(|w| *w == "failed") => State::Failed,
        () => State::Partial,
    };
    (state, None)
}

fn words(outcome: &OperationOutcome) -> (&'static str, Option<String>) {
    match outcome {
        OperationOutcome::Done { note } => ("done", note.as_deref().map(line)),
        OperationOutcome::Failed { failure } => ("failed", Some(why(failure))),
        OperationOutcome::Skipped { because } => ("skipped", Some(line(because))),
        OperationOutcome::Undone => ("undone", None),
    }
}

fn why(failure: &Failure) -> String {
    match &failure.remedy {
        Some(remedy) => line(&format!("{}; {remedy}", failure.why)),
        None => line(&failure.why),
    }
}

/// What a host keeps was written by whoever could: one line of it, and nothing for a terminal.
fn line(text: &str) -> String {
    plain_line(text)
}

fn printable(named: &Named) -> Named {
    Named {
        id: OperationId(line(&named.id.0)),
        kind: line(&named.kind),
        cause: named.cause.iter().map(|cause| line(cause)).collect(),
        ..named.clone()
    }
}

/// Milliseconds between two moments that are told to the second.
fn between(from: &str, to: &str) -> Option<u64> {
    let read = |text: &str| chrono::DateTime::parse_from_rfc3339(text).ok();
    u64::try_from((read(to)? - read(from)?).num_milliseconds()).ok()
}

#[cfg(test)]
mod tests;

//! Carries out what was proposed and confirmed: the fleet file, then the hosts. The file stays when
//! they cannot be made to match it: it is the wish.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio_util::sync::CancellationToken;

use super::commit::{self, Standing};
use super::propose::{Part, Proposal};
use super::{FleetFile, FleetFileError, fleet_file, lineage};
use crate::apply::{self, Operator, Outcome, Pace, Progress};
use crate::fleet::Name;

/// How long apply waits for a lock that somebody else holds.
const WAIT_FOR_LOCK: Duration = Duration::from_secs(30);

/// What happens meanwhile.
#[derive(Debug)]
pub enum Event {
    /// The fleet file was written.
    Written(FleetFile),
    /// It was committed, under this name.
    Committed(String),
    /// Something to be said.
    Note(String),
    /// The part with this number began.
    Began(usize),
    /// It goes on.
    Progress(Progress),
    Ended(usize, Outcome),
}

/// What came of it.
#[derive(Debug)]
pub struct Carried {
    /// How each part ended; none: it was not begun, and is as it was.
    pub outcomes: Vec<Option<Outcome>>,
    /// The fleet file was changed for it.
    pub written: bool,
    /// 0: all was done; 1: nothing; 3: a part.
    pub exit: u8,
}

/// Writes the file, commits it where that is asked for, and makes the hosts match it. Once `cancel`
/// fires nothing more is begun; what runs comes to its end.
///
/// # Errors
/// The file is not any more what was proposed for: then nothing was changed.
pub async fn carry(
    proposal: &Proposal,
    commits: bool,
    tell: UnboundedSender<Event>,
    cancel: CancellationToken,
) -> Result<Carried, FleetFileError> {
    // Nobody may be listening: that is fine.
    let tell = |event| drop(tell.send(event));
    put(&proposal.before, proposal.after.as_ref()).await?;
    let written = proposal.after.is_some();
    if let Some(after) = &proposal.after {
        tell(Event::Written(after.clone()));
    }
    // Committed before it is applied: then the hosts know the commit of what they were applied
    // from.
    if written && commits {
        let message = commit::message(&proposal.plan(), &proposal.title);
        tell(
            match commit::commit(&proposal.before.path, &message).await {
                Ok((name, _)) => Event::Committed(name),
                Err(error) => Event::Note(error.to_string()),
            },
        );
    }
    if !proposal.takes_back && !proposal.upkeep && (written || !proposal.is_idle()) {
        remember(proposal, &tell);
    }
    if proposal.is_idle() {
        return Ok(Carried {
            outcomes: Vec::new(),
            written,
            exit: if proposal.is_whole() { 0 } else { 3 },
        });
    }
    let mut outcomes = Vec::new();
    let mut exits: Vec<u8> = Vec::new();
    for (number, part) in proposal.parts.iter().enumerate() {
        if let Some(why) = hindered(part, &exits, cancel.is_cancelled()) {
            let hosts: Vec<&str> = part.fleet.hosts.keys().map(Name::as_str).collect();
            let hosts = hosts.join(", ");
            tell(Event::Note(format!(
                "{hosts}: left as it is: {why}; `ostler undo` again goes on"
            )));
            outcomes.push(None);
            exits.push(1);
            continue;
        }
        tell(Event::Began(number));
        let outcome = Box::pin(run(proposal, part, &tell, cancel.clone())).await;
        let whole = part.plan.problems.is_empty() && part.plan.uncompared.is_empty();
        exits.push(match (outcome.exit_code(), whole) {
            (0, true) => 0,
            (1, _) => 1,
            _ => 3,
        });
        tell(Event::Ended(number, outcome.clone()));
        outcomes.push(Some(outcome));
    }
    let all = |wanted| exits.iter().all(|exit| *exit == wanted);
    Ok(Carried {
        outcomes,
        written,
        exit: [0, 1].into_iter().find(|code| all(*code)).unwrap_or(3),
    })
}

/// Why a part is not begun.
fn hindered(part: &Part, exits: &[u8], stopped: bool) -> Option<&'static str> {
    let undone = |earlier: &usize| exits.get(*earlier).is_some_and(|exit| *exit != 0);
    if part.after.iter().any(undone) {
        return Some("what was moved there is not back where it was");
    }
    // The first one is begun all the same: its journal says that it was stopped.
    (stopped && !exits.is_empty()).then_some("it was stopped before")
}

/// Writes the file; where it stays, makes sure that it still is what the plan was made from.
async fn put(before: &FleetFile, after: Option<&FleetFile>) -> Result<(), FleetFileError> {
    let (path, old) = (before.path.clone(), before.source.clone());
    let new = after.map(|after| after.source.clone());
    let work = move || match new {
        Some(new) => fleet_file::write(&path, old.as_bytes(), new.as_bytes()),
        None => fleet_file::unchanged(&path, old.as_bytes()),
    };
    let lost = |error: tokio::task::JoinError| FleetFileError::Io {
        what: "write",
        path: before.path.display().to_string(),
        source: std::io::Error::other(error),
    };
    tokio::task::spawn_blocking(work).await.map_err(lost)?
}

/// Remembers that this version of the file is applied, so that a later one is known to descend from
/// it. Before anything is done: this process may be killed in the middle.
fn remember(proposal: &Proposal, tell: &impl Fn(Event)) {
    let Some(state) = &proposal.state else {
        return;
    };
    let file = proposal.after.as_ref().unwrap_or(&proposal.before);
    let bytes = file.source.as_bytes();
    if let Err(error) = lineage::remember(state, &file.path, bytes, &file.fleet) {
        let state = state.display();
        tell(Event::Note(format!(
            "cannot remember in {state} what was applied: {error}"
        )));
    }
}

async fn run(
    proposal: &Proposal,
    part: &Part,
    tell: &impl Fn(Event),
    cancel: CancellationToken,
) -> Outcome {
    let bytes = part.source.clone().into_bytes();
    let state = proposal.state.as_ref();
    let context = apply::Context {
        fleet: part.fleet.clone(),
        commit: lineage::commit_of(&proposal.before.path, &bytes).await,
        fleet_bytes: Arc::new(bytes),
        clients: proposal.clients.clone(),
        secrets: proposal.before.secrets(&proposal.trust),
        operator: Operator::current(),
        pace: Pace::default(),
        wait_for_lock: if proposal.upkeep {
            Duration::ZERO
        } else {
            WAIT_FOR_LOCK
        },
        journal: state.map(|state| state.join("journal")),
        stop_after: None,
    };
    let (progress, mut steps) = unbounded_channel();
    let running = apply::run(&part.plan, &context, progress, cancel);
    let mut running = std::pin::pin!(running);
    let outcome = loop {
        tokio::select! {
            Some(step) = steps.recv() => tell(Event::Progress(step)),
            outcome = &mut running => break outcome,
        }
    };
    while let Ok(step) = steps.try_recv() {
        tell(Event::Progress(step));
    }
    outcome
}

/// The message under which the fleet file that was written can be committed now; none: it is
/// committed, or in no repository.
pub async fn commit_offer(proposal: &Proposal) -> Option<String> {
    proposal.after.as_ref()?;
    let standing = commit::standing(&proposal.before.path).await;
    matches!(standing, Standing::Changed | Standing::New)
        .then(|| commit::message(&proposal.plan(), &proposal.title))
}

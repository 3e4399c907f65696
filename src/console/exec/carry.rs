//! Makes a change that was confirmed, and tells how it goes.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio_util::sync::CancellationToken;

use super::lock;
use super::prepare::Prepared;
use crate::apply::{self, OperationOutcome, Operator, Pace, Progress};
use crate::console::activity::{Commit, End, Outcome, Step};
use crate::console::message::Message;
use crate::fleet;
use crate::host::secret::SecretSource;
use crate::walk::{FleetFile, commit, fleet_file, lineage};

/// How long apply waits for a lock that somebody else holds.
const WAIT_FOR_LOCK: Duration = Duration::from_secs(30);

/// One change being made.
pub(super) struct Run {
    pub(super) id: u64,
    pub(super) source: Arc<Mutex<FleetFile>>,
    pub(super) secrets: Arc<dyn SecretSource>,
    pub(super) state: Option<PathBuf>,
    pub(super) messages: UnboundedSender<Message>,
    pub(super) cancel: CancellationToken,
}

/// Writes the file, then runs the plan. The file stays when the run fails: it is the wish.
pub(super) async fn carry(ready: Prepared, run: Run) {
    let Run {
        id,
        source,
        secrets,
        state,
        messages,
        cancel,
    } = run;
    let tell = |step| {
        let _ = messages.send(Message::Step(id, step));
    };
    let path = lock(&source).path.clone();
    if let Err(why) = write_file(&path, &ready).await {
        tell(Step::Ended(Outcome {
            exit: 1,
            text: why,
            next: vec!["nothing was changed; look at the file, then try again".into()],
        }));
        return;
    }
    let text = match (&ready.back, &ready.after) {
        (Some(text), _) | (None, Some(text)) => text.clone(),
        (None, None) => ready.before.clone(),
    };
    if ready.after.is_some() {
        {
            let mut source = lock(&source);
            source.source.clone_from(&text);
            source.fleet = ready.fleet.clone();
        }
        let _ = messages.send(Message::Fleet(ready.fleet.clone()));
        tell(Step::Note(format!("{} was written", path.display())));
    }
    // Before anything is done: this process may be killed in the middle.
    // What is taken back to is not what this operator's file descends from.
    if let Some(state) = state.as_ref().filter(|_| ready.back.is_none())
        && let Err(error) = lineage::remember(state, &path, text.as_bytes(), &ready.fleet)
    {
        tell(Step::Note(format!(
            "cannot remember what was applied: {error}"
        )));
    }
    let context = apply::Context {
        fleet: ready.fleet.clone(),
        commit: lineage::commit_of(&path, text.as_bytes()).await,
        fleet_bytes: Arc::new(text.clone().into_bytes()),
        clients: ready.clients.clone(),
        secrets,
        operator: Operator::current(),
        pace: Pace::default(),
        wait_for_lock: WAIT_FOR_LOCK,
        journal: state.as_ref().map(|s| s.join("journal")),
        stop_after: None,
    };
    let (progress, mut steps) = unbounded_channel();
    let run = apply::run(&ready.plan, &context, progress, cancel);
    let mut run = std::pin::pin!(run);
    let outcome = loop {
        tokio::select! {
            Some(step) = steps.recv() => {
                if let Some(step) = step_of(step) {
                    tell(step);
                }
            }
            outcome = &mut run => break outcome,
        }
    };
    while let Ok(step) = steps.try_recv() {
        if let Some(step) = step_of(step) {
            tell(step);
        }
    }
    tell(Step::Named(outcome.run.clone()));
    tell(Step::Ended(told(&outcome, &ready)));
    if ready.after.is_some()
        && matches!(
            commit::standing(&path).await,
            commit::Standing::Changed | commit::Standing::New
        )
    {
        let message = commit::message(&ready.plan, &ready.title);
        tell(Step::Commit(Commit::Offered(message)));
    }
}

async fn write_file(path: &std::path::Path, ready: &Prepared) -> Result<(), String> {
    let (path, before) = (path.to_owned(), ready.before.clone());
    let after = ready.after.clone();
    let work = move || match after {
        Some(after) => {
            fleet_file::write(&path, before.as_bytes(), after.as_bytes()).map_err(|e| e.to_string())
        }
        // The plan is of the file as it was read: it must still be that.
        None => match std::fs::read(&path) {
            Ok(now) if now == before.as_bytes() => Ok(()),
            Ok(_) => Err(format!("{} was changed meanwhile", path.display())),
            Err(e) => Err(format!("cannot read {}: {e}", path.display())),
        },
    };
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|_| Err("writing the file failed".into()))
}

fn step_of(progress: Progress) -> Option<Step> {
    Some(match progress {
        Progress::Started { id } => Step::Started(id.0),
        Progress::Step { id, text } => Step::Says(id.0, text),
        Progress::Finished { id, outcome, .. } => {
            let end = match outcome {
                OperationOutcome::Done { .. } => End::Done,
                OperationOutcome::Failed { failure } => {
                    let mut text = failure.why;
                    for line in failure.remedy.iter().chain(&failure.lines) {
                        text.push('\n');
                        text.push_str(line);
                    }
                    End::Failed(text)
                }
                OperationOutcome::Skipped { because } => End::Skipped(because),
                OperationOutcome::Undone => End::Undone("a later step of the site failed".into()),
            };
            Step::Finished(id.0, end)
        }
        Progress::Host { host, state } => match state {
            apply::HostProgress::Locking
            | apply::HostProgress::Running
            | apply::HostProgress::Done => return None,
            apply::HostProgress::Waiting { holder } => Step::Note(format!(
                "{host} is locked by {} at {}: waiting",
                holder.who, holder.whence
            )),
            apply::HostProgress::Failed { failure } => Step::Note(format!("{host}: {failure}")),
        },
        Progress::Note { host, text } => Step::Note(match host {
            Some(host) => format!("{host}: {text}"),
            None => text,
        }),
    })
}

/// How it ended, and what to do next.
fn told(outcome: &apply::Outcome, ready: &Prepared) -> Outcome {
    let (done, all) = (outcome.done(), outcome.operations.len());
    let exit = outcome.exit_code();
    let mut next = Vec::new();
    let text = match exit {
        0 => format!("done: {done} of {all} operations"),
        _ if outcome.cancelled => format!("stopped: {done} of {all} operations were done"),
        1 => "nothing was done".to_owned(),
        _ => format!(
            "in part: {done} of {all} operations done, {} failed",
            outcome.failed()
        ),
    };
    if exit == 0 {
        for site in ready
            .plan
            .operations
            .iter()
            .filter_map(|o| o.site.as_ref())
            .collect::<BTreeSet<_>>()
        {
            if let Some(site) = ready.fleet.sites.get(site)
                && site.state == fleet::SiteState::Running
                && let Some(domain) = site.domains.first()
            {
                let port = ready
                    .fleet
                    .hosts
                    .get(&site.host)
                    .map_or(80, |h| h.ports.http);
                let port = if port == 80 {
                    String::new()
                } else {
                    format!(":{port}")
                };
                next.push(format!("{}: http://{domain}{port}/", site.name));
            }
        }
        next.truncate(5);
    } else {
        for (host, failure) in &outcome.hosts {
            next.push(format!("{host}: {}", failure.why));
            next.extend(failure.remedy.clone());
        }
        for (_, site) in &outcome.rolled_back {
            next.push(format!("{site} was taken back to what it was"));
        }
        if ready.after.is_some() {
            next.push(
                "the fleet file keeps the change: it is the wish; p shows what is left".into(),
            );
        } else {
            next.push("p shows what is left; applying again goes on from there".into());
        }
    }
    Outcome { exit, text, next }
}

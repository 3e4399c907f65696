//! Makes a change that was confirmed, and tells how it goes.

use std::sync::{Arc, Mutex};

use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio_util::sync::CancellationToken;

use crate::apply::{HostProgress, OperationOutcome, Progress};
use crate::console::activity::{Commit, End, Outcome, Step};
use crate::console::lock::lock;
use crate::console::message::Message;
use crate::walk::carry::{Event, carry as carry_out, commit_offer};
use crate::walk::{FleetFile, Proposal, outcome};

/// One change being made.
pub(super) struct Run {
    pub(super) id: u64,
    pub(super) source: Arc<Mutex<FleetFile>>,
    pub(super) messages: UnboundedSender<Message>,
    pub(super) cancel: CancellationToken,
}

/// Carries out a proposal.
pub(super) async fn carry(ready: Proposal, run: Run) {
    let tell = |step| {
        let _ = run.messages.send(Message::Step(run.id, step));
    };
    let (events, mut heard) = unbounded_channel();
    let carrying = Box::pin(carry_out(&ready, false, events, run.cancel.clone()));
    // Ends with what is carried out: nobody else holds the other end.
    let hearing = async {
        while let Some(event) = heard.recv().await {
            if let Event::Written(file) = &event {
                *lock(&run.source) = file.clone();
                let _ = run.messages.send(Message::Fleet(file.fleet.clone()));
            }
            if let Some(step) = step_of(event) {
                tell(step);
            }
        }
    };
    let (carried, ()) = futures_util::join!(carrying, hearing);
    tell(Step::Ended(match &carried {
        Ok(carried) => Outcome {
            exit: carried.exit,
            text: outcome::line(carried, &ready),
            next: outcome::next(carried, &ready),
        },
        Err(error) => Outcome {
            exit: 1,
            text: error.to_string(),
            next: vec!["nothing was changed; look at the file, then try again".into()],
        },
    }));
    if carried.is_ok()
        && let Some(message) = commit_offer(&ready).await
    {
        tell(Step::Commit(Commit::Offered(message)));
    }
}

fn step_of(event: Event) -> Option<Step> {
    Some(match event {
        Event::Written(file) => Step::Note(format!("{} was written", file.path.display())),
        Event::Committed(name) => Step::Note(format!("committed: {name}")),
        Event::Note(text) => Step::Note(text),
        Event::Began(_) => return None,
        Event::Ended(_, outcome) => Step::Named(outcome.run),
        Event::Progress(progress) => return progressed(progress),
    })
}

fn progressed(progress: Progress) -> Option<Step> {
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
            HostProgress::Locking | HostProgress::Running | HostProgress::Done => return None,
            HostProgress::Waiting { holder } => Step::Note(format!(
                "{host} is locked by {} at {}: waiting",
                holder.who, holder.whence
            )),
            HostProgress::Failed { failure } => Step::Note(format!("{host}: {failure}")),
        },
        Progress::Note { host, text } => Step::Note(match host {
            Some(host) => format!("{host}: {text}"),
            None => text,
        }),
    })
}

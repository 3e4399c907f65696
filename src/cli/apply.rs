//! `ostler apply`

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::args::ApplyArgs;
use super::confirm::{Ask, confirm};
use super::context::Context;
use super::walk::{self, Planned, Wish};
use super::{Exit, Failure, config, planned, progress};
use crate::apply::{self, Operator, Outcome, Pace};
use crate::plan::Plan;
use crate::walk::FleetFile;
use crate::walk::lineage;
use crate::walk::saved::{MadeFrom, Saved};

/// How long apply waits for a lock that somebody else holds.
const WAIT_FOR_LOCK: Duration = Duration::from_secs(30);

/// Shows the plan, asks, and makes it so.
pub async fn run(context: &Context, args: &ApplyArgs) -> Result<Exit, Failure> {
    context.may_change("apply")?;
    let saved = args.file.as_deref().map(read).transpose()?;
    let mut context = context.clone();
    if let Some(saved) = &saved {
        if !context.global.only.is_empty() && context.global.only != saved.only {
            return Err(Failure::new(
                "--only cannot change what a saved plan is about",
            ));
        }
        context.global.only.clone_from(&saved.only);
    }
    let file = context.load()?;
    let wish = Wish {
        selection: context.select()?,
        stop_unknown: args.stop_unknown || saved.as_ref().is_some_and(|s| s.stop_unknown),
        ..Wish::default()
    };
    let mut made = walk::plan(&context, &file, &wish).await?;
    if let Some(saved) = saved {
        let from = MadeFrom::of(&file.fleet, &made.seen.observed);
        let moved = saved.moved(&made.plan, &from);
        if !moved.is_empty() {
            return Err(Failure::new(format!(
                "this plan was made at {} and is stale:\n  {}",
                saved.made_at,
                moved.join("\n  ")
            ))
            .help("plan again: `ostler plan --out FILE`; nothing was changed"));
        }
        made.plan = saved.plan;
    }
    let how = How {
        yes: args.yes,
        ask: Ask::Yes,
        json: args.json.json,
    };
    carry_out(&context, &file, &made, &how).await
}

fn read(path: &Path) -> Result<Saved, Failure> {
    let bytes = std::fs::read(path)
        .map_err(|error| Failure::new(format!("cannot read {}: {error}", path.display())))?;
    Saved::from_bytes(&bytes).map_err(|error| Failure::new(format!("{}: {error}", path.display())))
}

/// How a plan is confirmed and its outcome told.
#[derive(Debug, Clone, Copy)]
pub struct How<'a> {
    /// Do not ask.
    pub yes: bool,
    /// What has to be typed otherwise.
    pub ask: Ask<'a>,
    /// Tell the outcome in JSON.
    pub json: bool,
}

/// Shows a plan, asks, runs it, and says how it ended.
pub async fn carry_out(
    context: &Context,
    file: &FleetFile,
    made: &Planned,
    how: &How<'_>,
) -> Result<Exit, Failure> {
    if let Some(warning) = &made.uncommitted {
        context.out.warn(warning);
    }
    let shown = planned::render(&made.plan, context.out.colour);
    match how.json {
        true => context.out.say(&shown),
        false => context.out.text(&shown)?,
    }
    if made.plan.operations.is_empty() {
        if how.json {
            context.out.json(&Outcome::default())?;
        }
        return Ok(match made.plan.problems.is_empty() {
            true => Exit::Done,
            false => Exit::Error,
        });
    }
    if !confirm(&context.out, "Apply this?", how.ask, how.yes).await? {
        return Ok(Exit::Error);
    }
    execute(context, file, made, how.json).await
}

/// Runs a plan that was agreed to, and says how it ended.
pub async fn execute(
    context: &Context,
    file: &FleetFile,
    made: &Planned,
    json: bool,
) -> Result<Exit, Failure> {
    remember(context, file);
    let outcome = watch(context, file, made).await?;
    match json {
        true => context.out.json(&outcome)?,
        false => {
            let shown = progress::summary(&made.plan, &outcome, context.out.colour);
            context.out.text(&shown)?;
        }
    }
    Ok(match outcome.exit_code() {
        0 if made.plan.problems.is_empty() => Exit::Done,
        1 => Exit::Error,
        _ => Exit::Partial,
    })
}

/// Remembers that this version of the file is applied, so that a later one is known to descend
/// from it. Before anything is done: this process may be killed in the middle.
fn remember(context: &Context, file: &FleetFile) {
    let Some(state) = config::state_directory() else {
        return;
    };
    let bytes = file.source.as_bytes();
    if let Err(error) = lineage::remember(&state, &file.path, bytes, &file.fleet) {
        let state = state.display();
        context.out.warn(&format!(
            "cannot remember in {state} what was applied: {error}"
        ));
    }
}

/// Runs a plan and shows its progress. The first Ctrl-C or SIGTERM lets what runs end and starts
/// nothing more, as does a terminal that goes away; the second leaves at once.
pub(super) async fn watch(
    context: &Context,
    file: &FleetFile,
    made: &Planned,
) -> Result<Outcome, Failure> {
    let plan: &Plan = &made.plan;
    let ground = ground(file, made).await;
    let (sender, mut events) = tokio::sync::mpsc::unbounded_channel();
    let cancel = CancellationToken::new();
    let mut view = progress::View::new(&context.out, plan);
    let mut signals = Signals::new()?;
    let mut run = std::pin::pin!(apply::run(plan, &ground, sender, cancel.clone()));
    let outcome = loop {
        tokio::select! {
            Some(event) = events.recv() => view.show(event),
            outcome = &mut run => break outcome,
            stop = signals.next() => {
                // A terminal that is gone hangs up, and so may the shell on it: nobody insists.
                if stop == Stop::Hangup {
                    cancel.cancel();
                    continue;
                }
                view.end();
                if cancel.is_cancelled() {
                    return Err(Failure::new("left in the middle")
                        .help("`ostler plan` shows what is left; the next apply goes on from there"));
                }
                context.out.say("stopping: what runs now ends first; once more to leave at once");
                cancel.cancel();
            }
        }
    };
    while let Ok(event) = events.try_recv() {
        view.show(event);
    }
    view.end();
    if context.global.verbose > 0 {
        for (host, client) in &made.seen.clients {
            let gate = client.gate();
            context.out.say(&format!(
                "{host}: {} reading, {} changing calls, {} commands in containers",
                gate.reading(),
                gate.changing(),
                gate.exec()
            ));
        }
    }
    Ok(outcome)
}

async fn ground(file: &FleetFile, made: &Planned) -> apply::Context {
    let bytes = file.source.clone().into_bytes();
    apply::Context {
        fleet: file.fleet.clone(),
        commit: lineage::commit_of(&file.path, &bytes).await,
        fleet_bytes: Arc::new(bytes),
        clients: made.seen.clients.clone(),
        secrets: file.secrets(),
        operator: Operator::current(),
        pace: Pace::default(),
        wait_for_lock: WAIT_FOR_LOCK,
        journal: journal(),
        stop_after: None,
    }
}

/// The operator's own folder of journals.
fn journal() -> Option<PathBuf> {
    config::state_directory().map(|state| state.join("journal"))
}

/// Wishes to stop, from the keyboard and from outside.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Option<Signal>,
}

/// What is wished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// By somebody.
    Asked,
    /// The terminal is gone.
    Hangup,
}

/// Whether whoever started us wants us to go on without the terminal, as `nohup` does. Where that
/// is not known, nothing is done about a hangup.
fn outlives_terminal() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|l| l.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    // The first bit is signal 1.
    ignored.is_none_or(|mask| mask & 1 == 1)
}

impl Signals {
    fn new() -> Result<Self, Failure> {
        let listen = |kind| {
            signal(kind).map_err(|error| Failure::caused("cannot listen for signals", &error))
        };
        Ok(Signals {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hangup: match outlives_terminal() {
                true => None,
                false => Some(listen(SignalKind::hangup())?),
            },
        })
    }

    async fn next(&mut self) -> Stop {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => Stop::Asked,
            _ = self.terminate.recv() => Stop::Asked,
            _ = hangup => Stop::Hangup,
        }
    }
}

//! `ostler tend`: what is due by itself, such as certificates, for a timer. Nobody is asked, and nobody
//! is waited for: what cannot be done now is done by a later pass. What somebody has to be told goes out.

mod alerts;
mod metrics;

use serde::Serialize;

use super::args::TendArgs;
use super::confirm::Ask;
use super::context::Context;
use super::walk::{self, How};
use super::{Exit, Failure};
use crate::apply::{OperationOutcome, Outcome};
use crate::file;
use crate::fleet::Name;
use crate::observe::model::HostObservation;
use crate::text;
use crate::verdict::alert::Alert;
use crate::walk::look::Sites;
use crate::walk::{Proposal, Wish, tended};

/// What a pass came to, as `--json` tells it.
#[derive(Debug, Serialize)]
struct Told {
    /// What was done, and how it ended.
    done: Vec<Done>,
    /// What could not be looked at, a line each.
    away: Vec<String>,
    /// What stands that somebody has to be told.
    alerts: Vec<Alert>,
    /// Ways by which alerts did not go out, and why, a line each.
    untold: Vec<String>,
    exit: u8,
}

#[derive(Debug, Serialize)]
struct Done {
    host: String,
    site: Option<String>,
    what: String,
    /// `done`, `failed`, `skipped`.
    outcome: &'static str,
    /// What is worth knowing of it, or why it failed.
    note: Option<String>,
}

/// Does what is due, and says only what is worth a line in a log.
pub async fn run(context: &Context, args: &TendArgs) -> Result<Exit, Failure> {
    let file = context.load()?;
    let wish = Wish {
        title: "tend".to_owned(),
        ask: crate::walk::Ask::Tend,
        sites: Sites::Selected(context.select()?),
        ..Wish::default()
    };
    let proposal = walk::propose(context, &file, wish).await?;
    let away = away(&proposal);
    for line in &away {
        context.out.warn(line);
    }
    let how = How {
        question: "",
        yes: true,
        ask: Ask::Yes,
        json: args.json.json,
        commit: false,
    };
    let sites = context.select()?;
    let (outcome, mut exit) = match proposal.is_idle() {
        true => (Outcome::default(), Exit::Done),
        false => {
            let carried = walk::carry_out(context, &proposal, &how).await?;
            let exit = walk::exit(&carried);
            let mut outcomes = carried.outcomes.into_iter().flatten();
            (outcomes.next().unwrap_or_default(), exit)
        }
    };
    // A host that is away, or whose lock somebody holds, is tried by the next pass.
    if exit == Exit::Error || (exit == Exit::Done && !away.is_empty()) {
        exit = Exit::Partial;
    }
    let seen = alerts::see(context, &file, &proposal, &sites).await;
    let told = alerts::tell(context, &file, &seen, args.json.json).await?;
    let mut failed = !told.untold.is_empty();
    let unnoted = tended::note(&file.fleet, &seen.observed, &proposal.clients, seen.now).await;
    for line in &unnoted {
        context.out.warn(&text::line(line));
        failed = true;
    }
    if let Some(path) = &args.metrics {
        let text = metrics::text(&file.fleet, &seen, &told.standing);
        if let Err(error) = file::publish(path, text.as_bytes()) {
            let path = path.display();
            context.out.warn(&format!("cannot write {path}: {error}"));
            failed = true;
        }
    }
    if failed && exit == Exit::Done {
        exit = Exit::Partial;
    }
    if args.json.json {
        let done = done(&proposal, &outcome);
        let exit = exit.code();
        context.out.json(&Told {
            done,
            away,
            alerts: told.standing,
            untold: told.untold,
            exit,
        })?;
    } else if proposal.is_idle() && away.is_empty() {
        context.out.line("Nothing is due.")?;
    }
    Ok(exit)
}

/// What could not be looked at: hosts that do not answer, whether or not there is anything to do there.
fn away(proposal: &Proposal) -> Vec<String> {
    let plan = proposal.plan();
    let problems = plan.problems.iter();
    let mut told: Vec<(&Name, &str)> = problems.map(|it| (&it.host, it.what.as_str())).collect();
    for (host, found) in &proposal.observed.hosts {
        if let HostObservation::Unreachable { why } = found
            && !told.iter().any(|(it, _)| *it == host)
        {
            told.push((host, why));
        }
    }
    let lines = told
        .iter()
        .map(|(host, what)| format!("{host}: {}", text::line(what)));
    lines.collect()
}

fn done(proposal: &Proposal, outcome: &Outcome) -> Vec<Done> {
    let plan = proposal.plan();
    let each = plan.operations.iter().map(|operation| {
        let ended = outcome.operations.get(&operation.id);
        let (outcome, note) = match ended.map(|ended| &ended.outcome) {
            Some(OperationOutcome::Done { note }) => ("done", note.clone()),
            Some(OperationOutcome::Failed { failure }) => ("failed", Some(failure.why.clone())),
            Some(OperationOutcome::Skipped { because }) => ("skipped", Some(because.clone())),
            Some(OperationOutcome::Undone) => ("undone", None),
            None => ("skipped", None),
        };
        Done {
            host: operation.host.to_string(),
            site: operation.site.as_ref().map(ToString::to_string),
            what: operation.kind.describe(),
            outcome,
            note,
        }
    });
    each.collect()
}

//! Asks for a proposal, shows it, asks whether to, and tells how carrying it out goes.

use tokio::sync::mpsc::unbounded_channel;
use tokio_util::sync::CancellationToken;

use super::confirm::{Ask, confirm};
use super::context::Context;
use super::signals::{Signals, Stop};
use super::style::Style;
use super::{Exit, Failure, planned, progress};
use crate::apply::Outcome;
use crate::fleet::{DiffLine, EditError};
use crate::text;
use crate::walk::carry::{Carried, Event, carry};
use crate::walk::{FleetFile, FleetFileError, Outset, Proposal, Refusal, Wish};

/// How a proposal is confirmed and its outcome told.
#[derive(Debug, Clone, Copy)]
pub struct How<'a> {
    /// What is asked.
    pub question: &'a str,
    /// Do not ask.
    pub yes: bool,
    /// What has to be typed otherwise.
    pub ask: Ask<'a>,
    /// Tell the outcome in JSON.
    pub json: bool,
    /// Commit the fleet file where it is written.
    pub commit: bool,
}

/// Works out what a wish would do.
pub async fn propose(context: &Context, file: &FleetFile, wish: Wish) -> Result<Proposal, Failure> {
    proposed(context, context.outset(file), wish).await
}

/// The same from what is known already.
pub async fn proposed(context: &Context, outset: Outset, wish: Wish) -> Result<Proposal, Failure> {
    let file = outset.file.clone();
    let proposing = Box::pin(outset.propose(wish));
    proposing.await.map_err(|refusal| match &refusal {
        Refusal::Edit(error) => refused(context, &file, error),
        refusal => {
            let failure = Failure::of(refusal);
            match refusal.help() {
                Some(help) => failure.help(help),
                None => failure,
            }
        }
    })
}

/// Why an edit was not made, with the place in the file where that helps.
pub fn refused(context: &Context, file: &FleetFile, error: &EditError) -> Failure {
    match error {
        EditError::Invalid { findings, text } => {
            context.show_findings(findings, text, &file.path);
            Failure::new("the fleet file would have errors; nothing was written")
        }
        EditError::Broken(findings) => context.unusable(FleetFileError::Broken {
            path: file.path.clone(),
            text: file.source.clone(),
            findings: findings.clone(),
        }),
        error => Failure::of(error).help("nothing was written"),
    }
}

/// A difference of the fleet file, line by line.
pub fn render_diff(lines: &[DiffLine], colour: bool) -> String {
    let mut shown = String::new();
    for line in lines {
        let style = match line {
            DiffLine::Added(_) => Style::Good,
            DiffLine::Removed(_) => Style::Bad,
            DiffLine::Context(_) => Style::Plain,
            DiffLine::Skipped(_) => Style::Dim,
        };
        let line = style.paint(&text::line(&line.to_string()), colour);
        shown.push_str(&format!("  {line}\n"));
    }
    shown
}

/// What is shown before it is asked for goes where an answer in JSON does not.
pub fn show(context: &Context, json: bool, shown: &str) -> Result<(), Failure> {
    match json {
        true => context.out.say(shown),
        false => context.out.text(shown)?,
    }
    Ok(())
}

/// Shows a proposal, asks, carries it out, and says how it ended.
pub async fn go(context: &Context, proposal: &Proposal, how: &How<'_>) -> Result<Exit, Failure> {
    if let Some(warning) = &proposal.uncommitted {
        context.out.warn(warning);
    }
    let colour = context.out.colour;
    let mut shown = String::new();
    if proposal.after.is_some() {
        let lines = render_diff(&proposal.diff, colour);
        shown.push_str(&format!("{}:\n{lines}\n", proposal.before.path.display()));
    }
    for part in &proposal.parts {
        shown.push_str(&planned::render(
            &part.plan,
            colour,
            context.global.verbose > 0,
        ));
    }
    show(context, how.json, &shown)?;
    if proposal.is_idle() && proposal.after.is_none() {
        if how.json {
            context.out.json(&Outcome::default())?;
        }
        let compared = proposal.plan().uncompared.is_empty();
        return Ok(match proposal.is_whole() && compared {
            true => Exit::Done,
            false => Exit::Error,
        });
    }
    if !confirm(&context.out, how.question, how.ask, how.yes).await? {
        return Ok(Exit::Error);
    }
    let carried = carry_out(context, proposal, how).await?;
    if how.json {
        let outcome = carried.outcomes.iter().flatten().next();
        context.out.json(&outcome.unwrap_or(&Outcome::default()))?;
    }
    if carried.written && !carried.outcomes.is_empty() && carried.exit != 0 {
        say_kept(context);
    }
    Ok(exit(&carried))
}

/// The end that the shell sees.
pub fn exit(carried: &Carried) -> Exit {
    match carried.exit {
        0 => Exit::Done,
        1 => Exit::Error,
        _ => Exit::Partial,
    }
}

fn say_kept(context: &Context) {
    context
        .out
        .say("the fleet file keeps the change: it says what should be");
}

/// Carries out what was agreed to and shows how it goes. The first Ctrl-C or SIGTERM lets what runs
/// end and starts nothing more, as does a terminal that goes away; the second leaves at once.
pub async fn carry_out(
    context: &Context,
    proposal: &Proposal,
    how: &How<'_>,
) -> Result<Carried, Failure> {
    let (tell, mut events) = unbounded_channel();
    let cancel = CancellationToken::new();
    let mut signals = Signals::new()?;
    let mut telling = Telling {
        context,
        proposal,
        json: how.json,
        view: None,
        written: false,
        shown: Ok(()),
    };
    let mut carrying = Box::pin(carry(proposal, how.commit, tell, cancel.clone()));
    let carried = loop {
        tokio::select! {
            Some(event) = events.recv() => telling.take(event),
            carried = &mut carrying => break carried,
            stop = signals.next() => {
                // A terminal that is gone hangs up, and so may the shell on it: nobody insists.
                if stop == Stop::Hangup {
                    cancel.cancel();
                    continue;
                }
                telling.end();
                if cancel.is_cancelled() {
                    if telling.written {
                        say_kept(context);
                    }
                    return Err(Failure::new("left in the middle")
                        .help("`ostler plan` shows what is left; the next apply goes on from there"));
                }
                context.out.say("stopping: what runs now ends first; once more to leave at once");
                cancel.cancel();
            }
        }
    };
    while let Ok(event) = events.try_recv() {
        telling.take(event);
    }
    if context.global.verbose > 0 {
        for (host, client) in &proposal.clients {
            let gate = client.gate();
            context.out.say(&format!(
                "{host}: {} reading, {} changing calls, {} commands in containers",
                gate.reading(),
                gate.changing(),
                gate.exec()
            ));
        }
    }
    let carried = carried?;
    telling.shown?;
    Ok(carried)
}

/// Shows what happens while something is carried out.
struct Telling<'a> {
    context: &'a Context,
    proposal: &'a Proposal,
    json: bool,
    view: Option<progress::View<'a>>,
    written: bool,
    /// Whether answers could be written: work goes on where nobody can read of it.
    shown: Result<(), Failure>,
}

impl Telling<'_> {
    fn take(&mut self, event: Event) {
        let out = &self.context.out;
        let plan = |number: usize| self.proposal.parts.get(number).map(|part| &*part.plan);
        match event {
            Event::Written(file) => {
                self.written = true;
                out.say(&format!("written: {}", file.path.display()));
            }
            Event::Committed(name) => out.say(&format!("committed: {name}")),
            Event::Note(text) => out.warn(&text),
            Event::Began(number) => {
                self.view = plan(number).map(|plan| progress::View::new(out, plan));
            }
            Event::Progress(progress) => {
                if let Some(view) = &mut self.view {
                    view.show(progress);
                }
            }
            Event::Ended(number, outcome) => {
                self.end();
                if let Some(plan) = plan(number).filter(|_| !self.json) {
                    let told = out.text(&progress::summary(plan, &outcome, out.colour));
                    if self.shown.is_ok() {
                        self.shown = told;
                    }
                }
            }
        }
    }

    fn end(&self) {
        if let Some(view) = &self.view {
            view.end();
        }
    }
}

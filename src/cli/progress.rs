//! What apply does, line by line on standard error, and how it ended.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{IsTerminal, Write};
use std::time::Duration;

use super::out::Out;
use super::planned::place;
use super::style::Style;
use crate::apply::{HostProgress, OperationOutcome, Outcome, Progress};
use crate::plan::{Operation, OperationId, OperationKind, Plan, show};
use crate::text::{self, count};

/// Shows progress as it comes.
pub struct View<'a> {
    out: &'a Out,
    operations: BTreeMap<&'a OperationId, &'a Operation>,
    /// What runs now, with the last thing it said.
    running: BTreeMap<OperationId, String>,
    /// What was begun and has ended, one way or the other.
    ended: BTreeSet<OperationId>,
    /// Standard error is a terminal: what runs now is shown on a line of its own.
    live: bool,
}

impl<'a> View<'a> {
    /// For one run of a plan.
    pub fn new(out: &'a Out, plan: &'a Plan) -> Self {
        View {
            out,
            operations: plan.operations.iter().map(|o| (&o.id, o)).collect(),
            running: BTreeMap::new(),
            ended: BTreeSet::new(),
            live: std::io::stderr().is_terminal(),
        }
    }

    /// Shows one event.
    pub fn show(&mut self, event: Progress) {
        match event {
            Progress::Started { id } => {
                self.running.insert(id, String::new());
            }
            Progress::Step { id, text } => {
                // Without a terminal a pull would fill a log with percentages.
                if self.live {
                    self.running.insert(id, text);
                }
            }
            Progress::Finished { id, outcome, took } => {
                self.running.remove(&id);
                if !matches!(outcome, OperationOutcome::Skipped { .. }) {
                    self.ended.insert(id.clone());
                }
                self.finished(&id, &outcome, took);
            }
            Progress::Host { host, state } => match state {
                HostProgress::Waiting { holder } => {
                    self.say(&format!("  {host}: waiting for the lock: {holder}"));
                }
                HostProgress::Failed { failure } => {
                    let mark = Style::Bad.paint("✖", self.out.colour_err);
                    self.say(&format!("{mark} {host}: {}", text::line(&failure.why)));
                }
                HostProgress::Locking | HostProgress::Running | HostProgress::Done => {}
            },
            Progress::Note { host, text } => {
                let at = host.map_or(String::new(), |h| format!("{h}: "));
                self.say(&format!("▲ {at}{}", text::line(&text)));
            }
        }
        self.status();
    }

    fn finished(&mut self, id: &OperationId, outcome: &OperationOutcome, took: Duration) {
        let Some(operation) = self.operations.get(id).copied() else {
            return;
        };
        let at = place(&operation.host, operation.site.as_ref());
        let what = text::line(&operation.kind.describe());
        let (mark, style, more) = match outcome {
            OperationOutcome::Done { note } => {
                let note = note
                    .as_ref()
                    .map_or(String::new(), |n| format!("; {}", text::line(n)));
                (
                    "✔",
                    Style::Good,
                    format!(" ({}{note})", text::took_in_words(took.as_millis() as u64)),
                )
            }
            OperationOutcome::Failed { failure } => {
                ("✖", Style::Bad, format!(": {}", text::line(&failure.why)))
            }
            OperationOutcome::Undone => ("↶", Style::Warn, ": taken back".into()),
            // Said once, in the summary.
            OperationOutcome::Skipped { .. } => return,
        };
        let mark = style.paint(mark, self.out.colour_err);
        let (n, of) = (self.ended.len(), self.operations.len());
        self.say(&format!(
            "{mark} [{n:>width$}/{of}] {at}: {what}{more}",
            width = of.to_string().len()
        ));
    }

    /// A line that stays.
    fn say(&self, line: &str) {
        self.wipe();
        self.out.say(line);
    }

    fn wipe(&self) {
        if self.live {
            let _ = write!(std::io::stderr().lock(), "\r\x1b[K");
        }
    }

    /// The line about what runs now.
    fn status(&self) {
        if !self.live || self.running.is_empty() {
            return;
        }
        let mut line = format!("… {} running: ", self.running.len());
        if let Some((id, step)) = self.running.iter().max_by_key(|(_, step)| !step.is_empty()) {
            let what = self.operations.get(id).map_or(String::new(), |o| {
                let at = place(&o.host, o.site.as_ref());
                format!("{at}: {}", o.kind.describe())
            });
            line.push_str(&what);
            if !step.is_empty() {
                line.push_str(&format!(": {step}"));
            }
        }
        let columns = crossterm::terminal::size().map_or(80, |(columns, _)| columns);
        let line: String = text::line(&line)
            .chars()
            .take(usize::from(columns).max(2) - 1)
            .collect();
        let mut err = std::io::stderr().lock();
        let _ = write!(err, "\r\x1b[K{line}");
        let _ = err.flush();
    }

    /// Nothing more will come.
    pub fn end(&self) {
        self.wipe();
    }
}

/// How an apply ended: what was done; what failed, why, and the last lines of its log; what was not
/// done; what to do next.
pub fn summary(plan: &Plan, outcome: &Outcome, colour: bool) -> String {
    let mut shown = String::new();
    let by_id: BTreeMap<&OperationId, &Operation> =
        plan.operations.iter().map(|o| (&o.id, o)).collect();
    for (host, failure) in &outcome.hosts {
        let mark = Style::Bad.paint("✖", colour);
        shown.push_str(&format!("{mark} {host}: {}\n", text::line(&failure.why)));
        push_failure(&mut shown, failure);
    }
    for operation in &plan.operations {
        let Some(ended) = outcome.operations.get(&operation.id) else {
            continue;
        };
        let OperationOutcome::Failed { failure } = &ended.outcome else {
            continue;
        };
        let at = place(&operation.host, operation.site.as_ref());
        let mark = Style::Bad.paint("✖", colour);
        let what = text::line(&by_id[&operation.id].kind.describe());
        shown.push_str(&format!(
            "{mark} {at}: {what}: {}\n",
            text::line(&failure.why)
        ));
        push_failure(&mut shown, failure);
        let back = operation.site.as_ref().is_some_and(|site| {
            outcome
                .rolled_back
                .iter()
                .any(|(h, s)| *h == operation.host && s == site)
        });
        if back {
            shown.push_str(
                "    what was done for it has been taken back; what served before still serves\n",
            );
        }
    }
    if !shown.is_empty() {
        shown.push('\n');
    }
    let took = text::took_in_words(outcome.took_ms);
    let tally = outcome.tally();
    let words = tally.words("not known");
    let line = match (outcome.is_complete(), outcome.cancelled) {
        (true, _) => format!("Applied: {} in {took}.", count(tally.done, "operation")),
        (false, true) => format!("Stopped: {words}, in {took}."),
        (false, false) if tally.done == 0 => format!("Nothing was applied: {words}, in {took}."),
        (false, false) => format!("Partly applied: {words}, in {took}."),
    };
    shown.push_str(&line);
    shown.push('\n');
    let left = left_alone(plan, outcome);
    if !left.is_empty() {
        shown.push_str(&format!("Left as they are: {}.\n", left.join(", ")));
    }
    let pull = |o: &Operation| matches!(o.kind, OperationKind::PullImage { anew: true, .. });
    if !outcome.is_complete() {
        shown.push_str(match plan.careful || plan.operations.iter().all(pull) {
            true => "Next: mend what failed, then run `ostler update` again: it goes on with what is left.\n",
            false => "Next: mend what failed, then run `ostler apply` again: it goes on where this one ended. `ostler plan` shows what is left.\n",
        });
    }
    shown
}

/// What a careful plan did not begin after a failure.
fn left_alone(plan: &Plan, outcome: &Outcome) -> Vec<String> {
    if !plan.careful {
        return Vec::new();
    }
    let begun = |o: &&Operation| {
        let ended = outcome.operations.get(&o.id).map(|ended| &ended.outcome);
        !matches!(ended, None | Some(OperationOutcome::Skipped { .. }))
    };
    let groups = show::groups(plan);
    let sites = groups.iter().filter(|group| group.site.is_some());
    let left = sites.filter(|group| !group.operations.iter().any(begun));
    left.map(|group| place(group.host, group.site)).collect()
}

fn push_failure(shown: &mut String, failure: &crate::apply::Failure) {
    for line in &failure.lines {
        shown.push_str(&format!("    │ {}\n", text::line(line)));
    }
    if let Some(remedy) = &failure.remedy {
        shown.push_str(&format!("    → {}\n", text::line(remedy)));
    }
}

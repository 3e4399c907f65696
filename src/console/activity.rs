//! What is being applied, and was in this run of the console.

use std::collections::HashMap;

use crate::apply::progress::Tally;
use crate::plan::Plan;
use crate::plan::operation::OperationId;
use crate::text::clean;

/// What an apply tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// An operation began.
    Started(String),
    /// It says how far it is.
    Says(String, String),
    /// It ended.
    Finished(String, End),
    /// Something about the whole.
    Note(String),
    /// Its name in the journals.
    Named(String),
    /// The apply ended; what to do next, in words.
    Ended(Outcome),
    /// The fleet file that was written for it, in git.
    Commit(Commit),
}

/// The fleet file in git, after it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Commit {
    /// It is not committed, and can be, with this message.
    Offered(String),
    /// It is being committed.
    Running,
    /// It was committed, under this name.
    Done(String),
    /// It was not; why.
    Failed(String),
}

/// How an operation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    Done,
    Failed(String),
    /// Not begun, because one before it failed.
    Skipped(String),
    /// Done, then taken back.
    Undone(String),
}

/// How an apply ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// 0, 1 or 3.
    pub exit: u8,
    /// One line.
    pub text: String,
    /// What to do next, a line each.
    pub next: Vec<String>,
}

/// Where an operation stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// Not begun.
    Waiting,
    /// Begun.
    Running,
    Ended(End),
}

/// One operation of an apply.
#[derive(Debug, Clone)]
pub struct OperationLine {
    pub host: String,
    /// Site; empty: the host itself.
    pub site: String,
    /// What it does.
    pub what: String,
    /// Where it stands.
    pub progress: Progress,
    /// What it said last.
    pub says: String,
    /// When it began, milliseconds.
    pub began: i64,
    pub ended: i64,
}

/// One apply.
#[derive(Debug, Clone)]
pub struct Run {
    /// Its number.
    pub id: u64,
    /// What was asked.
    pub title: String,
    /// Its operations, in the plan's order.
    pub lines: Vec<OperationLine>,
    by_id: HashMap<String, usize>,
    pub notes: Vec<String>,
    /// When it began, milliseconds.
    pub began: i64,
    pub ended: Option<i64>,
    pub outcome: Option<Outcome>,
    /// Its name in the journals, once it is known.
    pub names: Vec<String>,
    /// The fleet file in git, where it was written for this.
    pub commit: Option<Commit>,
}

impl Run {
    /// An apply that begins now.
    pub fn new(id: u64, title: String, plan: &Plan, now: i64) -> Run {
        let mut lines = Vec::with_capacity(plan.operations.len());
        let mut by_id = HashMap::new();
        for operation in &plan.operations {
            let OperationId(name) = &operation.id;
            by_id.insert(name.clone(), lines.len());
            lines.push(OperationLine {
                host: operation.host.to_string(),
                site: operation
                    .site
                    .as_ref()
                    .map(|s| s.to_string())
                    .unwrap_or_default(),
                what: super::words::what(&operation.kind),
                progress: Progress::Waiting,
                says: String::new(),
                began: 0,
                ended: 0,
            });
        }
        Run {
            id,
            title,
            lines,
            by_id,
            notes: Vec::new(),
            began: now,
            ended: None,
            outcome: None,
            names: Vec::new(),
            commit: None,
        }
    }

    /// Takes a step. Operations that the plan did not name are ignored.
    pub fn step(&mut self, step: Step, now: i64) {
        match step {
            Step::Started(id) => {
                if let Some(line) = self.line(&id) {
                    line.progress = Progress::Running;
                    line.began = now;
                }
            }
            Step::Says(id, text) => {
                if let Some(line) = self.line(&id) {
                    line.says = clean(&text).into_owned();
                }
            }
            Step::Finished(id, end) => {
                if let Some(line) = self.line(&id) {
                    if line.began == 0 {
                        line.began = now;
                    }
                    line.ended = now;
                    line.progress = Progress::Ended(end);
                }
            }
            Step::Note(text) => self.notes.push(clean(&text).into_owned()),
            Step::Named(name) => self.names.push(name),
            Step::Commit(commit) => self.commit = Some(commit),
            Step::Ended(outcome) => {
                self.ended = Some(now);
                self.outcome = Some(outcome);
            }
        }
    }

    fn line(&mut self, id: &str) -> Option<&mut OperationLine> {
        let at = *self.by_id.get(id)?;
        self.lines.get_mut(at)
    }

    /// How its operations stand.
    pub fn tally(&self) -> Tally {
        let mut tally = Tally {
            all: self.lines.len(),
            ..Tally::default()
        };
        for line in &self.lines {
            let one = match &line.progress {
                Progress::Waiting | Progress::Ended(End::Skipped(_)) => &mut tally.left,
                Progress::Running => &mut tally.open,
                Progress::Ended(End::Done) => &mut tally.done,
                Progress::Ended(End::Failed(_)) => &mut tally.failed,
                Progress::Ended(End::Undone(_)) => &mut tally.undone,
            };
            *one += 1;
        }
        tally
    }

    /// Whether it goes on.
    pub fn is_running(&self) -> bool {
        self.outcome.is_none()
    }
}

//! What apply says while it runs, and how it ended.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::UnboundedSender;

use crate::engine;
use crate::fleet::Name;
use crate::host::ToolboxError;
use crate::host::router::RouterError;
use crate::plan::OperationId;
use crate::record::Holder;
use crate::text::{count, plain, plain_line, short};

/// One thing that happened. Sent in the order it happened; the receiver may be slow or gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// A host as a whole.
    Host {
        host: Name,
        /// What it is doing.
        state: HostProgress,
    },
    /// An operation began.
    Started { id: OperationId },
    /// A running operation says how far it is, such as a layer being pulled.
    Step {
        id: OperationId,
        /// One line.
        text: String,
    },
    /// An operation ended, or will not be started.
    Finished {
        id: OperationId,
        outcome: OperationOutcome,
        /// How long it ran.
        took: Duration,
    },
    /// Something worth a line that belongs to no operation.
    Note {
        host: Option<Name>,
        /// One line.
        text: String,
    },
}

/// What a host as a whole is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostProgress {
    /// The lock is being taken.
    Locking,
    /// Someone else holds the lock.
    Waiting { holder: Holder },
    /// Operations run.
    Running,
    /// All its operations ended, one way or the other.
    Done,
    /// Nothing more can be done there.
    Failed { failure: Failure },
}

/// Tells how far an operation is.
pub(super) struct Say {
    to: UnboundedSender<Progress>,
    id: OperationId,
}

impl Say {
    pub fn new(to: UnboundedSender<Progress>, id: OperationId) -> Say {
        Say { to, id }
    }
    /// One line.
    pub fn step(&self, text: impl AsRef<str>) {
        let _ = self.to.send(Progress::Step {
            id: self.id.clone(),
            text: plain_line(text.as_ref()),
        });
    }
}

/// How an operation ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum OperationOutcome {
    Done {
        /// What is worth knowing about it.
        note: Option<String>,
    },
    Failed {
        failure: Failure,
    },
    /// Not started.
    Skipped {
        /// Why not.
        because: String,
    },
    /// Done, and taken back since a later operation of the same site failed.
    Undone,
}

/// Why something failed: for people. Nothing in it can drive a terminal.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Failure {
    /// One line.
    pub why: String,
    /// What would mend it.
    pub remedy: Option<String>,
    /// The last lines of a container's output, where they tell more.
    pub lines: Vec<String>,
    /// The engine did not answer: nothing else can be done on that host either.
    #[serde(default)]
    pub unreachable: bool,
    /// It may have been done all the same, and what came before it may be in use by now: nothing is
    /// taken back.
    #[serde(default)]
    pub uncertain: bool,
}

/// Longest reason that a host gave, in characters.
const LONGEST: usize = 600;

impl Failure {
    /// A failure in one line.
    pub fn new(why: impl Into<String>) -> Failure {
        Failure {
            why: why.into(),
            ..Failure::default()
        }
    }
    /// Adds what would mend it.
    pub fn remedy(mut self, remedy: impl Into<String>) -> Failure {
        self.remedy = Some(remedy.into());
        self
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.why)
    }
}

impl From<engine::Error> for Failure {
    fn from(error: engine::Error) -> Failure {
        // One call that takes too long says nothing about the others.
        let slow = matches!(
            error,
            engine::Error::Deadline { .. } | engine::Error::Cut { .. }
        );
        Failure {
            why: plain(&error.to_string()),
            remedy: error.remedy(),
            lines: Vec::new(),
            unreachable: error.is_unreachable() && !slow,
            uncertain: false,
        }
    }
}

impl From<ToolboxError> for Failure {
    fn from(error: ToolboxError) -> Failure {
        match error {
            ToolboxError::Engine(e) => e.into(),
            other => Failure::new(short(&other.to_string(), LONGEST)),
        }
    }
}

impl From<RouterError> for Failure {
    fn from(error: RouterError) -> Failure {
        match error {
            RouterError::Toolbox(e) => e.into(),
            other => Failure::new(short(&other.to_string(), LONGEST)),
        }
    }
}

/// What a step answers: a note worth keeping, or why it failed.
pub(super) type Answer = Result<Option<String>, Failure>;

/// How one operation ended, and how long it took.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    #[serde(flatten)]
    pub outcome: OperationOutcome,
    /// Milliseconds.
    pub took_ms: u64,
}

/// How the operations of an apply stand. Each that was planned counts once, whatever was told of it
/// and how often: the command line, the console and the journals count by this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Tally {
    /// All that were planned.
    pub all: usize,
    /// Done for good.
    pub done: usize,
    pub failed: usize,
    /// Done, then taken back.
    pub undone: usize,
    /// They go on, or nobody was told how they ended.
    pub open: usize,
    /// Not begun.
    pub left: usize,
}

impl Tally {
    /// Counts an operation; `None`: it has not ended, as far as is known.
    pub fn add(&mut self, outcome: Option<&OperationOutcome>) {
        let one = match outcome {
            Some(OperationOutcome::Done { .. }) => &mut self.done,
            Some(OperationOutcome::Failed { .. }) => &mut self.failed,
            Some(OperationOutcome::Undone) => &mut self.undone,
            Some(OperationOutcome::Skipped { .. }) => &mut self.left,
            None => &mut self.open,
        };
        *one += 1;
        self.all += 1;
    }

    /// Whether all of it was done.
    pub fn is_complete(&self) -> bool {
        self.done == self.all
    }

    /// `1 of 8 operations done, 1 failed, 6 not begun`. `open`: the word for those that have not
    /// ended.
    pub fn words(&self, open: &str) -> String {
        let mut text = format!("{} of {} done", self.done, count(self.all, "operation"));
        for (n, word) in [
            (self.failed, "failed"),
            (self.undone, "taken back"),
            (self.open, open),
            (self.left, "not begun"),
        ] {
            if n > 0 {
                text.push_str(&format!(", {n} {word}"));
            }
        }
        text
    }
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Tally) {
        self.all += other.all;
        self.done += other.done;
        self.failed += other.failed;
        self.undone += other.undone;
        self.open += other.open;
        self.left += other.left;
    }
}

/// How an apply ended.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Outcome {
    /// Name of this run in the journals.
    pub run: String,
    /// Every operation of the plan.
    pub operations: BTreeMap<OperationId, Ended>,
    /// Hosts on which nothing more could be done.
    pub hosts: BTreeMap<Name, Failure>,
    /// Sites that failed and whose done operations were taken back, as far as possible.
    pub rolled_back: Vec<(Name, Name)>,
    /// It was asked to stop before it was through.
    pub cancelled: bool,
    /// Milliseconds.
    pub took_ms: u64,
}

impl Outcome {
    /// How its operations stand.
    pub fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        for ended in self.operations.values() {
            tally.add(Some(&ended.outcome));
        }
        tally
    }
    /// Whether everything was done.
    pub fn is_complete(&self) -> bool {
        self.tally().is_complete() && self.hosts.is_empty()
    }
    /// The exit code: 0 all done, 3 a part, 1 when no host could even be begun with.
    pub fn exit_code(&self) -> u8 {
        let tally = self.tally();
        if self.is_complete() {
            0
        } else if tally.done == 0 && tally.failed == 0 {
            1
        } else {
            3
        }
    }
    /// One word for the journal.
    pub fn word(&self) -> &'static str {
        match self.exit_code() {
            0 => "done",
            _ if self.cancelled => "cancelled",
            1 => "failed",
            _ => "partial",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_code_says_how_much_was_done() {
        let ended = |outcome| Ended {
            outcome,
            took_ms: 0,
        };
        let done = || ended(OperationOutcome::Done { note: None });
        let failed = || {
            ended(OperationOutcome::Failed {
                failure: Failure::new("x"),
            })
        };
        let skipped = || {
            ended(OperationOutcome::Skipped {
                because: String::new(),
            })
        };
        let code = |list: Vec<Ended>| {
            let operations = list
                .into_iter()
                .enumerate()
                .map(|(n, e)| (OperationId(n.to_string()), e))
                .collect();
            Outcome {
                operations,
                ..Outcome::default()
            }
            .exit_code()
        };
        assert_eq!(code(vec![]), 0);
        assert_eq!(code(vec![done()]), 0);
        assert_eq!(code(vec![done(), failed()]), 3);
        assert_eq!(code(vec![failed()]), 3);
        assert_eq!(code(vec![skipped(), skipped()]), 1);
    }

    #[test]
    fn every_operation_that_was_planned_counts_once() {
        let done = OperationOutcome::Done { note: None };
        let failed = OperationOutcome::Failed {
            failure: Failure::new("x"),
        };
        let skipped = OperationOutcome::Skipped {
            because: String::new(),
        };
        let undone = OperationOutcome::Undone;
        let all = "1 of 8 operations done, 1 failed, 6 not begun";
        let back = "0 of 3 operations done, 1 failed, 2 taken back";
        let cut = "2 of 4 operations done, 2 not known";
        for (outcomes, words) in [
            (
                [vec![Some(&done), Some(&failed)], vec![Some(&skipped); 6]].concat(),
                all,
            ),
            (vec![Some(&undone), Some(&undone), Some(&failed)], back),
            (vec![Some(&done), Some(&done), None, None], cut),
            (vec![Some(&done)], "1 of 1 operation done"),
            (vec![], "0 of 0 operations done"),
        ] {
            let mut tally = Tally::default();
            outcomes.iter().for_each(|it| tally.add(*it));
            assert_eq!(tally.words("not known"), words);
            let Tally {
                all,
                done,
                failed,
                undone,
                open,
                left,
            } = tally;
            assert_eq!(done + failed + undone + open + left, all);
        }
    }
}

//! A host that is worked on: its lock is taken, it is told how far the apply is, and it is left.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedSender;
use tokio::task::AbortHandle;

use crate::apply::context::Pace;
use crate::apply::host_work::HostWork;
use crate::apply::journal::{self, HostFile};
use crate::apply::lock::{Lock, LockError};
use crate::apply::progress::{Failure, HostProgress, Progress};
use crate::observe::scan::{Inspect, scan};
use crate::plan::basis;
use crate::record::Holder;
use crate::text::plain;

/// How long a host that was lost is waited for at the end.
const FAREWELL: Duration = Duration::from_secs(5);

/// A host that is worked on.
pub struct Lane {
    pub work: Arc<HostWork>,
    /// The lock is held.
    pub open: bool,
    /// It was noted on the host that work begins, and work may.
    pub begun: bool,
    pub closing: bool,
    pub taking_back: usize,
    pub told: Told,
}

impl Lane {
    /// Of a host that nothing was done on yet.
    pub fn new(work: Arc<HostWork>) -> Lane {
        Lane {
            work,
            open: false,
            begun: false,
            closing: false,
            taking_back: 0,
            told: Told::never(),
        }
    }
}

/// When a host's journal was last written, and when it is written again.
pub struct Told {
    /// It is being written, by this task.
    pub now: Option<AbortHandle>,
    once: bool,
    /// Something ended since.
    pub behind: bool,
    pub last: Instant,
    every: Duration,
}

impl Told {
    fn never() -> Told {
        Told {
            now: None,
            once: false,
            behind: false,
            last: Instant::now(),
            every: TELL,
        }
    }

    /// Whether it is to be written again; `prepared`: there may be a place for it from now on.
    pub fn is_due(&self, prepared: bool) -> bool {
        (prepared && !self.once) || self.last.elapsed() >= self.every
    }

    /// Whether it is behind, and time to write it again.
    pub fn is_late(&self) -> bool {
        self.behind && self.now.is_none() && self.is_due(false)
    }

    /// It was written, or there was no place for it.
    pub fn ended(&mut self, took: Duration, there: bool) {
        self.now = None;
        self.once |= there;
        // A host for which this is much work is told more rarely.
        self.every = TELL.max(took * 20);
    }
}

/// How often a host is told how far the apply is, at most.
const TELL: Duration = Duration::from_secs(1);

/// Takes a host's lock, waiting at most `wait` for it, and makes sure that the host is as it was
/// when the plan was made.
pub async fn open(
    work: &HostWork,
    pace: &Pace,
    wait: Duration,
    expected: Option<&str>,
    say: &UnboundedSender<Progress>,
) -> Result<(), Failure> {
    let busy = |holder: &Holder| {
        let _ = say.send(Progress::Host {
            host: work.name.clone(),
            state: HostProgress::Waiting {
                holder: holder.clone(),
            },
        });
    };
    let (fleet, who) = (&work.fleet.name, &work.operator);
    let taking = Lock::take(&work.client, fleet, who, &work.run, pace, wait, busy);
    let taken = tokio::select! {
        taken = taking => taken.map_err(|e| not_locked(&e))?,
        () = work.cancel.cancelled() => return Err(Failure::new("cancelled")),
    };
    work.hold(taken);
    unmoved(work, expected).await
}

fn not_locked(error: &LockError) -> Failure {
    let failure = Failure::new(plain(&error.to_string()));
    match error {
        LockError::Busy(_) => failure.remedy("wait until they are done, then plan again"),
        _ => failure,
    }
}

/// Whether the host is as it was when the plan was made: looked at once more, now that nobody else
/// may change it.
async fn unmoved(work: &HostWork, expected: Option<&str>) -> Result<(), Failure> {
    let Some(expected) = expected else {
        return Ok(());
    };
    let inspect = Inspect::And(BTreeSet::new());
    let found = scan(&work.client, &work.host, &work.fleet, None, &inspect).await?;
    if let Some(record) = found.state.read().and_then(|s| s.host.as_ref()) {
        let before = (record.fleet_hash.clone(), record.commit.clone());
        // A host is opened once.
        let _ = work.before.set(before);
    }
    if basis::of(&found, &work.fleet, &work.name) == expected {
        return Ok(());
    }
    Err(
        Failure::new("the host has changed since this was planned; nothing was done there")
            .remedy("plan again"),
    )
}

/// An apply does not fail for its journal, but says so. Whether there was a place for it.
pub async fn put_journal(work: &HostWork, file: HostFile, say: &UnboundedSender<Progress>) -> bool {
    match journal::put(work, file).await {
        Ok(there) => there,
        Err(failure) => {
            let _ = say.send(Progress::Note {
                host: Some(work.name.clone()),
                text: format!("the journal on the host could not be written: {failure}"),
            });
            false
        }
    }
}

/// Leaves a host: its journal ends with `end`, where it was worked on, and its lock is given back.
/// One that was `lost` is given a moment, not a deadline for each call.
pub async fn close(
    work: &HostWork,
    end: Option<HostFile>,
    lost: bool,
    say: &UnboundedSender<Progress>,
) {
    let note = |text: String| {
        let _ = say.send(Progress::Note {
            host: Some(work.name.clone()),
            text,
        });
    };
    let farewell = async {
        if let Some(end) = end {
            put_journal(work, end, say).await;
        }
        if let Err(e) = work.release().await {
            note(format!(
                "the lock could not be released, it goes stale by itself: {e}"
            ));
        }
    };
    let longest = if lost { FAREWELL } else { Duration::MAX };
    if tokio::time::timeout(longest, farewell).await.is_err() {
        note("it is gone, and keeps the lock, which goes stale by itself".to_owned());
    }
}

//! The executor: starts what is ready, as many at a time as a host bears, and keeps what failed to
//! the site that failed.

mod board;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedSender;
use tokio::task::{AbortHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use super::context::Context;
use super::host_work::HostWork;
use super::journal::{self, HostFile, Journal};
use super::lock::{Lock, LockError};
use super::progress::{Ended, Failure, HostProgress, OperationOutcome, Outcome, Progress, Say};
use super::step;
use super::undo;
use crate::fleet::Name;
use crate::observe::scan::{Inspect, scan};
use crate::plan::{OperationKind, Plan, basis};
use crate::record::Holder;
use board::{Board, End};

/// Runs a plan. Never fails as a whole: the outcome says how each operation ended. When `cancel`
/// fires nothing new is started, what waits gives up, and sites that were not switched over yet
/// are taken back.
pub async fn run(
    plan: &Plan,
    context: &Context,
    progress: UnboundedSender<Progress>,
    cancel: CancellationToken,
) -> Outcome {
    let begun = Instant::now();
    let mut run = Run {
        plan,
        context,
        say: progress,
        cancel,
        board: Board::new(plan, &context.pace),
        hosts: BTreeMap::new(),
        failed: BTreeMap::new(),
        rolled_back: Vec::new(),
        jobs: JoinSet::new(),
        journal: Journal::new(plan, context),
    };
    run.begin();
    if !run.work().await {
        run.leave();
    }
    run.outcome(begun.elapsed())
}

/// What a task of ours ended with.
enum Job {
    Opened(Name, Result<(), Failure>),
    /// The host's journal was written so far; whether there was a place for it.
    Told(Name, Duration, bool),
    Operation(usize, Result<Option<String>, Failure>),
    TakenBack(Name, Name, Vec<(usize, Result<(), Failure>)>),
    Closed,
}

/// A host that is worked on.
struct Lane {
    work: Arc<HostWork>,
    /// The lock is held.
    open: bool,
    /// It was noted on the host that work begins, and work may.
    begun: bool,
    closing: bool,
    taking_back: usize,
    told: Told,
}

/// When a host's journal was last written, and when it is written again.
struct Told {
    /// It is being written, by this task.
    now: Option<AbortHandle>,
    /// It was.
    once: bool,
    last: Instant,
    every: Duration,
}

impl Told {
    fn never() -> Told {
        Told {
            now: None,
            once: false,
            last: Instant::now(),
            every: TELL,
        }
    }
}

/// How often a host is told how far the apply is, at most.
const TELL: Duration = Duration::from_secs(2);

struct Run<'a> {
    plan: &'a Plan,
    context: &'a Context,
    say: UnboundedSender<Progress>,
    cancel: CancellationToken,
    board: Board<'a>,
    hosts: BTreeMap<Name, Lane>,
    failed: BTreeMap<Name, Failure>,
    rolled_back: Vec<(Name, Name)>,
    jobs: JoinSet<Job>,
    journal: Journal,
}

impl Run<'_> {
    fn tell(&self, progress: Progress) {
        // Nobody may be listening: that is fine.
        let _ = self.say.send(progress);
    }

    fn note(&self, host: Option<&Name>, text: String) {
        self.tell(Progress::Note {
            host: host.cloned(),
            text,
        });
    }

    /// Writes down and tells how operations ended.
    fn ended(&mut self, ends: Vec<End>) {
        for end in ends {
            let id = self.plan.operations[end.at].id.clone();
            self.journal.operation(&id, &end.outcome, millis(end.took));
            self.tell(Progress::Finished {
                id,
                outcome: end.outcome,
                took: end.took,
            });
        }
    }

    /// Begins with every host that the plan changes.
    fn begin(&mut self) {
        if let Err(why) = self.journal.open() {
            self.note(
                None,
                format!("the journal of this machine is not kept: {why}"),
            );
        }
        for name in self.board.hosts() {
            let run = self.journal.stem();
            let Some(work) = HostWork::new(&name, self.context, run, &self.cancel) else {
                let failure = Failure::new(format!("host {name} is not connected"));
                self.fail_host(&name, failure);
                continue;
            };
            let work = Arc::new(work);
            self.tell(Progress::Host {
                host: name.clone(),
                state: HostProgress::Locking,
            });
            self.open(work.clone());
            self.hosts.insert(
                name,
                Lane {
                    work,
                    open: false,
                    begun: false,
                    closing: false,
                    taking_back: 0,
                    told: Told::never(),
                },
            );
        }
    }

    /// Takes a host's lock, and makes sure that the host is still as it was when the plan was made.
    fn open(&mut self, work: Arc<HostWork>) {
        let (say, pace) = (self.say.clone(), self.context.pace.clone());
        let (operator, wait) = (self.context.operator.clone(), self.context.wait_for_lock);
        let cancel = self.cancel.clone();
        let expected = self.plan.basis.get(&work.name).cloned();
        self.jobs.spawn(async move {
            let name = work.name.clone();
            let busy = |holder: &Holder| {
                let _ = say.send(Progress::Host {
                    host: name.clone(),
                    state: HostProgress::Waiting {
                        holder: holder.clone(),
                    },
                });
            };
            let fleet = &work.fleet.name;
            let run = work.run.as_str();
            let taking = Lock::take(&work.client, fleet, &operator, run, &pace, wait, busy);
            let result = tokio::select! {
                taken = taking => match taken {
                    Ok(lock) => {
                        work.hold(lock);
                        unmoved(&work, expected.as_deref()).await
                    }
                    Err(e) => Err(not_locked(&e)),
                },
                () = cancel.cancelled() => Err(Failure::new("cancelled")),
            };
            Job::Opened(work.name.clone(), result)
        });
    }

    /// Works until every operation ended; false when the test hook says to leave.
    async fn work(&mut self) -> bool {
        let cancel = self.cancel.clone();
        let mut cancelled = false;
        loop {
            self.start_ready();
            self.close_finished();
            if self
                .context
                .stop_after
                .is_some_and(|n| self.board.count() >= n)
            {
                return false;
            }
            let job = tokio::select! {
                job = self.jobs.join_next() => job,
                () = cancel.cancelled(), if !cancelled => {
                    cancelled = true;
                    let ends = self.board.cancel();
                    self.ended(ends);
                    for at in self.board.unfinished_sites() {
                        self.take_back(at);
                    }
                    continue;
                }
            };
            match job {
                None => return true,
                Some(Ok(job)) => self.done(job),
                // Nobody is told any more on a host that was lost.
                Some(Err(e)) if e.is_cancelled() => {}
                // A step that panicked: a fault of ours, kept from leaving anything hanging.
                Some(Err(e)) => {
                    self.note(None, format!("an operation broke off: {e}"));
                    if self.jobs.is_empty() {
                        for at in self.board.running() {
                            self.operation_ended(at, Err(Failure::new("it broke off")));
                        }
                    }
                }
            }
        }
    }

    fn start_ready(&mut self) {
        let ready: Vec<(Arc<HostWork>, usize)> = self
            .hosts
            .values()
            .flat_map(|site| {
                let mut starting = Vec::new();
                while let Some(at) = self.board.next(&site.work.name) {
                    starting.push((site.work.clone(), at));
                }
                starting
            })
            .collect();
        for (work, at) in ready {
            let operation = self.plan.operations[at].clone();
            self.tell(Progress::Started {
                id: operation.id.clone(),
            });
            let say = Say::new(self.say.clone(), operation.id.clone());
            self.jobs.spawn(async move {
                let result = match work.check_lock(&operation.kind).await {
                    Ok(()) => {
                        step::perform(&operation.kind, operation.site.as_ref(), &work, &say).await
                    }
                    Err(failure) => Err(failure),
                };
                Job::Operation(at, result)
            });
        }
    }

    fn done(&mut self, job: Job) {
        match job {
            Job::Opened(host, Ok(())) => {
                if let Some(lane) = self.hosts.get_mut(&host) {
                    lane.open = true;
                }
                self.put_so_far(&host);
            }
            Job::Opened(host, Err(failure)) => self.fail_host(&host, failure),
            Job::Told(host, took, there) => {
                let Some(lane) = self.hosts.get_mut(&host) else {
                    return;
                };
                lane.told.now = None;
                lane.told.once |= there;
                // A host for which this is much work is told more rarely.
                lane.told.every = TELL.max(took * 20);
                // Nothing is begun before it is noted: what is cut off can then be found.
                if !lane.begun {
                    lane.begun = true;
                    self.board.open(&host);
                    self.tell(Progress::Host {
                        host,
                        state: HostProgress::Running,
                    });
                }
            }
            Job::Operation(at, result) => self.operation_ended(at, result),
            Job::TakenBack(host, site, results) => self.taken_back(host, site, results),
            Job::Closed => {}
        }
    }

    /// Writes down on a host how far the apply is.
    fn put_so_far(&mut self, host: &Name) {
        let running = self.board.running().into_iter();
        let middle = running
            .map(|at| &self.plan.operations[at])
            .filter(|o| &o.host == host)
            .map(|o| o.id.clone())
            .collect();
        let Some(lane) = self.hosts.get_mut(host) else {
            return;
        };
        if !lane.open || lane.closing || lane.told.now.is_some() || self.failed.contains_key(host) {
            return;
        }
        lane.told.last = Instant::now();
        let work = lane.work.clone();
        let file = self.journal.so_far(host, work.before.get(), middle);
        let say = self.say.clone();
        lane.told.now = Some(self.jobs.spawn(async move {
            let begun = Instant::now();
            let there = put_journal(&work, file, &say).await;
            Job::Told(work.name.clone(), begun.elapsed(), there)
        }));
    }

    /// The same now and then, and as soon as there is a place for it.
    fn put_now_and_then(&mut self, at: usize) {
        let operation = &self.plan.operations[at];
        let prepared = matches!(operation.kind, OperationKind::PrepareHost { .. });
        let due = self.hosts.get(&operation.host).is_some_and(|lane| {
            (prepared && !lane.told.once) || lane.told.last.elapsed() >= lane.told.every
        });
        if due {
            self.put_so_far(&operation.host.clone());
        }
    }

    fn operation_ended(&mut self, at: usize, result: Result<Option<String>, Failure>) {
        let failure = result.as_ref().err().cloned();
        let outcome = match result {
            Ok(note) => OperationOutcome::Done { note },
            Err(failure) => OperationOutcome::Failed { failure },
        };
        let ends = self.board.end(at, outcome);
        self.ended(ends);
        if let Some(failure) = failure.as_ref().filter(|f| f.unreachable) {
            let host = self.plan.operations[at].host.clone();
            self.fail_host(&host, failure.clone());
            return;
        }
        self.put_now_and_then(at);
        // A failure is kept to its site.
        if let Some(failure) = failure {
            let ends = self.board.fail_site(at);
            self.ended(ends);
            if !failure.uncertain {
                self.take_back(at);
            }
        }
    }

    /// Takes back what was done for the site of an operation.
    fn take_back(&mut self, at: usize) {
        let operation = &self.plan.operations[at];
        let undos = undo::after_failure(self.plan, self.board.order(), at);
        let Some(site) = self.hosts.get_mut(&operation.host) else {
            return;
        };
        if undos.is_empty() {
            return;
        }
        site.taking_back += 1;
        let work = site.work.clone();
        let say = Say::new(self.say.clone(), operation.id.clone());
        let (host, site) = (operation.host.clone(), operation.site.clone());
        self.jobs.spawn(async move {
            let mut results = Vec::new();
            // Of a host that is gone each further call would only run into its deadline.
            let mut gone: Option<Failure> = None;
            for (done, kind) in undos {
                let result = match &gone {
                    Some(failure) => Err(failure.clone()),
                    None => match work.check_lock(&kind).await {
                        Ok(()) => step::perform(&kind, site.as_ref(), &work, &say)
                            .await
                            .map(drop),
                        Err(failure) => Err(failure),
                    },
                };
                if let Err(failure) = &result
                    && failure.unreachable
                {
                    gone = Some(failure.clone());
                }
                results.push((done, result));
            }
            Job::TakenBack(host, site.unwrap_or_default(), results)
        });
    }

    fn taken_back(&mut self, host: Name, site: Name, results: Vec<(usize, Result<(), Failure>)>) {
        for (at, result) in results {
            let id = &self.plan.operations[at].id;
            match result {
                Ok(()) => {
                    let ends = self.board.undone(at);
                    self.ended(ends);
                }
                Err(failure) => self.note(
                    Some(&host),
                    format!("{id} could not be taken back: {failure}; the next apply does"),
                ),
            }
        }
        if let Some(lane) = self.hosts.get_mut(&host) {
            lane.taking_back -= 1;
        }
        self.rolled_back.push((host, site));
    }

    /// The host as a whole cannot be worked on any more.
    fn fail_host(&mut self, host: &Name, failure: Failure) {
        if self.failed.contains_key(host) {
            return;
        }
        self.failed.insert(host.clone(), failure.clone());
        self.journal.host_failed(host, &failure);
        if failure.unreachable
            && let Some(told) = self.hosts.get_mut(host).map(|lane| &mut lane.told)
            && let Some(task) = told.now.take()
        {
            // It would only run into its own deadline.
            task.abort();
        }
        self.tell(Progress::Host {
            host: host.clone(),
            state: HostProgress::Failed {
                failure: failure.clone(),
            },
        });
        let ends = self.board.fail_host(host, &failure.why);
        self.ended(ends);
    }

    /// Ends the work on hosts that have nothing left: the journal is completed, the lock released.
    fn close_finished(&mut self) {
        let cancelled = self.cancel.is_cancelled();
        for (name, site) in &mut self.hosts {
            let failed = self.failed.contains_key(name);
            let lost = self.failed.get(name).is_some_and(|f| f.unreachable);
            let settled = site.open || failed;
            if !self.board.is_finished(name) || site.closing || site.taking_back > 0 || !settled {
                continue;
            }
            site.closing = true;
            let (work, open) = (site.work.clone(), site.open);
            let end = self.journal.end(name, cancelled);
            let say = self.say.clone();
            self.jobs.spawn(async move {
                let note = |text: String| {
                    let _ = say.send(Progress::Note {
                        host: Some(work.name.clone()),
                        text,
                    });
                };
                let farewell = async {
                    if open {
                        put_journal(&work, end, &say).await;
                    }
                    if let Err(e) = work.release().await {
                        note(format!(
                            "the lock could not be released, it goes stale by itself: {e}"
                        ));
                    }
                };
                // A host that was lost is given a moment, not a deadline for each call.
                let longest = if lost { FAREWELL } else { Duration::MAX };
                if tokio::time::timeout(longest, farewell).await.is_err() {
                    note("it is gone, and keeps the lock, which goes stale by itself".to_owned());
                }
                if !failed {
                    let _ = say.send(Progress::Host {
                        host: work.name.clone(),
                        state: HostProgress::Done,
                    });
                }
                Job::Closed
            });
        }
    }

    /// Leaves everything as a killed process does.
    fn leave(&mut self) {
        self.jobs.abort_all();
        for site in self.hosts.values() {
            site.work.abandon();
        }
    }

    fn outcome(mut self, took: Duration) -> Outcome {
        let operations = self
            .board
            .results()
            .map(|(at, outcome, took)| {
                let took_ms = millis(took);
                let id = self.plan.operations[at].id.clone();
                (id, Ended { outcome, took_ms })
            })
            .collect();
        let outcome = Outcome {
            run: self.journal.stem().to_owned(),
            operations,
            hosts: self.failed,
            rolled_back: self.rolled_back,
            cancelled: self.cancel.is_cancelled(),
            took_ms: millis(took),
        };
        self.journal.close(&outcome);
        outcome
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn not_locked(error: &LockError) -> Failure {
    let failure = Failure::new(super::progress::plain(&error.to_string()));
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

/// How long a host that was lost is waited for at the end.
const FAREWELL: Duration = Duration::from_secs(5);

/// An apply does not fail for its journal, but says so. Whether there was a place for it.
async fn put_journal(work: &HostWork, file: HostFile, say: &UnboundedSender<Progress>) -> bool {
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

//! The executor: starts what is ready, as many at a time as a host bears, and keeps what failed to
//! the site that failed.

mod board;
mod lane;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::authority::Accounts;
use super::context::Context;
use super::host_work::HostWork;
use super::journal::Journal;
use super::progress::{Ended, Failure, HostProgress, OperationOutcome, Outcome, Progress, Say};
use super::step;
use super::undo;
use crate::fleet::Name;
use crate::plan::{OperationKind, Plan};
use board::{Board, End};
use lane::Lane;

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
        accounts: Arc::default(),
    };
    run.begin();
    if !run.work().await {
        run.leave();
    }
    run.outcome(begun.elapsed())
}

/// How often it is looked whether something that ended is not written down on its host yet.
const LOOK: Duration = Duration::from_millis(500);

/// What a task of ours ended with.
enum Job {
    Opened(Name, Result<(), Failure>),
    /// The host's journal was written so far; whether there was a place for it.
    Told(Name, Duration, bool),
    Operation(usize, Result<Option<String>, Failure>),
    TakenBack(Name, Name, Vec<(usize, Result<(), Failure>)>),
    Closed,
}

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
    /// What was opened at the certificate authority.
    accounts: Arc<Accounts>,
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
            let Some(work) = HostWork::new(&name, self.context, run, &self.cancel, &self.accounts)
            else {
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
            self.hosts.insert(name, Lane::new(work));
        }
    }

    /// Takes a host's lock, and makes sure that the host is still as it was when the plan was made.
    fn open(&mut self, work: Arc<HostWork>) {
        let (say, pace) = (self.say.clone(), self.context.pace.clone());
        let wait = self.context.wait_for_lock;
        let expected = self.plan.basis.get(&work.name).cloned();
        self.jobs.spawn(async move {
            let result = lane::open(&work, &pace, wait, expected.as_deref(), &say).await;
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
            let behind = self.hosts.values().any(|lane| lane.told.behind);
            let job = tokio::select! {
                job = self.jobs.join_next() => job,
                // While one operation takes long, what ended before it is written down.
                () = tokio::time::sleep(LOOK), if behind => {
                    self.put_late();
                    continue;
                }
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
            .flat_map(|lane| {
                let mut starting = Vec::new();
                while let Some(at) = self.board.next(&lane.work.name) {
                    starting.push((lane.work.clone(), at));
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
                lane.told.ended(took, there);
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
        lane.told.behind = false;
        let work = lane.work.clone();
        let file = self.journal.so_far(host, work.before.get(), middle);
        let say = self.say.clone();
        lane.told.now = Some(self.jobs.spawn(async move {
            let begun = Instant::now();
            let there = lane::put_journal(&work, file, &say).await;
            Job::Told(work.name.clone(), begun.elapsed(), there)
        }));
    }

    /// Writes down what is not yet, where it is time to.
    fn put_late(&mut self) {
        let late = self.hosts.iter().filter(|(_, lane)| lane.told.is_late());
        let late: Vec<Name> = late.map(|(name, _)| name.clone()).collect();
        late.iter().for_each(|host| self.put_so_far(host));
    }

    /// The same now and then, and as soon as there is a place for it.
    fn put_now_and_then(&mut self, at: usize) {
        let operation = &self.plan.operations[at];
        let prepared = matches!(operation.kind, OperationKind::PrepareHost { .. });
        let lane = self.hosts.get(&operation.host);
        if lane.is_some_and(|lane| lane.told.is_due(prepared)) {
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
        if let Some(lane) = self.hosts.get_mut(&self.plan.operations[at].host) {
            lane.told.behind = true;
        }
        self.put_now_and_then(at);
        // A failure is kept to its site.
        if let Some(failure) = failure {
            let mut ends = self.board.fail_site(at);
            ends.extend(self.board.halt());
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
        let Some(lane) = self.hosts.get_mut(&operation.host) else {
            return;
        };
        if undos.is_empty() {
            return;
        }
        lane.taking_back += 1;
        let work = lane.work.clone();
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
        let mut ends = self.board.fail_host(host, &failure.why);
        ends.extend(self.board.halt());
        self.ended(ends);
    }

    /// Ends the work on hosts that have nothing left: the journal is completed, the lock released.
    fn close_finished(&mut self) {
        let cancelled = self.cancel.is_cancelled();
        for (name, lane) in &mut self.hosts {
            let failed = self.failed.get(name);
            let settled = lane.open || failed.is_some();
            if !self.board.is_finished(name) || lane.closing || lane.taking_back > 0 || !settled {
                continue;
            }
            lane.closing = true;
            let work = lane.work.clone();
            let end = lane.open.then(|| self.journal.end(name, cancelled));
            let (failed, lost) = (failed.is_some(), failed.is_some_and(|f| f.unreachable));
            let say = self.say.clone();
            self.jobs.spawn(async move {
                lane::close(&work, end, lost, &say).await;
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
        for lane in self.hosts.values() {
            lane.work.abandon();
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

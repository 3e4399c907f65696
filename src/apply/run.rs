//! The executor: starts what is ready, as many at a time as a host bears, and keeps what failed to
//! the site that failed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::journal::{self, HostFile, Journal};
use super::lock::{Lock, LockError};
use super::progress::{Ended, Failure, HostProgress, OperationOutcome, Outcome, Progress};
use super::step::{self, Ground, Say};
use super::undo;
use crate::engine::Client;
use crate::fleet::{Fleet, Name};
use crate::host::secret::SecretSource;
use crate::plan::{Operation, OperationId, OperationKind, Plan};

/// Who applies, and from where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    /// Login name.
    pub who: String,
    /// Machine and process.
    pub whence: String,
}

impl Operator {
    /// The one who runs this process.
    pub fn current() -> Operator {
        let variable = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
        let machine = std::fs::read_to_string("/proc/sys/kernel/hostname")
            .ok()
            .map(|name| name.trim().to_owned())
            .or_else(|| variable("HOSTNAME"))
            .unwrap_or_else(|| "an unnamed machine".into());
        Operator {
            who: variable("SUDO_USER")
                .or_else(|| variable("USER"))
                .or_else(|| variable("LOGNAME"))
                .unwrap_or_else(|| "somebody".into()),
            whence: format!("{machine} (process {})", std::process::id()),
        }
    }
}

/// How fast, and how patient. The default is what a host bears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pace {
    /// Changing calls in flight per host.
    pub changing: usize,
    /// Starts in flight per host, counted among those.
    pub starts: usize,
    /// How often the lock's holder says that it lives.
    pub heartbeat: Duration,
    /// After how long without that a lock is stale.
    pub stale: Duration,
    /// For how long a lock that was found held counts as held.
    pub check: Duration,
    /// How often a busy lock is looked at again.
    pub retry: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Pace {
            changing: 4,
            starts: 2,
            heartbeat: Duration::from_secs(10),
            stale: Duration::from_secs(60),
            check: Duration::from_secs(1),
            retry: Duration::from_secs(1),
        }
    }
}

/// All that apply needs besides the plan.
#[derive(Clone)]
pub struct Context {
    /// The fleet the plan was made from.
    pub fleet: Arc<Fleet>,
    /// The bytes of its file, kept on each host.
    pub fleet_bytes: Arc<Vec<u8>>,
    /// The commit of exactly these bytes, where there is one.
    pub commit: Option<String>,
    /// Connections to the plan's hosts.
    pub clients: BTreeMap<Name, Client>,
    /// Where the bytes of secrets come from.
    pub secrets: Arc<dyn SecretSource>,
    /// Who applies.
    pub operator: Operator,
    /// How fast.
    pub pace: Pace,
    /// How long to wait for a lock that somebody else holds.
    pub wait_for_lock: Duration,
    /// The operator's own folder of journals; none: only the hosts keep one.
    pub journal: Option<PathBuf>,
    /// For tests: leave as a killed process does once so many operations have ended.
    pub stop_after: Option<usize>,
}

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
    let mut run = Run::new(plan, context, progress, cancel);
    run.begin().await;
    if !run.work().await {
        return run.leave();
    }
    run.outcome(begun.elapsed())
}

/// What a task of ours ended with.
enum Job {
    Locked(Name, Result<Lock, LockError>),
    Operation(usize, Result<Option<String>, Failure>),
    TakenBack(Name, Name, Vec<(usize, Result<(), Failure>)>),
    Closed,
}

#[derive(Clone, PartialEq)]
enum Status {
    Waiting,
    Running(Instant),
    Ended(OperationOutcome, Duration),
}

/// What is known about a host while its operations run.
struct Lane {
    ground: Arc<Ground>,
    /// Operations whose turn it is, in the plan's order.
    ready: BTreeSet<usize>,
    /// Operations that have not ended.
    left: usize,
    changing: usize,
    starting: usize,
    /// The lock is held: work can begin.
    open: bool,
    /// Nothing more is started here.
    failed: Option<Failure>,
    closing: bool,
    taking_back: usize,
}

struct Run<'a> {
    plan: &'a Plan,
    context: &'a Context,
    say: UnboundedSender<Progress>,
    cancel: CancellationToken,
    status: Vec<Status>,
    /// For each operation, how many of those it waits for have not ended.
    waits: Vec<usize>,
    dependents: Vec<Vec<usize>>,
    by_id: BTreeMap<&'a OperationId, usize>,
    lanes: BTreeMap<Name, Lane>,
    /// Sites that an operation was started for; they are finished before others are begun.
    begun: BTreeSet<(&'a Name, &'a Name)>,
    failed_sites: BTreeSet<(&'a Name, &'a Name)>,
    rolled_back: Vec<(Name, Name)>,
    order: Vec<usize>,
    jobs: JoinSet<Job>,
    journal: Journal,
    ended: usize,
}

impl<'a> Run<'a> {
    fn new(
        plan: &'a Plan,
        context: &'a Context,
        say: UnboundedSender<Progress>,
        cancel: CancellationToken,
    ) -> Run<'a> {
        let by_id: BTreeMap<_, _> = plan
            .operations
            .iter()
            .enumerate()
            .map(|(at, o)| (&o.id, at))
            .collect();
        let mut waits = vec![0; plan.operations.len()];
        let mut dependents = vec![Vec::new(); plan.operations.len()];
        for (at, operation) in plan.operations.iter().enumerate() {
            for before in &operation.after {
                if let Some(&before) = by_id.get(before) {
                    waits[at] += 1;
                    dependents[before].push(at);
                }
            }
        }
        let journal = Journal::new(plan, context);
        Run {
            plan,
            context,
            say,
            cancel,
            status: vec![Status::Waiting; plan.operations.len()],
            waits,
            dependents,
            by_id,
            lanes: BTreeMap::new(),
            begun: BTreeSet::new(),
            failed_sites: BTreeSet::new(),
            rolled_back: Vec::new(),
            order: Vec::new(),
            jobs: JoinSet::new(),
            journal,
            ended: 0,
        }
    }

    fn tell(&self, progress: Progress) {
        // Nobody may be listening: that is fine.
        let _ = self.say.send(progress);
    }

    fn operation(&self, at: usize) -> &'a Operation {
        &self.plan.operations[at]
    }

    /// Opens every host that the plan changes: the lock is taken, or the host fails as a whole.
    async fn begin(&mut self) {
        if let Err(why) = self.journal.open() {
            self.tell(Progress::Note {
                host: None,
                text: format!("the journal of this machine is not kept: {why}"),
            });
        }
        let hosts: BTreeSet<&Name> = self.plan.operations.iter().map(|o| &o.host).collect();
        for name in hosts {
            let at_host = |o: &&Operation| &o.host == name;
            let left = self.plan.operations.iter().filter(at_host).count();
            let Some(ground) = Ground::new(name, self.context, &self.cancel) else {
                let failure = Failure::new(format!("host {name} is not connected"));
                self.skip_host(name, &failure);
                continue;
            };
            let ground = Arc::new(ground);
            self.tell(Progress::Host {
                host: name.clone(),
                state: HostProgress::Locking,
            });
            self.lock(ground.clone());
            self.lanes.insert(
                name.clone(),
                Lane {
                    ground,
                    ready: BTreeSet::new(),
                    left,
                    changing: 0,
                    starting: 0,
                    open: false,
                    failed: None,
                    closing: false,
                    taking_back: 0,
                },
            );
        }
        for at in 0..self.plan.operations.len() {
            if self.waits[at] == 0 && self.status[at] == Status::Waiting {
                self.now_ready(at);
            }
        }
    }

    fn lock(&mut self, ground: Arc<Ground>) {
        let (say, pace) = (self.say.clone(), self.context.pace.clone());
        let (operator, wait) = (self.context.operator.clone(), self.context.wait_for_lock);
        let cancel = self.cancel.clone();
        self.jobs.spawn(async move {
            let name = ground.name.clone();
            let busy = |holder: &super::lock::Holder| {
                let _ = say.send(Progress::Host {
                    host: name.clone(),
                    state: HostProgress::Waiting {
                        holder: holder.clone(),
                    },
                });
            };
            let fleet = &ground.fleet.name;
            let taking = Lock::take(&ground.client, fleet, &operator, &pace, wait, busy);
            let result = tokio::select! {
                result = taking => result,
                () = cancel.cancelled() => Err(LockError::Other("cancelled".into())),
            };
            Job::Locked(ground.name.clone(), result)
        });
    }

    /// Works until every operation ended; false when the test hook says to leave.
    async fn work(&mut self) -> bool {
        let cancel = self.cancel.clone();
        let mut cancelled = false;
        loop {
            self.start_ready();
            self.close_finished();
            if self.context.stop_after.is_some_and(|n| self.ended >= n) {
                return false;
            }
            let job = tokio::select! {
                job = self.jobs.join_next() => job,
                () = cancel.cancelled(), if !cancelled => {
                    cancelled = true;
                    self.skip_waiting();
                    continue;
                }
            };
            match job {
                None => return true,
                Some(Ok(job)) => self.done(job),
                // A step that panicked: a fault of ours, kept from leaving anything hanging.
                Some(Err(e)) => {
                    self.tell(Progress::Note {
                        host: None,
                        text: format!("an operation broke off: {e}"),
                    });
                    self.fail_lost();
                }
            }
        }
    }

    fn done(&mut self, job: Job) {
        match job {
            Job::Locked(host, Ok(lock)) => {
                if let Some(lane) = self.lanes.get_mut(&host) {
                    lane.open = true;
                    lane.ground.hold(lock);
                    let ground = lane.ground.clone();
                    let begin = self.journal.begin(&host);
                    let say = self.say.clone();
                    self.jobs.spawn(async move {
                        put_journal(&ground, begin, &say).await;
                        Job::Closed
                    });
                }
                self.tell(Progress::Host {
                    host,
                    state: HostProgress::Running,
                });
            }
            Job::Locked(host, Err(error)) => {
                let mut failure = Failure::new(super::progress::plain(&error.to_string()));
                if let LockError::Busy(_) = error {
                    failure = failure
                        .remedy("wait until they are done (`--wait`), or plan again afterwards");
                }
                self.skip_host(&host, &failure);
            }
            Job::Operation(at, result) => self.operation_ended(at, result),
            Job::TakenBack(host, site, results) => {
                for (at, result) in results {
                    match result {
                        Ok(()) => {
                            if let Status::Ended(outcome, _) = &mut self.status[at]
                                && matches!(outcome, OperationOutcome::Done { .. })
                            {
                                *outcome = OperationOutcome::Undone;
                            }
                            let id = self.operation(at).id.clone();
                            self.journal.operation(&id, &OperationOutcome::Undone, 0);
                            self.tell(Progress::Finished {
                                id,
                                outcome: OperationOutcome::Undone,
                                took: Duration::ZERO,
                            });
                        }
                        Err(failure) => self.tell(Progress::Note {
                            host: Some(host.clone()),
                            text: format!(
                                "{} could not be taken back: {failure}; the next apply does",
                                self.operation(at).id
                            ),
                        }),
                    }
                }
                self.rolled_back.push((host.clone(), site));
                if let Some(lane) = self.lanes.get_mut(&host) {
                    lane.taking_back -= 1;
                }
            }
            Job::Closed => {}
        }
    }

    fn operation_ended(&mut self, at: usize, result: Result<Option<String>, Failure>) {
        let operation = self.operation(at);
        let (changing, starting) = weight(&operation.kind);
        if let Some(lane) = self.lanes.get_mut(&operation.host) {
            lane.changing -= usize::from(changing);
            lane.starting -= usize::from(starting);
        }
        match result {
            Ok(note) => {
                self.order.push(at);
                self.end(at, OperationOutcome::Done { note });
            }
            Err(failure) => {
                self.end(
                    at,
                    OperationOutcome::Failed {
                        failure: failure.clone(),
                    },
                );
                if failure.unreachable {
                    self.fail_host(&operation.host, failure);
                } else {
                    self.take_back(at);
                }
            }
        }
    }

    /// Notes the end of an operation and what follows from it for those that wait for it.
    fn end(&mut self, at: usize, outcome: OperationOutcome) {
        let took = match self.status[at] {
            Status::Running(since) => since.elapsed(),
            Status::Waiting => Duration::ZERO,
            Status::Ended(..) => return,
        };
        let operation = self.operation(at);
        self.status[at] = Status::Ended(outcome.clone(), took);
        self.ended += usize::from(!matches!(outcome, OperationOutcome::Skipped { .. }));
        let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        self.journal.operation(&operation.id, &outcome, millis);
        if let Some(lane) = self.lanes.get_mut(&operation.host) {
            lane.left -= 1;
            lane.ready.remove(&at);
        }
        self.tell(Progress::Finished {
            id: operation.id.clone(),
            outcome,
            took,
        });
        for next in self.dependents[at].clone() {
            self.waits[next] -= 1;
            if self.waits[next] == 0 && self.status[next] == Status::Waiting {
                self.now_ready(next);
            }
        }
    }

    /// All that `at` waits for has ended: it is started in its turn, or never.
    fn now_ready(&mut self, at: usize) {
        let operation = self.operation(at);
        let lane_failed = self
            .lanes
            .get(&operation.host)
            .and_then(|lane| lane.failed.as_ref())
            .map(|failure| failure.why.clone());
        let missing = operation.after.iter().find(|id| {
            self.by_id.get(id).is_some_and(|&before| {
                !matches!(
                    self.status[before],
                    Status::Ended(OperationOutcome::Done { .. }, _)
                )
            })
        });
        // What was applied is recorded also when some sites failed: the file is the wish.
        let needs_all = !matches!(operation.kind, OperationKind::RecordFleet { .. });
        let because = if self.cancel.is_cancelled() {
            Some("cancelled".to_owned())
        } else if let Some(why) = lane_failed {
            Some(why)
        } else if self.site_failed(operation) {
            Some("an earlier operation of the site failed".to_owned())
        } else if let Some(missing) = missing.filter(|_| needs_all) {
            Some(format!("{missing} was not done"))
        } else {
            None
        };
        match because {
            Some(because) => self.end(at, OperationOutcome::Skipped { because }),
            None => {
                if let Some(lane) = self.lanes.get_mut(&operation.host) {
                    lane.ready.insert(at);
                }
            }
        }
    }

    fn site_failed(&self, operation: &Operation) -> bool {
        operation
            .site
            .as_ref()
            .is_some_and(|site| self.failed_sites.contains(&(&operation.host, site)))
    }

    /// Starts what is ready as far as hosts bear it. Sites already begun come first, so that a
    /// killed process leaves few of them half-way.
    fn start_ready(&mut self) {
        let names: Vec<Name> = self.lanes.keys().cloned().collect();
        for name in names {
            while let Some(at) = self.next_for(&name) {
                self.start(&name, at);
            }
        }
    }

    fn next_for(&self, name: &Name) -> Option<usize> {
        let lane = self.lanes.get(name)?;
        if !lane.open || lane.failed.is_some() {
            return None;
        }
        let pace = &self.context.pace;
        let fits = |at: &&usize| {
            let (changing, starting) = weight(&self.operation(**at).kind);
            (!changing || lane.changing < pace.changing)
                && (!starting || lane.starting < pace.starts)
        };
        let is_begun = |at: &&usize| {
            let operation = self.operation(**at);
            operation
                .site
                .as_ref()
                .is_none_or(|site| self.begun.contains(&(&operation.host, site)))
        };
        let mut fitting = lane.ready.iter().filter(fits);
        fitting
            .clone()
            .find(is_begun)
            .or_else(|| fitting.next())
            .copied()
    }

    fn start(&mut self, name: &Name, at: usize) {
        let operation = self.operation(at);
        let Some(lane) = self.lanes.get_mut(name) else {
            return;
        };
        lane.ready.remove(&at);
        let (changing, starting) = weight(&operation.kind);
        lane.changing += usize::from(changing);
        lane.starting += usize::from(starting);
        let ground = lane.ground.clone();
        if let Some(site) = &operation.site {
            self.begun.insert((&operation.host, site));
        }
        self.status[at] = Status::Running(Instant::now());
        self.tell(Progress::Started {
            id: operation.id.clone(),
        });
        let say = Say::new(self.say.clone(), operation.id.clone());
        let operation = operation.clone();
        self.jobs.spawn(async move {
            let result = match ground.check_lock(&operation.kind).await {
                Ok(()) => {
                    step::perform(&operation.kind, operation.site.as_ref(), &ground, &say).await
                }
                Err(failure) => Err(failure),
            };
            Job::Operation(at, result)
        });
    }

    /// Keeps a failure to its site: nothing more of it is started, what was done is taken back.
    fn take_back(&mut self, at: usize) {
        let operation = self.operation(at);
        if let Some(site) = &operation.site {
            if !self.failed_sites.insert((&operation.host, site)) {
                return;
            }
            self.skip(|o| o.host == operation.host && o.site.as_ref() == Some(site));
        }
        let Some(lane) = self.lanes.get_mut(&operation.host) else {
            return;
        };
        let undos = undo::after_failure(self.plan, &self.order, at);
        if undos.is_empty() {
            return;
        }
        lane.taking_back += 1;
        let ground = lane.ground.clone();
        let say = Say::new(self.say.clone(), operation.id.clone());
        let (host, site) = (operation.host.clone(), operation.site.clone());
        self.jobs.spawn(async move {
            let mut results = Vec::new();
            for (done, kind) in undos {
                let result = match ground.check_lock(&kind).await {
                    Ok(()) => step::perform(&kind, site.as_ref(), &ground, &say)
                        .await
                        .map(drop),
                    Err(failure) => Err(failure),
                };
                results.push((done, result));
            }
            Job::TakenBack(host, site.unwrap_or_default(), results)
        });
    }

    /// Skips every operation that waits and is one of those meant.
    fn skip(&mut self, meant: impl Fn(&Operation) -> bool) {
        for at in 0..self.plan.operations.len() {
            if self.status[at] == Status::Waiting && meant(self.operation(at)) {
                let because = "an earlier operation of the site failed".to_owned();
                self.end(at, OperationOutcome::Skipped { because });
            }
        }
    }

    fn skip_waiting(&mut self) {
        for at in 0..self.plan.operations.len() {
            if self.status[at] == Status::Waiting {
                let because = "cancelled".to_owned();
                self.end(at, OperationOutcome::Skipped { because });
            }
        }
        // A site that was begun and not switched over is taken back; one that was switched over is
        // finished by the next apply.
        let running: BTreeSet<_> = (0..self.status.len())
            .filter(|&at| matches!(self.status[at], Status::Running(_)))
            .filter_map(|at| Some((&self.operation(at).host, self.operation(at).site.as_ref()?)))
            .collect();
        let last_of: BTreeMap<_, usize> = self
            .order
            .iter()
            .filter_map(|&at| {
                let operation = self.operation(at);
                Some(((&operation.host, operation.site.as_ref()?), at))
            })
            .collect();
        for (site, at) in last_of {
            let unfinished = self.plan.operations.iter().enumerate().any(|(n, o)| {
                (&o.host, o.site.as_ref()) == (site.0, Some(site.1))
                    && !matches!(
                        self.status[n],
                        Status::Ended(OperationOutcome::Done { .. }, _)
                    )
            });
            if unfinished && !running.contains(&site) {
                self.take_back(at);
            }
        }
    }

    /// The host as a whole cannot be worked on any more.
    fn fail_host(&mut self, host: &Name, failure: Failure) {
        if let Some(lane) = self.lanes.get_mut(host)
            && lane.failed.is_none()
        {
            self.skip_host(host, &failure);
        }
    }

    fn skip_host(&mut self, host: &Name, failure: &Failure) {
        if let Some(lane) = self.lanes.get_mut(host) {
            lane.failed = Some(failure.clone());
        } else {
            self.journal.host_failed(host, failure);
        }
        self.tell(Progress::Host {
            host: host.clone(),
            state: HostProgress::Failed {
                failure: failure.clone(),
            },
        });
        for at in 0..self.plan.operations.len() {
            if self.status[at] == Status::Waiting && &self.operation(at).host == host {
                let because = failure.why.clone();
                self.end(at, OperationOutcome::Skipped { because });
            }
        }
    }

    /// A task ended without saying which: every operation that no task works on any more failed.
    fn fail_lost(&mut self) {
        if !self.jobs.is_empty() {
            return;
        }
        for at in 0..self.status.len() {
            if matches!(self.status[at], Status::Running(_)) {
                self.operation_ended(at, Err(Failure::new("it broke off")));
            }
        }
    }

    /// Ends the work on hosts that have nothing left: the journal is completed, the lock released.
    fn close_finished(&mut self) {
        let cancelled = self.cancel.is_cancelled();
        for lane in self.lanes.values_mut() {
            let lock_settled = lane.open || lane.failed.is_some();
            if lane.left > 0 || lane.closing || lane.taking_back > 0 || !lock_settled {
                continue;
            }
            lane.closing = true;
            let (ground, open, failed) = (lane.ground.clone(), lane.open, lane.failed.is_some());
            let end = self.journal.end(&ground.name, cancelled);
            let say = self.say.clone();
            self.jobs.spawn(async move {
                if open {
                    put_journal(&ground, end, &say).await;
                    if let Err(e) = ground.release().await {
                        let _ = say.send(Progress::Note {
                            host: Some(ground.name.clone()),
                            text: format!(
                                "the lock could not be released, it goes stale by itself: {e}"
                            ),
                        });
                    }
                }
                if !failed {
                    let _ = say.send(Progress::Host {
                        host: ground.name.clone(),
                        state: HostProgress::Done,
                    });
                }
                Job::Closed
            });
        }
    }

    /// Leaves everything as a killed process does.
    fn leave(mut self) -> Outcome {
        self.jobs.abort_all();
        for lane in self.lanes.values() {
            lane.ground.abandon();
        }
        self.outcome(Duration::ZERO)
    }

    fn outcome(mut self, took: Duration) -> Outcome {
        let millis = |d: Duration| u64::try_from(d.as_millis()).unwrap_or(u64::MAX);
        let operations = self
            .plan
            .operations
            .iter()
            .zip(&self.status)
            .map(|(operation, status)| {
                let (outcome, took) = match status {
                    Status::Ended(outcome, took) => (outcome.clone(), *took),
                    _ => (
                        OperationOutcome::Skipped {
                            because: "it was not come to".into(),
                        },
                        Duration::ZERO,
                    ),
                };
                let took_ms = millis(took);
                (operation.id.clone(), Ended { outcome, took_ms })
            })
            .collect();
        let mut hosts = self.journal.failed_hosts();
        for (name, lane) in &self.lanes {
            if let Some(failure) = &lane.failed {
                hosts.insert(name.clone(), failure.clone());
            }
        }
        let outcome = Outcome {
            run: self.journal.stem().to_owned(),
            operations,
            hosts,
            rolled_back: self.rolled_back,
            cancelled: self.cancel.is_cancelled(),
            took_ms: millis(took),
        };
        self.journal.close(&outcome);
        outcome
    }
}

/// An apply does not fail for its journal, but says so.
async fn put_journal(ground: &Ground, file: HostFile, say: &UnboundedSender<Progress>) {
    if let Err(failure) = journal::put(ground, file).await {
        let _ = say.send(Progress::Note {
            host: Some(ground.name.clone()),
            text: format!("the journal on the host could not be written: {failure}"),
        });
    }
}

/// Whether an operation counts among a host's changing calls, and among its starts.
fn weight(kind: &OperationKind) -> (bool, bool) {
    match kind {
        OperationKind::CheckPorts { .. }
        | OperationKind::AwaitReady { .. }
        | OperationKind::AwaitRouter { .. }
        | OperationKind::Drain { .. } => (false, false),
        OperationKind::StartContainer { .. } | OperationKind::RestartContainer { .. } => {
            (true, true)
        }
        _ => (true, false),
    }
}

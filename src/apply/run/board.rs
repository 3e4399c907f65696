//! Which operation may begin, and what the end of one means for the others. Knows no engine.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::apply::context::Pace;
use crate::apply::progress::OperationOutcome;
use crate::fleet::Name;
use crate::plan::{Operation, OperationId, OperationKind, Plan, newer};

/// Where an operation is.
#[derive(Clone, PartialEq)]
enum Status {
    Waiting,
    Running(Instant),
    Ended(OperationOutcome, Duration),
}

/// The end of one operation.
pub struct End {
    /// Its place in the plan.
    pub at: usize,
    pub outcome: OperationOutcome,
    pub took: Duration,
}

/// One host's operations: whose turn it is, and how many are under way.
#[derive(Default)]
struct Queue {
    /// Operations whose turn it is, in the plan's order.
    ready: BTreeSet<usize>,
    /// Operations that have not ended.
    left: usize,
    changing: usize,
    starting: usize,
    /// Work can begin.
    open: bool,
    /// Why nothing more is started here.
    failed: Option<String>,
}

/// All operations of a plan while it runs.
pub struct Board<'a> {
    plan: &'a Plan,
    pace: Pace,
    status: Vec<Status>,
    /// For each operation, how many of those it waits for have not ended.
    waits: Vec<usize>,
    dependents: Vec<Vec<usize>>,
    by_id: BTreeMap<&'a OperationId, usize>,
    queues: BTreeMap<&'a Name, Queue>,
    /// Sites that an operation was started for; they are finished before others are begun, so that
    /// a killed process leaves few of them half-way.
    begun: BTreeSet<(&'a Name, &'a Name)>,
    failed_sites: BTreeSet<(&'a Name, &'a Name)>,
    /// Operations done, in that order.
    order: Vec<usize>,
    cancelled: bool,
}

impl<'a> Board<'a> {
    /// Of a plan of which nothing was begun.
    pub fn new(plan: &'a Plan, pace: &Pace) -> Board<'a> {
        let by_id: BTreeMap<_, _> = plan
            .operations
            .iter()
            .enumerate()
            .map(|(at, o)| (&o.id, at))
            .collect();
        let mut waits = vec![0; plan.operations.len()];
        let mut dependents = vec![Vec::new(); plan.operations.len()];
        let mut queues: BTreeMap<&Name, Queue> = BTreeMap::new();
        for (at, operation) in plan.operations.iter().enumerate() {
            queues.entry(&operation.host).or_default().left += 1;
            for before in &operation.after {
                if let Some(&before) = by_id.get(before) {
                    waits[at] += 1;
                    dependents[before].push(at);
                }
            }
            if waits[at] == 0 {
                queues.entry(&operation.host).or_default().ready.insert(at);
            }
        }
        Board {
            plan,
            pace: pace.clone(),
            status: vec![Status::Waiting; plan.operations.len()],
            waits,
            dependents,
            by_id,
            queues,
            begun: BTreeSet::new(),
            failed_sites: BTreeSet::new(),
            order: Vec::new(),
            cancelled: false,
        }
    }

    /// Hosts with operations.
    pub fn hosts(&self) -> Vec<Name> {
        self.queues.keys().map(|name| (*name).clone()).collect()
    }

    /// Work on a host can begin.
    pub fn open(&mut self, host: &Name) {
        if let Some(queue) = self.queues.get_mut(host) {
            queue.open = true;
        }
    }

    /// Whether all operations of a host have ended.
    pub fn is_finished(&self, host: &Name) -> bool {
        self.queues.get(host).is_none_or(|queue| queue.left == 0)
    }

    /// Operations done, in that order.
    pub fn order(&self) -> &[usize] {
        &self.order
    }

    /// How many operations have ended that were begun.
    pub fn count(&self) -> usize {
        self.status
            .iter()
            .filter(|status| {
                matches!(status, Status::Ended(outcome, _)
                    if !matches!(outcome, OperationOutcome::Skipped { .. }))
            })
            .count()
    }

    /// Operations that have begun and not ended.
    pub fn running(&self) -> Vec<usize> {
        (0..self.status.len())
            .filter(|at| matches!(self.status[*at], Status::Running(_)))
            .collect()
    }

    fn operation(&self, at: usize) -> &'a Operation {
        &self.plan.operations[at]
    }

    fn is_done(&self, at: usize) -> bool {
        matches!(
            self.status[at],
            Status::Ended(OperationOutcome::Done { .. }, _)
        )
    }

    /// The next operation that the host bears; it counts as begun.
    pub fn next(&mut self, host: &Name) -> Option<usize> {
        let queue = self.queues.get(host)?;
        if !queue.open || queue.failed.is_some() || self.cancelled {
            return None;
        }
        let fits = |at: &&usize| {
            let facts = self.operation(**at).kind.facts();
            (!facts.changes() || queue.changing < self.pace.changing)
                && (!facts.starts() || queue.starting < self.pace.starts)
        };
        let is_begun = |at: &&usize| {
            let operation = self.operation(**at);
            operation
                .site
                .as_ref()
                .is_none_or(|site| self.begun.contains(&(&operation.host, site)))
        };
        let mut fitting = queue.ready.iter().filter(fits);
        let at = *fitting.clone().find(is_begun).or_else(|| fitting.next())?;
        let operation = self.operation(at);
        if let Some(site) = &operation.site {
            self.begun.insert((&operation.host, site));
        }
        let facts = operation.kind.facts();
        if let Some(queue) = self.queues.get_mut(host) {
            queue.ready.remove(&at);
            queue.changing += usize::from(facts.changes());
            queue.starting += usize::from(facts.starts());
        }
        self.status[at] = Status::Running(Instant::now());
        Some(at)
    }

    /// An operation ended. Gives that end and those that follow from it at once.
    pub fn end(&mut self, at: usize, outcome: OperationOutcome) -> Vec<End> {
        let mut ends = Vec::new();
        self.end_into(at, outcome, &mut ends);
        ends
    }

    fn end_into(&mut self, at: usize, outcome: OperationOutcome, ends: &mut Vec<End>) {
        // A loop, not a recursion: chains are as long as a plan.
        let mut ending = vec![(at, outcome)];
        while let Some((at, outcome)) = ending.pop() {
            let operation = self.operation(at);
            let Some(queue) = self.queues.get_mut(&operation.host) else {
                continue;
            };
            let took = match self.status[at] {
                Status::Running(since) => {
                    let facts = operation.kind.facts();
                    queue.changing -= usize::from(facts.changes());
                    queue.starting -= usize::from(facts.starts());
                    since.elapsed()
                }
                Status::Waiting => Duration::ZERO,
                Status::Ended(..) => continue,
            };
            queue.left -= 1;
            queue.ready.remove(&at);
            if matches!(outcome, OperationOutcome::Done { .. }) {
                self.order.push(at);
            }
            self.status[at] = Status::Ended(outcome.clone(), took);
            ends.push(End { at, outcome, took });
            for next in self.dependents[at].clone() {
                self.waits[next] -= 1;
                if self.waits[next] > 0 || self.status[next] != Status::Waiting {
                    continue;
                }
                match self.obstacle(next) {
                    Some(because) => ending.push((next, OperationOutcome::Skipped { because })),
                    None => {
                        if let Some(queue) = self.queues.get_mut(&self.operation(next).host) {
                            queue.ready.insert(next);
                        }
                    }
                }
            }
        }
    }

    /// Why an operation is not started although all that it waits for has ended.
    fn obstacle(&self, at: usize) -> Option<String> {
        let operation = self.operation(at);
        if self.cancelled {
            return Some("cancelled".into());
        }
        if let Some(why) = self.queues.get(&operation.host)?.failed.clone() {
            return Some(why);
        }
        if let Some(site) = &operation.site
            && self.failed_sites.contains(&(&operation.host, site))
            && !operation.kind.facts().apart
        {
            return Some(SITE_FAILED.into());
        }
        // What was applied is recorded also when some sites failed: the file is the wish. Not so
        // where the host turned out to keep what the plan did not know.
        if matches!(operation.kind, OperationKind::RecordFleet { .. }) {
            let unprepared = |(at, o): (usize, &Operation)| {
                o.host == operation.host
                    && matches!(o.kind, OperationKind::PrepareHost { .. })
                    && !self.is_done(at)
            };
            let mut all = self.plan.operations.iter().enumerate();
            return all
                .any(unprepared)
                .then(|| "the host was not prepared".to_owned());
        }
        operation
            .after
            .iter()
            .find(|id| self.by_id.get(id).is_some_and(|&at| !self.is_done(at)))
            .map(|id| format!("{id} was not done"))
    }

    /// Nothing more is started for the site of an operation that failed.
    pub fn fail_site(&mut self, at: usize) -> Vec<End> {
        let failed = self.operation(at);
        let Some(site) = failed.site.as_ref().filter(|_| !failed.kind.facts().apart) else {
            return Vec::new();
        };
        self.failed_sites.insert((&failed.host, site));
        // What stands for itself and waits for any of it is skipped for that.
        self.skip(SITE_FAILED, |o| {
            o.host == failed.host && o.site.as_ref() == Some(site) && !o.kind.facts().apart
        })
    }

    /// Something failed: where a plan is careful, no site is begun any more that was not yet, and no
    /// router replaced. Those that were go on to their end, with the routers that sites among them wait
    /// for.
    pub fn halt(&mut self) -> Vec<End> {
        if !self.plan.careful {
            return Vec::new();
        }
        let begun = self.begun.clone();
        let is_begun = |o: &Operation| {
            let site = o.site.as_ref();
            site.is_some_and(|site| begun.contains(&(&o.host, site)))
        };
        let mut kept: BTreeSet<&Name> = BTreeSet::new();
        for (at, operation) in self.plan.operations.iter().enumerate() {
            let is_router = newer::replaces_router(operation);
            let needs = |at: &usize| is_begun(self.operation(*at));
            if is_router
                && (self.status[at] != Status::Waiting || self.dependents[at].iter().any(needs))
            {
                kept.insert(&operation.host);
            }
        }
        self.skip(HALTED, |o| match o.site {
            Some(_) => !is_begun(o),
            None => newer::replaces_router(o) && !kept.contains(&o.host),
        })
    }

    /// Nothing more is started on a host.
    pub fn fail_host(&mut self, host: &Name, why: &str) -> Vec<End> {
        if let Some(queue) = self.queues.get_mut(host) {
            queue.failed = Some(why.to_owned());
        }
        self.skip(why, |o| &o.host == host)
    }

    /// Nothing more is started at all.
    pub fn cancel(&mut self) -> Vec<End> {
        self.cancelled = true;
        self.skip("cancelled", |_| true)
    }

    fn skip(&mut self, because: &str, meant: impl Fn(&Operation) -> bool) -> Vec<End> {
        let mut ends = Vec::new();
        for at in 0..self.status.len() {
            if self.status[at] == Status::Waiting && meant(self.operation(at)) {
                let because = because.to_owned();
                self.end_into(at, OperationOutcome::Skipped { because }, &mut ends);
            }
        }
        ends
    }

    /// Of each site that was begun, is not finished and has nothing running: its newest operation.
    /// (One that has something running is dealt with when that fails.)
    pub fn unfinished_sites(&mut self) -> Vec<usize> {
        let key = |at: usize| {
            let operation = self.operation(at);
            let site = operation.site.as_ref()?;
            (!operation.kind.facts().apart).then_some((&operation.host, site))
        };
        let mut newest: BTreeMap<_, usize> = BTreeMap::new();
        for &at in &self.order {
            if let Some(key) = key(at) {
                newest.insert(key, at);
            }
        }
        let mut unfinished = BTreeSet::new();
        let mut running = BTreeSet::new();
        for (at, status) in self.status.iter().enumerate() {
            match (key(at), status) {
                (Some(key), Status::Running(_)) => running.insert(key),
                (Some(key), _) if !self.is_done(at) => unfinished.insert(key),
                _ => continue,
            };
        }
        newest.retain(|key, _| {
            unfinished.contains(key) && !running.contains(key) && !self.failed_sites.contains(key)
        });
        newest.into_values().collect()
    }

    /// An operation that was done was taken back.
    pub fn undone(&mut self, at: usize) -> Vec<End> {
        match &mut self.status[at] {
            Status::Ended(outcome @ OperationOutcome::Done { .. }, took) => {
                *outcome = OperationOutcome::Undone;
                vec![End {
                    at,
                    outcome: OperationOutcome::Undone,
                    took: *took,
                }]
            }
            _ => Vec::new(),
        }
    }

    /// How every operation ended.
    pub fn results(&self) -> impl Iterator<Item = (usize, OperationOutcome, Duration)> + '_ {
        self.status.iter().enumerate().map(|(at, status)| {
            let (outcome, took) = match status {
                Status::Ended(outcome, took) => (outcome.clone(), *took),
                _ => (
                    OperationOutcome::Skipped {
                        because: "it was not come to".into(),
                    },
                    Duration::ZERO,
                ),
            };
            (at, outcome, took)
        })
    }
}

const HALTED: &str = "what came before it failed: nothing more is begun";
const SITE_FAILED: &str = "an earlier operation of the site failed";

#[cfg(test)]
mod tests;

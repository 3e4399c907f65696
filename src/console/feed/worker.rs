//! What a host's worker knows of it, and how it looks at it: pings, reads, and tells what is news.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::certificates::Certificates;
use super::prober::{Answered, Prober, Told};
use super::shared::Shared;
use crate::console::message::{ContainerEvent, HostNews, Seen};
use crate::engine::{self, Client, EngineEvent, Stats};
use crate::fleet::Host;
use crate::observe::model::{HostObservation, ObservedContainer, ObservedHost};
use crate::observe::scan::{Inspect, scan_in_time};
use crate::observe::whose::{Whose, told};
use crate::verdict::{Link, Pulse};
/// A ping that takes longer is slow.
const SLOW: Duration = Duration::from_secs(2);
/// One that is faster is slow no more.
const BRISK: Duration = Duration::from_secs(1);
/// A look that takes longer is slow.
const SLOW_LOOK: Duration = Duration::from_secs(6);

/// What is wrong with a host that answers.
#[derive(Default)]
pub(super) struct Troubles {
    /// It could not be read in full.
    unread: Option<String>,
    /// It answers slowly, or not to every ping.
    late: Option<String>,
    /// Reading it takes long.
    slow: Option<String>,
}

impl Troubles {
    fn words(&self) -> String {
        let all = [&self.unread, &self.late, &self.slow];
        let all: Vec<&str> = all.into_iter().flatten().map(String::as_str).collect();
        all.join("; ")
    }
}

/// The worker of one host that answers.
pub(super) struct Worker<'a> {
    pub(super) shared: &'a Shared,
    pub(super) host: &'a Host,
    pub(super) client: Client,
    pub(super) last: Option<Arc<ObservedHost>>,
    /// Containers that something happened to since they were last inspected.
    pub(super) touched: BTreeSet<String>,
    pub(super) stats: HashMap<String, Stats>,
    /// The router's numbers were read at least once.
    pub(super) counted: bool,
    /// The machine's numbers were read at least once.
    pub(super) measured: bool,
    /// The router's table cannot be read; its log is.
    pub(super) blind: bool,
    /// Seconds that the host's clock is ahead of ours, as last read.
    pub(super) ahead: Option<i64>,
    /// What was last told of the round trip.
    pub(super) pulse: Option<Pulse>,
    pub(super) troubles: Troubles,
    /// What its prober knows of the host.
    pub(super) asks: watch::Sender<Told>,
    /// The prober; it ends with this.
    prober: JoinSet<()>,
    /// What watches its certificates; it too.
    rounds: JoinSet<()>,
    answered: Answered,
    /// The link, as it was last told.
    pub(super) told: Option<(Link, String)>,
}

impl<'a> Worker<'a> {
    /// One that has not looked yet.
    pub(super) fn new(
        shared: &'a Shared,
        host: &'a Host,
        client: Client,
        answered: &Answered,
    ) -> Worker<'a> {
        Worker {
            shared,
            host,
            client,
            last: None,
            touched: BTreeSet::new(),
            stats: HashMap::new(),
            counted: false,
            measured: false,
            blind: false,
            ahead: None,
            pulse: None,
            troubles: Troubles::default(),
            asks: watch::Sender::default(),
            prober: JoinSet::new(),
            rounds: JoinSet::new(),
            answered: answered.clone(),
            told: None,
        }
    }

    /// Sees to it that its sites and their certificates are asked: what asks them may have failed.
    pub(super) fn see_to_prober(&mut self) {
        while self.prober.try_join_next().is_some() {}
        if self.prober.is_empty() && !self.shared.lone {
            let prober = Prober::new(self.shared, self.host, &self.client, &self.answered);
            self.prober.spawn(prober.run(self.asks.subscribe()));
        }
        while self.rounds.try_join_next().is_some() {}
        if self.rounds.is_empty() && !self.shared.lone {
            let rounds = Certificates::new(self.shared, self.host, &self.client);
            self.rounds.spawn(rounds.run(self.asks.subscribe()));
        }
    }

    /// Tells how the host is, when that is news.
    pub(super) fn tell(&mut self) {
        let why = self.troubles.words();
        let link = match why.is_empty() {
            true => Link::Ready,
            false => Link::Degraded,
        };
        let now = Some((link, why.clone()));
        if self.told != now {
            self.told = now;
            let retry_at = None;
            self.shared.send(
                &self.host.name,
                HostNews::Link {
                    link,
                    why,
                    retry_at,
                },
            );
        }
    }

    /// Asks whether the host is there, and how far away. Two pings without an answer in a row: it
    /// is not.
    pub(super) async fn ask_pulse(&mut self) -> engine::Result<()> {
        let client = self.client.clone();
        for last in [false, true] {
            let start = Instant::now();
            let mut answer = std::pin::pin!(client.ping());
            let slow = sleep(SLOW);
            let answer = tokio::select! {
                answer = &mut answer => answer,
                () = slow => {
                    self.troubles.late = Some(format!(
                        "no answer to a ping for {} s",
                        start.elapsed().as_secs()
                    ));
                    self.tell();
                    answer.await
                }
            };
            match answer {
                Ok(()) => {
                    self.answered(start.elapsed());
                    return Ok(());
                }
                Err(error) if error.is_late() && !last => {
                    self.troubles.late = Some("it did not answer a ping".into());
                    self.tell();
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    pub(super) fn answered(&mut self, took: Duration) {
        if took >= SLOW || (self.troubles.late.is_some() && took >= BRISK) {
            let took = took.as_secs_f64();
            self.troubles.late = Some(format!("slow: a ping takes {took:.1} s"));
        } else {
            self.troubles.late = None;
        }
        self.tell();
        self.skew();
        let pulse = Pulse {
            round_trip: took,
            skew_s: self.ahead,
        };
        if self.pulse.is_none_or(|before| before.differs(&pulse)) {
            self.pulse = Some(pulse);
            self.shared.send(&self.host.name, HostNews::Pulse(pulse));
        }
    }

    /// Reads the host. Whether that worked; a host that cannot be read but answers pings is not
    /// lost.
    pub(super) async fn try_look(&mut self, inspect: &Inspect) -> engine::Result<bool> {
        let start = Instant::now();
        // On the heap: it is large, and is made in several places.
        let done = Box::pin(self.look(inspect)).await;
        match &done {
            Ok(()) => {
                let took = start.elapsed();
                self.troubles.unread = None;
                self.troubles.slow = (took >= SLOW_LOOK)
                    .then(|| format!("slow: reading it takes {} s", took.as_secs()));
            }
            Err(error) => {
                if let Inspect::And(ids) = inspect {
                    self.touched.extend(ids.iter().cloned());
                }
                if self.troubles.unread.is_none() {
                    self.shared.send(&self.host.name, HostNews::Unread);
                }
                self.troubles.unread = Some(format!("it cannot be read: {error}"));
            }
        }
        self.weigh(done.map(|()| true), false).await
    }

    /// What an error says about the host: lost, or only in trouble.
    pub(super) async fn weigh<T>(&mut self, done: engine::Result<T>, or: T) -> engine::Result<T> {
        match done {
            Ok(value) => {
                self.tell();
                Ok(value)
            }
            Err(error) if error.is_late() => {
                self.ask_pulse().await?;
                Ok(or)
            }
            Err(error) if error.is_unreachable() => Err(error),
            Err(_) => {
                self.tell();
                Ok(or)
            }
        }
    }

    /// Somebody holds the lock, and is not known to be gone.
    pub(super) fn is_locked(&self) -> bool {
        let lock = self.last.as_ref().and_then(|seen| seen.lock.as_ref());
        lock.is_some_and(|lock| !lock.is_stale())
    }

    pub(super) fn everything(&self) -> Inspect {
        if self.shared.lone
            && let Some(last) = &self.last
        {
            return Inspect::And(last.containers.iter().map(|c| c.id.clone()).collect());
        }
        Inspect::Ours
    }

    pub(super) async fn look(&mut self, inspect: &Inspect) -> engine::Result<()> {
        let fleet = self.shared.fleet.borrow().clone();
        // As the file describes it now: its ports may be others than when it was connected to.
        let host = fleet.hosts.get(&self.host.name).unwrap_or(self.host);
        let looking = scan_in_time(&self.client, host, &fleet, None, inspect);
        let mut found = looking.await?;
        if let Some(last) = &self.last {
            carry_over(last, &mut found);
            // Something was applied: what was compared with the records of before says nothing.
            if found.differs.is_none() && last.differs.is_some() && *inspect != Inspect::Ours {
                return Box::pin(self.look(&Inspect::Ours)).await;
            }
        }
        self.blind = false;
        let found = Arc::new(found);
        let alive: HashSet<&str> = found.containers.iter().map(|c| c.id.as_str()).collect();
        self.stats.retain(|id, _| alive.contains(id.as_str()));
        if let Some(mut known) = self.shared.known(&self.host.name) {
            let reached = HostObservation::Reached(found.clone());
            known.observed.hosts.insert(self.host.name.clone(), reached);
            known
                .clients
                .insert(self.host.name.clone(), self.client.clone());
        }
        self.last = Some(found.clone());
        self.asks
            .send_modify(|told| told.seen = Some(found.clone()));
        let fleet = (!self.shared.lone).then_some(&*fleet);
        let seen = Seen::of(fleet, &self.host.name, found);
        self.shared.send(&self.host.name, HostNews::Observed(seen));
        Ok(())
    }

    /// Seconds that the host's clock is ahead of ours, where that is more than reading clocks in
    /// whole seconds makes of none.
    pub(super) fn skew(&mut self) -> i64 {
        let local = chrono::Utc::now().timestamp();
        if let Some(there) = self.client.daemon_now() {
            let ahead = there - local;
            // It does not follow what is only the reading: moments would move with it.
            match self.ahead {
                Some(before) if (before - ahead).abs() <= 1 => {}
                _ => self.ahead = Some(ahead),
            }
        }
        let pulse = Pulse {
            round_trip: Duration::ZERO,
            skew_s: self.ahead,
        };
        pulse.skew().unwrap_or(0)
    }

    pub(super) fn event(&mut self, event: EngineEvent) {
        if event.kind == "network" {
            // What it means for the container shows when that is looked at.
            self.touched
                .extend(event.attributes.get("container").cloned());
            return;
        }
        self.touched.insert(event.id.clone());
        let (action, mut detail) = match event.action.split_once(": ") {
            Some((action, detail)) => (action.to_owned(), detail.to_owned()),
            None => (event.action.clone(), String::new()),
        };
        if let Some(code) = event.attributes.get("exitCode") {
            detail = format!("exit code {code}");
        }
        let name = event.attributes.get("name").cloned().unwrap_or_default();
        let fleet = self.shared.fleet.borrow().name.clone();
        let site = match told(&event.attributes, &name, &fleet) {
            Some(Whose::Site(site)) => Some(site.to_owned()),
            _ => None,
        };
        let event = ContainerEvent {
            at: event.time_nano / 1_000_000_000 - self.skew(),
            name,
            site,
            container: event.id,
            action,
            detail,
        };
        self.shared.send(&self.host.name, HostNews::Event(event));
    }
}

/// What was inspected stays known while the container runs on untouched.
fn carry_over(last: &ObservedHost, found: &mut ObservedHost) {
    let before: HashMap<&str, &ObservedContainer> =
        last.containers.iter().map(|c| (c.id.as_str(), c)).collect();
    for container in &mut found.containers {
        if container.inspected.is_none()
            && let Some(known) = before.get(container.id.as_str())
            && known.run == container.run
        {
            container.inspected.clone_from(&known.inspected);
        }
    }
    // What was compared with the records holds while the records do.
    if found.state == last.state {
        // One copy of it is enough.
        found.state = last.state.clone();
        if found.differs.is_none() {
            found.differs.clone_from(&last.differs);
        }
    }
}

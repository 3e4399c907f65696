//! One host's worker: connect, look, follow events, look again when something happened; read the
//! numbers that are on screen. When the host goes away: wait, longer each time, and try again.
//!
//! A host is *degraded* when it answers pings but slowly, or cannot be read in full; it is *lost*
//! when nothing can be sent to it any more, or two pings in a row get no answer.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{FutureExt, StreamExt, stream};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until};

use super::heard::Heard;
use super::numbers;
use super::shared::Shared;
use crate::console::message::{ContainerEvent, HostNews, Seen};
use crate::engine::{self, Client, EngineEvent, Stats};
use crate::fleet::{EngineAddress, Fleet, Host};
use crate::host::{Toolbox, machine, router};
use crate::observe::model::{HostObservation, ObservedContainer, ObservedHost};
use crate::observe::scan::{Inspect, find_toolbox, scan_in_time};
use crate::record::{Labelled, Layout, Role};
use crate::verdict::due::drift_of;
use crate::verdict::{Link, Pulse, Usage};

/// Waits between attempts, seconds: doubled from the first to the last.
const BACKOFF: (u64, u64) = (1, 60);
/// Events come in flocks: the host is looked at once they have settled.
const SETTLE: Duration = Duration::from_millis(300);
/// But not later than this after the first.
const SETTLE_AT_MOST: Duration = Duration::from_secs(2);
/// How often numbers on screen are read.
const NUMBERS: Duration = Duration::from_secs(10);
/// How often the machine's own numbers are read while they are on screen.
const MACHINE: Duration = Duration::from_secs(30);
/// How often everything is inspected, to find what no event tells.
const SWEEP: Duration = Duration::from_secs(600);
/// How often a host is asked whether it is there. A daemon that hangs closes nothing.
const PING: Duration = Duration::from_secs(15);
/// A ping that takes longer is slow.
const SLOW: Duration = Duration::from_secs(2);
/// One that is faster is slow no more.
const BRISK: Duration = Duration::from_secs(1);
/// A look that takes longer is slow.
const SLOW_LOOK: Duration = Duration::from_secs(6);
/// Events of a host over the network are asked for anew when none came for so long: what lies
/// between may have forgotten the connection. Nothing is missed by it.
const SILENCE: Duration = Duration::from_secs(300);
/// How often a host is looked at while somebody holds its lock: no event tells that a holder died.
const LOCKED: Duration = Duration::from_secs(10);
/// Stats calls at the same time.
const AT_ONCE: usize = 4;

/// Events that change what is shown. The daemon sends no others.
const EVENTS: [&str; 14] = [
    "create",
    "start",
    "die",
    "stop",
    "kill",
    "oom",
    "pause",
    "unpause",
    "destroy",
    "rename",
    "update",
    "health_status",
    // A network's: someone takes a container off it, or puts it on another.
    "connect",
    "disconnect",
];

/// What outlives a connection.
#[derive(Default)]
struct Past {
    /// The events that were told.
    heard: Heard,
    /// When the host began to answer, this time.
    ready: Option<Instant>,
    /// The client, where its session is worth keeping.
    client: Option<Client>,
    /// What was last found.
    last: Option<Arc<ObservedHost>>,
}

/// What the console says to a worker.
struct Ears {
    /// The fleet file.
    fleet: watch::Receiver<Arc<Fleet>>,
    /// How often it was to look again.
    refresh: watch::Receiver<u64>,
}

/// A host is away.
struct Away<'a> {
    why: String,
    /// Until the operator says so it is not tried again.
    held: bool,
    last: Option<&'a Arc<ObservedHost>>,
}

/// Watches one host until the task is aborted. A worker that panics tells so and begins again: a
/// host that nobody watches must not look well.
pub(super) async fn watch_host(shared: Shared, host: Host) {
    let mut ears = Ears {
        fleet: shared.fleet.clone(),
        refresh: shared.refresh.clone(),
    };
    ears.refresh.mark_unchanged();
    let mut wait = BACKOFF.0;
    loop {
        let began = Instant::now();
        let work = AssertUnwindSafe(watch(&shared, &host, &mut ears));
        let Err(panic) = work.catch_unwind().await;
        if began.elapsed() > Duration::from_secs(BACKOFF.1) {
            wait = BACKOFF.0;
        }
        let said = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let said = said.or_else(|| panic.downcast_ref::<String>().cloned());
        let why = format!(
            "its worker in ostler failed and is begun again: {}",
            said.unwrap_or_default()
        );
        let away = Away {
            why,
            held: false,
            last: None,
        };
        away.wait(&shared, &host, &mut ears, &mut wait).await;
    }
}

async fn watch(shared: &Shared, host: &Host, ears: &mut Ears) -> Infallible {
    let mut wait = BACKOFF.0;
    let mut past = Past::default();
    loop {
        let Err(error) = attend(shared, host, &mut past, ears).await;
        let stood = past.ready.take().map(|at| at.elapsed());
        if stood.is_some_and(|it| it > Duration::from_secs(BACKOFF.1)) {
            wait = BACKOFF.0;
        }
        let away = Away {
            why: error.to_string(),
            // A login that was refused, by the host or by the operator, is not tried again
            // without him.
            held: error.needs_operator(),
            last: past.last.as_ref(),
        };
        away.wait(shared, host, ears, &mut wait).await;
    }
}

impl Away<'_> {
    /// Tells that the host is away, and waits until it is to be tried again.
    async fn wait(self, shared: &Shared, host: &Host, ears: &mut Ears, wait: &mut u64) {
        if let Some(mut known) = shared.known(&host.name) {
            known.clients.remove(&host.name);
            let gone = HostObservation::Unreachable {
                why: self.why.clone(),
            };
            known.observed.hosts.insert(host.name.clone(), gone);
        }
        // Many hosts lost at once do not all come back in the same instant.
        let pause = Duration::from_secs(*wait) + jitter(*wait);
        let until = Instant::now() + pause;
        let retry_at = chrono::Utc::now() + pause;
        let news = HostNews::Link {
            link: Link::BackingOff,
            why: self.why,
            retry_at: (!self.held).then(|| retry_at.timestamp()),
        };
        shared.send(&host.name, news);
        loop {
            tokio::select! {
                () = sleep_until(until), if !self.held => break,
                // Also where that was wanted while it was being tried.
                Ok(()) = ears.refresh.changed() => {
                    *wait = BACKOFF.0;
                    break;
                }
                Ok(()) = ears.fleet.changed() => {
                    let fleet = ears.fleet.borrow_and_update().clone();
                    if let Some(last) = self.last {
                        tell_drift(shared, host, &fleet, last);
                    }
                }
            }
        }
        *wait = (*wait * 2).min(BACKOFF.1);
    }
}

/// Another fleet file: what was last seen is compared with it at once.
fn tell_drift(shared: &Shared, host: &Host, fleet: &Fleet, last: &ObservedHost) {
    if shared.lone {
        return;
    }
    let drift = drift_of(Some(fleet), &host.name, last);
    shared.send(&host.name, HostNews::Drift(Arc::new(drift)));
}

fn jitter(wait: u64) -> Duration {
    let mut byte = [0u8; 1];
    // Without randomness there is no jitter, and nothing else is lost.
    let _ = getrandom::fill(&mut byte);
    Duration::from_millis(wait * 1000 * u64::from(byte[0]) / (4 * 255))
}

/// One connection's life. Ends only with the reason why it is over.
async fn attend(
    shared: &Shared,
    host: &Host,
    past: &mut Past,
    ears: &mut Ears,
) -> engine::Result<Infallible> {
    let client = connected(shared, host, past).await?;
    // The login of an SSH host lives in its client: it is not made again while it stands.
    if matches!(host.engine, EngineAddress::Ssh { .. }) {
        past.client = Some(client.clone());
    }
    let mut worker = Worker {
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
        told: None,
    };
    let ended = Box::pin(worker.run(past, ears)).await;
    past.last = worker.last.or(past.last.take());
    ended
}

/// A client: the one there was, while the engine is what it was.
async fn connected(shared: &Shared, host: &Host, past: &mut Past) -> engine::Result<Client> {
    if let Some(client) = past.client.take() {
        match client.is_as_before().await {
            Ok(true) => return Ok(client),
            Ok(false) => {}
            Err(error) if error.is_unreachable() => {
                past.client = Some(client);
                return Err(error);
            }
            Err(_) => {}
        }
    }
    (shared.connect)(host).await
}

/// What is wrong with a host that answers.
#[derive(Default)]
struct Troubles {
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

struct Worker<'a> {
    shared: &'a Shared,
    host: &'a Host,
    client: Client,
    last: Option<Arc<ObservedHost>>,
    /// Containers that something happened to since they were last inspected.
    touched: BTreeSet<String>,
    stats: HashMap<String, Stats>,
    /// The router's numbers were read at least once.
    counted: bool,
    /// The machine's numbers were read at least once.
    measured: bool,
    /// The router's table cannot be read; its log is.
    blind: bool,
    /// Seconds that the host's clock is ahead of ours, as last read.
    ahead: Option<i64>,
    /// What was last told of the round trip.
    pulse: Option<Pulse>,
    troubles: Troubles,
    /// The link, as it was last told.
    told: Option<(Link, String)>,
}

impl Worker<'_> {
    async fn run(&mut self, past: &mut Past, ears: &mut Ears) -> engine::Result<Infallible> {
        // The engine remembers what happened a while ago: kills for memory, restarts. And nothing
        // falls between the first look and the first event.
        let mut since = self.client.daemon_now().map(|now| past.heard.since(now));
        // What comes while it is being looked at is not overlooked.
        let Ears { fleet, refresh } = ears;
        fleet.mark_unchanged();
        refresh.mark_unchanged();
        // Looks that failed are made again, each time later.
        let mut again = BACKOFF.0;
        let mut seen = self.try_look(&Inspect::Needed).await?;
        past.ready = Some(Instant::now());
        self.ask_pulse().await?;
        if seen {
            seen = self.try_look(&self.everything()).await?;
        }
        let mut watched = self.shared.watch.clone();
        let every = |period| {
            let mut ticks = interval(period);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            ticks.reset();
            ticks
        };
        let (mut numbers, mut sweep, mut ping) = (every(NUMBERS), every(SWEEP), every(PING));
        let mut machine = every(MACHINE);
        let mut locked = every(LOCKED);
        let far = !matches!(
            self.host.engine,
            EngineAddress::Unix { .. } | EngineAddress::Sim { .. }
        );
        let mut filters = vec![("type", "container"), ("type", "network")];
        filters.extend(EVENTS.map(|e| ("event", e)));
        let mut events = Box::pin(self.client.events(&filters, since));
        let mut silent_since = Instant::now();
        // When to look again, and the moment that must not be passed.
        let mut look_at: Option<(Instant, Instant)> = None;
        loop {
            if !seen && look_at.is_none() {
                let at = Instant::now() + Duration::from_secs(again);
                look_at = Some((at, at));
                again = (again * 2).min(BACKOFF.1);
            }
            let due = look_at.map(|(at, last)| at.min(last));
            tokio::select! {
                event = events.next() => match event {
                    Some(event) => {
                        silent_since = Instant::now();
                        let event = match event {
                            // The engine takes its time to begin: asked again where it answers.
                            Err(error) if error.is_late() => {
                                self.ask_pulse().await?;
                                since = self.client.daemon_now().map(|now| past.heard.since(now));
                                events = Box::pin(self.client.events(&filters, since));
                                continue;
                            }
                            event => event?,
                        };
                        // Told before: it was asked for again.
                        if !past.heard.is_news(&event) {
                            continue;
                        }
                        self.event(event);
                        let now = Instant::now();
                        let last = look_at.map_or(now + SETTLE_AT_MOST, |(_, last)| last);
                        look_at = Some((now + SETTLE, last));
                    }
                    None => return Err(engine::Error::Cut { what: "watch events".into() }),
                },
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    look_at = None;
                    let inspect = match seen {
                        true => Inspect::And(std::mem::take(&mut self.touched)),
                        false => self.everything(),
                    };
                    seen = self.try_look(&inspect).await?;
                    if seen {
                        again = BACKOFF.0;
                    }
                }
                // The channel ends with the feed, and this task with it.
                Ok(()) = fleet.changed() => {
                    let now = fleet.borrow_and_update().clone();
                    if let Some(last) = &self.last {
                        tell_drift(self.shared, self.host, &now, last);
                    }
                    look_at.get_or_insert((Instant::now(), Instant::now()));
                }
                Ok(()) = refresh.changed() => {
                    seen = self.try_look(&self.everything()).await?;
                    self.measured = false;
                    self.numbers(true).await?;
                    self.ask_pulse().await?;
                }
                Ok(()) = watched.changed() => self.numbers(true).await?,
                _ = numbers.tick(), if self.is_watched() => self.numbers(false).await?,
                _ = machine.tick(), if self.is_measured() => Box::pin(self.measure()).await?,
                _ = locked.tick(), if self.is_locked() => {
                    seen = self.try_look(&Inspect::Needed).await?;
                }
                _ = sweep.tick() => seen = self.try_look(&self.everything()).await?,
                _ = ping.tick() => {
                    self.ask_pulse().await?;
                    if far && silent_since.elapsed() > SILENCE {
                        silent_since = Instant::now();
                        since = self.client.daemon_now().map(|now| past.heard.since(now));
                        events = Box::pin(self.client.events(&filters, since));
                    }
                }
            }
        }
    }

    /// Tells how the host is, when that is news.
    fn tell(&mut self) {
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
    async fn ask_pulse(&mut self) -> engine::Result<()> {
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

    fn answered(&mut self, took: Duration) {
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
    async fn try_look(&mut self, inspect: &Inspect) -> engine::Result<bool> {
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
    async fn weigh<T>(&mut self, done: engine::Result<T>, or: T) -> engine::Result<T> {
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
    fn is_locked(&self) -> bool {
        let lock = self.last.as_ref().and_then(|seen| seen.lock.as_ref());
        lock.is_some_and(|lock| !lock.is_stale())
    }

    fn everything(&self) -> Inspect {
        if self.shared.lone
            && let Some(last) = &self.last
        {
            return Inspect::And(last.containers.iter().map(|c| c.id.clone()).collect());
        }
        Inspect::Ours
    }

    async fn look(&mut self, inspect: &Inspect) -> engine::Result<()> {
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
        let fleet = (!self.shared.lone).then_some(&*fleet);
        let seen = Seen::of(fleet, &self.host.name, found);
        self.shared.send(&self.host.name, HostNews::Observed(seen));
        Ok(())
    }

    /// Seconds that the host's clock is ahead of ours, where that is more than reading clocks in
    /// whole seconds makes of none.
    fn skew(&mut self) -> i64 {
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

    fn event(&mut self, event: EngineEvent) {
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
        let event = ContainerEvent {
            at: event.time_nano / 1_000_000_000 - self.skew(),
            name: event.attributes.get("name").cloned().unwrap_or_default(),
            site: event.attributes.site().map(str::to_owned),
            container: event.id,
            action,
            detail,
        };
        self.shared.send(&self.host.name, HostNews::Event(event));
    }

    fn is_watched(&self) -> bool {
        let watch = self.shared.watch.borrow();
        let here = self.host.name.as_str();
        watch.usage.iter().any(|(host, _)| host == here)
            || watch.traffic.iter().any(|host| host == here)
    }

    fn is_measured(&self) -> bool {
        let watch = self.shared.watch.borrow();
        let here = self.host.name.as_str();
        watch.machines.iter().any(|host| host == here)
    }

    /// Reads the numbers on screen. When what is on screen changed, only those never read.
    async fn numbers(&mut self, only_new: bool) -> engine::Result<()> {
        let here = self.host.name.as_str();
        let (usage, traffic) = {
            let watch = self.shared.watch.borrow();
            let usage: Vec<String> = watch
                .usage
                .iter()
                .filter(|(host, id)| host == here && !(only_new && self.stats.contains_key(id)))
                .map(|(_, id)| id.clone())
                .collect();
            let traffic = watch.traffic.iter().any(|h| h == here);
            (usage, traffic && !(only_new && self.counted))
        };
        let done = Box::pin(self.usage(&usage)).await;
        self.weigh(done, ()).await?;
        if traffic {
            self.counted = true;
            let done = Box::pin(self.traffic()).await;
            self.weigh(done, ()).await?;
        }
        if only_new && !self.measured && self.is_measured() {
            Box::pin(self.measure()).await?;
        }
        Ok(())
    }

    /// The machine's numbers: through a command in the toolbox, which on-call mode does not run.
    async fn measure(&mut self) -> engine::Result<()> {
        self.measured = true;
        let fleet = self.shared.fleet.borrow().name.clone();
        let toolbox = self.last.as_ref().and_then(|last| {
            find_toolbox(&last.containers, &fleet).filter(|c| c.is_running() && !self.shared.lone)
        });
        let Some(toolbox) = toolbox.filter(|_| !self.shared.on_call) else {
            return Ok(());
        };
        let toolbox = Toolbox {
            client: self.client.clone(),
            id: toolbox.id.clone(),
            layout: Layout::new(&self.host.root),
        };
        match machine::read(&toolbox).await {
            Ok(found) => self
                .shared
                .send(&self.host.name, HostNews::Machine(Ok(found))),
            Err(crate::host::ToolboxError::Engine(error)) if error.is_unreachable() => {
                return self.weigh(Err(error), ()).await;
            }
            Err(error) => {
                let why = error.to_string();
                self.shared
                    .send(&self.host.name, HostNews::Machine(Err(why)));
            }
        }
        Ok(())
    }

    async fn usage(&mut self, ids: &[String]) -> engine::Result<()> {
        let client = &self.client;
        let asked: Vec<_> = ids
            .iter()
            .map(|id| async move { (id.clone(), client.stats_once(id).await) })
            .collect();
        let answers: Vec<_> = stream::iter(asked)
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        for (id, answer) in answers {
            let stats = match answer {
                Ok(stats) => stats,
                Err(error) if error.is_unreachable() => return Err(error),
                // Gone meanwhile, or not to be measured: the row says nothing then.
                Err(_) => continue,
            };
            // A container that does not run has nothing to measure.
            if stats.read_at == 0 {
                continue;
            }
            let cpu = self.stats.get(&id).and_then(|last| stats.cores_since(last));
            let usage = Usage {
                at: stats.read_at / 1000 - self.skew(),
                memory: stats.memory_used,
                memory_limit: stats.memory_limit,
                cpu,
                cpu_total_ns: stats.cpu_total_ns,
            };
            self.stats.insert(id.clone(), stats);
            self.shared
                .send(&self.host.name, HostNews::Usage(id, usage));
        }
        Ok(())
    }

    /// The router's numbers: its table where commands can be run in the toolbox, and its log.
    async fn traffic(&mut self) -> engine::Result<()> {
        let Some(last) = self.last.clone() else {
            return Ok(());
        };
        let fleet = self.shared.fleet.borrow().clone();
        let mut running = last.containers.iter().filter(|c| c.is_running());
        let Some(routing) = running.find(|c| c.is(&fleet.name, Role::Router)) else {
            return Ok(());
        };
        let lines = numbers::log_tail(&self.client, &routing.id).await;
        if let Err(error) = &lines
            && error.is_unreachable()
        {
            return Err(lines.unwrap_err());
        }
        let now = chrono::Utc::now().timestamp();
        let lines = lines.map(|lines| numbers::on_our_clock(lines, self.skew()));
        let read = lines.is_ok();
        let lines = lines.unwrap_or_default();
        let from_log = numbers::of_log(&lines, now);
        let toolbox = find_toolbox(&last.containers, &fleet.name).filter(|c| c.is_running());
        let mut counted = false;
        let table = match toolbox {
            Some(found) if !self.shared.on_call && !self.blind => {
                let toolbox = Toolbox {
                    client: self.client.clone(),
                    id: found.id.clone(),
                    layout: Layout::new(&self.host.root),
                };
                match router::traffic(&toolbox).await {
                    Ok(table) => {
                        counted = true;
                        table
                    }
                    Err(_) => {
                        // Until the host is looked at again the log has to do.
                        self.blind = true;
                        BTreeMap::new()
                    }
                }
            }
            _ => BTreeMap::new(),
        };
        let mut numbers = numbers::merged(&table, from_log, now);
        if read || counted {
            let sites = fleet.sites_on(&self.host.name).map(|site| &site.name);
            let a_minute = counted || numbers::tell_a_minute(&lines, now);
            numbers = numbers::and_silent(numbers, sites, a_minute, now);
        }
        if !numbers.is_empty() {
            self.shared
                .send(&self.host.name, HostNews::Traffic(numbers));
        }
        Ok(())
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

//! One host's worker: connect, look, follow events, look again when something happened; read the
//! numbers that are on screen. When the host goes away: wait, longer each time, and try again.
//!
//! A host is *degraded* when it answers pings but slowly, or cannot be read in full; it is *lost*
//! when nothing can be sent to it any more, or two pings in a row get no answer.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::heard::Heard;
use super::prober::Answered;
use super::shared::Shared;
use super::worker::Worker;
use crate::console::message::HostNews;
use crate::engine::{self, Client};
use crate::fleet::{EngineAddress, Fleet, Host};
use crate::observe::model::{HostObservation, ObservedHost};
use crate::observe::scan::Inspect;
use crate::verdict::Link;
use crate::verdict::due::drift_of;

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
/// Events of a host over the network are asked for anew when none came for so long: what lies
/// between may have forgotten the connection. Nothing is missed by it.
const SILENCE: Duration = Duration::from_secs(300);
/// How often a host is looked at while somebody holds its lock: no event tells that a holder died.
const LOCKED: Duration = Duration::from_secs(10);

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
    /// What its sites answered.
    answered: Answered,
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
    let mut worker = Worker::new(shared, host, client, &past.answered);
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
        self.see_to_prober();
        self.ask_pulse().await?;
        if seen {
            seen = self.try_look(&self.everything()).await?;
            self.measure_unasked().await?;
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
                _ = sweep.tick() => {
                    seen = self.try_look(&self.everything()).await?;
                    self.measure_unasked().await?;
                }
                _ = ping.tick() => {
                    self.see_to_prober();
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
}

//! One host's worker: connect, look, follow events, look again when something happened; read the
//! numbers that are on screen. When the host goes away: wait, longer each time, and try again.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};

use super::{Shared, lock, numbers};
use crate::console::fleet_view::{Link, Usage};
use crate::console::message::{ContainerEvent, HostNews, Message};
use crate::engine::{self, Client, EngineEvent, Stats};
use crate::fleet::{EngineAddress, Host};
use crate::host::{Layout, Toolbox, router};
use crate::observe::model::{HostObservation, ObservedContainer, ObservedHost};
use crate::observe::scan::{HOST_DEADLINE, Inspect, find_toolbox, scan};

/// Longest time for connecting.
const CONNECT: Duration = Duration::from_secs(15);
/// Waits between attempts: doubled from the first to the last.
const BACKOFF: (u64, u64) = (1, 60);
/// Events come in flocks: the host is looked at once they have settled.
const SETTLE: Duration = Duration::from_millis(300);
/// But not later than this after the first.
const SETTLE_AT_MOST: Duration = Duration::from_secs(2);
/// How often numbers on screen are read.
const NUMBERS: Duration = Duration::from_secs(10);
/// How often everything is inspected, to find what no event tells.
const SWEEP: Duration = Duration::from_secs(600);
/// How often a host over the network is asked whether it is there.
const PING: Duration = Duration::from_secs(20);
/// How far back the engine is asked what happened, seconds.
const BEFORE_S: i64 = 3_600;
/// Stats calls at the same time.
const AT_ONCE: usize = 4;

/// Events that change what is shown. The daemon sends no others.
const EVENTS: [&str; 12] = [
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
];

/// Watches one host until the task is aborted.
pub(super) async fn watch_host(shared: Shared, host: Host) {
    let mut wait = BACKOFF.0;
    let mut heard = 0;
    loop {
        let began = Instant::now();
        let Err(why) = attend(&shared, &host, &mut heard).await;
        if began.elapsed() > Duration::from_secs(BACKOFF.1) {
            wait = BACKOFF.0;
        }
        {
            let mut known = lock(&shared.known);
            known.clients.remove(&host.name);
            let gone = HostObservation::Unreachable { why: why.clone() };
            known.observed.hosts.insert(host.name.clone(), gone);
        }
        // Many hosts lost at once do not all come back in the same instant.
        let jitter = jitter(wait);
        let until = Instant::now() + Duration::from_secs(wait) + jitter;
        let retry_at = chrono::Utc::now().timestamp() + wait as i64;
        send(
            &shared,
            &host,
            HostNews::Link {
                link: Link::BackingOff,
                why,
                retry_at: Some(retry_at),
            },
        );
        tokio::select! {
            () = sleep_until(until) => {}
            () = shared.refresh.notified() => {}
        }
        wait = (wait * 2).min(BACKOFF.1);
    }
}

fn jitter(wait: u64) -> Duration {
    let mut byte = [0u8; 1];
    // Without randomness there is no jitter, and nothing else is lost.
    let _ = getrandom::fill(&mut byte);
    Duration::from_millis(wait * 1000 * u64::from(byte[0]) / (4 * 255))
}

fn send(shared: &Shared, host: &Host, news: HostNews) {
    // The console has ended when nobody listens.
    let _ = shared.messages.send(Message::Host(host.name.clone(), news));
}

/// One connection's life. Ends only with the reason why it is over.
///
/// `heard`: the newest event that was taken, nanoseconds on the engine's clock.
async fn attend(
    shared: &Shared,
    host: &Host,
    heard: &mut i64,
) -> Result<std::convert::Infallible, String> {
    let connecting = timeout(CONNECT, (shared.connect)(host));
    let client = match connecting.await {
        Ok(Ok(client)) => client,
        Ok(Err(error)) => return Err(error.to_string()),
        Err(_) => return Err(format!("no connection within {} s", CONNECT.as_secs())),
    };
    let mut worker = Worker {
        shared,
        host,
        client,
        last: None,
        touched: BTreeSet::new(),
        stats: HashMap::new(),
        counted: false,
        blind: false,
    };
    worker.run(heard).await.map_err(|error| error.to_string())
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
    /// The router's table cannot be read; its log is.
    blind: bool,
}

impl Worker<'_> {
    async fn run(&mut self, heard: &mut i64) -> engine::Result<std::convert::Infallible> {
        // The engine remembers what happened a while ago: kills for memory, restarts. And nothing
        // falls between the first look and the first event.
        let since = self.client.daemon_now().map(|now| match *heard {
            0 => now - BEFORE_S,
            last => last / 1_000_000_000,
        });
        self.look(&Inspect::Needed).await?;
        send(
            self.shared,
            self.host,
            HostNews::Link {
                link: Link::Ready,
                why: String::new(),
                retry_at: None,
            },
        );
        self.look(&self.everything()).await?;
        let mut filters = vec![("type", "container")];
        filters.extend(EVENTS.map(|e| ("event", e)));
        let events = self.client.events(&filters, since);
        let mut events = std::pin::pin!(events);
        let mut fleet = self.shared.fleet.clone();
        let mut watched = self.shared.watch.clone();
        fleet.mark_unchanged();
        let every = |period| {
            let mut ticks = interval(period);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            ticks.reset();
            ticks
        };
        let (mut numbers, mut sweep, mut ping) = (every(NUMBERS), every(SWEEP), every(PING));
        // A local daemon that ends closes its socket: only others have to be asked.
        let far = !matches!(
            self.host.engine,
            EngineAddress::Unix { .. } | EngineAddress::Sim { .. }
        );
        // When to look again, and the moment that must not be passed.
        let mut look_at: Option<(Instant, Instant)> = None;
        loop {
            let due = look_at.map(|(at, last)| at.min(last));
            tokio::select! {
                event = events.next() => match event {
                    Some(event) => {
                        let event = event?;
                        // Told before, on a connection that was lost.
                        if event.time_nano <= *heard {
                            continue;
                        }
                        *heard = event.time_nano;
                        self.event(event);
                        let now = Instant::now();
                        let last = look_at.map_or(now + SETTLE_AT_MOST, |(_, last)| last);
                        look_at = Some((now + SETTLE, last));
                    }
                    None => return Err(engine::Error::Cut { what: "watch events".into() }),
                },
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    look_at = None;
                    let touched = std::mem::take(&mut self.touched);
                    self.look(&Inspect::And(touched)).await?;
                }
                // The channel ends with the feed, and this task with it.
                Ok(()) = fleet.changed() => {
                    look_at.get_or_insert((Instant::now(), Instant::now()));
                }
                () = self.shared.refresh.notified() => self.look(&self.everything()).await?,
                Ok(()) = watched.changed() => self.numbers(true).await?,
                _ = numbers.tick(), if self.is_watched() => self.numbers(false).await?,
                _ = sweep.tick() => self.look(&self.everything()).await?,
                _ = ping.tick(), if far => self.client.ping().await?,
            }
        }
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
        let looking = scan(&self.client, self.host, &fleet, None, inspect);
        let mut found =
            timeout(HOST_DEADLINE, looking)
                .await
                .map_err(|_| engine::Error::Deadline {
                    what: "look at the host".into(),
                    after: HOST_DEADLINE,
                })??;
        if let Some(last) = &self.last {
            carry_over(last, &mut found);
        }
        self.blind = false;
        let found = Arc::new(found);
        {
            let mut known = lock(&self.shared.known);
            let reached = HostObservation::Reached(Box::new((*found).clone()));
            known.observed.hosts.insert(self.host.name.clone(), reached);
            known
                .clients
                .insert(self.host.name.clone(), self.client.clone());
        }
        self.last = Some(found.clone());
        send(self.shared, self.host, HostNews::Observed(found));
        Ok(())
    }

    fn event(&mut self, event: EngineEvent) {
        self.touched.insert(event.id.clone());
        let (action, mut detail) = match event.action.split_once(": ") {
            Some((action, detail)) => (action.to_owned(), detail.to_owned()),
            None => (event.action.clone(), String::new()),
        };
        if let Some(code) = event.attributes.get("exitCode") {
            detail = format!("exit code {code}");
        }
        let event = ContainerEvent {
            at: event.time_nano / 1_000_000_000,
            name: event.attributes.get("name").cloned().unwrap_or_default(),
            site: event.attributes.get("ostler.site").cloned(),
            container: event.id,
            action,
            detail,
        };
        send(self.shared, self.host, HostNews::Event(event));
    }

    fn is_watched(&self) -> bool {
        let watch = self.shared.watch.borrow();
        let here = self.host.name.as_str();
        watch.usage.iter().any(|(host, _)| host == here)
            || watch.traffic.iter().any(|host| host == here)
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
        self.usage(&usage).await?;
        if traffic {
            self.counted = true;
            self.traffic().await?;
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
                at: stats.read_at / 1000,
                memory: stats.memory_used,
                memory_limit: stats.memory_limit,
                cpu,
                cpu_total_ns: stats.cpu_total_ns,
            };
            self.stats.insert(id.clone(), stats);
            send(self.shared, self.host, HostNews::Usage(id, usage));
        }
        Ok(())
    }

    /// The router's numbers: its table where commands can be run in the toolbox, and its log.
    async fn traffic(&mut self) -> engine::Result<()> {
        let Some(last) = self.last.clone() else {
            return Ok(());
        };
        let fleet = self.shared.fleet.borrow().clone();
        let of_role = |role: &str| -> Option<&ObservedContainer> {
            last.containers.iter().find(|c| {
                c.is_running()
                    && c.ours("fleet") == Some(fleet.name.as_str())
                    && c.ours("role") == Some(role)
            })
        };
        let Some(routing) = of_role("router") else {
            return Ok(());
        };
        let lines = numbers::log_tail(&self.client, &routing.id).await;
        if let Err(error) = &lines
            && error.is_unreachable()
        {
            return Err(lines.unwrap_err());
        }
        let now = chrono::Utc::now().timestamp();
        let from_log = numbers::of_log(&lines.unwrap_or_default(), now);
        let toolbox = find_toolbox(&last.containers, &fleet.name).filter(|c| c.is_running());
        let table = match toolbox {
            Some(found) if !self.shared.on_call && !self.blind => {
                let toolbox = Toolbox {
                    client: self.client.clone(),
                    id: found.id.clone(),
                    layout: Layout::new(&self.host.root),
                };
                match router::traffic(&toolbox).await {
                    Ok(table) => table,
                    Err(_) => {
                        // Until the host is looked at again the log has to do.
                        self.blind = true;
                        BTreeMap::new()
                    }
                }
            }
            _ => BTreeMap::new(),
        };
        let numbers = numbers::merged(&table, from_log, now);
        if !numbers.is_empty() {
            send(self.shared, self.host, HostNews::Traffic(numbers));
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
}

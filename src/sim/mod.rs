//! A Docker Engine in memory, at the far end of a pipe: for `ostler demo` and for tests.
//!
//! It is a real HTTP server over in-memory connections, so that all of `engine` is used with it as
//! with a real engine, upgrades included; `tests/contract.rs` holds both to the same behaviour.
//! What would take a task per container is a function of time here: visitors, logs and
//! measurements follow from seed, site and clock (`visits`, `log`, `measure`), and what is
//! going to happen waits in a calendar until someone looks ([`world`]). So thousands of containers
//! cost nothing while nobody asks about them.
//!
//! Behaviour is steered by labels and environment ([`behaviour`]), faults by [`Faults`].

pub mod behaviour;
mod certificate;
pub mod clock;
pub mod container;
mod create;
mod fault;
mod files;
mod front;
pub mod haproxy;
pub mod image;
mod life;
mod log;
mod measure;
pub mod network;
mod output;
pub mod program;
mod random;
pub mod router;
mod script;
mod serve;
mod service;
mod supply;
pub mod tree;
mod visits;
pub mod world;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::engine::{Connector, Error};
use clock::Clock;
pub use fault::{Fault, Faults, When};
pub use router::Routed;
use world::World;

/// How long things take, beyond no time at all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pace {
    pub call: Duration,
    /// Creating and removing a container.
    pub create: Duration,
    pub start: Duration,
    /// Pulling an image.
    pub pull: Duration,
    pub build: Duration,
}

/// A simulated host. Clones are the same host.
#[derive(Clone)]
pub struct Sim {
    shared: Arc<Shared>,
}

struct Shared {
    address: String,
    clock: Clock,
    world: Mutex<World>,
    /// The last moment at which anyone looked: no two looks have the same.
    looked: Mutex<i64>,
    /// Rings when something was changed.
    changed: watch::Sender<u64>,
    down: watch::Sender<bool>,
    faults: Faults,
    pace: Mutex<Pace>,
    connections: AtomicU64,
    open: AtomicU64,
}

impl std::fmt::Debug for Sim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sim({})", self.shared.address)
    }
}

impl Sim {
    /// A host named `sim`, on the machine's clock.
    pub fn new(seed: u64) -> Self {
        Self::named("sim", seed, Clock::real())
    }

    /// A host of that name, on any clock. All chance follows from the seed.
    pub fn named(name: &str, seed: u64, clock: Clock) -> Self {
        let world = World::new(seed, name, clock.now());
        Self::with(format!("sim://{name}"), world, clock)
    }

    /// Another host that is now as this one is, on a clock of its own. Connections, faults and
    /// pace are not copied.
    pub fn fork(&self) -> Self {
        let (world, now) = self.look(|world, now| (world.clone(), now));
        Self::with(self.address().to_owned(), world, Clock::at_nanos(now))
    }

    fn with(address: String, world: World, clock: Clock) -> Self {
        let now = clock.now();
        Sim {
            shared: Arc::new(Shared {
                address,
                world: Mutex::new(world),
                looked: Mutex::new(now),
                clock,
                changed: watch::Sender::new(0),
                down: watch::Sender::new(false),
                faults: Faults::default(),
                pace: Mutex::new(Pace::default()),
                connections: AtomicU64::new(0),
                open: AtomicU64::new(0),
            }),
        }
    }

    /// What messages call this host: `sim://NAME`.
    pub fn address(&self) -> &str {
        &self.shared.address
    }

    /// Connections to this host's engine. Each is served by one task, for as long as it is open.
    pub fn connector(&self) -> Connector {
        let (sim, host) = (self.clone(), self.clone());
        let number = sim.shared.faults.next_connector();
        Connector::new(move || {
            let opened = sim.open_as(number);
            async move { opened }
        })
        .with_ports(move |port| std::future::ready(host.front(port)))
    }

    /// One connection to this host's engine: what is written there is HTTP.
    ///
    /// # Errors
    /// The host is down.
    pub fn open(&self) -> Result<tokio::io::DuplexStream, Error> {
        self.open_as(self.shared.faults.next_connector())
    }

    fn open_as(&self, number: u64) -> Result<tokio::io::DuplexStream, Error> {
        let unreachable = |why: &str| Error::Unreachable {
            address: self.address().to_owned(),
            why: why.to_owned(),
        };
        if *self.shared.down.borrow() {
            return Err(unreachable("no route to host"));
        }
        if self.shared.faults.is_dead(number) {
            return Err(unreachable("the simulated client has ended"));
        }
        self.shared.connections.fetch_add(1, Ordering::Relaxed);
        let (near, far) = tokio::io::duplex(64 * 1024);
        tokio::spawn(serve::connection(self.clone(), number, far));
        Ok(near)
    }

    /// Unix nanoseconds on this host's clock.
    pub fn now(&self) -> i64 {
        self.shared.clock.now()
    }

    /// Puts this host's clock forward; what was to happen until then has happened.
    pub fn advance(&self, by: Duration) {
        self.shared.clock.advance(by);
        self.change(|_, _| ());
    }

    /// Sets this host's clock back, as whoever administers it may.
    pub fn set_back(&self, by: Duration) {
        self.shared.clock.set_back(by);
        let mut looked = self
            .shared
            .looked
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *looked = self.shared.clock.now();
    }

    /// Things that go wrong on purpose.
    pub fn faults(&self) -> &Faults {
        &self.shared.faults
    }

    /// The host goes away, with all its connections, or comes back as it was.
    pub fn set_down(&self, down: bool) {
        self.shared.down.send_replace(down);
    }

    /// Changing calls that came so far, commands in containers included.
    pub fn changing_calls(&self) -> u64 {
        self.shared.faults.changes()
    }

    /// Connections that were opened so far.
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// Connections that are open now.
    pub fn open_connections(&self) -> u64 {
        self.shared.open.load(Ordering::Relaxed)
    }

    /// How long things take from now on.
    pub fn set_pace(&self, pace: Pace) {
        *self
            .shared
            .pace
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = pace;
    }

    fn pace(&self) -> Pace {
        *self
            .shared
            .pace
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// A setting ([`behaviour::Behaviour::set`]) for all containers with that label, now and later.
    pub fn behave(&self, label: &str, value: &str, setting: &str, to: &str) {
        self.change(|world, now| world.behave(now, label, value, setting, to));
    }

    /// What a visitor gets from this host: at that port, for that domain and path.
    pub fn visit(&self, port: u16, domain: &str, path: &str) -> Routed {
        self.change(|world, now| world.ask_host(now, port, domain, path, false))
    }

    /// The certificate that a visitor of this host is shown who asks for a name at that port, as PEM with
    /// its chain and its key.
    pub fn certificate(&self, port: u16, name: &str) -> Option<Vec<u8>> {
        self.look(|world, _| world.certificate(port, name))
    }

    /// Looks at the world, and changes it. The closure gets the time, which no other look has.
    pub fn change<T>(&self, how: impl FnOnce(&mut World, i64) -> T) -> T {
        let done = self.look(how);
        self.shared.changed.send_modify(|count| *count += 1);
        done
    }

    /// As [`Sim::change`], for looks that change nothing that others wait for.
    pub fn look<T>(&self, how: impl FnOnce(&mut World, i64) -> T) -> T {
        let mut world = self
            .shared
            .world
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let now = {
            let mut looked = self
                .shared
                .looked
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            *looked = self.shared.clock.now().max(*looked + 1);
            *looked
        };
        let happened = world.settle(now);
        let done = how(&mut world, now);
        drop(world);
        if happened {
            self.shared.changed.send_modify(|count| *count += 1);
        }
        done
    }

    /// Sleeps until something may have changed, or was to happen, or the time is up.
    async fn ripen(&self, changed: &mut watch::Receiver<u64>, at_most: Duration) {
        let due = self.look(|world, _| world.next_due());
        let until = tokio::time::Instant::now() + at_most;
        let until = due.map_or(until, |due| until.min(self.shared.clock.instant(due)));
        tokio::select! {
            _ = changed.changed() => {}
            () = tokio::time::sleep_until(until) => {}
        }
    }

    /// Looks again and again until the closure has an answer.
    async fn wait_for<T>(&self, mut how: impl FnMut(&mut World, i64) -> Option<T>) -> T {
        let mut changed = self.shared.changed.subscribe();
        loop {
            if let Some(done) = self.look(&mut how) {
                return done;
            }
            self.ripen(&mut changed, Duration::from_secs(3600)).await;
        }
    }
}

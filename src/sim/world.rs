//! All that a simulated host is, and what happens in it with time.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::SocketAddrV4;

use serde_json::Map;

use super::clock::SECOND;
use super::container::Container;
use super::haproxy::Router;
use super::image::{self, Image};
use super::network::{Network, Subnet};
use super::random;
use super::tree::Tree;

/// Events that are remembered.
const EVENTS: usize = 1024;

/// The engine says no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// In the engine's words.
    pub message: String,
}

/// A refusal.
pub fn refuse<T>(status: u16, message: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal {
        status,
        message: message.into(),
    })
}

/// Something that happened.
#[derive(Debug, Clone)]
pub struct Event {
    /// Position in the order of all.
    pub number: u64,
    /// Unix nanoseconds.
    pub at: i64,
    /// `container`, `network`, `image`.
    pub kind: &'static str,
    /// `start`, `die`, …
    pub action: String,
    /// Of the object.
    pub id: String,
    /// Of the object and the action.
    pub attributes: BTreeMap<String, String>,
}

/// What is going to happen.
#[derive(Debug, Clone)]
pub(super) enum Due {
    /// A program ends.
    Exit { id: String, run: u64, code: i64 },
    /// The engine starts a container again.
    Restart { id: String, run: u64 },
    /// A container's worker is killed for memory.
    Hunger { id: String, run: u64 },
}

/// A command in a container.
#[derive(Debug, Clone)]
pub struct Exec {
    pub container: String,
    /// Command line.
    pub argv: Vec<String>,
    /// Wants input.
    pub stdin: bool,
    /// Was started.
    pub begun: bool,
    /// Its end.
    pub code: Option<i64>,
}

/// The machine that the engine says it runs on.
#[derive(Debug, Clone)]
pub struct Machine {
    /// Host name.
    pub name: String,
    /// Release of the engine.
    pub version: String,
    /// Its newest API version.
    pub api: String,
    /// Its oldest API version.
    pub min_api: String,
    /// Cores.
    pub cpus: u32,
    /// Bytes.
    pub memory: u64,
    /// Ports that processes outside Docker hold.
    pub ports: Vec<u16>,
    /// Web servers outside Docker, here and on other machines, each by its address: they answer 200.
    pub neighbours: Vec<SocketAddrV4>,
    /// Bytes of the disk: all and free.
    pub disk: (u64, u64),
}

/// A simulated host.
#[derive(Clone)]
pub struct World {
    /// What all chance depends on.
    pub seed: u64,
    pub machine: Machine,
    /// By id.
    pub containers: BTreeMap<String, Container>,
    pub(super) names: HashMap<String, String>,
    pub networks: Vec<Network>,
    /// Images that are here.
    pub images: Vec<Image>,
    /// Images that can be pulled.
    pub registry: Vec<Image>,
    /// The host's files.
    pub files: Tree,
    /// Commands in containers, by id.
    pub execs: BTreeMap<String, Exec>,
    /// What happened.
    pub events: VecDeque<Event>,
    event_number: u64,
    calendar: BTreeMap<(i64, u64), Due>,
    serial: u64,
    /// The running routers, by container.
    pub routers: BTreeMap<String, Router>,
    /// Settings for containers with a label.
    pub(super) behaviours: Vec<(String, String, String, String)>,
}

impl World {
    /// A host with the usual images and networks, and nothing on it.
    pub fn new(seed: u64, name: &str, now: i64) -> Self {
        let network = |name: &str, driver: &str, subnet: &str| Network {
            id: random::id(seed, name, 0),
            name: name.to_owned(),
            created: now,
            driver: driver.to_owned(),
            subnet: Subnet::read(subnet),
            options: Map::new(),
            labels: Map::new(),
        };
        let mut files = Tree::default();
        for path in ["/srv", "/etc", "/tmp", "/var", "/root"] {
            files.make_dir(path, now / SECOND);
        }
        World {
            seed,
            machine: Machine {
                name: name.to_owned(),
                version: "28.2.2".to_owned(),
                api: "1.50".to_owned(),
                min_api: "1.24".to_owned(),
                cpus: 4,
                memory: 16 << 30,
                ports: vec![22],
                neighbours: Vec::new(),
                disk: (200 << 30, 140 << 30),
            },
            containers: BTreeMap::new(),
            names: HashMap::new(),
            networks: vec![
                network("bridge", "bridge", "172.17.0.0/16"),
                network("host", "host", ""),
                network("none", "null", ""),
            ],
            images: image::local(seed),
            registry: image::registry(seed),
            files,
            execs: BTreeMap::new(),
            events: VecDeque::new(),
            event_number: 0,
            calendar: BTreeMap::new(),
            serial: 0,
            routers: BTreeMap::new(),
            behaviours: Vec::new(),
        }
    }

    /// The next number of this world.
    pub fn next_serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    /// Number of the last event.
    pub fn last_event(&self) -> u64 {
        self.event_number
    }

    /// Notes an event.
    pub fn emit(
        &mut self,
        now: i64,
        kind: &'static str,
        action: &str,
        id: &str,
        attributes: BTreeMap<String, String>,
    ) {
        self.event_number += 1;
        if self.events.len() == EVENTS {
            self.events.pop_front();
        }
        self.events.push_back(Event {
            number: self.event_number,
            at: now,
            kind,
            action: action.to_owned(),
            id: id.to_owned(),
            attributes,
        });
    }

    /// Notes an event of a container, with its labels, name and image.
    pub fn emit_container(&mut self, now: i64, action: &str, id: &str, more: &[(&str, String)]) {
        let Some(container) = self.containers.get(id) else {
            return;
        };
        let mut attributes = container.labels.clone();
        attributes.insert("name".to_owned(), container.name.clone());
        attributes.insert("image".to_owned(), container.image.clone());
        for (name, value) in more {
            attributes.insert((*name).to_owned(), value.clone());
        }
        let id = container.id.clone();
        self.emit(now, "container", action, &id, attributes);
    }

    // --- time ------------------------------------------------------------------------------

    pub(super) fn plan(&mut self, at: i64, due: Due) {
        let serial = self.next_serial();
        self.calendar.insert((at, serial), due);
    }

    /// When something happens next.
    pub fn next_due(&self) -> Option<i64> {
        self.calendar.first_key_value().map(|((at, _), _)| *at)
    }

    /// Lets everything happen that was to happen until now. Whether anything did.
    pub fn settle(&mut self, now: i64) -> bool {
        let mut any = false;
        while let Some(entry) = self.calendar.first_entry() {
            let at = entry.key().0;
            if at > now {
                break;
            }
            let due = entry.remove();
            any = true;
            let current = |world: &World, id: &str, run: u64| {
                world
                    .containers
                    .get(id)
                    .is_some_and(|container| container.run == run)
            };
            match due {
                Due::Exit { id, run, code } if current(self, &id, run) => self.end(at, &id, code),
                Due::Restart { id, run } if current(self, &id, run) => {
                    // A failure to start again is the container's end.
                    let _ = self.start(at, &id);
                }
                Due::Hunger { id, run } if current(self, &id, run) => self.starve(at, &id),
                _ => {}
            }
        }
        any
    }
}

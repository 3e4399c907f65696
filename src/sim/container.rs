//! One simulated container, and what the engine says about it.

use std::collections::{BTreeMap, VecDeque};
use std::net::Ipv4Addr;

use serde_json::{Map, Value, json};

use super::behaviour::Behaviour;
use super::clock::{SECOND, in_words, rfc3339};
use super::program::{Program, Server};
use super::tree::Tree;
use crate::engine::Out;

/// What a container is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Never started.
    Created,
    /// Its program runs.
    Running,
    /// It ended and will be started again by the engine.
    Restarting,
    /// It ended.
    Exited,
}

impl Phase {
    fn word(self) -> &'static str {
        match self {
            Phase::Created => "created",
            Phase::Running => "running",
            Phase::Restarting => "restarting",
            Phase::Exited => "exited",
        }
    }
}

/// A container's place in a network.
#[derive(Debug, Clone, Default)]
pub struct Endpoint {
    /// Address asked for at creation.
    pub asked: Option<Ipv4Addr>,
    /// Address it has while it runs.
    pub ip: Option<Ipv4Addr>,
}

/// Something of the host's seen in a container.
#[derive(Debug, Clone)]
pub struct Mount {
    /// Path on the host.
    pub source: String,
    /// Path in the container.
    pub destination: String,
    /// Can be written.
    pub writable: bool,
}

/// One line of output.
#[derive(Debug, Clone)]
pub struct Line {
    /// Unix nanoseconds.
    pub at: i64,
    /// Where it was printed.
    pub stream: Out,
    /// With its end.
    pub text: Vec<u8>,
}

/// A simulated container.
#[derive(Debug, Clone)]
pub struct Container {
    /// Full id.
    pub id: String,
    /// Without a slash.
    pub name: String,
    /// Order of creation.
    pub serial: u64,
    /// Unix nanoseconds.
    pub created: i64,
    /// What was asked for at creation, `HostConfig` and `NetworkingConfig` taken out, and the
    /// image's defaults put in.
    pub config: Map<String, Value>,
    /// `HostConfig` as asked for and updated.
    pub host_config: Map<String, Value>,
    /// Networks by name.
    pub endpoints: BTreeMap<String, Endpoint>,
    /// The image as it was named.
    pub image: String,
    pub image_id: String,
    /// Of the image and its own.
    pub labels: BTreeMap<String, String>,
    /// Entry point and command.
    pub argv: Vec<String>,
    /// What that runs.
    pub program: Program,
    /// Binds.
    pub mounts: Vec<Mount>,
    /// What it is doing.
    pub phase: Phase,
    /// Counts its runs: what was planned for one run means nothing in the next.
    pub run: u64,
    /// Begins and ends of its last runs, unix nanoseconds.
    pub runs: VecDeque<(i64, Option<i64>)>,
    /// Of the last run.
    pub exit_code: i64,
    /// The last run ended for memory.
    pub oom_killed: bool,
    /// How often the engine started it again.
    pub restarts: u64,
    /// Someone stopped it: the engine does not start it again.
    pub stopped_by_hand: bool,
    /// Its next death for want of memory is in the calendar.
    pub hungry: bool,
    /// What it printed, generated lines not included.
    pub log: VecDeque<Line>,
    /// Its own files, where it has any that the image does not.
    pub files: Tree,
    /// How it behaves when it serves.
    pub behaviour: Behaviour,
}

impl Container {
    /// Whether its program runs.
    pub fn is_running(&self) -> bool {
        self.phase == Phase::Running
    }

    /// When the current or last run began.
    pub fn started(&self) -> Option<i64> {
        self.runs.back().map(|run| run.0)
    }

    fn finished(&self) -> Option<i64> {
        self.runs.iter().rev().find_map(|run| run.1)
    }

    /// A number of `HostConfig`, 0 when it is not there.
    pub fn limit(&self, name: &str) -> i64 {
        self.host_config
            .get(name)
            .and_then(Value::as_i64)
            .unwrap_or(0)
    }

    /// The port it listens on, if it serves.
    pub fn port(&self) -> Option<u16> {
        match self.program {
            Program::Server(Server::Apache | Server::Nginx) => Some(80),
            Program::Server(Server::Web) => Some(
                self.env("PORT")
                    .and_then(|port| port.parse().ok())
                    .unwrap_or(8080),
            ),
            _ => None,
        }
    }

    /// A variable of its environment.
    pub fn env(&self, name: &str) -> Option<&str> {
        self.config
            .get("Env")?
            .as_array()?
            .iter()
            .filter_map(Value::as_str)
            .find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
    }

    /// Whether it wants more memory than it may have.
    pub fn starves(&self) -> bool {
        let limit = self.limit("Memory");
        matches!(self.program, Program::Server(_))
            && limit > 0
            && self.behaviour.memory > limit as u64
    }

    /// `host`, `none`, `container:ID`, or the network it was created on.
    pub fn network_mode(&self) -> &str {
        self.host_config
            .get("NetworkMode")
            .and_then(Value::as_str)
            .unwrap_or("default")
    }

    /// Whether it is on the host's own network.
    pub fn on_host_network(&self) -> bool {
        self.network_mode() == "host"
    }

    /// Ports published on the host: (in the container, on the host, protocol).
    pub fn published(&self) -> Vec<(u16, u16, String)> {
        let Some(bindings) = self
            .host_config
            .get("PortBindings")
            .and_then(Value::as_object)
        else {
            return Vec::new();
        };
        let mut ports = Vec::new();
        // One that is not named is another one in each run.
        let mut picked = 32_768 + (self.serial * 64 + self.run) % 20_000;
        for (port, hosts) in bindings {
            let (number, protocol) = port.split_once('/').unwrap_or((port, "tcp"));
            for host in hosts.as_array().into_iter().flatten() {
                let named = host.get("HostPort").and_then(Value::as_str);
                let public = match named.unwrap_or_default() {
                    "" | "0" => {
                        picked += 1;
                        u16::try_from(picked).ok()
                    }
                    port => port.parse().ok(),
                };
                if let (Ok(private), Some(public)) = (number.parse(), public) {
                    ports.push((private, public, protocol.to_owned()));
                }
            }
        }
        ports
    }

    fn health(&self, now: i64) -> Option<&'static str> {
        let test = self.config.get("Healthcheck")?.get("Test")?.as_array()?;
        if test
            .first()
            .and_then(Value::as_str)
            .is_none_or(|word| word == "NONE")
            || !self.is_running()
        {
            return None;
        }
        let age = now - self.started().unwrap_or(now);
        Some(match self.behaviour.status {
            _ if age < 2 * SECOND => "starting",
            500.. => "unhealthy",
            _ if self.starves() || self.behaviour.hangs => "unhealthy",
            _ => "healthy",
        })
    }

    fn status(&self, now: i64) -> String {
        let ago = in_words(now - self.finished().unwrap_or(now));
        match self.phase {
            Phase::Created => "Created".to_owned(),
            Phase::Exited => format!("Exited ({}) {ago} ago", self.exit_code),
            Phase::Restarting => format!("Restarting ({}) {ago} ago", self.exit_code),
            Phase::Running => {
                let up = format!("Up {}", in_words(now - self.started().unwrap_or(now)));
                match self.health(now) {
                    Some("starting") => format!("{up} (health: starting)"),
                    Some(word) => format!("{up} ({word})"),
                    None => up,
                }
            }
        }
    }

    fn endpoint_json(&self, network: &str, id: &str, endpoint: &Endpoint) -> Value {
        let begun = endpoint.ip.is_some();
        json!({
            "IPAMConfig": endpoint.asked.map(|ip| json!({ "IPv4Address": ip.to_string() })),
            "Links": null,
            "Aliases": null,
            "NetworkID": if self.phase == Phase::Created { "" } else { id },
            "EndpointID": if begun { super::random::id(self.serial, network, self.run) } else { String::new() },
            "Gateway": "",
            "IPAddress": endpoint.ip.map(|ip| ip.to_string()).unwrap_or_default(),
            "IPPrefixLen": 0,
            "MacAddress": "",
        })
    }

    fn networks_json(&self, ids: &BTreeMap<String, String>) -> Value {
        let networks: Map<String, Value> = self
            .endpoints
            .iter()
            .map(|(name, endpoint)| {
                let id = ids.get(name).map_or("", String::as_str);
                (name.clone(), self.endpoint_json(name, id, endpoint))
            })
            .collect();
        Value::Object(networks)
    }

    fn mounts_json(&self) -> Vec<Value> {
        self.mounts
            .iter()
            .map(|mount| {
                json!({
                    "Type": "bind",
                    "Source": mount.source,
                    "Destination": mount.destination,
                    "Mode": if mount.writable { "" } else { "ro" },
                    "RW": mount.writable,
                    "Propagation": "rprivate",
                })
            })
            .collect()
    }

    /// A row of the list. `networks` are ids by name; `linked` names that others have for it.
    pub fn row(&self, now: i64, networks: &BTreeMap<String, String>, linked: &[String]) -> Value {
        let mut names = vec![format!("/{}", self.name)];
        names.extend_from_slice(linked);
        names.sort();
        let mut ports: Vec<Value> = Vec::new();
        for (private, public, protocol) in self.published() {
            if self.is_running() {
                ports.push(json!({ "IP": "0.0.0.0", "PrivatePort": private, "PublicPort": public, "Type": protocol }));
            }
        }
        if ports.is_empty()
            && self.is_running()
            && let Some(port) = self.port()
        {
            ports.push(json!({ "PrivatePort": port, "Type": "tcp" }));
        }
        json!({
            "Id": self.id,
            "Names": names,
            "Image": self.image,
            "ImageID": self.image_id,
            "Command": self.argv.join(" "),
            "Created": self.created / SECOND,
            "Ports": ports,
            "Labels": self.labels,
            "State": self.phase.word(),
            "Status": self.status(now),
            "HostConfig": { "NetworkMode": self.network_mode() },
            "NetworkSettings": { "Networks": self.networks_json(networks) },
            "Mounts": self.mounts_json(),
        })
    }

    /// The answer to an inspect.
    pub fn detail(&self, now: i64, networks: &BTreeMap<String, String>) -> Value {
        const NEVER: &str = "0001-01-01T00:00:00Z";
        let time = |at: Option<i64>| at.map_or_else(|| NEVER.to_owned(), rfc3339);
        let mut state = json!({
            "Status": self.phase.word(),
            "Running": matches!(self.phase, Phase::Running | Phase::Restarting),
            "Paused": false,
            "Restarting": self.phase == Phase::Restarting,
            "OOMKilled": self.oom_killed,
            "Dead": false,
            "Pid": if self.is_running() { 1000 + self.serial } else { 0 },
            "ExitCode": self.exit_code,
            "Error": "",
            "StartedAt": time(self.started()),
            "FinishedAt": time(self.finished()),
        });
        if let (Some(word), Some(state)) = (self.health(now), state.as_object_mut()) {
            state.insert(
                "Health".to_owned(),
                json!({ "Status": word, "FailingStreak": 0, "Log": [] }),
            );
        }
        let mut host_config = self.host_config.clone();
        for (name, default) in [
            ("Memory", json!(0)),
            ("MemorySwap", json!(0)),
            ("NanoCpus", json!(0)),
            ("PidsLimit", Value::Null),
            (
                "RestartPolicy",
                json!({ "Name": "no", "MaximumRetryCount": 0 }),
            ),
            ("NetworkMode", json!("default")),
        ] {
            host_config.entry(name).or_insert(default);
        }
        let mut config = self.config.clone();
        config.insert("Labels".to_owned(), json!(self.labels));
        json!({
            "Id": self.id,
            "Created": rfc3339(self.created),
            "Path": self.argv.first(),
            "Args": self.argv.get(1..).unwrap_or_default(),
            "State": state,
            "Image": self.image_id,
            "Name": format!("/{}", self.name),
            "RestartCount": self.restarts,
            "Driver": "overlay2",
            "Platform": "linux",
            "HostConfig": host_config,
            "Mounts": self.mounts_json(),
            "Config": config,
            "NetworkSettings": { "Networks": self.networks_json(networks) },
        })
    }
}

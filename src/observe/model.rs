//! What is: everything that planning needs to know about live hosts, as plain data.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::engine::Certificates;
use crate::fleet::{Limits, Name, Subnet};
use crate::record::certificate::CertificateFacts;
use crate::record::{Applying, Differs, Fields, Holder, Labelled, StateRead, names};

/// The fleet as it was found.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Observed {
    /// Every host of the fleet file, reached or not.
    pub hosts: BTreeMap<Name, HostObservation>,
    /// What this operator's copy of the fleet file descends from.
    pub lineage: Lineage,
}

/// One host, reached or not.
#[derive(Debug, Clone, PartialEq)]
pub enum HostObservation {
    /// It answered.
    Reached(Arc<ObservedHost>),
    /// It did not; says why, in words for the operator.
    Unreachable {
        /// The engine's error in one line.
        why: String,
    },
}

impl HostObservation {
    /// The host when it was reached.
    pub fn reached(&self) -> Option<&ObservedHost> {
        match self {
            HostObservation::Reached(host) => Some(host),
            HostObservation::Unreachable { .. } => None,
        }
    }
}

/// Which fleet files this operator's copy is known to descend from, and the sites they named.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lineage {
    /// Hashes of fleet files (see [`crate::fleet::file_hash`]) that mine descends from: from git
    /// history, from what this operator applied before. Mine included.
    pub ancestors: BTreeSet<String>,
    /// Commits that mine descends from, as far as asked about.
    pub commits: BTreeSet<String>,
    /// Sites that any of those named.
    pub known_sites: BTreeSet<Name>,
}

/// One host that answered.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ObservedHost {
    pub engine: EngineFacts,
    /// Every container on the host, ours and foreign, running or not.
    pub containers: Vec<ObservedContainer>,
    /// Containers about which the engine said what could not be read: name → why. They are as if
    /// nobody had looked closely.
    pub unread: BTreeMap<String, String>,
    pub networks: Vec<ObservedNetwork>,
    /// Image references that the host has, with the image id each stands for.
    pub images: BTreeMap<String, String>,
    /// What ostler keeps in `state/`.
    pub state: StateRead,
    /// Who holds the lock of this fleet, where somebody does.
    pub lock: Option<Holder>,
    /// Owner of `sites/<site>/www` for sites of the file that have no record; absent: no folder,
    /// or not asked.
    pub folders: BTreeMap<Name, Owner>,
    /// The operator's own certificates as they are in their files: site → what it says of itself, or why
    /// it cannot be read. Absent where nobody looked.
    pub own_certificates: BTreeMap<Name, Result<CertificateFacts, String>>,
    /// Keyed digests of the secrets' current bytes on the operator's side: site → secret → digest.
    /// Absent where the source could not be read (with the reason in `secret_errors`).
    pub secret_digests: BTreeMap<Name, BTreeMap<String, String>>,
    /// Secret sources that could not be read: site → what went wrong, no secret in it.
    pub secret_errors: BTreeMap<Name, String>,
    /// Secrets that are not compared because their sources are not to be read: site → which, and why.
    pub secrets_withheld: BTreeMap<Name, Vec<String>>,
    /// Where files that ostler wrote, and the router's process, are not as recorded; absent where
    /// nobody looked.
    pub differs: Option<Differs>,
}

/// The engine's own account of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct EngineFacts {
    /// What its machine calls itself.
    #[serde(skip)]
    pub machine: String,
    /// Such as `28.2.2`.
    pub version: String,
    /// API version in use, such as `1.44`.
    pub api: String,
    /// Operating system line.
    pub os: String,
    pub cpus: u32,
    /// Bytes.
    pub memory: u64,
    /// Rootless, or with remapped users.
    pub remapped_users: bool,
    /// When the certificates of the connection end; `None` where it has none.
    pub certificates: Option<Certificates>,
}

/// A numeric owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
}

/// One container, from the list; limits and counters only where it was inspected.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct ObservedContainer {
    /// Full id.
    pub id: String,
    /// Without the leading slash.
    pub name: String,
    /// Reference it was created from.
    pub image: String,
    pub image_id: String,
    pub labels: BTreeMap<String, String>,
    /// What it is doing.
    pub run: RunState,
    /// The engine's words, such as `Up 3 hours (healthy)`.
    pub status: String,
    /// Unix seconds.
    pub created: i64,
    /// Network name → IPv4 address. A stopped container's configured address is included where the
    /// engine tells it; the one ostler asked for is also in the label `ostler.address`.
    pub addresses: BTreeMap<String, Ipv4Addr>,
    /// How it is on the network: `host`, `none`, `container:ID`, or the name of a network.
    pub network_mode: String,
    /// Ports published on the host: (host port, protocol).
    pub published: Vec<(u16, String)>,
    /// TCP ports that it exposes, each with the port by which 127.0.0.1 of the host reaches it,
    /// where it is published so.
    pub listens: BTreeMap<u16, Option<u16>>,
    /// From an inspect, where one was made.
    pub inspected: Option<Inspected>,
}

impl ObservedHost {
    /// Applies that did not end, oldest first: noted on the host, and nobody is behind them.
    pub fn unfinished(&self) -> impl Iterator<Item = &Applying> {
        self.applying().filter(|note| !self.is_running(note))
    }

    /// The notes of all applies that did not end yet, oldest first.
    pub fn applying(&self) -> impl Iterator<Item = &Applying> {
        self.state.read().into_iter().flat_map(|s| &s.applying)
    }

    /// Whether an apply that is noted goes on at this moment.
    pub fn is_running(&self, note: &Applying) -> bool {
        self.lock
            .as_ref()
            .is_some_and(|lock| lock.run == note.run && !lock.is_stale())
    }
}

/// Where the sites of a fleet have their addresses, by the network that is there.
pub fn sites_subnet(networks: &[ObservedNetwork], fleet: &Name) -> Option<Subnet> {
    let name = names::network(fleet);
    let network = networks.iter().find(|network| network.name == name)?;
    network.subnets.first().copied()
}

impl Labelled for ObservedContainer {
    fn label(&self, name: &str) -> Option<&str> {
        self.labels.label(name)
    }
}

impl Labelled for ObservedNetwork {
    fn label(&self, name: &str) -> Option<&str> {
        self.labels.label(name)
    }
}

impl ObservedContainer {
    /// Where the host reaches it; else why it does not, in words to follow its name.
    pub fn reached_at(&self) -> Result<Ipv4Addr, &'static str> {
        if let Some(address) = self.addresses.values().next() {
            return Ok(*address);
        }
        match self.network_mode.as_str() {
            "host" => Ok(Ipv4Addr::LOCALHOST),
            "none" => Err("is on no network"),
            mode if mode.starts_with("container:") => {
                Err("uses another container's network and has no address of its own")
            }
            _ => Err("has no IPv4 address"),
        }
    }
    /// Whether its process runs (paused counts as not).
    pub fn is_running(&self) -> bool {
        self.run == RunState::Running
    }
}

/// A container's state, in the engine's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Created, never started.
    #[default]
    Created,
    Running,
    Paused,
    /// Being restarted by the engine: it keeps exiting.
    Restarting,
    Exited,
    /// Being removed.
    Removing,
    /// The engine gave up on it.
    Dead,
}

/// What only an inspect tells.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Inspected {
    /// Limits as the daemon has them.
    pub limits: Limits,
    /// How often the engine restarted it.
    pub restarts: u64,
    /// The last end was for memory.
    pub oom_killed: bool,
    /// Exit code of the last run.
    pub exit_code: Option<i64>,
    /// RFC 3339.
    pub started_at: Option<String>,
    /// RFC 3339.
    pub finished_at: Option<String>,
    /// Docker's own health word, where a check is configured.
    pub health: Option<String>,
    /// Its environment, for [`super::look`]; not kept of our own, where `made` has it.
    pub env: BTreeMap<String, String>,
    /// TCP ports that its own bindings publish where 127.0.0.1 of the host reaches them, under a
    /// port that they name: a restart changes nothing about these. A port that Docker picked is
    /// another one then. Of foreign ones.
    pub bound: BTreeMap<u16, u16>,
    /// What the engine does when it ends: `no`, `always`, `unless-stopped`, `on-failure`.
    pub restart: Option<String>,
    /// How it was made, and all else that can be changed on it: field → value, as this engine
    /// tells it (see [`super::made`]). Compared only with what the same engine told before.
    pub made: Fields,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ObservedNetwork {
    pub id: String,
    pub name: String,
    pub labels: BTreeMap<String, String>,
    /// IPv4 subnets.
    pub subnets: Vec<Subnet>,
    /// Containers can reach each other (`com.docker.network.bridge.enable_icc`, default true).
    pub icc: bool,
    /// IPv6 is on.
    pub ipv6: bool,
}

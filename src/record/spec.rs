//! A container as ostler wants it: our own canonical spec, the only thing that decides whether a
//! new container is needed.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::fleet::Limits;

/// Version of [`ContainerSpec`]'s canonical form; part of the label `ostler.hash-version`.
pub const HASH_VERSION: u32 = 1;

/// What is fixed when a container is created. Name, address, limits and labels are not part of it:
/// the first two belong to one container, limits change in place, labels say what the rest is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ContainerSpec {
    /// Image reference.
    pub image: String,
    /// Entry point; the image's own when `None`.
    pub entrypoint: Option<Vec<String>>,
    /// Command; the image's own when `None`.
    pub command: Option<Vec<String>>,
    /// `uid:gid`; the image's own when `None`.
    pub user: Option<String>,
    /// Environment.
    pub env: BTreeMap<String, String>,
    /// Host name inside.
    pub hostname: Option<String>,
    /// Folders of the host.
    pub binds: Vec<Bind>,
    /// Memory file systems: path → mount options.
    pub tmpfs: BTreeMap<String, String>,
    /// Read-only root file system.
    pub read_only: bool,
    /// Files that belong to the spec because the container reads them only at its start: path
    /// relative to the site's `private/conf-<hash>` folder → content. Never secret.
    pub files: BTreeMap<String, String>,
    /// Where `files` are mounted, read-only.
    pub files_at: Option<String>,
    pub network: SpecNetwork,
    /// Capabilities given back after all were dropped.
    pub cap_add: Vec<String>,
    /// Signal that stops it gracefully.
    pub stop_signal: Option<String>,
    /// Seconds it may take to stop.
    pub stop_grace_s: u32,
    /// A health command for Docker to run; otherwise its checks are off.
    pub health: Option<Vec<String>>,
    /// Needs root inside.
    pub root: bool,
    /// Files that a process may have open; the engine's own default when `None`. This and what
    /// follows is younger than the hashes of containers that run: where it is absent it must not
    /// change them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_files: Option<u32>,
    /// Its weight where processors are short, a site's being 1024.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_weight: Option<u32>,
}

/// Which network a container is on.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SpecNetwork {
    /// The host's own.
    #[default]
    Host,
    /// A network of ours; every container there has an explicit address.
    Own(String),
    /// None at all.
    None,
}

/// A folder of the host seen in a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bind {
    /// Absolute path on the host. `{conf}` stands for the folder that holds the spec's files.
    pub host: String,
    /// Absolute path inside.
    pub inside: String,
    /// Cannot be written from inside.
    pub read_only: bool,
}

impl ContainerSpec {
    /// Hash of the canonical form: sha256, the first 32 hex digits.
    pub fn hash(&self) -> String {
        short_hash(&serde_json::to_vec(self).unwrap_or_default())
    }
}

/// sha256, the first 32 hex digits.
pub fn short_hash(bytes: &[u8]) -> String {
    hex::encode(&Sha256::digest(bytes)[..16])
}

/// A container to be created: its spec, and what belongs to this one container only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewContainer {
    /// Name; unique on the host.
    pub name: String,
    pub spec: ContainerSpec,
    /// Address on its own network.
    pub address: Option<Ipv4Addr>,
    /// Limits at creation.
    pub limits: Limits,
    /// All labels of ours, complete.
    pub labels: BTreeMap<String, String>,
}

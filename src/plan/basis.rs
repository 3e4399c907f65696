//! A hash of what was found on a host and matters for its plan: a saved plan is applied only while
//! it stays the same.

use sha2::{Digest, Sha256};

use super::ground::is_active;
use super::names;
use super::router::RouteEntry;
use crate::fleet::Name;
use crate::observe::model::{ObservedHost, StateRead};

/// The hash. Foreign containers do not matter: what they hold (addresses, ports) is checked again
/// by the engine when it is asked for.
pub fn of(host: &ObservedHost, fleet: &Name) -> String {
    let mut hash = Fields(Sha256::new());
    let mut ours: Vec<_> = host
        .containers
        .iter()
        .filter(|c| {
            c.labels.get(names::FLEET).map(String::as_str) == Some(fleet.as_str())
                && c.labels.get(names::ROLE).map(String::as_str) != Some(names::ROLE_LOCK)
        })
        .collect();
    ours.sort_by(|a, b| a.id.cmp(&b.id));
    for container in ours {
        hash.field(b"container");
        hash.field(container.id.as_bytes());
        hash.field(container.name.as_bytes());
        hash.field(&[u8::from(is_active(container))]);
    }
    for network in &host.networks {
        if network.labels.get(names::FLEET).map(String::as_str) == Some(fleet.as_str()) {
            hash.field(b"network");
            hash.field(network.id.as_bytes());
        }
    }
    match &host.state {
        StateRead::NoToolbox => hash.field(b"no toolbox"),
        StateRead::Damaged { why } => hash.field(why.as_bytes()),
        StateRead::Read(state) => {
            hash.field(b"state");
            if let Some(record) = &state.host {
                hash.field(record.fleet_hash.as_bytes());
                hash.field(record.digest_key.as_bytes());
            }
            hash.field(state.router.config_hash.as_bytes());
            for entry in state.router.routes.values() {
                hash.route(entry);
            }
            for (name, record) in &state.sites {
                hash.field(b"site");
                hash.field(name.as_str().as_bytes());
                hash.field(&record.uid.to_le_bytes());
                hash.field(record.hash.as_deref().unwrap_or("").as_bytes());
                let limits = &record.limits;
                hash.field(&limits.memory.unwrap_or(0).to_le_bytes());
                hash.field(&limits.nano_cpus.unwrap_or(0).to_le_bytes());
                hash.field(&limits.pids.unwrap_or(0).to_le_bytes());
                hash.field(format!("{:?}", record.state).as_bytes());
                for (secret, digest) in &record.secrets {
                    hash.field(secret.as_bytes());
                    hash.field(digest.as_bytes());
                }
            }
        }
    }
    hash.end()
}

/// Each field with its length in front, so that no two lists of fields look alike.
struct Fields(Sha256);

impl Fields {
    fn field(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }
    fn route(&mut self, entry: &RouteEntry) {
        self.field(entry.site.as_str().as_bytes());
        for domain in &entry.domains {
            self.field(domain.as_str().as_bytes());
        }
        for (domain, to) in &entry.redirects {
            self.field(domain.as_str().as_bytes());
            self.field(to.as_bytes());
        }
        self.field(format!("{:?}", entry.target).as_bytes());
        self.field(&entry.connections.to_le_bytes());
    }
    fn end(self) -> String {
        self.0
            .finalize()
            .iter()
            .take(16)
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

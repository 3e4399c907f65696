//! What our containers and networks are called, and the labels they carry.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use super::spec::{HASH_VERSION, short_hash};
use crate::fleet::{Limits, Name};

/// Which fleet an object belongs to. Without it an object is foreign.
pub const FLEET: &str = "ostler.fleet";
/// Which site a container belongs to.
pub const SITE: &str = "ostler.site";
/// What a container is for: one of the `ROLE_` words.
pub const ROLE: &str = "ostler.role";
/// Hash of the spec that a container was created from.
pub const HASH: &str = "ostler.hash";
/// Version of what the hash covers.
pub const HASH_VERSION_LABEL: &str = "ostler.hash-version";
/// Why a container was created: `create` or `replace`.
pub const OPERATION: &str = "ostler.operation";
/// The address that was asked for, so that a list tells it of a stopped container too.
pub const ADDRESS: &str = "ostler.address";
/// Limits at creation, so that a list tells which container of two has them.
pub const LIMITS: &str = "ostler.limits";
/// User id of a site's container, so that it is not given away while the site has no record.
pub const UID: &str = "ostler.uid";
/// The folder on the host that a toolbox works in.
pub const ROOT: &str = "ostler.root";

/// A site's container.
pub const ROLE_SITE: &str = "site";
/// The reverse proxy.
pub const ROLE_ROUTER: &str = "router";
/// The helper.
pub const ROLE_TOOLBOX: &str = "toolbox";
/// The lock of a host.
pub const ROLE_LOCK: &str = "lock";

/// The sites' network.
pub fn network(fleet: &Name) -> String {
    format!("ostler-{fleet}")
}
/// The toolbox.
pub fn toolbox(fleet: &Name) -> String {
    format!("ostler-{fleet}-toolbox")
}
/// The router.
pub fn router(fleet: &Name) -> String {
    format!("ostler-{fleet}-router")
}
/// The lock.
pub fn lock(fleet: &Name) -> String {
    format!("ostler-{fleet}-lock")
}
/// A site's container. Opaque: a neighbour that can resolve names learns none.
pub fn site(fleet: &Name, site: &str) -> String {
    let opaque = short_hash(format!("{fleet}/{site}").as_bytes());
    format!("ostler-{fleet}-{}", &opaque[..10])
}
/// The name a replacement has until the old container is gone.
pub fn next(name: &str) -> String {
    format!("{name}-next")
}

/// What the labels of a new container say.
pub(crate) struct Labels<'a> {
    pub fleet: &'a Name,
    pub role: &'static str,
    pub site: Option<&'a Name>,
    pub hash: &'a str,
    pub replaces: bool,
    pub address: Option<Ipv4Addr>,
    pub limits: Option<&'a Limits>,
    pub uid: Option<u32>,
    pub root: Option<&'a str>,
}

impl Labels<'_> {
    pub fn build(&self) -> BTreeMap<String, String> {
        let mut labels = BTreeMap::new();
        let mut put = |key: &str, value: String| {
            labels.insert(key.to_owned(), value);
        };
        put(FLEET, self.fleet.to_string());
        put(ROLE, self.role.to_owned());
        put(HASH, self.hash.to_owned());
        put(HASH_VERSION_LABEL, HASH_VERSION.to_string());
        let operation = if self.replaces { "replace" } else { "create" };
        put(OPERATION, operation.to_owned());
        if let Some(site) = self.site {
            put(SITE, site.to_string());
        }
        if let Some(address) = self.address {
            put(ADDRESS, address.to_string());
        }
        if let Some(limits) = self.limits {
            put(LIMITS, limits_text(limits));
        }
        if let Some(uid) = self.uid {
            put(UID, uid.to_string());
        }
        if let Some(root) = self.root {
            put(ROOT, root.to_owned());
        }
        labels
    }
}

/// Labels of the sites' network.
pub fn network_labels(fleet: &Name) -> BTreeMap<String, String> {
    BTreeMap::from([(FLEET.to_owned(), fleet.to_string())])
}

/// `memory/nano_cpus/pids`, 0 for none.
fn limits_text(limits: &Limits) -> String {
    format!(
        "{}/{}/{}",
        limits.memory.unwrap_or(0),
        limits.nano_cpus.unwrap_or(0),
        limits.pids.unwrap_or(0)
    )
}

/// The reverse of what [`LIMITS`] holds; `None` when it is not of that form.
pub(crate) fn limits_from(text: &str) -> Option<Limits> {
    let mut parts = text.split('/').map(|part| part.parse::<u64>().ok());
    let mut next = || parts.next().flatten();
    let (memory, cpus, pids) = (next()?, next()?, next()?);
    Some(Limits {
        memory: (memory > 0).then_some(memory),
        nano_cpus: (cpus > 0).then_some(cpus),
        pids: u32::try_from(pids).ok().filter(|pids| *pids > 0),
    })
}

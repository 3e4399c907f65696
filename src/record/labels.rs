//! The labels that our containers and networks carry: what they say, and how they are read.

use std::collections::{BTreeMap, HashMap};
use std::net::Ipv4Addr;

use super::route::TEMPLATE;
use super::spec::HASH_VERSION;
use crate::fleet::{Limits, Name};

/// Which fleet an object belongs to. Without it an object is foreign.
pub const FLEET: &str = "ostler.fleet";
/// Which site a container belongs to.
pub const SITE: &str = "ostler.site";
/// What a container is for: the word of a [`Role`].
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

/// Version of the configuration that a router was made for ([`TEMPLATE`]).
pub const TEMPLATE_LABEL: &str = "ostler.template";

/// Login name of a lock's holder.
pub const WHO: &str = "ostler.who";
/// Machine and process of a lock's holder.
pub const WHENCE: &str = "ostler.whence";
/// When a lock was taken: seconds on the daemon's clock.
pub const SINCE: &str = "ostler.since";
/// The apply that a lock was taken for.
pub const RUN: &str = "ostler.run";
/// The very process that took a lock.
pub const PROCESS: &str = "ostler.process";

/// What a container of ours is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A site's container.
    Site,
    /// The reverse proxy.
    Router,
    /// The helper through which files on the host are read and written.
    Toolbox,
    /// What keeps sites from the host's own services.
    Guard,
    /// The lock of a host.
    Lock,
    /// Does one thing with the files of one site, and goes.
    Helper,
}

impl Role {
    const ALL: [Role; 6] = [
        Role::Site,
        Role::Router,
        Role::Toolbox,
        Role::Guard,
        Role::Lock,
        Role::Helper,
    ];

    /// As the label [`ROLE`] says it.
    pub const fn word(self) -> &'static str {
        match self {
            Role::Site => "site",
            Role::Router => "router",
            Role::Toolbox => "toolbox",
            Role::Guard => "guard",
            Role::Lock => "lock",
            Role::Helper => "helper",
        }
    }
}

/// What an engine tells with labels: a container, a network. Labels can be copied: whose a
/// container is, and which one serves, only [`crate::observe::whose`] says.
pub trait Labelled {
    /// A label by its whole name.
    fn label(&self, name: &str) -> Option<&str>;

    /// The fleet whose label it carries.
    fn fleet(&self) -> Option<&str> {
        self.label(FLEET)
    }
    /// Whether it carries this fleet's label.
    fn is_of(&self, fleet: &Name) -> bool {
        self.fleet() == Some(fleet.as_str())
    }
    /// What it is for; `None` where no label says, or one that this version does not know.
    fn role(&self) -> Option<Role> {
        let word = self.label(ROLE)?;
        Role::ALL.into_iter().find(|role| role.word() == word)
    }
    /// The site that it belongs to.
    fn site(&self) -> Option<&str> {
        self.label(SITE)
    }
    /// Hash of the spec that it was created from.
    fn spec_hash(&self) -> Option<&str> {
        self.label(HASH)
    }
    /// The version of the configuration that a router was made for; none before the third tells.
    fn template(&self) -> u32 {
        let told = self
            .label(TEMPLATE_LABEL)
            .and_then(|told| told.parse().ok());
        told.unwrap_or(2)
    }
    /// The address that was asked for.
    fn asked_address(&self) -> Option<Ipv4Addr> {
        self.label(ADDRESS)?.parse().ok()
    }
}

impl Labelled for BTreeMap<String, String> {
    fn label(&self, name: &str) -> Option<&str> {
        self.get(name).map(String::as_str)
    }
}

impl Labelled for HashMap<String, String> {
    fn label(&self, name: &str) -> Option<&str> {
        self.get(name).map(String::as_str)
    }
}

/// What the labels of a new container say.
pub(crate) struct Labels<'a> {
    pub fleet: &'a Name,
    pub role: Role,
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
        put(ROLE, self.role.word().to_owned());
        put(HASH, self.hash.to_owned());
        put(HASH_VERSION_LABEL, HASH_VERSION.to_string());
        let operation = if self.replaces { "replace" } else { "create" };
        put(OPERATION, operation.to_owned());
        if self.role == Role::Router {
            put(TEMPLATE_LABEL, TEMPLATE.to_string());
        }
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
pub fn of_network(fleet: &Name) -> BTreeMap<String, String> {
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

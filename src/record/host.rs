//! What ostler keeps on a host for one fleet, beside the files of its sites.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::certificate::CertificateRecord;
use super::route::{Proxies, RouteEntry};
use super::site::SiteRecord;
use crate::fleet::{Name, Ports};

/// What could be read of `state/`.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum StateRead {
    /// No toolbox on the host: nothing could be read. A first apply makes one, and refuses to go on
    /// where it then finds state that was not read.
    #[default]
    NoToolbox,
    Read(Arc<HostState>),
    /// There is a toolbox but the state is damaged; says what and where.
    Damaged {
        /// In words.
        why: String,
    },
}

impl StateRead {
    /// The state, where it was read.
    pub fn read(&self) -> Option<&HostState> {
        match self {
            StateRead::Read(state) => Some(state),
            _ => None,
        }
    }
}

impl HostState {
    /// What was last applied for a site.
    pub fn record(&self, site: &Name) -> Option<&SiteRecord> {
        self.sites.get(site).map(Arc::as_ref)
    }
}

/// All that ostler keeps on one host for one fleet.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HostState {
    /// `state/host.json`; absent before the first apply.
    pub host: Option<HostRecord>,
    /// `state/sites/<site>.json`, by site. Each is shared by all who know it.
    pub sites: BTreeMap<Name, Arc<SiteRecord>>,
    /// `state/router.json`: what the router was last told.
    pub router: RouterRecord,
    /// `state/certificates/<site>.json`, by site.
    pub certificates: BTreeMap<Name, Arc<CertificateRecord>>,
    /// `state/tended.json`: when a pass last came by, unix seconds; absent: none ever did.
    pub tended: Option<i64>,
    /// `state/applying-<run>.json`: applies that have not ended, oldest first.
    pub applying: Vec<Applying>,
}

/// What `state/tended.json` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tended {
    /// Version of this schema: 1.
    pub schema: u32,
    /// When a pass last came by, unix seconds on its machine's clock.
    pub at: i64,
}

/// The note of an apply that is under way on a host. It is taken away when the apply ends, however
/// it ends; what is still there when nobody holds the lock was cut off.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Applying {
    /// Version of this schema: 1.
    pub schema: u32,
    /// Name of the apply in the journals.
    pub run: String,
    /// Login name of who applies.
    pub who: String,
    /// Their machine and process.
    pub whence: String,
    /// When it began, RFC 3339.
    pub at: String,
    /// Hash of the fleet file that is being applied.
    pub fleet_hash: String,
    /// Its git commit, where there is one.
    pub commit: Option<String>,
    /// Hash of the fleet file applied here before; empty: none was.
    pub before: String,
    pub before_commit: Option<String>,
    /// The apply that this one takes back.
    #[serde(default)]
    pub takes_back: Option<String>,
    /// Hosts that it works on, this one included.
    pub hosts: BTreeSet<Name>,
    /// Sites that it touches here.
    pub sites: BTreeSet<Name>,
    /// Those of them whose secrets it writes: the bytes they had before are kept nowhere.
    #[serde(default)]
    pub secrets: BTreeSet<Name>,
    /// How many operations it has here.
    pub operations: usize,
    /// How many of them had ended when this was written.
    pub ended: usize,
    /// Operations that were under way then.
    #[serde(default)]
    pub middle: Vec<String>,
}

/// What is kept once per host.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HostRecord {
    /// Version of this schema: 1.
    pub schema: u32,
    pub fleet: String,
    /// Host name in the file.
    pub host: String,
    /// Key of the digests of secrets, hex. Made on the host's first apply.
    pub digest_key: String,
    /// Hash of the fleet file last applied here.
    pub fleet_hash: String,
    /// Its git commit, where there was one.
    pub commit: Option<String>,
    /// By whom, when (RFC 3339), from where.
    pub applied_by: Option<String>,
}

/// What the router was last told, and by which files.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RouterRecord {
    /// Version of this schema: 1.
    pub schema: u32,
    /// Hash of the router's own configuration (not of the routes).
    pub config_hash: String,
    /// Where it listens; `None` where an earlier version told it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ports: Option<Ports>,
    /// Whom it believes. Empty where an earlier version told it.
    #[serde(default)]
    pub proxies: Proxies,
    /// Routes by site.
    pub routes: BTreeMap<Name, RouteEntry>,
}

//! Who applies, from where, how fast, and all else that apply needs besides the plan.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::engine::Client;
use crate::fleet::{Fleet, Name};
use crate::host::service::secrets::SecretSource;
use crate::record::lock::STALE;

/// Who applies, and from where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    /// Login name.
    pub who: String,
    /// Machine and process.
    pub whence: String,
}

impl Operator {
    /// The one who runs this process.
    pub fn current() -> Operator {
        let variable = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
        let machine = std::fs::read_to_string("/proc/sys/kernel/hostname")
            .ok()
            .map(|name| name.trim().to_owned())
            .or_else(|| variable("HOSTNAME"))
            .unwrap_or_else(|| "an unnamed machine".into());
        Operator {
            who: variable("SUDO_USER")
                .or_else(|| variable("USER"))
                .or_else(|| variable("LOGNAME"))
                .or_else(crate::file::login)
                .unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw())),
            whence: format!("{machine} (process {})", std::process::id()),
        }
    }
}

/// How fast, and how patient. The default is what a host bears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pace {
    /// Changing calls in flight per host.
    pub changing: usize,
    /// Starts in flight per host, counted among those.
    pub starts: usize,
    /// How often the lock's holder says that it lives.
    pub heartbeat: Duration,
    /// After how long without that a lock is stale: [`STALE`], but for tests.
    pub stale: Duration,
    /// For how long a lock that was found held counts as held.
    pub check: Duration,
    /// How often a busy lock is looked at again.
    pub retry: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Pace {
            changing: 4,
            starts: 2,
            heartbeat: Duration::from_secs(10),
            stale: STALE,
            check: Duration::from_secs(1),
            retry: Duration::from_secs(1),
        }
    }
}

/// All that apply needs besides the plan.
#[derive(Clone)]
pub struct Context {
    /// The fleet the plan was made from.
    pub fleet: Arc<Fleet>,
    /// The bytes of its file, kept on each host.
    pub fleet_bytes: Arc<Vec<u8>>,
    /// The commit of exactly these bytes, where there is one.
    pub commit: Option<String>,
    /// Connections to the plan's hosts.
    pub clients: BTreeMap<Name, Client>,
    /// Where the bytes of secrets come from.
    pub secrets: Arc<dyn SecretSource>,
    /// Who applies.
    pub operator: Operator,
    /// How fast.
    pub pace: Pace,
    /// How long to wait for a lock that somebody else holds.
    pub wait_for_lock: Duration,
    /// The operator's own folder of journals; none: only the hosts keep one.
    pub journal: Option<PathBuf>,
    /// For tests: leave as a killed process does once so many operations have ended.
    pub stop_after: Option<usize>,
}

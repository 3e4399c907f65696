//! The lock of a host as anybody can read it: who holds it, since when, and whether they live.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::text::printable;

/// After how long without a heartbeat a lock is stale: the next apply takes it over.
pub const STALE: Duration = Duration::from_secs(60);

/// Who holds a lock.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Holder {
    /// Login name.
    pub who: String,
    /// Machine and process.
    pub whence: String,
    /// Unix seconds on the daemon's clock.
    pub since: i64,
    /// Seconds since the last sign of life, on the daemon's clock.
    pub silent_s: i64,
    /// The apply it was taken for; empty: taken by an ostler that did not say so.
    #[serde(default)]
    pub run: String,
    /// Its process ran on this very machine and is no more.
    #[serde(default)]
    pub dead: bool,
}

impl Holder {
    /// Whether nobody is behind it any more.
    pub fn is_stale(&self) -> bool {
        self.dead || self.is_silent(STALE)
    }

    /// Whether there was no sign of life for longer than that.
    pub fn is_silent(&self, longer_than: Duration) -> bool {
        u64::try_from(self.silent_s).is_ok_and(|silent| silent > longer_than.as_secs())
    }
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let since = chrono::DateTime::from_timestamp(self.since, 0)
            .map(|t| t.format("%Y-%m-%d %H:%M:%S UTC").to_string())
            .unwrap_or_else(|| "an unknown time".into());
        write!(
            f,
            "{} at {} since {since}",
            printable(&self.who),
            printable(&self.whence)
        )
    }
}

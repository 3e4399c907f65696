//! What the machine under an engine has left.

use serde::{Deserialize, Serialize};

/// What a machine has, and what of it is free.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Machine {
    /// Bytes of the disk that holds the root folder: all, and free for use.
    pub disk: (u64, u64),
    /// Inodes of that disk: all and free; both 0 where it does not count them.
    pub inodes: (u64, u64),
    /// Bytes of memory: all, and what new processes can have.
    pub memory: (u64, u64),
    /// Bytes of swap: all and free.
    pub swap: (u64, u64),
    /// Processes that run or wait for a disk, averaged over 1, 5 and 15 minutes.
    pub load: [f64; 3],
    /// Seconds since it started.
    pub uptime_s: u64,
}

impl Machine {
    /// Used share of the disk, 0 to 1: of bytes or of inodes, whichever is fuller.
    pub fn disk_used(&self) -> f64 {
        used(self.disk).max(used(self.inodes))
    }

    /// Used share of memory, 0 to 1.
    pub fn memory_used(&self) -> f64 {
        used(self.memory)
    }

    /// Load of the last minute by processors: 1 and above when all of them are busy.
    pub fn load_share(&self, cpus: u32) -> f64 {
        self.load[0] / f64::from(cpus.max(1))
    }

    /// The worst of disk, memory and load, 0 to 1 and above.
    pub fn pressure(&self, cpus: u32) -> f64 {
        let shares = [self.disk_used(), self.memory_used(), self.load_share(cpus)];
        shares.into_iter().fold(0.0, f64::max)
    }
}

fn used((all, free): (u64, u64)) -> f64 {
    match all {
        0 => 0.0,
        all => 1.0 - free.min(all) as f64 / all as f64,
    }
}

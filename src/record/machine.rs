//! What the machine under an engine has left.

use serde::{Deserialize, Serialize};

use crate::text::percent;

/// Share of a disk that is left, of bytes or of inodes, at which it is warned of.
pub const LOW: f64 = 0.10;
/// And at which things are about to fail.
pub const OUT: f64 = 0.02;

/// Something that a disk has little left of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scarce {
    pub place: &'static str,
    /// Bytes or inodes.
    pub what: &'static str,
    /// Share, at most [`LOW`].
    pub left: f64,
}

impl Scarce {
    /// Whether things are about to fail for it.
    pub fn is_out(&self) -> bool {
        self.left <= OUT
    }

    /// All of them in words.
    pub fn words(all: &[Scarce]) -> String {
        let one = |it: &Scarce| {
            let left = percent(it.left);
            format!("{left} of the {} of {} left", it.what, it.place)
        };
        all.iter().map(one).collect::<Vec<_>>().join(", ")
    }
}

/// What a machine has, and what of it is free.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Machine {
    /// Bytes of the disk that holds the root folder: all, and free for use.
    pub disk: (u64, u64),
    /// Inodes of that disk: all and free; both 0 where it does not count them.
    pub inodes: (u64, u64),
    /// Bytes of the disk where Docker keeps its own: all, and free for use.
    #[serde(default)]
    pub engine_disk: (u64, u64),
    /// Inodes of that disk, in the same way.
    #[serde(default)]
    pub engine_inodes: (u64, u64),
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
    /// Used share of the disks, 0 to 1: of bytes or of inodes, whichever is fullest.
    pub fn disk_used(&self) -> f64 {
        let all = [self.disk, self.inodes, self.engine_disk, self.engine_inodes];
        all.into_iter().map(used).fold(0.0, f64::max)
    }

    /// Whether the sites' disk and Docker's are one, as far as sizes tell: as large, and as full but
    /// for what was written between the two looks.
    pub fn has_one_disk(&self) -> bool {
        let near = (self.disk.1).abs_diff(self.engine_disk.1) < 64 << 20;
        near && (self.disk.0, self.inodes.0) == (self.engine_disk.0, self.engine_inodes.0)
    }

    /// What of the disks is nearly used up, the worst first: with no inode or no block left nothing
    /// can be written, by customers or by Docker.
    pub fn scarce(&self) -> Vec<Scarce> {
        let one = self.has_one_disk();
        let engine = |pair| if one { (0, 0) } else { pair };
        let mut found: Vec<Scarce> = [
            ("the sites' disk", "bytes", self.disk),
            ("the sites' disk", "inodes", self.inodes),
            ("Docker's disk", "bytes", engine(self.engine_disk)),
            ("Docker's disk", "inodes", engine(self.engine_inodes)),
        ]
        .into_iter()
        .map(|(place, what, pair)| Scarce {
            place,
            what,
            left: left(pair),
        })
        .filter(|it| it.left <= LOW)
        .collect();
        found.sort_by(|a, b| a.left.total_cmp(&b.left));
        found
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

fn used(pair: (u64, u64)) -> f64 {
    1.0 - left(pair)
}

fn left((all, free): (u64, u64)) -> f64 {
    match all {
        0 => 1.0,
        all => free.min(all) as f64 / all as f64,
    }
}

//! The benchmarks, one file each, and what they share.

mod certificates;
mod compose;
mod console;
pub mod far;
mod fill;
mod fleet_file;
mod frame;
mod hosts;
mod logs;
mod plan;
mod program;
pub mod proxy;
pub mod row;
mod ssh;
mod stage;

use ostler::cli::Failure;
use ostler::fleet::EngineAddress;

pub use row::{Row, table};
use stage::Stage;

/// The benchmarks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Bench {
    /// Drawing the Sites screen.
    Frame,
    /// Taking log lines in.
    Logs,
    /// Reading and editing a large fleet file.
    FleetFile,
    /// Fifty hosts far away: first frame, all rows, memory, keys.
    Hosts,
    /// A plan for unchanged sites against one raw list of the engine.
    Plan,
    /// A plan for unchanged sites against docker compose.
    Compose,
    /// One certificate more beside many, against a reload of the router.
    Certificates,
    /// The console over idle containers: memory, processor, requests.
    Console,
    /// A list over SSH against the unix socket and against docker over SSH.
    Ssh,
}

/// How much is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// As much as the goals are about, or with another number of sites.
    Full {
        /// Sites, services or containers.
        sites: Option<usize>,
    },
    /// Hardly anything, once: only that it still measures what it says.
    Tiny,
}

impl Extent {
    /// Sites, services or containers, of which the goal is about `goal`.
    fn sites(self, goal: usize) -> usize {
        match self {
            Extent::Full { sites } => sites.unwrap_or(goal),
            Extent::Tiny => 3,
        }
    }

    /// So much of anything else.
    fn pick<T>(self, full: T, tiny: T) -> T {
        match self {
            Extent::Full { .. } => full,
            Extent::Tiny => tiny,
        }
    }
}

impl Bench {
    /// In the order of the table.
    pub const ALL: [Bench; 9] = [
        Bench::Frame,
        Bench::Logs,
        Bench::FleetFile,
        Bench::Hosts,
        Bench::Plan,
        Bench::Compose,
        Bench::Certificates,
        Bench::Console,
        Bench::Ssh,
    ];

    /// Measures. What needs an engine works at that address, on a stage that is cleared afterwards:
    /// also after a failure, and when `stop` comes first.
    pub async fn run(
        self,
        address: &EngineAddress,
        extent: Extent,
        stop: impl Future<Output = ()>,
    ) -> Result<Vec<Row>, Failure> {
        match self {
            Bench::Frame => return frame::measure(extent),
            Bench::Logs => return logs::measure(extent),
            Bench::FleetFile => return fleet_file::measure(extent),
            Bench::Hosts => return hosts::measure(extent).await,
            Bench::Plan | Bench::Compose | Bench::Certificates | Bench::Console | Bench::Ssh => {}
        }
        let stage = Stage::new(address).await?;
        let work = async {
            match self {
                Bench::Compose => compose::measure(&stage, extent).await,
                Bench::Certificates => certificates::measure(&stage, extent).await,
                Bench::Console => console::measure(&stage, extent).await,
                Bench::Ssh => ssh::measure(&stage, extent).await,
                _ => plan::measure(&stage, extent).await,
            }
        };
        let done = tokio::select! {
            done = work => done,
            () = stop => Err(Failure::new("stopped")),
        };
        let cleared = stage.clear().await;
        let rows = done?;
        cleared?;
        Ok(rows)
    }
}

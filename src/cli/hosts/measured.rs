//! How far away hosts are, how wrong their clocks, and what their machines have left.

use std::collections::BTreeMap;
use std::time::Instant;

use futures_util::future::join_all;
use serde::Serialize;

use crate::cli::style::Style;
use crate::cli::table::Cell;
use crate::engine::{Client, Mode};
use crate::fleet::{Fleet, Host, Name};
use crate::host::{Toolbox, machine};
use crate::observe::model::{HostObservation, ObservedContainer};
use crate::observe::whose;
use crate::record::{Layout, Machine, Scarce};
use crate::text::{percent, round_trip};
use crate::verdict::Pulse;
use crate::walk::look::Seen;

/// What was measured on one host.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Measured {
    /// Milliseconds that a ping took.
    round_trip_ms: Option<f64>,
    /// Seconds that its clock is ahead of ours, below 0 behind, to a second or two.
    clock_skew_s: Option<i64>,
    /// Disk, memory and load; `None` in on-call mode, which runs no command, and without a toolbox.
    machine: Option<Machine>,
    #[serde(skip)]
    pulse: Option<Pulse>,
}

/// Heads of the columns.
pub const HEADING: [&str; 5] = ["DISK", "USED", "LOAD", "TRIP", "CLOCK"];

/// Measures all hosts that answered, at once.
pub async fn measure(mode: Mode, fleet: &Fleet, seen: &Seen) -> BTreeMap<Name, Measured> {
    let hosts = seen.clients.iter().filter_map(|(name, client)| {
        let host = fleet.hosts.get(name)?;
        let found = seen.observed.hosts.get(name);
        let found = found.and_then(HostObservation::reached)?;
        let toolbox = whose::toolbox(&found.containers, &fleet.name);
        let toolbox = toolbox.filter(|c| c.is_running() && mode == Mode::Full);
        Some(async move { (name.clone(), one(client, host, toolbox).await) })
    });
    join_all(hosts).await.into_iter().collect()
}

async fn one(client: &Client, host: &Host, toolbox: Option<&ObservedContainer>) -> Measured {
    let mut it = Measured::default();
    let start = Instant::now();
    if client.ping().await.is_ok() {
        let took = start.elapsed();
        let now = chrono::Utc::now().timestamp();
        let pulse = Pulse {
            round_trip: took,
            skew_s: client.daemon_now().map(|there| there - now),
        };
        it.round_trip_ms = Some(took.as_secs_f64() * 1e3);
        it.clock_skew_s = pulse.skew_s;
        it.pulse = Some(pulse);
    }
    if let Some(toolbox) = toolbox {
        let toolbox = Toolbox {
            client: client.clone(),
            id: toolbox.id.clone(),
            layout: Layout::new(&host.root),
        };
        // Not to be had: not known, as in on-call mode.
        it.machine = machine::read(&toolbox).await.ok();
    }
    it
}

impl Measured {
    /// What of its disks is nearly used up.
    pub fn scarce(&self) -> Vec<Scarce> {
        self.machine.map_or_else(Vec::new, |m| m.scarce())
    }

    /// Its cells: used shares of disk, memory and processors, round trip, clock.
    pub fn cells(&self, cpus: u32) -> Vec<Cell> {
        let share = |share: Option<f64>| match share {
            None => Cell::from(""),
            Some(share) => {
                let text = percent(share);
                match share {
                    0.95.. => Cell::styled(text, Style::Bad),
                    0.85.. => Cell::styled(text, Style::Warn),
                    _ => Cell::from(text),
                }
            }
        };
        let trip = self.pulse.map(|p| round_trip(p.round_trip));
        let clock = self.pulse.and_then(|p| p.skew());
        let clock = clock.map(|skew| Cell::styled(format!("{skew:+}s"), Style::Warn));
        vec![
            share(self.machine.map(|m| m.disk_used())),
            share(self.machine.map(|m| m.memory_used())),
            share(self.machine.map(|m| m.load_share(cpus))),
            Cell::from(trip.unwrap_or_default()),
            clock.unwrap_or_else(|| Cell::from("")),
        ]
    }
}

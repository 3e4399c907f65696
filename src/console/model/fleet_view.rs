//! The fleet as the console shows it: plain rows, made from what workers send.

use crate::verdict::{HostRow, SiteRow};

/// All that the lists show.
#[derive(Debug, Clone, Default)]
pub struct FleetView {
    /// The fleet's name, or the host's where there is no fleet file.
    pub name: String,
    /// A simulated fleet.
    pub demo: bool,
    /// Read-only.
    pub on_call: bool,
    /// In the file's order.
    pub hosts: Vec<HostRow>,
    /// In the file's order, then leftovers, then foreign containers.
    pub sites: Vec<SiteRow>,
}

//! What is well and what is not, and why: one judgement of a site and of a host, made from the fleet
//! file, what was observed, what differs, what is to be applied, the router's numbers and probes.
//! The command line and the console both show what it says. Pure: time comes in as an argument.

pub mod alert;
pub mod certificates;
pub mod chain;
mod container;
pub mod due;
pub mod evidence;
pub mod foreign;
pub mod history;
pub mod host;
mod judge;
pub mod life;
pub mod link;
pub mod reach;
pub mod row;
mod serving;
pub mod since;
pub mod site;
pub mod state;
pub mod tally;
pub mod trouble;
pub mod whole;

pub use crate::observe::asked::{Outside, Probe, Road, SiteAnswer};
pub use certificates::{CertificateRow, Fault, Stand};
pub use due::Due;
pub use evidence::{Facts, HostData, Hosts, Reading, Run, Source, Traffic, Usage};
pub use history::History;
pub use host::HostRow;
pub use life::Life;
pub use link::{Link, LinkChange, Pulse};
pub use row::SiteRow;
pub use since::Since;
pub use state::State;
pub use whole::{Finding, Standing, Whole};

#[cfg(test)]
mod tests;

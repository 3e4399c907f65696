//! The walk from a wish to its outcome: the fleet file is found and loaded, hosts are looked at, what
//! is wished for is worked out, shown, confirmed and carried out, and what was done is told later. The
//! command line and the console only ask and show; nothing here prints.

pub mod back;
pub mod carry;
pub mod certificates;
pub mod commit;
pub mod fleet_file;
mod git;
pub mod history;
pub mod lineage;
pub mod look;
pub mod notify;
pub mod outcome;
pub mod past;
pub mod propose;
pub mod renewal;
pub mod saved;
pub mod search;
pub mod secret;
pub mod tended;
pub mod trust;
pub mod wish;

pub use fleet_file::{FleetFile, FleetFileError};
pub use propose::{Outset, Proposal, Refusal};
pub use trust::Trust;
pub use wish::{Ask, Wish};

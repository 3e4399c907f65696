//! The walk from a wish to its outcome: the fleet file is found and loaded, hosts are looked at, what
//! is wished for is worked out, shown, confirmed and carried out, and what was done is told later. The
//! command line and the console only ask and show; nothing here prints.

pub mod back;
pub mod commit;
pub mod fleet_file;
pub mod history;
pub mod lineage;
pub mod saved;
pub mod secret;

pub use fleet_file::{FleetFile, FleetFileError};

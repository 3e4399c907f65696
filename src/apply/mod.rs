//! Making it so: runs a plan, operation by operation, and says how each ended. It decides nothing
//! that the plan has decided.

pub mod back;
pub mod body;
pub mod commit;
mod context;
mod desk;
pub mod fleet_file;
pub mod history;
mod host_work;
pub mod journal;
pub mod lineage;
pub mod lock;
pub mod progress;
pub mod run;
pub mod saved;
pub mod secret;
mod step;
mod undo;

pub use context::{Context, Operator, Pace};
pub use lock::{Lock, LockError};
pub use progress::{Ended, Failure, HostProgress, OperationOutcome, Outcome, Progress};
pub use run::run;

//! Making it so: runs a plan, operation by operation, and says how each ended. It decides nothing
//! that the plan has decided.

pub mod authority;
pub mod body;
mod certificates;
mod context;
mod desk;
mod host_work;
pub mod journal;
pub mod lock;
pub mod progress;
pub mod run;
mod step;
mod undo;

pub use context::{Context, Operator, Pace};
pub use lock::{Lock, LockError};
pub use progress::{Ended, Failure, HostProgress, OperationOutcome, Outcome, Progress};
pub use run::run;

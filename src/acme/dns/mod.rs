//! DNS, as far as certificates need it: who answers for a name, which authorities may sign for it,
//! and records put into a zone and taken out again.

pub(super) mod caa;
pub mod message;
pub(super) mod resolver;
pub mod tsig;
mod update;
mod wire;
mod zone;

pub use tsig::{Algorithm, Key};
pub use zone::Zone;

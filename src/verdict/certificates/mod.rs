//! Certificates: what of each is stored, loaded and served, what is the matter, and what comes first.

mod fault;
mod judge;
mod others;
pub mod row;
mod site;
#[cfg(test)]
mod tests;
mod week;

pub use fault::Fault;
pub use others::others;
pub use row::{CertificateRow, Holder, LoadedIs, NameRow, Stand};
pub(super) use site::of_site;
pub use site::{first, kept};
pub use week::{Day, week};

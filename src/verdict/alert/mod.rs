//! Alerts: what of a fleet somebody has to be told without looking, and what of that changed.

mod book;
mod found;
#[cfg(test)]
mod tests;

pub use book::{Book, Change, News};
pub use found::{Alert, Kind, Looked};

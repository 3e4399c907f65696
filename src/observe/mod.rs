//! What is: hosts as they were found.

pub mod model;

pub use model::*;

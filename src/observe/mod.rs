//! What is: hosts as they were found.

pub mod ask;
pub mod asked;
pub mod convert;
pub mod import;
pub mod look;
pub mod made;
pub mod model;
pub mod scan;
pub mod whose;

pub use model::*;

//! What is: hosts as they were found.

pub mod anchors;
pub mod ask;
pub mod asked;
pub mod convert;
pub mod greet;
pub mod import;
pub mod inside;
pub mod look;
pub mod made;
pub mod model;
pub mod resolve;
pub mod scan;
pub mod served;
pub mod whose;

pub use model::*;

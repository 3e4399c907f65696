//! What should be: the fleet file, as a checked model. Pure: bytes in, values out.

pub mod model;

pub use model::*;

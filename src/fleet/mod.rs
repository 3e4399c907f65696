//! What should be: the fleet file, as a checked model. Pure: bytes in, values out.

mod diff;
pub mod edit;
mod finding;
pub mod keys;
mod load;
pub mod model;
mod near;
mod tree;
pub mod value;

pub use diff::{DiffLine, diff};
pub use edit::{Edit, EditError, Edited, apply_edits};
pub use finding::{Finding, Level, render};
pub use load::{Loaded, load};
pub use model::*;
pub use near::nearest;

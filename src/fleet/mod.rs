//! What should be: the fleet file, as a checked model. Pure: bytes in, values out.

mod diff;
pub mod edit;
mod finding;
mod hash;
pub mod keys;
mod load;
pub mod model;
mod near;
mod schema;
mod select;
mod template;
mod tree;
pub mod value;
mod write;

pub use diff::{DiffLine, diff};
pub use edit::{Edit, EditError, Edited, apply_edits};
pub use finding::{Finding, Level, render};
pub use hash::{file_hash, hash};
pub use load::{Loaded, load};
pub use model::*;
pub use near::nearest;
pub use schema::{reference, schema};
pub use select::{Selection, glob};
pub use template::init_template;
pub use write::{site_block, site_fields, to_yaml};

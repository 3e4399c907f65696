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

/// Hash of a fleet file's bytes, by which hosts and operators tell its versions apart: sha256, in
/// full, as hex.
pub fn file_hash(bytes: &[u8]) -> String {
    use sha2::Digest;
    let digest = sha2::Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

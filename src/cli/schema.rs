//! `ostler schema`

use super::out::Out;
use super::{Exit, Failure};
use crate::fleet;

/// Writes the JSON Schema of the fleet file, for editors.
pub fn run(out: &Out) -> Result<Exit, Failure> {
    out.json(&fleet::schema())?;
    Ok(Exit::Done)
}

//! `ostler keys`

use super::out::Out;
use super::{Exit, Failure};

/// Writes the console's keys: the page made from its table of actions.
pub fn run(out: &Out) -> Result<Exit, Failure> {
    out.text(include_str!("../../KEYS.md"))?;
    Ok(Exit::Done)
}

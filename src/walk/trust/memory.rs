//! What this operator said yes to before, in a file of the state directory.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::deed::Deed;
use super::exposed::{Exposed, itself};
use crate::file;
use crate::text::line;

pub(super) fn place(state: &Path) -> PathBuf {
    state.join("trusted.json")
}

/// What was said yes to before.
///
/// # Errors
/// The file is not believed: others can write it or its folder, or it cannot be read. It is not to
/// be written over then.
pub(super) fn recall(state: &Path) -> Result<BTreeSet<Deed>, Exposed> {
    let path = place(state);
    let doubt = |why: String| {
        let path = line(&path.display().to_string());
        Exposed::new(
            format!("what {path} says is not believed: {why}"),
            "look at it, then take it away: all is asked about again".into(),
        )
    };
    let gone = |error: &std::io::Error| error.kind() == ErrorKind::NotFound;
    // What is above that folder is not looked at: it is full of what everybody's programs keep.
    match itself(state) {
        Err(error) if gone(&error) => return Ok(BTreeSet::new()),
        Err(error) => return Err(doubt(error.to_string())),
        Ok(Some(exposed)) => return Err(exposed),
        Ok(None) => {}
    }
    let real = match fs::canonicalize(&path) {
        Err(error) if gone(&error) => return Ok(BTreeSet::new()),
        Err(error) => return Err(doubt(error.to_string())),
        Ok(real) => real,
    };
    for path in real.parent().into_iter().chain([&*real]) {
        if let Some(exposed) = itself(path).map_err(|error| doubt(error.to_string()))? {
            return Err(exposed);
        }
    }
    let bytes = file::read(&real, file::LIST).map_err(|error| doubt(error.to_string()))?;
    serde_json::from_slice(&bytes).map_err(|error| doubt(error.to_string()))
}

/// Writes them over what was there.
pub(super) fn remember(state: &Path, known: &BTreeSet<Deed>) -> std::io::Result<()> {
    file::keep(&place(state), &serde_json::to_vec(known)?)
}

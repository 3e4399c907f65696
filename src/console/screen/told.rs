//! What the journals tell of an apply, in words and marks.

use crate::console::model::Model;
use crate::console::theme::Role;
use crate::walk::history::{Past, State};

/// An outcome's mark and role.
pub fn mark(model: &Model, state: State) -> (&'static str, Role) {
    let (symbol, letter, role) = match state {
        State::Done => ("✔", "o", Role::Ok),
        State::Running => ("◔", ">", Role::Busy),
        State::Finished | State::Undone => ("✔", "o", Role::Dim),
        State::Cancelled => ("–", "-", Role::Warn),
        State::Partial | State::Failed | State::Unfinished => ("✖", "X", Role::Bad),
    };
    (if model.theme.ascii { letter } else { symbol }, role)
}

/// When an apply began, unix seconds.
pub fn begun(past: &Past) -> Option<i64> {
    let at = chrono::DateTime::parse_from_rfc3339(&past.at).ok()?;
    Some(at.timestamp())
}

/// The fleet file of an apply: its commit, or its hash where it was not committed.
pub fn version(past: &Past) -> String {
    match &past.commit {
        Some(commit) => format!("commit {}", commit.get(..10).unwrap_or(commit)),
        None => {
            let hash = past.fleet_hash.get(..10).unwrap_or(&past.fleet_hash);
            format!("{hash}, not committed")
        }
    }
}

//! The marks of what sites and hosts are doing.

use crate::console::model::Model;
use crate::console::theme::Role;
use crate::verdict::{Link, State};

/// A state's mark and role.
pub fn mark(model: &Model, state: State) -> (&'static str, Role) {
    let role = match state {
        State::Lost | State::Failing | State::Restarting => Role::Bad,
        State::Degraded | State::Warning => Role::Warn,
        State::Drift => Role::Drift,
        State::Pending | State::Starting => Role::Busy,
        State::Ok | State::Running => Role::Ok,
        State::Unknown | State::Leftover | State::Stopped | State::Archived => Role::Off,
    };
    match model.theme.ascii {
        true => (state.letter(), role),
        false => (state.mark(), role),
    }
}

/// A host's mark and role.
pub fn link_mark(model: &Model, link: Link) -> (&'static str, Role) {
    mark(model, link.state())
}

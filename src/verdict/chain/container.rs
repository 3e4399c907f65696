//! The container: which one serves, and whether it runs.

use super::link::{ChainLink, Way};
use crate::verdict::state::State;

pub(super) fn link(way: &Way) -> ChainLink {
    let row = way.row;
    let of = |state, what: String| {
        let link = ChainLink::new("container", state, what);
        match row.seen {
            Some(at) => link.read(at),
            None => link,
        }
    };
    let Some(id) = &row.container else {
        return match row.state {
            State::Failing => of(State::Failing, row.why.clone()),
            _ if row.recipe == "proxy" => of(State::Unknown, "not ostler's: a proxy site".into()),
            _ => of(State::Unknown, "none".into()),
        };
    };
    let short = id.get(..12).unwrap_or(id);
    let mut what = format!("{} {short}", row.container_name);
    if !row.address.is_empty() {
        what.push_str(&format!(" at {}", row.address));
    }
    if !row.running {
        what.push_str(", not running");
    }
    if row.restarts > 0 {
        what.push_str(&format!(", restarted {}×", row.restarts));
    }
    let state = match row.state {
        _ if row.running => State::Ok,
        State::Failing | State::Restarting => State::Failing,
        _ => State::Unknown,
    };
    of(state, what)
}

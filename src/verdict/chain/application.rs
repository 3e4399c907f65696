//! The application: what its answers and its end say of it.

use super::link::{ChainLink, Way};
use crate::text::rate;
use crate::verdict::state::State;

pub(super) fn link(way: &Way) -> ChainLink {
    let row = way.row;
    let of = |state, what: String| ChainLink::new("application", state, what);
    if row.oom > 0 {
        let what = format!("killed for memory {}×, the last time", row.oom);
        return of(State::Warning, what).since(row.last_oom);
    }
    let Some(errors) = row.errors else {
        return of(State::Unknown, "not known".into());
    };
    let link = match errors.value > 0.0 {
        true => {
            let what = format!("{} answers of 5xx a minute", rate(errors.value));
            of(State::Warning, what)
        }
        false => of(State::Ok, "no answer of 5xx".into()),
    };
    link.read(errors.at)
}

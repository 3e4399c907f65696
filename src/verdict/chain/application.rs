//! The application: what visitors got of it, and what its end says.

use super::link::{ChainLink, Way};
use crate::text::count;
use crate::verdict::serving::errors_a_minute;
use crate::verdict::state::State;

pub(super) fn link(way: &Way) -> ChainLink {
    let row = way.row;
    let of = |state, what: String| ChainLink::new("application", state, what);
    if row.oom > 0 {
        let what = format!("killed for memory {}×, the last time", row.oom);
        return of(State::Warning, what).since(row.last_oom);
    }
    if let Some(run) = &row.waited {
        let visitors = count(run.count as usize, "visitor");
        let what = format!("{visitors} waited in vain, the last");
        let state = match row.state {
            State::Failing => State::Failing,
            _ => State::Warning,
        };
        return of(state, what).since(run.last);
    }
    let Some(errors) = row.errors else {
        return of(State::Unknown, "what visitors got is not known".into());
    };
    let link = match errors.value > 0.0 {
        true => of(State::Warning, errors_a_minute(errors.value)),
        false => of(State::Ok, "no visitor got a 5xx in the last minute".into()),
    };
    link.read(errors.at)
}

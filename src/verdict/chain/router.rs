//! The router: what came of asking the site through it.

use super::link::{ChainLink, Way};
use crate::fleet::SiteState;
use crate::text::clean;
use crate::verdict::life::Life;
use crate::verdict::state::State;

pub(super) fn link(way: &Way) -> ChainLink {
    let row = way.row;
    let of = |state, what: String| ChainLink::new("router", state, what);
    if row.foreign {
        return of(State::Unknown, "not ostler's".into());
    }
    if row.wanted == Some(SiteState::Archived) && row.life == Life::Archived {
        return of(State::Unknown, "no route: archived".into());
    }
    if let Some(http) = &row.http {
        let state = match http.value.is_good() {
            Some(true) => State::Ok,
            _ => State::Failing,
        };
        return of(state, clean(&http.value.words()).into_owned()).read(http.at);
    }
    match way.probe {
        // Of another run of its container, or it could not be asked.
        Some(probe) => of(State::Unknown, clean(&probe.answer.words()).into_owned()).read(probe.at),
        None => of(State::Unknown, "not asked".into()),
    }
}

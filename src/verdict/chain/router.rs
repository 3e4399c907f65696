//! The router: what came of asking the site through it.

use super::link::{ChainLink, Way};
use crate::fleet::SiteState;
use crate::observe::asked::Road;
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
        let mut what = clean(&http.value.words()).into_owned();
        // By another way than is meant, which a firewall or another machine may be on.
        if let Some(probe) = way.probe
            && matches!(probe.road, Road::Here(_))
        {
            what.push_str(&format!(", {}", clean(&probe.road.words())));
        }
        return of(state, what).read(http.at);
    }
    match way.probe {
        // Of another run of its container, or it could not be asked.
        Some(probe) => of(State::Unknown, clean(&probe.answer.words()).into_owned()).read(probe.at),
        None => of(State::Unknown, "not asked".into()),
    }
}

//! The router: how it answers for the site.

use super::link::{ChainLink, Way};
use crate::fleet::SiteState;
use crate::text::{clean, rate};
use crate::verdict::state::State;

pub(super) fn link(way: &Way) -> ChainLink {
    let row = way.row;
    let of = |state, what: String| ChainLink::new("router", state, what);
    if row.foreign {
        return of(State::Unknown, "not ostler's".into());
    }
    if let Some(http) = row.http {
        let state = match http.value {
            500.. => State::Failing,
            _ => State::Ok,
        };
        let what = format!("answers {} ({})", http.value, http.source.word());
        return of(state, what).read(http.at);
    }
    if let Some(requests) = row.requests {
        let what = format!("routed, {} requests/s", rate(requests.value));
        return of(State::Ok, what).read(requests.at);
    }
    if row.wanted == Some(SiteState::Archived) {
        return of(State::Unknown, "no route: archived".into());
    }
    match way.probe {
        Some(probe) => of(State::Warning, clean(&probe.answer.words()).into_owned()).read(probe.at),
        None => of(State::Unknown, "not known".into()),
    }
}

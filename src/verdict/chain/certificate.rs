//! The certificate: what visitors by https are shown.

use super::link::{ChainLink, Way};
use crate::verdict::certificates::Stand;
use crate::verdict::state::State;

pub(super) fn link(way: &Way) -> ChainLink {
    let of = |state, what: String| ChainLink::new("certificate", state, what);
    let Some(row) = &way.row.certificate else {
        return of(State::Unknown, "plain HTTP; none is kept".into());
    };
    let mut what = row.says();
    if let (Some(stored), Stand::Ok | Stand::Due) = (&row.stored, row.stand) {
        let until = chrono::DateTime::from_timestamp(stored.not_after, 0);
        let until = until.map(|at| at.format(", until %Y-%m-%d").to_string());
        let says = format!("{}{}", stored.issuer, until.unwrap_or_default());
        what = match what.is_empty() {
            true => says,
            false => format!("{says}; {what}"),
        };
    }
    let state = match row.stand {
        Stand::Unused | Stand::Without => State::Unknown,
        _ => row.state,
    };
    let link = of(state, what);
    match row.served_at().max(row.inside_at) {
        Some(at) => link.read(at),
        None => link,
    }
}

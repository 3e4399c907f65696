//! DNS: whether the first domain leads anywhere.

use super::link::{ChainLink, Way};
use crate::console::text::{clean, elide};
use crate::verdict::state::State;

pub(super) fn link(way: &Way) -> ChainLink {
    let domains = &way.row.domains;
    let mut domain = domains
        .first()
        .map_or("no domain", String::as_str)
        .to_owned();
    if domains.len() > 1 {
        domain.push_str(&format!(" and {} more", domains.len() - 1));
    }
    let of = |state, what: String| ChainLink::new("DNS", state, what);
    let Some(probe) = way.probe else {
        return of(State::Unknown, format!("{domain}, not asked"));
    };
    let link = match &probe.dns {
        Ok(addresses) => {
            let addresses = addresses.join(" ");
            of(State::Ok, format!("{domain} → {}", elide(&addresses, 40)))
        }
        Err(why) => of(State::Warning, format!("{domain}: {}", clean(why))),
    };
    link.read(probe.at)
}

//! DNS: whether the first domain leads anywhere.

use super::link::{ChainLink, Way};
use crate::fleet::domain_both_ways;
use crate::text::clean;
use crate::verdict::state::State;

pub(super) fn link(way: &Way) -> ChainLink {
    let domains = &way.row.domains;
    let first = domains.first().map(|domain| domain_both_ways(domain));
    let mut domain = first.unwrap_or("no domain".into()).into_owned();
    if domains.len() > 1 {
        domain.push_str(&format!(" and {} more", domains.len() - 1));
    }
    let of = |state, what: String| ChainLink::new("DNS", state, what);
    let Some(outside) = way.outside else {
        return of(State::Unknown, format!("{domain}, not asked"));
    };
    let link = match &outside.dns {
        Ok(addresses) => {
            let leads = format!("{domain} → {}", short(addresses));
            match &outside.http {
                Ok(status) if outside.router == Some(false) => {
                    let what = format!("{leads}: not this router, answers {status}");
                    of(State::Warning, what)
                }
                Ok(_) => of(State::Ok, leads),
                Err(why) => of(State::Warning, format!("{leads}: {}", clean(why))),
            }
        }
        Err(why) => of(State::Warning, format!("{domain}: {}", clean(why))),
    };
    link.read(outside.at)
}

/// Characters of addresses that are shown.
const ROOM: usize = 40;

/// As many whole addresses as there is room for.
fn short(addresses: &[String]) -> String {
    let all = addresses.join(" ");
    if all.len() <= ROOM {
        return all;
    }
    let ends = all.match_indices(' ').map(|(end, _)| end);
    let end = ends.take_while(|end| *end < ROOM).last().unwrap_or(0);
    format!("{}…", &all[..end])
}

//! What came of a change in words, and what to do next.

use std::collections::BTreeSet;

use super::carry::Carried;
use super::propose::{Part, Proposal};
use crate::apply::progress::Tally;
use crate::fleet::{Name, SiteState};
use crate::text::count;

/// Most addresses that are named.
const ADDRESSES: usize = 5;

/// A line about the whole.
pub fn line(carried: &Carried, proposal: &Proposal) -> String {
    let outcomes = || carried.outcomes.iter().flatten();
    let mut tally = Tally::default();
    outcomes().for_each(|outcome| tally += outcome.tally());
    // Parts that were not begun.
    if !carried.outcomes.is_empty() {
        let parts = proposal.parts.iter();
        let planned: usize = parts.map(|part| part.plan.operations.len()).sum();
        tally.left += planned.saturating_sub(tally.all);
        tally.all = tally.all.max(planned);
    }
    let words = tally.words("not known");
    match carried.exit {
        0 => format!("done: {} of {}", tally.done, count(tally.all, "operation")),
        _ if outcomes().any(|outcome| outcome.cancelled) => format!("stopped: {words}"),
        _ if tally.done == 0 => format!("nothing was done: {words}"),
        _ => format!("in part: {words}"),
    }
}

/// What to look at or to do next, a line each.
pub fn next(carried: &Carried, proposal: &Proposal) -> Vec<String> {
    if carried.exit == 0 {
        let parts = proposal.parts.iter();
        return parts.flat_map(addresses).take(ADDRESSES).collect();
    }
    let mut next = Vec::new();
    for outcome in carried.outcomes.iter().flatten() {
        for (host, failure) in &outcome.hosts {
            next.push(format!("{host}: {}", failure.why));
            next.extend(failure.remedy.clone());
        }
        for (_, site) in &outcome.rolled_back {
            next.push(format!("{site} was taken back to what it was"));
        }
    }
    for problem in proposal.parts.iter().flat_map(|part| &part.plan.problems) {
        next.push(format!("{}: {}", problem.host, problem.what));
        next.push(problem.remedy.clone());
    }
    next.push(match carried.written {
        true => "the fleet file keeps the change: it is the wish; p shows what is left".into(),
        false => "p shows what is left; applying again goes on from there".into(),
    });
    next
}

/// Where the sites answer that were worked on and run.
fn addresses(part: &Part) -> Vec<String> {
    let worked_on = part.plan.operations.iter().filter_map(|o| o.site.as_ref());
    let worked_on: BTreeSet<&Name> = worked_on.collect();
    let address = |name: &&Name| {
        let site = part.fleet.sites.get(*name)?;
        let domain = site.domains.iter().find(|domain| !domain.is_wildcard())?;
        let host = part.fleet.hosts.get(&site.host);
        let port = match host.map_or(80, |host| host.ports.http) {
            80 => String::new(),
            port => format!(":{port}"),
        };
        let runs = site.state == SiteState::Running;
        runs.then(|| format!("{}: http://{domain}{port}/", site.name))
    };
    worked_on.iter().filter_map(address).collect()
}

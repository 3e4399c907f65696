//! What came of a change in words, and what to do next.

use std::collections::BTreeSet;

use super::carry::Carried;
use super::propose::{Part, Proposal};
use crate::apply;
use crate::fleet::{Name, SiteState};

/// Most addresses that are named.
const ADDRESSES: usize = 5;

/// A line about the whole.
pub fn line(carried: &Carried, proposal: &Proposal) -> String {
    let outcomes = || carried.outcomes.iter().flatten();
    let sum = |of: fn(&apply::Outcome) -> usize| outcomes().map(of).sum::<usize>();
    let done = sum(apply::Outcome::done);
    let all = match carried.outcomes.is_empty() {
        true => 0,
        false => proposal.parts.iter().map(|p| p.plan.operations.len()).sum(),
    };
    match carried.exit {
        0 => format!("done: {done} of {all} operations"),
        _ if outcomes().any(|outcome| outcome.cancelled) => {
            format!("stopped: {done} of {all} operations were done")
        }
        1 => "nothing was done".to_owned(),
        _ => format!(
            "in part: {done} of {all} operations done, {} failed",
            sum(apply::Outcome::failed)
        ),
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
        let domain = site.domains.first()?;
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

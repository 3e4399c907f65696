//! `ostler status`: the fleet on one screen.

mod engine;

use serde::Serialize;

use super::args::EngineArg;
use super::context::Context;
use super::rows::{self, HostTold, SiteTold};
use super::style::Style;
use super::table::Table;
use super::text::{self, count};
use super::{Exit, Failure, hosts, sites};
use crate::observe::scan::Inspect;
use crate::verdict::{SiteRow, State};
use crate::walk::look::Look;

#[derive(Serialize)]
struct Status<'a> {
    fleet: &'a str,
    hosts: &'a [HostTold],
    sites: usize,
    ok: usize,
    broken: Vec<SiteTold>,
    drifted: Vec<SiteTold>,
    to_apply: Vec<SiteTold>,
}

/// Says how the fleet is: which hosts answer, which sites are not as they should be, and why.
pub async fn run(context: &Context, named: &EngineArg, json: bool) -> Result<Exit, Failure> {
    if named.address.is_some() {
        return engine::run(context, named, json).await;
    }
    named.only_fleet()?;
    let file = context.load()?;
    let seen = context
        .look(&file, &context.select()?, Look::at(&Inspect::Ours))
        .await?;
    let hosts = rows::hosts(&file.fleet, &seen.observed, |h| seen.hosts.contains(h));
    let sites = rows::sites(&file.fleet, &seen.observed, |s| seen.takes(s));
    let found = Found::of(&sites);
    if !json {
        show(
            context,
            file.fleet.name.as_str(),
            &hosts,
            sites.len(),
            &found,
        )?;
        return Ok(Exit::Done);
    }
    let told = |rows: &[&SiteRow]| {
        rows.iter()
            .map(|row| SiteTold::of((*row).clone()))
            .collect()
    };
    context.out.json(&Status {
        fleet: file.fleet.name.as_str(),
        hosts: &hosts,
        sites: sites.len(),
        ok: sites.len() - found.broken.len(),
        broken: told(&found.broken),
        drifted: told(&found.drifted),
        to_apply: told(&found.to_apply),
    })?;
    Ok(Exit::Done)
}

/// What wants a look. No site is in two of them.
struct Found<'a> {
    broken: Vec<&'a SiteRow>,
    drifted: Vec<&'a SiteRow>,
    to_apply: Vec<&'a SiteRow>,
}

impl<'a> Found<'a> {
    fn of(sites: &'a [SiteRow]) -> Found<'a> {
        let drifted = |row: &SiteRow| !rows::by_hand(row).is_empty();
        let of = |takes: &dyn Fn(&SiteRow) -> bool| sites.iter().filter(|row| takes(row)).collect();
        Found {
            broken: of(&|row| !row.is_ok()),
            drifted: of(&|row| row.is_ok() && drifted(row)),
            to_apply: of(&|row| row.is_ok() && row.state == State::Pending && !drifted(row)),
        }
    }
}

fn show(
    context: &Context,
    fleet: &str,
    hosts: &[HostTold],
    sites: usize,
    found: &Found,
) -> Result<(), Failure> {
    let out = &context.out;
    let reached = hosts.iter().filter(|h| h.reachable).count();
    let mut line = format!(
        "{fleet}: {reached} of {} ready, {} of {} as they should be",
        count(hosts.len(), "host"),
        sites - found.broken.len(),
        count(sites, "site"),
    );
    if !found.drifted.is_empty() {
        line.push_str(&format!(", {} drifted", found.drifted.len()));
    }
    if !found.to_apply.is_empty() {
        line.push_str(&format!(", {} to apply", found.to_apply.len()));
    }
    out.line(&Style::Strong.paint(&text::line(&line), out.colour))?;
    out.line("")?;
    out.table(&hosts::table(hosts))?;
    for host in hosts {
        for told in &host.told {
            let mark = Style::Warn.paint("▲", out.colour);
            out.line(&format!("{mark} {}: {}", host.name, text::line(told)))?;
        }
    }
    let worth = [&found.broken, &found.drifted, &found.to_apply];
    let worth: Vec<&SiteRow> = worth.into_iter().flatten().copied().collect();
    if !worth.is_empty() {
        out.line("")?;
        let mut table = Table::new(&["SITE", "HOST", "STATE", "WHY"]);
        for row in worth {
            table.row(vec![
                row.name.as_str().into(),
                row.host.as_str().into(),
                sites::state(row),
                sites::why(row).into(),
            ]);
        }
        out.table(&table)?;
    }
    Ok(())
}

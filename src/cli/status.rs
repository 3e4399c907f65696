//! `ostler status`: the fleet on one screen.

mod engine;

use serde::Serialize;

use super::args::EngineArg;
use super::context::{Context, Look};
use super::out::Style;
use super::rows::{self, HostRow, SiteRow};
use super::table::Table;
use super::text::{self, count};
use super::{Exit, Failure, hosts, sites};
use crate::observe::scan::Inspect;

#[derive(Serialize)]
struct Status<'a> {
    fleet: &'a str,
    hosts: &'a [HostRow],
    sites: usize,
    ok: usize,
    broken: Vec<&'a SiteRow>,
    drifted: Vec<&'a SiteRow>,
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
    let status = Status {
        fleet: file.fleet.name.as_str(),
        hosts: &hosts,
        sites: sites.len(),
        ok: sites.iter().filter(|s| s.ok).count(),
        broken: sites.iter().filter(|s| !s.ok).collect(),
        drifted: sites
            .iter()
            .filter(|s| s.ok && !s.drift.is_empty())
            .collect(),
    };
    match json {
        true => context.out.json(&status)?,
        false => show(context, &status)?,
    }
    Ok(Exit::Done)
}

fn show(context: &Context, status: &Status) -> Result<(), Failure> {
    let out = &context.out;
    let reached = status.hosts.iter().filter(|h| h.reachable).count();
    let mut line = format!(
        "{}: {reached} of {} ready, {} of {} as they should be",
        status.fleet,
        count(status.hosts.len(), "host"),
        status.ok,
        count(status.sites, "site"),
    );
    if !status.drifted.is_empty() {
        line.push_str(&format!(", {} drifted", status.drifted.len()));
    }
    out.line(&Style::Strong.paint(&text::line(&line), out.colour))?;
    out.line("")?;
    out.table(&hosts::table(status.hosts))?;
    for host in status.hosts {
        for told in &host.told {
            let mark = Style::Warn.paint("▲", out.colour);
            out.line(&format!("{mark} {}: {}", host.name, text::line(told)))?;
        }
    }
    let worth: Vec<&&SiteRow> = status.broken.iter().chain(&status.drifted).collect();
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

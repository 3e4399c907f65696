//! `ostler status`: the fleet on one screen.

mod engine;

use std::collections::BTreeMap;

use serde::Serialize;

use super::args::EngineArg;
use super::context::Context;
use super::hosts::measured::{Measured, measure};
use super::rows::{self, HostTold, SiteTold};
use super::style::Style;
use super::table::Table;
use super::{Exit, Failure, hosts, sites};
use crate::fleet::Name;
use crate::observe::scan::Inspect;
use crate::record::Scarce;
use crate::text::{self, count};
use crate::verdict::{SiteRow, State};
use crate::walk::look::Closely;

#[derive(Serialize)]
struct Status<'a> {
    fleet: &'a str,
    hosts: Vec<hosts::Told<'a>>,
    sites: usize,
    ok: usize,
    broken: Vec<SiteTold>,
    drifted: Vec<SiteTold>,
    to_apply: Vec<SiteTold>,
    /// Sites that run an older image than their tag stands for.
    to_update: Vec<String>,
}

/// Says how the fleet is: which hosts answer, which sites are not as they should be, and why.
pub async fn run(context: &Context, named: &EngineArg, json: bool) -> Result<Exit, Failure> {
    if named.address.is_some() {
        return engine::run(context, named, json).await;
    }
    named.only_fleet()?;
    let file = context.load()?;
    let seen = context
        .look(&file, &context.select()?, Closely::at(&Inspect::Ours))
        .await?;
    let hosts = rows::hosts(&file.fleet, &seen.observed, |h| seen.hosts.contains(h));
    let measured = measure(context.mode, &file.fleet, &seen).await;
    let sites = rows::sites(&file.fleet, &seen.observed, |s| seen.takes(s));
    let all = sites.len();
    let older = sites.iter().filter(|row| row.newer_image);
    let older: Vec<String> = older.map(|row| row.name.clone()).collect();
    type Rows = Vec<SiteRow>;
    let (ok, broken): (Rows, Rows) = sites.into_iter().partition(SiteRow::is_ok);
    let drifted = |row: &SiteRow| !rows::by_hand(row).is_empty();
    let (drifted, mut to_apply): (Rows, Rows) = ok.into_iter().partition(drifted);
    to_apply.retain(|row| row.state == State::Pending);
    let found = [broken, drifted, to_apply];
    let fleet = file.fleet.name.as_str();
    if !json {
        show(context, fleet, (&hosts, &measured), all, &found)?;
        if !older.is_empty() {
            let out = &context.out;
            let mark = Style::Warn.paint("▲", out.colour);
            let (sites, runs) = match &older[..] {
                [one] => (one.clone(), "runs"),
                many => (count(many.len(), "site"), "run"),
            };
            let what = "an older image than its tag stands for: `ostler update`";
            out.line(&format!("{mark} {} {runs} {what}", text::line(&sites)))?;
        }
        return Ok(Exit::Done);
    }
    let ok = all - found[0].len();
    let [broken, drifted, to_apply] =
        found.map(|rows| rows.into_iter().map(SiteTold::of).collect());
    context.out.json(&Status {
        fleet,
        hosts: hosts::told(&hosts, &measured),
        sites: all,
        ok,
        broken,
        drifted,
        to_apply,
        to_update: older,
    })?;
    Ok(Exit::Done)
}

fn show(
    context: &Context,
    fleet: &str,
    (hosts, measured): (&[HostTold], &BTreeMap<Name, Measured>),
    sites: usize,
    found: &[Vec<SiteRow>; 3],
) -> Result<(), Failure> {
    let [broken, drifted, to_apply] = found;
    let out = &context.out;
    let reached = hosts.iter().filter(|h| h.reachable).count();
    let mut line = format!(
        "{fleet}: {reached} of {} ready, {} of {} as they should be",
        count(hosts.len(), "host"),
        sites - broken.len(),
        count(sites, "site"),
    );
    for (rows, word) in [(drifted, "drifted"), (to_apply, "to apply")] {
        if !rows.is_empty() {
            line.push_str(&format!(", {} {word}", rows.len()));
        }
    }
    out.line(&Style::Strong.paint(&text::line(&line), out.colour))?;
    out.line("")?;
    out.table(&hosts::table(hosts))?;
    for host in hosts {
        for told in &host.told {
            let mark = Style::Warn.paint("▲", out.colour);
            out.line(&format!("{mark} {}: {}", host.name, text::line(told)))?;
        }
        let scarce = measured.get(&host.name).map(Measured::scarce);
        let scarce = scarce.unwrap_or_default();
        if let Some(worst) = scarce.first() {
            let mark = match worst.is_out() {
                true => Style::Bad.paint("✖", out.colour),
                false => Style::Warn.paint("▲", out.colour),
            };
            let words = Scarce::words(&scarce);
            out.line(&format!("{mark} {}: {words}", host.name))?;
        }
    }
    let worth: Vec<&SiteRow> = found.iter().flatten().collect();
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

//! `ostler hosts`

use super::args::EngineArg;
use super::context::{Context, Look};
use super::out::Style;
use super::rows::{self, HostRow};
use super::table::{Cell, Table};
use super::{Exit, Failure};
use crate::observe::scan::Inspect;

/// Lists the hosts and what their engines say of themselves.
pub async fn run(context: &Context, engine: &EngineArg, json: bool) -> Result<Exit, Failure> {
    let file = match &engine.address {
        Some(address) => context.lone(address)?,
        None => context.load()?,
    };
    let seen = context
        .look(&file, &context.select()?, Look::at(&Inspect::Needed))
        .await?;
    let rows = rows::hosts(&file.fleet, &seen.observed, |host| {
        seen.hosts.contains(host)
    });
    match json {
        true => context.out.json(&rows)?,
        false => context.out.table(&table(&rows))?,
    }
    Ok(Exit::Done)
}

/// The hosts as a table.
pub fn table(rows: &[HostRow]) -> Table {
    let mut table = Table::new(&[
        "HOST", "STATE", "DOCKER", "API", "CPUS", "MEMORY", "SITES", "OURS", "FOREIGN", "ROUTER",
        "ENGINE", "WHY",
    ]);
    for row in rows {
        let text = |it: Option<String>| Cell::from(it.unwrap_or_default());
        let state = match row.reachable {
            true => Cell::styled("● ready", Style::Good),
            false => Cell::styled("✖ unreachable", Style::Bad),
        };
        let count = |n: usize| {
            if row.reachable {
                n.to_string()
            } else {
                String::new()
            }
        };
        table.row(vec![
            row.name.as_str().into(),
            state,
            text(row.version.clone()),
            text(row.api.clone()),
            text(row.cpus.map(|n| n.to_string())),
            text(
                row.memory
                    .map(|n| format!("{:.1}G", n as f64 / (1u64 << 30) as f64)),
            ),
            row.sites.to_string().into(),
            count(row.containers).into(),
            count(row.foreign).into(),
            text(row.router.clone()),
            row.engine.clone().into(),
            text(row.why.clone()),
        ]);
    }
    table
}

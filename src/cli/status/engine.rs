//! `ostler status --host ADDRESS`: any engine on one screen, without a fleet file.

use serde::Serialize;

use super::super::args::EngineArg;
use super::super::context::Context;
use super::super::rows::{self, HostTold};
use super::super::table::{Cell, Table};
use super::super::{Exit, Failure};
use super::super::{hosts, sites};
use crate::observe::look::look;
use crate::observe::model::{ObservedContainer, RunState};
use crate::observe::scan::Inspect;
use crate::verdict::{State, foreign};
use crate::walk::look::Closely;

#[derive(Serialize)]
struct Engine {
    #[serde(flatten)]
    host: HostTold,
    all: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    project: Option<String>,
    name: String,
    id: String,
    state: RunState,
    verdict: State,
    status: String,
    image: String,
    domains: Vec<String>,
    ports: Vec<u16>,
    restarts: Option<u64>,
    oom_killed: Option<bool>,
    exit_code: Option<i64>,
}

/// Lists every container, grouped by project, with the domains it says it serves.
pub async fn run(context: &Context, named: &EngineArg, json: bool) -> Result<Exit, Failure> {
    let file = context.lone(named)?;
    let selection = context.select()?;
    let first = context
        .look(&file, &selection, Closely::at(&Inspect::Needed))
        .await?;
    let ids = containers(&first.observed).map(|c| c.id.clone()).collect();
    // Domains of nginx-proxy are in the environment, which only an inspect tells.
    let every = Inspect::And(ids);
    let seen = context.look(&file, &selection, Closely::at(&every)).await?;
    let mut rows: Vec<Row> = containers(&seen.observed).map(row).collect();
    rows.sort_by(|a, b| (&a.project, &a.name).cmp(&(&b.project, &b.name)));
    let host = rows::hosts(&file.fleet, &seen.observed, |_| true).pop();
    let host = host.ok_or_else(|| Failure::new("no engine"))?;
    if !host.reachable {
        let why = host.why.unwrap_or_default();
        return Err(Failure::new(why).help("`ostler doctor` with the same --host says more"));
    }
    if json {
        context.out.json(&Engine { host, all: rows })?;
        return Ok(Exit::Done);
    }
    context.out.table(&hosts::table(&[host]))?;
    context.out.line("")?;
    context.out.table(&table(&rows))?;
    Ok(Exit::Done)
}

fn containers(
    observed: &crate::observe::model::Observed,
) -> impl Iterator<Item = &ObservedContainer> {
    let hosts = observed.hosts.values().filter_map(|h| h.reached());
    hosts.flat_map(|host| &host.containers)
}

fn row(container: &ObservedContainer) -> Row {
    let look = look(container);
    let facts = container.inspected.as_ref();
    let mut ports: Vec<u16> = container.published.iter().map(|(port, _)| *port).collect();
    ports.sort_unstable();
    ports.dedup();
    Row {
        project: look.project,
        name: container.name.clone(),
        id: container.id.clone(),
        state: container.run,
        verdict: foreign::judge(container, None, None).0,
        status: container.status.clone(),
        image: container.image.clone(),
        domains: look.domains,
        ports,
        restarts: facts.map(|f| f.restarts),
        oom_killed: facts.map(|f| f.oom_killed),
        exit_code: facts.and_then(|f| f.exit_code),
    }
}

fn table(rows: &[Row]) -> Table {
    let mut table = Table::new(&[
        "PROJECT",
        "CONTAINER",
        "STATUS",
        "RESTARTS",
        "IMAGE",
        "PORTS",
        "DOMAINS",
    ]);
    for row in rows {
        let mark = row.verdict.mark();
        let oom = if row.oom_killed == Some(true) {
            ", out of memory"
        } else {
            ""
        };
        let restarts = row.restarts.filter(|n| *n > 0).map(|n| n.to_string());
        let ports: Vec<String> = row.ports.iter().map(ToString::to_string).collect();
        table.row(vec![
            row.project.clone().unwrap_or_default().into(),
            row.name.clone().into(),
            Cell::styled(
                format!("{mark} {}{oom}", row.status),
                sites::style(row.verdict),
            ),
            restarts.unwrap_or_default().into(),
            row.image.clone().into(),
            ports.join(" ").into(),
            sites::shown(&row.domains).into(),
        ]);
    }
    table
}

//! `ostler status --host ADDRESS`: any engine on one screen, without a fleet file.

use serde::Serialize;

use super::super::args::EngineArg;
use super::super::context::Context;
use super::super::rows::{self, HostTold};
use super::super::table::{Cell, Table};
use super::super::{Exit, Failure};
use super::super::{hosts, sites};
use super::{Answer, exit, first_line};
use crate::observe::look::look;
use crate::observe::model::{ObservedContainer, RunState};
use crate::observe::scan::Inspect;
use crate::verdict::whole::Count;
use crate::verdict::{Finding, State, Whole, foreign};
use crate::walk::look::Closely;

#[derive(Serialize)]
struct Engine<'a> {
    #[serde(flatten)]
    host: &'a HostTold,
    #[serde(flatten)]
    answer: Answer<'a>,
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
    let whole = judge(&host, &rows);
    if json {
        let answer = Answer::of(&whole, host.name.as_str());
        let all = rows;
        context.out.json(&Engine {
            host: &host,
            answer,
            all,
        })?;
        return Ok(exit(&whole));
    }
    first_line(context, &whole, host.name.as_str())?;
    context.out.line("")?;
    context
        .out
        .table(&hosts::table(std::slice::from_ref(&host)))?;
    if !host.reachable {
        context
            .out
            .say("`ostler doctor` with the same --host says more");
    }
    if !rows.is_empty() {
        context.out.line("")?;
        context.out.table(&table(&rows))?;
    }
    Ok(exit(&whole))
}

/// The containers that are not well; of an engine that was not reached, that nothing is known.
fn judge(host: &HostTold, rows: &[Row]) -> Whole {
    let lost = host.why.iter();
    let mut found: Vec<Finding> = lost
        .map(|why| Finding::of_host(&host.name, State::Lost, why))
        .collect();
    let ill = rows.iter().filter(|row| !row.verdict.is_well());
    found.extend(ill.map(|row| {
        let (host, status) = (host.name.as_str(), &row.status);
        Finding::of_site(host, &row.name, row.verdict, status)
    }));
    let (noun, all) = ("container", rows.len());
    let well = rows.iter().filter(|row| row.verdict.is_well()).count();
    Whole::of(None, Count { noun, all, well }, found)
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

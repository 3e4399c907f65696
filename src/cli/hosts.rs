//! `ostler hosts`

use std::collections::BTreeMap;

use serde::Serialize;

use super::args::EngineArg;
use super::context::Context;
use super::rows::{self, HostTold};
use super::style::Style;
use super::table::{Cell, Table};
use super::{Exit, Failure, sites};
use crate::fleet::Name;
use crate::observe::scan::Inspect;
use crate::record::Scarce;
use crate::text;
use crate::verdict::whole::SOON;
use crate::walk::look::Closely;

pub mod measured;

use measured::Measured;

/// Lists the hosts and what their engines say of themselves.
pub async fn run(context: &Context, engine: &EngineArg, json: bool) -> Result<Exit, Failure> {
    let file = match engine.address {
        Some(_) => context.lone(engine)?,
        None => {
            engine.only_fleet()?;
            context.load()?
        }
    };
    let seen = context
        .look(&file, &context.select()?, Closely::at(&Inspect::Needed))
        .await?;
    let rows = rows::hosts(&file.fleet, &seen.observed, |host| {
        seen.hosts.contains(host)
    });
    let measured = measured::measure(context.mode, &file.fleet, &seen).await;
    match json {
        true => context.out.json(&told(&rows, &measured))?,
        false => context.out.table(&table_with(&rows, &measured))?,
    }
    Ok(Exit::looked(&seen))
}

/// A host as `--json` tells it.
#[derive(Serialize)]
pub struct Told<'a> {
    #[serde(flatten)]
    row: &'a HostTold,
    #[serde(flatten)]
    measured: Measured,
}

/// The hosts with what was measured on them.
pub fn told<'a>(rows: &'a [HostTold], measured: &BTreeMap<Name, Measured>) -> Vec<Told<'a>> {
    let one = |row: &'a HostTold| Told {
        row,
        measured: measured.get(&row.name).cloned().unwrap_or_default(),
    };
    rows.iter().map(one).collect()
}

/// The hosts as a table.
pub fn table(rows: &[HostTold]) -> Table {
    table_with(rows, &BTreeMap::new())
}

/// The hosts with what their machines have left.
fn table_with(rows: &[HostTold], measured: &BTreeMap<Name, Measured>) -> Table {
    let mut heading = vec![
        "HOST", "STATE", "DOCKER", "API", "CPUS", "MEMORY", "SITES", "OURS", "FOREIGN", "ROUTER",
        "ENGINE", "WHY",
    ];
    // Most fleets have no host behind TLS.
    let encrypted = rows.iter().any(|row| until(row).is_some());
    if encrypted {
        heading.insert(CERTIFICATE, "CERTIFICATE");
    }
    if !measured.is_empty() {
        heading.splice(MEASURED..MEASURED, measured::HEADING);
    }
    let now = chrono::Utc::now().timestamp();
    let mut table = Table::new(&heading);
    for row in rows {
        let told = |it: Option<String>| Cell::from(it.unwrap_or_default());
        let state = row.link.state();
        let state = Cell::styled(
            format!("{} {}", state.mark(), row.link.word()),
            sites::style(state),
        );
        let count = |n: usize| {
            if row.reachable {
                n.to_string()
            } else {
                String::new()
            }
        };
        let mut cells = vec![
            row.name.as_str().into(),
            state,
            told(row.version.clone()),
            told(row.api.clone()),
            told(row.cpus.map(|n| n.to_string())),
            told(row.memory.map(text::size)),
            row.sites.to_string().into(),
            count(row.containers).into(),
            count(row.foreign).into(),
            told(row.router.clone()),
            row.engine.clone().into(),
            match measured.get(&row.name).map(Measured::scarce) {
                Some(scarce) if row.why.is_none() && !scarce.is_empty() => {
                    Cell::styled(Scarce::words(&scarce), Style::Warn)
                }
                _ => told(row.why.clone().or_else(|| row.trouble.clone())),
            },
        ];
        if encrypted {
            cells.insert(CERTIFICATE, certificate(row, now));
        }
        if !measured.is_empty() {
            let unknown = Measured::default();
            let numbers = measured.get(&row.name).unwrap_or(&unknown);
            let numbers = numbers.cells(row.cpus.unwrap_or_default());
            cells.splice(MEASURED..MEASURED, numbers);
        }
        table.row(cells);
    }
    table
}

/// Where the machine's numbers stand among the columns.
const MEASURED: usize = 6;
/// Where the certificates stand among the columns.
const CERTIFICATE: usize = 10;

/// The certificate that ends first: whose, and when.
fn until(row: &HostTold) -> Option<(i64, &'static str)> {
    let ours = row.client_certificate_until.map(|until| (until, "ours"));
    let theirs = row
        .server_certificate_until
        .map(|until| (until, "the host's"));
    ours.into_iter().chain(theirs).min()
}

fn certificate(row: &HostTold, now: i64) -> Cell {
    let Some((until, whose)) = until(row) else {
        return Cell::from("");
    };
    match (until - now).div_euclid(86_400) {
        ..0 => Cell::styled(format!("✖ {whose} expired"), Style::Bad),
        days if until - now < SOON => Cell::styled(
            format!("▲ {whose} ends in {}", text::count(days as usize, "day")),
            Style::Warn,
        ),
        days => Cell::from(format!("{days} days")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Link;

    fn row(client: Option<i64>, server: Option<i64>) -> HostTold {
        HostTold {
            name: "web2".parse().unwrap(),
            engine: "tcp://10.8.0.2:2376".into(),
            reachable: true,
            link: Link::Ready,
            why: None,
            version: None,
            api: None,
            os: None,
            cpus: None,
            memory: None,
            sites: 0,
            containers: 0,
            foreign: 0,
            router: None,
            client_certificate_until: client,
            server_certificate_until: server,
            lock: None,
            unfinished: Vec::new(),
            trouble: None,
            told: Vec::new(),
        }
    }

    #[test]
    fn the_certificate_that_ends_first_is_shown_where_there_is_any() {
        let now = chrono::Utc::now().timestamp() + 60;
        let day = 86_400;
        let shown =
            |client, server| table(&[row(Some(now + client), Some(now + server))]).render(false);
        assert!(
            !table(&[row(None, None)])
                .render(false)
                .contains("CERTIFICATE")
        );
        assert!(shown(90 * day, 40 * day).contains("40 days"));
        assert!(shown(3 * day, 40 * day).contains("▲ ours ends in 3 days"));
        assert!(shown(90 * day, day).contains("▲ the host's ends in 1 day"));
        assert!(shown(90 * day, -day).contains("✖ the host's expired"));
    }
}

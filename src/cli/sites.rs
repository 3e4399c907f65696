//! `ostler sites`

use super::asked::asked;
use super::context::Context;
use super::rows::{self, SiteTold};
use super::style::Style;
use super::table::{Cell, Table};
use super::{Exit, Failure};
use crate::fleet::{Name, shown_domain, value};
use crate::observe::scan::Inspect;
use crate::verdict::{SiteRow, State};
use crate::walk::look::Closely;

/// Lists the sites: what should be and what is.
pub async fn run(context: &Context, json: bool) -> Result<Exit, Failure> {
    let file = context.load()?;
    let seen = context
        .look(&file, &context.select()?, Closely::at(&Inspect::Ours))
        .await?;
    let probes = asked(&file.fleet, &seen).await;
    let taken = |site: &Name| seen.takes(site);
    let rows = rows::judged(&file.fleet, &seen.observed, None, &probes, taken);
    if json {
        let told: Vec<SiteTold> = rows.into_iter().map(SiteTold::of).collect();
        context.out.json(&told)?;
    } else if rows.is_empty() {
        context.out.say("no sites");
    } else {
        context.out.table(&table(&rows))?;
    }
    Ok(Exit::looked(&seen))
}

fn table(rows: &[SiteRow]) -> Table {
    let mut table = Table::new(&[
        "SITE", "ACCOUNT", "HOST", "RECIPE", "STATE", "MEMORY", "ADDRESS", "DOMAINS", "WHY",
    ]);
    for row in rows {
        table.row(vec![
            row.name.as_str().into(),
            row.account.as_str().into(),
            row.host.as_str().into(),
            row.recipe.as_str().into(),
            state(row),
            row.memory_limit
                .map_or_else(String::new, value::format_size)
                .into(),
            row.address.as_str().into(),
            shown(&row.domains).into(),
            why(row).into(),
        ]);
    }
    table
}

/// Domains as people write them.
pub fn shown(domains: &[String]) -> String {
    let shown: Vec<_> = domains.iter().map(|d| shown_domain(d)).collect();
    shown.join(" ")
}

/// The verdict with its mark: nothing is said by colour alone.
pub fn state(row: &SiteRow) -> Cell {
    let state = row.state;
    let style = match state {
        State::Leftover if !row.as_wanted => Style::Warn,
        state => style(state),
    };
    Cell::styled(format!("{} {}", state.mark(), state.word()), style)
}

/// How a state is shown.
pub fn style(state: State) -> Style {
    match state {
        State::Lost | State::Failing | State::Restarting => Style::Bad,
        State::Ok | State::Running => Style::Good,
        State::Stopped | State::Archived | State::Leftover => Style::Dim,
        _ => Style::Warn,
    }
}

/// Reasons and drift in one line.
pub fn why(row: &SiteRow) -> String {
    let drift = match row.state {
        State::Drift => Vec::new(),
        _ => rows::by_hand(row),
    };
    let why = Some(row.why.clone()).filter(|why| !why.is_empty());
    let reasons: Vec<String> = why.into_iter().chain(drift).collect();
    reasons.join("; ")
}

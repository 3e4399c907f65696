//! `ostler sites`

use super::context::{Context, Look};
use super::out::Style;
use super::rows::{self, SiteRow};
use super::table::{Cell, Table};
use super::{Exit, Failure};
use crate::fleet::value;
use crate::observe::scan::Inspect;

/// Lists the sites: what should be and what is.
pub async fn run(context: &Context, json: bool) -> Result<Exit, Failure> {
    let file = context.load()?;
    let seen = context
        .look(&file, &context.select()?, Look::at(&Inspect::Ours))
        .await?;
    let rows = rows::sites(&file.fleet, &seen.observed, |site| seen.takes(site));
    if json {
        context.out.json(&rows)?;
        return Ok(Exit::Done);
    }
    if rows.is_empty() {
        context.out.say("no sites");
        return Ok(Exit::Done);
    }
    context.out.table(&table(&rows))?;
    Ok(Exit::Done)
}

fn table(rows: &[SiteRow]) -> Table {
    let mut table = Table::new(&[
        "SITE", "ACCOUNT", "HOST", "RECIPE", "STATE", "MEMORY", "ADDRESS", "DOMAINS", "WHY",
    ]);
    for row in rows {
        let text = |it: Option<String>| Cell::from(it.unwrap_or_default());
        let domains: Vec<&str> = row.domains.iter().map(|d| d.as_str()).collect();
        table.row(vec![
            row.name.as_str().into(),
            text(row.account.as_ref().map(ToString::to_string)),
            row.host.as_str().into(),
            row.recipe.unwrap_or_default().into(),
            state(row),
            text(row.memory_limit.map(value::format_size)),
            text(row.address.map(|a| a.to_string())),
            domains.join(" ").into(),
            why(row).into(),
        ]);
    }
    table
}

/// The state with its mark: nothing is said by colour alone.
pub fn state(row: &SiteRow) -> Cell {
    let (mark, style) = mark(row);
    Cell::styled(format!("{mark} {}", row.state), style)
}

/// How a site does, in one character.
pub fn mark(row: &SiteRow) -> (&'static str, Style) {
    match row.state {
        "unreachable" => ("?", Style::Warn),
        "leftover" if row.ok => ("·", Style::Dim),
        "leftover" => ("▲", Style::Warn),
        _ if row.ok && !row.drift.is_empty() => ("◐", Style::Warn),
        "running" | "routed" if row.ok => ("●", Style::Good),
        _ if row.ok => ("○", Style::Dim),
        "missing" | "created" => ("▲", Style::Warn),
        _ => ("✖", Style::Bad),
    }
}

/// Reasons and drift in one line.
pub fn why(row: &SiteRow) -> String {
    let reasons = row.why.iter().chain(&row.drift);
    let reasons: Vec<&str> = reasons.map(String::as_str).collect();
    reasons.join("; ")
}

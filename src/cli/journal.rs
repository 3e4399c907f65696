//! `ostler journal`: what was applied, from the operator's own journals and the hosts'.

use std::collections::BTreeMap;

use serde::Serialize;

use super::args::JournalArgs;
use super::context::Context;

use super::style::Style;
use super::table::{Cell, Table};
use super::{Exit, Failure};
use crate::fleet::{Name, Selection};
use crate::text;
use crate::walk::history::{Past, State};
use crate::walk::past::{self, Told};
use crate::walk::{FleetFile, Outset};

/// How many applies are listed for people.
const LISTED: usize = 30;
/// The answer for programs. Fields are only ever added.
#[derive(Serialize)]
struct Journal<'a> {
    fleet: &'a str,
    /// Newest first.
    applies: &'a [Past],
    /// Hosts whose journals could not be read, and why: what only they know is missing.
    unanswered: &'a BTreeMap<Name, String>,
}

/// Lists applies, or tells one of them.
pub async fn run(context: &Context, args: &JournalArgs) -> Result<Exit, Failure> {
    let file = context.load()?;
    let selection = context.select()?;
    let read = read(context, &file, &selection).await?;
    let mut applies = read.applies;
    if let Some(wanted) = &args.run {
        applies.retain(|past| past.run.starts_with(wanted.as_str()));
        return match &applies[..] {
            [one] => tell(context, &file, one, &read.unanswered, args.json.json),
            [] => Err(
                Failure::new(format!("no journal tells of an apply {wanted}"))
                    .help("`ostler journal` lists them"),
            ),
            many => {
                let names: Vec<&str> = many.iter().map(|past| past.run.as_str()).collect();
                Err(Failure::new(format!(
                    "{wanted} is the beginning of several: {}",
                    names.join(", ")
                )))
            }
        };
    }
    if let Some(since) = args.since {
        let since = since.at(chrono::Utc::now().timestamp());
        applies.retain(|past| begun(past).is_none_or(|at| at >= since));
    }
    let found = applies.len();
    let shown = match args.json.json {
        true => args.number.unwrap_or(usize::MAX),
        false => args.number.unwrap_or(LISTED),
    };
    applies.truncate(shown);
    if args.json.json {
        for past in &mut applies {
            past.operations.clear();
        }
        context.out.json(&Journal {
            fleet: file.fleet.name.as_str(),
            applies: &applies,
            unanswered: &read.unanswered,
        })?;
        return Ok(exit(&read.unanswered));
    }
    if applies.is_empty() {
        context.out.say("nothing was applied, as far as is known");
    } else {
        context.out.table(&table(&applies))?;
    }
    if found > applies.len() {
        let older = found - applies.len();
        context.out.say(&format!("{older} older; -n shows more"));
    }
    say_unanswered(context, &read.unanswered);
    Ok(exit(&read.unanswered))
}

/// Reads the operator's own journals and those of all hosts; leaves out what is not selected.
async fn read(context: &Context, file: &FleetFile, selection: &Selection) -> Result<Told, Failure> {
    let fleet = &file.fleet;
    let Outset { state, reach, .. } = context.outset(file);
    let mut told = past::read(fleet, state.as_deref(), &reach).await;
    if let Some(why) = &told.own {
        return Err(Failure::new(format!(
            "cannot read your own journals: {why}"
        )));
    }
    if !selection.is_all() {
        let past: Vec<&str> = told
            .applies
            .iter()
            .flat_map(|past| past.sites.iter().map(|site| site.as_str()))
            .collect();
        let known = selection.check(fleet, &past);
        known.map_err(|unknown| Failure::of(&unknown))?;
        told.applies.retain(|past| {
            past.operations.iter().any(|operation| {
                let named = &operation.named;
                let site = named.site.as_ref().map_or("", |site| site.as_str());
                let account = fleet.sites.get(site).and_then(|s| s.account.as_ref());
                let account = account.map(|account| account.as_str());
                selection.matches_names(site, named.host.as_str(), account)
            })
        });
    }
    Ok(told)
}

fn say_unanswered(context: &Context, unanswered: &BTreeMap<Name, String>) {
    for (host, why) in unanswered {
        context.out.warn(&format!(
            "{host} does not answer, what only it knows is missing: {why}"
        ));
    }
}

/// 3 where what only a host knows is missing.
fn exit(unanswered: &BTreeMap<Name, String>) -> Exit {
    match unanswered.is_empty() {
        true => Exit::Done,
        false => Exit::Partial,
    }
}

fn begun(past: &Past) -> Option<i64> {
    let at = chrono::DateTime::parse_from_rfc3339(&past.at).ok()?;
    Some(at.timestamp())
}

/// `2026-11-21 22:00:00`, from RFC 3339 in UTC.
fn moment(at: &str) -> String {
    at.trim_end_matches('Z').replace('T', " ")
}

fn took(past: &Past) -> String {
    past.took_ms.map(text::took_in_words).unwrap_or_default()
}

fn state(past: &Past) -> Cell {
    let (mark, style) = match past.state {
        State::Done => ("✔", Style::Good),
        State::Running => ("◔", Style::Strong),
        State::Finished | State::Undone => ("✔", Style::Dim),
        State::Cancelled => ("–", Style::Warn),
        State::Partial | State::Failed | State::Unfinished => ("✖", Style::Bad),
    };
    Cell::styled(format!("{mark} {}", past.state.word()), style)
}

/// The fleet file's commit, or its hash where it was not committed.
fn version(past: &Past) -> String {
    match &past.commit {
        Some(commit) => format!("commit {}", commit.get(..10).unwrap_or(commit)),
        None => past.fleet_hash.get(..10).unwrap_or(&past.fleet_hash).into(),
    }
}

fn table(applies: &[Past]) -> Table {
    let mut table = Table::new(&[
        "WHEN (UTC)",
        "APPLY",
        "WHO",
        "WHAT",
        "HOSTS",
        "DONE",
        "TOOK",
        "OUTCOME",
        "FILE",
        "WHY",
    ]);
    for past in applies {
        let hosts: Vec<&str> = past.hosts.iter().map(Name::as_str).collect();
        let why = past.failed.first().map(|failed| failed.why.clone());
        table.row(vec![
            moment(&past.at).into(),
            past.run.as_str().into(),
            format!("{} at {}", past.who, past.whence).into(),
            past.what.as_str().into(),
            hosts.join(",").into(),
            format!("{}/{}", past.done, past.all).into(),
            took(past).into(),
            state(past),
            version(past).into(),
            why.unwrap_or_default().into(),
        ]);
    }
    table
}

/// One apply in full.
fn tell(
    context: &Context,
    file: &FleetFile,
    past: &Past,
    unanswered: &BTreeMap<Name, String>,
    json: bool,
) -> Result<Exit, Failure> {
    if json {
        context.out.json(&Journal {
            fleet: file.fleet.name.as_str(),
            applies: std::slice::from_ref(past),
            unanswered,
        })?;
        return Ok(exit(unanswered));
    }
    let colour = context.out.colour;
    let mut head = Table::new(&["APPLY", past.run.as_str()]);
    let mut row = |what: &str, value: Cell| head.row(vec![what.into(), value]);
    row("by", format!("{} at {}", past.who, past.whence).into());
    row("began", format!("{} UTC", moment(&past.at)).into());
    match &past.ended_at {
        Some(at) => {
            let took = took(past);
            row("ended", format!("{} UTC, took {took}", moment(at)).into());
        }
        None => row("ended", "not".into()),
    }
    row("outcome", state(past));
    if let Some(by) = &past.settled_by {
        row("dealt with by", by.as_str().into());
    }
    let commit = past.commit.as_deref().unwrap_or("not committed");
    let file = format!("{} ({commit})", past.fleet_hash);
    row("fleet file", file.into());
    let kinds: Vec<String> = past.kinds.iter().map(|(k, n)| format!("{n} {k}")).collect();
    row("what", past.what.as_str().into());
    row("did", past.counts().into());
    row("planned", kinds.join(", ").into());
    let mut shown = head.render(colour);
    shown.push('\n');
    for failed in past.failed.iter().filter(|f| f.operation.is_none()) {
        let mark = Style::Bad.paint("✖", colour);
        let why = text::line(&failed.why);
        shown.push_str(&format!("{mark} {}: {why}\n", failed.host));
    }
    let mut place = None;
    for operation in &past.operations {
        let named = &operation.named;
        let here = (&named.host, named.site.as_ref());
        if place.replace(here) != Some(here) {
            let at = super::planned::place(&named.host, named.site.as_ref());
            shown.push_str(&Style::Strong.paint(&at, colour));
            shown.push('\n');
        }
        let (mark, style) = match operation.outcome {
            "done" => ("✔", Style::Good),
            "failed" => ("✖", Style::Bad),
            "undone" => ("↶", Style::Warn),
            "skipped" => ("–", Style::Dim),
            _ => ("?", Style::Warn),
        };
        let took = match operation.took_ms {
            0 => String::new(),
            ms => format!("  {}", text::took_in_words(ms)),
        };
        let outcome = match operation.outcome {
            "done" => String::new(),
            "unknown" => "  how it ended is not known".into(),
            other => format!("  {other}"),
        };
        shown.push_str(&format!(
            "  {} {}{took}{outcome}\n",
            style.paint(mark, colour),
            text::line(&named.kind),
        ));
        for line in named.cause.iter().chain(&operation.note) {
            shown.push_str(&format!("      {}\n", text::line(line)));
        }
    }
    context.out.text(&shown)?;
    say_unanswered(context, unanswered);
    Ok(exit(unanswered))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_durations_read_well() {
        assert_eq!(moment("2026-11-21T22:00:00Z"), "2026-11-21 22:00:00");
        for (ms, text) in [(340, "0.3 s"), (12_300, "12 s"), (200_000, "3 min 20 s")] {
            assert_eq!(text::took_in_words(ms), text);
        }
    }
}

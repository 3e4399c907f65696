//! `ostler undo`: takes back an apply that was cut off.

use std::sync::Arc;

use super::args::UndoArgs;
use super::confirm::{Ask, confirm};
use super::context::{Context, Look};
use super::text::count;
use super::walk::Planned;
use super::{Exit, Failure, apply, planned, progress};
use crate::fleet::{Name, Selection};
use crate::observe::scan::Inspect;
use crate::record::Applying;
use crate::record::text::printable;
use crate::walk::FleetFile;
use crate::walk::back::{self, CutOff, Search};

/// Shows the way back, asks, and goes it.
pub async fn run(context: &Context, args: &UndoArgs) -> Result<Exit, Failure> {
    context.may_change("undo")?;
    if !context.global.only.is_empty() {
        return Err(
            Failure::new("an apply is taken back as a whole: leave --only out")
                .help("`ostler apply --only …` brings some of its sites to what the file says"),
        );
    }
    let file = context.load()?;
    let all = Selection::default();
    let seen = context
        .look(&file, &all, Look::at(&Inspect::Needed))
        .await?;
    let (run, notes) = choose(context, &seen.observed, args.run.as_deref())?;
    let sources = file.secrets();
    let state = super::config::state_directory();
    let search = Search {
        path: &file.path,
        fleet: &file.fleet,
        observed: &seen.observed,
        clients: &seen.clients,
        secrets: &*sources,
        state: state.as_deref(),
    };
    let ways = search
        .ways(&run)
        .await
        .map_err(|error| Failure::of(&error).help(error.help()))?;
    let mut shown = format!("{}\n", title(&run, &notes));
    for way in &ways {
        let back = match way.source.as_str() {
            "" => "nothing was applied before it".to_owned(),
            _ => format!("back to the fleet file {}", way.plan.fleet_hash),
        };
        shown.push_str(&format!("{back}:\n\n"));
        shown.push_str(&planned::render(&way.plan, context.out.colour));
    }
    match args.json.json {
        true => context.out.say(&shown),
        false => context.out.text(&shown)?,
    }
    if ways.iter().all(|way| way.plan.operations.is_empty()) {
        return Ok(Exit::Error);
    }
    if !confirm(&context.out, "Take it back?", Ask::Yes, args.yes).await? {
        return Ok(Exit::Error);
    }
    let mut outcomes = Vec::new();
    let mut exits = Vec::new();
    for way in ways {
        let waits: Vec<&Exit> = way.after.iter().filter_map(|n| exits.get(*n)).collect();
        if waits.iter().any(|exit| **exit != Exit::Done) {
            let hosts: Vec<&str> = way.fleet.hosts.keys().map(Name::as_str).collect();
            context.out.warn(&format!(
                "{}: left as it is: what was moved there is not back where it was; `ostler undo` again goes on",
                hosts.join(", ")
            ));
            exits.push(Exit::Error);
            continue;
        }
        let before = FleetFile {
            path: file.path.clone(),
            source: way.source,
            fleet: Arc::new(way.fleet),
        };
        let made = Planned {
            seen: super::context::Seen {
                clients: seen.clients.clone(),
                ..Default::default()
            },
            plan: way.plan,
            uncommitted: None,
        };
        // It is not remembered as applied: the operator's own file need not descend from it.
        let outcome = apply::watch(context, &before, &made).await?;
        if !args.json.json {
            let told = progress::summary(&made.plan, &outcome, context.out.colour);
            context.out.text(&told)?;
        }
        exits.push(match (outcome.exit_code(), made.plan.problems.is_empty()) {
            (0, true) => Exit::Done,
            (1, _) => Exit::Error,
            _ => Exit::Partial,
        });
        outcomes.push(outcome);
    }
    if args.json.json {
        context.out.json(&outcomes)?;
    }
    let all = |wanted: Exit| exits.iter().all(|exit| *exit == wanted);
    Ok(match () {
        () if all(Exit::Done) => {
            context.out.say(
                "the fleet file was not touched: it still says what was to be applied, and `ostler apply` applies it",
            );
            Exit::Done
        }
        () if all(Exit::Error) => Exit::Error,
        () => Exit::Partial,
    })
}

/// The apply that is meant.
fn choose(
    context: &Context,
    observed: &crate::observe::model::Observed,
    wanted: Option<&str>,
) -> Result<(String, CutOff), Failure> {
    for (host, found) in &observed.hosts {
        if let crate::observe::model::HostObservation::Unreachable { why } = found {
            context.out.warn(&format!(
                "{host} does not answer; what was cut off there is not known: {why}"
            ));
        }
    }
    let mut found = back::cut_off(observed);
    if let Some(wanted) = wanted {
        found.retain(|run, _| run.starts_with(wanted));
    }
    let mut found: Vec<_> = found.into_iter().collect();
    match (found.len(), wanted) {
        (1, _) => Ok(found.remove(0)),
        (0, None) => Err(Failure::new("nothing is to be taken back: no apply was cut off")
            .help("`ostler journal` says what was applied; an earlier fleet file from git, applied, brings it back")),
        (0, Some(wanted)) => Err(Failure::new(format!("no apply {wanted} was cut off"))
            .help(format!("`ostler journal {wanted}` says how it ended"))),
        _ => {
            let list: Vec<String> = found.iter().map(|(run, notes)| title(run, notes)).collect();
            Err(Failure::new(format!("several were cut off:\n  {}", list.join("\n  ")))
                .help("name the one that is meant: `ostler undo RUN`"))
        }
    }
}

fn title(run: &str, notes: &CutOff) -> String {
    let (done, all) = notes.values().fold((0, 0), |(done, all), note: &Applying| {
        (done + note.ended, all + note.operations)
    });
    let hosts: Vec<&str> = notes.keys().map(|host| host.as_str()).collect();
    let first = notes.values().next();
    let (by, at) = first.map_or(Default::default(), |note| {
        let by = format!("{} at {}", printable(&note.who), printable(&note.whence));
        (by, printable(&note.at))
    });
    format!(
        "{} of {by}, begun {at} on {}: {done} of {} done",
        printable(run),
        hosts.join(", "),
        count(all, "operation")
    )
}

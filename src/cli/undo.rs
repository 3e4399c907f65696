//! `ostler undo`: takes back an apply that was cut off.

use super::args::UndoArgs;
use super::confirm::{Ask, confirm};
use super::context::Context;
use super::walk::{self, How};
use super::{Exit, Failure, planned};
use crate::fleet::Selection;
use crate::observe::model::{HostObservation, Observed};
use crate::observe::scan::Inspect;
use crate::record::Applying;
use crate::text::{count, printable};
use crate::walk::back::{self, CutOff};
use crate::walk::look::{Closely, Reach};
use crate::walk::{self as walking, Outset, Wish};

/// Shows the way back, asks, and goes it.
pub async fn run(context: &Context, args: &UndoArgs) -> Result<Exit, Failure> {
    let file = context.load()?;
    let all = Selection::default();
    let seen = context
        .look(&file, &all, Closely::at(&Inspect::Needed))
        .await?;
    let (run, notes) = choose(context, &seen.observed, args.run.as_deref())?;
    let mut shown = format!("{}\n", title(&run, &notes));
    let wish = Wish {
        ask: walking::Ask::Undo(run),
        ..Wish::default()
    };
    let outset = Outset {
        reach: Reach::Known(seen.known(&file.fleet)),
        ..context.outset(&file)
    };
    let proposal = walk::proposed(context, outset, wish).await?;
    for part in &proposal.parts {
        shown.push_str(&format!("{}:\n\n", part.goes_back_to()));
        shown.push_str(&planned::render(
            &part.plan,
            context.out.colour,
            context.global.verbose > 0,
        ));
    }
    let json = args.json.json;
    walk::show(context, json, &shown)?;
    if proposal.is_idle() {
        return Ok(Exit::Error);
    }
    let how = How {
        question: "Take it back?",
        yes: args.yes,
        ask: Ask::Yes,
        json,
        commit: false,
    };
    if !confirm(&context.out, how.question, how.ask, how.yes).await? {
        return Ok(Exit::Error);
    }
    let carried = walk::carry_out(context, &proposal, &how).await?;
    if json {
        let outcomes: Vec<_> = carried.outcomes.iter().flatten().collect();
        context.out.json(&outcomes)?;
    }
    if carried.exit == 0 {
        context.out.say(
            "the fleet file was not touched: it still says what was to be applied, and `ostler apply` applies it",
        );
    }
    Ok(walk::exit(&carried))
}

/// The apply that is meant.
fn choose(
    context: &Context,
    observed: &Observed,
    wanted: Option<&str>,
) -> Result<(String, CutOff), Failure> {
    for (host, found) in &observed.hosts {
        if let HostObservation::Unreachable { why } = found {
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

//! `ostler site …`: edits of the fleet file, and intents, each planned, shown, confirmed, and only
//! then written and applied.

mod create;
mod restart;
mod state;

use std::sync::Arc;

use super::apply::{self, How};
use super::args::SiteCommand;
use super::confirm::confirm;
use super::context::Context;

use super::style::Style;
use super::walk::{self, Wish};
use super::{Exit, Failure, planned, text};
use crate::fleet::{DiffLine, Edit, EditError, Selection, SiteState, apply_edits, diff};
use crate::walk::{FleetFile, FleetFileError};
use crate::walk::{commit, fleet_file};

/// Runs one of the commands.
pub async fn run(context: &Context, command: &SiteCommand) -> Result<Exit, Failure> {
    context.may_change("changing a site")?;
    match command {
        SiteCommand::Create(args) => create::run(context, args).await,
        SiteCommand::Archive(args) => state::run(context, args, SiteState::Archived).await,
        SiteCommand::Start(args) => state::run(context, args, SiteState::Running).await,
        SiteCommand::Stop(args) => state::run(context, args, SiteState::Stopped).await,
        SiteCommand::Restart(args) => restart::run(context, args).await,
    }
}

/// Shows an edit of one site and its plan, asks, writes the file, applies. If apply then fails the
/// file stays, for it is the wish.
pub(super) async fn change(
    context: &Context,
    file: &FleetFile,
    site: &str,
    edits: &[Edit],
    how: &How<'_>,
    commits: bool,
) -> Result<Exit, Failure> {
    let edited = apply_edits(&file.source, &file.path, edits)
        .map_err(|error| refused(context, file, &error))?;
    let after = FleetFile {
        path: file.path.clone(),
        source: edited.text,
        fleet: Arc::new(edited.fleet),
    };
    let wish = Wish {
        selection: Selection::site(site),
        ..Wish::default()
    };
    let made = walk::plan(context, &after, &wish).await?;
    let changed = after.source != file.source;
    if changed && let Some(warning) = &made.uncommitted {
        context.out.warn(warning);
    }
    let mut shown = String::new();
    if changed {
        let lines = diff(&file.source, &after.source);
        let lines = render_diff(&lines, context.out.colour);
        shown.push_str(&format!("{}:\n{lines}\n", file.path.display()));
    }
    shown.push_str(&planned::render(&made.plan, context.out.colour));
    match how.json {
        true => context.out.say(&shown),
        false => context.out.text(&shown)?,
    }
    let idle = made.plan.operations.is_empty();
    let unplanned = |otherwise| match made.plan.problems.is_empty() {
        true => Exit::Done,
        false => otherwise,
    };
    if !changed && idle {
        return Ok(unplanned(Exit::Error));
    }
    if !confirm(&context.out, "Do this?", how.ask, how.yes).await? {
        return Ok(Exit::Error);
    }
    if changed {
        let (before, after) = (file.source.as_bytes(), after.source.as_bytes());
        fleet_file::write(&file.path, before, after).map_err(|error| Failure::of(&error))?;
        let path = file.path.display();
        context.out.say(&format!("written: {path}"));
    }
    // Committed before it is applied: then the hosts know the commit of what they were applied
    // from. The file is the wish, and stays when it cannot be fulfilled.
    if changed && commits {
        let message = commit::message(&made.plan, &format!("site {site}"));
        match commit::commit(&file.path, &message).await {
            Ok((name, _)) => context.out.say(&format!("committed: {name}")),
            Err(error) => context.out.warn(&error.to_string()),
        }
    }
    if idle {
        return Ok(unplanned(Exit::Partial));
    }
    let exit = apply::execute(context, &after, &made, how.json).await;
    if changed && !matches!(exit, Ok(Exit::Done)) {
        context
            .out
            .say("the fleet file keeps the change: it says what should be");
    }
    exit
}

/// Why an edit was not made, with the place in the file where that helps.
pub(super) fn refused(context: &Context, file: &FleetFile, error: &EditError) -> Failure {
    match error {
        EditError::Invalid { findings, text } => {
            context.show_findings(findings, text, &file.path);
            Failure::new("the fleet file would have errors; nothing was written")
        }
        EditError::Broken(findings) => context.unusable(FleetFileError::Broken {
            path: file.path.clone(),
            text: file.source.clone(),
            findings: findings.clone(),
        }),
        error => Failure::of(error).help("nothing was written"),
    }
}

pub(super) fn render_diff(lines: &[DiffLine], colour: bool) -> String {
    let mut shown = String::new();
    for line in lines {
        let style = match line {
            DiffLine::Added(_) => Style::Good,
            DiffLine::Removed(_) => Style::Bad,
            DiffLine::Context(_) => Style::Plain,
            DiffLine::Skipped(_) => Style::Dim,
        };
        let line = style.paint(&text::line(&line.to_string()), colour);
        shown.push_str(&format!("  {line}\n"));
    }
    shown
}

/// The site must be in the file.
pub(super) fn known(file: &FleetFile, site: &str) -> Result<(), Failure> {
    if file.fleet.sites.contains_key(site) {
        return Ok(());
    }
    let near = crate::fleet::nearest(site, file.fleet.sites.keys().map(|n| n.as_str()));
    let failure = Failure::new(format!("no site {site} in {}", file.path.display()));
    Err(match near {
        Some(near) => failure.help(format!("did you mean {near}?")),
        None => failure.help("`ostler sites` lists them"),
    })
}

//! `ostler site …`: edits of the fleet file, and intents, each planned, shown, confirmed, and only
//! then written and applied.

mod create;
pub mod option;

use super::args::{SiteArgs, SiteCommand};
use super::confirm;
use super::context::Context;
use super::walk::{self, How};
use super::{Exit, Failure};
use crate::fleet::{Name, SiteState};
use crate::walk::look::Sites;
use crate::walk::{Ask, FleetFile, Wish};

/// What is asked before the fleet file is changed.
pub const QUESTION: &str = "Do this?";

/// Runs one of the commands.
pub async fn run(context: &Context, command: &SiteCommand) -> Result<Exit, Failure> {
    match command {
        SiteCommand::Create(args) => create::run(context, args).await,
        SiteCommand::Archive(args) => set(context, args, SiteState::Archived).await,
        SiteCommand::Start(args) => set(context, args, SiteState::Running).await,
        SiteCommand::Stop(args) => set(context, args, SiteState::Stopped).await,
        SiteCommand::Restart(args) => restart(context, args).await,
    }
}

/// Sets `state:` of a site. What takes it off the net asks for its name.
async fn set(context: &Context, args: &SiteArgs, state: SiteState) -> Result<Exit, Failure> {
    let file = context.load()?;
    let name = known(&file, &args.site)?;
    let wish = wish(&args.site, Ask::state([&name], state));
    let how = How {
        question: QUESTION,
        yes: args.yes,
        json: args.json.json,
        ask: match state {
            SiteState::Running => confirm::Ask::Yes,
            SiteState::Stopped | SiteState::Archived => confirm::Ask::Name(&args.site),
        },
        commit: args.commit,
    };
    let proposal = walk::propose(context, &file, wish).await?;
    walk::go(context, &proposal, &how).await
}

/// Restarts a site's container in place: an intent, which leaves no trace in the fleet file.
async fn restart(context: &Context, args: &SiteArgs) -> Result<Exit, Failure> {
    if args.commit {
        return Err(Failure::new(
            "a restart leaves no trace in the fleet file: there is nothing to commit",
        ));
    }
    let file = context.load()?;
    let name = known(&file, &args.site)?;
    let wish = wish(&args.site, Ask::Restart(vec![name]));
    let how = How {
        question: "Apply this?",
        yes: args.yes,
        json: args.json.json,
        ask: confirm::Ask::Yes,
        commit: false,
    };
    let proposal = walk::propose(context, &file, wish).await?;
    walk::go(context, &proposal, &how).await
}

/// What is asked of one site.
pub(super) fn wish(site: &str, ask: Ask) -> Wish {
    Wish {
        title: format!("site {site}"),
        ask,
        sites: Sites::one(site),
        ..Wish::default()
    }
}

/// The name of a site, which must be in the file.
pub(in crate::cli) fn known(file: &FleetFile, site: &str) -> Result<Name, Failure> {
    if let Some((name, _)) = file.fleet.sites.get_key_value(site) {
        return Ok(name.clone());
    }
    let near = crate::fleet::nearest(site, file.fleet.sites.keys().map(|n| n.as_str()));
    let failure = Failure::new(format!("no site {site} in {}", file.path.display()));
    Err(match near {
        Some(near) => failure.help(format!("did you mean {near}?")),
        None => failure.help("`ostler sites` lists them"),
    })
}

//! `ostler site restart`: an intent, which leaves no trace in the fleet file.

use super::super::apply::{self, How};
use super::super::args::SiteArgs;
use super::super::confirm::Ask;
use super::super::context::Context;
use super::super::walk::{self, Wish};
use super::super::{Exit, Failure};
use crate::fleet::Selection;
use crate::plan::Intent;

/// Restarts a site's container in place.
pub async fn run(context: &Context, args: &SiteArgs) -> Result<Exit, Failure> {
    if args.commit {
        return Err(Failure::new(
            "a restart leaves no trace in the fleet file: there is nothing to commit",
        ));
    }
    let file = context.load()?;
    super::known(&file, &args.site)?;
    let site = file.fleet.sites[args.site.as_str()].name.clone();
    let wish = Wish {
        selection: Selection::site(&args.site),
        intents: vec![Intent::Restart { site }],
        ..Wish::default()
    };
    let made = walk::plan(context, &file, &wish).await?;
    let how = How {
        yes: args.yes,
        json: args.json.json,
        ask: Ask::Yes,
    };
    apply::carry_out(context, &file, &made, &how).await
}

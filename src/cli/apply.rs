//! `ostler apply`

use std::path::Path;

use super::args::ApplyArgs;
use super::confirm;
use super::context::Context;
use super::walk::{self, How};
use super::{Exit, Failure};
use crate::walk::look::Sites;
use crate::walk::saved::Saved;
use crate::walk::{Ask, Wish};

/// Shows the plan, asks, and makes it so.
pub async fn run(context: &Context, args: &ApplyArgs) -> Result<Exit, Failure> {
    let saved = args.file.as_deref().map(read).transpose()?;
    let mut context = context.clone();
    if let Some(saved) = &saved {
        if !context.global.only.is_empty() && context.global.only != saved.only {
            return Err(Failure::new(
                "--only cannot change what a saved plan is about",
            ));
        }
        if args.stop_unknown && !saved.stop_unknown {
            return Err(Failure::new(
                "--stop-unknown cannot change what a saved plan does",
            ));
        }
        context.global.only.clone_from(&saved.only);
    }
    let file = context.load()?;
    let wish = Wish {
        sites: Sites::Selected(context.select()?),
        stop_unknown: args.stop_unknown || saved.as_ref().is_some_and(|s| s.stop_unknown),
        ask: saved.map_or(Ask::Apply, |saved| Ask::Saved(Box::new(saved))),
        ..Wish::default()
    };
    let proposal = walk::propose(&context, &file, wish).await?;
    let how = How {
        question: "Apply this?",
        yes: args.yes,
        ask: confirm::Ask::Yes,
        json: args.json.json,
        commit: false,
    };
    walk::go(&context, &proposal, &how).await
}

fn read(path: &Path) -> Result<Saved, Failure> {
    let failed = |error| Failure::new(format!("cannot use {}: {error}", path.display()));
    Saved::read(path).map_err(failed)
}

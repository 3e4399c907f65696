//! `ostler update`: newer images under the same tags, in place of those that run.

use std::collections::BTreeSet;

use super::args::UpdateArgs;
use super::confirm::{self, can_ask};
use super::context::Context;
use super::site::known;
use super::walk::{self, How};
use super::{Exit, Failure};
use crate::fleet::Name;
use crate::walk::look::Sites;
use crate::walk::{Ask, FleetFile, Wish};

/// Shows what would be replaced, asks, and does it.
pub async fn run(context: &Context, args: &UpdateArgs) -> Result<Exit, Failure> {
    let file = context.load()?;
    let (named, sites) = meant(context, &file, &args.sites)?;
    let wish = |ask: Ask| Wish {
        title: "update".to_owned(),
        ask,
        sites: sites.clone(),
        ..Wish::default()
    };
    let how = How {
        question: "Replace these?",
        yes: args.yes,
        ask: confirm::Ask::Yes,
        json: args.json.json,
        commit: false,
    };
    let mut pulled = Exit::Done;
    if args.pull {
        if !args.yes {
            can_ask()?;
        }
        pulled = pull(context, &file, wish(Ask::Pull), &how).await?;
    }
    let proposal = walk::propose(context, &file, wish(Ask::Update(named))).await?;
    if !args.json.json && proposal.is_idle() && proposal.is_whole() {
        let which = match args.sites.is_empty() {
            true => "nothing runs",
            false => "none of these runs",
        };
        let line = format!("Nothing to do: {which} an older image than its tag stands for.");
        context.out.line(&line)?;
        return Ok(pulled);
    }
    let updated = walk::go(context, &proposal, &how).await?;
    // What could not be asked for may have been newer.
    Ok(match updated {
        Exit::Done => pulled,
        other => other,
    })
}

/// Fetches what the tags stand for by now, without a question: it is what `--pull` asks for, and
/// changes nothing that runs.
async fn pull(
    context: &Context,
    file: &FleetFile,
    wish: Wish,
    how: &How<'_>,
) -> Result<Exit, Failure> {
    let proposal = walk::propose(context, file, wish).await?;
    for notice in &proposal.plan().notices {
        let text = crate::text::line(&notice.text);
        context.out.say(&format!("{}: {text}", notice.host));
    }
    if proposal.is_idle() {
        return Ok(Exit::Done);
    }
    let carried = walk::carry_out(context, &proposal, how).await?;
    Ok(match carried.exit {
        0 => Exit::Done,
        _ => Exit::Partial,
    })
}

/// The sites that are named, and those that it is about.
fn meant(
    context: &Context,
    file: &FleetFile,
    named: &[String],
) -> Result<(Vec<Name>, Sites), Failure> {
    if named.is_empty() {
        return Ok((Vec::new(), Sites::Selected(context.select()?)));
    }
    if !context.global.only.is_empty() {
        return Err(
            Failure::new("`ostler update` takes --only or SITE, not both")
                .help("--only site=GLOB picks sites by their names"),
        );
    }
    let names = named.iter().map(|site| known(file, site));
    let names: BTreeSet<Name> = names.collect::<Result<_, _>>()?;
    let all = names.iter().cloned().collect();
    Ok((all, Sites::Named(names)))
}

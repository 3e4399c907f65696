//! `ostler adopt`: what was changed by hand on a host, written into the fleet file.

use super::args::AdoptArgs;
use super::confirm::Ask;
use super::context::Context;
use super::walk::{self, How};
use super::{Exit, Failure, site};
use crate::text;
use crate::walk::Ask as Asked;

/// Edits the file by what is live, and records it on the host: through the same walk as every
/// change, so that all of it is shown before.
pub async fn run(context: &Context, args: &AdoptArgs) -> Result<Exit, Failure> {
    let file = context.load()?;
    let name = site::known(&file, &args.site)?;
    let ask = Asked::Adopt(vec![name.clone()], args.fields.clone());
    let wish = site::wish(&args.site, ask);
    let proposal = walk::propose(context, &file, wish).await?;
    for left in &proposal.left {
        let (path, why) = (text::line(&left.field), text::line(&left.why));
        context.out.say(&format!("left as it is: {path}: {why}"));
    }
    if proposal.after.is_none() {
        context
            .out
            .say(&format!("{name}: nothing to write into the file"));
        return Ok(match args.fields.is_empty() {
            true => Exit::Done,
            false => Exit::Error,
        });
    }
    let how = How {
        question: site::QUESTION,
        yes: args.yes,
        ask: Ask::Yes,
        json: args.json.json,
        commit: args.commit,
    };
    walk::go(context, &proposal, &how).await
}

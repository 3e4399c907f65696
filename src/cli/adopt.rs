//! `ostler adopt`: what was changed by hand on a host, written into the fleet file.

use super::apply::How;
use super::args::AdoptArgs;
use super::confirm::Ask;
use super::context::{Context, Look};
use super::{Exit, Failure, site, text};
use crate::fleet::Selection;
use crate::observe::model::HostObservation;
use crate::observe::scan::Inspect;
use crate::plan::drift;

/// Edits the file by what is live, and records it on the host: through the same walk as every
/// change, so that all of it is shown before.
pub async fn run(context: &Context, args: &AdoptArgs) -> Result<Exit, Failure> {
    context.may_change("adopt")?;
    let file = context.load()?;
    site::known(&file, &args.site)?;
    let selection = Selection::site(&args.site);
    let seen = context
        .look(&file, &selection, Look::at(&Inspect::Ours))
        .await?;
    let name = file
        .fleet
        .sites
        .get_key_value(args.site.as_str())
        .map(|(name, site)| (name.clone(), site.host.clone()));
    let Some((name, host)) = name else {
        return Err(Failure::new(format!("no site {}", args.site)));
    };
    if let Some(HostObservation::Unreachable { why }) = seen.observed.hosts.get(&host) {
        return Err(Failure::new(format!("{host} did not answer: {why}"))
            .help("what is live there is not known; nothing was changed"));
    }
    let (adoption, _) = drift::adopt_into(
        &file.source,
        &file.path,
        &file.fleet,
        &name,
        &seen.observed,
        &args.fields,
    )
    .map_err(|error| site::refused(context, &file, &error))?;
    for (path, why) in &adoption.left {
        let (path, why) = (text::line(path), text::line(why));
        context.out.say(&format!("left as it is: {path}: {why}"));
    }
    if adoption.edits.is_empty() {
        context
            .out
            .say(&format!("{name}: nothing to write into the file"));
        return Ok(match args.fields.is_empty() {
            true => Exit::Done,
            false => Exit::Error,
        });
    }
    let how = How {
        yes: args.yes,
        ask: Ask::Yes,
        json: args.json.json,
    };
    site::change(
        context,
        &file,
        &args.site,
        &adoption.edits,
        &how,
        args.commit,
    )
    .await
}

//! `ostler site create`

use super::super::args::CreateArgs;
use super::super::confirm;
use super::super::context::Context;
use super::super::walk::{self, How};
use super::super::{Exit, Failure};
use crate::fleet::{Edit, Value};
use crate::walk::{Ask, FleetFile};

/// Adds a site to the fleet file and brings it up.
pub async fn run(context: &Context, args: &CreateArgs) -> Result<Exit, Failure> {
    let file = context.load()?;
    let edit = Edit::create_site(&args.site, said(args, &file)?);
    let wish = super::wish(&args.site, Ask::Edit(vec![edit]));
    let how = How {
        question: super::QUESTION,
        yes: args.yes,
        json: args.json.json,
        ask: confirm::Ask::Yes,
        commit: args.commit,
    };
    let proposal = walk::propose(context, &file, wish).await?;
    walk::go(context, &proposal, &how).await
}

/// What the arguments say about the new site.
fn said(args: &CreateArgs, file: &FleetFile) -> Result<Vec<(&'static str, Value)>, Failure> {
    let text = |text: &String| Value::Text(text.clone());
    let env = args.env.iter();
    let env: Vec<_> = env
        .map(|(name, value)| (name.clone(), text(value)))
        .collect();
    let said = [
        ("account", args.account.as_ref().map(text)),
        ("host", Some(Value::Text(host(args, file)?))),
        ("recipe", Some(recipe(args).into())),
        ("php", args.php.as_ref().map(text)),
        ("to", args.to.as_ref().map(text)),
        ("image", args.image.as_ref().map(text)),
        ("port", args.port.map(|port| u32::from(port).into())),
        ("domains", Some(args.domains.clone().into())),
        ("memory", args.memory.as_ref().map(text)),
        ("cpus", args.cpus.as_ref().map(text)),
        ("pids", args.pids.map(Value::from)),
        ("env", (!env.is_empty()).then_some(env.into())),
    ];
    let given = said.into_iter();
    Ok(given
        .filter_map(|(key, value)| Some((key, value?)))
        .collect())
}

/// The host that was named, or the only one there is.
fn host(args: &CreateArgs, file: &FleetFile) -> Result<String, Failure> {
    if let Some(host) = &args.host {
        return Ok(host.clone());
    }
    let names: Vec<&str> = file.fleet.hosts.keys().map(|n| n.as_str()).collect();
    match names.as_slice() {
        [only] => Ok((*only).to_owned()),
        _ => Err(Failure::new("on which host?")
            .help(format!("--host NAME, one of {}", names.join(", ")))),
    }
}

/// The recipe that was named, or the one that the other arguments belong to.
fn recipe(args: &CreateArgs) -> &str {
    match &args.recipe {
        Some(recipe) => recipe,
        None if args.php.is_some() => "php",
        None if args.to.is_some() => "proxy",
        None if args.image.is_some() => "image",
        None => "static",
    }
}

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
    let mut said = vec![
        ("host", Value::Text(host(args, file)?)),
        ("recipe", recipe(args).into()),
        ("domains", args.domains.clone().into()),
    ];
    said.extend(
        args.account
            .as_ref()
            .map(|account| ("account", text(account))),
    );
    said.extend(args.keys.0.iter().map(|(key, given)| (*key, text(given))));
    if !env.is_empty() {
        said.push(("env", env.into()));
    }
    Ok(said)
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
        None if args.keys.has("php") => "php",
        None if args.keys.has("to") => "proxy",
        None if args.keys.has("image") => "image",
        None => "static",
    }
}

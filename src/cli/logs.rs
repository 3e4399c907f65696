//! `ostler logs SITE`

mod copy;
mod follow;

use std::sync::Arc;

use super::args::{EngineArg, LogArgs};
use super::context::Context;
use super::since::Since;
use super::{Exit, Failure};
use crate::engine::{Client, Gate, LogOptions};
use crate::fleet::{self, EngineAddress, Fleet, Recipe};
use crate::host::{Toolbox, state};
use crate::observe::model::ObservedContainer;
use crate::observe::{convert, whose};
use crate::record::{Layout, StateRead, names};
use copy::{Manner, reach};

/// Finds the container and writes its log.
pub async fn run(context: &Context, engine: &EngineArg, args: &LogArgs) -> Result<Exit, Failure> {
    let whose = match engine.address {
        Some(_) => Whose::Container(super::engine::here(engine)?.address),
        None => {
            engine.only_fleet()?;
            Whose::Site(fleet_of(context, &args.site)?)
        }
    };
    let (client, container) = whose.locate(context, &args.site).await?;
    // The engine's clock counts: the log's times are its own.
    let now = client
        .daemon_now()
        .unwrap_or_else(|| chrono::Utc::now().timestamp());
    let at = |time: Option<Since>| time.map(|time| time.at(now));
    let mut options = LogOptions {
        follow: args.follow,
        tail: None,
        since: at(args.since),
        until: at(args.until),
        timestamps: args.timestamps,
    };
    let mut manner = Manner {
        raw: args.raw,
        stamped: args.timestamps,
        errors: args.errors,
        grep: args.grep.clone(),
        ..Manner::default()
    };
    match args.tail.or(args.follow.then_some(FOLLOW_FROM)) {
        // The last ones of those that are wanted: all are looked at.
        Some(lines) if manner.sieves() && !args.follow => manner.last = Some(lines as usize),
        Some(lines) => {
            let (entries, skip) = reach(&client, &container, lines, options).await?;
            (options.tail, manner.skip) = (Some(entries), skip);
        }
        None => {}
    }
    if !args.follow {
        let written = copy::write(&client, &container, options, &manner).await?;
        return written.ended.map(|()| Exit::Done).map_err(Failure::from);
    }
    let again = || whose.locate(context, &args.site);
    tokio::select! {
        ended = follow::follow(client, container, options, manner, &args.site, again) => ended,
        _ = tokio::signal::ctrl_c() => Ok(Exit::Done),
    }
}

/// Whose log is meant.
enum Whose {
    /// Any container's of this engine.
    Container(EngineAddress),
    /// A site's of this fleet.
    Site(Arc<Fleet>),
}

impl Whose {
    /// The container, as it is now, and its engine.
    async fn locate(&self, context: &Context, name: &str) -> Result<(Client, String), Failure> {
        match self {
            Whose::Container(address) => {
                let client = Client::connect_by(&context.network, address, Gate::on_call()).await?;
                let container = any(&client, name).await?;
                Ok((client, container))
            }
            Whose::Site(fleet) => of_site(context, fleet, name).await,
        }
    }
}

/// Lines shown before following, unless told otherwise.
const FOLLOW_FROM: u32 = 100;

/// Any container of an engine, by name or id.
async fn any(client: &Client, name: &str) -> Result<String, Failure> {
    match client.inspect(name).await {
        Ok(found) => Ok(found.id.unwrap_or_else(|| name.to_owned())),
        // It is there, and its log can be read.
        Err(error) if error.is_nonsense() => Ok(name.to_owned()),
        Err(error) if error.is_not_found() => {
            let containers = client.containers().await?;
            let near = fleet::nearest(name, containers.iter().map(|c| c.name()));
            let failure = Failure::new(format!("no container {name} on {}", client.address()));
            Err(match near {
                Some(near) => failure.help(format!("did you mean {near}?")),
                None => failure,
            })
        }
        Err(error) => Err(error.into()),
    }
}

/// The fleet file, which knows the site and has a container for it.
fn fleet_of(context: &Context, name: &str) -> Result<Arc<Fleet>, Failure> {
    let fleet = context.load()?.fleet;
    let Some(site) = fleet.sites.get(name) else {
        let near = fleet::nearest(name, fleet.sites.keys().map(|n| n.as_str()));
        let failure = Failure::new(format!("no site {name} in the fleet file"));
        return Err(match near {
            Some(near) => failure.help(format!("did you mean {near}?")),
            None => failure.help("`ostler sites` lists them; --host ADDRESS takes any container"),
        });
    };
    if let Recipe::Proxy { .. } = site.recipe {
        return Err(Failure::new(format!(
            "{name} is a proxy: ostler does not own what it leads to"
        ))
        .help("`ostler logs --host ADDRESS CONTAINER` reads any container's log"));
    }
    Ok(fleet)
}

/// The container that serves a site of the fleet.
async fn of_site(
    context: &Context,
    fleet: &Fleet,
    name: &str,
) -> Result<(Client, String), Failure> {
    let host = &fleet.hosts[&fleet.sites[name].host];
    let client = Client::connect_by(&context.network, &host.engine, Gate::on_call()).await?;
    let list = client.containers().await?;
    let found: Vec<ObservedContainer> = list.into_iter().map(convert::container).collect();
    let sorted = whose::sort(&found, &fleet.name, None);
    let own = names::site(&fleet.name, name);
    let only = sorted.sites.get(name);
    let only = only.filter(|mine| mine.len() == 1 && mine[0].name == own);
    // One is being replaced, or was renamed: where requests go, the router's record says.
    let toolbox = whose::toolbox(&found, &fleet.name).filter(|_| only.is_none());
    let state = match toolbox {
        None => None,
        Some(toolbox) => {
            let toolbox = Toolbox {
                client: client.clone(),
                id: toolbox.id.clone(),
                layout: Layout::new(&host.root),
            };
            state::read(&toolbox).await.ok()
        }
    };
    let state = state.as_ref().and_then(StateRead::read);
    let sorted = whose::sort(&found, &fleet.name, state);
    let mine = sorted.sites.get(name).map_or(&[][..], Vec::as_slice);
    match whose::serving(mine, &fleet.name, name, state) {
        Some(container) => Ok((client, container.id.clone())),
        None => Err(
            Failure::new(format!("{name} has no container on {}", host.name))
                .help("`ostler plan` says what apply would do about it"),
        ),
    }
}

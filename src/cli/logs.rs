//! `ostler logs SITE`

mod follow;

use std::io::{IsTerminal, Write};
use std::sync::Arc;

use futures_util::{Stream, StreamExt};

use super::args::{EngineArg, LogArgs};
use super::context::Context;
use super::{Exit, Failure};
use crate::engine::{Client, Error, Gate, LogChunk, LogOptions, Out};
use crate::fleet::{self, EngineAddress, Fleet, Recipe};
use crate::host::{Toolbox, state};
use crate::observe::model::ObservedContainer;
use crate::observe::{convert, whose};
use crate::record::{Layout, StateRead};
use crate::text::LogCleaner;

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
    let options = LogOptions {
        follow: args.follow,
        tail: args.tail.or(args.follow.then_some(FOLLOW_FROM)),
        since: args.since.map(|since| since.at(now)),
        timestamps: args.timestamps,
    };
    if !args.follow {
        return write_once(&client, &container, options, args.raw)
            .await?
            .map(|()| Exit::Done)
            .map_err(Failure::from);
    }
    let again = || whose.locate(context, &args.site);
    tokio::select! {
        ended = follow::follow(client, container, options, args, again) => ended,
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

/// Writes a container's log: its standard output to ours, its standard error to ours. The inner
/// error is the engine's, the outer one ours.
async fn write_once(
    client: &Client,
    container: &str,
    options: LogOptions,
    raw: bool,
) -> Result<Result<(), Error>, Failure> {
    copy(std::pin::pin!(client.logs(container, options)), raw).await
}

/// Lines shown before following, unless told otherwise.
const FOLLOW_FROM: u32 = 100;

async fn copy(
    stream: std::pin::Pin<&mut impl Stream<Item = Result<LogChunk, Error>>>,
    raw: bool,
) -> Result<Result<(), Error>, Failure> {
    let mut cleaners = [LogCleaner::default(), LogCleaner::default()];
    let mut lines = [String::new(), String::new()];
    let mut ended = Ok(());
    let mut out = Pending::default();
    // An engine sends each line by itself: what has come is written at once.
    let mut batches = stream.ready_chunks(AT_ONCE);
    while ended.is_ok()
        && let Some(batch) = batches.next().await
    {
        for chunk in batch {
            let chunk = match chunk {
                Ok(chunk) => chunk,
                // What came before is written all the same.
                Err(error) => {
                    ended = Err(error);
                    break;
                }
            };
            let which = usize::from(chunk.stream == Out::Err);
            if raw {
                out.put(which, &chunk.bytes)?;
                continue;
            }
            let line = &mut lines[which];
            cleaners[which].clean(&chunk.bytes, line);
            // Whole lines are written, so that the two streams do not mix in one.
            if let Some(end) = line.rfind('\n') {
                out.put(which, &line.as_bytes()[..=end])?;
                line.drain(..=end);
            } else if line.len() > LONGEST {
                out.put(which, line.as_bytes())?;
                line.clear();
            }
        }
        out.write()?;
    }
    for (which, line) in lines
        .iter()
        .enumerate()
        .filter(|(_, line)| !line.is_empty())
    {
        write(which, line.as_bytes())?;
        // A prompt after an unfinished line would stand in its middle.
        if std::io::stdout().is_terminal() {
            write(which, b"\n")?;
        }
    }
    Ok(ended)
}

/// Pieces that are taken before they are written.
const AT_ONCE: usize = 512;

/// What is to be written next, and where to: both outputs keep their order between them.
#[derive(Default)]
struct Pending {
    which: usize,
    bytes: Vec<u8>,
}

impl Pending {
    fn put(&mut self, which: usize, bytes: &[u8]) -> Result<(), Failure> {
        if self.which != which {
            self.write()?;
            self.which = which;
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn write(&mut self) -> Result<(), Failure> {
        let written = match self.bytes.is_empty() {
            true => Ok(()),
            false => write(self.which, &self.bytes),
        };
        self.bytes.clear();
        written
    }
}

/// A line longer than this is written before its end has come.
const LONGEST: usize = 64 * 1024;

fn write(which: usize, bytes: &[u8]) -> Result<(), Failure> {
    let written = match which {
        0 => {
            let mut out = std::io::stdout().lock();
            out.write_all(bytes).and_then(|()| out.flush())
        }
        _ => std::io::stderr().lock().write_all(bytes),
    };
    written.map_err(|error| match error.kind() {
        std::io::ErrorKind::BrokenPipe => Failure::said(Exit::Done),
        _ => Failure::caused("cannot write the log", &error),
    })
}

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
    let only = sorted.sites.get(name).filter(|mine| mine.len() == 1);
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

//! The router: its files, its running process, and what it tells about traffic.
//!
//! Every change is on disk first, then told to the running process, then read back, then asked for
//! by HTTP. Whoever calls this sees to it that no two changes of one host's router run at a time.

pub mod certificate;
pub mod check;
pub mod config;
pub mod log;
pub mod probe;
pub mod runtime;
pub mod table;
pub mod tls;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use chrono::DateTime;

pub use check::Unanswered;
pub use runtime::{RouterInfo, SiteTraffic};
pub use table::{Table, Unfit, put};
pub use tls::Certificates;

use super::script;
use super::toolbox::{NewFile, Toolbox, ToolboxError};
use crate::record::layout::{ROUTER_SOCKET, RUN};
use crate::record::route::{Proxies, RouterConfig};
use runtime::Answer;
pub use runtime::Loaded;
use table::{Map, Maps};

/// Seconds a site has to answer the request that verifies its route.
const CHECK_S: u32 = 8;
/// Domains asked for after one change; more of them would say the same.
const CHECK_AT_MOST: usize = 32;

/// What can go wrong with the router.
#[derive(Debug, thiserror::Error)]
pub enum RouterError {
    /// The toolbox, or the engine below it. Also where the router's socket does not answer.
    #[error(transparent)]
    Toolbox(#[from] ToolboxError),
    /// A value that must not reach the router.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// The router's answer.
    #[error(transparent)]
    Answer(#[from] Answer),
    /// The running process has not the routes that it was told.
    #[error("the router's process still differs from its files after the change: {difference}")]
    Differs {
        /// The first command that would be needed.
        difference: String,
    },
    /// The router answers a domain with something else than its route says.
    #[error("the router answers {domain} with {got}, not with {wanted}")]
    Wrong {
        domain: String,
        /// What came.
        got: String,
        /// What should have come.
        wanted: &'static str,
    },
    /// The default certificate could not be made.
    #[error("the router's default certificate could not be made: {0}")]
    Certificate(String),
}

/// Writes all of the router's files, its default certificate only where there is none that it takes. The folders
/// exist. A router that runs goes on with what it has loaded. `key` is the host's.
pub async fn write(
    toolbox: &Toolbox,
    config: &RouterConfig,
    key: &str,
    table: &Table,
    certificates: &Certificates,
) -> Result<(), RouterError> {
    let layout = &toolbox.layout;
    let files = config::files(config, layout.root(), key, table, certificates)?;
    let mut files = absolute(toolbox, files);
    let default = format!("{}/default.pem", layout.certs());
    let left_out = tls::left_out(toolbox).await?;
    let refused = left_out.iter().any(|it| it.file == default);
    if refused || toolbox.head(&default).await?.is_none() {
        let pem = certificate::self_signed();
        let pem = pem.map_err(|e| RouterError::Certificate(e.to_string()))?;
        files.insert(0, NewFile::new(default, 0o600, pem));
    }
    Ok(toolbox.replace(&files).await?)
}

/// Brings files and running process to a table, and to whom they believe, by as few changes as
/// possible and without a gap for any domain that stays, and verifies both. Done again it changes
/// nothing.
///
/// `port` is the one on which it answers HTTP; `mark` is what makes our questions there nobody's
/// ([`probe::mark`]), and is only told to a router that takes it off. Says which sites did not answer although they are
/// routed as wanted: whether that is an error depends on why the route was made.
pub async fn apply_table(
    toolbox: &Toolbox,
    port: u16,
    mark: Option<&str>,
    table: &Table,
    proxies: &Proxies,
) -> Result<Vec<Unanswered>, RouterError> {
    let wanted = table::maps(table, proxies)?;
    let files = absolute(toolbox, config::map_files(table, proxies)?);
    toolbox.replace(&files).await?;

    let loaded = loaded(toolbox).await?;
    let changes = runtime::changes(&loaded, &wanted);
    if changes.is_empty() {
        return Ok(Vec::new());
    }
    let commands: Vec<String> = changes
        .iter()
        .map(|change| change.command(|map| toolbox.layout.map(map.word())))
        .collect();
    tell(toolbox, &commands).await?;
    let again = runtime::changes(&self::loaded(toolbox).await?, &wanted);
    if let Some(change) = again.first() {
        return Err(RouterError::Differs {
            difference: change.command(|map| toolbox.layout.map(map.word())),
        });
    }
    let domains: Vec<String> = runtime::touched(&changes, &loaded, &wanted)
        .into_iter()
        .take(CHECK_AT_MOST)
        .collect();
    verify(toolbox, port, mark, &wanted, &domains).await
}

/// Asks the router for domains and compares with what their routes say.
async fn verify(
    toolbox: &Toolbox,
    port: u16,
    mark: Option<&str>,
    wanted: &Maps,
    domains: &[String],
) -> Result<Vec<Unanswered>, RouterError> {
    let port = port.to_string();
    let seconds = CHECK_S.to_string();
    let mut args = vec![port.as_str(), seconds.as_str()];
    let asked: Vec<String> = domains.iter().map(|domain| check::name(domain)).collect();
    args.extend(asked.iter().map(String::as_str));
    // A header on its standard input: arguments can be read by others.
    let header = mark.map_or_else(String::new, |mark| format!("{}: {mark}\n", probe::HEADER));
    let stdin = Some(header.into_bytes());
    let output = toolbox.run(&script::ROUTES, &args, stdin).await?;
    check::judge(wanted, domains, &String::from_utf8_lossy(&output))
}

/// Sends commands over one connection; one answer each.
pub async fn ask(toolbox: &Toolbox, commands: &[String]) -> Result<Vec<String>, RouterError> {
    let former = toolbox.layout.former_run();
    let args = [ROUTER_SOCKET, RUN, &former];
    let stdin = runtime::script(commands);
    let output = toolbox.run(&script::ROUTER, &args, Some(stdin)).await?;
    Ok(runtime::answers(&output, commands.len())?)
}

/// Sends commands that are answered with nothing when they were carried out.
async fn tell(toolbox: &Toolbox, commands: &[String]) -> Result<(), RouterError> {
    let answers = ask(toolbox, commands).await?;
    for (command, words) in commands.iter().zip(answers) {
        if !words.is_empty() {
            let command = command.clone();
            return Err(Answer::Refused { command, words }.into());
        }
    }
    Ok(())
}

async fn one(toolbox: &Toolbox, command: &str) -> Result<String, RouterError> {
    let answers = ask(toolbox, &[command.to_owned()]).await?;
    Ok(answers.into_iter().next().unwrap_or_default())
}

/// The maps as the running process has them.
pub async fn loaded(toolbox: &Toolbox) -> Result<Loaded, RouterError> {
    let files = Map::ALL.map(|map| toolbox.layout.map(map.word()));
    let commands = files.each_ref().map(|file| runtime::show_map(file));
    let answers = ask(toolbox, &commands).await?;
    let mut loaded = Loaded::default();
    for ((map, file), answer) in Map::ALL.into_iter().zip(&files).zip(&answers) {
        // One that an earlier version started has not heard of it: it believes nobody, and gives no
        // headers.
        let young = matches!(map, Map::Proxies | Map::Headers);
        if young && answer.starts_with(runtime::NO_MAP) {
            continue;
        }
        loaded.insert(map, runtime::parse_map(file, answer)?);
    }
    Ok(loaded)
}

/// The router's process as a whole.
pub async fn info(toolbox: &Toolbox) -> Result<RouterInfo, RouterError> {
    Ok(runtime::parse_info(
        &one(toolbox, runtime::SHOW_INFO).await?,
    )?)
}

/// Whether the process behind the runtime socket is the one of this container. While a router is
/// replaced two of them answer on the same ports, so that an answer alone says nothing of the new
/// one; the socket's path is the new one's once it has loaded everything.
pub async fn serves(toolbox: &Toolbox, container: &str) -> Result<bool, RouterError> {
    let facts = toolbox.client.inspect(container).await;
    let facts = facts.map_err(ToolboxError::from)?;
    let state = facts.state.unwrap_or_default();
    let started = state.started_at.as_deref().unwrap_or_default();
    let (Some(true), Ok(started)) = (state.running, DateTime::parse_from_rfc3339(started)) else {
        return Ok(false);
    };
    let info = match info(toolbox).await {
        Ok(info) => info,
        // Nothing listens there yet.
        Err(RouterError::Toolbox(ToolboxError::Script { .. })) => return Ok(false),
        Err(e) => return Err(e),
    };
    if info.stopping {
        return Ok(false);
    }
    // All times are of the host's clock, cut to seconds. The process of this container began after
    // the container was made, and a little before the engine noted its start. A router that was
    // there before began earlier: how long each has run would not tell two young ones apart.
    if let Some(began) = info.started {
        let made = facts.created.as_deref().unwrap_or_default();
        let made = DateTime::parse_from_rfc3339(made).map_or(i64::MIN, |at| at.timestamp());
        return Ok(began >= made && began + 1 >= started.timestamp());
    }
    let now = toolbox.client.daemon_now().unwrap_or_default();
    let age = u64::try_from(now - started.timestamp()).unwrap_or(0);
    Ok(info.uptime_s <= age + 1)
}

/// Traffic by site. A site that had no request for an hour, or since the router started, is absent.
pub async fn traffic(toolbox: &Toolbox) -> Result<BTreeMap<String, SiteTraffic>, RouterError> {
    Ok(runtime::parse_traffic(
        &one(toolbox, runtime::SHOW_TRAFFIC).await?,
    )?)
}

/// Requests under way to an address, by whatever route they came. A router that is being replaced
/// finishes its own last requests uncounted.
pub async fn in_flight(toolbox: &Toolbox, address: IpAddr) -> Result<u64, RouterError> {
    let address = address.to_string();
    let answer = one(toolbox, &runtime::show_address(&address)).await?;
    Ok(runtime::parse_in_flight(&address, &answer)?)
}

/// Waits until no request to an address is under way; gives the number left when the time was up.
pub async fn drain(
    toolbox: &Toolbox,
    address: IpAddr,
    at_most: Duration,
) -> Result<u64, RouterError> {
    let until = Instant::now() + at_most;
    let mut pause = Duration::from_millis(50);
    loop {
        let left = in_flight(toolbox, address).await?;
        if left == 0 || Instant::now() + pause > until {
            return Ok(left);
        }
        // The socket tells numbers only when asked.
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(1));
    }
}

fn absolute(toolbox: &Toolbox, files: config::Files) -> Vec<NewFile> {
    let root = toolbox.layout.root();
    files
        .into_iter()
        .map(|(path, bytes)| NewFile::new(format!("{root}/{path}"), 0o644, bytes))
        .collect()
}

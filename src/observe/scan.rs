//! Looking at a host without changing anything: one unfiltered list, one GET of `state/`, networks
//! and images beside them, and an inspect of only what needs it.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::time::Duration;

use bollard::models::SystemInfo;
use chrono::Utc;
use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt, TryStreamExt};

use super::convert;
use super::model::{
    EngineFacts, HostObservation, Lineage, Observed, ObservedContainer, ObservedHost,
    ObservedNetwork, Owner, RunState, sites_subnet,
};
use super::whose::{self, Whose, is_foreign, site_of, whose};
use crate::engine::{self, Client, Mode};
use crate::fleet::{Certificate, Fleet, Host, Limits, Name, Site, SiteState};
use crate::host::compare::{Reach, compare};
use crate::host::lock::{self};
use crate::host::service::own;
use crate::host::service::secrets::{self, SecretSource};
use crate::host::{Entry, Kind, Toolbox, ToolboxError, state};
use crate::record::certificate::CertificateFacts;
use crate::record::lock::Holder;
use crate::record::route::RouterConfig;
use crate::record::{HostState, Layout, StateRead, names};

/// How many small questions a host is asked at the same time.
const AT_ONCE: usize = 8;

/// How long looking at one host may take in all, once there is a connection to it. Connecting has
/// deadlines of its own, and none while the operator is asked.
pub const HOST_DEADLINE: Duration = Duration::from_secs(25);

/// Which containers are inspected: the list carries neither limits nor counters.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Inspect {
    /// Those of ours that ended or keep being restarted: why?
    #[default]
    Needed,
    /// Those and these, by id.
    And(BTreeSet<String>),
    /// All of ours, and the files that ostler wrote: for drift, and for plans that put it right.
    Ours,
}

/// Looks at one host. `secrets`: where the bytes of secrets come from; with `None` they are taken
/// to be unchanged.
pub async fn scan(
    client: &Client,
    host: &Host,
    fleet: &Fleet,
    secrets: Option<&dyn SecretSource>,
    inspect: &Inspect,
) -> Result<ObservedHost, engine::Error> {
    let by_name = Toolbox {
        client: client.clone(),
        id: names::toolbox(&fleet.name),
        layout: Layout::new(&host.root),
    };
    let (list, early, networks, images, info) = futures_util::join!(
        Box::pin(client.containers()),
        Box::pin(state::read(&by_name)),
        Box::pin(client.networks()),
        Box::pin(client.images()),
        Box::pin(client.info()),
    );
    let mut containers: Vec<ObservedContainer> =
        list?.into_iter().map(convert::container).collect();
    let toolbox = whose::toolbox(&containers, &fleet.name).map(|found| Toolbox {
        id: found.id.clone(),
        ..by_name.clone()
    });
    let networks: Vec<ObservedNetwork> = networks?.into_iter().map(convert::network).collect();
    let config = sites_subnet(&networks, &fleet.name)
        .map(|sites| RouterConfig::of(&fleet.name, host, sites));
    let state = match &toolbox {
        None => StateRead::NoToolbox,
        // Nobody else has this name: what was read early was read from this one.
        Some(found) if has_name(&containers, &found.id, &by_name.id) => read_state(early)?,
        Some(found) => read_state(state::read(found).await)?,
    };
    let folders = async {
        match (&toolbox, state.read()) {
            (Some(toolbox), Some(state)) => {
                let mut unknown: Vec<&Name> = fleet.sites_on(&host.name).map(|s| &s.name).collect();
                unknown.retain(|name| !state.sites.contains_key(*name));
                owners(toolbox, &unknown).await
            }
            _ => Ok(BTreeMap::new()),
        }
    };
    let inspections = inspect_some(client, &containers, fleet, state.read(), inspect);
    let digests = secret_digests(host, fleet, &state, secrets);
    let differs = async {
        match (&toolbox, state.read(), inspect) {
            (Some(toolbox), Some(state), Inspect::Ours) => {
                let reach = reach(client, &containers, &toolbox.id, &fleet.name);
                // On the heap: futures within futures grow large, and a thread's stack is not.
                let comparing = Box::pin(compare(toolbox, config, state, reach));
                comparing.await.map(Some)
            }
            _ => Ok(None),
        }
    };
    let locked = holder(client, &containers, &fleet.name);
    let (folders, inspected, secrets, differs, locked) = futures_util::join!(
        Box::pin(folders),
        Box::pin(inspections),
        Box::pin(digests),
        Box::pin(differs),
        Box::pin(locked),
    );
    let (inspected, differs) = (inspected?, differs?);
    let info = info?;
    let mut unread = BTreeMap::new();
    for (at, facts) in inspected {
        let mut facts = match facts {
            Ok(facts) => facts,
            Err(why) => {
                unread.insert(containers[at].name.clone(), why);
                continue;
            }
        };
        let (found, name) = (&containers[at], &fleet.name);
        let site = site_of(found, name).or_else(|| whose::renamed(found, name, state.read()));
        let record = site.and_then(|site| state.read()?.sites.get(site));
        if let Some(record) = record {
            unenforced(&info, &record.limits, &mut facts.limits);
            // As nearly everywhere: kept once.
            if let Some(made) = record.made.as_ref().filter(|made| **made == facts.made) {
                facts.made = made.clone();
            }
        }
        containers[at].inspected = Some(facts);
    }
    let version = client.version();
    let options = info.security_options.unwrap_or_default();
    Ok(ObservedHost {
        engine: EngineFacts {
            machine: info.name.unwrap_or_default(),
            version: version.version.clone(),
            api: version.api.to_string(),
            os: info.operating_system.unwrap_or_default(),
            cpus: u32::try_from(info.ncpu.unwrap_or_default()).unwrap_or_default(),
            memory: u64::try_from(info.mem_total.unwrap_or_default()).unwrap_or_default(),
            remapped_users: options
                .iter()
                .any(|o| o.contains("name=userns") || o.contains("name=rootless")),
            certificates: client.certificates(),
        },
        containers,
        unread,
        networks,
        images: convert::images(images?),
        state,
        lock: locked?,
        folders: folders?,
        own_certificates: secrets.certificates,
        secret_digests: secrets.digests,
        secret_errors: secrets.errors,
        secrets_withheld: secrets.withheld,
        differs,
    })
}

/// [`scan`], within [`HOST_DEADLINE`]. A connection that has to be made meanwhile, which may ask the
/// operator, has its own.
///
/// # Errors
/// Those of [`scan`], or that it took too long.
pub async fn scan_in_time(
    client: &Client,
    host: &Host,
    fleet: &Fleet,
    secrets: Option<&dyn SecretSource>,
    inspect: &Inspect,
) -> Result<ObservedHost, engine::Error> {
    let looking = Box::pin(scan(client, host, fleet, secrets, inspect));
    client
        .within(HOST_DEADLINE, "look at the whole host", looking)
        .await
}

/// Who holds the fleet's lock. Asks only where there is one.
async fn holder(
    client: &Client,
    containers: &[ObservedContainer],
    fleet: &Name,
) -> Result<Option<Holder>, engine::Error> {
    let mut all = containers.iter();
    match all.find(|c| whose(c, fleet) == Some(Whose::Lock)) {
        Some(found) => lock::read(client, &found.id, &found.labels).await,
        None => Ok(None),
    }
}

/// A limit that the host's kernel cannot keep is dropped by the engine: that it is not there says
/// nothing, and setting it again would not help.
fn unenforced(info: &SystemInfo, recorded: &Limits, live: &mut Limits) {
    if info.memory_limit == Some(false) {
        live.memory = recorded.memory;
    }
    if info.cpu_cfs_quota == Some(false) {
        live.nano_cpus = recorded.nano_cpus;
    }
    if info.pids_limit == Some(false) {
        live.pids = recorded.pids;
    }
}

/// What of a host can be looked at now.
fn reach(client: &Client, containers: &[ObservedContainer], toolbox: &str, fleet: &Name) -> Reach {
    let mut all = containers.iter();
    let toolbox = all.any(|c| c.id == toolbox && c.is_running());
    Reach {
        commands: client.gate().mode() == Mode::Full && toolbox,
        router: whose::router(containers, fleet).is_some_and(|c| c.is_running()),
    }
}

fn has_name(containers: &[ObservedContainer], id: &str, name: &str) -> bool {
    containers.iter().any(|c| c.id == id && c.name == name)
}

/// Damage is an observation; only an engine that does not answer is an error.
fn read_state(read: Result<StateRead, ToolboxError>) -> Result<StateRead, engine::Error> {
    match read {
        Ok(state) => Ok(state),
        Err(ToolboxError::Engine(e)) => Err(e),
        Err(other) => Ok(StateRead::Damaged {
            why: other.to_string(),
        }),
    }
}

/// Who owns the `www` of sites that have no record. Reads the archive's first header only.
async fn owners(
    toolbox: &Toolbox,
    sites: &[&Name],
) -> Result<BTreeMap<Name, Owner>, engine::Error> {
    let asking = sites.iter().map(|site| head(toolbox, site));
    let heads = some_at_once(asking.collect()).await;
    let mut owners = BTreeMap::new();
    for (site, head) in heads {
        match head {
            Ok(Some(entry)) if entry.kind == Kind::Folder => {
                owners.insert(
                    site.clone(),
                    Owner {
                        uid: entry.uid,
                        gid: entry.gid,
                    },
                );
            }
            // What is no folder is refused when the folder is to be made; unreadable likewise.
            Ok(_) | Err(ToolboxError::Garbled { .. } | ToolboxError::Script { .. }) => {}
            Err(ToolboxError::Engine(e)) => return Err(e),
        }
    }
    Ok(owners)
}

async fn head<'a>(
    toolbox: &Toolbox,
    site: &'a Name,
) -> (&'a Name, Result<Option<Entry>, ToolboxError>) {
    (site, toolbox.head(&toolbox.layout.www(site)).await)
}

/// Lets a few of many run at the same time. (Futures are collected first: a stream that makes them
/// out of borrowed items cannot be sent between threads.)
async fn some_at_once<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    stream::iter(futures)
        .buffer_unordered(AT_ONCE)
        .collect()
        .await
}

async fn inspect_some(
    client: &Client,
    containers: &[ObservedContainer],
    fleet: &Fleet,
    state: Option<&HostState>,
    inspect: &Inspect,
) -> Result<Vec<(usize, Result<super::model::Inspected, String>)>, engine::Error> {
    let wanted = containers.iter().enumerate();
    let wanted = wanted.filter(|(_, c)| needs_inspect(c, &fleet.name, state, inspect));
    let wanted = wanted.map(|(at, c)| (at, c.id.clone(), is_foreign(c)));
    // One at a time is taken out of its answer, which is far larger than what is kept of it.
    let asking = stream::iter(wanted.collect::<Vec<_>>()).map(|(at, id, foreign)| {
        let client = client.clone();
        async move {
            match client.inspect(&id).await {
                Ok(facts) => Ok(Some((
                    at,
                    Ok(convert::inspected(
                        &facts,
                        &client.version().version,
                        foreign,
                    )),
                ))),
                // Gone since the list.
                Err(e) if e.is_not_found() => Ok(None),
                // One that cannot be read hides none of the others.
                Err(e) if e.is_nonsense() => Ok(Some((at, Err(e.to_string())))),
                Err(e) => Err(e),
            }
        }
    });
    let answers = asking.buffer_unordered(AT_ONCE);
    answers
        .try_filter_map(async |found| Ok(found))
        .try_collect()
        .await
}

/// Whether the list does not say enough about a container.
fn needs_inspect(
    container: &ObservedContainer,
    fleet: &Name,
    state: Option<&HostState>,
    inspect: &Inspect,
) -> bool {
    let what = whose(container, fleet);
    let ours = what.is_some() || whose::renamed(container, fleet, state).is_some();
    let ended = matches!(
        container.run,
        RunState::Exited | RunState::Dead | RunState::Restarting
    );
    match inspect {
        Inspect::Ours if ours => true,
        Inspect::And(ids) if ids.contains(&container.id) => true,
        _ => ours && ended && what != Some(Whose::Lock),
    }
}

/// What is known of secrets at their sources.
#[derive(Default)]
struct AtSources {
    certificates: BTreeMap<Name, Result<CertificateFacts, String>>,
    digests: BTreeMap<Name, BTreeMap<String, String>>,
    errors: BTreeMap<Name, String>,
    withheld: BTreeMap<Name, Vec<String>>,
}

/// The operator's own certificates as they are in their files now. Keys go no further than this.
async fn own_certificates(
    host: &Host,
    fleet: &Fleet,
    source: Option<&dyn SecretSource>,
) -> BTreeMap<Name, Result<CertificateFacts, String>> {
    let Some(source) = source else {
        return BTreeMap::new();
    };
    let own = |site: &&Site| {
        matches!(site.certificate(), Certificate::Own { .. })
            && site.state != SiteState::Archived
            && source.wants(site)
    };
    let asking = fleet.sites_on(&host.name).filter(own).map(|site| async {
        let read = own::read(source, site, Utc::now().timestamp()).await;
        (site.name.clone(), read.map(|own| own.facts))
    });
    some_at_once(asking.collect()).await.into_iter().collect()
}

/// Digests of the secrets' bytes as they are at their sources now.
async fn secret_digests(
    host: &Host,
    fleet: &Fleet,
    state: &StateRead,
    source: Option<&dyn SecretSource>,
) -> AtSources {
    let mut found = AtSources {
        certificates: own_certificates(host, fleet, source).await,
        ..AtSources::default()
    };
    let records = state.read();
    let key = records
        .and_then(|s| s.host.as_ref())
        .map(|h| h.digest_key.as_str());
    let sites = fleet.sites_on(&host.name).filter(|s| !s.secrets.is_empty());
    match source {
        None => {
            for site in sites {
                if let Some(record) = records.and_then(|s| s.sites.get(&site.name)) {
                    found
                        .digests
                        .insert(site.name.clone(), record.secrets.clone());
                }
            }
        }
        Some(source) => {
            let mut asking = Vec::new();
            for site in sites {
                // Only a site that is to run has its secrets written.
                if site.state != SiteState::Running || !source.wants(site) {
                    if let Some(record) = records.and_then(|s| s.sites.get(&site.name)) {
                        let kept = record.secrets.clone();
                        found.digests.insert(site.name.clone(), kept);
                    }
                    continue;
                }
                asking.push(async move { (site, secrets::read_some(source, site).await) });
            }
            let read = some_at_once(asking).await;
            for (site, secrets) in read {
                let name = site.name.clone();
                let (secrets, withheld) = match secrets {
                    Ok(read) => read,
                    Err(error) => {
                        found.errors.insert(name, error.to_string());
                        continue;
                    }
                };
                if !withheld.is_empty() {
                    let told = withheld
                        .iter()
                        .map(|it| format!("secret {}, {}", it.name, it.why));
                    found.withheld.insert(name.clone(), told.collect());
                }
                // Readable, but the host has no key yet: apply makes both.
                if let Some(key) = key {
                    let digests = secrets::digests(key, &name, &secrets);
                    found.digests.insert(name, digests);
                }
            }
        }
    }
    found
}

/// Looks at all hosts of a fleet at once. A host that cannot be reached, or takes longer than
/// [`HOST_DEADLINE`], delays nobody and is observed as unreachable; one whose login asks the
/// operator is waited for. The connections made are handed back, for apply to use.
pub async fn scan_fleet<C, F>(
    fleet: &Fleet,
    connect: C,
    secrets: Option<&dyn SecretSource>,
    inspect: &Inspect,
) -> (Observed, BTreeMap<Name, Client>)
where
    C: Fn(&Host) -> F,
    F: Future<Output = Result<Client, engine::Error>>,
{
    let scans = fleet.hosts.values().map(|host| {
        let connecting = connect(host);
        async move {
            // A question outlives whoever waited for its answer: nothing here may give up waiting.
            let look = async {
                let client = connecting.await?;
                let found = scan_in_time(&client, host, fleet, secrets, inspect).await?;
                Ok::<_, engine::Error>((client, found))
            };
            let result = look.await.map_err(|e| e.to_string());
            (host.name.clone(), result)
        }
    });
    let mut observed = Observed {
        lineage: Lineage::default(),
        ..Observed::default()
    };
    let mut clients = BTreeMap::new();
    for (name, result) in join_all(scans).await {
        let observation = match result {
            Ok((client, found)) => {
                clients.insert(name.clone(), client);
                HostObservation::Reached(std::sync::Arc::new(found))
            }
            Err(why) => HostObservation::Unreachable { why },
        };
        observed.hosts.insert(name, observation);
    }
    (observed, clients)
}

#[cfg(test)]
mod tests {

    use tokio::time::sleep;

    use super::*;
    use crate::engine::Gate;
    use crate::sim::Sim;

    /// Longer than any deadline: the operator went for the piece of paper.
    const AWAY: Duration = Duration::from_secs(600);

    fn fleet() -> Fleet {
        let text = "fleet: lab\nhosts: { web1: { engine: 'unix:///nowhere.sock' } }\nsites: {}\n";
        let loaded = crate::fleet::load(text, std::path::Path::new("fleet.yml"));
        loaded.unwrap().fleet
    }

    async fn is_reached<F>(connect: impl Fn(&Host) -> F) -> bool
    where
        F: Future<Output = Result<Client, engine::Error>>,
    {
        let (observed, clients) = scan_fleet(&fleet(), connect, None, &Inspect::Needed).await;
        let reached = observed.hosts.values().all(|h| h.reached().is_some());
        assert_eq!(reached, clients.len() == 1, "{observed:?}");
        reached
    }

    #[tokio::test(start_paused = true)]
    async fn a_login_that_asks_is_waited_for() {
        let sim = Sim::new(3);
        let connect = |_: &Host| {
            let sim = sim.clone();
            async move {
                sleep(AWAY).await;
                Client::over(sim.connector(), sim.address(), Gate::full()).await
            }
        };
        assert!(is_reached(connect).await);
    }
}

//! Reads what was applied, and commits the fleet file, beside the interface.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;

use crate::apply::journal;
use crate::apply::journal::Entry;
use crate::console::activity::Commit;
use crate::console::message::Told;
use crate::engine::Client;
use crate::fleet::{Fleet, Name};
use crate::host::Toolbox;
use crate::observe::model::Observed;
use crate::record::{Layout, names};
use crate::walk::{commit, history};

/// How long one host may take to tell.
const HOST_DEADLINE: Duration = Duration::from_secs(25);

/// The operator's own journals and those of all hosts that answer, put together.
pub(super) async fn read(
    fleet: Arc<Fleet>,
    observed: Observed,
    clients: BTreeMap<Name, Client>,
    state: Option<PathBuf>,
) -> Told {
    let mut told = Told::default();
    let mut own = Vec::new();
    if let Some(state) = state {
        let (folder, name) = (state.join("journal"), fleet.name.clone());
        let reading = move || journal::read_folder(&folder, &name);
        match tokio::task::spawn_blocking(reading).await {
            Ok(Ok(entries)) => own = entries,
            Ok(Err(e)) => told.unanswered.push(("this machine".into(), e.to_string())),
            Err(_) => told
                .unanswered
                .push(("this machine".into(), "its journals cannot be read".into())),
        }
    }
    let asking = fleet.hosts.values().map(|host| {
        let toolbox = clients.get(&host.name).map(|client| Toolbox {
            client: client.clone(),
            id: names::toolbox(&fleet.name),
            layout: Layout::new(&host.root),
        });
        async move { (host.name.clone(), of_host(toolbox).await) }
    });
    let mut hosts = Vec::new();
    for (host, answer) in join_all(asking).await {
        match answer {
            Ok(entries) => hosts.push((host, entries)),
            Err(why) => told.unanswered.push((host.to_string(), why)),
        }
    }
    let locks = observed.hosts.values().filter_map(|h| h.reached());
    let running: BTreeSet<String> = locks
        .filter_map(|seen| seen.lock.as_ref().filter(|lock| !lock.is_stale()))
        .map(|lock| lock.run.clone())
        .collect();
    told.applies = history::merge(own, hosts, &running);
    told
}

async fn of_host(toolbox: Option<Toolbox>) -> Result<Vec<Entry>, String> {
    let Some(toolbox) = toolbox else {
        return Err("it does not answer".into());
    };
    match tokio::time::timeout(HOST_DEADLINE, journal::read_host(&toolbox)).await {
        Ok(answer) => answer.map_err(|e| e.to_string()),
        Err(_) => Err(format!("no answer within {} s", HOST_DEADLINE.as_secs())),
    }
}

/// Commits the fleet file; says how that went.
pub(super) async fn commit_file(path: &Path, message: &str) -> Commit {
    match commit::commit(path, message).await {
        Ok((name, _)) => Commit::Done(name),
        Err(error) => Commit::Failed(error.to_string()),
    }
}

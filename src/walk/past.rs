//! What was applied, read from the operator's own journals and those of all hosts, at once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use futures_util::future::join_all;

use super::history::{self, Past};
use super::look::Reach;
use crate::apply::journal::{self, Entry};
use crate::apply::lock;
use crate::engine::Client;
use crate::fleet::{Fleet, Host, Name};
use crate::host::Toolbox;
use crate::observe::scan::HOST_DEADLINE;
use crate::record::{Layout, names};

/// What the journals told.
#[derive(Debug, Clone, Default)]
pub struct Told {
    /// Applies, newest first.
    pub applies: Vec<Past>,
    /// Hosts whose journals could not be read, and why: what only they know is missing.
    pub unanswered: BTreeMap<Name, String>,
    /// Why the operator's own journals could not be read.
    pub own: Option<String>,
}

/// Reads all journals. `state`: the operator's state directory.
pub async fn read(fleet: &Arc<Fleet>, state: Option<&Path>, reach: &Reach) -> Told {
    let mut told = Told::default();
    let mut own = Vec::new();
    if let Some(state) = state {
        let (folder, name) = (state.join("journal"), fleet.name.clone());
        let reading = move || journal::read_folder(&folder, &name);
        match tokio::task::spawn_blocking(reading).await {
            Ok(Ok(entries)) => own = entries,
            Ok(Err(error)) => told.own = Some(error.to_string()),
            Err(error) => told.own = Some(error.to_string()),
        }
    }
    let asking = fleet.hosts.values().map(|host| async move {
        let answer = of_host(fleet, host, reach).await;
        (host.name.clone(), answer)
    });
    let mut hosts = Vec::new();
    let mut running = BTreeSet::new();
    for (host, answer) in join_all(asking).await {
        match answer {
            Ok((entries, held)) => {
                running.extend(held);
                hosts.push((host, entries));
            }
            Err(why) => {
                told.unanswered.insert(host, why);
            }
        }
    }
    told.applies = history::merge(own, hosts, &running);
    told
}

async fn client(host: &Host, reach: &Reach) -> Result<Client, String> {
    match reach {
        Reach::Anew(connect) => connect(host).await.map_err(|error| error.to_string()),
        Reach::Known(known) => match known.clients.get(&host.name) {
            Some(client) => Ok(client.clone()),
            None => Err("it does not answer".into()),
        },
    }
}

/// A host's journals, and the apply that holds its lock now.
async fn of_host(
    fleet: &Fleet,
    host: &Host,
    reach: &Reach,
) -> Result<(Vec<Entry>, Option<String>), String> {
    let client = client(host, reach).await?;
    let toolbox = Toolbox {
        client: client.clone(),
        id: names::toolbox(&fleet.name),
        layout: Layout::new(&host.root),
    };
    // Connecting has its own deadlines, and none while the operator is asked.
    let reading = async {
        let holder = lock::holder(&client, &fleet.name);
        Ok(futures_util::join!(journal::read_host(&toolbox), holder))
    };
    let read = client
        .within(HOST_DEADLINE, "read its journals", Box::pin(reading))
        .await;
    let (entries, held) = read.map_err(|error| error.to_string())?;
    let held = held.map_err(|error| error.to_string())?;
    let held = held.filter(|holder| !holder.is_stale());
    let entries = entries.map_err(|error| error.to_string())?;
    Ok((entries, held.map(|holder| holder.run)))
}

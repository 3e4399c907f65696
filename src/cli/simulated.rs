//! Fleets on simulated hosts, for the demo.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Failure;
use crate::apply::{self, Operator, Pace};
use crate::engine::{Client, Error, Gate, Mode};
use crate::fleet::{Name, file_hash};
use crate::observe::scan::{Inspect, scan_fleet};
use crate::plan;
use crate::sim::Sim;
use crate::walk::lineage;
use crate::walk::{FleetFile, Trust};

/// Simulated hosts by name.
pub type Hosts = BTreeMap<Name, Sim>;

/// A connection to a simulated host.
pub async fn connect(sim: Option<Sim>, address: String, mode: Mode) -> Result<Client, Error> {
    match sim {
        Some(sim) => Client::over(sim.connector(), sim.address(), Gate::new(mode)).await,
        // A host that was added to the file while trying things out.
        None => Err(Error::Unsupported {
            address,
            why: "the demo simulates web1, web2 and web3 only".to_owned(),
        }),
    }
}

/// Connections that may change things, one to each.
pub async fn clients(hosts: &Hosts) -> Result<BTreeMap<Name, Client>, Failure> {
    let mut clients = BTreeMap::new();
    for (name, sim) in hosts {
        let client = Client::over(sim.connector(), sim.address(), Gate::full()).await?;
        clients.insert(name.clone(), client);
    }
    Ok(clients)
}

/// Brings a fleet to simulated hosts by the walk that a real one takes, as if at `now` (unix
/// seconds). The operator's own record of it is kept below `folder`.
pub async fn apply(
    file: &FleetFile,
    folder: &Path,
    hosts: &Hosts,
    now: i64,
) -> Result<(), Failure> {
    let secrets = file.secrets(&Trust::always());
    let connect = |host: &crate::fleet::Host| {
        let sim = hosts.get(&host.name).cloned();
        let address = host.engine.to_string();
        async move { connect(sim, address, Mode::Full).await }
    };
    let (observed, clients) =
        scan_fleet(&file.fleet, connect, Some(&*secrets), &Inspect::Needed).await;
    let bytes = file.source.clone().into_bytes();
    let plan = plan::plan(&file.fleet, &file_hash(&bytes), &observed, &[], now);
    let ground = apply::Context {
        fleet: file.fleet.clone(),
        fleet_bytes: Arc::new(bytes),
        commit: None,
        clients,
        secrets,
        operator: Operator::current(),
        // Nothing is spared: these hosts bear anything.
        pace: Pace {
            changing: 64,
            starts: 64,
            ..Pace::default()
        },
        wait_for_lock: Duration::from_secs(1),
        journal: None,
        stop_after: None,
    };
    let (sender, events) = tokio::sync::mpsc::unbounded_channel();
    drop(events);
    let outcome = apply::run(&plan, &ground, sender, CancellationToken::new()).await;
    // The hosts keep what was applied: the console must not take its own file for a stranger's.
    let state = folder.join("state");
    let bytes = ground.fleet_bytes.as_slice();
    lineage::remember(&state, &file.path, bytes, &file.fleet)
        .map_err(|error| Failure::new(format!("cannot write {}: {error}", state.display())))?;
    match outcome.tally().failed + outcome.hosts.len() {
        0 => Ok(()),
        _ => Err(failed(&outcome)),
    }
}

fn failed(outcome: &apply::Outcome) -> Failure {
    let failure = Failure::new("the simulated fleet could not be brought up");
    let lines = outcome
        .operations
        .iter()
        .filter_map(|(id, ended)| match &ended.outcome {
            apply::OperationOutcome::Failed { failure } => Some(format!("{id}: {failure}")),
            _ => None,
        });
    let hosts = outcome
        .hosts
        .iter()
        .map(|(host, failure)| format!("{host}: {failure}"));
    Failure {
        causes: lines.chain(hosts).collect(),
        ..failure
    }
}

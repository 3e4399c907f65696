//! Workers that watch the hosts, one each, and only send messages. A host that hangs or is away
//! delays nobody but itself.

mod certificates;
mod heard;
mod host;
mod measure;
pub mod numbers;
mod prober;
pub mod shared;
#[cfg(test)]
mod tests;
mod worker;

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::effect::Watch;
use super::lock::lock;
use super::message::{HostNews, Message};
use super::question::Desk;
use shared::Shared;

use crate::engine::Client;
use crate::fleet::{Fleet, Host, Name};
use crate::observe::model::{HostObservation, Observed, ObservedHost};
use crate::walk::certificates::Rounds;
use crate::walk::look::Connect;

/// The workers.
pub struct Feed {
    shared: Shared,
    fleet: watch::Sender<Arc<Fleet>>,
    watch: watch::Sender<Watch>,
    refresh: watch::Sender<u64>,
    workers: BTreeMap<Name, (Host, AbortHandle)>,
}

impl Feed {
    /// Begins to watch all hosts of a fleet.
    pub fn new(
        fleet: Arc<Fleet>,
        lone: bool,
        on_call: bool,
        connect: Connect,
        desk: Arc<Desk>,
        rounds: Rounds,
        messages: UnboundedSender<Message>,
    ) -> Feed {
        let (fleet_out, fleet_in) = watch::channel(fleet.clone());
        let (watch_out, watch_in) = watch::channel(Watch::default());
        let (refresh_out, refresh_in) = watch::channel(0);
        let mut feed = Feed {
            shared: Shared {
                connect,
                messages,
                fleet: fleet_in,
                watch: watch_in,
                refresh: refresh_in,
                known: Arc::default(),
                number: 0,
                desk,
                rounds,
                lone,
                on_call,
            },
            fleet: fleet_out,
            watch: watch_out,
            refresh: refresh_out,
            workers: BTreeMap::new(),
        };
        feed.set_fleet(fleet);
        feed
    }

    /// The fleet file says something else now: hosts come, go, or are reached differently.
    pub fn set_fleet(&mut self, fleet: Arc<Fleet>) {
        self.workers.retain(|name, (host, worker)| {
            let same = fleet.hosts.get(name).is_some_and(|now| now.is_where(host));
            if !same {
                worker.abort();
            }
            same
        });
        let mut replaced = Vec::new();
        {
            let mut known = lock(&self.shared.known);
            let known = &mut *known;
            known.workers.retain(|name, _| {
                let stays = self.workers.contains_key(name);
                if !stays && fleet.hosts.contains_key(name) {
                    replaced.push(name.clone());
                }
                stays
            });
            // What was found on another machine of the same name says nothing about this one.
            let hosts = &mut known.observed.hosts;
            hosts.retain(|n, _| known.workers.contains_key(n));
            known.clients.retain(|n, _| known.workers.contains_key(n));
        }
        // Nobody listens when there is no host.
        let _ = self.fleet.send(fleet.clone());
        for (name, host) in &fleet.hosts {
            if self.workers.contains_key(name) {
                continue;
            }
            self.shared.number += 1;
            let number = self.shared.number;
            lock(&self.shared.known)
                .workers
                .insert(name.clone(), number);
            if replaced.contains(name) {
                self.shared.send(name, HostNews::Replaced);
            }
            let task = tokio::spawn(host::watch_host(self.shared.clone(), host.clone()));
            self.workers
                .insert(name.clone(), (host.clone(), task.abort_handle()));
        }
    }

    /// These numbers are on screen now.
    pub fn watch(&self, watch: Watch) {
        let _ = self.watch.send(watch);
    }

    /// Looks at all hosts again, at once. Those that are away are tried again, and may ask what
    /// the operator refused to answer.
    pub fn refresh(&self) {
        self.shared.desk.ask_again();
        self.refresh.send_modify(|times| *times += 1);
    }

    /// What was last found on every host, to be taken where time does not matter: it is a copy of
    /// all that is known. Hosts that were not reached yet are said to be so.
    pub fn observing(&self) -> impl FnOnce() -> Observed + Send + 'static {
        let known = self.shared.known.clone();
        let names: Vec<Name> = self.workers.keys().cloned().collect();
        move || {
            let mut observed = lock(&known).observed.clone();
            for name in names {
                observed
                    .hosts
                    .entry(name)
                    .or_insert_with(|| HostObservation::Unreachable {
                        why: "it has not been looked at yet".into(),
                    });
            }
            observed
        }
    }

    /// What was last found on a host that answers.
    pub fn seen(&self, host: &Name) -> Option<Arc<ObservedHost>> {
        match lock(&self.shared.known).observed.hosts.get(host)? {
            HostObservation::Reached(seen) => Some(seen.clone()),
            HostObservation::Unreachable { .. } => None,
        }
    }

    /// The hosts, as they are reached: the fleet file may say something else by now.
    pub fn hosts(&self) -> BTreeMap<Name, Host> {
        let hosts = self.workers.iter();
        hosts
            .map(|(name, (host, _))| (name.clone(), host.clone()))
            .collect()
    }

    /// Connections to the hosts that answer.
    pub fn clients(&self) -> BTreeMap<Name, Client> {
        lock(&self.shared.known).clients.clone()
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        for (_, worker) in self.workers.values() {
            worker.abort();
        }
    }
}

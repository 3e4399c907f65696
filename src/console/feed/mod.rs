//! Workers that watch the hosts, one each, and only send messages. A host that hangs or is away
//! delays nobody but itself.

mod host;
pub mod numbers;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;

use super::effect::Watch;
use super::message::Message;
use super::question::Desk;
use crate::engine::{self, Client};
use crate::fleet::{Fleet, Host, Name};
use crate::observe::model::{HostObservation, Observed};

/// How a host is connected to; the real one, or a simulated one.
pub type Connect =
    Arc<dyn Fn(&Host) -> BoxFuture<'static, Result<Client, engine::Error>> + Send + Sync>;

/// What workers share.
#[derive(Clone)]
struct Shared {
    connect: Connect,
    messages: UnboundedSender<Message>,
    fleet: watch::Receiver<Arc<Fleet>>,
    watch: watch::Receiver<Watch>,
    /// Rings when hosts are to be looked at again at once.
    refresh: Arc<Notify>,
    known: Arc<Mutex<Known>>,
    /// Where logins ask the operator.
    desk: Arc<Desk>,
    /// There is no fleet file: every container matters, and is inspected.
    lone: bool,
    on_call: bool,
}

/// What was last found, for plans and applies.
#[derive(Default)]
struct Known {
    observed: Observed,
    clients: BTreeMap<Name, Client>,
}

/// The workers.
pub struct Feed {
    shared: Shared,
    fleet: watch::Sender<Arc<Fleet>>,
    watch: watch::Sender<Watch>,
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
        messages: UnboundedSender<Message>,
    ) -> Feed {
        let (fleet_out, fleet_in) = watch::channel(fleet.clone());
        let (watch_out, watch_in) = watch::channel(Watch::default());
        let mut feed = Feed {
            shared: Shared {
                connect,
                messages,
                fleet: fleet_in,
                watch: watch_in,
                refresh: Arc::new(Notify::new()),
                known: Arc::default(),
                desk,
                lone,
                on_call,
            },
            fleet: fleet_out,
            watch: watch_out,
            workers: BTreeMap::new(),
        };
        feed.set_fleet(fleet);
        feed
    }

    /// The fleet file says something else now: hosts come, go, or are reached differently.
    pub fn set_fleet(&mut self, fleet: Arc<Fleet>) {
        self.workers.retain(|name, (host, worker)| {
            let same = fleet
                .hosts
                .get(name)
                .is_some_and(|now| now.engine == host.engine && now.root == host.root);
            if !same {
                worker.abort();
            }
            same
        });
        {
            let mut known = lock(&self.shared.known);
            known
                .observed
                .hosts
                .retain(|n, _| fleet.hosts.contains_key(n));
            known.clients.retain(|n, _| self.workers.contains_key(n));
        }
        // Nobody listens when there is no host.
        let _ = self.fleet.send(fleet.clone());
        for (name, host) in &fleet.hosts {
            if !self.workers.contains_key(name) {
                let task = tokio::spawn(host::watch_host(self.shared.clone(), host.clone()));
                self.workers
                    .insert(name.clone(), (host.clone(), task.abort_handle()));
            }
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
        self.shared.refresh.notify_waiters();
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

fn lock(known: &Mutex<Known>) -> std::sync::MutexGuard<'_, Known> {
    // What was found stays right when a holder panicked.
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

//! What the workers of all hosts share.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;

use crate::console::effect::Watch;
use crate::console::lock::lock;
use crate::console::message::{HostNews, Message};
use crate::console::question::Desk;
use crate::engine::Client;
use crate::fleet::{Fleet, Name};
use crate::observe::model::Observed;
use crate::walk::certificates::Rounds;
use crate::walk::look::Connect;

/// What workers share.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) connect: Connect,
    pub(super) messages: UnboundedSender<Message>,
    pub(super) fleet: watch::Receiver<Arc<Fleet>>,
    pub(super) watch: watch::Receiver<Watch>,
    /// Counts how often the operator wanted hosts to be looked at again at once. A worker that is
    /// busy meanwhile finds it counted.
    pub(super) refresh: watch::Receiver<u64>,
    pub(super) known: Arc<Mutex<Known>>,
    /// Which worker this is.
    pub(super) number: u64,
    /// Where logins ask the operator.
    pub(super) desk: Arc<Desk>,
    /// Which certificates are stored, loaded and served.
    pub(super) rounds: Rounds,
    /// There is no fleet file: every container matters, and is inspected.
    pub(super) lone: bool,
    pub(super) on_call: bool,
}

/// What was last found, for plans and applies.
#[derive(Default)]
pub(super) struct Known {
    pub(super) observed: Observed,
    pub(super) clients: BTreeMap<Name, Client>,
    /// Whose word counts: a worker that was replaced may not have stopped yet.
    pub(super) workers: BTreeMap<Name, u64>,
}

impl Shared {
    /// What is known, for the worker of a host to add to; none once it was replaced.
    pub(super) fn known(&self, host: &Name) -> Option<MutexGuard<'_, Known>> {
        let known = lock(&self.known);
        (known.workers.get(host) == Some(&self.number)).then_some(known)
    }

    /// Tells the console, unless another worker does by now.
    pub(super) fn send(&self, host: &Name, news: HostNews) {
        if let Some(_known) = self.known(host) {
            // The console has ended when nobody listens.
            let _ = self.messages.send(Message::Host(host.clone(), news));
        }
    }
}

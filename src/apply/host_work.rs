//! The work on one host while a plan runs: what its operations share, from the lock to the desk
//! where changes of routes queue up.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock};

use tokio_util::sync::CancellationToken;

use super::authority::{Accounts, Peers};
use super::certificates::Certificates;
use super::context::{Context, Operator};
use super::desk::Desk;
use super::lock::{Lock, LockError};
use super::progress::Failure;
use crate::engine::Client;
use crate::fleet::{Fleet, Host, Name};
use crate::host::Toolbox;
use crate::host::service::secrets::SecretSource;
use crate::plan::OperationKind;
use crate::record::{Layout, SiteRecord, names};
use crate::text::plain;

/// Says it in a record.
type Told = Box<dyn Fn(&mut SiteRecord) + Send>;

/// What the operations of one host share.
pub(super) struct HostWork {
    pub name: Name,
    pub host: Host,
    pub fleet: Arc<Fleet>,
    pub client: Client,
    pub toolbox: Toolbox,
    pub cancel: CancellationToken,
    /// Whether the journal's last word was put; taken while the file is written.
    pub journal_ended: tokio::sync::Mutex<bool>,
    /// What the host was applied from before this run.
    pub before: OnceLock<(String, Option<String>)>,
    /// Name of this run in the journals.
    pub run: String,
    pub fleet_bytes: Arc<Vec<u8>>,
    pub commit: Option<String>,
    pub operator: Operator,
    pub secrets: Arc<dyn SecretSource>,
    lock: OnceLock<Lock>,
    pub desk: Desk,
    pub certificates: Certificates,
    /// Nothing of an order of somebody's who was killed is left in the router.
    pub challenges_cleared: tokio::sync::OnceCell<()>,
    /// The account at the certificate authority, for all hosts of this run.
    pub accounts: Arc<Accounts>,
    /// Toolboxes of the other hosts.
    pub peers: Peers,
    /// What services have to say in the records of sites that the plan could not know.
    told: Mutex<BTreeMap<Name, Vec<Told>>>,
}

impl HostWork {
    /// `None` when the host is not connected or not in the fleet.
    pub fn new(
        name: &Name,
        context: &Context,
        run: &str,
        cancel: &CancellationToken,
        accounts: &Arc<Accounts>,
    ) -> Option<HostWork> {
        let host = context.fleet.hosts.get(name)?.clone();
        let client = context.clients.get(name)?.clone();
        let toolbox_of = |host: &Host, client: &Client| Toolbox {
            client: client.clone(),
            id: names::toolbox(&context.fleet.name),
            layout: Layout::new(&host.root),
        };
        let toolbox = toolbox_of(&host, &client);
        let others = context.clients.iter().filter(|(other, _)| *other != name);
        let peers = others.filter_map(|(other, client)| {
            let host = context.fleet.hosts.get(other)?;
            Some(toolbox_of(host, client))
        });
        Some(HostWork {
            name: name.clone(),
            host,
            fleet: context.fleet.clone(),
            client,
            toolbox,
            cancel: cancel.clone(),
            journal_ended: tokio::sync::Mutex::new(false),
            before: OnceLock::new(),
            run: run.to_owned(),
            fleet_bytes: context.fleet_bytes.clone(),
            commit: context.commit.clone(),
            operator: context.operator.clone(),
            secrets: context.secrets.clone(),
            lock: OnceLock::new(),
            desk: Desk::default(),
            certificates: Certificates::default(),
            challenges_cleared: tokio::sync::OnceCell::new(),
            accounts: accounts.clone(),
            peers: Arc::new(peers.collect()),
            told: Mutex::default(),
        })
    }

    /// Says in the record of `site`, when it is written, what the plan could not know.
    pub fn tell(&self, site: &Name, told: impl Fn(&mut SiteRecord) + Send + 'static) {
        if let Ok(mut all) = self.told.lock() {
            all.entry(site.clone()).or_default().push(Box::new(told));
        }
    }

    /// What was told of `site`, said in its record.
    pub fn say_in(&self, site: &Name, record: &mut SiteRecord) {
        if let Ok(all) = self.told.lock() {
            all.get(site)
                .into_iter()
                .flatten()
                .for_each(|told| told(record));
        }
    }

    /// Keeps the lock until the host is closed.
    pub fn hold(&self, lock: Lock) {
        // A host is locked once.
        let _ = self.lock.set(lock);
    }

    /// Makes sure that the lock is still held, before something is changed.
    pub async fn check_lock(&self, kind: &OperationKind) -> Result<(), Failure> {
        if !kind.facts().changes() {
            return Ok(());
        }
        let Some(lock) = self.lock.get() else {
            return Err(Failure::new("the host is not locked"));
        };
        match lock.check().await {
            Ok(()) => Ok(()),
            Err(LockError::Engine(e)) => Err(self.or_gone(e.into()).await),
            Err(e @ LockError::Lost) => Err(Failure {
                // Somebody else is at work: nothing more may be changed here.
                unreachable: true,
                ..Failure::new(e.to_string()).remedy("plan again when they are done")
            }),
            Err(other) => Err(Failure::new(plain(&other.to_string()))),
        }
    }

    /// Slow, or gone? Nobody needs to run into the same wall a hundred times.
    pub async fn or_gone(&self, mut failure: Failure) -> Failure {
        if !failure.unreachable && self.client.ping().await.is_err() {
            failure.unreachable = true;
        }
        failure
    }

    /// Gives the lock back.
    pub async fn release(&self) -> Result<(), LockError> {
        match self.lock.get() {
            Some(lock) => lock.release().await,
            None => Ok(()),
        }
    }

    /// Leaves the lock as a killed process does.
    pub fn abandon(&self) {
        if let Some(lock) = self.lock.get() {
            lock.abandon();
        }
    }
}

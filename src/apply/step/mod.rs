//! One small function per kind of operation. Each may be run again after it was cut off, and then
//! finishes what was begun.

mod container;
mod folder;
mod host;
mod image;
mod ready;
mod record;
mod route;
mod secret;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock};

use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;

use super::lock::{Lock, LockError};
use super::progress::{Failure, Progress, plain};
use super::run::{Context, Operator};
use crate::engine::{self, Client};
use crate::fleet::{Fleet, Host, Name};
use crate::host::Toolbox;
use crate::host::secret::SecretSource;
use crate::plan::{ContainerRef, OperationId, OperationKind};
use crate::record::Layout;
use crate::record::layout::toolbox_name;

/// What the operations of one host share.
pub(super) struct Ground {
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
    fleet_bytes: Arc<Vec<u8>>,
    commit: Option<String>,
    operator: Operator,
    secrets: Arc<dyn SecretSource>,
    lock: OnceLock<Lock>,
    desk: route::Desk,
    /// Digests of the secrets that this run wrote: the plan cannot know them before the host has
    /// its key.
    written: Mutex<BTreeMap<Name, BTreeMap<String, String>>>,
}

impl Ground {
    /// `None` when the host is not connected or not in the fleet.
    pub fn new(
        name: &Name,
        context: &Context,
        run: &str,
        cancel: &CancellationToken,
    ) -> Option<Ground> {
        let host = context.fleet.hosts.get(name)?.clone();
        let client = context.clients.get(name)?.clone();
        let toolbox = Toolbox {
            client: client.clone(),
            id: toolbox_name(&context.fleet.name),
            layout: Layout::new(&host.root),
        };
        Some(Ground {
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
            desk: route::Desk::default(),
            written: Mutex::new(BTreeMap::new()),
        })
    }

    /// Keeps the lock until the host is closed.
    pub fn hold(&self, lock: Lock) {
        // A host is locked once.
        let _ = self.lock.set(lock);
    }

    /// Makes sure that the lock is still held, before something is changed.
    pub async fn check_lock(&self, kind: &OperationKind) -> Result<(), Failure> {
        if matches!(
            kind,
            OperationKind::AwaitReady { .. }
                | OperationKind::AwaitRouter { .. }
                | OperationKind::Drain { .. }
                | OperationKind::CheckPorts { .. }
        ) {
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
    async fn or_gone(&self, mut failure: Failure) -> Failure {
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

/// Tells how far an operation is.
pub(super) struct Say {
    to: UnboundedSender<Progress>,
    id: OperationId,
}

impl Say {
    pub fn new(to: UnboundedSender<Progress>, id: OperationId) -> Say {
        Say { to, id }
    }
    /// One line.
    pub fn step(&self, text: impl AsRef<str>) {
        let _ = self.to.send(Progress::Step {
            id: self.id.clone(),
            text: plain(text.as_ref()).replace('\n', " "),
        });
    }
}

/// What a step answers: a note worth keeping, or why it failed.
type Answer = Result<Option<String>, Failure>;

/// Does one operation.
pub(super) async fn perform(
    kind: &OperationKind,
    site: Option<&Name>,
    ground: &Ground,
    say: &Say,
) -> Answer {
    match dispatch(kind, site, ground, say).await {
        Err(failure) => Err(ground.or_gone(failure).await),
        answer => answer,
    }
}

async fn dispatch(kind: &OperationKind, site: Option<&Name>, ground: &Ground, say: &Say) -> Answer {
    use OperationKind as K;
    match kind {
        K::PullImage { image } => image::pull(ground, image, say).await,
        K::BuildToolbox { image, base } => image::build_toolbox(ground, image, base, say).await,
        K::CreateNetwork {
            name,
            subnet,
            labels,
        } => host::network(ground, name, *subnet, labels).await,
        K::PrepareHost { expect_empty, .. } => host::prepare(ground, *expect_empty).await,
        K::CheckPorts { ports } => host::ports(ground, ports).await,
        K::WriteRouter { config, hash } => route::write(ground, config, hash).await,
        K::CreateFolders {
            site,
            uid,
            placeholder,
        } => folder::create(ground, site, *uid, *placeholder).await,
        K::TakeOwnership { site, from, uid } => folder::own(ground, site, *from, *uid, say).await,
        K::WriteConf { site, hash, files } => folder::write_conf(ground, site, hash, files).await,
        K::CleanConf { site, keep } => folder::clean_conf(ground, site, keep.as_deref()).await,
        K::WriteSecrets {
            site,
            uid,
            digests,
            keep,
        } => secret::write(ground, site, *uid, digests, keep).await,
        K::CreateContainer { container } => container::create(ground, container).await,
        K::StartContainer { container } => container::start(ground, container).await,
        K::AwaitReady {
            container,
            address,
            port,
            path,
            domain,
            timeout_s,
            baseline,
        } => {
            let question = ready::Question {
                address: address.to_string(),
                port: *port,
                path,
                domain,
                timeout_s: *timeout_s,
            };
            ready::site(ground, container, &question, *baseline).await
        }
        K::AwaitRouter { container, port } => ready::router(ground, container, *port).await,
        K::Route { entry } => route::put(ground, entry).await,
        K::Unroute { site } => route::remove(ground, site).await,
        K::Drain { address, at_most_s } => route::drain(ground, *address, *at_most_s).await,
        K::StopContainer { container, grace_s } => {
            container::stop(ground, container, *grace_s).await
        }
        K::RestartContainer { container, grace_s } => {
            container::restart(ground, container, *grace_s).await
        }
        K::RemoveContainer { container, force } => {
            container::remove(ground, container, *force).await
        }
        K::RenameContainer { container, to } => container::rename(ground, container, to).await,
        K::SetLimits {
            container,
            limits,
            was,
        } => container::set_limits(ground, container, limits, was).await,
        K::SetRestart { container, always } => {
            container::set_restart(ground, container, *always).await
        }
        K::WriteRecord { record } => record::write(ground, site, record).await,
        K::SettleRun { run, undone } => record::settle(ground, run, *undone).await,
        K::RecordFleet { hash } => record::fleet(ground, hash).await,
    }
}

/// What the engine knows a container by: its id, when it had one when the plan was made.
fn known_as(container: &ContainerRef) -> &str {
    container.id.as_deref().unwrap_or(&container.name)
}

/// What is not there any more needs not be done.
fn gone_is_fine(result: Result<(), engine::Error>) -> Answer {
    match result {
        Ok(()) => Ok(None),
        Err(e) if e.is_not_found() => Ok(Some("it was gone already".into())),
        Err(e) => Err(e.into()),
    }
}

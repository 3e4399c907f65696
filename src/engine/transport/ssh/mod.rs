//! Engines behind SSH: one TCP connection and one login per host for the whole run.
//!
//! Each connection of the HTTP client is a channel to the Docker socket of the host
//! (`direct-streamlocal`); where the host refuses that, a command there (`docker system dial-stdio`).
//!
//! [`config`] says where a host is and how to log in there; [`login`] logs in on a connection that
//! somebody else made, checking the host's key against [`known_hosts`] and proving who we are with
//! the [`agent`]'s keys, [key files](key_file) or answers of the operator ([`answered`]).
//! [`openssh`] leaves all of that to the system's `ssh`, for what libssh2 cannot do.
//!
//! `door` finds out how a socket is come by. `remote` has the sessions of a host, `jump` the way there,
//! `session` is a handle on one, `owner` makes all calls of libssh2 for it, and a `lane` is one
//! channel as a stream of bytes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::Semaphore;

pub mod agent;
pub mod answered;
mod channel;
pub mod config;
mod door;
mod joint;
mod jump;
pub mod key_file;
pub mod known_hosts;
mod lane;
mod line;
pub mod login;
mod look;
pub mod openssh;
mod owner;
mod remote;
mod session;
mod socket;
mod trouble;

pub use answered::Answered;
pub use config::{Hop, SshOptions};
pub use trouble::{ChangedKey, Trouble};

use super::Connector;
use super::ask::Ask;
use door::Door;
use jump::Bastion;
use remote::{Remote, Target};

/// Logins to one address that may be under way at once: sshd drops some from the eleventh on.
const LOGINS: usize = 4;

/// All SSH sessions of a run. Cheap to clone; clones share them.
#[derive(Clone)]
pub(super) struct Ssh {
    inner: Arc<Inner>,
}

/// The same, for what it keeps itself.
#[derive(Clone)]
struct WeakSsh(Weak<Inner>);

impl WeakSsh {
    fn find(&self) -> Option<Ssh> {
        self.0.upgrade().map(|inner| Ssh { inner })
    }
}

struct Inner {
    options: SshOptions,
    ask: Arc<dyn Ask>,
    answered: Arc<Answered>,
    remotes: Mutex<HashMap<Target, Remote>>,
    /// By the way there, each hop in full.
    bastions: Mutex<HashMap<String, Arc<Bastion>>>,
    /// By the place of a host.
    gates: Mutex<HashMap<String, Arc<Semaphore>>>,
}

impl Ssh {
    pub(super) fn new(options: SshOptions, ask: Arc<dyn Ask>, answered: Arc<Answered>) -> Self {
        Ssh {
            inner: Arc::new(Inner {
                options,
                ask,
                answered,
                remotes: Mutex::default(),
                bastions: Mutex::default(),
                gates: Mutex::default(),
            }),
        }
    }

    /// Connections to the engine behind `socket` on a host, or behind the usual one.
    pub(super) fn connector(
        &self,
        user: Option<&str>,
        host: &str,
        port: Option<u16>,
        socket: Option<&str>,
    ) -> Connector {
        let target = Target {
            user: user.map(str::to_owned),
            host: host.to_owned(),
            port,
        };
        let remote = self.remote(target);
        let door = Arc::new(Door::new(remote, socket.unwrap_or(openssh::SOCKET)));
        // The sessions live as long as the network or any of its connectors.
        let ssh = self.clone();
        Connector::new(move || {
            let (door, ssh) = (door.clone(), ssh.clone());
            async move {
                let entered = door.dial().await;
                drop(ssh);
                entered
            }
        })
    }

    fn remote(&self, target: Target) -> Remote {
        let remotes = &self.inner.remotes;
        let mut remotes = remotes.lock().unwrap_or_else(PoisonError::into_inner);
        let weak = WeakSsh(Arc::downgrade(&self.inner));
        remotes
            .entry(target.clone())
            .or_insert_with(|| Remote::new(weak, target))
            .clone()
    }

    pub(super) fn options(&self) -> &SshOptions {
        &self.inner.options
    }

    pub(super) fn ask(&self) -> &Arc<dyn Ask> {
        &self.inner.ask
    }

    pub(super) fn answered(&self) -> &Arc<Answered> {
        &self.inner.answered
    }

    fn bastion_at(&self, hops: &[Hop]) -> Arc<Bastion> {
        let hop = |hop: &Hop| format!("{} {}@{}:{}", hop.name, hop.user, hop.host, hop.port);
        let way = hops.iter().map(hop).collect::<Vec<_>>().join("\n");
        let bastions = &self.inner.bastions;
        let mut bastions = bastions.lock().unwrap_or_else(PoisonError::into_inner);
        bastions.entry(way).or_default().clone()
    }

    fn gate(&self, hop: &Hop) -> Arc<Semaphore> {
        let gates = &self.inner.gates;
        let mut gates = gates.lock().unwrap_or_else(PoisonError::into_inner);
        gates
            .entry(hop.place())
            .or_insert_with(|| Arc::new(Semaphore::new(LOGINS)))
            .clone()
    }
}

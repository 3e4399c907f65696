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
//! `session` is a handle on one, `owner` makes all calls of libssh2 for it, in whose `strand` a channel
//! is what its user has as a `passage`, a stream of bytes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

pub mod agent;
pub mod answered;
pub mod config;
mod crypto;
mod door;
mod fault;
mod joint;
mod jump;
pub mod key_file;
pub mod known_hosts;
mod line;
pub mod login;
mod look;
pub mod openssh;
pub mod options;
mod order;
mod owner;
mod passage;
mod port;
mod remote;
mod session;
mod socket;
mod strand;
pub mod trouble;

pub use answered::Answered;
pub use options::SshOptions;

use super::ask::Ask;
use super::connector::Connector;
use door::Door;
use jump::Ways;
use port::Ports;
use remote::{Remote, Target};

/// All SSH sessions of a run. Cheap to clone; clones share them, and they live as long as one of
/// these or of their connectors.
#[derive(Clone)]
pub(super) struct Ssh {
    ways: Ways,
    remotes: Arc<Mutex<HashMap<Target, Remote>>>,
}

impl Ssh {
    pub(super) fn new(options: SshOptions, ask: Arc<dyn Ask>, answered: Arc<Answered>) -> Self {
        Ssh {
            ways: Ways::new(options, ask, answered),
            remotes: Arc::default(),
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
        let (near, ports) = (remote.clone(), Arc::new(Ports::default()));
        let door = Arc::new(Door::new(remote, socket.unwrap_or(openssh::SOCKET)));
        // The sessions live as long as the network or any of its connectors.
        let remotes = self.remotes.clone();
        Connector::new(move || {
            let (door, remotes) = (door.clone(), remotes.clone());
            async move {
                let entered = door.dial().await;
                drop(remotes);
                entered
            }
        })
        .with_ports(move |port| {
            let (remote, ports) = (near.clone(), ports.clone());
            async move { remote.port(&ports, port).await }
        })
    }

    fn remote(&self, target: Target) -> Remote {
        let mut remotes = self.remotes.lock().unwrap_or_else(PoisonError::into_inner);
        remotes
            .entry(target.clone())
            .or_insert_with(|| Remote::new(self.ways.clone(), target))
            .clone()
    }

    pub(super) fn options(&self) -> &SshOptions {
        self.ways.options()
    }

    pub(super) fn ask(&self) -> &Arc<dyn Ask> {
        self.ways.ask()
    }

    pub(super) fn answered(&self) -> &Arc<Answered> {
        self.ways.answered()
    }
}

//! One SSH destination: its session, made when first needed and anew when it is dead; and further
//! ones where the host runs only so many commands on a connection.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::config;
use super::joint::Joint;
use super::jump::Ways;
use super::order::{Goal, Refusal};
use super::passage::Passage;
use super::port::{self, Ports};
use super::session::{COMMANDS, Session};
use super::trouble::plainly;
use crate::engine::error::{Error, Result};
use crate::engine::transport::connector::{NoPort, Reached};

/// Connections to one host at most, where every passage is a command.
const CONNECTIONS: usize = 12;

/// How long opening a channel may take on a session that is there.
const OPEN: Duration = Duration::from_secs(8);

/// Where a session leads, as the operator wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Target {
    pub(super) user: Option<String>,
    pub(super) host: String,
    pub(super) port: Option<u16>,
}

/// A host and our sessions on it. Cheap to clone; clones are the same.
#[derive(Clone)]
pub(super) struct Remote {
    inner: Arc<Inner>,
}

struct Inner {
    ways: Ways,
    target: Target,
    /// The first is the one for everything; further ones carry commands.
    live: Mutex<Vec<Session>>,
    beginning: Joint<Session>,
    further: Joint<Session>,
    /// Commands at once on all connections.
    commands: Arc<Semaphore>,
}

impl Remote {
    pub(super) fn new(ways: Ways, target: Target) -> Self {
        Remote {
            inner: Arc::new(Inner {
                ways,
                target,
                live: Mutex::default(),
                beginning: Joint::default(),
                further: Joint::default(),
                commands: Arc::new(Semaphore::new(CONNECTIONS * COMMANDS)),
            }),
        }
    }

    /// The host, as the operator wrote it.
    pub(super) fn host(&self) -> &str {
        &self.inner.target.host
    }

    /// The session. Logs in when there is none that lives; all who come meanwhile wait for that
    /// one login.
    ///
    /// # Errors
    /// Those of the way there and of the login.
    pub(super) async fn session(&self) -> Result<Session> {
        if let Some(session) = self.first_live() {
            return Ok(session);
        }
        let remote = self.clone();
        self.inner
            .beginning
            .join(|| async move {
                // Someone else's login may have ended between our look and this.
                if let Some(session) = remote.first_live() {
                    return Ok(session);
                }
                let session = remote.log_in().await?;
                remote.keep(&session);
                Ok(session)
            })
            .await
    }

    /// A channel on the session. A session that turns out to be dead is replaced, once.
    ///
    /// # Errors
    /// Those of [`Remote::session`], or the host does not answer. A refusal by the host is not one:
    /// it comes back in libssh2's words.
    pub(super) async fn open(&self, goal: Goal) -> Result<std::result::Result<Passage, String>> {
        let mut again = true;
        loop {
            let session = self.session().await?;
            let opening = session.open(goal.clone());
            match self.in_time(opening).await? {
                Ok(passage) => return Ok(Ok(passage)),
                Err(Refusal::Refused(words)) => return Ok(Err(words)),
                Err(Refusal::Dead) if again => again = false,
                Err(Refusal::Dead) => return Err(self.ended(&session)),
            }
        }
    }

    /// A TCP port of the host, through the session that there is: nobody logs in for it.
    ///
    /// # Errors
    /// See [`NoPort`].
    pub(super) async fn port(
        &self,
        ports: &Ports,
        port: u16,
    ) -> std::result::Result<Reached, NoPort> {
        if !ports.are_forbidden() {
            let Some(session) = self.first_live() else {
                return Err(NoPort::no_way("it is not connected"));
            };
            let opening = session.open(Goal::Tcp("127.0.0.1".to_owned(), port));
            let words = match self.in_time(opening).await {
                Ok(Ok(passage)) => return Ok(Reached::on_host(passage)),
                Ok(Err(Refusal::Dead)) => return Err(NoPort::no_way("the SSH session ended")),
                Ok(Err(Refusal::Refused(words))) => words,
                Err(late) => return Err(NoPort::no_way(late.to_string())),
            };
            if port::is_refused(&words) {
                let why = format!("127.0.0.1:{port} of the host takes no connections");
                return Err(NoPort::Refused(why));
            }
            if !port::is_forbidden(&words) {
                return Err(NoPort::no_way(plainly(&words)));
            }
            ports.forbid();
        }
        let Target {
            user,
            host,
            port: at,
        } = &self.inner.target;
        let options = self.inner.ways.options();
        ports
            .reach_from_here(options, (user.as_deref(), host, *at), port)
            .await
    }

    /// Runs a command on whichever connection has room for it, or on a new one; waits while there
    /// are as many as there may be.
    ///
    /// # Errors
    /// As [`Remote::open`].
    pub(super) async fn run(&self, command: &str) -> Result<std::result::Result<Passage, String>> {
        let mut deaths = 0;
        loop {
            let waiting = self.inner.commands.clone().acquire_owned();
            let Ok(whole) = self.in_time(waiting).await? else {
                return Err(self.lost("no more commands are taken"));
            };
            self.session().await?;
            let Some((session, room)) = self.room() else {
                self.one_more().await?;
                continue;
            };
            let running = session.run(command.to_owned(), vec![whole, room]);
            match self.in_time(running).await? {
                Ok(passage) => return Ok(Ok(passage)),
                Err(Refusal::Refused(words)) if !session.is_full() => return Ok(Err(words)),
                Err(Refusal::Refused(_)) => {}
                Err(Refusal::Dead) if deaths < 2 => deaths += 1,
                Err(Refusal::Dead) => return Err(self.ended(&session)),
            }
        }
    }

    async fn in_time<T>(&self, opening: impl Future<Output = T>) -> Result<T> {
        let opened = tokio::time::timeout(OPEN, opening).await;
        opened.map_err(|_| Error::Deadline {
            what: format!("open a channel on ssh://{}", self.host()),
            after: OPEN,
        })
    }

    fn first_live(&self) -> Option<Session> {
        let mut live = self.lock();
        live.retain(Session::is_live);
        live.first().cloned()
    }

    /// The next who comes logs in anew; what is open stays.
    pub(super) fn forget(&self) {
        self.lock().clear();
    }

    fn keep(&self, session: &Session) {
        self.lock().push(session.clone());
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Session>> {
        self.inner
            .live
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection that has room for a command.
    fn room(&self) -> Option<(Session, OwnedSemaphorePermit)> {
        let live = self.lock();
        live.iter()
            .filter(|session| session.is_live())
            .find_map(|session| Some((session.clone(), session.room_for_command()?)))
    }

    /// One more connection, for commands.
    async fn one_more(&self) -> Result<()> {
        if self.lock().len() >= CONNECTIONS {
            return Err(self.lost(&format!(
                "it takes no more commands, on {CONNECTIONS} connections"
            )));
        }
        let remote = self.clone();
        let session = self.inner.further.join(|| async move {
            let session = remote.log_in().await?;
            remote.keep(&session);
            Ok(session)
        });
        session.await.map(drop)
    }

    async fn log_in(&self) -> Result<Session> {
        let Target { user, host, port } = self.inner.target.clone();
        let options = self.inner.ways.options().clone();
        let resolving = tokio::task::spawn_blocking(move || {
            config::resolve(&options, user.as_deref(), &host, port)
        });
        let hops = match resolving.await {
            Ok(hops) => hops?,
            Err(error) => return Err(self.lost(&error.to_string())),
        };
        self.inner.ways.reach(&hops).await
    }

    fn ended(&self, session: &Session) -> Error {
        session
            .fate()
            .unwrap_or_else(|| self.lost("the SSH session ended"))
    }

    fn lost(&self, why: &str) -> Error {
        Error::Unreachable {
            address: format!("ssh://{}", self.host()),
            why: why.to_owned(),
        }
    }
}

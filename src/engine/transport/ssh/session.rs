//! A handle on a session: whoever has one can open channels; when the last is gone, and the last
//! passage, the session ends.

use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::answered::Answered;
use super::config::hop::Hop;
use super::fault::End;
use super::login::log_in;
use super::order::{Goal, Opening, Refusal};
use super::owner::{Owner, Patience};
use super::passage::{Fate, Passage};
use super::socket::{Socket, Stream};
use crate::engine::error::{Error, Result};
use crate::engine::transport::ask::Ask;

/// Channels open at once. Streams that are followed count; a host with more of them than this
/// makes the next one wait until its caller's deadline.
const PASSAGES: usize = 256;
/// Commands running at once: sshd takes ten sessions on a connection (MaxSessions), and a person's
/// own may be among them when connections are shared.
pub(super) const COMMANDS: usize = 8;

/// A passage, or why there is none.
type Opened = std::result::Result<Passage, Refusal>;

/// A logged-in connection.
#[derive(Clone)]
pub(super) struct Session {
    orders: mpsc::Sender<Opening>,
    fate: Fate,
    passages: Arc<Semaphore>,
    commands: Arc<Semaphore>,
    /// Commands that the host is known to allow at once.
    allowed: Arc<AtomicUsize>,
}

/// Who is logged in to, and whom to ask about it.
pub(super) struct Login {
    /// The hop at the far end.
    pub(super) hop: Hop,
    /// Where its stream leads: `192.0.2.7:22`.
    pub(super) address: String,
    pub(super) ask: Arc<dyn Ask>,
    pub(super) answered: Arc<Answered>,
}

impl Session {
    /// Logs in over a stream, on a thread of its own that lives as long as the session.
    pub(super) async fn begin(stream: Stream, login: Login) -> Result<Session> {
        let name = login.hop.name.clone();
        let (tell, told) = oneshot::channel();
        let thread = thread::Builder::new().name(format!("ssh {name}"));
        thread
            .spawn(move || live(stream, &login, tell))
            .map_err(|error| lost(&name, &format!("no thread for its session: {error}")))?;
        told.await
            .unwrap_or_else(|_| Err(lost(&name, "its session ended at once")))
    }

    /// Whether channels can still be opened.
    pub(super) fn is_live(&self) -> bool {
        self.fate.get().is_none() && !self.orders.is_closed()
    }

    /// Why it ended.
    pub(super) fn fate(&self) -> Option<Error> {
        self.fate.get().cloned()
    }

    /// Opens a channel. Waits while too many are open.
    pub(super) async fn open(&self, goal: Goal) -> Opened {
        let permit = self.passages.clone().acquire_owned().await;
        self.order(goal, Vec::from_iter(permit.ok())).await
    }

    /// Leave to run one more command, if there is room for it.
    pub(super) fn room_for_command(&self) -> Option<OwnedSemaphorePermit> {
        self.commands.clone().try_acquire_owned().ok()
    }

    /// Runs a command. If the host refuses it while others run, it allows no more than those:
    /// that is remembered.
    pub(super) async fn run(&self, command: String, permits: Vec<OwnedSemaphorePermit>) -> Opened {
        self.order(Goal::Command(command), permits).await
    }

    /// The host runs no more than what runs now. `false` when nothing does.
    pub(super) fn is_full(&self) -> bool {
        let allowed = self.allowed.load(Ordering::Relaxed);
        let running = allowed.saturating_sub(self.commands.available_permits());
        if running == 0 {
            return false;
        }
        let kept = self.commands.forget_permits(allowed - running);
        self.allowed.fetch_sub(kept, Ordering::Relaxed);
        true
    }

    async fn order(&self, goal: Goal, permits: Vec<OwnedSemaphorePermit>) -> Opened {
        let (reply, answer) = oneshot::channel();
        let opening = Opening {
            goal,
            permits,
            reply,
        };
        if self.orders.send(opening).await.is_err() {
            return Err(Refusal::Dead);
        }
        answer.await.unwrap_or(Err(Refusal::Dead))
    }
}

/// The error of a session that is no more.
fn lost(name: &str, why: &str) -> Error {
    Error::Unreachable {
        address: format!("ssh://{name}"),
        why: why.to_owned(),
    }
}

/// A session's thread, from its login to its end.
fn live(stream: Stream, login: &Login, tell: oneshot::Sender<Result<Session>>) {
    let name = &login.hop.name;
    let begun = stream
        .try_clone()
        .map_err(|error| lost(name, &error.to_string()))
        .and_then(|watched| Ok((watched, authenticate(stream, login)?)));
    let (watched, session) = match begun {
        Ok(begun) => begun,
        Err(error) => {
            // Whoever asked may have given up meanwhile.
            let _ = tell.send(Err(error));
            return;
        }
    };
    session.set_blocking(false);
    let fate: Fate = Arc::new(OnceLock::new());
    // One at a time is opened; the queue is where the rest wait.
    let (orders, queue) = mpsc::channel(PASSAGES);
    let handle = Session {
        orders,
        fate: fate.clone(),
        passages: Arc::new(Semaphore::new(PASSAGES)),
        commands: Arc::new(Semaphore::new(COMMANDS)),
        allowed: Arc::new(AtomicUsize::new(COMMANDS)),
    };
    let built = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
        .and_then(|runtime| {
            let _inside = runtime.enter();
            let socket = Socket::watch(watched)?;
            let owner = Owner::new(session, socket, queue, fate.clone(), patience(&login.hop));
            drop(_inside);
            Ok((runtime, owner))
        });
    let (runtime, mut owner) = match built {
        Ok(built) => built,
        Err(error) => {
            let _ = tell.send(Err(lost(name, &error.to_string())));
            return;
        }
    };
    // If nobody waits for it any more, the handle is dropped here and the owner finds itself alone.
    let _ = tell.send(Ok(handle));
    // The runtime's own budget for one poll would starve the last of many channels for ever.
    let owning = tokio::task::unconstrained(poll_fn(|cx| owner.poll(cx)));
    let end = runtime.block_on(owning);
    let why = match &end {
        End::Unneeded => "the session was closed".to_owned(),
        End::Broken(why) => format!("the SSH connection broke: {why}"),
    };
    // Nobody else sets it.
    let _ = fate.set(lost(name, &why));
    let _inside = runtime.enter();
    owner.finish(&end);
}

/// As `ssh_config` says (`ServerAliveInterval`), or our own.
fn patience(hop: &Hop) -> Patience {
    let ours = Patience::default();
    match hop.server_alive_interval {
        Some(every) if !every.is_zero() => Patience {
            every,
            misses: hop.server_alive_count_max.max(1),
        },
        _ => ours,
    }
}

fn authenticate(stream: Stream, login: &Login) -> Result<ssh2::Session> {
    let Login {
        hop,
        address,
        ask,
        answered,
    } = login;
    match stream {
        Stream::Tcp(stream) => log_in(stream, hop, address, &**ask, answered),
        Stream::Pair(stream) => log_in(stream, hop, address, &**ask, answered),
    }
}

//! The way to a host: TCP to it, or through bastions, each of which is logged in to once for all
//! the hosts behind it.

use std::collections::HashMap;
use std::future::Future;
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::Interest;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::answered::Answered;
use super::config::hop::{Family, Hop};
use super::joint::Joint;
use super::options::SshOptions;
use super::order::{Goal, Refusal};
use super::session::{Login, Session};
use super::socket::Stream;
use super::trouble::{Trouble, plainly};
use crate::engine::error::{Error, Result};
use crate::engine::transport::ask::Ask;
use crate::engine::transport::tcp;

/// How long a TCP connection may take to be made, its name looked up included, where ssh_config has
/// no ConnectTimeout.
const CONNECT: Duration = Duration::from_secs(5);

/// Logins to one address that may be under way at once: sshd drops some from the eleventh on.
const LOGINS: usize = 4;

/// An open that takes longer keeps its session to itself: libssh2 opens one channel at a time, and
/// a bastion tries for two minutes to reach a host that does not answer.
const SLOW: Duration = Duration::from_secs(1);
/// Sessions on a bastion that may be kept so, before the last one is used whatever it waits for.
const TIED: usize = 7;

/// How long the last words of a session may take on their way through its bastion, and the answer
/// to them.
const GOODBYE: Duration = Duration::from_secs(1);

/// A bastion, for everything behind it.
#[derive(Default)]
struct Bastion {
    inner: Mutex<Sessions>,
    beginning: Joint<Session>,
    /// Held by whoever opens a channel, until it is open or known to be slow.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Sessions {
    /// The one for the next who comes.
    live: Option<Session>,
    /// Those that wait for a host, by its address.
    tied: HashMap<String, Session>,
}

impl Bastion {
    fn lock(&self) -> MutexGuard<'_, Sessions> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn live(&self) -> Option<Session> {
        self.lock().live.clone().filter(Session::is_live)
    }

    /// Whether an earlier attempt still waits for that address.
    fn waits_for(&self, address: &str) -> bool {
        let mut inner = self.lock();
        inner.tied.retain(|_, session| session.is_live());
        inner.tied.contains_key(address)
    }

    /// `session` waits for `address`: others get another one.
    fn tie(&self, address: &str, session: &Session) {
        let mut inner = self.lock();
        inner.tied.insert(address.to_owned(), session.clone());
        if inner.tied.len() <= TIED {
            inner.live = None;
        }
    }

    /// It waits no longer; what hangs on the session keeps it, nothing else.
    fn untie(&self, address: &str) {
        self.lock().tied.remove(address);
    }
}

type Reaching = Pin<Box<dyn Future<Output = Result<Session>> + Send>>;

/// All ways of a run. Cheap to clone; clones share what was logged in to and answered.
#[derive(Clone)]
pub(super) struct Ways {
    inner: Arc<Inner>,
}

struct Inner {
    options: SshOptions,
    ask: Arc<dyn Ask>,
    answered: Arc<Answered>,
    /// By the way there, each hop in full.
    bastions: Mutex<HashMap<String, Arc<Bastion>>>,
    /// By the place of a host.
    gates: Mutex<HashMap<String, Arc<Semaphore>>>,
}

impl Ways {
    pub(super) fn new(options: SshOptions, ask: Arc<dyn Ask>, answered: Arc<Answered>) -> Self {
        Ways {
            inner: Arc::new(Inner {
                options,
                ask,
                answered,
                bastions: Mutex::default(),
                gates: Mutex::default(),
            }),
        }
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

    /// A session on the last of `hops`, through all before it.
    pub(super) fn reach(&self, hops: &[Hop]) -> Reaching {
        let (ways, hops) = (self.clone(), hops.to_vec());
        Box::pin(async move {
            let Some((hop, before)) = hops.split_last() else {
                return Err(unreachable(
                    "the host",
                    "its SSH configuration names no host",
                ));
            };
            // sshd drops logins when too many are under way (MaxStartups), and those that take long
            // from their connection on.
            let gate = ways.gate(hop);
            let _turn = gate.acquire().await;
            match ways.enter(before, hop).await {
                // The answer that took too long is remembered.
                Err(Error::Ssh { trouble, .. }) if *trouble == Trouble::Late => {
                    ways.enter(before, hop).await
                }
                entered => entered,
            }
        })
    }

    /// Connects and logs in.
    async fn enter(&self, before: &[Hop], hop: &Hop) -> Result<Session> {
        let (stream, address) = match before {
            [] => connect(hop).await?,
            bastions => self.through(bastions, hop).await?,
        };
        let login = Login {
            hop: hop.clone(),
            address,
            ask: self.ask().clone(),
            answered: self.answered().clone(),
        };
        Session::begin(stream, login).await
    }

    /// A stream to `hop` from the last of `bastions`.
    async fn through(&self, bastions: &[Hop], hop: &Hop) -> Result<(Stream, String)> {
        let address = format!("{}:{}", hop.host, hop.port);
        let last = bastions.last().map_or("", |hop| hop.name.as_str());
        let within = hop.connect_timeout.unwrap_or(CONNECT);
        let refused = |why: &str| unreachable(&hop.name, why);
        let mut again = true;
        let mut passage = loop {
            let bastion = self.bastion_at(bastions);
            let turn = bastion.turn.lock().await;
            if bastion.waits_for(&address) {
                return Err(refused(&format!("{last} still waits for {address}")));
            }
            let session = self.bastion(bastions).await?;
            let opener = session.clone();
            let goal = Goal::Tcp(hop.host.clone(), hop.port);
            let mut opening = tokio::spawn(async move { opener.open(goal).await });
            let mut opened = timeout(SLOW.min(within), &mut opening).await;
            if opened.is_err() {
                bastion.tie(&address, &session);
                drop(turn);
                opened = timeout(within.saturating_sub(SLOW), &mut opening).await;
                if opened.is_ok() {
                    bastion.untie(&address);
                }
            }
            match opened {
                Ok(Ok(Ok(passage))) => break passage,
                Ok(Ok(Err(Refusal::Refused(words)))) => {
                    let why = format!("from {last} to {address}: {}", plainly(&words));
                    return Err(refused(&why));
                }
                Ok(Ok(Err(Refusal::Dead)) | Err(_)) if again => again = false,
                Ok(Ok(Err(Refusal::Dead)) | Err(_)) => {
                    let lost = || unreachable(last, "its SSH session ended");
                    return Err(session.fate().unwrap_or_else(lost));
                }
                Err(_) => {
                    let (bastion, tied) = (bastion.clone(), address.clone());
                    tokio::spawn(async move {
                        // A channel that opens after all is closed again.
                        drop(opening.await);
                        bastion.untie(&tied);
                    });
                    let seconds = within.as_secs_f32();
                    let why = format!("no connection from {last} to {address} within {seconds} s");
                    return Err(refused(&why));
                }
            }
        };
        let io = |error: std::io::Error| unreachable(&hop.name, &error.to_string());
        let (ours, far) = UnixStream::pair().map_err(io)?;
        far.set_nonblocking(true).map_err(io)?;
        let watched = far.try_clone().map_err(io)?;
        let watched = tokio::net::UnixStream::from_std(watched).map_err(io)?;
        let mut far = tokio::net::UnixStream::from_std(far).map_err(io)?;
        tokio::spawn(async move {
            // A host that accepted and says nothing would never end its side: it need not, once
            // nobody is left on ours.
            let left = async {
                // Never urgent data: ready when the other end is gone.
                let _ = watched.ready(Interest::PRIORITY).await;
                tokio::time::sleep(GOODBYE).await;
            };
            tokio::select! {
                _ = tokio::io::copy_bidirectional(&mut passage, &mut far) => {}
                () = left => {}
            }
        });
        Ok((Stream::Pair(ours), format!("{address} through {last}")))
    }

    /// The session on the last of `bastions`, the same for all who come through it.
    async fn bastion(&self, bastions: &[Hop]) -> Result<Session> {
        let bastion: Arc<Bastion> = self.bastion_at(bastions);
        if let Some(session) = bastion.live() {
            return Ok(session);
        }
        let (kept, reaching) = (bastion.clone(), self.reach(bastions));
        bastion
            .beginning
            .join(|| async move {
                if let Some(session) = kept.live() {
                    return Ok(session);
                }
                let session = reaching.await?;
                kept.lock().live = Some(session.clone());
                Ok(session)
            })
            .await
    }
}

/// A TCP connection to a hop, and its address.
async fn connect(hop: &Hop) -> Result<(Stream, String)> {
    let within = hop.connect_timeout.unwrap_or(CONNECT);
    let trying = async {
        // The resolver works on a thread of its own.
        let addresses = tokio::net::lookup_host((hop.host.as_str(), hop.port)).await;
        let addresses = addresses.map_err(|error| format!("{}: {error}", hop.host))?;
        let wanted = |address: &SocketAddr| match hop.family {
            Family::Any => true,
            Family::V4 => address.is_ipv4(),
            Family::V6 => address.is_ipv6(),
        };
        let dialled = tcp::dial(addresses.filter(wanted).collect()).await;
        dialled.map_err(|failed| match failed {
            Some((address, error)) => format!("{address}: {error}"),
            None => match hop.family {
                Family::Any => format!("{} has no address", hop.host),
                Family::V4 => format!("{} has no IPv4 address (AddressFamily inet)", hop.host),
                Family::V6 => format!("{} has no IPv6 address (AddressFamily inet6)", hop.host),
            },
        })
    };
    let (stream, address) = match timeout(within, trying).await {
        Ok(tried) => tried.map_err(|why| unreachable(&hop.name, &why))?,
        Err(_) => {
            let seconds = within.as_secs_f32();
            let why = format!(
                "{}:{} did not answer within {seconds} s",
                hop.host, hop.port
            );
            return Err(unreachable(&hop.name, &why));
        }
    };
    let ready = stream.set_nodelay(true).and_then(|()| {
        let stream = stream.into_std()?;
        // The login waits in its calls, or not, as it likes.
        stream.set_nonblocking(false)?;
        Ok(stream)
    });
    let stream = ready.map_err(|error| unreachable(&hop.name, &error.to_string()))?;
    Ok((Stream::Tcp(stream), address.to_string()))
}

fn unreachable(name: &str, why: &str) -> Error {
    Error::Unreachable {
        address: format!("ssh://{name}"),
        why: why.to_owned(),
    }
}

//! The Docker socket of a host, and how it is come by: a channel straight to it, or a command there
//! where sshd refuses such channels.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

use super::joint::Joint;
use super::look::{self, Found};
use super::order::Goal;
use super::passage::Passage;
use super::remote::Remote;
use super::trouble::plainly;
use crate::engine::error::{Error, Result};
use crate::engine::transport::connector::Failure;

/// How long a look at the host, or the first sign of life of a command there, may take: a
/// login shell's start-up files may do much first.
const LOOK: Duration = Duration::from_secs(10);
/// What a command is asked first: it changes nothing and its answer has no body.
const PING: &[u8] = b"HEAD /_ping HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n";

/// How the socket is come by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// A channel straight to it.
    Straight,
    /// `docker system dial-stdio`, one per connection.
    Command,
}

/// A socket on a host.
pub(super) struct Door {
    remote: Remote,
    path: String,
    way: Mutex<Option<Way>>,
    finding: Joint<Way>,
    looking: Joint<Option<Error>>,
    /// The channel by which the way was found, for the first who needs one.
    spare: Mutex<Option<Passage>>,
}

impl Door {
    pub(super) fn new(remote: Remote, path: &str) -> Self {
        Door {
            remote,
            path: path.to_owned(),
            way: Mutex::default(),
            finding: Joint::default(),
            looking: Joint::default(),
            spare: Mutex::default(),
        }
    }

    /// One more stream to the engine.
    ///
    /// # Errors
    /// The host cannot be reached or logged in to, or the socket is not there, may not be used, has
    /// nobody behind it, or cannot be come by.
    pub(super) async fn dial(self: Arc<Self>) -> Result<Entered> {
        let mut again = true;
        loop {
            let known = *self.lock_way();
            let way = match known {
                Some(way) => way,
                None => {
                    let door = self.clone();
                    self.finding.join(|| door.find()).await?
                }
            };
            if way == Way::Command {
                let command = look::dial_stdio(&self.path)?;
                return match self.remote.run(&command).await? {
                    Ok(passage) => Ok(self.enter(passage, way)),
                    Err(words) => Err(self.no_command(&words)),
                };
            }
            let spare = self.lock_spare().take();
            // It may have lain there since a session that is dead by now.
            if let Some(passage) = spare.filter(Passage::is_live) {
                return Ok(self.enter(passage, way));
            }
            if let Ok(passage) = self.remote.open(Goal::Socket(self.path.clone())).await? {
                return Ok(self.enter(passage, way));
            }
            match self.clone().why_not().await? {
                Some(error) => return Err(error),
                // The socket is well: it is sshd that changed, and there may be another way.
                None if again => *self.lock_way() = None,
                None => {
                    return Err(Error::NotListening {
                        address: self.address(),
                    });
                }
            }
            again = false;
        }
    }

    fn enter(self: &Arc<Self>, passage: Passage, way: Way) -> Entered {
        Entered {
            passage,
            command: (way == Way::Command).then(|| self.clone()),
            silent: true,
        }
    }

    /// Tries the straight way, looks what is wrong with it, and tries the other.
    async fn find(self: Arc<Self>) -> Result<Way> {
        // Someone may have found it between our look and this.
        let known = *self.lock_way();
        if let Some(way) = known {
            return Ok(way);
        }
        let way = match self.remote.open(Goal::Socket(self.path.clone())).await? {
            Ok(passage) => {
                *self.lock_spare() = Some(passage);
                Way::Straight
            }
            Err(words) => {
                let found = self.look().await?;
                if let Some(error) = found.obstacle(self.remote.host(), &self.path) {
                    if matches!(error, Error::PermissionDenied { .. }) {
                        // The groups of a login are those of its beginning.
                        self.remote.forget();
                    }
                    return Err(error);
                }
                if found.docker == Some(false) {
                    return Err(Error::NoWayToSocket {
                        host: self.remote.host().to_owned(),
                        path: self.path.clone(),
                        why: plainly(&words).to_owned(),
                    });
                }
                self.knock().await?;
                Way::Command
            }
        };
        *self.lock_way() = Some(way);
        Ok(way)
    }

    /// Whether the command leads to an engine.
    async fn knock(self: &Arc<Self>) -> Result<()> {
        let command = look::dial_stdio(&self.path)?;
        let passage = match self.remote.run(&command).await? {
            Ok(passage) => passage,
            Err(words) => return Err(self.no_command(&words)),
        };
        let mut stream = self.enter(passage, Way::Command);
        let asking = async {
            stream.write_all(PING).await?;
            let mut answer = [0; 7];
            stream.read_exact(&mut answer).await?;
            Ok(answer)
        };
        match tokio::time::timeout(LOOK, asking).await {
            Ok(Ok(answer)) if answer == *b"HTTP/1." => Ok(()),
            Ok(Ok(_)) => Err(Error::NotDocker {
                address: self.address(),
                what: "what answers `docker system dial-stdio` does not speak HTTP".to_owned(),
            }),
            Ok(Err(error)) => Err(self.explain(&error)),
            Err(_) => Err(Error::Deadline {
                what: format!("`docker system dial-stdio` at {}", self.address()),
                after: LOOK,
            }),
        }
    }

    /// Why a channel to the socket failed that worked before, where that can be seen: asked once
    /// for all who wonder.
    async fn why_not(self: Arc<Self>) -> Result<Option<Error>> {
        let door = self.clone();
        let looked = self.looking.join(|| async move {
            let found = door.look().await?;
            Ok(found.obstacle(door.remote.host(), &door.path))
        });
        looked.await
    }

    /// What can be seen of the socket on the host.
    async fn look(&self) -> Result<Found> {
        let script = look::script(&self.path)?;
        let mut passage = match self.remote.run(&script).await? {
            Ok(passage) => passage,
            // It runs no commands: nothing can be seen.
            Err(_) => return Ok(Found::default()),
        };
        let reading = async {
            let mut said = Vec::new();
            passage.shutdown().await?;
            (&mut passage).take(8 * 1024).read_to_end(&mut said).await?;
            io::Result::Ok(said)
        };
        match tokio::time::timeout(LOOK, reading).await {
            Ok(Ok(said)) => Ok(Found::read(&String::from_utf8_lossy(&said))),
            Ok(Err(error)) => Err(self.explain(&error)),
            // Whatever answers commands there, it is not a shell.
            Err(_) => Ok(Found::default()),
        }
    }

    fn no_command(&self, words: &str) -> Error {
        Error::NoWayToSocket {
            host: self.remote.host().to_owned(),
            path: self.path.clone(),
            why: format!("and it runs no commands: {}", plainly(words)),
        }
    }

    /// The socket, in messages.
    fn address(&self) -> String {
        format!("ssh://{}{}", self.remote.host(), self.path)
    }

    /// The error within an error of a stream.
    fn explain(&self, error: &io::Error) -> Error {
        match error.get_ref().and_then(|inner| inner.downcast_ref()) {
            Some(Failure(error)) => error.clone(),
            None => Error::Unreachable {
                address: self.address(),
                why: error.to_string(),
            },
        }
    }

    fn lock_way(&self) -> std::sync::MutexGuard<'_, Option<Way>> {
        self.way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_spare(&self) -> std::sync::MutexGuard<'_, Option<Passage>> {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A stream to the engine.
pub(super) struct Entered {
    passage: Passage,
    /// It goes through a command, whose own words say why it ended without any answer.
    command: Option<Arc<Door>>,
    silent: bool,
}

impl AsyncRead for Entered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.passage).poll_read(cx, buf))?;
        if buf.filled().len() > before {
            self.silent = false;
        } else if self.silent
            && let (Some(door), Some(ending)) = (&self.command, self.passage.ending())
        {
            let error = look::explain_ending(ending, door.remote.host(), &door.path);
            return Poll::Ready(Err(io::Error::new(ErrorKind::NotConnected, Failure(error))));
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Entered {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.passage).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.passage).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.passage).poll_shutdown(cx)
    }
}

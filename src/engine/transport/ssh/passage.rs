//! One channel of a session, as a stream of bytes.

use std::convert::Infallible;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::engine::error::Error;
use crate::engine::transport::connector::Failure;

/// Bytes that wait between the owner and a passage's user, each way.
pub(super) const PIPE: usize = 64 * 1024;

/// Why a session ended; empty while it lives. Set before its passages are cut.
pub(super) type Fate = Arc<OnceLock<Error>>;

/// How a command on the host ended. Set before its passage ends.
#[derive(Debug, Clone, Default)]
pub(super) struct Ending {
    /// Its exit code; 0 also when a signal ended it.
    pub(super) code: i32,
    /// The beginning of what it said on its error output, as it came.
    pub(super) complaint: Vec<u8>,
}

/// A channel. Shutting it down for writing is a half-close, as on any socket; dropping it closes the
/// channel on the host.
pub(super) struct Passage {
    /// Dropped first. A dropped pipe alone looks like a half-close to the owner, and whoever follows
    /// a log would be followed for ever.
    _alive: oneshot::Sender<Infallible>,
    pipe: DuplexStream,
    fate: Fate,
    ending: Arc<OnceLock<Ending>>,
    _permits: Vec<OwnedSemaphorePermit>,
}

/// What the owner keeps of a passage.
pub(super) struct FarEnd {
    pub(super) alive: oneshot::Receiver<Infallible>,
    pub(super) pipe: DuplexStream,
    pub(super) ending: Arc<OnceLock<Ending>>,
}

impl Passage {
    /// A passage and its far end. What is in `permits` is given back when the passage is dropped.
    pub(super) fn new(fate: Fate, permits: Vec<OwnedSemaphorePermit>) -> (Passage, FarEnd) {
        let (near, far) = tokio::io::duplex(PIPE);
        let (alive, watch) = oneshot::channel();
        let ending = Arc::new(OnceLock::new());
        let far = FarEnd {
            alive: watch,
            pipe: far,
            ending: ending.clone(),
        };
        let passage = Passage {
            _alive: alive,
            pipe: near,
            fate,
            ending,
            _permits: permits,
        };
        (passage, far)
    }

    /// How its command ended, once it has.
    pub(super) fn ending(&self) -> Option<&Ending> {
        self.ending.get()
    }

    /// Whether its session lives.
    pub(super) fn is_live(&self) -> bool {
        self.fate.get().is_none()
    }

    fn cause(&self) -> Option<io::Error> {
        let error = self.fate.get()?.clone();
        Some(io::Error::new(ErrorKind::ConnectionReset, Failure(error)))
    }
}

impl AsyncRead for Passage {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.pipe).poll_read(cx, buf))?;
        // Its proper end, or the session's.
        if buf.filled().len() == before
            && buf.remaining() > 0
            && let Some(cause) = self.cause()
        {
            return Poll::Ready(Err(cause));
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Passage {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.pipe).poll_write(cx, buf));
        Poll::Ready(written.map_err(|error| self.cause().unwrap_or(error)))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_shutdown(cx)
    }
}

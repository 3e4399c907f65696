//! What yields byte streams to an engine, each in the shape that the HTTP client wants.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::certificate::Shown;
use crate::engine::error::{Error, Result};

/// Whatever can be read and written: a socket, a channel, a pipe.
pub trait Bytestream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Bytestream for T {}

type Dialling = Pin<Box<dyn Future<Output = Result<Box<dyn Bytestream>>> + Send>>;

/// Makes one more byte stream to an engine each time the client asks for one.
#[derive(Clone)]
pub struct Connector {
    dial: Arc<dyn Fn() -> Dialling + Send + Sync>,
    shown: Shown,
}

tokio::task_local! {
    /// How many streams are being opened for the request that is waited for.
    pub(in crate::engine) static DIALLING: Arc<AtomicUsize>;
}

impl Connector {
    /// A connector from any way to open a stream. `dial` runs once per connection; its error is
    /// what the caller of the request sees.
    pub fn new<F, S, D>(dial: D) -> Self
    where
        D: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = Result<S>> + Send + 'static,
        S: Bytestream + 'static,
    {
        Connector {
            dial: Arc::new(move || {
                let dialling = dial();
                Box::pin(async move { Ok(Box::new(dialling.await?) as Box<dyn Bytestream>) })
            }),
            shown: Shown::default(),
        }
    }

    /// The same, with what its handshakes will show.
    pub(super) fn showing(self, shown: Shown) -> Self {
        Connector { shown, ..self }
    }

    /// The certificates that its handshakes showed, as they become known.
    pub(in crate::engine) fn shown(&self) -> &Shown {
        &self.shown
    }
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connector")
    }
}

/// An [`Error`] on its way through the HTTP client.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Failure(pub(in crate::engine) Error);

impl tower_service::Service<http::Uri> for Connector {
    type Response = Stream;
    type Error = Failure;
    type Future = Pin<Box<dyn Future<Output = std::result::Result<Stream, Failure>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<std::result::Result<(), Failure>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: http::Uri) -> Self::Future {
        let dialling = (self.dial)();
        let under_way = DIALLING.try_with(UnderWay::begin).ok();
        Box::pin(async move {
            let stream = dialling.await;
            drop(under_way);
            Ok(Stream(TokioIo::new(stream.map_err(Failure)?)))
        })
    }
}

/// Counts a stream that is being opened, until it is dropped.
struct UnderWay(Arc<AtomicUsize>);

impl UnderWay {
    fn begin(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::AcqRel);
        UnderWay(count.clone())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A byte stream in the shape that hyper wants.
pub struct Stream(TokioIo<Box<dyn Bytestream>>);

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl Read for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl Write for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, bufs)
    }
}

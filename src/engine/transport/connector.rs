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

/// A stream to a TCP port of the engine's host.
pub struct Reached {
    pub stream: Box<dyn Bytestream>,
    /// `None`: from the host itself, through the connection; else from this machine, to this address.
    pub from_here: Option<String>,
}

impl Reached {
    /// From the host itself.
    pub fn on_host(stream: impl Bytestream + 'static) -> Reached {
        Reached {
            stream: Box::new(stream),
            from_here: None,
        }
    }
}

/// Why a TCP port of the host is not reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoPort {
    /// The host itself says that nobody takes connections there, in these words.
    Refused(String),
    /// One does not get there: it says nothing of the port.
    NoWay {
        why: String,
        /// The address that was tried from this machine, where one was.
        from_here: Option<String>,
    },
}

impl NoPort {
    /// By no road of the connection, and none from here was tried.
    pub fn no_way(why: impl Into<String>) -> NoPort {
        NoPort::NoWay {
            why: why.into(),
            from_here: None,
        }
    }
}

type Reaching = Pin<Box<dyn Future<Output = std::result::Result<Reached, NoPort>> + Send>>;

type Dialling = Pin<Box<dyn Future<Output = Result<Box<dyn Bytestream>>> + Send>>;

/// Makes one more byte stream to an engine each time the client asks for one.
#[derive(Clone)]
pub struct Connector {
    dial: Arc<dyn Fn() -> Dialling + Send + Sync>,
    ports: Option<Arc<dyn Fn(u16) -> Reaching + Send + Sync>>,
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
            ports: None,
            shown: Shown::default(),
        }
    }

    /// The same, with a way to the TCP ports of the engine's host. It leaves nothing behind there
    /// when its stream, or the wait for one, is dropped, and it never makes a login.
    pub fn with_ports<F, P>(self, ports: P) -> Self
    where
        P: Fn(u16) -> F + Send + Sync + 'static,
        F: Future<Output = std::result::Result<Reached, NoPort>> + Send + 'static,
    {
        Connector {
            ports: Some(Arc::new(move |port| Box::pin(ports(port)))),
            ..self
        }
    }

    /// One stream to a TCP port of the engine's host.
    pub(in crate::engine) fn port(&self, port: u16) -> Reaching {
        match &self.ports {
            Some(ports) => ports(port),
            None => {
                Box::pin(async { Err(NoPort::no_way("this connection leads to the engine alone")) })
            }
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

impl Failure {
    /// The one that an error was caused by.
    pub(in crate::engine) fn within<'a>(
        error: &'a (dyn std::error::Error + 'static),
    ) -> Option<&'a Error> {
        let mut cause = Some(error);
        while let Some(current) = cause {
            if let Some(Failure(error)) = current.downcast_ref() {
                return Some(error);
            }
            // An I/O error's source is not what it carries, but what that was caused by.
            let carried = current.downcast_ref::<std::io::Error>();
            let carried = carried.and_then(|error| error.get_ref()?.downcast_ref());
            if let Some(Failure(error)) = carried {
                return Some(error);
            }
            cause = current.source();
        }
        None
    }
}

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

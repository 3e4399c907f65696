//! A TLS connection that names the engine's refusal. In TLS 1.3 an engine judges our certificate
//! when the handshake is over for us: its alert is the first thing we read.

use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::AlertDescription;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::client::TlsStream;

use super::super::certificate::Shown;
use super::super::connector::Failure;
use super::super::tcp::{Sniffed, Target};
use crate::engine::error::{Error, TlsProblem};

pub(in crate::engine::transport) struct Encrypted {
    stream: TlsStream<Sniffed>,
    told: Told,
}

/// What is needed to name an alert, and where to leave word of it.
pub(super) struct Told {
    pub(super) target: Arc<Target>,
    pub(super) certificate: std::path::PathBuf,
    pub(super) shown: Shown,
}

impl Told {
    fn name(&self, error: io::Error) -> io::Error {
        let alert = error.get_ref().and_then(|inner| inner.downcast_ref());
        let Some(rustls::Error::AlertReceived(alert)) = alert else {
            return error;
        };
        let named: Error = self.target.problem(refusal(*alert, &self.certificate));
        // The alert may come before any request is on this connection; the next to be sent on it
        // would only learn that it was closed.
        self.shown.refuse(named.clone());
        io::Error::other(Failure(named))
    }
}

impl Encrypted {
    pub(super) fn new(stream: TlsStream<Sniffed>, told: Told) -> Self {
        Encrypted { stream, told }
    }

    /// A write that fails was mostly refused for a reason that lies there unread.
    fn reason(&mut self, cx: &mut Context<'_>, error: io::Error) -> io::Error {
        let mut bytes = [0u8; 1];
        let mut buf = ReadBuf::new(&mut bytes);
        match Pin::new(&mut self.stream).poll_read(cx, &mut buf) {
            Poll::Ready(Err(reason)) => match self.told.name(reason) {
                named if named.get_ref().is_some_and(|e| e.is::<Failure>()) => named,
                _ => error,
            },
            _ => error,
        }
    }
}

impl AsyncRead for Encrypted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        Pin::new(&mut this.stream)
            .poll_read(cx, buf)
            .map_err(|error| this.told.name(error))
    }
}

impl AsyncWrite for Encrypted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.stream).poll_write(cx, bytes) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(self.reason(cx, error))),
            polled => polled,
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.stream).poll_flush(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(self.reason(cx, error))),
            polled => polled,
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.stream).poll_write_vectored(cx, bytes) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(self.reason(cx, error))),
            polled => polled,
        }
    }
}

/// What an engine means by an alert.
pub(super) fn refusal(alert: AlertDescription, certificate: &Path) -> TlsProblem {
    use AlertDescription::*;
    let why = match alert {
        UnknownCA => "it does not know the CA that signed it",
        CertificateExpired => "it is over by the host's clock",
        CertificateRevoked => "it was revoked",
        CertificateRequired | NoCertificate => "it was not shown",
        BadCertificate | CertificateUnknown | UnsupportedCertificate | AccessDenied => {
            "it does not say why; most often another CA signed it"
        }
        other => {
            return TlsProblem::Handshake {
                why: format!("the engine ended it with the alert {other:?}"),
            };
        }
    };
    TlsProblem::ClientRefused {
        why: why.to_owned(),
        path: certificate.to_owned(),
    }
}

//! Connections over TCP: found in time, kept alive, and told apart by the first bytes that come
//! back.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use rustix::net::sockopt;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::connector::{Connector, Failure, NoPort, Reached};
use crate::engine::error::{Error, Result, TlsProblem};

/// Finding the address and connecting to it, together.
pub(super) const CONNECT: Duration = Duration::from_secs(5);
/// A host with several addresses: how long one is tried alone.
const ALONE: Duration = Duration::from_millis(250);
/// Silence after which the other side is asked whether it is there, how often it is asked again,
/// and how many unanswered questions end the connection: 60 s in all.
const KEEPALIVE: (Duration, Duration, u32) = (Duration::from_secs(30), Duration::from_secs(10), 3);

/// Where an engine is, for connecting and for messages.
#[derive(Debug)]
pub(super) struct Target {
    /// `tcp://host:port`
    pub(super) address: String,
    pub(super) host: String,
    pub(super) port: u16,
}

impl Target {
    pub(super) fn problem(&self, problem: TlsProblem) -> Error {
        Error::Tls {
            address: self.address.clone(),
            problem: Box::new(problem),
        }
    }

    fn unreachable(&self, why: impl Into<String>) -> Error {
        Error::Unreachable {
            address: self.address.clone(),
            why: why.into(),
        }
    }
}

/// Connections to a TCP port without TLS.
pub(super) fn connector(target: Target) -> Connector {
    let target = Arc::new(target);
    let host = target.host.clone();
    Connector::new(move || plain(target.clone()))
        .with_ports(move |port| from_here(host.clone(), port))
}

/// A port of a host, from this machine. What fails here may be the network's fault.
pub(super) async fn from_here(host: String, port: u16) -> std::result::Result<Reached, NoPort> {
    let no_way = |why: String| NoPort::NoWay {
        why,
        from_here: Some(host.clone()),
    };
    let found = tokio::net::lookup_host((host.as_str(), port)).await;
    let found =
        found.map_err(|error| no_way(format!("no address is known for {host}: {error}")))?;
    match dial(found.collect()).await {
        Ok((stream, _)) => Ok(Reached {
            stream: Box::new(stream),
            from_here: Some(host),
        }),
        Err(Some((address, error))) => Err(no_way(format!("{address} from here: {error}"))),
        Err(None) => Err(no_way(format!("no address is known for {host}"))),
    }
}

/// Opens one connection without TLS.
async fn plain(target: Arc<Target>) -> Result<Plain> {
    let stream = connect(&target).await?;
    Ok(Plain { stream, target })
}

/// Opens one connection.
pub(super) async fn connect(target: &Target) -> Result<Sniffed> {
    let stream = match timeout(CONNECT, find(target)).await {
        Ok(dialled) => dialled?,
        Err(_) => {
            let seconds = CONNECT.as_secs();
            return Err(target.unreachable(format!("no connection within {seconds} s")));
        }
    };
    // A connection without these works, too.
    let _ = stream.set_nodelay(true);
    let _ = keep_alive(&stream);
    Ok(Sniffed {
        stream,
        first: [0; FIRST],
        seen: 0,
    })
}

/// Connects to one of the addresses of a name, tried one after the other, each a little after the
/// one before or when that has failed: a host whose IPv6 leads nowhere does not cost the whole time.
///
/// # Errors
/// The last one; none when there is no address.
pub(in crate::engine) async fn dial(
    addresses: Vec<SocketAddr>,
) -> std::result::Result<(TcpStream, SocketAddr), Option<(SocketAddr, io::Error)>> {
    let mut addresses = addresses.into_iter();
    let mut trying = FuturesUnordered::new();
    let mut last = None;
    loop {
        match addresses.next() {
            Some(address) => trying.push(async move {
                let tried = TcpStream::connect(address).await;
                (address, tried)
            }),
            None if trying.is_empty() => return Err(last),
            None => {}
        }
        let more = addresses.len() > 0;
        tokio::select! {
            Some((address, tried)) = trying.next() => match tried {
                Ok(stream) => return Ok((stream, address)),
                Err(error) => last = Some((address, error)),
            },
            () = sleep(ALONE), if more => {}
        }
    }
}

/// Finds the addresses of an engine and connects to one.
async fn find(target: &Target) -> Result<TcpStream> {
    let found = tokio::net::lookup_host((target.host.as_str(), target.port)).await;
    let found = found.map_err(|error| {
        target.unreachable(format!("no address is known for {}: {error}", target.host))
    })?;
    match dial(found.collect()).await {
        Ok((stream, _)) => Ok(stream),
        Err(Some((_, error))) if error.kind() == ErrorKind::ConnectionRefused => {
            Err(Error::NotListening {
                address: target.address.clone(),
            })
        }
        Err(Some((_, error))) => Err(target.unreachable(error.to_string())),
        Err(None) => Err(target.unreachable(format!("no address is known for {}", target.host))),
    }
}

fn keep_alive(stream: &TcpStream) -> rustix::io::Result<()> {
    let (idle, interval, misses) = KEEPALIVE;
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, idle)?;
    sockopt::set_tcp_keepintvl(stream, interval)?;
    sockopt::set_tcp_keepcnt(stream, misses)?;
    // What was sent and is not acknowledged is asked after by retransmission, not by keepalive,
    // which the system would go on with for a quarter of an hour.
    sockopt::set_tcp_user_timeout(stream, 60_000)
}

/// How many of the first bytes are remembered.
const FIRST: usize = 5;

/// A connection that remembers how the other side began.
pub(super) struct Sniffed {
    stream: TcpStream,
    first: [u8; FIRST],
    seen: usize,
}

impl Sniffed {
    /// What the other side speaks, where it is not TLS and can be told.
    pub(super) fn speaks(&self) -> Option<&'static str> {
        match &self.first[..self.seen] {
            first if first.starts_with(b"HTTP") => Some("it answers in plain HTTP"),
            first if first.starts_with(b"SSH-") => Some("it is an SSH server"),
            _ => None,
        }
    }

    /// A TLS alert: the answer of a TLS server to what is no TLS.
    fn is_alert(&self) -> bool {
        self.seen >= 2 && self.first[..2] == [0x15, 0x03]
    }
}

impl AsyncRead for Sniffed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        let seen = self.seen;
        if seen < FIRST && polled.is_ready() {
            let new = &buf.filled()[before..];
            let taken = new.len().min(FIRST - seen);
            self.first[seen..seen + taken].copy_from_slice(&new[..taken]);
            self.seen += taken;
        }
        polled
    }
}

macro_rules! write_through {
    ($type:ty) => {
        impl AsyncWrite for $type {
            fn poll_write(
                mut self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bytes: &[u8],
            ) -> Poll<io::Result<usize>> {
                Pin::new(&mut self.stream).poll_write(cx, bytes)
            }

            fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                Pin::new(&mut self.stream).poll_flush(cx)
            }

            fn poll_shutdown(
                mut self: Pin<&mut Self>,
                cx: &mut Context<'_>,
            ) -> Poll<io::Result<()>> {
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
                Pin::new(&mut self.stream).poll_write_vectored(cx, bytes)
            }
        }
    };
}
write_through!(Sniffed);
write_through!(Plain);

/// A connection without TLS, which says so when the other side speaks nothing else.
pub(super) struct Plain {
    stream: Sniffed,
    target: Arc<Target>,
}

impl AsyncRead for Plain {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        if self.stream.is_alert() {
            let error = self.target.problem(TlsProblem::OnlyTls);
            return Poll::Ready(Err(io::Error::other(Failure(error))));
        }
        polled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_that_leads_nowhere_costs_little() {
        // A queue that is full takes no connection and refuses none.
        let full = tokio::net::TcpSocket::new_v4().unwrap();
        full.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let full = full.listen(0).unwrap();
        let nowhere = full.local_addr().unwrap();
        let mut queued = Vec::new();
        let wait = Duration::from_millis(300);
        while let Ok(Ok(stream)) = timeout(wait, TcpStream::connect(nowhere)).await {
            queued.push(stream);
        }
        let there = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let there = (there.local_addr().unwrap(), there);
        let (_, found) = timeout(CONNECT, dial(vec![nowhere, there.0]))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(found, there.0);
        let (at, _) = dial(vec![{
            let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            gone.local_addr().unwrap()
        }])
        .await
        .unwrap_err()
        .unwrap();
        assert_ne!(at, there.0);
        assert!(dial(Vec::new()).await.unwrap_err().is_none());
    }
}

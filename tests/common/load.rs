//! A load of HTTP requests that tells every failure: what a visitor would have seen.

#![allow(dead_code)] // every test binary takes what it needs of this

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// An answer, read to its end.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    pub headers: http::HeaderMap,
    pub body: Bytes,
    pub took: Duration,
}

impl Reply {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
    /// A header's value, empty when it is absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or("")
    }
}

#[derive(Debug)]
enum Failed {
    Connecting(std::io::Error),
    Http(hyper::Error),
}

impl Failed {
    fn is_canceled(&self) -> bool {
        matches!(self, Failed::Http(e) if e.is_canceled())
    }
}

impl From<hyper::Error> for Failed {
    fn from(e: hyper::Error) -> Failed {
        Failed::Http(e)
    }
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Failed::Connecting(e) => write!(f, "connecting: {e}"),
            Failed::Http(e) => write!(f, "{e} ({e:?})"),
        }
    }
}

/// One client's connection.
pub struct Connection {
    to: SocketAddr,
    sender: Option<SendRequest<Empty<Bytes>>>,
}

impl Connection {
    pub fn new(to: SocketAddr) -> Connection {
        Connection { to, sender: None }
    }

    /// Asks on the open connection, or on a new one where the last was closed before anything of
    /// this request was sent.
    pub async fn ask(&mut self, request: http::Request<Empty<Bytes>>) -> Result<Reply, String> {
        match self.attempt(request.clone()).await {
            Err(e) if e.is_canceled() => self.attempt(request).await,
            result => result,
        }
        .map_err(|e| e.to_string())
    }

    async fn attempt(&mut self, request: http::Request<Empty<Bytes>>) -> Result<Reply, Failed> {
        let begun = Instant::now();
        if let Some(sender) = &mut self.sender
            && sender.ready().await.is_err()
        {
            self.sender = None;
        }
        if self.sender.is_none() {
            let stream = TcpStream::connect(self.to).await;
            let stream = stream.map_err(Failed::Connecting)?;
            stream.set_nodelay(true).map_err(Failed::Connecting)?;
            let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
            tokio::spawn(connection.with_upgrades());
            self.sender = Some(sender);
        }
        let Some(sender) = &mut self.sender else {
            unreachable!("one was just made");
        };
        let result = async {
            let (parts, body) = sender.send_request(request).await?.into_parts();
            Ok((parts, body.collect().await?.to_bytes()))
        };
        match result.await {
            Ok((parts, body)) => Ok(Reply {
                status: parts.status.as_u16(),
                headers: parts.headers,
                body,
                took: begun.elapsed(),
            }),
            Err(e) => {
                self.sender = None;
                Err(Failed::Http(e))
            }
        }
    }
}

/// A GET for `path` of `host`.
pub fn get(host: &str, path: &str) -> http::Request<Empty<Bytes>> {
    http::Request::get(path)
        .header("Host", host)
        .body(Empty::new())
        .unwrap_or_else(|e| panic!("{host}{path}: {e}"))
}

/// One GET on a connection of its own.
pub async fn ask(to: SocketAddr, host: &str, path: &str) -> Result<Reply, String> {
    Connection::new(to).ask(get(host, path)).await
}

/// Some clients that ask for one thing again and again.
#[derive(Debug, Clone)]
pub struct Clients {
    pub host: String,
    pub path: String,
    /// How many at a time.
    pub count: usize,
    /// One connection for many requests, or a new one for each.
    pub keep_alive: bool,
    /// Between an answer and the next request.
    pub pause: Duration,
}

impl Clients {
    pub fn new(host: &str, path: &str, count: usize, keep_alive: bool) -> Clients {
        Clients {
            host: host.into(),
            path: path.into(),
            count,
            keep_alive,
            pause: Duration::from_millis(5),
        }
    }
}

/// What a load met with.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Requests that were answered as they should be, by `host path`.
    pub answered: BTreeMap<String, Vec<Duration>>,
    /// Everything else: when after the start, for what, and what happened.
    pub failures: Vec<String>,
}

impl Report {
    pub fn count(&self) -> usize {
        self.answered.values().map(Vec::len).sum()
    }
    /// The time below which this share (0 to 1) of the requests of `host path` were answered.
    pub fn quantile(&self, what: &str, share: f64) -> Duration {
        let mut times = self.answered.get(what).cloned().unwrap_or_default();
        times.sort();
        let at = ((times.len() as f64) * share) as usize;
        times
            .get(at.min(times.len().saturating_sub(1)))
            .copied()
            .unwrap_or(Duration::MAX)
    }
    pub fn assert_no_failure(&self) {
        let some: Vec<_> = self.failures.iter().take(5).collect();
        assert!(
            self.failures.is_empty(),
            "{} of {} requests failed, such as {some:#?}",
            self.failures.len(),
            self.count() + self.failures.len()
        );
    }
}

/// Judges an answer: `Err` says what is wrong with it.
pub type Judge = Arc<dyn Fn(&Clients, &Reply) -> Result<(), String> + Send + Sync>;

/// A load that runs until it is stopped.
pub struct Load {
    stop: Arc<AtomicBool>,
    tasks: JoinSet<Report>,
}

impl Load {
    /// Starts all clients; an answer is right when `judge` says so.
    pub fn start(to: SocketAddr, clients: &[Clients], judge: Judge) -> Load {
        let stop = Arc::new(AtomicBool::new(false));
        let begun = Instant::now();
        let mut tasks = JoinSet::new();
        for clients in clients {
            for _ in 0..clients.count {
                let (clients, judge, stop) = (clients.clone(), judge.clone(), stop.clone());
                tasks.spawn(async move { run(to, clients, judge, stop, begun).await });
            }
        }
        Load { stop, tasks }
    }

    /// Clients to whom any answer with status 200 is right.
    pub fn expecting_200(to: SocketAddr, clients: &[Clients]) -> Load {
        Load::start(
            to,
            clients,
            Arc::new(|_, reply| match reply.status {
                200 => Ok(()),
                status => Err(format!("status {status}: {}", reply.text())),
            }),
        )
    }

    /// Lets every client finish its last request, then tells.
    pub async fn stop(mut self) -> Report {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Report::default();
        while let Some(one) = self.tasks.join_next().await {
            let one = one.unwrap_or_else(|e| panic!("a client panicked: {e}"));
            for (what, times) in one.answered {
                all.answered.entry(what).or_default().extend(times);
            }
            all.failures.extend(one.failures);
        }
        all
    }
}

async fn run(
    to: SocketAddr,
    clients: Clients,
    judge: Judge,
    stop: Arc<AtomicBool>,
    begun: Instant,
) -> Report {
    let mut report = Report::default();
    let what = format!("{} {}", clients.host, clients.path);
    let mut connection = Connection::new(to);
    while !stop.load(Ordering::Relaxed) {
        let mut request = get(&clients.host, &clients.path);
        if !clients.keep_alive {
            connection = Connection::new(to);
            let close = http::HeaderValue::from_static("close");
            request.headers_mut().insert("Connection", close);
        }
        let since = begun.elapsed();
        let judged = match connection.ask(request).await {
            Ok(reply) => judge(&clients, &reply).map(|()| reply.took),
            Err(e) => Err(e),
        };
        match judged {
            Ok(took) => report.answered.entry(what.clone()).or_default().push(took),
            Err(why) => report.failures.push(format!("{since:?} {what}: {why}")),
        }
        if !clients.pause.is_zero() {
            tokio::time::sleep(clients.pause).await;
        }
    }
    report
}

//! The one path that every request takes: prefix, gate, connection, deadline.

use std::pin::Pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper::body::Incoming;
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::time::Instant;

use super::decode::lenient;
use super::error::{Error, Result, said};
use super::gate::Gate;
use super::hello::{self, Greeted, Hello};
use super::transport::certificate::Shown;
use super::transport::connector::{Connector, DIALLING, Failure};
use super::visit::{self, Visit, Visited};

/// The body of a request.
pub(super) type Body = UnsyncBoxBody<Bytes, std::io::Error>;

/// Reading calls.
pub(super) const READ: Duration = Duration::from_secs(8);
/// Create and start.
pub(super) const START: Duration = Duration::from_secs(60);
/// How long an upload may make no progress.
pub(super) const UPLOAD_IDLE: Duration = Duration::from_secs(30);
/// Answers that are read whole are never larger.
pub(super) const LARGEST: usize = 64 * 1024 * 1024;
/// Idle connections kept for the next request.
const KEPT: usize = 8;
/// What is read at once of an answer, and held of it until it is taken, bytes: fifty hosts with
/// eight connections each are 400 of them.
const BUFFER: usize = 32 * 1024;
/// How long an idle connection is kept.
const KEPT_FOR: Duration = Duration::from_secs(60);

/// What is asked of the engine, before it becomes a request.
pub(super) struct Call {
    method: Method,
    /// Path and query, without the version prefix.
    target: String,
    headers: HeaderMap,
    body: Option<Bytes>,
    what: String,
}

impl Call {
    pub(super) fn new(method: Method, target: impl Into<String>, what: impl Into<String>) -> Self {
        Call {
            method,
            target: target.into(),
            headers: HeaderMap::new(),
            body: None,
            // Names and ids in it may be the engine's.
            what: said(&what.into()),
        }
    }

    pub(super) fn get(target: impl Into<String>, what: impl Into<String>) -> Self {
        Self::new(Method::GET, target, what)
    }

    pub(super) fn post(target: impl Into<String>, what: impl Into<String>) -> Self {
        Self::new(Method::POST, target, what)
    }

    pub(super) fn delete(target: impl Into<String>, what: impl Into<String>) -> Self {
        Self::new(Method::DELETE, target, what)
    }

    pub(super) fn query(mut self, name: &str, value: &str) -> Self {
        self.target
            .push(if self.target.contains('?') { '&' } else { '?' });
        self.target.push_str(name);
        self.target.push('=');
        self.target.extend(utf8_percent_encode(value, &ESCAPED));
        self
    }

    pub(super) fn json<T: serde::Serialize>(self, body: &T) -> Result<Self> {
        let bytes = serde_json::to_vec(body).map_err(|error| {
            let why = format!("the request cannot be written as JSON: {error}");
            Error::nonsense(&self.what, why)
        })?;
        Ok(self.body(bytes, HeaderValue::from_static("application/json")))
    }

    pub(super) fn tar(self, body: Vec<u8>) -> Self {
        self.body(body, HeaderValue::from_static("application/x-tar"))
    }

    fn body(mut self, body: Vec<u8>, kind: HeaderValue) -> Self {
        self.headers.insert(header::CONTENT_TYPE, kind);
        self.body = Some(body.into());
        self
    }

    pub(super) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// Asks for the connection itself, once the engine has answered.
    pub(super) fn upgrade(mut self) -> Self {
        self.headers
            .insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        self.headers
            .insert(header::UPGRADE, HeaderValue::from_static("tcp"));
        self
    }
}

/// A whole answer.
pub(super) struct Answer {
    pub(super) bytes: Bytes,
    what: String,
}

impl Answer {
    pub(super) fn parse<T: serde::de::DeserializeOwned>(&self) -> Result<T> {
        lenient::answer(&self.bytes).map_err(|error| Error::nonsense(&self.what, error))
    }
}

/// An answer of which the body is still to come.
pub(super) struct Opened {
    response: Response<Incoming>,
    address: String,
    what: String,
}

impl Opened {
    pub(super) fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    pub(super) fn into_response(self) -> Response<Incoming> {
        self.response
    }

    pub(super) fn what(&self) -> &str {
        &self.what
    }

    /// The next piece of the body; `None` at its proper end.
    pub(super) async fn chunk(&mut self) -> Result<Option<Bytes>> {
        loop {
            match self.response.body_mut().frame().await {
                None => return Ok(None),
                Some(Ok(frame)) => {
                    if let Ok(bytes) = frame.into_data() {
                        return Ok(Some(bytes));
                    }
                }
                Some(Err(_)) => {
                    return Err(Error::Cut {
                        what: self.what.clone(),
                    });
                }
            }
        }
    }

    /// As [`Opened::chunk`], when a piece must come within `idle`.
    pub(super) async fn chunk_within(&mut self, idle: Duration) -> Result<Option<Bytes>> {
        match tokio::time::timeout(idle, self.chunk()).await {
            Ok(chunk) => chunk,
            Err(_) => Err(Error::Deadline {
                what: format!("{} at {}", self.what, self.address),
                after: idle,
            }),
        }
    }

    async fn whole(&mut self, limit: usize) -> Result<Bytes> {
        let mut all = BytesMut::new();
        while let Some(chunk) = self.chunk().await? {
            if all.len() + chunk.len() > limit {
                return Err(Error::TooLarge {
                    what: self.what.clone(),
                    limit,
                });
            }
            all.extend_from_slice(&chunk);
        }
        Ok(all.freeze())
    }
}

/// The client under the client.
pub(super) struct Wire {
    http: legacy::Client<Connector, Body>,
    connector: Connector,
    pub(super) gate: Gate,
    pub(super) address: String,
    /// `/v1.41`; empty until the engine said which it speaks.
    prefix: String,
    clock: Mutex<Option<(i64, Instant)>>,
    pub(super) shown: Shown,
}

impl Wire {
    pub(super) fn new(connector: Connector, address: &str, gate: Gate) -> Self {
        let shown = connector.shown().clone();
        let http = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(KEPT_FOR)
            .pool_max_idle_per_host(KEPT)
            .http1_max_buf_size(BUFFER)
            .build(connector.clone());
        Wire {
            http,
            connector,
            gate,
            address: address.to_owned(),
            prefix: String::new(),
            clock: Mutex::new(None),
            shown,
        }
    }

    pub(super) fn speak(&mut self, api: super::version::Api) {
        self.prefix = format!("/v{api}");
    }

    /// Seconds of the engine's clock.
    pub(super) fn daemon_now(&self) -> Option<i64> {
        let clock = self.clock.lock().ok()?;
        clock.map(|(seconds, at)| seconds + at.elapsed().as_secs() as i64)
    }

    /// Sends a call and reads the whole answer, all within `after`. An error status is an `Err`;
    /// 304 is not.
    pub(super) async fn ask(&self, call: Call, after: Duration) -> Result<Answer> {
        self.ask_up_to(call, after, LARGEST).await
    }

    pub(super) async fn ask_up_to(
        &self,
        call: Call,
        after: Duration,
        limit: usize,
    ) -> Result<Answer> {
        let what = call.what.clone();
        let asking = async {
            let mut opened = self.open_unlimited(call).await?;
            let bytes = opened.whole(limit).await?;
            Ok(Answer {
                bytes,
                what: opened.what,
            })
        };
        self.within(after, &what, Box::pin(asking)).await
    }

    /// Sends a call and returns when the head of the answer has come, within `after`.
    pub(super) async fn open(&self, call: Call, after: Duration) -> Result<Opened> {
        let what = call.what.clone();
        let opening = Box::pin(self.open_unlimited(call));
        self.within(after, &what, opening).await
    }

    /// Sends a call with a large body: it fails when nothing of it was taken, and no answer came,
    /// for `idle`.
    pub(super) async fn upload(&self, mut call: Call, idle: Duration) -> Result<Opened> {
        let what = call.what.clone();
        let body = call.body.take().unwrap_or_default();
        let (body, taken) = metered(body);
        let dialling = dialling();
        let sending = DIALLING.scope(Arc::clone(&dialling), Box::pin(self.send_call(call, body)));
        tokio::pin!(sending);
        let mut before = 0;
        loop {
            match tokio::time::timeout(idle, &mut sending).await {
                Ok(opened) => return opened,
                Err(_) => {
                    let now = taken.load(Ordering::Relaxed);
                    if now == before && dialling.load(Ordering::Acquire) == 0 {
                        return Err(self.late(&what, idle));
                    }
                    before = now;
                }
            }
        }
    }

    /// On the heap: futures within futures grow large, and a thread's stack is not.
    pub(super) async fn within<T>(
        &self,
        after: Duration,
        what: &str,
        doing: Pin<Box<impl Future<Output = Result<T>>>>,
    ) -> Result<T> {
        // Its own only: that a host takes no more connections must not hide that it does not answer.
        let dialling = dialling();
        let doing = DIALLING.scope(Arc::clone(&dialling), doing);
        tokio::pin!(doing);
        loop {
            match tokio::time::timeout(after, &mut doing).await {
                Ok(done) => return done,
                // Connecting has deadlines of its own, each with words of its own; and a login may
                // wait for the operator.
                Err(_) if dialling.load(Ordering::Acquire) > 0 => {}
                Err(_) => return Err(self.late(what, after)),
            }
        }
    }

    fn late(&self, what: &str, after: Duration) -> Error {
        Error::Deadline {
            what: format!("{what} at {}", self.address),
            after,
        }
    }

    async fn open_unlimited(&self, mut call: Call) -> Result<Opened> {
        let body = call.body.take().map_or_else(empty, full);
        self.send_call(call, body).await
    }

    async fn send_call(&self, call: Call, body: Body) -> Result<Opened> {
        let mut request = Request::new(body);
        *request.method_mut() = call.method;
        *request.headers_mut() = call.headers;
        *request.uri_mut() = self.uri(&call.target, &call.what)?;
        let response = self.send(request).await?;
        let mut opened = Opened {
            response,
            address: self.address.clone(),
            what: call.what,
        };
        let status = opened.response.status();
        if status.is_success()
            || status == StatusCode::NOT_MODIFIED
            || status == StatusCode::SWITCHING_PROTOCOLS
        {
            return Ok(opened);
        }
        let text = opened.whole(1024 * 1024).await.unwrap_or_default();
        Err(Error::answered(
            status.as_u16(),
            opened.what,
            &message(status, &text),
        ))
    }

    fn uri(&self, target: &str, what: &str) -> Result<http::Uri> {
        // The authority is the pool's key and the Host header; nothing is resolved from it.
        format!("http://docker{}{target}", self.prefix)
            .parse()
            .map_err(|error: http::uri::InvalidUri| {
                Error::nonsense(what, format!("{target:?} is not a path: {error}"))
            })
    }

    /// The request of another library: any version prefix of its own is replaced by ours.
    pub(super) async fn send_foreign(
        &self,
        mut request: Request<Body>,
    ) -> Result<Response<Incoming>> {
        let target = request
            .uri()
            .path_and_query()
            .map_or("/", |target| target.as_str());
        let bare = target
            .strip_prefix("/v")
            .and_then(|rest| rest.split_once('/'))
            .filter(|(version, _)| version.parse::<super::version::Api>().is_ok())
            .map_or_else(|| target.to_owned(), |(_, rest)| format!("/{rest}"));
        *request.uri_mut() = self.uri(&bare, &bare)?;
        self.send(request).await
    }

    /// Asks a site on the engine's host, through the router there: no request to the engine.
    pub(super) async fn visit(&self, visit: Visit, within: Duration) -> Visited {
        let reaching = self.connector.port(visit.port());
        visit::pay(visit, reaching, within).await
    }

    /// Begins a handshake with the router on the engine's host: no request to the engine.
    pub(super) async fn hello(&self, hello: Hello, within: Duration) -> Greeted {
        let reaching = self.connector.port(hello.port());
        hello::say(hello, reaching, within).await
    }

    /// The last step before the connection: the gate sees what will be sent.
    async fn send(&self, request: Request<Body>) -> Result<Response<Incoming>> {
        self.gate
            .judge(request.method(), request.uri().path(), request.headers())?;
        // A connection that the engine closed while it lay idle may fail a request half-sent;
        // one that changes nothing and has no body can go out once more, on a new one.
        let again =
            (request.method() == Method::GET || request.method() == Method::HEAD).then(|| {
                (
                    request.method().clone(),
                    request.uri().clone(),
                    request.headers().clone(),
                )
            });
        let sent = match (self.http.request(request).await, again) {
            (Err(error), Some((method, uri, headers))) if closed_early(&error) => {
                let mut request = Request::new(empty());
                *request.method_mut() = method;
                *request.uri_mut() = uri;
                *request.headers_mut() = headers;
                self.http.request(request).await
            }
            (sent, _) => sent,
        };
        let response = sent.map_err(|error| self.explain(&error))?;
        self.remember_clock(response.headers());
        Ok(response)
    }

    fn remember_clock(&self, headers: &HeaderMap) {
        let date = headers
            .get(header::DATE)
            .and_then(|date| date.to_str().ok())
            .and_then(|date| chrono::DateTime::parse_from_rfc2822(date).ok());
        if let (Some(date), Ok(mut clock)) = (date, self.clock.lock()) {
            *clock = Some((date.timestamp(), Instant::now()));
        }
    }

    fn explain(&self, error: &legacy::Error) -> Error {
        if let Some(error) = Failure::within(error) {
            return error.clone();
        }
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
        let mut last = error.to_string();
        while let Some(current) = cause {
            if let Some(hyper) = current.downcast_ref::<hyper::Error>() {
                if hyper.is_parse() {
                    return Error::NotDocker {
                        address: self.address.clone(),
                        what: "what listens there does not speak HTTP".to_owned(),
                    };
                }
                if hyper.is_incomplete_message() {
                    last = "it closed the connection without an answer".to_owned();
                    break;
                }
            }
            last = current.to_string();
            cause = current.source();
        }
        self.shown.refused().unwrap_or(Error::Unreachable {
            address: self.address.clone(),
            why: last,
        })
    }
}

/// Counts the connections that are opened for one request: what is part of another counts with it.
fn dialling() -> Arc<AtomicUsize> {
    DIALLING.try_with(Arc::clone).unwrap_or_default()
}

/// Whether a connection was closed before any of the answer came.
fn closed_early(error: &legacy::Error) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(current) = cause {
        if current
            .downcast_ref::<hyper::Error>()
            .is_some_and(hyper::Error::is_incomplete_message)
        {
            return true;
        }
        if let Some(io) = current.downcast_ref::<std::io::Error>() {
            use std::io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
            // The last is how a TLS connection ends whose other side was killed.
            return matches!(io.kind(), BrokenPipe | ConnectionReset | UnexpectedEof);
        }
        cause = current.source();
    }
    false
}

/// The engine's own words about an error.
pub(super) fn message(status: StatusCode, body: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    struct Said {
        message: String,
    }
    if let Ok(said) = serde_json::from_slice::<Said>(body) {
        return said.message.trim().to_owned();
    }
    let text = String::from_utf8_lossy(body);
    match text.trim() {
        "" => status.canonical_reason().unwrap_or("an error").to_owned(),
        text => text.to_owned(),
    }
}

pub(super) fn empty() -> Body {
    Full::new(Bytes::new())
        .map_err(|never| match never {})
        .boxed_unsync()
}

fn full(bytes: Bytes) -> Body {
    Full::new(bytes)
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// A body in pieces, and how many bytes of it were taken.
fn metered(mut bytes: Bytes) -> (Body, std::sync::Arc<AtomicU64>) {
    let taken = std::sync::Arc::new(AtomicU64::new(0));
    let count = taken.clone();
    let pieces = std::iter::from_fn(move || {
        let piece = bytes.split_to(bytes.len().min(64 * 1024));
        count.fetch_add(piece.len() as u64, Ordering::Relaxed);
        (!piece.is_empty()).then(|| Ok(hyper::body::Frame::data(piece)))
    });
    let body = http_body_util::StreamBody::new(futures_util::stream::iter(pieces));
    (body.boxed_unsync(), taken)
}

/// What does not stand in a value of a query as it is.
const ESCAPED: AsciiSet = NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// A name or id that may stand in a path as it is.
pub(super) fn plain<'a>(kind: &str, name: &'a str) -> Result<&'a str> {
    let fine = name
        .bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_alphanumeric())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
    if fine {
        Ok(name)
    } else {
        Err(Error::BadName {
            kind: kind.to_owned(),
            name: said(name),
        })
    }
}

/// An image's name, id, tag or digest that may stand in a path as it is.
pub(super) fn plain_image(name: &str) -> Result<&str> {
    let part = |part: &str| {
        part.bytes()
            .next()
            .is_some_and(|byte| byte.is_ascii_alphanumeric())
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"_.:@+-".contains(&byte))
    };
    if name.split('/').all(part) {
        Ok(name)
    } else {
        Err(Error::BadName {
            kind: "image".to_owned(),
            name: said(name),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::plain_image;
    use crate::fleet::value::parse_image;

    proptest! {
        /// An image that a fleet file may name can be asked for.
        #[test]
        fn images_of_a_fleet_file_can_be_asked_for(text in "[a-z0-9_.:@/\\[\\]+-]{1,40}") {
            if let Ok(image) = parse_image(&text) {
                prop_assert_eq!(plain_image(&image), Ok(image.as_str()));
            }
        }
    }
}

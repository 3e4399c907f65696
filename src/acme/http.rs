//! HTTP to a certificate authority: HTTPS only, no redirects, every answer bounded in time and size,
//! and what a refusal says kept: the crate `instant_acme` drops `Retry-After`.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use chrono::DateTime;
use http::header::{RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioIo};
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient, Problem};
use rustls::ClientConfig;
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tower_service::Service;

use super::authority::Authority;
use super::refusal::{Kind, Refusal};
use super::roots;
use super::told::{Told, short_type};

/// Bytes of an answer at most: chains and directories have a few thousand.
const LARGEST: usize = 1 << 20;
/// Longest time to find an address and connect to it.
const CONNECT: Duration = Duration::from_secs(10);
/// As long as anybody may ask to be left alone; more is taken for this much.
const LONGEST_WAIT: Duration = Duration::from_secs(30 * 86_400);

/// URLs of which it is known when they may be asked again.
const REMEMBERED: usize = 1000;

const AGENT: HeaderValue = HeaderValue::from_static(concat!("ostler/", env!("CARGO_PKG_VERSION")));

/// Connections to one authority. Cheap to clone; all share them.
#[derive(Clone)]
pub(super) struct Http(Arc<Shared>);

struct Shared {
    client: Client<Dial, BodyWrapper<Bytes>>,
    directory: String,
    patience: Duration,
    /// What the directory said: it is asked once.
    body: Mutex<Option<Bytes>>,
    /// By URL when it may be asked again, as its last answer said.
    later: Mutex<BTreeMap<String, Instant>>,
}

impl Http {
    /// # Errors
    /// No root certificates, or an address that is not `https://…`.
    pub(super) fn new(authority: &Authority) -> Result<Http, Refusal> {
        let directory = &authority.directory;
        let uri = directory.parse::<Uri>().ok();
        if uri.is_none_or(|uri| uri.scheme_str() != Some("https") || uri.host().is_none()) {
            let why = format!("the directory of an authority is https://…, not {directory}");
            return Err(Refusal::of(Kind::Settings, why));
        }
        let roots = roots::roots(authority.root.as_deref())?;
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| Refusal::of(Kind::Other, error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(CONNECT.min(authority.patience)));
        tcp.set_nodelay(true);
        let dial = Dial {
            tcp,
            tls: TlsConnector::from(Arc::new(config)),
        };
        Ok(Http(Arc::new(Shared {
            client: Client::builder(TokioExecutor::new()).build(dial),
            directory: directory.clone(),
            patience: authority.patience,
            body: Mutex::default(),
            later: Mutex::default(),
        })))
    }

    /// One GET.
    ///
    /// # Errors
    /// No answer in time, or one that is no success.
    pub(super) async fn get(&self, url: &str) -> Result<Response<Bytes>, Told> {
        let request = Request::get(url).body(BodyWrapper::default());
        let request = request.map_err(|_| Told::Away(format!("{url} is no address")))?;
        self.send(request).await
    }

    /// When a URL may be asked again, where its last answer said so. Told once.
    pub(super) fn later(&self, url: &str) -> Option<Duration> {
        let at = lock(&self.0.later).remove(url)?;
        Some(at.saturating_duration_since(Instant::now()))
    }

    async fn send(
        &self,
        mut request: Request<BodyWrapper<Bytes>>,
    ) -> Result<Response<Bytes>, Told> {
        let shared = &*self.0;
        let uri = request.uri().clone();
        let is_directory = request.method() == Method::GET && uri == *shared.directory;
        if is_directory && let Some(body) = lock(&shared.body).clone() {
            return Ok(Response::new(body));
        }
        request.headers_mut().insert(USER_AGENT, AGENT);
        let whom = uri.authority().map_or("", |it| it.as_str()).to_owned();
        let away = |why: String| Told::Away(format!("{whom}: {why}"));
        let answer = async {
            let answer = shared.client.request(request).await;
            let answer = answer.map_err(|error| away(innermost(&error)))?;
            let (parts, body) = answer.into_parts();
            let body = Limited::new(body, LARGEST).collect().await;
            let body = body.map_err(|error| away(format!("its answer breaks off: {error}")))?;
            Ok(Response::from_parts(parts, body.to_bytes()))
        };
        let answer = match tokio::time::timeout(shared.patience, answer).await {
            Ok(answer) => answer?,
            Err(_) => {
                let seconds = shared.patience.as_secs_f32();
                return Err(away(format!("no answer within {seconds} s")));
            }
        };
        let retry_after = retry_after(answer.headers(), SystemTime::now());
        let status = answer.status();
        if !status.is_success() {
            let problem = serde_json::from_slice::<Problem>(answer.body()).ok();
            // This one is tried again by who signs requests.
            let stale = problem
                .as_ref()
                .is_some_and(|it| short_type(it) == "badNonce");
            if !(stale && status == StatusCode::BAD_REQUEST) {
                return Err(Told::Said {
                    status: status.as_u16(),
                    problem,
                    retry_after,
                });
            }
        } else if let Some(wait) = retry_after {
            let mut later = lock(&shared.later);
            // Of most URLs nobody wants to know.
            if later.len() >= REMEMBERED {
                later.clear();
            }
            later.insert(uri.to_string(), Instant::now() + wait);
        }
        if is_directory {
            *lock(&shared.body) = Some(answer.body().clone());
        }
        Ok(answer)
    }
}

impl HttpClient for Http {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let http = self.clone();
        Box::pin(async move {
            let answer = http.send(request).await;
            let answer = answer.map_err(|told| Error::Other(Box::new(told)))?;
            Ok(BytesResponse::from(answer.map(Full::new)))
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the innermost error says: those around it only say that something failed.
fn innermost(error: &hyper_util::client::legacy::Error) -> String {
    let mut said = error.to_string();
    let mut at = error.source();
    while let Some(error) = at {
        said = error.to_string();
        at = error.source();
    }
    said
}

/// `Retry-After`: seconds, or a date (RFC 9110, 10.2.3).
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let at = SystemTime::from(DateTime::parse_from_rfc2822(text).ok()?);
            at.duration_since(now).unwrap_or_default()
        }
    };
    Some(wait.min(LONGEST_WAIT))
}

/// Opens a connection with TLS.
#[derive(Clone)]
struct Dial {
    tcp: HttpConnector,
    tls: TlsConnector,
}

impl Service<Uri> for Dial {
    type Response = Stream;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Stream>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.tcp.poll_ready(context).map_err(io::Error::other)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let tls = self.tls.clone();
        let https = uri.scheme_str() == Some("https");
        let host = uri.host().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(host.to_owned());
        let tcp = self.tcp.call(uri);
        Box::pin(async move {
            // A directory must not lead to places that anybody on the way can read.
            if !https {
                return Err(io::Error::other(
                    "only https:// is spoken with an authority",
                ));
            }
            let name = name.map_err(io::Error::other)?;
            let tcp = tcp.await.map_err(io::Error::other)?;
            let stream = tls.connect(name, tcp.into_inner()).await?;
            Ok(Stream(TokioIo::new(stream)))
        })
    }
}

/// A connection, as the client wants it.
struct Stream(TokioIo<TlsStream<TcpStream>>);

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl Read for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl Write for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_read_in_seconds_and_as_dates() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        for (text, expected) in [
            ("120", Some(120)),
            (" 3 ", Some(3)),
            ("Sun, 06 Nov 1994 08:50:37 GMT", Some(60)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("18446744073709551615", Some(30 * 86_400)),
            ("soon", None),
            ("-1", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_static(text));
            let wait = retry_after(&headers, now).map(|wait| wait.as_secs());
            assert_eq!(wait, expected, "{text}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }

    #[test]
    fn only_https_is_an_authority_s_address() {
        for address in ["http://ca.example/directory", "ca.example", "https://", ""] {
            let refusal = Http::new(&Authority::new(address)).err();
            assert_eq!(refusal.unwrap().kind, Kind::Settings, "{address}");
        }
    }
}

//! Asking a site as a visitor would: the one kind of request that goes elsewhere than to an engine.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, header};
use http_body_util::Empty;
use hyper_util::rt::TokioIo;
use tokio::time::timeout;

use super::transport::connector::{Bytestream, Failure, NoPort, Reached};
use crate::fleet::{Domain, Host, value};

/// Headers that an answer may have: more than the router lets pass.
const HEADERS: usize = 256;
/// Bytes of them, at most.
const HEAD: usize = 64 * 1024;
/// The header by which the router knows its own host's questions, and counts them as nobody's.
pub const MARK: &str = "x-ostler-probe";
/// The header by which the router's own pages are known.
const PAGE: &str = "x-ostler";

/// A request that a visitor could send, to the router of one host: there is no other way to make
/// one than by the rule (`Visit::new`), and nothing of it can be changed.
#[derive(Debug)]
pub struct Visit {
    port: u16,
    request: Request<Empty<Bytes>>,
}

impl Visit {
    /// The rule: GET, HTTP/1.1, no body; a domain's name, a checked path, and headers of ours alone;
    /// to the port of the host's router.
    ///
    /// # Errors
    /// What of it is not so.
    pub(super) fn new(
        host: &Host,
        domain: &Domain,
        path: &str,
        mark: Option<&str>,
    ) -> Result<Visit, &'static str> {
        let name = domain.as_str();
        // It may come from a host's record.
        if value::parse_domain(name).ok().as_ref() != Some(domain) {
            return Err("the domain is none");
        }
        if value::parse_url_path(path).ok().as_deref() != Some(path) {
            return Err("the path is none that a health check may have");
        }
        let mut request = Request::new(Empty::new());
        *request.method_mut() = Method::GET;
        *request.uri_mut() = path.parse().map_err(|_| "the path cannot be asked for")?;
        let headers = request.headers_mut();
        let value = HeaderValue::from_str(name).map_err(|_| "the domain is no header")?;
        headers.insert(header::HOST, value);
        headers.insert(header::USER_AGENT, HeaderValue::from_static("ostler"));
        headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        if let Some(mark) = mark {
            let hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
            if mark.len() != 64 || !mark.bytes().all(hex) {
                return Err("the mark is none of ours");
            }
            let mut value = HeaderValue::from_str(mark).map_err(|_| "the mark is no header")?;
            value.set_sensitive(true);
            headers.insert(MARK, value);
        }
        Ok(Visit {
            port: host.ports.http,
            request,
        })
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// The request, as it will be sent.
    #[cfg(test)]
    pub(super) fn request(&self) -> &Request<Empty<Bytes>> {
        &self.request
    }
}

/// What came of a visit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visited {
    /// From where it was made: `None`: from the host itself, through the connection; else from here,
    /// to this address.
    pub from_here: Option<String>,
    pub heard: Heard,
}

/// How a visit ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// An answer: its status, and which of the router's own pages it is, where it is one.
    Answer { status: u16, page: Option<String> },
    /// A connection, and no answer within so long.
    Silence(Duration),
    /// Nobody takes connections there, or answers otherwise than in HTTP, and how.
    Nobody(String),
    /// It did not get there, and why.
    NoWay(String),
}

/// Goes there and listens for the head of the answer. Opening the way and waiting for the answer may
/// take `within` each; what is left of the connection is closed. The mark goes to the host itself
/// only, and over no network.
pub(super) async fn pay(
    mut visit: Visit,
    reaching: impl Future<Output = Result<Reached, NoPort>>,
    within: Duration,
) -> Visited {
    let reached = match timeout(within, reaching).await {
        Ok(Ok(reached)) => reached,
        Ok(Err(NoPort::Refused(why))) => {
            return Visited {
                from_here: None,
                heard: Heard::Nobody(why),
            };
        }
        Ok(Err(NoPort::NoWay { why, from_here })) => {
            let heard = Heard::NoWay(why);
            return Visited { from_here, heard };
        }
        Err(_) => {
            let why = format!("no connection within {} s", within.as_secs());
            return Visited {
                from_here: None,
                heard: Heard::NoWay(why),
            };
        }
    };
    let Reached { stream, from_here } = reached;
    if from_here.is_some() {
        // Whoever is on the way, or answers in the host's place, would know it from then on.
        visit.request.headers_mut().remove(MARK);
    }
    let heard = match timeout(within, exchange(visit, stream)).await {
        Ok(heard) => heard,
        Err(_) => Heard::Silence(within),
    };
    Visited { from_here, heard }
}

async fn exchange(visit: Visit, stream: Box<dyn Bytestream>) -> Heard {
    let mut http = hyper::client::conn::http1::Builder::new();
    http.max_headers(HEADERS).max_buf_size(HEAD);
    let (mut sender, connection) = match http.handshake(TokioIo::new(stream)).await {
        Ok(made) => made,
        Err(error) => return failed(&error),
    };
    let answer = sender.send_request(visit.request);
    tokio::pin!(answer);
    let mut connection = Box::pin(connection);
    let first = tokio::select! {
        biased;
        answered = &mut answer => Some(answered),
        _ = &mut connection => None,
    };
    let answered = match first {
        Some(answered) => answered,
        // What is left of it says how it ended.
        None => {
            drop(connection);
            answer.await
        }
    };
    match answered {
        Ok(response) => {
            let page = response.headers().get(PAGE);
            let page = page.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
            let page = page.map(|page| page.chars().take(40).collect());
            Heard::Answer {
                status: response.status().as_u16(),
                page,
            }
        }
        Err(error) => failed(&error),
    }
}

fn failed(error: &hyper::Error) -> Heard {
    // What the transport says is no word of whoever is asked.
    if let Some(failure) = Failure::within(error) {
        return Heard::NoWay(failure.to_string());
    }
    Heard::Nobody(match error {
        error if error.is_parse() => "it does not speak HTTP".into(),
        error if error.is_incomplete_message() || error.is_canceled() => {
            "it closes the connection".into()
        }
        error => error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// What arrives of a visit with a mark.
    async fn sent(from_here: Option<String>) -> String {
        let text = "fleet: x\nhosts: { a: { engine: \"ssh://a\" } }\nsites: {}\n";
        let loaded = crate::fleet::load(text, std::path::Path::new("fleet.yml")).unwrap();
        let (domain, mark) = ("a.test".parse().unwrap(), "0a".repeat(32));
        let visit = Visit::new(&loaded.fleet.hosts[0], &domain, "/", Some(&mark)).unwrap();
        let (near, mut far) = tokio::io::duplex(4096);
        let stream = Box::new(near);
        let reaching = async { Ok(Reached { stream, from_here }) };
        let hearing = async {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                assert_ne!(far.read_buf(&mut head).await.unwrap(), 0);
            }
            let answer = b"HTTP/1.1 204 -\r\nConnection: close\r\n\r\n";
            far.write_all(answer).await.unwrap();
            String::from_utf8(head).unwrap()
        };
        let paying = pay(visit, reaching, Duration::from_secs(4));
        let (visited, head) = tokio::join!(paying, hearing);
        assert!(matches!(visited.heard, Heard::Answer { status: 204, .. }));
        head
    }

    #[tokio::test]
    async fn the_mark_goes_to_the_host_itself_and_over_no_network() {
        assert!(sent(None).await.contains(MARK));
        assert!(!sent(Some("192.0.2.1".into())).await.contains(MARK));
    }
}

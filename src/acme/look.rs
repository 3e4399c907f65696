//! A look from here, before an order is spent: what would an authority find?

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use futures_util::stream;
use futures_util::{FutureExt, StreamExt};
use http::header::{HOST, LOCATION, USER_AGENT};
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::dns::caa;
use super::dns::message::{Data, Type};
use super::dns::resolver::Resolver;
use super::proof::Answer;
use crate::text::short;

/// How long a connection may take, and then the answer.
const CONNECT: Duration = Duration::from_secs(5);
const ANSWER: Duration = Duration::from_secs(5);
/// Bytes of an answer that are read; ours has fewer.
const LARGEST: usize = 4 << 10;
/// Names that are looked at together, and addresses of one that are tried.
const TOGETHER: usize = 16;
const ADDRESSES: usize = 8;

/// How to look.
#[derive(Debug, Clone, Copy)]
pub struct Looking<'a> {
    /// Who is asked for addresses; `None`: this machine's resolver.
    pub resolver: Option<SocketAddr>,
    /// Where an authority fetches from: 80.
    pub port: u16,
    /// What whoever answers for the names answers now; `None`: names are proven by DNS, and where
    /// they lead to does not matter.
    pub marker: Option<&'a Answer>,
    /// As whom CAA records name the authority, lower case:
    /// [`Directory::caa_identities`](super::Directory::caa_identities).
    pub identities: &'a [String],
}

/// What an order would come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outlook {
    /// Nothing is known that speaks against it.
    Good,
    /// The name has no address yet.
    NoAddress,
    /// An address of it is somebody else's.
    Elsewhere,
    /// Nobody answers at any address of it.
    Silent,
    /// Its owner does not let this authority sign (CAA).
    Forbidden,
    /// It cannot be told from here.
    Unclear,
}

/// What was found out about one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub outlook: Outlook,
    /// What was found; also beside [`Outlook::Good`] there may be something. Else empty.
    pub words: String,
}

impl Finding {
    fn new(outlook: Outlook, words: impl Into<String>) -> Finding {
        let words = words.into();
        Finding { outlook, words }
    }

    /// The name's DNS is not here yet: there is nothing wrong but the time.
    pub fn waits(&self) -> bool {
        matches!(self.outlook, Outlook::NoAddress | Outlook::Elsewhere)
    }
}

/// Looks at each name, as an authority would. It takes at most some half a minute.
pub async fn look(names: &[String], looking: &Looking<'_>) -> BTreeMap<String, Finding> {
    let resolver = Resolver::new(looking.resolver);
    let looks = names.iter().map(|name| {
        let resolver = &resolver;
        // Boxed: that it can be sent is not seen through the closure otherwise.
        async move { (name.clone(), one(resolver, name, looking).await) }.boxed()
    });
    let looks: Vec<_> = looks.collect();
    stream::iter(looks)
        .buffer_unordered(TOGETHER)
        .collect()
        .await
}

async fn one(resolver: &Resolver, name: &str, looking: &Looking<'_>) -> Finding {
    let (allowed, led) =
        futures_util::join!(caa::forbids(resolver, name, looking.identities), async {
            match looking.marker {
                Some(marker) if !name.starts_with("*.") => {
                    leads(resolver, name, looking.port, marker).await
                }
                _ => Finding::new(Outlook::Good, ""),
            }
        });
    match allowed {
        Ok(Some(why)) => Finding::new(Outlook::Forbidden, why),
        Err(why) if led.outlook == Outlook::Good => {
            Finding::new(Outlook::Unclear, format!("CAA cannot be asked for: {why}"))
        }
        _ => led,
    }
}

/// Where a name leads to.
async fn leads(resolver: &Resolver, name: &str, port: u16, marker: &Answer) -> Finding {
    let (four, six) =
        futures_util::join!(resolver.ask(name, Type::A), resolver.ask(name, Type::Aaaa));
    let (four, six) = match (four, six) {
        (Ok(four), Ok(six)) => (four, six),
        (Err(why), _) | (_, Err(why)) => {
            return Finding::new(
                Outlook::Unclear,
                format!("its address cannot be asked for: {why}"),
            );
        }
    };
    let exists = four.exists || six.exists;
    let data = four.data.into_iter().chain(six.data);
    let addresses = data.filter_map(|it| match it {
        Data::Address(ip) => Some(ip),
        _ => None,
    });
    let addresses: Vec<IpAddr> = addresses.take(ADDRESSES).collect();
    if addresses.is_empty() {
        let words = match exists {
            true => "it has no address: neither A nor AAAA",
            false => "there is no such name in DNS",
        };
        return Finding::new(Outlook::NoAddress, words);
    }
    let tries = addresses
        .iter()
        .map(|ip| fetch(SocketAddr::new(*ip, port), name, marker));
    let found: Vec<(IpAddr, Fetched)> = addresses
        .iter()
        .copied()
        .zip(join_all(tries).await)
        .collect();
    weigh(&found, port)
}

/// What came from one address.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Fetched {
    Ours,
    /// Somebody else's answer.
    Other(String),
    /// It sends on to another place, where an authority looks next.
    SendsOn(String),
    /// Nobody answers.
    Nobody(String),
    /// This machine has no way there.
    NoWay(String),
}

fn weigh(found: &[(IpAddr, Fetched)], port: u16) -> Finding {
    let place = |ip: &IpAddr| match ip {
        IpAddr::V4(ip) => format!("A leads to {ip}"),
        IpAddr::V6(ip) => format!("AAAA leads to {ip}"),
    };
    let told = |wanted: &dyn Fn(&Fetched) -> Option<String>| -> Vec<String> {
        let told = found
            .iter()
            .filter_map(|(ip, it)| Some(format!("{}, {}", place(ip), wanted(it)?)));
        told.collect()
    };
    let elsewhere = told(&|it| match it {
        Fetched::Other(what) => Some(format!("which is not this host ({what})")),
        _ => None,
    });
    let silent = told(&|it| match it {
        Fetched::Nobody(why) => Some(format!("which does not answer on port {port} ({why})")),
        _ => None,
    });
    let unclear = told(&|it| match it {
        Fetched::SendsOn(to) => Some(format!("which sends on to {to}")),
        Fetched::NoWay(why) => Some(format!("which this machine has no way to ({why})")),
        _ => None,
    });
    let ours = found.iter().any(|(_, it)| *it == Fetched::Ours);
    if !elsewhere.is_empty() {
        Finding::new(Outlook::Elsewhere, elsewhere.join("; "))
    } else if ours {
        // Authorities try another address when nobody answers at one; visitors wait.
        Finding::new(Outlook::Good, [silent, unclear].concat().join("; "))
    } else if !unclear.is_empty() {
        Finding::new(Outlook::Unclear, [unclear, silent].concat().join("; "))
    } else {
        Finding::new(Outlook::Silent, silent.join("; "))
    }
}

/// Fetches the marker as an authority does: by this address, in the name's name.
async fn fetch(address: SocketAddr, name: &str, marker: &Answer) -> Fetched {
    let connected = match timeout(CONNECT, TcpStream::connect(address)).await {
        Ok(Ok(connected)) => connected,
        Ok(Err(error)) => return unreached(&error),
        Err(_) => return Fetched::Nobody("no connection in time".into()),
    };
    match timeout(ANSWER, exchange(connected, name, marker)).await {
        Ok(Ok(fetched)) => fetched,
        Ok(Err(why)) => Fetched::Other(short(&why, 100)),
        Err(_) => Fetched::Nobody("no answer in time".into()),
    }
}

fn unreached(error: &io::Error) -> Fetched {
    let why = short(&error.kind().to_string(), 60);
    match error.kind() {
        // This machine has no IPv6, as a rule.
        ErrorKind::NetworkUnreachable | ErrorKind::AddrNotAvailable => Fetched::NoWay(why),
        _ => Fetched::Nobody(why),
    }
}

async fn exchange(stream: TcpStream, name: &str, marker: &Answer) -> Result<Fetched, String> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| error.to_string())?;
    // It ends with its sender.
    tokio::spawn(connection);
    let request = Request::get(format!("/.well-known/acme-challenge/{}", marker.token))
        .header(HOST, name)
        .header(USER_AGENT, concat!("ostler/", env!("CARGO_PKG_VERSION")))
        .body(Empty::<Bytes>::new())
        .map_err(|error| error.to_string())?;
    let answer = sender
        .send_request(request)
        .await
        .map_err(|error| error.to_string())?;
    let status = answer.status();
    if status.is_redirection() {
        let to = answer
            .headers()
            .get(LOCATION)
            .and_then(|to| to.to_str().ok());
        return Ok(Fetched::SendsOn(short(to.unwrap_or("nowhere"), 100)));
    }
    if status != StatusCode::OK {
        return Ok(Fetched::Other(format!("it answers {}", status.as_u16())));
    }
    let body = Limited::new(answer.into_body(), LARGEST).collect().await;
    let body = body.map(|body| body.to_bytes()).unwrap_or_default();
    // An authority passes over spaces at the end, RFC 8555, 8.3.
    match body.trim_ascii_end() == marker.body.as_bytes() {
        true => Ok(Fetched::Ours),
        false => Ok(Fetched::Other("it answers something else".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_of_somebody_else_s_is_enough() {
        let four: IpAddr = "192.0.2.7".parse().unwrap();
        let six: IpAddr = "2001:db8::1".parse().unwrap();
        let other = Fetched::Other("it answers 404".into());
        let nobody = Fetched::Nobody("connection refused".into());
        let no_way = Fetched::NoWay("network unreachable".into());
        let sends_on = Fetched::SendsOn("https://x/".into());
        for (first, second, outlook, part) in [
            (&Fetched::Ours, &Fetched::Ours, Outlook::Good, ""),
            (
                &Fetched::Ours,
                &other,
                Outlook::Elsewhere,
                "AAAA leads to 2001:db8::1, which is not this host (it answers 404)",
            ),
            (&nobody, &other, Outlook::Elsewhere, "AAAA"),
            (
                &Fetched::Ours,
                &nobody,
                Outlook::Good,
                "AAAA leads to 2001:db8::1, which does not answer on port 80",
            ),
            (
                &nobody,
                &nobody,
                Outlook::Silent,
                "A leads to 192.0.2.7, which does not answer on port 80 (connection refused); AAAA",
            ),
            (&nobody, &no_way, Outlook::Unclear, "no way"),
            (
                &sends_on,
                &sends_on,
                Outlook::Unclear,
                "sends on to https://x/",
            ),
        ] {
            let finding = weigh(&[(four, first.clone()), (six, second.clone())], 80);
            assert_eq!(finding.outlook, outlook, "{first:?} {second:?}");
            assert!(finding.words.contains(part), "{}", finding.words);
            assert_eq!(finding.waits(), outlook == Outlook::Elsewhere);
        }
    }
}

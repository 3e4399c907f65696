//! The zone in which names are proven by DNS-01: records are put in and taken out again.

use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures_util::future::join_all;
use tokio::time::{sleep, timeout};

use super::message::{self, Data, Type};
use super::resolver::{Resolver, ask, random, stream, word};
use super::tsig::Key;
use super::update::{Change, update};
use crate::text::short;

/// How long a change may take, from the connection to the answer.
const CHANGE: Duration = Duration::from_secs(10);
/// How long the zone's other servers are waited for, and how often they are asked.
const SPREAD: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(500);
/// Servers of a zone that are waited for.
const SERVERS: usize = 8;
/// Where a record for a name stands (RFC 8555, 8.4).
const PREFIX: &str = "_acme-challenge";

/// A zone, the server that takes its changes, and the key by which it knows us.
#[derive(Debug)]
pub struct Zone {
    server: String,
    port: u16,
    /// Lower case, without the dot at its end.
    name: String,
    key: Key,
    resolver: Resolver,
}

/// What stands in zones for orders of this process that run now.
static HELD: Mutex<Vec<Held>> = Mutex::new(Vec::new());

fn held() -> MutexGuard<'static, Vec<Held>> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Held {
    /// Where the record is: at the end of aliases.
    at: String,
    text: String,
}

impl Zone {
    /// A zone whose changes `server` takes: a name or an address, with a port where that is not 53
    /// (`ns1.example.net`, `192.0.2.53:5353`, `[2001:db8::53]:53`). Aliases of other zones are asked
    /// of `resolver`, or of this machine's.
    ///
    /// # Errors
    /// `server` is neither.
    pub fn new(
        server: &str,
        name: &str,
        key: Key,
        resolver: Option<SocketAddr>,
    ) -> Result<Zone, String> {
        let (host, port) = match server.parse::<SocketAddr>() {
            Ok(address) => (address.ip().to_string(), address.port()),
            Err(_) if server.parse::<std::net::IpAddr>().is_ok() => (server.to_owned(), 53),
            Err(_) => match server.split_once(':') {
                Some((host, port)) => {
                    let wrong = |_| format!("{} is no address of a server", short(server, 80));
                    (host.to_owned(), port.parse().map_err(wrong)?)
                }
                None => (server.to_owned(), 53),
            },
        };
        Ok(Zone {
            server: host,
            port,
            name: name.trim_end_matches('.').to_ascii_lowercase(),
            key,
            resolver: Resolver::new(resolver),
        })
    }

    /// Whether a name is the zone's own or below it.
    fn has(&self, name: &str) -> bool {
        let below = name.strip_suffix(self.name.as_str());
        below.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    }

    /// Puts a text for each name into the zone, and waits until its other servers have it. What an
    /// order that was killed left at these names is taken out.
    ///
    /// # Errors
    /// In words: a name's alias leads elsewhere, or the server does not take the change.
    pub(in crate::acme) async fn present(&self, wanted: &[(&str, &str)]) -> Result<(), String> {
        let server = self.server().await?;
        let mut put = Vec::new();
        for (name, text) in wanted {
            put.push(Held {
                at: self.place(server, name).await?,
                text: (*text).to_owned(),
            });
        }
        let mut places: Vec<&str> = put.iter().map(|it| it.at.as_str()).collect();
        places.sort_unstable();
        places.dedup();
        let left = join_all(places.iter().map(|at| self.left(server, at))).await;
        held().extend(put.iter().cloned());
        let change = |held: &Held, put| Change {
            name: held.at.clone(),
            text: held.text.clone(),
            put,
        };
        let mut changes: Vec<Change> = left.iter().flatten().map(|it| change(it, false)).collect();
        changes.extend(put.iter().map(|it| change(it, true)));
        self.change(server, &changes).await?;
        self.spread(server, &put).await;
        Ok(())
    }

    /// No order waits for a text any more.
    pub(in crate::acme) fn forget(text: &str) {
        held().retain(|it| it.text != text);
    }

    /// Takes texts out again.
    ///
    /// # Errors
    /// In words; the next order for the same names takes them out.
    pub(in crate::acme) async fn withdraw(&self, texts: &[&str]) -> Result<(), String> {
        let mut gone = Vec::new();
        held().retain(|it| {
            let ours = texts.contains(&it.text.as_str());
            if ours {
                gone.push(it.clone());
            }
            !ours
        });
        if gone.is_empty() {
            return Ok(());
        }
        let changes: Vec<Change> = gone
            .into_iter()
            .map(|it| Change {
                name: it.at,
                text: it.text,
                put: false,
            })
            .collect();
        let server = self.server().await?;
        self.change(server, &changes).await
    }

    async fn server(&self) -> Result<SocketAddr, String> {
        let found = tokio::net::lookup_host((self.server.as_str(), self.port));
        let found = timeout(CHANGE, found).await;
        let mut found = found
            .map_err(|_| format!("no address of {} was found in time", self.server))?
            .map_err(|error| format!("no address of {}: {error}", self.server))?;
        let first = found.next();
        first.ok_or_else(|| format!("{} has no address", self.server))
    }

    /// Where the record for a name goes: along its aliases.
    async fn place(&self, server: SocketAddr, name: &str) -> Result<String, String> {
        let mut at = format!("{PREFIX}.{name}");
        for _ in 0..8 {
            let alias = match self.has(&at) {
                // The server itself knows best, and may not tell everybody: then there is none.
                true => match ask(server, &at, Type::Cname).await {
                    Ok(answer) => alias(
                        answer
                            .answers
                            .into_iter()
                            .filter(|it| it.name == at)
                            .map(|it| it.data),
                    ),
                    Err(_) => None,
                },
                false => alias(self.resolver.ask(&at, Type::Cname).await?.data.into_iter()),
            };
            match alias {
                Some(to) => at = to,
                None if self.has(&at) => return Ok(at),
                None => {
                    let at = short(&at, 100);
                    return Err(format!(
                        "{at} is not in the zone {}; an alias (CNAME) at it may lead there",
                        self.name
                    ));
                }
            }
        }
        Err(format!("{PREFIX}.{name} leads through more than 8 aliases"))
    }

    /// What stands at a place and is of no order that runs now. What does not look like an
    /// authority's digest is somebody else's.
    async fn left(&self, server: SocketAddr, at: &str) -> Vec<Held> {
        let answer = ask(server, at, Type::Txt).await;
        let found = answer.into_iter().flat_map(|answer| answer.answers);
        let texts = found.filter_map(|it| match it.data {
            Data::Txt(text) if it.name == at => String::from_utf8(text).ok(),
            _ => None,
        });
        let texts = texts.filter(|text| is_digest(text)).map(|text| Held {
            at: at.to_owned(),
            text,
        });
        let held = held();
        texts.filter(|it| !held.contains(it)).collect()
    }

    async fn change(&self, server: SocketAddr, changes: &[Change]) -> Result<(), String> {
        let id = random()?;
        let mut message = update(id, &self.name, changes).ok_or("a name is none of DNS")?;
        let now = || {
            let now = SystemTime::now().duration_since(UNIX_EPOCH);
            now.map_or(0, |now| now.as_secs())
        };
        let mac = self.key.sign(&mut message, now());
        let whom = format!("{} (zone {})", self.server, self.name);
        let answer = match timeout(CHANGE, stream(server, &message)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return Err(format!("{whom} does not take the change: {error}")),
            Err(_) => {
                return Err(format!(
                    "{whom} does not answer within {} s",
                    CHANGE.as_secs()
                ));
            }
        };
        let read = message::read(&answer).filter(|it| it.id == id);
        let read = read.ok_or_else(|| format!("what {whom} answers cannot be read"))?;
        let verified = self.key.verify(&answer, &mac, now());
        match (read.code, verified) {
            (0, Ok(())) => Ok(()),
            (0, Err(why)) | (9, Err(why)) => Err(format!("{whom}: {why}")),
            (5, _) => {
                let name = changes.first().map_or("", |it| it.name.as_str());
                Err(format!(
                    "{whom} refuses: does it let the key {} change TXT at {name}?",
                    self.key.name()
                ))
            }
            (9, Ok(())) => Err(format!(
                "{whom} is not the server that this zone is changed at"
            )),
            (code, _) => Err(format!("{whom} answers {}", word(code))),
        }
    }

    /// Waits until the zone's other servers say it too, as far as they answer: an authority asks any
    /// of them. After a while it is left to chance.
    async fn spread(&self, server: SocketAddr, put: &[Held]) {
        let until = Instant::now() + SPREAD;
        let mut waiting = self.others(server).await;
        while !waiting.is_empty() && Instant::now() < until {
            let say = join_all(waiting.iter().map(|other| says(*other, put))).await;
            let mut say = say.into_iter();
            // One that does not answer here may be for others only.
            waiting.retain(|_| say.next() == Some(Some(false)));
            if !waiting.is_empty() {
                sleep(LOOK).await;
            }
        }
    }

    async fn others(&self, server: SocketAddr) -> Vec<SocketAddr> {
        let names = ask(server, &self.name, Type::Ns).await;
        let names = names.into_iter().flat_map(|answer| answer.answers);
        let names = names.filter_map(|it| match it.data {
            Data::Ns(name) => Some(name),
            _ => None,
        });
        let names: Vec<String> = names.take(SERVERS).collect();
        let questions = names
            .iter()
            .flat_map(|name| [Type::A, Type::Aaaa].map(|kind| self.resolver.ask(name, kind)));
        let found = join_all(questions).await.into_iter().flatten();
        let found = found
            .flat_map(|known| known.data)
            .filter_map(|it| match it {
                Data::Address(ip) => Some(SocketAddr::new(ip, 53)),
                _ => None,
            });
        found.filter(|it| *it != server).take(SERVERS).collect()
    }
}

/// Whether a server has all that was put; `None`: it does not answer.
async fn says(server: SocketAddr, put: &[Held]) -> Option<bool> {
    for held in put {
        let answer = ask(server, &held.at, Type::Txt).await.ok()?;
        let text = Data::Txt(held.text.as_bytes().to_vec());
        if !answer.answers.iter().any(|it| it.data == text) {
            return Some(false);
        }
    }
    Some(true)
}

fn alias(mut data: impl Iterator<Item = Data>) -> Option<String> {
    data.find_map(|it| match it {
        Data::Cname(to) => Some(to),
        _ => None,
    })
}

/// SHA-256 in base64, as RFC 8555, 8.4 has it.
fn is_digest(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    text.len() == 43 && text.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(server: &str) -> Result<Zone, String> {
        let key = Key::read("hmac-sha256:k:Z2VoZWlt").unwrap();
        Zone::new(server, "Zone.test.", key, None)
    }

    #[test]
    fn servers_are_named_as_people_name_them() {
        for (text, host, port) in [
            ("ns1.example", "ns1.example", 53),
            ("ns1.example:5353", "ns1.example", 5353),
            ("192.0.2.53", "192.0.2.53", 53),
            ("192.0.2.53:54", "192.0.2.53", 54),
            ("2001:db8::53", "2001:db8::53", 53),
            ("[2001:db8::53]:54", "2001:db8::53", 54),
        ] {
            let zone = zone(text).unwrap();
            assert_eq!((zone.server.as_str(), zone.port), (host, port));
            assert!(!format!("{zone:?}").contains("geheim"));
        }
        assert!(zone("ns1.example:http").is_err());
    }

    #[test]
    fn a_zone_has_what_is_below_it() {
        let zone = zone("ns1.example").unwrap();
        assert!(zone.has("zone.test") && zone.has("_acme-challenge.a.zone.test"));
        assert!(!zone.has("otherzone.test") && !zone.has("test"));
        assert!(is_digest("LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0"));
        assert!(!is_digest("v=spf1 -all") && !is_digest(&"=".repeat(43)));
    }
}

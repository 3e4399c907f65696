//! Asking which certificates are shown for the names of sites: to visitors, who go where DNS leads them,
//! and by the router of their host. A handshake each, and no command on any host.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

use super::anchors::Anchors;
use super::ask::doubt;
use super::asked::Road;
use super::model::ObservedHost;
use super::resolve::resolve;
use super::served::{Showing, Showings, Shown};
use crate::engine::hello::{self, greet};
use crate::engine::{Client, Greeted};
use crate::fleet::{Domain, EngineAddress, Fleet, Host, Name, SiteState};
use crate::record::certificate::{CertificateRecord, of_der};

/// How long a handshake may take, and the way to it to open.
pub const WITHIN: Duration = Duration::from_secs(4);
/// Handshakes with one host's router at the same time.
const AT_ONCE: usize = 16;
/// Handshakes from here at the same time, and names that are worked on.
pub const FROM_HERE: usize = 64;
/// Certificates of authorities that are remembered from what is shown.
const OTHERS: usize = 100;

/// What is shown for the names of sites.
pub type BySite = BTreeMap<Name, BTreeMap<String, Showings>>;

/// The names of one host that are asked for.
#[derive(Debug, Clone, Default)]
pub struct Names {
    all: Vec<(Name, Domain)>,
    /// Fingerprints of what is stored for sites.
    stored: HashMap<Name, String>,
    /// Why it may be another than its router that answers.
    doubt: Option<&'static str>,
    /// As it is reached.
    host: Option<Host>,
}

impl Names {
    /// Those of sites that run, that have a certificate there, and that `which` takes.
    pub fn of(
        fleet: &Fleet,
        host: &Name,
        seen: &ObservedHost,
        which: impl Fn(&Name) -> bool,
    ) -> Names {
        let (Some(state), Some(entry)) = (seen.state.read(), fleet.hosts.get(host)) else {
            return Names::default();
        };
        let has = |it: &&CertificateRecord| it.stored.is_some() || it.served.is_some();
        let sites = fleet.sites_on(host).filter_map(|site| {
            let running = site.state == SiteState::Running && which(&site.name);
            let record = state.certificates.get(&site.name).map(|it| &**it);
            let record = record.filter(has).filter(|_| running)?;
            Some((record, state.router.routes.get(&site.name)?))
        });
        let mut names = Names {
            doubt: doubt(fleet, entry, seen, &state.router),
            host: Some(Host {
                ports: state.router.ports.unwrap_or(entry.ports),
                ..entry.clone()
            }),
            ..Names::default()
        };
        for (record, route) in sites {
            let site = &record.site;
            let all: BTreeSet<&Domain> =
                route.domains.iter().chain(route.redirects.keys()).collect();
            let all = all.into_iter().map(|it| (site.clone(), it.clone()));
            names.all.extend(all);
            if let Some(stored) = &record.stored {
                let print = stored.facts.fingerprint.clone();
                names.stored.insert(site.clone(), print);
            }
        }
        names
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Asks for all of them, in `at_most` altogether: of those for which there is no time, that is said.
    /// What visitors are shown is asked first; where that is what is stored, the router is not asked.
    pub async fn ask(
        &self,
        client: Option<&Client>,
        anchors: &Anchors,
        here: &Semaphore,
        at_most: Duration,
    ) -> BySite {
        let Some(host) = &self.host else {
            return BySite::new();
        };
        let router = Semaphore::new(AT_ONCE);
        let mut asking = Vec::with_capacity(self.all.len());
        for (at, (site, domain)) in self.all.iter().enumerate() {
            let stored = self.stored.get(site).map(String::as_str);
            let router = &router;
            asking.push(async move {
                let heard = one(host, client, domain, stored, here, router).await;
                (at, heard)
            });
        }
        let mut asking = stream::iter(asking).buffer_unordered(FROM_HERE);
        let mut heard: Vec<Option<Heard>> = vec![None; self.all.len()];
        let end = tokio::time::Instant::now() + at_most;
        while let Ok(Some((at, found))) = tokio::time::timeout_at(end, asking.next()).await {
            heard[at] = Some(found);
        }
        drop(asking);
        let (names, anchors) = (self.clone(), anchors.clone());
        let judging = tokio::task::spawn_blocking(move || names.judge(heard, &anchors, at_most));
        judging.await.unwrap_or_default()
    }

    /// Who issued what was shown. Each chain is judged once: many names have the same one.
    fn judge(self, heard: Vec<Option<Heard>>, anchors: &Anchors, at_most: Duration) -> BySite {
        let all = heard.iter().flatten().flat_map(Heard::chains);
        let above = all.flat_map(|chain| &chain[1..]);
        let above: BTreeSet<&Vec<u8>> = above.take(OTHERS * 10).collect();
        let others: Vec<Vec<u8>> = above.into_iter().take(OTHERS).cloned().collect();
        let mut judge = Judge {
            anchors,
            others,
            known: HashMap::new(),
        };
        let mut found = BySite::new();
        for ((site, domain), heard) in self.all.iter().zip(heard) {
            let stored = self.stored.get(site).map(String::as_str);
            let showings = match heard {
                Some(heard) => Showings {
                    visitors: heard.visitors.map(|it| judge.visitors(it)),
                    router: heard.router.map(|it| judge.router(it, self.doubt, stored)),
                },
                None => Showings {
                    router: Some(late(at_most)),
                    visitors: None,
                },
            };
            let of_site = found.entry(site.clone()).or_default();
            of_site.insert(domain.as_str().to_owned(), showings);
        }
        found
    }
}

fn late(at_most: Duration) -> Showing {
    Showing {
        at: now(),
        road: Road::Connection,
        shown: Shown::NotKnown(format!(
            "there was no time to ask, in {} s",
            at_most.as_secs()
        )),
    }
}

fn now() -> i64 {
    chrono::Utc::now().timestamp()
}

/// What was heard for one name.
#[derive(Debug, Clone)]
struct Heard {
    router: Option<(i64, Greeted)>,
    visitors: Option<(i64, Result<Greeted, String>)>,
}

impl Heard {
    fn chains(&self) -> impl Iterator<Item = &[Vec<u8>]> {
        let visitors = self.visitors.iter().filter_map(|(_, it)| it.as_ref().ok());
        let both = self.router.iter().map(|(_, it)| it).chain(visitors);
        both.filter_map(|it| chain(it))
    }
}

/// The chain that was shown.
fn chain(greeted: &Greeted) -> Option<&[Vec<u8>]> {
    match &greeted.shown {
        hello::Shown::Certificates { chain, .. } if !chain.is_empty() => Some(chain),
        _ => None,
    }
}

async fn one(
    host: &Host,
    client: Option<&Client>,
    domain: &Domain,
    stored: Option<&str>,
    here: &Semaphore,
    router: &Semaphore,
) -> Heard {
    let asked = domain.asked();
    let simulated = matches!(host.engine, EngineAddress::Sim { .. });
    let visitors = match simulated {
        // Nobody visits it.
        true => None,
        false => {
            let _turn = here.acquire().await;
            let shown = from_here(&asked, host.ports.https).await;
            Some((now(), shown))
        }
    };
    let told = visitors.as_ref().and_then(|(_, it)| it.as_ref().ok());
    let told = told.and_then(chain).map(|chain| print(&chain[0]));
    let as_stored = told.is_some() && told.as_deref() == stored;
    let router = match client.filter(|_| !as_stored) {
        None => None,
        Some(client) => {
            let _turn = router.acquire().await;
            let said = client.hello(host, &asked, WITHIN).await;
            let refused = |why: String| Greeted {
                from_here: None,
                shown: hello::Shown::NoWay(why),
            };
            let said = said.unwrap_or_else(|error| refused(error.to_string()));
            Some((now(), said))
        }
    };
    Heard { router, visitors }
}

async fn from_here(domain: &Domain, port: u16) -> Result<Greeted, String> {
    let addresses = resolve(domain.as_str(), port).await?;
    let ips: BTreeSet<String> = addresses.iter().map(|at| at.ip().to_string()).collect();
    let shown = greet(domain, addresses.iter().copied().take(8).collect(), WITHIN).await;
    let mut place: Vec<String> = ips.into_iter().take(3).collect();
    if addresses.len() > place.len() {
        place.push("…".to_owned());
    }
    Ok(Greeted {
        from_here: Some(place.join(" ")),
        shown,
    })
}

fn print(der: &[u8]) -> String {
    hex::encode(Sha256::digest(der))
}

/// Judges chains, and remembers what came of each.
struct Judge<'a> {
    anchors: &'a Anchors,
    others: Vec<Vec<u8>>,
    known: HashMap<[u8; 32], Shown>,
}

impl Judge<'_> {
    /// What the router shows. Where it may be another that answers, only what is stored is believed.
    fn router(
        &mut self,
        (at, greeted): (i64, Greeted),
        doubt: Option<&'static str>,
        stored: Option<&str>,
    ) -> Showing {
        let doubt = doubt.or(greeted.from_here.is_some().then_some("asked from here"));
        let road = greeted.from_here.map_or(Road::Connection, Road::Here);
        let shown = self.shown(greeted.shown);
        let as_stored = shown.facts().map(|it| it.fingerprint.as_str()) == stored;
        let shown = match (doubt, shown) {
            (Some(why), shown) if !(as_stored && stored.is_some()) => match shown {
                Shown::Certificate { .. } => {
                    Shown::NotKnown(format!("{why}: it may be another that answers"))
                }
                Shown::Nothing(said) | Shown::NotKnown(said) => {
                    Shown::NotKnown(format!("{why}: {said}"))
                }
            },
            (_, shown) => shown,
        };
        Showing { at, road, shown }
    }

    /// What visitors are shown. That nobody is reached from here may be this machine's network.
    fn visitors(&mut self, (at, heard): (i64, Result<Greeted, String>)) -> Showing {
        let (place, shown) = match heard {
            Err(why) => (String::new(), Shown::NotKnown(why)),
            Ok(Greeted { from_here, shown }) => {
                let shown = match shown {
                    hello::Shown::Nobody(why) => Shown::NotKnown(why),
                    shown => self.shown(shown),
                };
                (from_here.unwrap_or_default(), shown)
            }
        };
        let road = Road::Here(place);
        Showing { at, road, shown }
    }

    fn shown(&mut self, shown: hello::Shown) -> Shown {
        let (chain, cut_off) = match shown {
            hello::Shown::Certificates { chain, cut_off } => (chain, cut_off),
            hello::Shown::Nothing(why) | hello::Shown::Nobody(why) => return Shown::Nothing(why),
            hello::Shown::Silence(after) => {
                return Shown::Nothing(format!("no handshake within {} s", after.as_secs()));
            }
            hello::Shown::NoWay(why) => return Shown::NotKnown(why),
        };
        let mut digest = Sha256::new();
        for der in &chain {
            digest.update((der.len() as u64).to_be_bytes());
            digest.update(der);
        }
        let shown = self.known.entry(digest.finalize().into());
        let shown = shown.or_insert_with(|| {
            let Some(leaf) = chain.first() else {
                return Shown::Nothing("it shows no certificate".to_owned());
            };
            match of_der(leaf, chain.len()) {
                Err(why) => Shown::Nothing(why),
                Ok(facts) => Shown::Certificate {
                    facts: Arc::new(facts),
                    issued: self.anchors.judge(&chain, &self.others),
                    cut_off: None,
                },
            }
        });
        match shown.clone() {
            Shown::Certificate { facts, issued, .. } => Shown::Certificate {
                facts,
                issued,
                cut_off,
            },
            shown => shown,
        }
    }
}

//! Which certificates are stored, loaded and served: asked for both faces.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::sync::{Mutex, Semaphore};

use super::look::Seen;
use super::secret::Sources;
use crate::engine::Client;
use crate::file;
use crate::fleet::{Acme, EngineAddress, Fleet, Host, Name, SecretSpec};
use crate::host::service::secrets::SecretSource;
use crate::observe::anchors::Anchors;
use crate::observe::greet::{BySite, FROM_HERE, Names};
use crate::observe::inside::inside;
use crate::observe::model::ObservedHost;
use crate::observe::served::Watched;

/// How long all names of all hosts together may take, where they are few.
const ASKING: Duration = Duration::from_secs(12);
/// So much more for each of them, up to two minutes in all.
const EACH: Duration = Duration::from_millis(40);
const AT_MOST: Duration = Duration::from_secs(120);

/// Walks round the certificates of hosts, for as long as a program runs: whom visitors believe is read
/// again now and then.
#[derive(Debug, Clone, Default)]
pub struct Rounds {
    /// What the fleet file names on this machine; none: nothing is read of it.
    sources: Option<Arc<Sources>>,
    known: Arc<Mutex<Option<Believed>>>,
}

#[derive(Debug)]
struct Believed {
    /// The file of the authority's root.
    own: Option<String>,
    at: Instant,
    round: Round,
}

/// How long it is taken to be as it was read.
const BELIEVED: Duration = Duration::from_secs(600);

impl Rounds {
    /// By what a fleet file names, as far as that is read here.
    pub fn of(sources: Arc<Sources>) -> Rounds {
        Rounds {
            sources: Some(sources),
            ..Rounds::default()
        }
    }

    /// One walk.
    pub async fn round(&self, fleet: &Fleet) -> Round {
        let mut known = self.known.lock().await;
        let own = match &fleet.acme {
            Some(Acme::On(authority)) => authority.ca.clone(),
            _ => None,
        };
        let fresh = |it: &&Believed| it.own == own && it.at.elapsed() < BELIEVED;
        if let Some(known) = known.as_ref().filter(fresh) {
            return known.round.clone();
        }
        let here = known.take().map(|it| it.round.here);
        let round = Round {
            anchors: anchors(
                own.clone(),
                self.sources.as_deref().map(|it| it as &dyn SecretSource),
            )
            .await,
            here: here.unwrap_or_else(|| Arc::new(Semaphore::new(FROM_HERE))),
        };
        *known = Some(Believed {
            own,
            at: Instant::now(),
            round: round.clone(),
        });
        round
    }
}

/// Whom visitors believe, and the authority whose root is in a file of the operator's.
async fn anchors(own: Option<String>, sources: Option<&dyn SecretSource>) -> Anchors {
    let own = match (own.map(SecretSpec::File), sources) {
        (Some(own), Some(sources)) => sources.named("acme.ca", "certificates", &own).await.ok(),
        _ => None,
    };
    let own = own
        .map(|bytes| bytes.0)
        .filter(|it| it.len() <= file::SMALL);
    let reading = move || {
        let files = [file::roots(), own];
        Anchors::of(files.iter().flatten().map(Vec::as_slice))
    };
    let reading = tokio::task::spawn_blocking(reading).await;
    reading.unwrap_or_default()
}

/// What one walk goes by.
#[derive(Debug, Clone)]
pub struct Round {
    anchors: Anchors,
    /// Handshakes from here, of all hosts together.
    here: Arc<Semaphore>,
}

impl Round {
    /// What is found of one host's.
    pub async fn of_host(
        &self,
        fleet: &Fleet,
        host: &Host,
        seen: &ObservedHost,
        client: &Client,
    ) -> Watched {
        let (inside, names) = futures_util::join!(
            inside(fleet, host, seen, client),
            self.of_sites(fleet, &host.name, seen, client, |_| true),
        );
        Watched { inside, names }
    }

    /// What is shown for the names of some of its sites.
    pub async fn of_sites(
        &self,
        fleet: &Fleet,
        host: &Name,
        seen: &ObservedHost,
        client: &Client,
        which: impl Fn(&Name) -> bool,
    ) -> BySite {
        let names = Names::of(fleet, host, seen, which);
        let within = time_for(names.len());
        // Who is believed is nothing to a simulated authority.
        let simulated = fleet.hosts.get(host);
        let simulated = simulated.is_some_and(|it| matches!(it.engine, EngineAddress::Sim { .. }));
        let anchors = match simulated {
            true => &Anchors::default(),
            false => &self.anchors,
        };
        names.ask(Some(client), anchors, &self.here, within).await
    }

    /// What is found of those of all hosts that were reached, at the same time.
    pub async fn of_all(&self, fleet: &Fleet, seen: &Seen) -> BTreeMap<Name, Watched> {
        let asking = seen.clients.iter().filter_map(|(name, client)| {
            let host = fleet.hosts.get(name)?;
            let found = seen.observed.hosts.get(name)?.reached()?;
            Some(async move { (name.clone(), self.of_host(fleet, host, found, client).await) })
        });
        join_all(asking).await.into_iter().collect()
    }
}

fn time_for(names: usize) -> Duration {
    let more = EACH.saturating_mul(u32::try_from(names).unwrap_or(u32::MAX));
    ASKING.saturating_add(more).min(AT_MOST)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::fleet::Site;
    use crate::host::service::secrets::{SecretError, SecretFuture};

    /// Refuses all, and keeps what it was asked for.
    struct Refuses(Mutex<Vec<String>>);

    impl SecretSource for Refuses {
        fn read<'a>(&'a self, site: &'a Site, name: &'a str) -> SecretFuture<'a> {
            self.named(site.name.as_str(), name, &SecretSpec::Kept)
        }

        fn named<'a>(&'a self, of: &'a str, name: &'a str, _: &'a SecretSpec) -> SecretFuture<'a> {
            let name = format!("{name} of {of}");
            self.0.lock().unwrap().push(name.clone());
            let (why, withheld) = ("it is not read here".into(), true);
            let error = SecretError {
                name,
                why,
                withheld,
            };
            Box::pin(async { Err(error) })
        }
    }

    #[tokio::test]
    async fn a_root_of_the_fleet_file_s_is_read_by_its_leave_only() {
        let text = "fleet: x\nacme: { terms: agreed, directory: \"https://ca.test/dir\", ca: /elsewhere/root.pem }\nhosts: { a: { engine: \"ssh://a\" } }\n";
        let fleet = crate::fleet::load(text, std::path::Path::new("fleet.yml"))
            .unwrap()
            .fleet;
        let refuses = Refuses(Mutex::default());
        let Some(Acme::On(authority)) = &fleet.acme else {
            panic!("{:?}", fleet.acme);
        };
        anchors(authority.ca.clone(), Some(&refuses)).await;
        let sources = fleet.sources();
        let asked = refuses.0.into_inner().unwrap();
        assert_eq!(asked, [sources[0].title()]);
    }
}

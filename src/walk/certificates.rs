//! Which certificates are stored, loaded and served: asked for both faces.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::sync::{Mutex, Semaphore};

use super::fleet_file::folder_of;
use super::look::Seen;
use crate::engine::Client;
use crate::file;
use crate::fleet::{Acme, EngineAddress, Fleet, Host, Name};
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
    /// Where the fleet file is.
    path: PathBuf,
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
    /// By the fleet file that is there.
    pub fn of(path: &Path) -> Rounds {
        Rounds {
            path: path.to_owned(),
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
            anchors: anchors(own.clone(), self.path.clone()).await,
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
async fn anchors(own: Option<String>, path: PathBuf) -> Anchors {
    let reading = move || {
        let own = own.and_then(|own| file::read(&folder_of(&path).join(own), file::SMALL).ok());
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

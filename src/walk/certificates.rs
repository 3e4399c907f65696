//! Which certificates are stored, loaded and served: asked for both faces.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::Semaphore;

use super::fleet_file::folder_of;
use super::look::Seen;
use crate::engine::Client;
use crate::file;
use crate::fleet::{Acme, Fleet, Host, Name};
use crate::observe::anchors::Anchors;
use crate::observe::greet::{FROM_HERE, Names};
use crate::observe::inside::inside;
use crate::observe::model::ObservedHost;
use crate::observe::served::Watched;

/// How long all names of all hosts together may take, where they are few.
const ASKING: Duration = Duration::from_secs(12);
/// So much more for each of them, up to two minutes in all.
const EACH: Duration = Duration::from_millis(40);
const AT_MOST: Duration = Duration::from_secs(120);

/// Whom visitors believe, and the authority that the fleet file has a root of: `path` is that file's.
pub async fn anchors(fleet: &Fleet, path: PathBuf) -> Anchors {
    let own = match &fleet.acme {
        Some(Acme::On(authority)) => authority.ca.clone(),
        _ => None,
    };
    let reading = move || {
        let own = own.and_then(|own| file::read(&folder_of(&path).join(own), file::SMALL).ok());
        let files = [file::roots(), own];
        Anchors::of(files.iter().flatten().map(Vec::as_slice))
    };
    let reading = tokio::task::spawn_blocking(reading).await;
    reading.unwrap_or_default()
}

/// What a walk round the certificates of a fleet goes by.
#[derive(Debug, Clone)]
pub struct Round {
    pub anchors: Anchors,
    /// Handshakes from here, of all hosts together.
    here: Arc<Semaphore>,
}

impl Round {
    pub fn new(anchors: Anchors) -> Round {
        Round {
            anchors,
            here: Arc::new(Semaphore::new(FROM_HERE)),
        }
    }

    /// What is found of one host's.
    pub async fn of_host(
        &self,
        fleet: &Fleet,
        host: &Host,
        seen: &ObservedHost,
        client: &Client,
    ) -> Watched {
        let names = Names::of(fleet, &host.name, seen);
        let within = time_for(names.len());
        let (inside, names) = futures_util::join!(
            inside(fleet, host, seen, client),
            names.ask(Some(client), &self.anchors, &self.here, within),
        );
        Watched { inside, names }
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

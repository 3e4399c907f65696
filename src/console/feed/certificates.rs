//! Watches the certificates of one host: all of them while they are on screen, and once an hour; those of
//! a site whose page is open; and those of which the records change, as soon as they do.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::prober::Told;
use super::shared::Shared;
use crate::console::message::HostNews;
use crate::engine::Client;
use crate::fleet::{Host, Name};
use crate::observe::model::ObservedHost;
use crate::record::CertificateRecord;

/// How often all are asked that are on screen.
const SHOWN: Duration = Duration::from_secs(300);
/// Those that were asked so lately are not asked for being looked at.
const LATELY: Duration = Duration::from_secs(60);
/// How often all are asked that nobody looks at; and how long after the beginning for the first time.
const HIDDEN: Duration = Duration::from_secs(3600);
const FIRST: Duration = Duration::from_secs(300);
/// Records change one after the other while somebody applies.
const SETTLE: Duration = Duration::from_secs(2);

type Records = BTreeMap<Name, Arc<CertificateRecord>>;

/// What watches those of one host that answers.
pub(super) struct Certificates {
    shared: Shared,
    host: Host,
    client: Client,
    begun: Instant,
    /// When all were asked.
    all: Option<Instant>,
    /// When those of a site were, since then.
    each: BTreeMap<Name, Instant>,
    /// The records, as they are known.
    records: Records,
    /// Sites of which they changed since they were asked, and when the last of them did.
    changed: BTreeSet<Name>,
    changed_at: Option<Instant>,
    /// All certificates were on screen.
    shown: bool,
}

/// What is to be asked.
enum Due {
    All,
    Sites(BTreeSet<Name>),
}

impl Certificates {
    pub(super) fn new(shared: &Shared, host: &Host, client: &Client) -> Certificates {
        Certificates {
            shared: shared.clone(),
            host: host.clone(),
            client: client.clone(),
            begun: Instant::now(),
            all: None,
            each: BTreeMap::new(),
            records: Records::new(),
            changed: BTreeSet::new(),
            changed_at: None,
            shown: false,
        }
    }

    /// Watches until it is dropped.
    pub(super) async fn run(mut self, mut told: watch::Receiver<Told>) {
        let mut watched = self.shared.watch.clone();
        let mut refresh = self.shared.refresh.clone();
        refresh.mark_unchanged();
        loop {
            let seen = told.borrow_and_update().seen.clone();
            let next = seen.as_ref().and_then(|seen| self.next(seen));
            if let (Some((at, due)), Some(seen)) = (&next, &seen)
                && *at <= Instant::now()
            {
                self.ask(due, seen).await;
                continue;
            }
            let at = next.map(|(at, _)| at);
            tokio::select! {
                () = sleep_until(at.unwrap_or_else(Instant::now)), if at.is_some() => {}
                Ok(()) = told.changed() => {}
                Ok(()) = watched.changed() => {}
                Ok(()) = refresh.changed() => {
                    // What is on screen, at once; the rest in its time.
                    if self.shared.watch.borrow().certificates {
                        self.all = None;
                    }
                    self.each.clear();
                }
                // The worker has ended, and this with it.
                else => return,
            }
        }
    }

    /// What is to be asked next, and when; none where there is nothing to ask for.
    fn next(&mut self, seen: &ObservedHost) -> Option<(Instant, Due)> {
        let now = Instant::now();
        self.learn(seen, now);
        if self.records.is_empty() {
            return None;
        }
        let watch = self.shared.watch.borrow();
        let opened = watch.certificates && !self.shown;
        self.shown = watch.certificates;
        if opened && self.all.is_some_and(|at| at + LATELY <= now) {
            self.all = None;
        }
        let at = match (self.all, self.shown) {
            (None, true) => now,
            (None, false) => self.begun + FIRST,
            (Some(at), true) => at + SHOWN,
            (Some(at), false) => at + HIDDEN,
        };
        let mut next = (at, Due::All);
        if let Some(at) = self.changed_at.map(|at| at + SETTLE)
            && at < next.0
        {
            next = (at, Due::Sites(self.changed.clone()));
        }
        let here = |(host, _): &&(String, String)| *host == self.host.name.as_str();
        if let Some((_, site)) = watch.certificate.as_ref().filter(here)
            && let Ok(site) = site.parse::<Name>()
            && self.records.contains_key(&site)
        {
            let asked = self.each.get(&site).copied().max(self.all);
            let at = asked.map_or(now, |at| at + LATELY);
            if at < next.0 {
                next = (at, Due::Sites([site].into()));
            }
        }
        Some(next)
    }

    /// Notes what changed in the records.
    fn learn(&mut self, seen: &ObservedHost, now: Instant) {
        let Some(state) = seen.state.read() else {
            return;
        };
        if state.certificates == self.records {
            return;
        }
        if !self.records.is_empty() {
            let changed = state.certificates.iter().filter(|(site, record)| {
                let before = self.records.get(*site);
                before.is_none_or(|before| {
                    (&before.stored, &before.served) != (&record.stored, &record.served)
                })
            });
            let before = self.changed.len();
            self.changed.extend(changed.map(|(site, _)| site.clone()));
            if self.changed.len() > before {
                self.changed_at = Some(now);
            }
        }
        self.records.clone_from(&state.certificates);
    }

    async fn ask(&mut self, due: &Due, seen: &ObservedHost) {
        let fleet = self.shared.fleet.borrow().clone();
        let host = fleet.hosts.get(&self.host.name).unwrap_or(&self.host);
        let round = self.shared.rounds.round(&fleet).await;
        let news = match due {
            Due::All => {
                let found = round.of_host(&fleet, host, seen, &self.client).await;
                HostNews::Certificates(found)
            }
            Due::Sites(sites) => {
                let which = |site: &Name| sites.contains(site);
                let client = &self.client;
                let found = round.of_sites(&fleet, &host.name, seen, client, which);
                HostNews::Shown(found.await)
            }
        };
        self.shared.send(&self.host.name, news);
        let now = Instant::now();
        match due {
            Due::All => {
                self.all = Some(now);
                self.each.clear();
                self.changed.clear();
            }
            Due::Sites(sites) => {
                self.each
                    .extend(sites.iter().map(|site| (site.clone(), now)));
                self.changed.retain(|site| !sites.contains(site));
            }
        }
        if self.changed.is_empty() {
            self.changed_at = None;
        }
    }
}

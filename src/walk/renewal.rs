//! When authorities suggest to renew, asked anew: a certificate that was revoked, or is about to be, is
//! renewed before its life says so. What was answered is kept in the operator's state, so that it is
//! asked no more often than the authority wants.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::FutureExt;
use futures_util::stream::{self, StreamExt};
use serde::{Deserialize, Serialize};

use crate::acme::Directory;
use crate::apply::authority;
use crate::file;
use crate::fleet::{Acme, Fleet};
use crate::host::service::secrets::SecretSource;
use crate::observe::model::{HostObservation, Observed};
use crate::record::certificate::{CertificateRecord, Renewal, Source};
use crate::record::{HostState, StateRead};

/// Bytes of what is kept, at most.
const LARGEST: usize = 4 << 20;
/// Certificates that are asked about together, and how long all of it may take.
const TOGETHER: usize = 8;
const PATIENCE: Duration = Duration::from_secs(30);

/// By the fingerprint of the certificate.
type Windows = BTreeMap<String, Window>;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Window {
    /// Unix seconds.
    start: i64,
    end: i64,
    /// Before this, unix seconds, it is not asked again.
    again: i64,
}

/// Brings what was observed up to date: asks the authority about every certificate of its own that it
/// may be asked about again at `now`. What cannot be asked stays as it is known.
pub async fn refresh(
    fleet: &Fleet,
    observed: &mut Observed,
    secrets: &dyn SecretSource,
    state: Option<&Path>,
    now: i64,
) {
    let Some(Acme::On(wanted)) = &fleet.acme else {
        return;
    };
    let place = state.map(|state| state.join("renewals.json"));
    let mut known = recall(place.as_deref());
    let mut asked = Vec::new();
    let mut there = Windows::new();
    for record in records(observed) {
        let Some((fingerprint, ari)) = of_authority(record, &wanted.directory) else {
            continue;
        };
        let recorded = record.renewal.as_ref();
        let recorded = recorded.filter(|it| it.fingerprint == fingerprint);
        let recorded = recorded.map(|it| Window {
            start: it.start,
            end: it.end,
            again: it.again,
        });
        match known.remove(fingerprint).or(recorded) {
            Some(window) if window.again > now => {
                there.insert(fingerprint.to_owned(), window);
            }
            _ => asked.push((fingerprint.to_owned(), ari.to_owned())),
        }
    }
    if !asked.is_empty() {
        there.extend(ask(fleet, secrets, asked).await);
        // What is known of others, which were not looked at now, stays for as long as it holds.
        known.retain(|_, window| window.again > now);
        known.extend(there.iter().map(|(name, window)| (name.clone(), *window)));
        if let Some(place) = &place {
            keep(place.clone(), &known);
        }
    }
    tell(observed, &there);
}

fn records(observed: &Observed) -> impl Iterator<Item = &CertificateRecord> {
    let hosts = observed.hosts.values();
    let states = hosts.filter_map(|host| host.reached()?.state.read());
    states.flat_map(|state| state.certificates.values().map(|record| &**record))
}

/// Its fingerprint and what the authority calls it, where it is of this one.
fn of_authority<'a>(record: &'a CertificateRecord, directory: &str) -> Option<(&'a str, &'a str)> {
    let stored = record.stored.as_ref()?;
    let ours = matches!(&stored.from, Source::Acme { directory: it } if it == directory);
    let ari = stored.ari.as_deref().filter(|_| ours)?;
    Some((&stored.facts.fingerprint, ari))
}

/// What was answered in time: the life of each is known anyway.
async fn ask(
    fleet: &Fleet,
    secrets: &dyn SecretSource,
    asked: Vec<(String, String)>,
) -> Vec<(String, Window)> {
    let Ok(authority) = authority::of_file(fleet, secrets, false).await else {
        return Vec::new();
    };
    let Ok(directory) = Directory::reach(&authority).await else {
        return Vec::new();
    };
    let directory = &directory;
    let asking = asked.into_iter().map(|(fingerprint, ari)| {
        async move {
            let window = directory.renewal(&ari).await.ok().flatten()?;
            let window = Window {
                start: window.start,
                end: window.end,
                again: window.again,
            };
            Some((fingerprint, window))
        }
        .boxed()
    });
    let asking: Vec<_> = asking.collect();
    let mut answers = stream::iter(asking).buffer_unordered(TOGETHER);
    let mut all = Vec::new();
    let until = tokio::time::Instant::now() + PATIENCE;
    while let Ok(Some(answer)) = tokio::time::timeout_at(until, answers.next()).await {
        all.extend(answer);
    }
    all
}

/// Says in what was observed when each is to be renewed.
fn tell(observed: &mut Observed, windows: &Windows) {
    for host in observed.hosts.values_mut() {
        let HostObservation::Reached(seen) = host else {
            continue;
        };
        let StateRead::Read(state) = &seen.state else {
            continue;
        };
        let newer = |record: &CertificateRecord| {
            let fingerprint = record.stored.as_ref()?.facts.fingerprint.clone();
            let window = windows.get(&fingerprint)?;
            let renewal = Renewal {
                fingerprint,
                start: window.start,
                end: window.end,
                again: window.again,
            };
            (record.renewal.as_ref() != Some(&renewal)).then_some(renewal)
        };
        let changed: Vec<_> = state
            .certificates
            .iter()
            .filter_map(|(site, record)| Some((site.clone(), newer(record)?)))
            .collect();
        if changed.is_empty() {
            continue;
        }
        let mut state = HostState::clone(state);
        for (site, renewal) in changed {
            if let Some(record) = state.certificates.get_mut(&site) {
                Arc::make_mut(record).renewal = Some(renewal);
            }
        }
        Arc::make_mut(seen).state = StateRead::Read(Arc::new(state));
    }
}

/// What was kept. What cannot be read is asked again.
fn recall(place: Option<&Path>) -> Windows {
    let read = place.and_then(|place| file::read(place, LARGEST).ok());
    let read: Windows = read
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .unwrap_or_default();
    read.into_iter()
        .filter(|(_, window)| window.start <= window.end)
        .collect()
}

fn keep(place: PathBuf, windows: &Windows) {
    // Where it cannot be kept it is asked again.
    if let Ok(bytes) = serde_json::to_vec(windows) {
        let _ = file::keep(&place, &bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::model::ObservedHost;
    use crate::record::certificate::{CertificateFacts, Stored};

    #[test]
    fn what_was_answered_is_kept_and_told() {
        let mut record = CertificateRecord::new(&"shop".parse().unwrap());
        let fingerprint = "ab".repeat(32);
        record.stored = Some(Stored {
            facts: CertificateFacts {
                names: vec!["shop.example".into()],
                issuer: "CA".into(),
                serial: "01".into(),
                fingerprint: fingerprint.clone(),
                not_before: 0,
                not_after: 1_000_000,
                chain: 2,
            },
            from: Source::Acme {
                directory: "https://ca.example/dir".into(),
            },
            ari: Some("a.b".into()),
            at: 0,
        });
        assert!(of_authority(&record, "https://ca.example/dir").is_some());
        assert!(of_authority(&record, "https://other.example/dir").is_none());
        let state = HostState {
            certificates: [(record.site.clone(), Arc::new(record))].into(),
            ..HostState::default()
        };
        let seen = ObservedHost {
            state: StateRead::Read(Arc::new(state)),
            ..ObservedHost::default()
        };
        let mut observed = Observed::default();
        let seen = HostObservation::Reached(Arc::new(seen));
        observed.hosts.insert("here".parse().unwrap(), seen);
        let window = Window {
            start: 5,
            end: 9,
            again: 100,
        };
        let windows = Windows::from([(fingerprint.clone(), window)]);
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("new").join("renewals.json");
        keep(place.clone(), &windows);
        assert_eq!(recall(Some(&place)), windows);
        tell(&mut observed, &windows);
        let told = records(&observed).next().unwrap().renewal.as_ref().unwrap();
        assert_eq!((told.start, told.end, told.again), (5, 9, 100));
        // One whose end is before its beginning is none.
        std::fs::write(&place, r#"{"ab":{"start":9,"end":5,"again":100}}"#).unwrap();
        assert_eq!(recall(Some(&place)), Windows::new());
    }
}

//! Alerts: what of a fleet somebody has to be told without looking. They go by what a pass saw, each
//! with a key that stays, so that only changes are told.

use serde::{Deserialize, Serialize};

use crate::fleet::Fleet;
use crate::observe::model::{HostObservation, Observed};
use crate::text::{line, short};
use crate::verdict::certificates::{CertificateRow, Stand, first};
use crate::verdict::row::SiteRow;
use crate::verdict::state::State;

/// Characters of what is the matter, at most.
const LONGEST: usize = 500;

/// What an alert is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A host that cannot be reached.
    Host,
    Site,
    Certificate,
}

impl Kind {
    pub const ALL: [Kind; 3] = [Kind::Host, Kind::Site, Kind::Certificate];

    /// The word in keys, metrics and JSON.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Host => "host",
            Kind::Site => "site",
            Kind::Certificate => "certificate",
        }
    }
}

/// One thing that somebody has to be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// Stays the same for as long as the thing does.
    pub key: String,
    pub kind: Kind,
    /// Empty: on no host in particular.
    pub host: String,
    /// The site, or whose the certificate is; none: the host itself.
    pub site: Option<String>,
    /// What is the matter, on one line, harmless.
    pub what: String,
    /// Since when, unix seconds, as far as is known.
    pub since: i64,
    /// What to do about it.
    pub next: String,
    /// How bad it is: 0 is the worst.
    pub level: u8,
}

impl Alert {
    /// What it is about, in a few words.
    pub fn about(&self) -> String {
        let kind = self.kind.word();
        match (&self.site, self.host.as_str()) {
            (Some(site), "") => format!("{kind} {site}"),
            (Some(site), host) => format!("{kind} {site} on {host}"),
            (None, host) => format!("{kind} {host}"),
        }
    }
}

/// `row`: what a list of such things calls it.
pub(super) fn key(kind: Kind, row: &str) -> String {
    format!("{}/{row}", kind.word())
}

/// What a pass saw.
pub struct Looked<'a> {
    pub fleet: &'a Fleet,
    /// The hosts that were asked.
    pub observed: &'a Observed,
    /// The sites that are meant.
    pub rows: &'a [SiteRow],
    /// Theirs, and those of connections and accounts where all are meant.
    pub certificates: &'a [CertificateRow],
    /// All sites are meant.
    pub whole: bool,
    /// Unix seconds.
    pub now: i64,
}

impl Looked<'_> {
    /// What stands, in the order of keys.
    pub fn alerts(&self) -> Vec<Alert> {
        let hosts = self.observed.hosts.iter().filter_map(|(host, found)| {
            let HostObservation::Unreachable { why } = found else {
                return None;
            };
            let next = "`ostler doctor` says what is in the way";
            let key = key(Kind::Host, host.as_str());
            let about = (Kind::Host, key, host.as_str(), None);
            Some(self.alert(about, State::Lost, why, None, next.to_owned()))
        });
        let sites = self.rows.iter().filter_map(|row| self.site(row));
        let certificates = self.certificates.iter();
        let certificates = certificates.filter_map(|row| self.certificate(row));
        let mut all: Vec<Alert> = hosts.chain(sites).chain(certificates).collect();
        all.sort_by(|a, b| a.key.cmp(&b.key));
        all.dedup_by(|a, b| a.key == b.key);
        all
    }

    /// Whether what an earlier pass alerted of was looked at now: where not, it is neither there nor
    /// gone.
    pub fn knows(&self, alert: &Alert) -> bool {
        let host = alert.host.as_str();
        let found = self.observed.hosts.get(host);
        match (alert.kind, found) {
            (Kind::Host, Some(_)) => return true,
            (_, Some(found)) if found.reached().is_none() => return false,
            // Of the file no more, or not asked.
            (_, None) if !host.is_empty() => {
                return self.whole && !self.fleet.hosts.contains_key(host);
            }
            _ => {}
        }
        let same = |row: &str| key(alert.kind, row) == alert.key;
        let known = match alert.kind {
            Kind::Certificate => {
                let mut rows = self.certificates.iter();
                let row = rows.find(|row| same(&row.key));
                row.map(|row| !row.is_unknown())
            }
            _ => {
                let mut rows = self.rows.iter();
                let row = rows.find(|row| same(&row.key));
                row.map(|row| !row.stale && row.state != State::Unknown)
            }
        };
        known.unwrap_or(self.whole)
    }

    fn site(&self, row: &SiteRow) -> Option<Alert> {
        let fails = matches!(row.state, State::Failing | State::Restarting);
        if !fails || !row.in_file || row.stale {
            return None;
        }
        // That has an alert of its own.
        let own = row.certificate.as_ref().and_then(|it| first(it));
        if own.is_some_and(|own| own == row.why) {
            return None;
        }
        let next = format!("`ostler logs {}` shows what it says", row.name);
        let why = match row.why.as_str() {
            "" => row.state.word(),
            why => why,
        };
        let since = row.since.map(|since| since.at);
        let key = key(Kind::Site, &row.key);
        let about = (Kind::Site, key, row.host.as_str(), Some(row.name.as_str()));
        Some(self.alert(about, row.state, why, since, next))
    }

    fn certificate(&self, row: &CertificateRow) -> Option<Alert> {
        let since = match row.stand {
            Stand::Expired => row.until,
            Stand::Failing => row.attempt.as_ref().map(|attempt| attempt.at),
            Stand::Mismatch | Stand::Expiring => None,
            _ => return None,
        };
        if row.stale {
            return None;
        }
        let next = match row.next.as_str() {
            "" => "`ostler certs` says more".to_owned(),
            next => next.to_owned(),
        };
        let why = match row.why.as_str() {
            "" => row.stand.word(),
            why => why,
        };
        let key = key(Kind::Certificate, &row.key);
        let about = (
            Kind::Certificate,
            key,
            row.host.as_str(),
            Some(row.name.as_str()),
        );
        Some(self.alert(about, row.state, why, since, next))
    }

    fn alert(
        &self,
        (kind, key, host, site): (Kind, String, &str, Option<&str>),
        state: State,
        why: &str,
        since: Option<i64>,
        next: String,
    ) -> Alert {
        Alert {
            key,
            kind,
            host: host.to_owned(),
            site: site.map(str::to_owned),
            what: short(&line(why), LONGEST),
            since: since.unwrap_or(self.now),
            next,
            level: state.severity(),
        }
    }
}

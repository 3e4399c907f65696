//! What a host's router has of certificates, and what is shown for names, by it and to visitors. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use super::asked::Road;
use crate::fleet::Name;
use crate::record::certificate::CertificateFacts;

/// What was found of the certificates of one host.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Watched {
    /// What its files and its router's process have; `None`: nobody asked.
    pub inside: Option<Inside>,
    /// What is shown, by site and name.
    pub names: BTreeMap<Name, BTreeMap<String, Showings>>,
}

impl Watched {
    /// Takes what is shown for the names of some sites now. What was found inside the host of these was
    /// before it.
    pub fn take(&mut self, names: BTreeMap<Name, BTreeMap<String, Showings>>) {
        for (site, shown) in names {
            if let Some(Ok(found)) = self.inside.as_mut().map(|it| &mut it.found) {
                found.files.remove(&site);
                found.loaded.remove(&site);
                found.left_out.remove(&site);
            }
            self.names.insert(site, shown);
        }
    }
}

/// What lies in the files of a host, and what its router's process has of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Inside {
    /// When that was asked, unix seconds.
    pub at: i64,
    /// Both, or why they are not known.
    pub found: Result<Found, String>,
}

/// That of each site.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Found {
    /// The file of a site, or why it has none that can be used.
    pub files: BTreeMap<Name, Result<CertificateFacts, String>>,
    /// What the process has for a site.
    pub loaded: BTreeMap<Name, Loaded>,
    /// What the router left out when it started, and why.
    pub left_out: BTreeMap<Name, String>,
}

/// A certificate in a router's process, as that tells of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Loaded {
    /// Visitors are shown it.
    pub listed: bool,
    /// Hex.
    pub serial: String,
    /// Unix seconds.
    pub not_before: i64,
    /// Unix seconds.
    pub not_after: i64,
    /// Certificates in its chain, itself included.
    pub chain: usize,
}

impl Loaded {
    /// Whether it is this one.
    pub fn is(&self, facts: &CertificateFacts) -> bool {
        let bare = |serial: &str| serial.trim_start_matches('0').to_ascii_lowercase();
        bare(&self.serial) == bare(&facts.serial)
            && (self.not_before, self.not_after) == (facts.not_before, facts.not_after)
    }
}

/// What is shown for one name.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Showings {
    /// By the host's router, asked on the host or by its address; `None`: it was not asked.
    pub router: Option<Showing>,
    /// To visitors, who go where DNS leads them; `None`: it was not asked.
    pub visitors: Option<Showing>,
}

/// What came of a handshake.
#[derive(Debug, Clone, PartialEq)]
pub struct Showing {
    /// When, unix seconds.
    pub at: i64,
    /// How it was reached.
    pub road: Road,
    pub shown: Shown,
}

/// What was shown.
#[derive(Debug, Clone, PartialEq)]
pub enum Shown {
    Certificate {
        /// Of the server's own.
        facts: Arc<CertificateFacts>,
        issued: Issued,
        /// Why the handshake did not come to its end after that.
        cut_off: Option<String>,
    },
    /// Somebody is there and shows none, or nobody is: in words.
    Nothing(String),
    /// It could not be asked, and why: nothing is known.
    NotKnown(String),
}

impl Shown {
    /// The server's own certificate.
    pub fn facts(&self) -> Option<&CertificateFacts> {
        match self {
            Shown::Certificate { facts, .. } => Some(facts),
            _ => None,
        }
    }
}

/// Who issued what is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Issued {
    /// Somebody who is believed.
    Known,
    /// An intermediate certificate is not shown with it: some visitors have it, others do not.
    Incomplete,
    /// Nobody but itself.
    Itself,
    /// Nobody who is believed.
    Nobody,
    /// It is good for nothing, and why.
    Bad(String),
    /// Whom visitors believe is not known here.
    NotJudged,
}

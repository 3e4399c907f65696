//! One line of the list of certificates.

use std::sync::Arc;

use serde::{Serialize, Serializer};

use super::fault::Fault;
use crate::observe::served::{Loaded, Showings};
use crate::record::certificate::{Attempt, CertificateFacts, Source};
use crate::verdict::state::State;

/// How a certificate stands, in one word; what comes first has the lowest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Stand {
    /// What is stored is good for nobody any more.
    Expired,
    /// What is stored, loaded and served are not the same, or not what a visitor needs.
    Mismatch,
    /// The last try to get another one failed.
    Failing,
    /// It ends soon, and there is no other.
    Expiring,
    /// None was asked for yet.
    Missing,
    /// Nothing was asked for: a name does not lead here yet.
    Waiting,
    /// Nobody can say.
    #[default]
    Unknown,
    /// It is time for another one, and nothing is in the way.
    Due,
    Ok,
    /// It is not used: its site does not run, or is to have none.
    Unused,
    /// There is none, and none is to be.
    Without,
}

impl Stand {
    /// The word on screen and in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Stand::Expired => "expired",
            Stand::Mismatch => "mismatch",
            Stand::Failing => "failing",
            Stand::Expiring => "expiring",
            Stand::Missing => "missing",
            Stand::Waiting => "waiting",
            Stand::Unknown => "not known",
            Stand::Due => "due",
            Stand::Ok => "ok",
            Stand::Unused => "unused",
            Stand::Without => "none",
        }
    }
}

impl Serialize for Stand {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.word())
    }
}

/// Who has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Holder {
    /// A site: visitors are shown it.
    #[default]
    Site,
    /// The engine of a host, reached by TLS.
    Engine,
    /// The operator, to whom such an engine speaks.
    Operator,
    /// The fleet: no certificate but the account by which it has them.
    Account,
}

/// What a router's process has for a site.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum LoadedIs {
    /// Nobody asked: on-call mode runs no command.
    #[default]
    NotAsked,
    NotKnown(String),
    /// It has none, and why, where that is known.
    Nothing(String),
    One(Loaded),
}

/// One certificate.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CertificateRow {
    /// What the cursor is bound to: unique over the fleet.
    pub key: Arc<str>,
    pub holder: Holder,
    /// Site, host, or the authority's word.
    pub name: String,
    /// Empty: none in particular.
    pub host: String,
    pub stand: Stand,
    /// How much it matters.
    pub state: State,
    /// What is the matter, or worth knowing, harmless.
    pub why: String,
    /// What to do about it.
    pub next: String,
    /// Which mismatch it is, the worst of its names'.
    pub fault: Option<Fault>,
    /// The names it should be for.
    pub names: Vec<NameRow>,
    /// What is stored.
    pub stored: Option<CertificateFacts>,
    pub from: Option<Source>,
    /// When it was put there, unix seconds.
    pub stored_at: Option<i64>,
    pub loaded: LoadedIs,
    /// When files and process were asked, unix seconds.
    pub inside_at: Option<i64>,
    /// When it ends, unix seconds.
    pub until: Option<i64>,
    /// The part of its life that is over, 0 to 1.
    pub used: Option<f64>,
    /// When it is to be renewed, unix seconds; `None`: it is not by itself.
    pub renew_at: Option<i64>,
    /// When that is tried: later than that after a failure.
    pub next_try: Option<i64>,
    pub attempt: Option<Attempt>,
    /// Its host does not answer: all of this is from before.
    pub stale: bool,
}

impl CertificateRow {
    /// Whether nothing is the matter with it. A name that does not lead here yet is waited for.
    pub fn is_well(&self) -> bool {
        use Stand::{Due, Ok, Unused, Waiting, Without};
        matches!(self.stand, Ok | Due | Waiting | Unused | Without)
    }

    /// What is the matter, and which mismatch that is.
    pub fn says(&self) -> String {
        match self.fault {
            Some(fault) if self.why.is_empty() => fault.words().to_owned(),
            Some(fault) => format!("{}: {}", fault.words(), self.why),
            None => self.why.clone(),
        }
    }

    /// When it was last asked what is served, unix seconds.
    pub fn served_at(&self) -> Option<i64> {
        let names = self.names.iter();
        let both = names.flat_map(|it| [&it.showings.router, &it.showings.visitors]);
        both.flatten().map(|it| it.at).max()
    }

    /// Whether it says that something is not known.
    pub fn is_unknown(&self) -> bool {
        self.stand == Stand::Unknown || self.stale
    }

    /// What comes first: what fails, by how bad it is; then what ends first.
    pub fn order(&self) -> impl Ord + use<> {
        let rank = match self.stand {
            Stand::Unused | Stand::Without => 3,
            Stand::Waiting | Stand::Unknown => 1,
            Stand::Due | Stand::Ok => 2,
            _ => 0,
        };
        let severity = if rank == 0 { self.state.severity() } else { 0 };
        let until = self.until.unwrap_or(i64::MAX);
        (rank, severity, until, self.name.clone(), self.holder)
    }
}

/// One name of a certificate.
#[derive(Debug, Clone, PartialEq)]
pub struct NameRow {
    pub name: String,
    /// What is stored is for it.
    pub covered: bool,
    pub fault: Option<Fault>,
    /// What is shown for it, in words, harmless.
    pub why: String,
    /// What was shown.
    pub showings: Showings,
    /// The authority's words about it.
    pub words: Option<String>,
}

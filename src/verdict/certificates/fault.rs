//! In which way what is stored, loaded and served do not go together.

use serde::Serialize;

use crate::verdict::state::State;

/// One such way; the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// What is shown has ended.
    Expired,
    /// What is shown is for other names.
    WrongName,
    /// The router shows none for the name.
    NotShown,
    /// What is between it and its authority is not shown.
    IntermediateMissing,
    /// Nobody who is believed issued what is shown.
    Untrusted,
    /// What is on disk is another one than what the process has.
    NotLoaded,
    /// The process has it, and the disk has not: it is gone at the router's next start.
    NotOnDisk,
    /// Visitors are shown somebody else's, which is good.
    SomebodyElse,
}

impl Fault {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Fault::Expired => "expired",
            Fault::WrongName => "wrong name",
            Fault::NotShown => "not served",
            Fault::IntermediateMissing => "intermediate missing",
            Fault::Untrusted => "issuer not believed",
            Fault::NotLoaded => "on disk, not loaded",
            Fault::NotOnDisk => "loaded, not on disk",
            Fault::SomebodyElse => "served by somebody else",
        }
    }

    /// How much it matters.
    pub fn state(self) -> State {
        match self {
            Fault::Expired | Fault::WrongName | Fault::NotShown | Fault::IntermediateMissing => {
                State::Failing
            }
            Fault::Untrusted | Fault::NotLoaded | Fault::NotOnDisk => State::Warning,
            Fault::SomebodyElse => State::Ok,
        }
    }

    /// Whether it wants somebody's attention: that somebody else stands before a site may be meant.
    pub fn matters(self) -> bool {
        self != Fault::SomebodyElse
    }
}

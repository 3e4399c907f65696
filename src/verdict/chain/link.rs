//! One link of a chain, and what links are judged by.

use crate::observe::asked::{Outside, Probe};
use crate::verdict::row::SiteRow;
use crate::verdict::state::State;

/// From when what a link says is, unix seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Age {
    /// It does not matter.
    None,
    /// It was read then.
    Read(i64),
    /// It happened then.
    Since(i64),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainLink {
    /// Its name: `DNS`, `router`, …
    pub name: &'static str,
    /// How it does.
    pub state: State,
    /// What was found, harmless.
    pub what: String,
    /// From when that is.
    pub age: Age,
}

impl ChainLink {
    /// One whose age does not matter.
    pub fn new(name: &'static str, state: State, what: impl Into<String>) -> ChainLink {
        ChainLink {
            name,
            state,
            what: what.into(),
            age: Age::None,
        }
    }

    /// The same, as it was read then.
    pub fn read(self, at: i64) -> ChainLink {
        let age = Age::Read(at);
        ChainLink { age, ..self }
    }

    /// The same, of what happened then.
    pub fn since(self, at: i64) -> ChainLink {
        let age = Age::Since(at);
        ChainLink { age, ..self }
    }
}

/// What the links of one site are judged by.
pub struct Way<'a> {
    /// Its verdict, with numbers.
    pub row: &'a SiteRow,
    /// What came of asking it ourselves.
    pub probe: Option<&'a Probe>,
    /// What the operator's own side sees of it, where that was asked.
    pub outside: Option<&'a Outside>,
}

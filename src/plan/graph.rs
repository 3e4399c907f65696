//! A plan: operations with their order, and what stands in the way.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::operation::Operation;
use crate::fleet::Name;

/// What apply would do, complete and deterministic.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Plan {
    /// Name of the fleet.
    pub fleet: String,
    /// Hash of the fleet file's bytes it was made from.
    pub fleet_hash: String,
    /// Per host: hash of all that was observed and matters. A saved plan is refused when it moved.
    pub basis: BTreeMap<Name, String>,
    /// In an order that respects every `after`.
    pub operations: Vec<Operation>,
    /// What keeps a site or a host from being applied; the rest goes on.
    pub problems: Vec<Problem>,
    /// What the operator should know and nothing waits for.
    pub notices: Vec<Notice>,
    /// Hosts that do not answer and that the file wants nothing of: nobody knows what is there.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub unknown: BTreeSet<Name>,
    /// One site goes first, and nothing more is begun after a failure.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub careful: bool,
    /// Sites whose secrets could not all be compared with their sources; the notices say why.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub uncompared: BTreeSet<Name>,
}

impl Plan {
    /// Nothing to do, and nothing in the way.
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty() && self.problems.is_empty()
    }
}

/// Something that keeps a part of the fleet from being applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    pub host: Name,
    /// Which site; `None`: the whole host.
    pub site: Option<Name>,
    /// What is wrong.
    pub what: String,
    /// What would mend it.
    pub remedy: String,
}

/// Something worth knowing: leftovers, a newer image under the same tag, a site that moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    pub host: Name,
    pub site: Option<Name>,
    /// In words.
    pub text: String,
}

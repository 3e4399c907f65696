//! What an operator asks for that no line of the fleet file says.

use serde::{Deserialize, Serialize};

use crate::fleet::Name;

/// A wish for one plan. It leaves no trace in the fleet file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "intent")]
#[non_exhaustive]
pub enum Intent {
    /// Restart a site's container in place.
    Restart {
        /// Which.
        site: Name,
    },
}

impl Intent {
    /// The site it is about.
    pub fn site(&self) -> &Name {
        match self {
            Intent::Restart { site } => site,
        }
    }

    /// The word on the command line.
    pub fn word(&self) -> &'static str {
        match self {
            Intent::Restart { .. } => "restart",
        }
    }
}

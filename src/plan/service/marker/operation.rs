//! What is done about markers on a host.

use serde::{Deserialize, Serialize};

use crate::fleet::Name;
use crate::plan::operation::facts::{Facts, Tells};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "do")]
pub enum MarkerOperation {
    WriteMarker {
        site: Name,
        text: String,
    },
    /// Take it away.
    RemoveMarker {
        site: Name,
    },
}

impl Tells for MarkerOperation {
    fn facts(&self) -> Facts {
        match self {
            Self::WriteMarker { .. } => Facts::write("write_marker"),
            Self::RemoveMarker { .. } => Facts::destructive("remove_marker"),
        }
    }

    fn describe(&self) -> String {
        match self {
            Self::WriteMarker { text, .. } => format!("write the marker {text}"),
            Self::RemoveMarker { .. } => "remove the marker".to_owned(),
        }
    }
}

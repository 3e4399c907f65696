//! What is done about secrets on a host.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::fleet::Name;
use crate::plan::operation::facts::{Facts, Tells};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "do")]
pub enum SecretsOperation {
    /// Write secrets into `private/secrets`, each by temporary name and rename; remove others.
    WriteSecrets {
        site: Name,
        /// Owner.
        uid: u32,
        /// Name → keyed digest of the bytes that apply must find at the source; empty when the
        /// host has no key yet.
        digests: BTreeMap<String, String>,
        /// Names that the file knows no more, and that the container that still serves may read:
        /// they stay until a second write without them.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        keep: Vec<String>,
    },
}

impl Tells for SecretsOperation {
    fn facts(&self) -> Facts {
        Facts::write("write_secrets")
    }

    fn describe(&self) -> String {
        let Self::WriteSecrets { digests, .. } = self;
        let names: Vec<&str> = digests.keys().map(String::as_str).collect();
        match names.is_empty() {
            true => "remove secrets".to_owned(),
            false => format!("write secrets {}", names.join(", ")),
        }
    }
}

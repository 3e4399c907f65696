//! The lines of a journal, as they are written and read.

use chrono::{SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

use crate::apply::progress::{Ended, Failure};
use crate::fleet::Name;
use crate::plan::{Class, OperationId};

/// Version of the lines' form.
pub const FORM: u32 = 1;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum Line {
    /// The first line: who does what.
    Started(Started),
    /// An operation ended.
    Operation {
        id: OperationId,
        #[serde(flatten)]
        ended: Ended,
        /// RFC 3339.
        at: String,
    },
    /// A host could not be worked on.
    HostFailed {
        host: Name,
        failure: Failure,
        /// RFC 3339.
        at: String,
    },
    /// The last line. A file without it is of an apply that was cut off, or still runs.
    Ended(Close),
    /// After an apply that was cut off: another one dealt with it.
    Settled {
        /// `finished` or `undone`.
        word: String,
        /// Name of that other apply.
        by: String,
        /// RFC 3339.
        at: String,
    },
}

impl Line {
    /// As it is written: JSON, and the end of the line.
    pub fn bytes(&self) -> Option<Vec<u8>> {
        let mut bytes = serde_json::to_vec(self).ok()?;
        bytes.push(b'\n');
        Some(bytes)
    }
}

/// The end of an apply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Close {
    /// `done`, `partial`, `failed` or `cancelled`.
    pub word: String,
    /// RFC 3339.
    pub at: String,
    /// Milliseconds from the first line on; older journals do not say.
    #[serde(default)]
    pub took_ms: Option<u64>,
}

/// Who applied what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// Version of the form.
    pub form: u32,
    /// Name of the apply; the same on every host.
    pub run: String,
    pub fleet: String,
    /// Login name.
    pub who: String,
    /// Machine and process.
    pub whence: String,
    /// RFC 3339.
    pub at: String,
    /// Hash of the fleet file.
    pub fleet_hash: String,
    pub commit: Option<String>,
    /// What is to be done.
    pub operations: Vec<Named>,
}

/// An operation, named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// Its name in the plan.
    pub id: OperationId,
    pub host: Name,
    pub site: Option<Name>,
    /// What, in one word such as `create_container`.
    pub kind: String,
    /// How dangerous.
    pub class: Class,
    pub cause: Vec<String>,
}

/// Now, as a line says it: RFC 3339.
pub fn now() -> String {
    Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true)
}

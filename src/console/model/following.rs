//! Logs being followed: which containers' they are, and how their streams are doing.

use std::sync::Arc;

use crate::console::log::{LogScreen, SourceId};

/// Logs being followed.
#[derive(Debug)]
pub struct Following {
    /// The number they are followed under.
    pub id: u64,
    /// Key of the row, where it is one only.
    pub key: Option<Arc<str>>,
    pub screen: LogScreen,
    /// Its origins: each container that was asked for.
    pub origins: Vec<Origin>,
}

/// A container whose log is, or was, followed.
#[derive(Debug)]
pub struct Origin {
    /// Key of its row.
    pub key: Arc<str>,
    /// The container's id.
    pub container: String,
    /// The log screen's name for it.
    pub source: SourceId,
    /// When its stream ended, milliseconds.
    pub ended: Option<i64>,
    /// How often it was followed again since it last said something.
    pub tries: u32,
    /// Whether there is anything to follow: an engine may keep no log of it.
    pub readable: bool,
    /// Why its stream ended, as it was said; empty once it went on.
    pub said: String,
}

impl Origin {
    /// A container that is followed from now on.
    pub fn new(key: Arc<str>, container: String, source: SourceId) -> Self {
        Origin {
            key,
            container,
            source,
            ended: None,
            tries: 0,
            readable: true,
            said: String::new(),
        }
    }

    /// How long after its end it is left alone, milliseconds. Each attempt that brings nothing
    /// doubles it.
    pub fn wait_ms(&self) -> i64 {
        1000 << self.tries.min(6)
    }
}

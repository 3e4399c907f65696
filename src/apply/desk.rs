//! The desk where changes of one host's routes queue up: they are made one after the other, and those
//! that come while one is being made are made together.

use std::sync::OnceLock;

use tokio::sync::{Mutex, oneshot};

use super::progress::Answer;
use crate::fleet::Name;
use crate::host::router::{self, Table};
use crate::record::RouterRecord;
use crate::record::route::RouteEntry;

/// Where changes of routes queue up.
#[derive(Default)]
pub struct Desk {
    pub waiting: std::sync::Mutex<Vec<Waiting>>,
    /// What the router was last told, as far as this run knows. Whoever holds it changes the
    /// router.
    pub told: Mutex<Option<RouterRecord>>,
    /// The host's key, once its records were read.
    pub key: OnceLock<String>,
}

/// A change, and who waits for it.
pub struct Waiting {
    pub change: Change,
    pub answer: oneshot::Sender<Answer>,
}

/// A change of one site's routes.
pub enum Change {
    Put(RouteEntry),
    Remove(Name),
}

impl Change {
    pub fn site(&self) -> &Name {
        match self {
            Change::Put(entry) => &entry.site,
            Change::Remove(site) => site,
        }
    }
    pub fn make(&self, table: &mut Table) {
        match self {
            Change::Put(entry) => router::put(table, entry.clone()),
            Change::Remove(site) => {
                table.remove(site);
            }
        }
    }
}

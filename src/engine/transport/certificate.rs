//! How long the certificates of an engine reached by TLS are good for.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use crate::engine::error::Error;

/// When the two certificates of a TLS connection end, unix seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Certificates {
    /// Ours, which the engine asks for: `notAfter` of `cert.pem`.
    pub client_until: i64,
    /// The engine's own.
    pub server_until: i64,
}

impl Certificates {
    /// The one that ends first.
    pub fn until(&self) -> i64 {
        self.client_until.min(self.server_until)
    }
}

/// What handshakes showed; shared by a connector and whoever asks.
#[derive(Clone, Default)]
pub(in crate::engine) struct Shown(Arc<Mutex<Found>>);

#[derive(Default)]
struct Found {
    certificates: Option<Certificates>,
    refused: Option<Error>,
}

impl Shown {
    fn found(&self) -> MutexGuard<'_, Found> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The certificates of the newest handshake that came about.
    pub(in crate::engine) fn certificates(&self) -> Option<Certificates> {
        self.found().certificates
    }

    /// Why the engine ended connections after the handshake, until one is tried anew.
    pub(in crate::engine) fn refused(&self) -> Option<Error> {
        self.found().refused.clone()
    }

    pub(super) fn set(&self, certificates: Certificates) {
        self.found().certificates = Some(certificates);
    }

    pub(super) fn refuse(&self, error: Error) {
        self.found().refused = Some(error);
    }

    pub(super) fn forgive(&self) {
        self.found().refused = None;
    }
}

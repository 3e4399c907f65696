//! How long the certificates of an engine reached by TLS are good for.

use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

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

/// What the newest handshake showed; shared by a connector and whoever asks.
#[derive(Clone, Default)]
pub(in crate::engine) struct Shown(Arc<Mutex<Option<Certificates>>>);

impl Shown {
    pub(in crate::engine) fn get(&self) -> Option<Certificates> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set(&self, certificates: Certificates) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(certificates);
    }
}

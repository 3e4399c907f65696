//! Operations of services. A service has its own in a file of its own, and its lines here.

use serde::{Deserialize, Serialize};

use super::certificate::operation::CertificateOperation;
#[cfg(test)]
use super::marker::operation::MarkerOperation;
use super::secrets::operation::SecretsOperation;
use crate::plan::operation::facts::Tells;

/// An operation of a service. In JSON it looks like any other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ServiceOperation {
    Secrets(SecretsOperation),
    Certificate(CertificateOperation),
    #[cfg(test)]
    Marker(MarkerOperation),
}

impl ServiceOperation {
    /// Itself, whichever service it is of.
    pub fn tells(&self) -> &dyn Tells {
        match self {
            Self::Secrets(operation) => operation,
            Self::Certificate(operation) => operation,
            #[cfg(test)]
            Self::Marker(operation) => operation,
        }
    }
}

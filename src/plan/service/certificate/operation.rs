//! What is done about certificates on a host.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::fleet::Name;
use crate::plan::operation::facts::{Facts, Tells};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "do")]
pub enum CertificateOperation {
    /// Get one from the authority and put it on the host. Where a name does not lead here yet nothing
    /// is asked for, and that is noted.
    ObtainCertificate {
        site: Name,
        /// Host names, sorted.
        names: Vec<String>,
        /// URL of the authority's directory.
        directory: String,
        /// Those names that can be had, where not all can.
        #[serde(default)]
        partial: bool,
        /// Somebody asked for it: it is had though it is not due, or rests.
        #[serde(default)]
        asked: bool,
        /// SHA-256 of the one that it takes the place of.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        replaces: Option<String>,
    },
    /// Put one of the operator's own on the host.
    StoreCertificate {
        site: Name,
        /// SHA-256 of the one that apply must find in the operator's file.
        fingerprint: String,
    },
    /// Have the router serve what is on the host, if anything is.
    ServeCertificate {
        site: Name,
        /// Domains to be led from http to https, as far as the certificate is for them.
        redirected: BTreeSet<String>,
    },
    /// Have the router serve it no more. Its file stays.
    WithdrawCertificate { site: Name },
}

impl Tells for CertificateOperation {
    fn facts(&self) -> Facts {
        match self {
            Self::ObtainCertificate { .. } => Facts::write("obtain_certificate").apart(),
            Self::StoreCertificate { .. } => Facts::write("store_certificate").apart(),
            Self::ServeCertificate { .. } => Facts::write("serve_certificate").apart().follows(),
            Self::WithdrawCertificate { .. } => Facts::destructive("withdraw_certificate").apart(),
        }
    }

    fn describe(&self) -> String {
        match self {
            Self::ObtainCertificate {
                names, directory, ..
            } => {
                let more = match names.len() {
                    0..=3 => String::new(),
                    all => format!(" and {} more", all - 3),
                };
                let names: Vec<&str> = names.iter().take(3).map(String::as_str).collect();
                let from = authority(directory);
                format!(
                    "get a certificate for {}{more} from {from}",
                    names.join(", ")
                )
            }
            Self::StoreCertificate { .. } => "put its own certificate on the host".to_owned(),
            Self::ServeCertificate { redirected, .. } => match redirected.is_empty() {
                true => "serve its certificate".to_owned(),
                false => "serve its certificate, and lead http to https".to_owned(),
            },
            Self::WithdrawCertificate { .. } => "serve its certificate no more".to_owned(),
        }
    }
}

/// An authority in short: the host of its directory.
pub fn authority(directory: &str) -> &str {
    let rest = directory
        .split_once("://")
        .map_or(directory, |(_, rest)| rest);
    rest.split('/').next().unwrap_or(rest)
}

//! The folder of `tls`: ca.pem, cert.pem, key.pem, read and judged before anything is sent.

use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore};

use super::super::x509::{self, Facts};
use super::check::{Asked, Watching};
use crate::engine::error::TlsProblem;
use crate::file;

/// All that connections to one engine share: sessions too, so that only the first handshake costs.
pub(super) struct Identity {
    pub(super) config: Arc<ClientConfig>,
    pub(super) server: Arc<Watching>,
    pub(super) asked: Arc<Asked>,
    /// Our own certificate.
    pub(super) client: Facts,
    /// Names of the CAs in ca.pem.
    pub(super) authorities: Vec<String>,
    stamp: Stamp,
}

/// Tells whether the files are still those that were read: modification time, size, inode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamp([Option<(i64, i64, u64, u64)>; 3]);

pub(super) fn ca(folder: &Path) -> PathBuf {
    folder.join("ca.pem")
}
pub(super) fn cert(folder: &Path) -> PathBuf {
    folder.join("cert.pem")
}
pub(super) fn key(folder: &Path) -> PathBuf {
    folder.join("key.pem")
}

impl Stamp {
    fn of(folder: &Path) -> Stamp {
        Stamp([ca(folder), cert(folder), key(folder)].map(|path| {
            let meta = std::fs::metadata(path).ok()?;
            Some((meta.mtime(), meta.mtime_nsec(), meta.size(), meta.ino()))
        }))
    }
}

impl Identity {
    /// Whether the files on disk are still those that this came from.
    pub(super) fn is_current(&self, folder: &Path) -> bool {
        self.stamp == Stamp::of(folder)
    }

    /// Reads the folder.
    pub(super) fn read(folder: &Path) -> Result<Identity, TlsProblem> {
        let stamp = Stamp::of(folder);
        if !folder.exists() {
            return Err(TlsProblem::Missing {
                path: folder.to_owned(),
            });
        }
        let provider = Arc::new(ring::default_provider());
        let trusted = certificates(&ca(folder))?;
        let chain = certificates(&cert(folder))?;
        let key = private_key(&key(folder))?;

        let mut roots = RootCertStore::empty();
        for certificate in &trusted {
            if let Some(why) = x509::facts(certificate).and_then(|facts| facts.weakness()) {
                return Err(unusable(&ca(folder), why));
            }
            roots
                .add(certificate.clone())
                .map_err(|error| unusable(&ca(folder), error))?;
        }
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
                .build()
                .map_err(|error| unusable(&ca(folder), error))?;
        let client = chain
            .first()
            .and_then(x509::facts)
            .ok_or_else(|| unusable(&cert(folder), "it cannot be read as a certificate"))?;
        let identity = certified(folder, chain, key, &provider)?;
        let server = Arc::new(Watching::new(verifier));
        let asked = Arc::new(Asked::new(Arc::new(identity)));
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsProblem::Handshake {
                why: error.to_string(),
            })?
            // It verifies as the default does, and remembers whom it refused.
            .dangerous()
            .with_custom_certificate_verifier(server.clone())
            .with_client_cert_resolver(asked.clone());
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Identity {
            config: Arc::new(config),
            server,
            asked,
            client,
            authorities: trusted
                .iter()
                .filter_map(x509::facts)
                .map(|facts| facts.subject)
                .collect(),
            stamp,
        })
    }

    /// What is wrong with our own certificate at this moment: an engine would only answer with an
    /// alert that tells nothing.
    pub(super) fn judge(&self, folder: &Path, now: i64) -> Result<(), TlsProblem> {
        let path = || cert(folder);
        let Facts { from, until, .. } = self.client;
        if until < now {
            Err(TlsProblem::ClientExpired {
                path: path(),
                until,
            })
        } else if from > now {
            Err(TlsProblem::ClientTooEarly { path: path(), from })
        } else if !self.client.for_clients {
            Err(TlsProblem::ClientPurpose { path: path() })
        } else {
            Ok(())
        }
    }
}

/// The key, when others than its owner can read it.
pub(super) fn open_key(folder: &Path) -> Option<PathBuf> {
    let path = key(folder);
    let mode = std::fs::metadata(&path).ok()?.permissions().mode();
    (mode & 0o004 != 0).then_some(path)
}

fn certified(
    folder: &Path,
    chain: Vec<CertificateDer<'static>>,
    private: PrivateKeyDer<'static>,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, TlsProblem> {
    CertifiedKey::from_der(chain, private, provider).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => TlsProblem::KeyOfAnother {
            folder: folder.to_owned(),
        },
        rustls::Error::InvalidCertificate(_) => unusable(&cert(folder), error),
        // Never the words of a parser about a key.
        _ => unusable(
            &key(folder),
            "a key of this kind cannot be used; RSA from 2048 bits, P-256, P-384 and Ed25519 can",
        ),
    })
}

fn unusable(path: &Path, why: impl std::fmt::Display) -> TlsProblem {
    TlsProblem::Unusable {
        path: path.to_owned(),
        why: why.to_string(),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsProblem> {
    let unreadable = |error: std::io::Error| match error.kind() {
        ErrorKind::NotFound => TlsProblem::Missing {
            path: path.to_owned(),
        },
        _ => TlsProblem::Unreadable {
            path: path.to_owned(),
            why: error.to_string(),
        },
    };
    match file::read(path, file::SMALL) {
        Err(error) if error.kind() == ErrorKind::FileTooLarge => {
            Err(unusable(path, "it is larger than 1 MiB"))
        }
        read => read.map_err(unreadable),
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsProblem> {
    let bytes = read(path)?;
    let found: Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(&bytes).collect();
    match found {
        Ok(found) if found.is_empty() => Err(unusable(path, "there is no certificate in it")),
        Ok(found) => Ok(found),
        Err(_) => Err(unusable(path, "it is damaged: not PEM to its end")),
    }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsProblem> {
    let bytes = read(path)?;
    let found = PrivateKeyDer::from_pem_slice(&bytes);
    found.map_err(|error| {
        let text = String::from_utf8_lossy(&bytes);
        let locked =
            text.contains("BEGIN ENCRYPTED PRIVATE KEY") || text.contains("Proc-Type: 4,ENCRYPTED");
        match error {
            _ if locked => TlsProblem::Locked {
                path: path.to_owned(),
            },
            pem::Error::NoItemsFound => unusable(path, "there is no private key in it"),
            _ => unusable(path, "it is damaged: not PEM to its end"),
        }
    })
}

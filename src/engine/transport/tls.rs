//! Mutual TLS: the engine has to show a certificate of a CA in ca.pem for the name or address it is
//! reached by, and has to ask for ours.
//!
//! The names are those of subjectAltName; the common name counts for nothing, as everywhere today.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::pki_types::ServerName;
use rustls::{CertificateError, HandshakeKind};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::certificate::{Certificates, Shown};
use super::connector::Connector;
use super::tcp::{self, Sniffed, Target};
use super::x509;
use crate::engine::error::{Error, Result, TlsProblem};

mod check;
mod files;
mod stream;

use files::Identity;
use stream::{Encrypted, Told, refusal};

/// How long a handshake may take, once connected.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Connections by mutual TLS, with the files in a folder.
pub(super) fn connector(target: Target, folder: PathBuf) -> Connector {
    let shown = Shown::default();
    let tls = Arc::new(Tls::new(target, folder, shown.clone()));
    let host = tls.target.host.clone();
    Connector::new(move || tls.clone().dial())
        .showing(shown)
        .with_ports(move |port| tcp::from_here(host.clone(), port))
}

/// One engine behind TLS.
struct Tls {
    target: Arc<Target>,
    folder: PathBuf,
    /// As the files were when they were last read.
    identity: Mutex<Option<Arc<Identity>>>,
    shown: Shown,
}

/// The key of a TLS folder, when others than its owner and group can read it.
pub(super) fn open_key(folder: &Path) -> Option<PathBuf> {
    files::open_key(folder)
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    })
}

impl Tls {
    fn new(target: Target, folder: PathBuf, shown: Shown) -> Self {
        Tls {
            target: Arc::new(target),
            folder,
            identity: Mutex::default(),
            shown,
        }
    }

    /// Opens one connection.
    async fn dial(self: Arc<Self>) -> Result<Encrypted> {
        self.shown.forgive();
        let target = self.target.clone();
        let identity = self.clone().identity().await?;
        let name = ServerName::try_from(target.host.clone()).map_err(|_| {
            target.problem(TlsProblem::Handshake {
                why: format!("{} is no name that a certificate can be for", target.host),
            })
        })?;
        let stream = tcp::connect(&target).await?;
        let handshake = identity.asked.begin();
        let connector = TlsConnector::from(identity.config.clone());
        let shaking = connector.connect(name, stream).into_fallible();
        let stream = match timeout(HANDSHAKE, shaking).await {
            Ok(Ok(stream)) => stream,
            Ok(Err((error, stream))) => {
                return Err(target.problem(self.explain(&identity, &error, &stream)));
            }
            Err(_) => {
                return Err(Error::Deadline {
                    what: format!("TLS handshake with {}", target.address),
                    after: HANDSHAKE,
                });
            }
        };
        let session = stream.get_ref().1;
        let resumed = session.handshake_kind() == Some(HandshakeKind::Resumed);
        if !resumed && !handshake.was_asked() {
            return Err(target.problem(TlsProblem::NobodyAsked));
        }
        let server = session.peer_certificates().and_then(<[_]>::first);
        if let Some(server) = server.and_then(x509::facts) {
            self.shown.set(Certificates {
                client_until: identity.client.until,
                server_until: server.until,
            });
        }
        let told = Told {
            target,
            certificate: files::cert(&self.folder),
            shown: self.shown.clone(),
        };
        Ok(Encrypted::new(stream, told))
    }

    /// Who we are, from the files: read again when they were changed, so that a renewed certificate
    /// is used by the next connection.
    async fn identity(self: Arc<Self>) -> Result<Arc<Identity>> {
        let this = self.clone();
        let reading = tokio::task::spawn_blocking(move || {
            let mut known = this.identity.lock().unwrap_or_else(PoisonError::into_inner);
            let current = known.take().filter(|known| known.is_current(&this.folder));
            let identity = match current {
                Some(identity) => identity,
                None => Arc::new(Identity::read(&this.folder)?),
            };
            *known = Some(identity.clone());
            identity.judge(&this.folder, now())?;
            Ok(identity)
        });
        let read = reading.await.unwrap_or_else(|error| {
            Err(TlsProblem::Handshake {
                why: error.to_string(),
            })
        });
        read.map_err(|problem| self.target.problem(problem))
    }

    fn explain(&self, identity: &Identity, error: &std::io::Error, stream: &Sniffed) -> TlsProblem {
        use rustls::Error as Rustls;
        let why = error.get_ref().and_then(|inner| inner.downcast_ref());
        match why {
            Some(Rustls::InvalidCertificate(problem)) => self.server_problem(identity, problem),
            Some(Rustls::AlertReceived(alert)) => refusal(*alert, &files::cert(&self.folder)),
            Some(Rustls::InvalidMessage(_)) => TlsProblem::NotTls {
                what: stream
                    .speaks()
                    .unwrap_or("it answers with something else")
                    .to_owned(),
            },
            // Our own word about its key.
            Some(Rustls::General(why)) => TlsProblem::ServerCertificate { why: why.clone() },
            Some(other) => TlsProblem::Handshake {
                why: other.to_string(),
            },
            None if error.kind() == ErrorKind::UnexpectedEof => TlsProblem::NotTls {
                what: "it closed the connection without an answer".to_owned(),
            },
            None => TlsProblem::Handshake {
                why: error.to_string(),
            },
        }
    }

    fn server_problem(&self, identity: &Identity, problem: &CertificateError) -> TlsProblem {
        let refused = identity.server.refused();
        let Some(server) = refused.as_ref().and_then(x509::facts) else {
            return TlsProblem::ServerCertificate {
                why: format!("it cannot be read: {problem}"),
            };
        };
        match problem {
            CertificateError::Expired | CertificateError::ExpiredContext { .. }
                if server.until < now() =>
            {
                TlsProblem::ServerExpired {
                    until: server.until,
                }
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. }
                if server.from > now() =>
            {
                TlsProblem::ServerTooEarly { from: server.from }
            }
            // A CA of the same name but another key shows itself as a bad signature.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                TlsProblem::UnknownCa {
                    namesake: identity.authorities.contains(&server.issuer),
                    issuer: server.issuer,
                    path: files::ca(&self.folder),
                }
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                TlsProblem::OtherName {
                    wanted: self.target.host.clone(),
                    names: server.names,
                    common_name: server.common_name,
                }
            }
            CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
                TlsProblem::ServerCertificate {
                    why: "it was not issued for servers (no serverAuth in its extended key usage)"
                        .to_owned(),
                }
            }
            other => TlsProblem::ServerCertificate {
                why: match other.to_string() {
                    text if text.contains("CaUsedAsEndEntity") => {
                        "it is the certificate of a CA itself".to_owned()
                    }
                    text => text,
                },
            },
        }
    }
}

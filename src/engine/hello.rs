//! A TLS handshake such as any visitor begins, to see which certificates are shown for a name. Nothing
//! is asked for afterwards: when the handshake has ended, the connection is closed.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{self, CryptoProvider};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::transport::connector::{Bytestream, Failure, NoPort, Reached};
use super::transport::dial;
use crate::fleet::{Domain, Host, value};

/// Certificates of one chain that are kept, at most.
const CHAIN: usize = 10;

/// The first words of a handshake, to the router of one host: there is no other way to make them than by
/// the rule (`Hello::new`), and nothing of them can be changed.
#[derive(Debug)]
pub struct Hello {
    port: u16,
    name: ServerName<'static>,
}

impl Hello {
    /// The rule: a domain's name, to the port on which the host's router speaks TLS.
    ///
    /// # Errors
    /// What of it is not so.
    pub(super) fn new(host: &Host, domain: &Domain) -> Result<Hello, &'static str> {
        Ok(Hello {
            port: host.ports.https,
            name: name(domain)?,
        })
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }
}

/// A domain as the name in a handshake.
fn name(domain: &Domain) -> Result<ServerName<'static>, &'static str> {
    let text = domain.as_str();
    // It may come from a host's record.
    if value::parse_domain(text).ok().as_ref() != Some(domain) {
        return Err("the domain is none");
    }
    match ServerName::try_from(text.to_owned()) {
        Ok(name @ ServerName::DnsName(_)) => Ok(name),
        _ => Err("the domain is no name of a server"),
    }
}

/// What came of a hello.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Greeted {
    /// From where it was said: `None`: from the host itself, through the connection; else from here, to
    /// this address.
    pub from_here: Option<String>,
    pub shown: Shown,
}

/// What was shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    Certificates {
        /// DER, the server's own first; whoever they are for, and whatever they are worth.
        chain: Vec<Vec<u8>>,
        /// Why the handshake did not come to its end after that.
        cut_off: Option<String>,
    },
    /// There is somebody, who shows none: in these words.
    Nothing(String),
    /// A connection, and nothing within so long.
    Silence(Duration),
    /// Nobody takes connections there, in these words.
    Nobody(String),
    /// It did not get there, and why.
    NoWay(String),
}

/// Says it and listens. Opening the way and the handshake may take `within` each.
pub(super) async fn say(
    hello: Hello,
    reaching: impl Future<Output = Result<Reached, NoPort>>,
    within: Duration,
) -> Greeted {
    let (from_here, shown) = match timeout(within, reaching).await {
        Ok(Ok(Reached { stream, from_here })) => {
            (from_here, handshake(hello.name, stream, within).await)
        }
        Ok(Err(NoPort::Refused(why))) => (None, Shown::Nobody(why)),
        Ok(Err(NoPort::NoWay { why, from_here })) => (from_here, Shown::NoWay(why)),
        Err(_) => (None, Shown::NoWay(no_connection(within))),
    };
    Greeted { from_here, shown }
}

/// The same from this machine, to one of the addresses that DNS gives for the name: what visitors see.
pub async fn greet(domain: &Domain, addresses: Vec<SocketAddr>, within: Duration) -> Shown {
    let name = match name(domain) {
        Ok(name) => name,
        Err(why) => return Shown::NoWay(why.to_owned()),
    };
    match timeout(within, dial(addresses)).await {
        Ok(Ok((stream, _))) => handshake(name, Box::new(stream), within).await,
        Ok(Err(Some((address, error)))) => Shown::Nobody(format!("{address}: {error}")),
        Ok(Err(None)) => Shown::NoWay("it has no address".to_owned()),
        Err(_) => Shown::Nobody(no_connection(within)),
    }
}

fn no_connection(within: Duration) -> String {
    format!("no connection within {} s", within.as_secs())
}

async fn handshake(
    name: ServerName<'static>,
    stream: Box<dyn Bytestream>,
    within: Duration,
) -> Shown {
    let seen = Arc::new(Seen {
        provider: crypto::ring::default_provider(),
        chain: Mutex::default(),
    });
    let config = ClientConfig::builder_with_provider(seen.provider.clone().into());
    let Ok(config) = config.with_safe_default_protocol_versions() else {
        return Shown::NoWay("this program speaks no TLS".to_owned());
    };
    let mut config = config
        .dangerous()
        .with_custom_certificate_verifier(seen.clone())
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    let shaking = async {
        let connector = TlsConnector::from(Arc::new(config));
        let mut stream = connector.connect(name, stream).await?;
        // Whoever is there has said all that is asked of it.
        let _ = stream.shutdown().await;
        Ok::<(), std::io::Error>(())
    };
    let ended = timeout(within, shaking).await;
    let chain = std::mem::take(&mut *seen.lock());
    match (ended, chain.is_empty()) {
        (Err(_), true) => Shown::Silence(within),
        (Ok(Err(error)), true) => refused(&error),
        (Ok(Ok(())), true) => Shown::Nothing("it shows no certificate".to_owned()),
        (ended, false) => Shown::Certificates {
            chain,
            cut_off: match ended {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(error.to_string()),
                Err(_) => Some(format!(
                    "its end did not come within {} s",
                    within.as_secs()
                )),
            },
        },
    }
}

/// Why a handshake ended before any certificate came.
fn refused(error: &std::io::Error) -> Shown {
    // What the transport says is no word of whoever is asked.
    if let Some(failure) = Failure::within(error) {
        return Shown::NoWay(failure.to_string());
    }
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref());
    Shown::Nothing(match tls {
        Some(rustls::Error::AlertReceived(alert)) => format!("it refuses the handshake: {alert:?}"),
        Some(rustls::Error::InvalidMessage(_)) => "it does not speak TLS".to_owned(),
        Some(error) => error.to_string(),
        None if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            "it closes the connection".to_owned()
        }
        None => error.to_string(),
    })
}

/// Takes every certificate, and keeps what was shown; that the other side has the key is checked.
#[derive(Debug)]
struct Seen {
    provider: CryptoProvider,
    chain: Mutex<Vec<Vec<u8>>>,
}

impl Seen {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Vec<u8>>> {
        self.chain.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ServerCertVerifier for Seen {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let all = std::iter::once(end_entity).chain(intermediates);
        *self.lock() = all.take(CHAIN).map(|der| der.to_vec()).collect();
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.provider.signature_verification_algorithms;
        crypto::verify_tls12_signature(message, cert, dss, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.provider.signature_verification_algorithms;
        crypto::verify_tls13_signature(message, cert, dss, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let known = &self.provider.signature_verification_algorithms;
        known.supported_schemes()
    }
}

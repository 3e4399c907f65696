//! A certificate authority, and an engine behind TLS, in the test's own process.

#![allow(dead_code)] // every test binary takes what it needs of this

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use hyper_util::rt::TokioIo;
use ostler::sim::Sim;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, SanType, date_time_ymd,
};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{HandshakeKind, RootCertStore, ServerConfig};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tower_service::Service;

/// A CA.
pub struct Authority {
    pub pem: String,
    pub der: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate with its key.
pub struct Issued {
    pub certificate: Certificate,
    pub key: KeyPair,
}

/// What a certificate is asked to be.
pub struct Wish {
    /// Names and addresses; with none there is no subjectAltName.
    pub names: Vec<&'static str>,
    /// Years at whose beginning it begins and ends to be good.
    pub years: (i32, i32),
    pub usage: ExtendedKeyUsagePurpose,
    pub key: Option<KeyPair>,
}

impl Wish {
    pub fn server(names: &[&'static str]) -> Wish {
        Wish {
            names: names.to_vec(),
            years: (2020, 4000),
            usage: ExtendedKeyUsagePurpose::ServerAuth,
            key: None,
        }
    }
    pub fn client() -> Wish {
        Wish {
            usage: ExtendedKeyUsagePurpose::ClientAuth,
            ..Wish::server(&[])
        }
    }
    pub fn years(self, from: i32, until: i32) -> Wish {
        Wish {
            years: (from, until),
            ..self
        }
    }
    pub fn usage(self, usage: ExtendedKeyUsagePurpose) -> Wish {
        Wish { usage, ..self }
    }
    pub fn key(self, key: KeyPair) -> Wish {
        Wish {
            key: Some(key),
            ..self
        }
    }
}

impl Authority {
    pub fn new(name: &str) -> Authority {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap();
        Authority {
            pem: certificate.pem(),
            der: certificate.der().clone(),
            issuer: Issuer::new(params, key),
        }
    }

    pub fn issue(&self, wish: Wish) -> Issued {
        let key = wish.key.unwrap_or_else(|| KeyPair::generate().unwrap());
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "web2");
        params.subject_alt_names = wish
            .names
            .iter()
            .map(|name| match name.parse() {
                Ok(address) => SanType::IpAddress(address),
                Err(_) => SanType::DnsName((*name).try_into().unwrap()),
            })
            .collect();
        params.not_before = date_time_ymd(wish.years.0, 1, 1);
        params.not_after = date_time_ymd(wish.years.1, 1, 1);
        params.extended_key_usages = vec![wish.usage];
        Issued {
            certificate: params.signed_by(&key, &self.issuer).unwrap(),
            key,
        }
    }

    /// Writes the three files of an operator whom this CA vouches for.
    pub fn folder(&self, client: &Issued) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        write_folder(folder.path(), &self.pem, client);
        folder
    }
}

pub fn write_folder(folder: &Path, ca: &str, client: &Issued) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(folder.join("ca.pem"), ca).unwrap();
    std::fs::write(folder.join("cert.pem"), client.certificate.pem()).unwrap();
    let key = folder.join("key.pem");
    std::fs::write(&key, client.key.serialize_pem()).unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
}

pub fn unix_now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    now.as_secs() as i64
}

/// How an engine's side of TLS is set up.
pub fn config(server: &Issued, clients: Option<&Authority>, old: bool) -> ServerConfig {
    let provider = Arc::new(ring::default_provider());
    let versions: &[&rustls::SupportedProtocolVersion] = match old {
        true => &[&rustls::version::TLS12],
        false => &[&rustls::version::TLS13, &rustls::version::TLS12],
    };
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(versions)
        .unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(authority.der.clone()).unwrap();
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.unwrap())
        }
    };
    let key = PrivateKeyDer::try_from(server.key.serialize_der()).unwrap();
    let chain = vec![server.certificate.der().clone()];
    builder.with_single_cert(chain, key).unwrap()
}

/// A simulated engine at a TCP port of this machine, behind TLS.
pub struct TlsEngine {
    pub sim: Sim,
    pub at: SocketAddr,
    /// Handshakes done in full, and resumed.
    pub full: Arc<AtomicUsize>,
    pub resumed: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl TlsEngine {
    pub async fn up(config: ServerConfig) -> TlsEngine {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let sim = Sim::new(7);
        let (full, resumed) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let (behind, counts) = (sim.clone(), (full.clone(), resumed.clone()));
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (acceptor, counts) = (acceptor.clone(), counts.clone());
                let mut connector = behind.connector();
                tokio::spawn(async move {
                    // A handshake that fails is the test's subject.
                    let Ok(mut stream) = acceptor.accept(stream).await else {
                        return;
                    };
                    match stream.get_ref().1.handshake_kind() {
                        Some(HandshakeKind::Resumed) => &counts.1,
                        _ => &counts.0,
                    }
                    .fetch_add(1, Ordering::Relaxed);
                    let uri = http::Uri::from_static("http://docker/");
                    let engine = connector.call(uri).await.unwrap();
                    let mut engine = TokioIo::new(engine);
                    let _ = tokio::io::copy_bidirectional(&mut stream, &mut engine).await;
                });
            }
        });
        TlsEngine {
            sim,
            at,
            full,
            resumed,
            task,
        }
    }

    pub fn handshakes(&self) -> (usize, usize) {
        (
            self.full.load(Ordering::Relaxed),
            self.resumed.load(Ordering::Relaxed),
        )
    }
}

impl Drop for TlsEngine {
    fn drop(&mut self) {
        self.task.abort();
    }
}

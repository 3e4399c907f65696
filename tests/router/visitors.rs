//! A certificate authority, and visitors by https who believe nothing else.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use rcgen::{BasicConstraints, Certificate, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// A root and what issues in its name.
pub struct Authority {
    pub root: Certificate,
    intermediate: Certificate,
    issuer: Issuer<'static, KeyPair>,
}

fn of_authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

impl Authority {
    pub fn new() -> Authority {
        let (root, above) = (of_authority("Root"), KeyPair::generate().unwrap());
        let (below, key) = (of_authority("Intermediate"), KeyPair::generate().unwrap());
        let certificate = root.self_signed(&above).unwrap();
        let intermediate = below.signed_by(&key, &Issuer::new(root, above)).unwrap();
        Authority {
            root: certificate,
            intermediate,
            issuer: Issuer::new(below, key),
        }
    }

    /// Leaf, intermediate and key, as they are stored.
    pub fn issue(&self, names: &[&str]) -> String {
        let names = names.iter().map(|name| (*name).to_owned());
        let params = CertificateParams::new(names.collect::<Vec<_>>()).unwrap();
        let key = KeyPair::generate().unwrap();
        let leaf = params.signed_by(&key, &self.issuer).unwrap();
        let (chain, key) = (self.intermediate.pem(), key.serialize_pem());
        format!("{}{chain}{key}", leaf.pem())
    }

    /// Sessions are resumed, as by browsers.
    pub fn connector(&self) -> TlsConnector {
        self.connects(Resumption::default())
    }

    /// Every handshake is a whole one.
    pub fn stranger(&self) -> TlsConnector {
        self.connects(Resumption::disabled())
    }

    fn connects(&self, resumption: Resumption) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.der().clone()).unwrap();
        let config = ClientConfig::builder().with_root_certificates(roots);
        let mut config = config.with_no_client_auth();
        config.resumption = resumption;
        TlsConnector::from(Arc::new(config))
    }
}

/// A handshake in which the certificate has to be right for the name.
pub async fn handshake(
    connector: &TlsConnector,
    port: u16,
    name: &str,
) -> Result<TlsStream<TcpStream>, String> {
    let at = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let stream = TcpStream::connect(at)
        .await
        .map_err(|e| format!("connecting: {e}"))?;
    let server = ServerName::try_from(name.to_owned()).unwrap();
    connector
        .connect(server, stream)
        .await
        .map_err(|e| format!("{name}: {e}"))
}

/// The first certificate that is shown for a name, whatever it is for.
pub async fn shown(connector: &TlsConnector, port: u16, name: &str) -> Result<Vec<u8>, String> {
    let stream = handshake(connector, port, name).await?;
    let (_, session) = stream.get_ref();
    Ok(session.peer_certificates().unwrap()[0].to_vec())
}

/// A request over a connection of its own; gives the whole answer.
pub async fn ask(connector: &TlsConnector, port: u16, name: &str) -> Result<String, String> {
    let mut stream = handshake(connector, port, name).await?;
    let request = format!("GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n");
    let io = |e: std::io::Error| format!("{name}: {e}");
    stream.write_all(request.as_bytes()).await.map_err(io)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.map_err(io)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// Visitors who come one after the other, each with a handshake and a request.
pub struct Visitors {
    end: Arc<AtomicBool>,
    count: Arc<AtomicUsize>,
    tasks: JoinSet<Vec<String>>,
}

impl Visitors {
    pub fn start(connector: &TlsConnector, port: u16, names: &[String]) -> Visitors {
        let (end, count) = <(Arc<AtomicBool>, Arc<AtomicUsize>)>::default();
        let mut tasks = JoinSet::new();
        for first in 0..3 {
            let (connector, names) = (connector.clone(), names.to_vec());
            let (end, count) = (end.clone(), count.clone());
            tasks.spawn(async move {
                let mut failures = Vec::new();
                for name in names.iter().cycle().skip(first * 7) {
                    if end.load(Ordering::SeqCst) {
                        break;
                    }
                    match ask(&connector, port, name).await {
                        Ok(answer) if answer.starts_with("HTTP/1.1 200 ") => {
                            count.fetch_add(1, Ordering::SeqCst);
                        }
                        Ok(answer) => failures.push(format!("{name}: {answer}")),
                        Err(why) => failures.push(why),
                    }
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
                failures
            });
        }
        Visitors { end, count, tasks }
    }

    /// How many were served; all of them have to be.
    pub async fn stop(mut self) -> usize {
        self.end.store(true, Ordering::SeqCst);
        let mut failures = Vec::new();
        while let Some(some) = self.tasks.join_next().await {
            failures.extend(some.unwrap());
        }
        let count = self.count.load(Ordering::SeqCst);
        assert!(
            failures.is_empty(),
            "{} of {count}: {:#?}",
            failures.len(),
            failures.first()
        );
        count
    }
}

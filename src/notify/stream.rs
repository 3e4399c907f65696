//! Connections from the operator's machine, in the clear or by TLS.

use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::file;

/// A connection of either kind.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}
pub(super) type Line = Box<dyn Stream>;

/// Whom servers are believed by.
#[derive(Clone)]
pub struct Roots(Result<Arc<ClientConfig>, String>);

impl Roots {
    /// By whom this machine believes.
    pub fn system() -> Roots {
        match file::roots() {
            Some(bundle) => Roots::of(&bundle),
            None => Roots(Err(
                "this machine has no file of root certificates; install ca-certificates, or name one in SSL_CERT_FILE"
                    .into(),
            )),
        }
    }

    /// By the certificates of a PEM file.
    pub fn of(pem: &[u8]) -> Roots {
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(CertificateDer::pem_slice_iter(pem).filter_map(Result::ok));
        let provider = Arc::new(ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider);
        let config = config.with_safe_default_protocol_versions();
        let config = config.map(|it| it.with_root_certificates(store).with_no_client_auth());
        Roots(config.map(Arc::new).map_err(|error| error.to_string()))
    }
}

/// Opens a connection in the clear.
pub(super) async fn connect(host: &str, port: u16) -> Result<TcpStream, String> {
    let connecting = TcpStream::connect((host, port)).await;
    connecting.map_err(|error| error.to_string())
}

/// TLS over a connection, to a server that can show that it is `host`.
pub(super) async fn secure(line: Line, host: &str, roots: &Roots) -> Result<Line, String> {
    let name = ServerName::try_from(host.to_owned());
    let name = name.map_err(|error| error.to_string())?;
    let connector = TlsConnector::from(roots.0.clone()?);
    let stream = connector.connect(name, line).await;
    let stream = stream.map_err(|error| error.to_string())?;
    Ok(Box::new(stream))
}

//! A certificate authority that does what pebble does not: hangs, sends too much, asks to be left alone.

use std::net::SocketAddr;
use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use ostler::acme::Authority;

/// What it answers to a method and a path: status, headers, body; `None`: nothing, for ever.
pub type Says = dyn Fn(&str, &str) -> Option<(u16, String, String)> + Send + Sync;

/// Starts one, and says how it is reached.
pub async fn start(
    says: impl Fn(&str, &str, &str) -> Option<(u16, String, String)> + Send + Sync + 'static,
) -> Authority {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let base = format!("https://{address}");
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["127.0.0.1".into()]).unwrap();
    let certificate = certificate.self_signed(&key).unwrap();
    let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let says: Arc<Says> = {
        let base = base.clone();
        Arc::new(move |method, path| says(&base, method, path))
    };
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, says) = (acceptor.clone(), says.clone());
            tokio::spawn(async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    serve(stream, &*says).await;
                }
            });
        }
    });
    let mut authority = Authority::new(&format!("{base}/dir"));
    authority.root = Some(certificate.pem().into_bytes());
    authority
}

async fn serve(stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin, says: &Says) {
    let mut stream = BufReader::new(stream);
    let (mut first, mut length) = (String::new(), 0);
    if stream.read_line(&mut first).await.is_err() {
        return;
    }
    loop {
        let mut line = String::new();
        match stream.read_line(&mut line).await {
            Ok(n) if n > 2 => {}
            _ => break,
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    let _ = stream.read_exact(&mut body).await;
    let mut words = first.split(' ');
    let (method, path) = (
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default(),
    );
    let Some((status, headers, body)) = says(method, path) else {
        return std::future::pending().await;
    };
    let body = if method == "HEAD" {
        String::new()
    } else {
        body
    };
    let answer = format!(
        "HTTP/1.1 {status} X\r\nReplay-Nonce: bm9uY2U\r\nContent-Length: {}\r\nConnection: close\r\n{headers}\r\n{body}",
        body.len()
    );
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}

/// The directory of an authority at `base`, with something in its `meta`.
pub fn directory(base: &str, meta: &str) -> String {
    format!(
        r#"{{"newNonce":"{base}/nonce","newAccount":"{base}/account","newOrder":"{base}/order","meta":{meta}}}"#
    )
}

/// A port where nobody listens.
pub fn nobody() -> SocketAddr {
    ([127, 0, 0, 1], super::pebble::free_port()).into()
}

/// An answer without headers of its own.
pub fn plain(status: u16, body: impl Into<String>) -> Option<(u16, String, String)> {
    Some((status, String::new(), body.into()))
}

//! The front of a simulated host: what a visitor meets who comes by the network.

use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::Acceptor;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream};
use tokio_rustls::LazyConfigAcceptor;

use super::Sim;
use crate::engine::{NoPort, Reached};

/// Bytes of a request's head, at most.
const HEAD: usize = 16 * 1024;

impl Sim {
    /// A connection to a port of this host, made on the host itself.
    pub(super) fn front(&self, port: u16) -> Result<Reached, NoPort> {
        if *self.shared.down.borrow() {
            return Err(NoPort::no_way("no route to host"));
        }
        if !self.look(|world, _| world.listens(port)) {
            let why = format!("127.0.0.1:{port} of the host takes no connections");
            return Err(NoPort::Refused(why));
        }
        let (near, far) = tokio::io::duplex(HEAD);
        let (sim, mut gone) = (self.clone(), self.shared.down.subscribe());
        tokio::spawn(async move {
            tokio::select! {
                () = greet(sim, port, far) => {}
                _ = gone.wait_for(|down| *down) => {}
            }
        });
        Ok(Reached::on_host(near))
    }
}

/// By TLS where the router speaks it, with the certificate that it shows for a name.
async fn greet(sim: Sim, port: u16, stream: DuplexStream) {
    if !sim.look(|world, _| world.speaks_tls(port)) {
        return serve(sim, port, stream).await;
    }
    let hello = LazyConfigAcceptor::new(Acceptor::default(), stream);
    let Ok(hello) = hello.await else { return };
    let name = hello
        .client_hello()
        .server_name()
        .unwrap_or_default()
        .to_owned();
    let Some(config) = sim.certificate(port, &name).and_then(|pem| config(&pem)) else {
        return;
    };
    if let Ok(stream) = hello.into_stream(Arc::new(config)).await {
        serve(sim, port, stream).await;
    }
}

/// A server with one certificate; `None`: there is none that can be used.
fn config(pem: &[u8]) -> Option<ServerConfig> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let key = PrivateKeyDer::from_pem_slice(pem).ok()?;
    let provider = Arc::new(ring::default_provider());
    let config =
        ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.ok()?.with_no_client_auth();
    config.with_single_cert(chain.ok()?, key).ok()
}

/// One request and its answer, which comes when it is due.
async fn serve(sim: Sim, port: u16, mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read_buf(&mut head).await {
            Ok(1..) if head.len() < HEAD => {}
            _ => return,
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let path = head.split(' ').nth(1).unwrap_or("/");
    let host = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("host").then(|| value.trim())
    });
    let domain = host.unwrap_or_default();
    // It is no visitor's, and wakes nobody.
    let marked = |line: &str| line.to_ascii_lowercase().starts_with("x-ostler-probe:");
    let probe = head.lines().any(marked);
    let routed = sim.look(|world, now| world.ask_host(now, port, domain, path, probe));
    let wait = async {
        match routed.after {
            Duration::MAX => std::future::pending().await,
            after => tokio::time::sleep(after).await,
        }
    };
    let mut more = [0; 64];
    tokio::select! {
        () = wait => {}
        // Whoever asked has gone.
        _ = stream.read(&mut more) => return,
    }
    if routed.status == 0 {
        return;
    }
    let mark = match routed.mark {
        "" => String::new(),
        mark => format!("X-Ostler: {mark}\r\n"),
    };
    let answer = format!(
        "HTTP/1.1 {} -\r\n{mark}Content-Length: 0\r\nConnection: close\r\n\r\n",
        routed.status
    );
    // They may have gone meanwhile.
    let _ = stream.write_all(answer.as_bytes()).await;
}

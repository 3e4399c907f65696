//! The two sides of the handshake's checks: what the engine shows, and whether it asks us.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, WebPkiServerVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{DigitallySignedStruct, Error, SignatureScheme};

use super::super::x509;

/// Verifies as rustls does by default, and remembers the certificate that it refused.
#[derive(Debug)]
pub(super) struct Watching {
    inner: Arc<WebPkiServerVerifier>,
    refused: Mutex<Option<CertificateDer<'static>>>,
}

impl Watching {
    pub(super) fn new(inner: Arc<WebPkiServerVerifier>) -> Self {
        Watching {
            inner,
            refused: Mutex::default(),
        }
    }

    /// The certificate that was refused last.
    pub(super) fn refused(&self) -> Option<CertificateDer<'static>> {
        let refused = self.refused.lock();
        refused.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A key that is too short would only fail as a bad signature.
fn judge_key(certificate: &CertificateDer<'_>) -> Result<(), Error> {
    match x509::facts(certificate).and_then(|facts| facts.weakness()) {
        None => Ok(()),
        Some(why) => Err(Error::General(why)),
    }
}

impl ServerCertVerifier for Watching {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let judged = self.inner.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        if judged.is_err() {
            let refused = self.refused.lock();
            *refused.unwrap_or_else(PoisonError::into_inner) =
                Some(end_entity.clone().into_owned());
        }
        judged
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        judge_key(cert)?;
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        judge_key(cert)?;
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// Shows our certificate, and remembers whether it was asked for.
#[derive(Debug)]
pub(super) struct Asked {
    identity: Arc<CertifiedKey>,
    asked: AtomicBool,
    under_way: AtomicUsize,
}

impl Asked {
    pub(super) fn new(identity: Arc<CertifiedKey>) -> Self {
        Asked {
            identity,
            asked: AtomicBool::new(false),
            under_way: AtomicUsize::new(0),
        }
    }

    /// A handshake begins. What earlier ones found is forgotten, unless others are under way:
    /// which of them was asked cannot be told, but all of them talk to the same engine.
    pub(super) fn begin(self: &Arc<Self>) -> Handshake {
        if self.under_way.fetch_add(1, Ordering::AcqRel) == 0 {
            self.asked.store(false, Ordering::Release);
        }
        Handshake(self.clone())
    }
}

/// One handshake, until it is dropped.
pub(super) struct Handshake(Arc<Asked>);

impl Handshake {
    /// Whether the engine asked for our certificate.
    pub(super) fn was_asked(&self) -> bool {
        self.0.asked.load(Ordering::Acquire)
    }
}

impl Drop for Handshake {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::AcqRel);
    }
}

impl ResolvesClientCert for Asked {
    // It is shown whatever CAs the engine names: should it not be taken, the engine says why.
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.asked.store(true, Ordering::Release);
        Some(self.identity.clone())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

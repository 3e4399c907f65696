//! What a chain of certificates is worth that somebody shows: whether those who are believed issued it.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, Error, RootCertStore};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::served::Issued;
use crate::text::plain_line;

/// Whom visitors believe: the roots of this machine, and those of a private authority.
#[derive(Debug, Clone, Default)]
pub struct Anchors {
    /// `None`: there is none, and nothing can be judged.
    verifier: Option<Arc<WebPkiServerVerifier>>,
}

impl Anchors {
    /// From PEM files. What in them is no certificate is passed over.
    pub fn of<'a>(files: impl IntoIterator<Item = &'a [u8]>) -> Anchors {
        let mut store = RootCertStore::empty();
        for pem in files {
            let found = CertificateDer::pem_slice_iter(pem).filter_map(Result::ok);
            store.add_parsable_certificates(found);
        }
        let provider = Arc::new(ring::default_provider());
        let built = WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider).build();
        let verifier = built.ok();
        Anchors { verifier }
    }

    /// Judges a chain, the server's own certificate first, DER. Names and dates of that one do not count
    /// here. `others`: certificates seen elsewhere, among which a missing one may be.
    pub fn judge(&self, chain: &[Vec<u8>], others: &[Vec<u8>]) -> Issued {
        let Some(verifier) = &self.verifier else {
            return Issued::NotJudged;
        };
        let Some((leaf, rest)) = chain.split_first() else {
            return Issued::NotJudged;
        };
        let Ok((_, read)) = X509Certificate::from_der(leaf) else {
            return Issued::Bad("it cannot be read".to_owned());
        };
        let error = match verify(verifier, leaf, &read, rest.iter()) {
            Ok(()) => return Issued::Known,
            Err(error) => error,
        };
        match error {
            Error::InvalidCertificate(
                CertificateError::UnknownIssuer | CertificateError::BadSignature,
            ) => {}
            Error::InvalidCertificate(problem) => return Issued::Bad(words(&problem)),
            other => return Issued::Bad(plain_line(&other.to_string())),
        }
        if read.issuer() == read.subject() {
            return Issued::Itself;
        }
        let with_others = rest.iter().chain(others);
        let completed = verify(verifier, leaf, &read, with_others).is_ok();
        // Of an authority that tells where its certificate is to be had, and that is not shown.
        match completed || (rest.is_empty() && names_its_issuer(&read)) {
            true => Issued::Incomplete,
            false => Issued::Nobody,
        }
    }
}

/// Verifies at a moment at which the certificate itself is good, for a name that it is for.
fn verify<'a>(
    verifier: &WebPkiServerVerifier,
    leaf: &[u8],
    read: &X509Certificate,
    rest: impl Iterator<Item = &'a Vec<u8>>,
) -> Result<(), Error> {
    let validity = read.validity();
    let (from, until) = (
        validity.not_before.timestamp(),
        validity.not_after.timestamp(),
    );
    let now = i64::try_from(UnixTime::now().as_secs()).unwrap_or(i64::MAX);
    let at = now.min(until - 1).max(from);
    let at = UnixTime::since_unix_epoch(std::time::Duration::from_secs(
        u64::try_from(at).unwrap_or_default(),
    ));
    let rest: Vec<CertificateDer> = rest.map(|der| der.as_slice().into()).collect();
    let name = ServerName::try_from("name.invalid").map_err(|_| Error::UnsupportedNameType)?;
    let leaf: CertificateDer = leaf.into();
    match verifier.verify_server_cert(&leaf, &rest, &name, &[], at) {
        // Names come last: all else is well.
        Err(Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        )) => Ok(()),
        judged => judged.map(drop),
    }
}

/// Whether it says where its issuer's certificate is to be had.
fn names_its_issuer(certificate: &X509Certificate) -> bool {
    use x509_parser::extensions::ParsedExtension;
    /// `id-ad-caIssuers`, RFC 5280.
    const ISSUERS: &str = "1.3.6.1.5.5.7.48.2";
    certificate.extensions().iter().any(|it| {
        let ParsedExtension::AuthorityInfoAccess(access) = it.parsed_extension() else {
            return false;
        };
        let mut ways = access.accessdescs.iter();
        ways.any(|way| way.access_method.to_id_string() == ISSUERS)
    })
}

fn words(problem: &CertificateError) -> String {
    match problem {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "a certificate above it has expired".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "a certificate above it is not valid yet".to_owned()
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "it was not issued for servers".to_owned()
        }
        other => match plain_line(&other.to_string()) {
            text if text.contains("CaUsedAsEndEntity") => {
                "it is the certificate of an authority itself".to_owned()
            }
            text => text,
        },
    }
}

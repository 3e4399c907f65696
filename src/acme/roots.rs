//! Whom authorities are believed by: the system's roots, and the one of a private authority.

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::refusal::{Kind, Refusal};
use crate::file;

/// The roots of the system, and of `own`, PEM.
///
/// # Errors
/// `own` has no certificate, or there is nobody to be believed at all.
pub(super) fn roots(own: Option<&[u8]>) -> Result<RootCertStore, Refusal> {
    let mut store = RootCertStore::empty();
    if let Some(bundle) = file::roots() {
        store.add_parsable_certificates(certificates(&bundle));
    }
    if let Some(own) = own {
        let (added, _) = store.add_parsable_certificates(certificates(own));
        if added == 0 {
            let why = "the file with the authority's root (acme.ca) has no certificate in it";
            return Err(Refusal::of(Kind::Settings, why));
        }
    }
    if store.is_empty() {
        let why = "this machine has no file of root certificates; install ca-certificates, or name one in SSL_CERT_FILE";
        return Err(Refusal::of(Kind::Settings, why));
    }
    Ok(store)
}

fn certificates(pem: &[u8]) -> impl Iterator<Item = CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem).filter_map(Result::ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_authority_stands_beside_the_system_s() {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(vec!["ca.test".into()]).unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        let system = roots(None).map_or(0, |store| store.len());
        assert_eq!(roots(Some(pem.as_bytes())).unwrap().len(), system + 1);
        let refusal = roots(Some(b"no certificate")).unwrap_err();
        assert_eq!(refusal.kind, Kind::Settings);
    }
}

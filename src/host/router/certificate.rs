//! The certificate shown for names that have none of their own.

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};

use crate::record::certificate::NOBODYS;

/// A new self-signed certificate and its key, as HAProxy reads them: both in one PEM file. It names
/// nobody, so that browsers warn; the TLS listener cannot start without one.
pub fn self_signed() -> Result<String, rcgen::Error> {
    let key = KeyPair::generate()?;
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, "no certificate for this name yet");
    let mut params = CertificateParams::new(vec![NOBODYS.to_owned()])?;
    params.distinguished_name = name;
    let certificate = params.self_signed(&key)?;
    Ok(format!("{}{}", certificate.pem(), key.serialize_pem()))
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_holds_certificate_and_key() {
        let pem = super::self_signed().unwrap();
        let begins = |what: &str| pem.matches(&format!("-----BEGIN {what}-----\n")).count();
        assert_eq!((begins("CERTIFICATE"), begins("PRIVATE KEY")), (1, 1));
    }
}

//! What a certificate says about itself.

use std::net::IpAddr;

use rustls::pki_types::CertificateDer;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate, X509Name};
use x509_parser::public_key::PublicKey;

use crate::text::{Kind, kind};

/// The part of a certificate that messages are about. Its texts carry no control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Facts {
    /// `notBefore`, unix seconds.
    pub(super) from: i64,
    /// `notAfter`, unix seconds.
    pub(super) until: i64,
    pub(super) subject: String,
    pub(super) issuer: String,
    pub(super) common_name: Option<String>,
    /// Host names and addresses of its subjectAltName.
    pub(super) names: Vec<String>,
    /// What it says it may be used for lets it stand for a client.
    pub(super) for_clients: bool,
    /// Bits of its key, where that is RSA.
    pub(super) rsa_bits: Option<usize>,
}

/// Fewest bits of an RSA key. Shorter ones can be forged, and are not verified.
const RSA_BITS: usize = 2048;

impl Facts {
    /// What is wrong with its key.
    pub(super) fn weakness(&self) -> Option<String> {
        let bits = self.rsa_bits.filter(|bits| *bits < RSA_BITS)?;
        Some(format!(
            "its RSA key has {bits} bits; {RSA_BITS} is the least"
        ))
    }
}

/// Reads a certificate; `None` when it is none.
pub(super) fn facts(der: &CertificateDer<'_>) -> Option<Facts> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let names = certificate.subject_alternative_name().ok().flatten();
    let names = names.iter().flat_map(|found| &found.value.general_names);
    let usage = certificate.extended_key_usage().ok().flatten();
    let common_name = certificate.subject().iter_common_name().next();
    Some(Facts {
        from: certificate.validity().not_before.timestamp(),
        until: certificate.validity().not_after.timestamp(),
        subject: name(certificate.subject()),
        issuer: name(certificate.issuer()),
        common_name: common_name.and_then(|name| name.as_str().ok()).map(shown),
        names: names.filter_map(alternative).collect(),
        for_clients: usage.is_none_or(|usage| usage.value.client_auth || usage.value.any),
        rsa_bits: match certificate.public_key().parsed() {
            Ok(PublicKey::RSA(key)) => Some(bits(key.modulus)),
            _ => None,
        },
    })
}

/// Bits of a number, most significant byte first.
fn bits(number: &[u8]) -> usize {
    let zeroes = number.iter().take_while(|byte| **byte == 0).count();
    match number.get(zeroes) {
        None => 0,
        Some(first) => (number.len() - zeroes) * 8 - first.leading_zeros() as usize,
    }
}

fn alternative(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some(shown(name)),
        GeneralName::IPAddress(bytes) => {
            let address = match bytes.len() {
                4 => IpAddr::from(<[u8; 4]>::try_from(*bytes).ok()?),
                16 => IpAddr::from(<[u8; 16]>::try_from(*bytes).ok()?),
                _ => return None,
            };
            Some(address.to_string())
        }
        _ => None,
    }
}

fn name(name: &X509Name<'_>) -> String {
    match shown(&name.to_string()) {
        empty if empty.is_empty() => "someone without a name".to_owned(),
        name => name,
    }
}

fn shown(text: &str) -> String {
    let shown = text.chars().filter(|c| kind(*c) == Kind::Plain);
    shown.take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_times_and_uses_are_read() {
        let mut params =
            rcgen::CertificateParams::new(vec!["web1.example.net".into(), "10.0.0.7".into()])
                .unwrap();
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2020, 1, 2);
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, "we\x1b[2Jb1");
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let facts = facts(certificate.der()).unwrap();
        assert_eq!(facts.from, 1_577_836_800);
        assert_eq!(facts.until, 1_577_836_800 + 86_400);
        assert_eq!(facts.names, ["web1.example.net", "10.0.0.7"]);
        assert_eq!(facts.common_name.as_deref(), Some("we[2Jb1"));
        assert!(!facts.for_clients && facts.weakness().is_none());
        assert_eq!(
            (bits(&[0, 1, 255]), bits(&[0x80; 128]), bits(&[0])),
            (9, 1024, 0)
        );
        assert!(super::facts(&CertificateDer::from(vec![1, 2, 3])).is_none());
    }
}

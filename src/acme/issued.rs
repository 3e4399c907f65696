//! A new key, and the chain that an authority sent for it: taken only when it is what was asked for.

use std::fmt;

use rcgen::{CertificateParams, DistinguishedName, KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData};
use zeroize::Zeroizing;

use super::refusal::{Kind, Refusal};
use super::renewal;
use crate::record::certificate::{self, CertificateFacts, LARGEST};

/// How far the clocks of this machine and of the authority may be apart, seconds.
const CLOCKS: i64 = 300;

/// A certificate with its key, checked: it is good now, for every name that was asked for, and of
/// this key.
pub struct Issued {
    /// PEM, the certificate itself first; nothing but certificates.
    pub chain: String,
    /// PEM (PKCS#8).
    pub key: Zeroizing<String>,
    pub facts: CertificateFacts,
    /// By what name the authority knows it when asked for a renewal; `None` where its issuer has no
    /// key identifier.
    pub ari: Option<String>,
}

impl fmt::Debug for Issued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Issued({:?}, …)", self.facts)
    }
}

/// A key, and the request that is signed with it.
pub(super) struct Request {
    key: KeyPair,
    pub(super) der: Vec<u8>,
}

impl Request {
    /// A new key (P-256) for names.
    pub(super) fn new(names: &[String]) -> Result<Request, Refusal> {
        let failed = |error: rcgen::Error| Refusal::of(Kind::Other, error.to_string());
        let mut params = CertificateParams::new(names.to_vec()).map_err(failed)?;
        params.distinguished_name = DistinguishedName::new();
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(failed)?;
        let csr = params.serialize_request(&key).map_err(failed)?;
        let der = csr.der().to_vec();
        Ok(Request { key, der })
    }

    /// Takes the chain that came for it, at `now`, unix seconds.
    ///
    /// # Errors
    /// It is not what was asked for.
    pub(super) fn issued(&self, pem: &str, names: &[String], now: i64) -> Result<Issued, Refusal> {
        let key = Zeroizing::new(self.key.serialize_pem());
        self.check(pem, names, now)
            .and_then(|(chain, facts, ari)| match chain.len() + key.len() {
                0..=LARGEST => Ok(Issued {
                    chain,
                    key,
                    facts,
                    ari,
                }),
                _ => Err(format!("with its key it is larger than {LARGEST} bytes")),
            })
            .map_err(|why| {
                Refusal::of(
                    Kind::Other,
                    format!("what the authority sent is not taken: {why}"),
                )
            })
    }

    fn check(
        &self,
        pem: &str,
        names: &[String],
        now: i64,
    ) -> Result<(String, CertificateFacts, Option<String>), String> {
        let ders = certificate::chain(pem.as_bytes())?;
        let first = ders.first().ok_or("no certificate in it")?;
        let facts = certificate::of_der(first, ders.len())?;
        if let Some(name) = names.iter().find(|name| !facts.covers(name)) {
            return Err(format!("it is not for {name}"));
        }
        let (_, parsed) = x509_parser::parse_x509_certificate(first)
            .map_err(|_| "a certificate in it cannot be read")?;
        if parsed.public_key().raw != self.key.subject_public_key_info() {
            return Err("it is of another key".into());
        }
        if facts.not_before > now + CLOCKS {
            let wait = crate::text::age_in_words(facts.not_before - now);
            return Err(format!("by this machine's clock it is good only in {wait}"));
        }
        if facts.not_after <= now {
            return Err("by this machine's clock it has expired".into());
        }
        // An issuer that is not the next one's subject leaves visitors without a way to their roots.
        for pair in ders.windows(2) {
            let [one, next] = pair else { continue };
            if issuer(one) != subject(next) {
                return Err(
                    "its certificates are not in the order in which they were signed".into(),
                );
            }
        }
        let ari = renewal::ari_of(&parsed);
        Ok((ders.iter().map(|der| block(der)).collect(), facts, ari))
    }
}

fn issuer(der: &[u8]) -> Option<Vec<u8>> {
    let (_, parsed) = x509_parser::parse_x509_certificate(der).ok()?;
    Some(parsed.issuer().as_raw().to_vec())
}

fn subject(der: &[u8]) -> Option<Vec<u8>> {
    let (_, parsed) = x509_parser::parse_x509_certificate(der).ok()?;
    Some(parsed.subject().as_raw().to_vec())
}

/// One certificate as PEM, written anew: an authority's text has room for other things.
fn block(der: &[u8]) -> String {
    use base64::Engine;
    let text = base64::prelude::BASE64_STANDARD.encode(der);
    let mut pem = String::from("-----BEGIN CERTIFICATE-----\n");
    for (at, c) in text.chars().enumerate() {
        if at > 0 && at % 64 == 0 {
            pem.push('\n');
        }
        pem.push(c);
    }
    pem.push_str("\n-----END CERTIFICATE-----\n");
    pem
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, IsCa, Issuer, SigningKey};

    use super::*;

    /// 2026-06-01.
    const NOW: i64 = 1_780_272_000;

    fn named(names: &[&str], common: &str) -> CertificateParams {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.not_before = rcgen::date_time_ymd(2026, 5, 1);
        params.not_after = rcgen::date_time_ymd(2026, 8, 1);
        params.use_authority_key_identifier_extension = true;
        params.distinguished_name = DistinguishedName::new();
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, common);
        params
    }

    /// The chain of a certificate for a key, by an authority of two storeys.
    fn chain(leaf: &CertificateParams, key: &impl PublicKeyData) -> (String, String) {
        let authority = |name: &str| {
            let mut params = named(&[], name);
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            (params, KeyPair::generate().unwrap())
        };
        let (root, root_key) = authority("root");
        let (middle, middle_key) = authority("middle");
        let signed = middle
            .signed_by(&middle_key, &Issuer::new(root, root_key))
            .unwrap();
        fn by<K: SigningKey>(
            leaf: &CertificateParams,
            key: &impl PublicKeyData,
            by: &Issuer<'_, K>,
        ) -> String {
            leaf.signed_by(key, by).unwrap().pem()
        }
        let leaf = by(leaf, key, &Issuer::new(middle, middle_key));
        (leaf, signed.pem())
    }

    #[test]
    fn only_what_was_asked_for_is_taken() {
        let names = ["shop.example".to_owned(), "*.shop.example".to_owned()];
        let request = Request::new(&names).unwrap();
        let other = KeyPair::generate().unwrap();
        let good = named(&["shop.example", "*.shop.example"], "");
        let (leaf, middle) = chain(&good, &request.key);
        let text = format!("A few words before.\n{leaf}{middle}");
        let issued = request.issued(&text, &names, NOW).unwrap();
        assert!(issued.chain.starts_with("-----BEGIN"));
        assert_eq!(
            issued.chain.replace('\r', ""),
            format!("{leaf}{middle}").replace('\r', "")
        );
        assert_eq!(issued.facts.chain, 2);
        assert!(issued.key.contains("PRIVATE KEY") && issued.ari.is_some());
        assert!(!format!("{issued:?}").contains("PRIVATE"));

        let mut late = good.clone();
        late.not_before = rcgen::date_time_ymd(2026, 7, 1);
        let mut old = good.clone();
        old.not_after = rcgen::date_time_ymd(2026, 5, 20);
        for (text, part) in [
            (
                chain(&named(&["shop.example"], ""), &request.key).0,
                "not for *.shop.example",
            ),
            (chain(&good, &other).0, "another key"),
            (chain(&late, &request.key).0, "only in"),
            (chain(&old, &request.key).0, "expired"),
            (format!("{leaf}{}", chain(&good, &other).0), "order"),
            (format!("{leaf}{}", middle.repeat(9)), "order"),
            (String::new(), "no certificate"),
            (middle.repeat(11), "more than"),
        ] {
            let refusal = request.issued(&text, &names, NOW).unwrap_err();
            assert!(refusal.to_string().contains(part), "{part}: {refusal}");
            assert_eq!(refusal.kind, Kind::Other);
        }
    }
}

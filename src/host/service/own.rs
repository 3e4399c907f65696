//! A certificate of the operator's own: read from its files, and taken only where it will serve.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use x509_parser::parse_x509_certificate;
use zeroize::Zeroizing;

use super::secrets::SecretSource;
use crate::fleet::{Certificate, SecretSpec, Site};
use crate::record::certificate::{self, CertificateFacts, LARGEST};

/// One that was found good.
pub struct Own {
    pub facts: CertificateFacts,
    /// PEM blocks and nothing else: the chain, then the key.
    pub pem: Zeroizing<Vec<u8>>,
}

/// Reads the one that the fleet file names for a site, and judges it at `now`, unix seconds.
///
/// # Errors
/// It cannot be read, or would not serve; in words, without the key.
pub async fn read(source: &dyn SecretSource, site: &Site, now: i64) -> Result<Own, String> {
    let Certificate::Own { file, key } = site.certificate() else {
        return Err("the fleet file names no certificate of yours".into());
    };
    let of = site.name.as_str();
    let [file, key] = [file, key].map(|path| SecretSpec::File(path.clone()));
    let chain = source.named(of, "certificate", &file).await;
    let chain = chain.map_err(|error| error.to_string())?;
    let key = source.named(of, "key", &key).await;
    let key = Zeroizing::new(key.map_err(|error| error.to_string())?.0);
    let names = site.domains.iter().map(|domain| domain.as_str());
    check(&chain.0, &key, names, now)
}

/// Judges a chain and a key.
fn check<'a>(
    chain: &[u8],
    key: &[u8],
    mut names: impl Iterator<Item = &'a str>,
    now: i64,
) -> Result<Own, String> {
    let ders = certificate::chain(chain)?;
    let first = ders.first().ok_or("there is no certificate in its file")?;
    let facts = certificate::of_der(first, ders.len())?;
    let issuers: Vec<(Vec<u8>, Vec<u8>)> = ders.iter().map(|der| parties(der)).collect();
    for pair in issuers.windows(2) {
        if pair[0].1 != pair[1].0 {
            return Err("its certificates are not in order: each is signed by the next one".into());
        }
    }
    if let [(subject, issuer)] = &issuers[..]
        && subject != issuer
    {
        return Err(format!(
            "the certificate of its issuer ({}) is missing: it belongs behind it in the file",
            facts.issuer
        ));
    }
    if let Some(name) = names.find(|name| !facts.covers(name)) {
        return Err(format!("it is not for {name}"));
    }
    if facts.not_after <= now {
        return Err("it has expired".into());
    }
    if facts.not_before > now {
        return Err("it is not valid yet".into());
    }
    let key = PrivateKeyDer::from_pem_slice(key)
        .map_err(|_| "its key is no PEM file with a private key without a passphrase")?;
    let chain: Vec<CertificateDer<'static>> = ders
        .iter()
        .map(|der| CertificateDer::from(der.clone()))
        .collect();
    let signing = any_supported_type(&key)
        .map_err(|_| "its key is of no kind that a router serves: RSA, P-256, P-384")?;
    CertifiedKey::new(chain, signing)
        .keys_match()
        .map_err(|_| "its key is that of another certificate")?;
    let mut pem = Zeroizing::new(Vec::new());
    for der in &ders {
        block(&mut pem, "CERTIFICATE", der);
    }
    let label = match &key {
        PrivateKeyDer::Pkcs1(_) => "RSA PRIVATE KEY",
        PrivateKeyDer::Sec1(_) => "EC PRIVATE KEY",
        _ => "PRIVATE KEY",
    };
    block(&mut pem, label, key.secret_der());
    match pem.len() {
        0..=LARGEST => Ok(Own { facts, pem }),
        _ => Err(format!("with its key it is larger than {LARGEST} bytes")),
    }
}

/// Its subject and its issuer.
fn parties(der: &[u8]) -> (Vec<u8>, Vec<u8>) {
    match parse_x509_certificate(der) {
        Ok((_, it)) => (
            it.subject().as_raw().to_vec(),
            it.issuer().as_raw().to_vec(),
        ),
        Err(_) => Default::default(),
    }
}

fn block(pem: &mut Vec<u8>, label: &str, der: &[u8]) {
    let text = Zeroizing::new(BASE64_STANDARD.encode(der));
    pem.extend_from_slice(format!("-----BEGIN {label}-----\n").as_bytes());
    for line in text.as_bytes().chunks(64) {
        pem.extend_from_slice(line);
        pem.push(b'\n');
    }
    pem.extend_from_slice(format!("-----END {label}-----\n").as_bytes());
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

    use super::*;

    /// 2026-06-01.
    const NOW: i64 = 1_780_272_000;

    fn params(names: &[&str], common: &str) -> CertificateParams {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.not_before = rcgen::date_time_ymd(2026, 1, 1);
        params.not_after = rcgen::date_time_ymd(2027, 1, 1);
        params.distinguished_name.push(DnType::CommonName, common);
        params
    }

    #[test]
    fn only_what_will_serve_is_taken_and_nothing_but_its_blocks() {
        let mut authority = params(&[], "our CA");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority_key = KeyPair::generate().unwrap();
        let root = authority.self_signed(&authority_key).unwrap().pem();
        let issuer = Issuer::new(authority, authority_key);
        let key = KeyPair::generate().unwrap();
        let signed = params(&["shop.example"], "shop").signed_by(&key, &issuer);
        let leaf = signed.unwrap().pem();
        let good = format!("Subject: shop\n{leaf}{root}");
        let own_key = format!("some words\n{}", key.serialize_pem());
        let judged = |chain: &str, key: &str, name: &'static str, now| {
            check(chain.as_bytes(), key.as_bytes(), [name].into_iter(), now)
        };
        let own = judged(&good, &own_key, "shop.example", NOW).unwrap();
        let text = std::str::from_utf8(&own.pem).unwrap();
        assert!(text.starts_with("-----BEGIN CERT") && !text.contains("words"));
        assert!(text.ends_with("-----END PRIVATE KEY-----\n"));
        assert_eq!((own.facts.chain, own.facts.issuer.as_str()), (2, "our CA"));
        let other = KeyPair::generate().unwrap().serialize_pem();
        let turned = format!("{root}{leaf}");
        let year = 365 * 86_400;
        for (chain, key, name, now, part) in [
            (
                &leaf,
                &own_key,
                "shop.example",
                NOW,
                "issuer (our CA) is missing",
            ),
            (&turned, &own_key, "shop.example", NOW, "not in order"),
            (&good, &other, "shop.example", NOW, "another certificate"),
            (
                &good,
                &leaf,
                "shop.example",
                NOW,
                "no PEM file with a private key",
            ),
            (
                &good,
                &own_key,
                "www.shop.example",
                NOW,
                "not for www.shop.example",
            ),
            (&good, &own_key, "shop.example", NOW + year, "expired"),
            (&good, &own_key, "shop.example", NOW - year, "not valid yet"),
            (&own_key, &own_key, "shop.example", NOW, "no certificate"),
        ] {
            let why = judged(chain, key, name, now).err().unwrap();
            assert!(why.contains(part), "{why}, not {part}");
            assert!(!why.contains("BEGIN"), "{why}");
        }
    }
}

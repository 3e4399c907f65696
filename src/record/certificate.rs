//! What is known of a site's certificate, as it is kept on its host: public facts only, never a key.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::pem::Pem;

use crate::fleet::Name;
use crate::text::{plain_line, short};

/// Bytes of a certificate file at most: HAProxy takes no more than its buffer in one command.
pub const LARGEST: usize = 15_000;
/// Certificates in one file, at most.
const CHAIN: usize = 10;
/// Names in one certificate, at most: as many as authorities put into one.
pub const NAMES: usize = 100;
/// The name in the certificate that a router shows where it has none for the name that is asked for.
pub const NOBODYS: &str = "invalid.invalid";
/// Characters of what an authority said, at most.
const WORDS: usize = 400;

/// What `state/certificates/<site>.json` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateRecord {
    /// Version of this schema: 1.
    pub schema: u32,
    pub site: Name,
    /// What the site's file in `certs/` holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored: Option<Stored>,
    /// What the router was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub served: Option<Served>,
    /// The last try to get another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<Attempt>,
    /// When the authority suggests to renew what is stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renewal: Option<Renewal>,
}

/// A certificate that lies on the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    #[serde(flatten)]
    pub facts: CertificateFacts,
    pub from: Source,
    /// How its authority calls it when asked for a renewal, RFC 9773.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ari: Option<String>,
    /// When it was put there, unix seconds.
    pub at: i64,
}

/// Where a certificate came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// From an authority, in an order of ours.
    Acme {
        /// URL of its directory.
        directory: String,
    },
    /// From files of the operator's.
    Own,
    /// Taken over from what served the site before.
    Imported {
        /// In words.
        from: String,
    },
}

/// What a certificate says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateFacts {
    /// Host names, lower case, sorted.
    pub names: Vec<String>,
    /// Who issued it, in words.
    pub issuer: String,
    /// Serial number, hex.
    pub serial: String,
    /// SHA-256 of the certificate, hex.
    pub fingerprint: String,
    /// Unix seconds.
    pub not_before: i64,
    /// Unix seconds.
    pub not_after: i64,
    /// Certificates in the file, its own included.
    pub chain: usize,
}

/// What the router was told of a site's certificate.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Served {
    /// Of the certificate, as in [`CertificateFacts::fingerprint`].
    pub fingerprint: String,
    /// Domains whose visitors of `http://` are led to `https://`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub redirected: BTreeSet<String>,
}

/// A try to get a certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// When it ended, unix seconds.
    pub at: i64,
    pub ended: Ending,
    /// What it was asked for, sorted.
    #[serde(default)]
    pub names: Vec<String>,
    /// Tries that failed since the last that did not.
    #[serde(default)]
    pub failures: u32,
    /// Before this, unix seconds, there is no other; 0: at any time.
    #[serde(default)]
    pub not_before: i64,
    /// What was said of a name, the authority's own words where they are its; under the empty name what
    /// was said of all.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub words: BTreeMap<String, String>,
}

/// How a try ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    Done,
    /// Nothing was asked for: a name does not lead here yet.
    Waiting,
    Failed,
}

/// When the authority suggests to renew a certificate, RFC 9773.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renewal {
    /// The certificate that this is about.
    pub fingerprint: String,
    /// The window's begin and end, unix seconds.
    pub start: i64,
    pub end: i64,
    /// Before this, unix seconds, it need not be asked again.
    pub again: i64,
}

impl CertificateRecord {
    /// Of a site of which nothing is known.
    pub fn new(site: &Name) -> CertificateRecord {
        CertificateRecord {
            schema: 1,
            site: site.clone(),
            stored: None,
            served: None,
            attempt: None,
            renewal: None,
        }
    }

    /// # Errors
    /// What does not hold.
    pub fn check(&self) -> Result<(), String> {
        if let Some(stored) = &self.stored {
            stored.facts.check()?;
        }
        if let Some(served) = &self.served {
            fingerprint(&served.fingerprint)?;
            served.redirected.iter().try_for_each(|name| host(name))?;
        }
        if let Some(renewal) = &self.renewal {
            fingerprint(&renewal.fingerprint)?;
            if renewal.start > renewal.end {
                return Err("the window of its renewal ends before it begins".into());
            }
        }
        let asked = self.attempt.iter().flat_map(|attempt| &attempt.names);
        asked.into_iter().try_for_each(|name| host(name))?;
        let words = self.attempt.iter().flat_map(|attempt| &attempt.words);
        for (name, words) in words {
            if !name.is_empty() {
                host(name)?;
            }
            if words.chars().count() > WORDS || plain_line(words) != *words {
                return Err("what an authority said is no plain line of text".into());
            }
        }
        Ok(())
    }

    /// What an authority said, as it may be kept and shown.
    pub fn words(text: &str) -> String {
        short(&plain_line(text), WORDS - 1)
    }
}

impl CertificateFacts {
    fn check(&self) -> Result<(), String> {
        if self.names.len() > NAMES {
            return Err(format!("a certificate has more than {NAMES} names"));
        }
        self.names.iter().try_for_each(|name| host(name))?;
        fingerprint(&self.fingerprint)?;
        let digit = |c: char| c.is_ascii_hexdigit();
        if self.serial.len() > 64 || !self.serial.chars().all(digit) {
            return Err("the serial number of a certificate has up to 64 of 0-9 and a-f".into());
        }
        if plain_line(&self.issuer) != self.issuer || self.not_before > self.not_after {
            return Err("its issuer or its dates cannot be those of a certificate".into());
        }
        Ok(())
    }

    /// Whether a name is one of those it is for, or one label below a `*.`.
    pub fn covers(&self, name: &str) -> bool {
        covers(&self.names, name)
    }

    /// Its life, seconds.
    pub fn life(&self) -> i64 {
        (self.not_after - self.not_before).max(1)
    }
}

/// What was said of each name, in one line; under the empty name, of all.
pub fn in_one_line(words: &BTreeMap<String, String>) -> String {
    let each = words.iter().map(|(name, words)| match name.as_str() {
        "" => words.clone(),
        name => format!("{name}: {words}"),
    });
    each.collect::<Vec<_>>().join("; ")
}

/// Whether certificates for `names` serve `name`.
pub fn covers(names: &[String], name: &str) -> bool {
    let parent = name.split_once('.').map(|(_, parent)| parent);
    names
        .iter()
        .any(|it| it == name || it.strip_prefix("*.").is_some_and(|of| Some(of) == parent))
}

fn fingerprint(text: &str) -> Result<(), String> {
    let digit = |c: char| matches!(c, '0'..='9' | 'a'..='f');
    match text.len() == 64 && text.chars().all(digit) {
        true => Ok(()),
        false => Err("the fingerprint of a certificate is 64 of 0-9 and a-f".into()),
    }
}

/// A host name, or one with `*.` before it.
fn host(name: &str) -> Result<(), String> {
    let bare = name.strip_prefix("*.").unwrap_or(name);
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | ':');
    match (1..=253).contains(&bare.len()) && bare.chars().all(plain) {
        true => Ok(()),
        false => Err(format!("{:?} is no host name", short(name, 60))),
    }
}

/// What the first certificate of a file says of itself. What is no certificate in it is passed over:
/// keys are not looked at.
///
/// # Errors
/// No certificate, one that cannot be read, too many or too large.
pub fn facts(pem: &[u8]) -> Result<CertificateFacts, String> {
    let ders = chain(pem)?;
    let first = ders.first().ok_or("no certificate in it")?;
    of_der(first, ders.len())
}

/// The certificates of a PEM file, in their order.
///
/// # Errors
/// Too large, or a block that does not end.
pub fn chain(pem: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    if pem.len() > LARGEST {
        return Err(format!("it is larger than {LARGEST} bytes"));
    }
    let mut ders = Vec::new();
    for block in Pem::iter_from_buffer(pem) {
        let block = block.map_err(|_| "a block of it cannot be read as PEM")?;
        if block.label == "CERTIFICATE" {
            ders.push(block.contents);
        }
    }
    match ders.len() > CHAIN {
        true => Err(format!("more than {CHAIN} certificates in it")),
        false => Ok(ders),
    }
}

/// What one certificate says of itself, of a file or a handshake with `chain` certificates.
///
/// # Errors
/// It cannot be read.
pub fn of_der(der: &[u8], chain: usize) -> Result<CertificateFacts, String> {
    let (_, certificate) = x509_parser::parse_x509_certificate(der)
        .map_err(|_| "a certificate in it cannot be read")?;
    let mut names = BTreeSet::new();
    for extension in certificate.extensions() {
        let ParsedExtension::SubjectAlternativeName(found) = extension.parsed_extension() else {
            continue;
        };
        names.extend(found.general_names.iter().filter_map(|name| match name {
            GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
            GeneralName::IPAddress(bytes) => address(bytes),
            _ => None,
        }));
    }
    names.retain(|name| host(name).is_ok());
    let issuer = certificate.issuer();
    let common = issuer.iter_common_name().next();
    let organization = issuer.iter_organization().next();
    let words = [organization, common].map(|it| it.and_then(|it| it.as_str().ok()));
    let words: Vec<&str> = words.into_iter().flatten().collect();
    let issuer = match words.is_empty() {
        true => issuer.to_string(),
        false => words.join(" "),
    };
    Ok(CertificateFacts {
        names: names.into_iter().take(NAMES).collect(),
        issuer: short(&plain_line(&issuer), 100),
        serial: hex::encode(certificate.raw_serial()),
        fingerprint: hex::encode(Sha256::digest(der)),
        not_before: certificate.validity().not_before.timestamp(),
        not_after: certificate.validity().not_after.timestamp(),
        chain,
    })
}

fn address(bytes: &[u8]) -> Option<String> {
    let four = <[u8; 4]>::try_from(bytes).map(std::net::IpAddr::from);
    let sixteen = <[u8; 16]>::try_from(bytes).map(std::net::IpAddr::from);
    four.or(sixteen).ok().map(|address| address.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(names: &[&str]) -> String {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = rcgen::CertificateParams::new(names).unwrap();
        params.not_before = rcgen::date_time_ymd(2026, 1, 1);
        params.not_after = rcgen::date_time_ymd(2026, 1, 11);
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, "Test \x1b[2J CA");
        let key = rcgen::KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().pem()
    }

    #[test]
    fn a_certificate_tells_its_names_and_dates() {
        let pem = made(&["Shop.example", "*.shop.example"]);
        let facts = facts(pem.as_bytes()).unwrap();
        assert_eq!(facts.names, ["*.shop.example", "shop.example"]);
        assert_eq!((facts.life(), facts.chain), (10 * 86_400, 1));
        assert!(!facts.issuer.contains('\x1b') && facts.issuer.contains("CA"));
        assert_eq!(facts.check(), Ok(()));
        for (name, covered) in [
            ("shop.example", true),
            ("a.shop.example", true),
            ("b.a.shop.example", false),
            ("example", false),
        ] {
            assert_eq!(facts.covers(name), covered, "{name}");
        }
    }

    #[test]
    fn what_is_no_certificate_is_refused() {
        let pem = made(&["a.example"]);
        let many = pem.repeat(CHAIN + 1);
        let large = pem.repeat(60);
        for (pem, part) in [
            ("", "no certificate"),
            ("-----BEGIN CERTIFICATE-----\nx", "cannot be read"),
            (
                "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
                "cannot be read",
            ),
            (many.as_str(), "more than 10"),
            (large.as_str(), "larger than"),
        ] {
            let why = facts(pem.as_bytes()).unwrap_err();
            assert!(why.contains(part), "{why}");
        }
    }

    #[test]
    fn a_record_that_cannot_be_ours_is_told() {
        let facts = facts(made(&["a.example"]).as_bytes()).unwrap();
        let record = |change: &dyn Fn(&mut CertificateRecord)| {
            let mut record = CertificateRecord::new(&"blog".parse().unwrap());
            record.stored = Some(Stored {
                facts: facts.clone(),
                from: Source::Own,
                ari: None,
                at: 0,
            });
            record.served = Some(Served {
                fingerprint: facts.fingerprint.clone(),
                redirected: ["a.example".to_owned()].into(),
            });
            change(&mut record);
            let text = serde_json::to_string(&record).unwrap();
            let read: CertificateRecord = serde_json::from_str(&text).unwrap();
            assert_eq!(read, record);
            record.check()
        };
        assert_eq!(record(&|_| ()), Ok(()));
        let served = |r: &mut CertificateRecord, name: &str| {
            r.served.as_mut().unwrap().redirected.insert(name.into());
        };
        assert!(record(&|r| served(r, "a.example\n0.0.0.0")).is_err());
        assert!(record(&|r| served(r, "")).is_err());
        assert!(record(&|r| r.served.as_mut().unwrap().fingerprint.clear()).is_err());
        assert!(record(&|r| r.stored.as_mut().unwrap().facts.serial.push('x')).is_err());
    }
}

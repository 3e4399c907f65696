//! When an authority suggests to renew a certificate: RFC 9773 (ARI).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::DateTime;
use serde::Deserialize;
use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::X509Certificate;

use super::directory::Directory;
use super::refusal::{Kind, Refusal};
use super::told::Told;
use crate::record::certificate;

/// How soon it is asked again where the authority does not say, and the bounds of what it may say:
/// RFC 9773, 4.3.2 and 4.3.3.
const USUAL: Duration = Duration::from_secs(6 * 3600);
const SOONEST: Duration = Duration::from_secs(60);
const LATEST: Duration = Duration::from_secs(86_400);

/// The time in which an authority would like a certificate to be renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Unix seconds; not before it.
    pub start: i64,
    /// Unix seconds; not before `start`. In the past: at once.
    pub end: i64,
    /// Unix seconds: before, it need not be asked again.
    pub again: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Info {
    suggested_window: Suggested,
}

#[derive(Deserialize)]
struct Suggested {
    start: String,
    end: String,
}

impl Directory {
    /// Asks when the certificate that [`ari`] names is to be renewed; `None` where the authority
    /// makes no suggestions, or knows no such certificate: it then goes by its life.
    ///
    /// # Errors
    /// It cannot be asked now.
    pub async fn renewal(&self, ari: &str) -> Result<Option<Window>, Refusal> {
        let Some(url) = &self.said.renewal_info else {
            return Ok(None);
        };
        let url = format!("{}/{ari}", url.trim_end_matches('/'));
        let answer = match self.http.get(&url).await {
            Ok(answer) => answer,
            // Of a certificate of somebody else's, or of one that is long gone.
            Err(Told::Said {
                status: 400 | 404 | 410,
                ..
            }) => return Ok(None),
            Err(told) => return Err(told.into()),
        };
        let wait = self.http.later(&url);
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.map_or(0, |now| now.as_secs());
        let now = i64::try_from(now).unwrap_or_default();
        let window = window(answer.body(), wait, now);
        match window {
            Some(window) => Ok(Some(window)),
            None => Err(Refusal::of(
                Kind::Other,
                "what the authority says of the renewal cannot be read",
            )),
        }
    }
}

/// Reads an answer that came at `now`, unix seconds.
fn window(body: &[u8], wait: Option<Duration>, now: i64) -> Option<Window> {
    let Info { suggested_window } = serde_json::from_slice(body).ok()?;
    let at = |text: &str| {
        DateTime::parse_from_rfc3339(text)
            .ok()
            .map(|at| at.timestamp())
    };
    let start = at(&suggested_window.start)?;
    let end = at(&suggested_window.end)?;
    let wait = wait.unwrap_or(USUAL).clamp(SOONEST, LATEST);
    (start <= end).then_some(Window {
        start,
        end,
        again: now + i64::try_from(wait.as_secs()).unwrap_or_default(),
    })
}

/// By what name an authority knows the first certificate of a PEM file (RFC 9773, 4.1): for
/// [`Directory::renewal`], and for what a new order replaces. `None`: it says too little of its
/// issuer.
pub fn ari(pem: &[u8]) -> Option<String> {
    let chain = certificate::chain(pem).ok()?;
    let (_, parsed) = x509_parser::parse_x509_certificate(chain.first()?).ok()?;
    ari_of(&parsed)
}

pub(super) fn ari_of(certificate: &X509Certificate<'_>) -> Option<String> {
    let mut extensions = certificate.extensions().iter();
    let issuer = extensions.find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::AuthorityKeyIdentifier(issuer) => issuer.key_identifier.as_ref(),
        _ => None,
    })?;
    let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let serial = certificate.tbs_certificate.raw_serial();
    Some(format!("{}.{}", encode(issuer.0), encode(serial)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The certificate of RFC 9773, appendix A.
    const RFC: &[u8] = b"-----BEGIN CERTIFICATE-----
MIIBQzCB66ADAgECAgUAh2VDITAKBggqhkjOPQQDAjAVMRMwEQYDVQQDEwpFeGFt
cGxlIENBMCIYDzAwMDEwMTAxMDAwMDAwWhgPMDAwMTAxMDEwMDAwMDBaMBYxFDAS
BgNVBAMTC2V4YW1wbGUuY29tMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEeBZu
7cbpAYNXZLbbh8rNIzuOoqOOtmxA1v7cRm//AwyMwWxyHz4zfwmBhcSrf47NUAFf
qzLQ2PPQxdTXREYEnKMjMCEwHwYDVR0jBBgwFoAUaYhba4dGQEHhs3uEe6CuLN4B
yNQwCgYIKoZIzj0EAwIDRwAwRAIge09+S5TZAlw5tgtiVvuERV6cT4mfutXIlwTb
+FYN/8oCIClDsqBklhB9KAelFiYt9+6FDj3z4KGVelYM5MdsO3pK
-----END CERTIFICATE-----
";

    #[test]
    fn a_certificate_is_named_as_in_rfc_9773() {
        let name = ari(RFC).unwrap();
        assert_eq!(name, "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE");
        assert_eq!(ari(b"no certificate"), None);
    }

    #[test]
    fn windows_are_read_and_waits_bounded() {
        let body = br#"{"suggestedWindow":{"start":"2026-01-02T04:00:00Z","end":"2026-01-03T04:00:00+00:00"},"explanationURL":"https://x"}"#;
        let again = |wait: Option<u64>| {
            let read = window(body, wait.map(Duration::from_secs), 1000).unwrap();
            assert_eq!((read.start, read.end), (1_767_326_400, 1_767_412_800));
            read.again - 1000
        };
        assert_eq!(again(None), 6 * 3600);
        assert_eq!((again(Some(0)), again(Some(900))), (60, 900));
        assert_eq!(again(Some(9_999_999)), 86_400);
        let turned =
            br#"{"suggestedWindow":{"start":"2026-01-03T04:00:00Z","end":"2026-01-02T04:00:00Z"}}"#;
        for body in [&turned[..], b"{}", b"", b"\xff"] {
            assert_eq!(window(body, None, 0), None);
        }
    }
}

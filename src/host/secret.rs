//! Secrets as digests: keyed with a key of the host's own, so that two operators agree whether a
//! secret changed and nobody learns it from a record.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;

use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::toolbox::ToolboxError;
use crate::fleet::{Name, SecretSpec, Site};

/// The bytes of one secret. Has no `Debug` that tells them.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretBytes(pub Vec<u8>);

impl std::fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretBytes(…)")
    }
}

/// Why a secret could not be read; without the secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("secret {name}: {why}")]
pub struct SecretError {
    /// Its name.
    pub name: String,
    /// What went wrong.
    pub why: String,
}

/// What a source of secrets answers, later.
pub type SecretFuture<'a> =
    Pin<Box<dyn Future<Output = Result<SecretBytes, SecretError>> + Send + 'a>>;

/// Where the bytes of secrets come from, on the operator's machine.
pub trait SecretSource: Send + Sync {
    /// The bytes of the secret `name` of `site`.
    fn read<'a>(&'a self, site: &'a Site, name: &'a str) -> SecretFuture<'a>;
}

/// A new key: 32 random bytes as hex.
pub fn new_key() -> Result<String, ToolboxError> {
    let mut bytes = [0u8; 32];
    getrandom::fill(&mut bytes).map_err(|e| ToolboxError::Garbled {
        what: "random bytes for a new key".into(),
        why: e.to_string(),
    })?;
    Ok(hex::encode(bytes))
}

/// HMAC-SHA256 under the host's key, of site, name and bytes, as hex.
pub fn digest(key: &str, site: &Name, name: &str, secret: &SecretBytes) -> String {
    // A key of any length is fine for HMAC; the error exists for other algorithms.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.as_bytes()) else {
        return String::new();
    };
    for part in [site.as_str(), name] {
        mac.update(part.as_bytes());
        mac.update(&[0]);
    }
    mac.update(&secret.0);
    hex::encode(mac.finalize().into_bytes())
}

/// Why a secret is left alone whose source only a host tells of.
pub const KEPT: &str = "the fleet file that says where it comes from was kept by a host and is none \
    that you applied or have in git";

/// Reads all secrets of a site; none of them where one is to be left alone.
pub async fn read_all(
    source: &dyn SecretSource,
    site: &Site,
) -> Result<BTreeMap<String, SecretBytes>, SecretError> {
    let mut specs = site.secrets.iter();
    if let Some((name, _)) = specs.find(|(_, spec)| **spec == SecretSpec::Kept) {
        return Err(SecretError {
            name: format!("{name} of {}", site.name),
            why: KEPT.into(),
        });
    }
    let mut all = BTreeMap::new();
    for name in site.secrets.keys() {
        all.insert(name.clone(), source.read(site, name).await?);
    }
    Ok(all)
}

/// Digests of secrets, by name.
pub fn digests(
    key: &str,
    site: &Name,
    secrets: &BTreeMap<String, SecretBytes>,
) -> BTreeMap<String, String> {
    secrets
        .iter()
        .map(|(name, bytes)| (name.clone(), digest(key, site, name, bytes)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_depends_on_key_site_name_and_bytes() {
        let a: Name = "a".parse().unwrap();
        let b: Name = "b".parse().unwrap();
        let secret = SecretBytes(b"pass".to_vec());
        let base = digest("k", &a, "DB", &secret);
        assert_eq!(base.len(), 64);
        assert_eq!(base, digest("k", &a, "DB", &secret));
        assert_ne!(base, digest("j", &a, "DB", &secret));
        assert_ne!(base, digest("k", &b, "DB", &secret));
        assert_ne!(base, digest("k", &a, "DBp", &SecretBytes(b"ass".to_vec())));
        assert_eq!(format!("{secret:?}"), "SecretBytes(…)");
        assert_ne!(new_key().unwrap(), new_key().unwrap());
    }
}

//! A certificate authority as the operator wrote it down.

use std::fmt;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

/// The directory that is asked where the operator named none.
pub const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";

/// How long one answer may take: authorities sign while they are waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// Which authority is asked, and as whom.
#[derive(Debug, Clone)]
pub struct Authority {
    /// URL of its directory, `https://…`.
    pub directory: String,
    /// `mailto:…`; may be empty.
    pub contact: Vec<String>,
    /// One of the profiles that its directory lists.
    pub profile: Option<String>,
    /// What binds a new account to a customer of the authority.
    pub eab: Option<Eab>,
    /// The root of a private authority, PEM; trusted beside those of the system.
    pub root: Option<Vec<u8>>,
    /// How long one answer may take.
    pub patience: Duration,
}

impl Authority {
    /// The authority behind a directory, with nothing else said of it.
    pub fn new(directory: &str) -> Authority {
        Authority {
            directory: directory.to_owned(),
            contact: Vec::new(),
            profile: None,
            eab: None,
            root: None,
            patience: PATIENCE,
        }
    }
}

/// External account binding: a customer's number and key.
#[derive(Clone)]
pub struct Eab {
    pub(super) kid: String,
    pub(super) key: Zeroizing<Vec<u8>>,
}

impl Eab {
    /// The key as authorities hand it out: base64, of either alphabet, padded or not.
    ///
    /// # Errors
    /// It is no base64, or empty; the key is not told.
    pub fn new(kid: &str, key: &str) -> Result<Eab, String> {
        let text = key.trim().trim_end_matches('=');
        let text: String = text.replace('+', "-").replace('/', "_");
        let text = Zeroizing::new(text);
        match BASE64_URL_SAFE_NO_PAD.decode(text.as_bytes()) {
            Ok(key) if !key.is_empty() => Ok(Eab {
                kid: kid.to_owned(),
                key: Zeroizing::new(key),
            }),
            _ => Err("the key of the account binding (eab) is not base64".into()),
        }
    }
}

impl fmt::Debug for Eab {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Eab({:?}, …)", self.kid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_binding_is_read_as_authorities_write_it_and_not_told() {
        for text in ["_-8A", "/+8A", " _-8A\n", "_-8A=="] {
            let eab = Eab::new("kid-1", text).unwrap();
            assert_eq!(*eab.key, [0xff, 0xef, 0x00], "{text}");
            let mut authority = Authority::new(LETS_ENCRYPT);
            authority.eab = Some(eab);
            let told = format!("{authority:?}");
            assert!(told.contains("kid-1") && !told.contains("255"), "{told}");
        }
        for text in ["", "=", "a b", "geheim!"] {
            let why = Eab::new("kid-1", text).unwrap_err();
            assert!(!why.contains("geheim"), "{why}");
        }
    }
}

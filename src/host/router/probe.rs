//! How the router knows our own questions to sites: by a mark that only who may read the host's
//! records can make. It counts them as nobody's, and takes the mark off before a site sees it.

use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

/// The header that carries the mark.
pub const HEADER: &str = crate::engine::visit::MARK;

/// A path that the router answers by itself, for whichever of its domains: what leads to it is seen,
/// and no site is asked.
pub const HERE: &str = "/.well-known/ostler-router";

/// The mark, from the host's key: 64 hex digits.
pub fn mark(key: &str) -> String {
    // A key may have any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.as_bytes()) else {
        return String::new();
    };
    mac.update(b"ostler probe");
    hex::encode(mac.finalize().into_bytes())
}

/// The file that the router compares with: what is in it makes no mark.
pub(super) fn list(key: &str) -> Vec<u8> {
    let digest = hex::encode(Sha256::digest(mark(key).as_bytes()));
    format!("{digest}\n").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_a_keys_own_and_cannot_be_read_from_the_routers_file() {
        assert_eq!(mark("a").len(), 64);
        assert_ne!(mark("a"), mark("b"));
        let file = String::from_utf8(list("a")).unwrap();
        assert!(!file.contains(&mark("a")) && file.len() == 65);
    }
}

//! Which cryptography of libssh2 is good enough for the way to a host: no more than OpenSSH itself
//! offers by default, less what signs with SHA-1.

use ssh2::{Error, MethodType, Session};

/// Fewest bits of an RSA key.
pub(super) const RSA_BITS: usize = 2048;

/// Has the session offer only what is good enough. Host keys are ordered elsewhere.
pub(super) fn restrict(session: &Session) -> Result<(), Error> {
    for kind in [
        MethodType::Kex,
        MethodType::CryptCs,
        MethodType::CryptSc,
        MethodType::MacCs,
        MethodType::MacSc,
    ] {
        let can = session.supported_algs(kind)?;
        let good: Vec<&str> = can.into_iter().filter(|name| is_good(name)).collect();
        session.method_pref(kind, &good.join(","))?;
    }
    Ok(())
}

/// Whether a method is good enough, by its name.
pub(super) fn is_good(name: &str) -> bool {
    let bare = name.split('@').next().unwrap_or(name);
    let cipher = bare.starts_with("aes") && (bare.ends_with("-ctr") || bare.ends_with("-gcm"));
    let kex = [
        "curve25519-",
        "ecdh-sha2-",
        "diffie-hellman-",
        "mlkem",
        "sntrup",
    ];
    let kex = kex.iter().any(|known| bare.starts_with(known)) && !bare.ends_with("-sha1");
    let host_key = ["ssh-ed25519", "ecdsa-sha2-", "rsa-sha2-", "sk-"];
    cipher
        || kex
        || bare == "chacha20-poly1305"
        || bare.starts_with("hmac-sha2-")
        || host_key.iter().any(|known| bare.starts_with(known))
}

/// How many bits an RSA key has; `None` for keys of other kinds.
pub(super) fn rsa_bits(key: &[u8]) -> Option<usize> {
    let mut rest = key;
    let mut next = || {
        let length = u32::from_be_bytes(rest.get(..4)?.try_into().ok()?) as usize;
        let word = rest.get(4..4usize.checked_add(length)?)?;
        rest = &rest[4 + length..];
        Some(word)
    };
    if next()? != b"ssh-rsa" {
        return None;
    }
    let _exponent = next()?;
    let modulus = next()?;
    let first = modulus.iter().position(|byte| *byte != 0)?;
    let zeroes = modulus[first].leading_zeros() as usize;
    Some((modulus.len() - first) * 8 - zeroes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_old_is_not_offered() {
        let session = Session::new().unwrap();
        restrict(&session).unwrap();
        let offered = |kind| -> Vec<&str> {
            let can = session.supported_algs(kind).unwrap();
            can.into_iter().filter(|name| is_good(name)).collect()
        };
        let ciphers = offered(MethodType::CryptCs);
        assert!(
            ciphers.contains(&"aes256-ctr") && ciphers.len() > 3,
            "{ciphers:?}"
        );
        let kex = offered(MethodType::Kex);
        assert!(kex.contains(&"curve25519-sha256"), "{kex:?}");
        assert!(offered(MethodType::MacCs).contains(&"hmac-sha2-256"));
        for bad in [
            "aes128-cbc",
            "3des-cbc",
            "rijndael-cbc@lysator.liu.se",
            "arcfour",
            "none",
            "hmac-sha1",
            "hmac-md5-96",
            "hmac-sha1-etm@openssh.com",
            "diffie-hellman-group1-sha1",
            "diffie-hellman-group-exchange-sha1",
            "ssh-rsa",
            "ssh-dss",
        ] {
            assert!(!is_good(bad), "{bad}");
        }
    }

    #[test]
    fn bits_of_keys() {
        let key = |kind: &[u8], modulus: &[u8]| {
            let mut key = Vec::new();
            for word in [kind, &[1, 0, 1], modulus] {
                key.extend((word.len() as u32).to_be_bytes());
                key.extend(word);
            }
            key
        };
        let modulus = [&[0, 0x80][..], &[1; 127]].concat();
        assert_eq!(rsa_bits(&key(b"ssh-rsa", &modulus)), Some(1024));
        assert_eq!(rsa_bits(&key(b"ssh-rsa", &[0x7f, 0xff])), Some(15));
        assert_eq!(rsa_bits(&key(b"ssh-ed25519", &modulus)), None);
        assert_eq!(rsa_bits(b"\0\0\0\x07ssh-rsa\xff\xff\xff\xff"), None);
    }
}

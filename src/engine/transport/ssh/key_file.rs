//! Private key files: what can be known of them without a passphrase.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::answered::Secret;
use super::known_hosts;
use crate::file;

/// Larger files are no keys.
const LARGEST: usize = 64 << 10;

/// A key that can be offered.
pub struct KeyFile {
    /// Where it lies.
    pub path: PathBuf,
    /// The public half in its wire format, where it can be read without a passphrase.
    pub public: Option<Vec<u8>>,
    /// The private half as it stands in the file; `None`: the file holds the public half only.
    pub private: Option<Secret>,
    /// It needs a passphrase.
    pub encrypted: bool,
}

impl std::fmt::Debug for KeyFile {
    // It holds a private key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeyFile({})", self.path.display())
    }
}

/// Why a file cannot be offered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// It is not there.
    #[error("is not there")]
    Missing,
    /// It cannot be read.
    #[error("cannot be read: {0}")]
    Unreadable(String),
    /// Others may read it, so it is secret no more.
    #[error("may be read by others ({0:04o}): chmod 600")]
    TooOpen(u32),
    /// The private half is in a device.
    #[error("is in a FIDO device: only `via: openssh` can use it")]
    Fido,
    /// It is PuTTY's.
    #[error("is a PuTTY key: `puttygen KEY.ppk -O private-openssh -o KEY` converts it")]
    Putty,
    /// It is something else.
    #[error("is not a private key that libssh2 reads: {0}")]
    Format(String),
}

/// Reads a key file.
///
/// # Errors
/// It cannot be offered.
pub fn read(path: &Path) -> Result<KeyFile, Unusable> {
    let unreadable = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => Unusable::Missing,
        _ => Unusable::Unreadable(error.to_string()),
    };
    let meta = std::fs::metadata(path).map_err(unreadable)?;
    if !meta.is_file() || meta.len() > LARGEST as u64 {
        return Err(Unusable::Format("it is no small file".into()));
    }
    let text = String::from_utf8(file::read(path, LARGEST).map_err(unreadable)?)
        .map_err(|_| Unusable::Format("it is not text".into()))?;
    let text = Secret::new(text);
    let key = inspect(path, text)?;
    // As ssh does: a key of ours that others may read is not used. Another's may be shared.
    let ours = meta.uid() == rustix::process::getuid().as_raw();
    if key.private.is_some() && ours && meta.mode() & 0o077 != 0 {
        return Err(Unusable::TooOpen(meta.mode() & 0o777));
    }
    Ok(key)
}

fn inspect(path: &Path, text: Secret) -> Result<KeyFile, Unusable> {
    let first = text.lines().map(str::trim).find(|line| !line.is_empty());
    let first = first.unwrap_or_default().to_owned();
    let key = |public: Option<Vec<u8>>, private: Option<Secret>, encrypted: bool| KeyFile {
        path: path.to_owned(),
        public,
        private,
        encrypted,
    };
    if first == "-----BEGIN OPENSSH PRIVATE KEY-----" {
        let (public, encrypted) = openssh(&text)?;
        if known_hosts::kind(&public).starts_with("sk-") {
            return Err(Unusable::Fido);
        }
        return Ok(key(Some(public), Some(text), encrypted));
    }
    if first.starts_with("-----BEGIN ") && first.ends_with("PRIVATE KEY-----") {
        let encrypted = first.contains("ENCRYPTED") || text.contains("Proc-Type: 4,ENCRYPTED");
        let mut beside = path.as_os_str().to_owned();
        beside.push(".pub");
        let public = file::read_text(Path::new(&beside), LARGEST)
            .ok()
            .and_then(|text| public(&text));
        return Ok(key(public, Some(text), encrypted));
    }
    if first.starts_with("PuTTY-User-Key-File") {
        return Err(Unusable::Putty);
    }
    match public(&first) {
        Some(blob) if known_hosts::kind(&blob).starts_with("sk-") => Err(Unusable::Fido),
        Some(blob) => Ok(key(Some(blob), None, false)),
        None => Err(Unusable::Format("it begins like none".into())),
    }
}

/// The public key of a `.pub` file, or of a certificate.
pub fn public(text: &str) -> Option<Vec<u8>> {
    let mut words = text.lines().next()?.split_ascii_whitespace();
    let named = words.next()?;
    let key = STANDARD.decode(words.next()?).ok()?;
    (known_hosts::kind(&key) == named).then_some(key)
}

/// Public half and whether there is a passphrase: openssh-portable, PROTOCOL.key.
fn openssh(text: &str) -> Result<(Vec<u8>, bool), Unusable> {
    let broken = || Unusable::Format("it is damaged".into());
    let body: String = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with("-----"))
        .collect();
    let body = zeroize::Zeroizing::new(STANDARD.decode(&*Secret::new(body)).map_err(|_| broken())?);
    let mut rest = body.strip_prefix(b"openssh-key-v1\0").ok_or_else(broken)?;
    let cipher = String::from_utf8_lossy(string(&mut rest).ok_or_else(broken)?).into_owned();
    let _kdf = string(&mut rest).ok_or_else(broken)?;
    let _options = string(&mut rest).ok_or_else(broken)?;
    let (count, after) = rest.split_at_checked(4).ok_or_else(broken)?;
    if count != 1u32.to_be_bytes() {
        return Err(Unusable::Format("it holds more than one key".into()));
    }
    rest = after;
    let public = string(&mut rest).ok_or_else(broken)?.to_vec();
    match cipher.as_str() {
        "none" => Ok((public, false)),
        "chacha20-poly1305@openssh.com" => Err(Unusable::Format(format!(
            "its cipher {cipher} is unknown to it; `ssh-keygen -p -Z aes256-ctr -f KEY` changes it"
        ))),
        _ => Ok((public, true)),
    }
}

/// The next string of SSH's wire format: four bytes of length, then so many.
pub(super) fn string<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, after) = rest.split_at_checked(4)?;
    let length = u32::from_be_bytes(length.try_into().ok()?) as usize;
    let (text, after) = after.split_at_checked(length)?;
    *rest = after;
    Some(text)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::process::Command;

    use super::*;

    fn keygen(arguments: &[&str], file: &Path) -> bool {
        let made = Command::new("ssh-keygen")
            .args(["-q", "-C", "me", "-f"])
            .arg(file)
            .args(arguments)
            .status();
        // Where there is no ssh-keygen, nothing can be compared.
        made.is_ok_and(|status| status.success())
    }

    #[test]
    fn knows_keys_without_their_passphrase() {
        let folder = tempfile::tempdir().unwrap();
        for (kind, format, passphrase) in [
            ("ed25519", "RFC4716", ""),
            ("ed25519", "RFC4716", "sesame"),
            ("ecdsa", "RFC4716", "sesame"),
            ("rsa", "PEM", ""),
            ("rsa", "PEM", "sesame"),
            ("rsa", "PKCS8", "sesame"),
        ] {
            let file = folder.path().join(format!("{kind}-{format}-{passphrase}"));
            if !keygen(&["-t", kind, "-m", format, "-N", passphrase], &file) {
                return;
            }
            let key = read(&file).unwrap();
            assert_eq!(key.encrypted, !passphrase.is_empty(), "{}", file.display());
            let pub_file = std::fs::read_to_string(file.with_extension("pub")).unwrap();
            assert_eq!(key.public, public(&pub_file), "{}", file.display());
            assert!(key.private.is_some());
            let half = read(&file.with_extension("pub")).unwrap();
            assert!(half.private.is_none() && half.public == key.public);

            std::fs::set_permissions(&file, PermissionsExt::from_mode(0o640)).unwrap();
            assert_eq!(read(&file).unwrap_err(), Unusable::TooOpen(0o640));
        }
    }

    #[test]
    fn says_what_is_wrong_with_others() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("k");
        assert_eq!(read(&file).unwrap_err(), Unusable::Missing);
        let is = |text: &str| {
            std::fs::write(&file, text).unwrap();
            std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
            read(&file).unwrap_err()
        };
        assert_eq!(is("PuTTY-User-Key-File-3: ssh-ed25519\n"), Unusable::Putty);
        assert!(matches!(is(""), Unusable::Format(_)));
        assert!(matches!(is("hello"), Unusable::Format(_)));
        let begin = "-----BEGIN OPENSSH PRIVATE KEY-----\n";
        for damaged in [
            "",
            "!!!!",
            "b3BlbnNzaC1rZXktdjEA",
            "b3BlbnNzaC1rZXktdjEA/////w==",
        ] {
            assert!(matches!(
                is(&format!("{begin}{damaged}\n")),
                Unusable::Format(_)
            ));
        }
        let mut fido =
            b"openssh-key-v1\0\0\0\0\x04none\0\0\0\x04none\0\0\0\0\0\0\0\x01\0\0\0\x1e\0\0\0\x1a"
                .to_vec();
        fido.extend_from_slice(b"sk-ssh-ed25519@openssh.com");
        assert_eq!(
            is(&format!("{begin}{}\n", STANDARD.encode(fido))),
            Unusable::Fido
        );
        assert!(matches!(read(folder.path()), Err(Unusable::Format(_))));
    }

    #[test]
    fn shows_no_private_key() {
        let text = Secret::new("-----BEGIN RSA PRIVATE KEY-----\nsesame\n".into());
        let key = inspect(Path::new("/k"), text).unwrap();
        assert_eq!(format!("{key:?}"), "KeyFile(/k)");
    }
}

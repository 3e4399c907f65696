//! The root certificates that this machine believes.

use std::path::{Path, PathBuf};

/// Where systems keep them in one file: Debian and Alpine, Fedora and RHEL, openSUSE, the BSDs and macOS.
const BUNDLES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];
/// Bytes of such a file at most; the usual one has a quarter of a mebibyte.
const LARGEST: usize = 8 << 20;

/// The first file of them that is there and not empty, PEM; one that `SSL_CERT_FILE` names goes first, as
/// other programs are told of another one.
pub fn roots() -> Option<Vec<u8>> {
    let named = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    let named = named.iter().map(PathBuf::as_path);
    let mut paths = named.chain(BUNDLES.iter().map(Path::new));
    paths.find_map(|path| {
        let bytes = super::read(path, LARGEST).ok()?;
        (!bytes.is_empty()).then_some(bytes)
    })
}

//! Files that nobody else can write, whatever new files are given: of others no secret is read.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Writes such a file, and keeps its folder to us.
pub fn write(path: impl AsRef<Path>, content: impl AsRef<[u8]>) {
    let path = path.as_ref();
    fs::write(path, content).unwrap();
    for (path, mode) in [(path, 0o600), (path.parent().unwrap(), 0o700)] {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
}

//! Writing the fleet file: whole or not at all, and never over a change made meanwhile.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Why the fleet file was not written.
#[derive(Debug, thiserror::Error)]
pub enum FleetFileError {
    /// Somebody changed it since it was read.
    #[error("{path} was changed by someone else meanwhile; nothing was written")]
    Moved {
        /// The file.
        path: String,
    },
    /// The operating system refused.
    #[error("cannot {what} {path}: {source}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// The file.
        path: String,
        /// Its words.
        source: std::io::Error,
    },
}

/// Replaces the content of `path` by `after`, when it still is `before`. Mode and, where allowed,
/// owner stay; a symbolic link stays one and its target is replaced. On return the file is on disk.
pub fn write(path: &Path, before: &[u8], after: &[u8]) -> Result<(), FleetFileError> {
    let io = |what| {
        let path = path.display().to_string();
        move |source| FleetFileError::Io { what, path, source }
    };
    let target = fs::canonicalize(path).map_err(io("find"))?;
    if fs::read(&target).map_err(io("read"))? != before {
        return Err(FleetFileError::Moved {
            path: path.display().to_string(),
        });
    }
    let meta = fs::metadata(&target).map_err(io("read"))?;
    let temporary = neighbour(&target);
    // A leftover of a killed process with the same id, if anything.
    let _ = fs::remove_file(&temporary);
    let written = (|| {
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&temporary)?;
        file.write_all(after)?;
        // Only root may give files away; for others the owner is theirs already.
        let _ = std::os::unix::fs::chown(&temporary, Some(meta.uid()), Some(meta.gid()));
        file.set_permissions(fs::Permissions::from_mode(meta.mode() & 0o7777))?;
        file.sync_all()
    })();
    if let Err(e) = written {
        let _ = fs::remove_file(&temporary);
        return Err(io("write beside")(e));
    }
    // Once more, right before the rename: the window that is left is a few microseconds.
    if fs::read(&target).map_err(io("read"))? != before {
        let _ = fs::remove_file(&temporary);
        return Err(FleetFileError::Moved {
            path: path.display().to_string(),
        });
    }
    if let Err(e) = fs::rename(&temporary, &target) {
        let _ = fs::remove_file(&temporary);
        return Err(io("replace")(e));
    }
    if let Some(dir) = target.parent()
        && let Ok(dir) = fs::File::open(dir)
    {
        let _ = dir.sync_all();
    }
    Ok(())
}

fn neighbour(target: &Path) -> PathBuf {
    let name = target
        .file_name()
        .map(|n| n.to_string_lossy().into_owned())
        .unwrap_or_default();
    target.with_file_name(format!(".{name}.new-{}", std::process::id()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mode_stays_and_nothing_is_left_beside() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("fleet.yml");
        fs::write(&path, "a").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o664)).unwrap();
        write(&path, b"a", b"bb").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"bb");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o664);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_change_made_meanwhile_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("fleet.yml");
        fs::write(&path, "theirs").unwrap();
        let error = write(&path, b"read before", b"mine").unwrap_err();
        assert!(matches!(error, FleetFileError::Moved { .. }));
        assert_eq!(fs::read(&path).unwrap(), b"theirs");
    }

    #[test]
    fn a_link_stays_a_link() {
        let dir = tempfile::tempdir().unwrap();
        let real = dir.path().join("real.yml");
        let link = dir.path().join("fleet.yml");
        fs::write(&real, "a").unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        write(&link, b"a", b"b").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&real).unwrap(), b"b");
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = write(Path::new("/nonexistent/fleet.yml"), b"", b"x").unwrap_err();
        assert!(error.to_string().contains("/nonexistent/fleet.yml"));
    }
}

//! The file of a plan: for its owner alone, there whole or not at all.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::{LARGEST, Saved, SavedError};
use crate::file;

/// Who may do what with it.
const MODE: u32 = 0o600;
/// Others than the owner may write.
const WRITABLE: u32 = 0o022;

impl Saved {
    /// Writes it to `path`, whatever file is there: by another name first, with mode 0600. What is
    /// no file, such as a pipe, is written to as it is.
    ///
    /// # Errors
    /// It is too large, or the operating system refuses.
    pub fn write(&self, path: &Path) -> Result<(), SavedError> {
        let bytes = self.to_bytes().map_err(io::Error::from)?;
        if bytes.len() > LARGEST {
            return Err(SavedError::TooLarge);
        }
        let target = match fs::metadata(path) {
            Ok(there) if there.is_file() => fs::canonicalize(path)?,
            Ok(_) => {
                return Ok(OpenOptions::new()
                    .write(true)
                    .open(path)?
                    .write_all(&bytes)?);
            }
            Err(error) if error.kind() == ErrorKind::NotFound => path.to_owned(),
            Err(error) => return Err(error.into()),
        };
        let new = neighbour(&target);
        // Of a killed process with the same number, if anybody's.
        let _ = fs::remove_file(&new);
        let written = put(&new, &bytes).and_then(|()| fs::rename(&new, &target));
        if written.is_err() {
            let _ = fs::remove_file(&new);
        }
        Ok(written?)
    }

    /// Reads the one at `path`.
    ///
    /// # Errors
    /// It cannot be read, is none, was changed since, or may be written by others than its owner.
    pub fn read(path: &Path) -> Result<Saved, SavedError> {
        let mode = fs::metadata(path)?.mode() & 0o7777;
        if mode & WRITABLE != 0 {
            return Err(SavedError::Writable(mode));
        }
        match file::read(path, LARGEST) {
            Ok(bytes) => Saved::from_bytes(&bytes),
            Err(error) if error.kind() == ErrorKind::FileTooLarge => Err(SavedError::TooLarge),
            Err(error) => Err(error.into()),
        }
    }
}

fn put(new: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(MODE).open(new)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn neighbour(target: &Path) -> PathBuf {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    target.with_file_name(format!(".{name}.new-{}", std::process::id()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::plan::Plan;

    fn saved() -> Saved {
        let now = "2026-11-29T20:00:00Z".to_owned();
        Saved::new(Plan::default(), Default::default(), vec![], now)
    }

    fn mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn it_is_its_owners_alone_also_over_a_file_that_was_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("p.json");
        let link = dir.path().join("link.json");
        fs::write(&path, "old").unwrap();
        mode(&path, 0o666);
        std::os::unix::fs::symlink(&path, &link).unwrap();
        saved().write(&link).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(Saved::read(&path).unwrap(), saved());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
        let new = dir.path().join("new.json");
        saved().write(&new).unwrap();
        assert_eq!(fs::metadata(&new).unwrap().mode() & 0o7777, 0o600);
    }

    #[test]
    fn one_that_others_may_write_is_refused_with_what_mends_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("p.json");
        saved().write(&path).unwrap();
        for (bits, fine) in [(0o600, true), (0o444, true), (0o620, false), (0o602, false)] {
            mode(&path, bits);
            let read = Saved::read(&path);
            assert_eq!(read.is_ok(), fine, "{bits:o}");
            if let Err(error) = read {
                let error = error.to_string();
                assert!(error.contains(&format!("{bits:04o}")), "{error}");
                assert!(error.contains("chmod go-w"), "{error}");
            }
        }
    }

    #[test]
    fn what_is_no_file_is_written_to_and_what_does_not_end_is_not_read() {
        saved().write(Path::new("/dev/null")).unwrap();
        assert!(!fs::symlink_metadata("/dev/null").unwrap().is_file());
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("p.json");
        // A file with a hole takes no room.
        let file = fs::File::create(&path).unwrap();
        file.set_len(LARGEST as u64 + 1).unwrap();
        mode(&path, 0o600);
        let error = Saved::read(&path).unwrap_err();
        assert!(matches!(error, SavedError::TooLarge), "{error}");
    }
}

//! Files and programs of the operator's machine, read with a bound: no device without end, no pipe
//! that nobody feeds.

mod login;
pub mod program;
mod roots;

pub use login::login;
pub use roots::roots;

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{Error, ErrorKind, Read, Result, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;

const MIB: usize = 1 << 20;

/// Largest file of anything else that a person writes or a program keeps for one: configuration,
/// theme, key, certificates.
pub const SMALL: usize = MIB;
/// Largest list that grows by itself: `known_hosts`, revoked keys.
pub const LIST: usize = 16 * MIB;

/// Longest time that what is no regular file may take to come to its end: whoever feeds a pipe may
/// ask for a passphrase first.
const PATIENCE: Duration = Duration::from_secs(60);

/// Reads a file of at most `most` bytes. A pipe is read to its end, a device no further than that.
///
/// # Errors
/// What the operating system says; `FileTooLarge`: it is larger than `most`, of which no more is
/// read than shows it; `TimedOut`: a pipe or a device did not come to its end within a minute.
pub fn read(path: &Path, most: usize) -> Result<Vec<u8>> {
    read_within(path, most, PATIENCE)
}

/// Writes a file of the operator's own state, which nobody else may read, in one step; makes its folder.
///
/// # Errors
/// What the operating system says.
pub fn keep(path: &Path, bytes: &[u8]) -> Result<()> {
    if let Some(folder) = path.parent() {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
    }
    put(path, bytes, 0o600)
}

/// Writes a file that everybody may read, in one step; its folder is there already.
///
/// # Errors
/// What the operating system says.
pub fn publish(path: &Path, bytes: &[u8]) -> Result<()> {
    put(path, bytes, 0o644)
}

fn put(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let temporary = path.with_extension(format!("new-{}", std::process::id()));
    // A leftover of a killed process with the same id, if anything.
    let _ = std::fs::remove_file(&temporary);
    let mut out = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(&temporary)?;
    let written = out
        .set_permissions(Permissions::from_mode(mode))
        .and_then(|()| out.write_all(bytes))
        .and_then(|()| out.sync_all())
        .and_then(|()| std::fs::rename(&temporary, path));
    if written.is_err() {
        let _ = std::fs::remove_file(&temporary);
    }
    written
}

/// The same for a text.
///
/// # Errors
/// As [`read`]; `InvalidData`: it is not UTF-8.
pub fn read_text(path: &Path, most: usize) -> Result<String> {
    let bytes = read(path, most)?;
    String::from_utf8(bytes).map_err(|_| Error::new(ErrorKind::InvalidData, "it is not UTF-8"))
}

fn read_within(path: &Path, most: usize, patience: Duration) -> Result<Vec<u8>> {
    // A pipe without a writer would hold up the opening itself.
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(OFlags::NONBLOCK.bits() as i32)
        .open(path)?;
    let bytes = match file.metadata()?.is_file() {
        true => {
            let mut bytes = Vec::new();
            file.take(most as u64 + 1).read_to_end(&mut bytes)?;
            bytes
        }
        false => slowly(file, most, patience)?,
    };
    match bytes.len() > most {
        true => Err(too_large(most)),
        false => Ok(bytes),
    }
}

/// What comes out of a pipe or a device, up to its end or one byte more than it may have.
fn slowly(mut file: File, most: usize, patience: Duration) -> Result<Vec<u8>> {
    let end = Instant::now() + patience;
    let mut bytes = Vec::new();
    let mut piece = [0; 64 << 10];
    while bytes.len() <= most {
        let left = end.saturating_duration_since(Instant::now());
        let wait = Timespec::try_from(left).map_err(|_| ErrorKind::TimedOut)?;
        let mut about = [PollFd::new(&file, PollFlags::IN)];
        match poll(&mut about, Some(&wait)) {
            Ok(0) => {
                let why = format!("it did not come to its end within {} s", patience.as_secs());
                return Err(Error::new(ErrorKind::TimedOut, why));
            }
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        }
        match file.read(&mut piece) {
            Ok(0) => break,
            Ok(n) => bytes.extend_from_slice(&piece[..n]),
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(most + 1);
    Ok(bytes)
}

/// That there is more than there may be.
pub fn too_large(most: usize) -> Error {
    let why = match most {
        MIB.. => format!("it is larger than {} MiB", most / MIB),
        _ => format!("it is larger than {most} bytes"),
    };
    Error::new(ErrorKind::FileTooLarge, why)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn no_more_is_read_than_may_be_there() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        std::fs::write(&path, [b'x'; 1024]).unwrap();
        assert_eq!(read(&path, 1024).unwrap().len(), 1024);
        let error = read(&path, 1023).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::FileTooLarge);
        for path in ["/dev/zero", "/dev/urandom"] {
            let error = read(Path::new(path), SMALL).unwrap_err();
            assert_eq!(error.to_string(), "it is larger than 1 MiB", "{path}");
        }
        assert_eq!(read(Path::new("/dev/null"), 1).unwrap(), b"");
        let missing = read(&dir.path().join("y"), 1).unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::NotFound);
        assert!(read(dir.path(), 1).is_err());
    }

    fn pipe(dir: &Path) -> std::path::PathBuf {
        let path = dir.join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(made.unwrap().success());
        path
    }

    #[test]
    fn a_pipe_is_read_to_its_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = pipe(dir.path());
        let writer = std::thread::spawn({
            let path = path.clone();
            move || {
                let mut pipe = OpenOptions::new().write(true).open(path).unwrap();
                pipe.write_all(&[b'x'; 300_000]).unwrap();
            }
        });
        assert_eq!(read(&path, SMALL).unwrap().len(), 300_000);
        writer.join().unwrap();
    }

    #[test]
    fn a_pipe_that_nobody_feeds_is_given_up() {
        let dir = tempfile::tempdir().unwrap();
        let path = pipe(dir.path());
        let error = read_within(&path, SMALL, Duration::ZERO).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        // One that is held open without a word, too.
        let _held = OpenOptions::new()
            .read(true)
            .write(true)
            .open(&path)
            .unwrap();
        let error = read_within(&path, SMALL, Duration::from_millis(1)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
    }
}

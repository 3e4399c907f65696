//! The fleet file: found, read, loaded, and written whole or not at all, never over a change made
//! meanwhile.

use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::secret::Sources;
use super::trust::Trust;
use crate::file;
use crate::fleet::{self, Finding, Fleet, Level};

/// Why the fleet file cannot be used, or was not written.
#[derive(Debug, thiserror::Error)]
pub enum FleetFileError {
    /// There is none where one is looked for.
    #[error("no fleet file: neither {}", .0.join(" nor "))]
    Nowhere(Vec<String>),
    #[error("{path}:{line}: this is not UTF-8")]
    NotText {
        /// The file.
        path: String,
        /// The first line that is not, from 1.
        line: usize,
    },
    /// What it says cannot be used.
    #[error("{}", broken(.path, .findings))]
    Broken {
        /// The file.
        path: PathBuf,
        /// Its text, which the findings are about.
        text: String,
        /// All that is wrong with it, and what is doubtful.
        findings: Vec<Finding>,
    },
    /// Somebody changed it since it was read.
    #[error("{path} was changed by someone else meanwhile; nothing was done")]
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

fn broken(path: &Path, findings: &[Finding]) -> String {
    let errors = findings.iter().filter(|f| f.level == Level::Error).count();
    let plural = if errors == 1 { "" } else { "s" };
    format!("{errors} error{plural} in {}", path.display())
}

impl FleetFileError {
    /// What would mend it.
    pub fn help(&self) -> Option<&'static str> {
        match self {
            FleetFileError::Nowhere(_) => Some(
                "`ostler init` writes one; --fleet FILE names one; `ostler --host ADDRESS` looks at one engine without",
            ),
            FleetFileError::NotText { .. } => Some("a fleet file is text in UTF-8"),
            FleetFileError::Moved { .. } => Some("look at the file, then try again"),
            FleetFileError::Io {
                what: "read",
                source,
                ..
            } if source.kind() == ErrorKind::NotFound => Some("`ostler init` writes a fleet file"),
            FleetFileError::Io {
                what: "read",
                source,
                ..
            } if source.kind() == ErrorKind::FileTooLarge => {
                Some("is this the fleet file? `--fleet FILE` names another")
            }
            _ => None,
        }
    }

    /// The first thing that is wrong, with its place, and how much more there is: on one line.
    pub fn brief(&self) -> String {
        let (path, findings) = match self {
            FleetFileError::Broken { path, findings, .. } => (path, findings),
            FleetFileError::Io { what, path, source } => {
                let name = Path::new(path).file_name().unwrap_or_default();
                return format!("{}: cannot {what} it: {source}", name.to_string_lossy());
            }
            error => return error.to_string(),
        };
        let errors = || findings.iter().filter(|f| f.level == Level::Error);
        let Some(first) = errors().next() else {
            return self.to_string();
        };
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let more = match errors().count() - 1 {
            0 => String::new(),
            more => format!(" (and {})", crate::text::count(more, "more error")),
        };
        format!("{name}:{}: {}{more}", first.line, first.message)
    }

    /// All that is wrong, a line each, the lines of the file it is about among it.
    pub fn lines(&self) -> Vec<String> {
        let text = match self {
            FleetFileError::Broken {
                path,
                text,
                findings,
            } => {
                // What is only doubtful keeps nobody from anything.
                let errors = findings.iter().filter(|f| f.level == Level::Error);
                let errors: Vec<Finding> = errors.cloned().collect();
                fleet::render(&errors, text, path, false)
            }
            error => error.to_string(),
        };
        let help = self.help().into_iter().map(str::to_owned);
        text.lines().map(str::to_owned).chain(help).collect()
    }

    fn io(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> FleetFileError {
        let path = path.display().to_string();
        move |source| FleetFileError::Io { what, path, source }
    }
}

/// A fleet file that can be used, with the text it was read from.
#[derive(Debug, Clone)]
pub struct FleetFile {
    pub path: PathBuf,
    /// Its text.
    pub source: String,
    pub fleet: Arc<Fleet>,
}

impl FleetFile {
    /// Where the fleet file is: the one that was named, else `./fleet.yml`, else `fleet.yml` in the
    /// configuration's folder.
    ///
    /// # Errors
    /// None was named, and there is none.
    pub fn find(
        named: Option<&Path>,
        configuration: Option<&Path>,
    ) -> Result<PathBuf, FleetFileError> {
        if let Some(path) = named {
            return Ok(path.to_owned());
        }
        let mut places = vec![PathBuf::from("fleet.yml")];
        places.extend(configuration.map(|folder| folder.join("fleet.yml")));
        match places.iter().find(|place| place.exists()) {
            Some(path) => Ok(path.clone()),
            None => {
                let places = places.iter().map(|place| place.display().to_string());
                Err(FleetFileError::Nowhere(places.collect()))
            }
        }
    }

    /// Reads its text.
    ///
    /// # Errors
    /// It cannot be read, or is not UTF-8.
    pub fn read(path: &Path) -> Result<String, FleetFileError> {
        let bytes =
            file::read(path, fleet::bounds::LARGEST).map_err(FleetFileError::io("read", path))?;
        String::from_utf8(bytes).map_err(|error| {
            let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            FleetFileError::NotText {
                path: path.display().to_string(),
                line: good.iter().filter(|byte| **byte == b'\n').count() + 1,
            }
        })
    }

    /// Reads and loads it; also says what is doubtful about it.
    ///
    /// # Errors
    /// It cannot be read, or not be used as it is.
    pub fn load(path: &Path) -> Result<(FleetFile, Vec<Finding>), FleetFileError> {
        FleetFile::of(path, FleetFile::read(path)?)
    }

    /// The same for a text that was read already.
    ///
    /// # Errors
    /// It cannot be used as it is.
    pub fn of(path: &Path, source: String) -> Result<(FleetFile, Vec<Finding>), FleetFileError> {
        let path = path.to_owned();
        match fleet::load(&source, &path) {
            Ok(loaded) => {
                let fleet = Arc::new(loaded.fleet);
                Ok((
                    FleetFile {
                        path,
                        source,
                        fleet,
                    },
                    loaded.warnings,
                ))
            }
            Err(findings) => Err(FleetFileError::Broken {
                path,
                text: source,
                findings,
            }),
        }
    }

    /// The folder it is in: where relative paths in it start.
    pub fn folder(&self) -> PathBuf {
        folder_of(&self.path)
    }

    /// Where the bytes of its secrets come from, as far as it is trusted.
    pub fn secrets(&self, trust: &Trust) -> Arc<Sources> {
        Arc::new(Sources {
            folder: self.folder(),
            file: Some(self.path.clone()),
            trust: trust.clone(),
        })
    }
}

/// The folder of a file, also where its path is but a name. What comes out of a pipe, or from where
/// only this process has it (`/dev/stdin`), is in none: then it is the working directory.
pub fn folder_of(path: &Path) -> PathBuf {
    let passing = ["/dev", "/proc"].iter().any(|of| path.starts_with(of));
    if passing || fs::metadata(path).is_ok_and(|meta| !meta.is_file() && !meta.is_dir()) {
        return PathBuf::from(".");
    }
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
        _ => PathBuf::from("."),
    }
}

/// Makes sure that the content of `path` still is `before`. A pipe cannot be read twice: it is taken
/// to be.
///
/// # Errors
/// It is not, or it cannot be read any more.
pub fn unchanged(path: &Path, before: &[u8]) -> Result<(), FleetFileError> {
    let io = || FleetFileError::io("read", path);
    let is_file = fs::metadata(path).map_err(io())?.is_file();
    if is_file && !still(path, before).map_err(io())? {
        return Err(FleetFileError::Moved {
            path: path.display().to_string(),
        });
    }
    Ok(())
}

/// Replaces the content of `path` by `after`, when it still is `before`. Mode and, where allowed,
/// owner stay; a symbolic link stays one and its target is replaced. On return the file is on disk.
pub fn write(path: &Path, before: &[u8], after: &[u8]) -> Result<(), FleetFileError> {
    let io = |what| FleetFileError::io(what, path);
    let target = fs::canonicalize(path).map_err(io("find"))?;
    if !still(&target, before).map_err(io("read"))? {
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
    if !still(&target, before).map_err(io("read"))? {
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

/// Whether that is what is in the file.
fn still(path: &Path, before: &[u8]) -> std::io::Result<bool> {
    match file::read(path, before.len()) {
        Ok(now) => Ok(now == before),
        Err(error) if error.kind() == ErrorKind::FileTooLarge => Ok(false),
        Err(error) => Err(error),
    }
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
    fn a_pipe_is_in_the_working_directory() {
        let dir = tempfile::tempdir().unwrap();
        let here = PathBuf::from(".");
        for path in ["/dev/fd/63", "/dev/stdin", "/proc/self/fd/0", "fleet.yml"] {
            assert_eq!(folder_of(Path::new(path)), here, "{path}");
        }
        let path = dir.path().join("fleet.yml");
        assert_eq!(folder_of(&path), dir.path());
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(made.unwrap().success());
        assert_eq!(folder_of(&path), here);
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

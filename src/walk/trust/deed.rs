//! What leave is asked for: a command as it is now, or a file that is none of the fleet file's own.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::exposed::{Exposed, exposed, word};
use crate::file;
use crate::fleet::{SecretSpec, file_hash};
use crate::text::line;

/// Where programs are looked for when `PATH` says nothing.
const PROGRAMS: &str = "/bin:/usr/bin";

/// What may be said yes to, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Deed {
    /// A command is run.
    Run {
        /// Where it runs.
        folder: PathBuf,
        /// Program and arguments.
        command: Vec<String>,
        /// SHA-256 of the files below the folder that its words name, by their paths from there:
        /// who writes the words writes them, too.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        files: BTreeMap<PathBuf, String>,
    },
    /// A file elsewhere is read.
    Read {
        /// The fleet file's folder.
        folder: PathBuf,
        /// The file, links resolved.
        file: PathBuf,
        /// The site that it goes to, or the key of the fleet file, as [`crate::fleet::Source::of`].
        site: String,
    },
}

impl Deed {
    /// What there has to be leave for before this source of a site is read; none: nothing.
    ///
    /// # Errors
    /// Why it is not read at all: others can write what would be read or run.
    pub(super) fn of(folder: &Path, site: &str, spec: &SecretSpec) -> Result<Option<Deed>, String> {
        match spec {
            SecretSpec::Kept => Ok(None),
            SecretSpec::File(path) => Deed::read(&real(folder), &folder.join(path), site),
            SecretSpec::Command(command) => Deed::run(folder, command).map(Some),
        }
    }

    fn read(folder: &Path, path: &Path, site: &str) -> Result<Option<Deed>, String> {
        if fs::metadata(path).is_err() {
            // Reading it says why it cannot be read.
            return Ok(None);
        }
        if let Some(exposed) = exposed(path) {
            return Err(format!(
                "its file is not read: {exposed}; {}",
                exposed.remedy
            ));
        }
        let file = real(path);
        Ok((!file.starts_with(folder)).then(|| Deed::Read {
            folder: folder.to_owned(),
            file,
            site: site.to_owned(),
        }))
    }

    fn run(folder: &Path, command: &[String]) -> Result<Deed, String> {
        let not = |why: String| format!("its command is not run: {why}");
        let safe = |path: &Path| match exposed(path) {
            None => Ok(()),
            Some(exposed) => Err(not(format!("{exposed}; {}", exposed.remedy))),
        };
        if let Some(program) = command.first().and_then(|name| program(folder, name)) {
            safe(&program)?;
        }
        let folder = real(folder);
        let mut files = BTreeMap::new();
        for word in command {
            let path = folder.join(word);
            if !fs::metadata(&path).is_ok_and(|meta| meta.is_file()) {
                continue;
            }
            let target = real(&path);
            let name = match (target.strip_prefix(&folder), path.strip_prefix(&folder)) {
                (Ok(below), _) => below,
                // A link of the folder's to somewhere else.
                (_, Ok(below)) if is_straight(below) => below,
                _ => continue,
            };
            safe(&path)?;
            let bytes = file::read(&target, file::LIST).map_err(|error| {
                let path = line(&path.display().to_string());
                not(format!("whether {path} is the same is not known: {error}"))
            })?;
            files.insert(name.to_owned(), file_hash(&bytes));
        }
        Ok(Deed::Run {
            folder,
            command: command.to_vec(),
            files,
        })
    }

    /// What it is in words, without anything for a terminal.
    pub(super) fn shown(&self) -> String {
        match self {
            Deed::Run { command, .. } => {
                let words: Vec<String> = command.iter().map(|it| word(it)).collect();
                format!("`{}`", words.join(" "))
            }
            Deed::Read { file, .. } => word(&file.display().to_string()),
        }
    }

    /// Leave for it, and what a yes means, as a question: `leave to run …`. `doubt`: why a yes is
    /// not kept.
    pub(super) fn asked(&self, doubt: Option<&Exposed>) -> String {
        let shown = self.shown();
        let (leave, run, whenever) = match self {
            Deed::Run { folder, .. } => {
                let folder = line(&folder.display().to_string());
                let leave = format!("leave to run {shown} on this machine, in {folder}");
                (leave, "run", "it is the same")
            }
            Deed::Read { site, .. } => {
                // No site's name has a dot.
                let (site, whenever) = match site.contains('.') {
                    true => (site.clone(), "the fleet file wants it so"),
                    false => (format!("site {site}"), "that site is to have it"),
                };
                (
                    format!("leave to read {shown} for {site}"),
                    "read",
                    whenever,
                )
            }
        };
        match doubt {
            None => format!("{leave}. Type yes to {run} it now and whenever {whenever}"),
            Some(doubt) => format!(
                "{leave}. Yes is not kept, nor counts one of before: {doubt} ({}). Type yes to {run} it in this run",
                doubt.remedy
            ),
        }
    }
}

/// Where a path leads. What no path leads to, such as a pipe, is where it is named.
fn real(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

fn is_straight(path: &Path) -> bool {
    path.components()
        .all(|part| matches!(part, Component::Normal(_)))
}

/// The program that a name starts in a folder, as execvp(3) finds it.
fn program(folder: &Path, name: &str) -> Option<PathBuf> {
    if name.contains('/') {
        return Some(folder.join(name)).filter(|path| path.exists());
    }
    let path = std::env::var_os("PATH").unwrap_or_else(|| OsString::from(PROGRAMS));
    let found = std::env::split_paths(&path).map(|place| folder.join(place).join(name));
    let runs = |path: &PathBuf| {
        fs::metadata(path).is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0)
    };
    found.filter(|_| !name.is_empty()).find(runs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_where_it_would_be_started() {
        let folder = tempfile::tempdir().unwrap();
        let found = |name| program(folder.path(), name);
        assert!(found("sh").unwrap().is_absolute());
        assert_eq!(found("no-such-program-anywhere"), None);
        assert_eq!(found(""), None);
        assert_eq!(found("./tell"), None);
        fs::write(folder.path().join("tell"), "").unwrap();
        assert_eq!(found("./tell"), Some(folder.path().join("./tell")));
    }
}

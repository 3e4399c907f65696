//! Programs that keep credentials: `docker-credential-NAME get`, the registry on its standard input.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use tokio::process::Command;
use zeroize::Zeroizing;

use super::{Credentials, Shown};
use crate::file::program::{self, ProgramError};

/// Longest time that one may take: it may ask for a passphrase in a window of its own.
const LIMIT: Duration = Duration::from_secs(60);
/// Most that one may answer, bytes.
const MOST: usize = 64 << 10;
/// What one answers that knows nothing of a registry, with an exit code that is none of success.
const UNKNOWN: &str = "credentials not found in native keychain";
/// The name of who logs in by a token.
const BY_TOKEN: &str = "<token>";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Kept<'a> {
    #[serde(borrow, default)]
    username: std::borrow::Cow<'a, str>,
    #[serde(borrow, default)]
    secret: std::borrow::Cow<'a, str>,
}

/// Asks one about a registry; `None`: it knows nothing of it.
pub(super) async fn ask(name: &str, key: &str) -> Result<Option<Credentials>, String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let program = find(name, &path)?;
    let mut command = Command::new(program);
    command.arg("get").current_dir("/");
    let said = match program::answer(command, key.as_bytes(), MOST, LIMIT).await {
        Err(ProgramError::Stopped) => {
            return Err("it asks at the terminal, which is not its own here".to_owned());
        }
        said => said.map_err(|error| error.to_string())?,
    };
    let bytes = Zeroizing::new(said.bytes);
    if !said.status.success() {
        // What else it prints is the operator's to see: it may hold what it should not.
        let answer = bytes.trim_ascii();
        return match answer == UNKNOWN.as_bytes() {
            true => Ok(None),
            false => Err(format!("it ended with {}", said.status)),
        };
    }
    let kept = serde_json::from_slice::<Kept>(&bytes);
    let kept = kept.map_err(|_| "its answer is not as Docker reads it".to_owned())?;
    if kept.secret.is_empty() {
        return Ok(None);
    }
    let shown = match &*kept.username {
        BY_TOKEN => Shown {
            identitytoken: &kept.secret,
            serveraddress: key,
            ..Shown::default()
        },
        username => Shown {
            username,
            password: &kept.secret,
            serveraddress: key,
            ..Shown::default()
        },
    };
    Ok(Credentials::of(&shown))
}

/// The program, in one of the folders of `path` that do not depend on where we are.
fn find(name: &str, path: &std::ffi::OsStr) -> Result<PathBuf, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) || !name.chars().all(plain) {
        return Err("that is not the name of a program".to_owned());
    }
    let program = format!("docker-credential-{name}");
    let runs = |path: &PathBuf| {
        let meta = std::fs::metadata(path);
        meta.is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    };
    std::env::split_paths(path)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(&program))
        .find(runs)
        .ok_or_else(|| "there is no such program in PATH".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsString;

    #[test]
    fn only_names_are_looked_for_and_only_in_folders_of_path() {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("docker-credential-x");
        std::fs::write(&program, "#!/bin/sh\n").unwrap();
        let mode = |mode| {
            let permissions = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(&program, permissions).unwrap();
        };
        let path = OsString::from(dir.path());
        mode(0o644);
        assert!(find("x", &path).is_err());
        mode(0o755);
        assert_eq!(find("x", &path).as_ref(), Ok(&program));
        for wrong in ["../x", "/bin/sh", "", ".x", "a b", "x\n", "x/../x"] {
            assert_eq!(
                find(wrong, &path).unwrap_err(),
                "that is not the name of a program",
                "{wrong:?}"
            );
        }
        assert!(find("x", &OsString::from(".:relative:")).is_err());
    }
}

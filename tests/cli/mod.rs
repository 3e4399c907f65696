//! Runs the real binary, far from the developer's own files and environment.

#![allow(dead_code)] // every test binary takes what it needs of this

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// How a run ended.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    /// Standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out)
            .unwrap_or_else(|e| panic!("not JSON: {e}\n{}\n{}", self.out, self.err))
    }
}

/// The binary with an empty home and none of the variables it listens to.
pub fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ostler"));
    command
        .current_dir(folder)
        .env("HOME", folder)
        .env("XDG_CONFIG_HOME", folder.join("config"))
        .env("XDG_STATE_HOME", folder.join("state"))
        .env("XDG_DATA_HOME", folder.join("data"))
        .stdin(Stdio::null());
    for name in [
        "OSTLER_FLEET",
        "OSTLER_READ_ONLY",
        "NO_COLOR",
        "DOCKER_HOST",
        "DOCKER_CONTEXT",
        "DOCKER_CONFIG",
        "DOCKER_TLS_VERIFY",
        "DOCKER_CERT_PATH",
        "OSTLER_SSH_CONFIG",
    ] {
        command.env_remove(name);
    }
    command
}

/// Lets nobody else write there, whatever new files are given: else its fleet file names no secrets.
pub fn keep_to_us(folder: &Path) {
    for (path, mode) in [
        (folder.to_owned(), 0o700),
        (folder.join("fleet.yml"), 0o600),
    ] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
}

/// Runs in an empty folder.
pub fn ostler(arguments: &[&str]) -> Ran {
    let folder = tempfile::tempdir().unwrap();
    ostler_in(folder.path(), arguments)
}

/// Runs in a folder.
pub fn ostler_in(folder: &Path, arguments: &[&str]) -> Ran {
    run(command(folder).args(arguments))
}

/// Runs to the end.
pub fn run(command: &mut Command) -> Ran {
    let ended = command.output().unwrap();
    Ran {
        code: ended.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&ended.stdout).into_owned(),
        err: String::from_utf8_lossy(&ended.stderr).into_owned(),
    }
}

//! Git, asked about the fleet file. Looking runs no program of somebody else's: a repository's own
//! configuration and attributes name programs (a file system monitor, hooks, filters, pagers, how to
//! fetch what is missing), and whoever wrote the repository wrote them. What the operator asks for, a
//! commit, runs as git would run it.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use crate::file::program;
use crate::fleet::bounds;

/// Longest time a question to git may take.
pub(super) const ASK: Duration = Duration::from_secs(5);

/// Git as the operator would call it, hooks and all, in a folder; nothing of it asks on the
/// terminal.
pub(super) fn git(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new("git");
    command
        .arg("-C")
        .arg(folder)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        // Nothing of it may ask on the terminal that the console has.
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_EDITOR", "true")
        .env_remove("GPG_TTY")
        .process_group(0)
        .kill_on_drop(true);
    command
}

/// Git for looking only. Asked are commands that read objects and the index and nothing of the
/// working tree, so that no filter is needed.
fn looking(folder: &Path, args: &[&str]) -> Command {
    const QUIET: [&str; 7] = [
        "--no-pager",
        "-c",
        "core.fsmonitor=false",
        "-c",
        "core.hooksPath=/dev/null",
        "-c",
        // A folder inside of a repository that looks like a repository itself is none.
        "safe.bareRepository=explicit",
    ];
    let args: Vec<&str> = QUIET.iter().chain(args).copied().collect();
    let mut command = git(folder, &args);
    command
        .env("GIT_OPTIONAL_LOCKS", "0")
        // What a partial clone lacks is not fetched: not by newer gits, nor over any protocol.
        .env("GIT_NO_LAZY_FETCH", "1")
        .env("GIT_ALLOW_PROTOCOL", "none");
    command
}

/// Standard output of a question to git; `None`: no git, no repository, a no, no answer in time, or
/// more than a fleet file may be.
pub(super) async fn ask(folder: &Path, args: &[&str]) -> Option<Vec<u8>> {
    let out = program::output(looking(folder, args), bounds::LARGEST, ASK).await;
    let out = out.ok()?;
    out.status.success().then_some(out.bytes)
}

#[cfg(test)]
mod tests;

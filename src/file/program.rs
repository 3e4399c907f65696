//! Programs run on the operator's machine, with a bound on what they print and how long they take.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

/// How often it is looked whether a program stands still.
const LOOK: Duration = Duration::from_millis(200);

/// What a program printed, and how it ended.
pub struct Said {
    pub status: ExitStatus,
    /// Its standard output.
    pub bytes: Vec<u8>,
}

/// Why what a program printed cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// It was not started.
    #[error("it cannot be run: {0}")]
    Start(io::Error),
    /// It printed more than it may.
    #[error("it prints more than {0} bytes")]
    TooMuch(usize),
    /// It took longer than it may.
    #[error("it did not end within {} s", .0.as_secs())]
    Late(Duration),
    /// It was stopped, as the terminal stops programs that run in the background.
    #[error("it stands still: it asks at the terminal, which is not its own here")]
    Stopped,
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Runs a program to its end: without input, its error output thrown away. It gets a process group
/// of its own, which is killed when the program prints more than `most` bytes or takes longer than
/// `limit`, when nobody waits for it any more, and when we end, however that may be.
///
/// # Errors
/// It could not be run to its end; how it ended is in the answer.
pub async fn output(command: Command, most: usize, limit: Duration) -> Result<Said, ProgramError> {
    run(command, None, most, limit).await
}

/// As [`output`], with a few bytes for its standard input.
///
/// # Errors
/// As [`output`].
pub async fn answer(
    command: Command,
    input: &[u8],
    most: usize,
    limit: Duration,
) -> Result<Said, ProgramError> {
    run(command, Some(input), most, limit).await
}

async fn run(
    mut command: Command,
    input: Option<&[u8]>,
    most: usize,
    limit: Duration,
) -> Result<Said, ProgramError> {
    let mut group = Group::new().map_err(ProgramError::Start)?;
    let stdin = match input {
        Some(_) => Stdio::piped(),
        None => Stdio::null(),
    };
    let mut child = command
        .stdin(stdin)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(group.id.as_raw_nonzero().get())
        .kill_on_drop(true)
        .spawn()
        .map_err(ProgramError::Start)?;
    let id = child
        .id()
        .and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    let run = async {
        if let (Some(mut stdin), Some(input)) = (stdin, input) {
            // One that does not read it may still answer.
            let _ = stdin.write_all(input).await;
        }
        let mut bytes = Vec::new();
        if let Some(stdout) = stdout {
            let mut stdout = stdout.take(most as u64 + 1);
            stdout.read_to_end(&mut bytes).await?;
        }
        if bytes.len() > most {
            return Err(ProgramError::TooMuch(most));
        }
        let status = child.wait().await?;
        Ok(Said { status, bytes })
    };
    let said = tokio::select! {
        said = tokio::time::timeout(limit, run) => said.map_err(|_| ProgramError::Late(limit))??,
        () = stands_still(id) => return Err(ProgramError::Stopped),
    };
    // What it left running is meant to run on.
    group.spared = true;
    Ok(said)
}

/// Comes to its end when the terminal, or anybody, has stopped the program.
async fn stands_still(id: Option<Pid>) {
    let about = WaitIdOptions::STOPPED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    loop {
        tokio::time::sleep(LOOK).await;
        match id.map(|id| waitid(WaitId::Pid(id), about)) {
            Some(Ok(Some(_))) => return,
            Some(Ok(None)) => {}
            // It has ended.
            _ => std::future::pending().await,
        }
    }
}

/// A process group. Its first process waits for us to end, and then kills the others.
struct Group {
    first: Child,
    id: Pid,
    spared: bool,
}

impl Group {
    fn new() -> io::Result<Group> {
        let mut first = std::process::Command::new("sh")
            .args(["-c", "read -r _; kill -KILL 0"])
            // Nobody writes to it: it ends with us.
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        match i32::try_from(first.id()).ok().and_then(Pid::from_raw) {
            Some(id) => Ok(Group {
                first,
                id,
                spared: false,
            }),
            None => {
                let _ = first.kill();
                Err(io::Error::other("it has no number"))
            }
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // They may have ended by themselves.
        let _ = match self.spared {
            true => self.first.kill(),
            false => kill_process_group(self.id, Signal::KILL).map_err(io::Error::from),
        };
        let _ = self.first.wait();
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn sh(script: &str, folder: &Path) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]).current_dir(folder);
        command
    }

    /// Waits for the number of the script's child.
    async fn child(folder: &Path) -> String {
        loop {
            match std::fs::read_to_string(folder.join("child")) {
                Ok(text) if text.ends_with('\n') => return text.trim().to_owned(),
                _ => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    }

    /// Waits until a process is no more.
    async fn gone(id: &str) {
        loop {
            // `1 (sleep) Z …`: nobody has asked how it ended.
            match std::fs::read_to_string(format!("/proc/{id}/stat")) {
                Ok(stat) if !stat.contains(") Z ") => {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                _ => break,
            }
        }
    }

    const CHILD: &str = "sleep 1000 & echo $! > child";

    #[tokio::test]
    async fn what_prints_without_end_is_killed_with_its_children() {
        let dir = tempfile::tempdir().unwrap();
        let endless = sh(&format!("{CHILD}; exec yes"), dir.path());
        let error = output(endless, 1 << 20, Duration::from_secs(600)).await;
        assert!(matches!(error, Err(ProgramError::TooMuch(n)) if n == 1 << 20));
        gone(&child(dir.path()).await).await;
    }

    #[tokio::test]
    async fn what_does_not_end_is_killed_with_its_children() {
        let dir = tempfile::tempdir().unwrap();
        let silent = sh(&format!("{CHILD}; wait"), dir.path());
        let waiting = tokio::spawn(output(silent, 9, Duration::from_secs(600)));
        let id = child(dir.path()).await;
        // As in ten minutes, and as when nobody waits for it any more.
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(601)).await;
        tokio::time::resume();
        assert!(matches!(waiting.await, Ok(Err(ProgramError::Late(_)))));
        gone(&id).await;
        let dir = tempfile::tempdir().unwrap();
        let silent = sh(&format!("{CHILD}; wait"), dir.path());
        let waiting = tokio::spawn(output(silent, 9, Duration::from_secs(600)));
        let id = child(dir.path()).await;
        waiting.abort();
        gone(&id).await;
    }

    #[tokio::test]
    async fn the_group_ends_with_us() {
        let dir = tempfile::tempdir().unwrap();
        let mut group = Group::new().unwrap();
        let _child = sh(&format!("{CHILD}; wait"), dir.path())
            .process_group(group.id.as_raw_nonzero().get())
            .spawn()
            .unwrap();
        let id = child(dir.path()).await;
        // As when we are killed: the pipe has no end on our side.
        drop(group.first.stdin.take());
        gone(&id).await;
    }

    #[tokio::test]
    async fn what_is_given_to_it_has_an_end() {
        let dir = tempfile::tempdir().unwrap();
        let limit = Duration::from_secs(600);
        let said = answer(sh("cat", dir.path()), b"registry.example", 99, limit).await;
        assert_eq!(said.ok().unwrap().bytes, b"registry.example");
        let said = answer(sh("echo deaf", dir.path()), b"x", 99, limit).await;
        assert_eq!(said.ok().unwrap().bytes, b"deaf\n");
    }

    #[tokio::test]
    async fn what_stands_still_is_not_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let asks = sh("kill -STOP $$", dir.path());
        let error = output(asks, 9, Duration::from_secs(600)).await;
        assert!(matches!(error, Err(ProgramError::Stopped)));
    }

    #[tokio::test]
    async fn what_it_left_running_runs_on() {
        let dir = tempfile::tempdir().unwrap();
        let script = format!("{} ; echo out", CHILD.replace("1000", "1000 >/dev/null"));
        let said = output(sh(&script, dir.path()), 9, Duration::from_secs(600)).await;
        let said = said.ok().unwrap();
        assert!(said.status.success() && said.bytes == b"out\n");
        let id = child(dir.path()).await;
        let id = Pid::from_raw(id.parse().unwrap()).unwrap();
        rustix::process::kill_process(id, Signal::KILL).unwrap();
    }
}

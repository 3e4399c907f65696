//! One running `ssh` with its folder: both are gone when this is dropped.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tokio::sync::Notify;

use crate::engine::transport::ssh::line::one_line;

/// Name of the socket in the folder.
pub(super) const SOCKET: &str = "s";
/// Name of its control socket there.
pub(super) const CONTROL: &str = "c";
/// Lines that are kept.
const LINES: usize = 40;
const PREFIX: &str = "ostler-ssh-";

/// A running `ssh`.
pub(super) struct Process {
    inner: Arc<Inner>,
    folder: PathBuf,
}

struct Inner {
    child: Mutex<Option<Child>>,
    words: Mutex<Words>,
    /// Told when ssh has nothing more to say.
    silent: Notify,
}

#[derive(Default)]
struct Words {
    lines: VecDeque<String>,
    count: usize,
}

impl Process {
    /// Starts it; `folder` is removed with it.
    pub(super) fn start(
        program: &str,
        arguments: Vec<OsString>,
        folder: PathBuf,
    ) -> std::io::Result<Process> {
        let process = Process {
            inner: Arc::new(Inner {
                child: Mutex::new(None),
                words: Mutex::default(),
                silent: Notify::new(),
            }),
            folder,
        };
        let (sender, started) = std::sync::mpsc::sync_channel(1);
        let (inner, program) = (process.inner.clone(), program.to_owned());
        // The kernel ends a child with the *thread* that started it; this one lives as long as ssh.
        std::thread::Builder::new()
            .name("ssh".to_owned())
            .spawn(move || {
                let stderr = spawn(&program, &arguments).map(|mut child| {
                    let stderr = child.stderr.take();
                    *lock(&inner.child) = Some(child);
                    stderr
                });
                let (answer, stderr) = match stderr {
                    Ok(stderr) => (Ok(()), stderr),
                    Err(error) => (Err(error), None),
                };
                // Nobody waits any more: it was dropped, and ssh with it.
                let _ = sender.send(answer);
                if let Some(stderr) = stderr {
                    inner.listen(stderr);
                }
                inner.silent.notify_waiters();
                inner.silent.notify_one();
            })?;
        started
            .recv()
            .map_err(|_| std::io::Error::other("the thread for ssh ended"))??;
        Ok(process)
    }

    /// Our end of the forwarded socket.
    pub(super) fn socket(&self) -> PathBuf {
        self.folder.join(SOCKET)
    }

    /// Our end of a forwarded port.
    pub(super) fn port(&self, port: u16) -> PathBuf {
        self.folder.join(format!("p{port}"))
    }

    /// Whether it runs no more.
    pub(super) fn ended(&self) -> bool {
        match &mut *lock(&self.inner.child) {
            Some(child) => !matches!(child.try_wait(), Ok(None)),
            None => true,
        }
    }

    /// Waits until all that an ended ssh said was read.
    pub(super) async fn heard(&self) {
        // A program that it left behind may hold its standard error open.
        let all = self.inner.silent.notified();
        let _ = tokio::time::timeout(Duration::from_millis(500), all).await;
    }

    /// How many lines it said.
    pub(super) fn count(&self) -> usize {
        lock(&self.inner.words).count
    }

    /// The last lines it said.
    pub(super) fn words(&self) -> Vec<String> {
        lock(&self.inner.words).lines.iter().cloned().collect()
    }

    /// What it said after its first `count` lines, as far as that is kept.
    pub(super) fn words_since(&self, count: usize) -> Vec<String> {
        let words = lock(&self.inner.words);
        let new = words.count.saturating_sub(count).min(words.lines.len());
        words
            .lines
            .iter()
            .skip(words.lines.len() - new)
            .cloned()
            .collect()
    }

    /// Its process id, while it runs.
    #[cfg(test)]
    pub(super) fn id(&self) -> Option<u32> {
        lock(&self.inner.child).as_ref().map(Child::id)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(child) = &mut *lock(&self.inner.child)
            && let Ok(None) = child.try_wait()
        {
            // Not SIGKILL: it has a ProxyCommand to end and a socket to remove.
            if let Some(id) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
                // It may end by itself at this moment.
                let _ = kill_process(id, Signal::TERM);
            }
        }
        // What cannot be removed is removed by a later run.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Inner {
    /// Keeps what ssh says until it ends.
    fn listen(&self, stderr: ChildStderr) {
        let mut stderr = BufReader::new(stderr);
        loop {
            let mut line = Vec::new();
            match (&mut stderr).take(4096).read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => break,
                Ok(_) => {}
            }
            let line = one_line(&String::from_utf8_lossy(&line));
            if line.is_empty() || line.starts_with("Pseudo-terminal") {
                continue;
            }
            let mut words = lock(&self.words);
            words.count += 1;
            words.lines.push_back(line);
            if words.lines.len() > LINES {
                words.lines.pop_front();
            }
        }
        // It has closed its standard error: it is ending, and would stay a zombie.
        if let Some(child) = &mut *lock(&self.child) {
            let _ = child.wait();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn spawn(program: &str, arguments: &[OsString]) -> std::io::Result<Child> {
    let mut command = match dies_with_us() {
        true => {
            let mut command = Command::new("setpriv");
            command.args(["--pdeathsig", "TERM", "--", program]);
            command
        }
        false => Command::new(program),
    };
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        // Ctrl-C is for us: an apply that is asked to stop still needs its connection.
        .process_group(0)
        .spawn()
}

/// Whether there is a program that lets a child end with us, also when we are killed.
fn dies_with_us() -> bool {
    static FOUND: OnceLock<bool> = OnceLock::new();
    *FOUND.get_or_init(|| {
        Command::new("setpriv")
            .args(["--pdeathsig", "TERM", "--", "true"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    })
}

/// Makes a folder for one socket, which only we may enter, and removes those of runs that were
/// killed.
pub(super) fn folder() -> std::io::Result<PathBuf> {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let runtime = runtime.filter(|dir| dir.is_absolute() && dir.is_dir());
    folder_in(&runtime.unwrap_or_else(std::env::temp_dir))
}

fn folder_in(parent: &Path) -> std::io::Result<PathBuf> {
    sweep(parent);
    let mut random = [0u8; 6];
    getrandom::fill(&mut random).map_err(|error| std::io::Error::other(error.to_string()))?;
    let random = hex::encode(random);
    let folder = parent.join(format!("{PREFIX}{}-{random}", std::process::id()));
    // Fails when it is there already, whoever made it.
    std::fs::DirBuilder::new().mode(0o700).create(&folder)?;
    Ok(folder)
}

fn sweep(parent: &Path) {
    use std::os::unix::fs::MetadataExt;
    let ours = rustix::process::getuid().as_raw();
    let Ok(entries) = std::fs::read_dir(parent) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let of = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
        let id = of.and_then(|rest| rest.split('-').next()?.parse().ok());
        let Some(id) = id.and_then(Pid::from_raw) else {
            continue;
        };
        let is_ours = entry
            .metadata()
            .is_ok_and(|meta| meta.is_dir() && meta.uid() == ours);
        if is_ours && test_kill_process(id) == Err(rustix::io::Errno::SRCH) {
            // Another run may sweep too.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn folders_are_ours_alone_and_do_not_pile_up() {
        let parent = tempfile::tempdir().unwrap();
        // No process has this number.
        let left = parent.path().join(format!("{PREFIX}{}-0", i32::MAX));
        let other = parent.path().join("ostler-other");
        for dir in [&left, &other] {
            std::fs::create_dir(dir).unwrap();
        }
        let folder = folder_in(parent.path()).unwrap();
        let mode = std::fs::metadata(&folder).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        assert!(!left.exists() && other.exists());
        let second = folder_in(parent.path()).unwrap();
        assert!(folder.exists() && second != folder);
    }
}

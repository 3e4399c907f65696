//! What `ssh -G` prints.

use std::collections::HashMap;
use std::io::Read;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::engine::transport::ssh::line::one_line;
use crate::engine::transport::ssh::options::SshOptions;
use crate::engine::transport::ssh::trouble::Trouble;

/// Longest time that `ssh -G` may take: a Match may run programs, a canonical name ask the DNS.
pub(super) const LIMIT: Duration = Duration::from_secs(10);
/// Most bytes that it may print.
const MOST: u64 = 1 << 20;

/// Keys in lower case with their values, in the order of the file.
#[derive(Debug, Default)]
pub(super) struct Dump {
    lines: HashMap<String, Vec<String>>,
    /// Nothing was read: these are defaults.
    pub(super) defaults: bool,
}

impl Dump {
    pub(super) fn parse(text: &str) -> Dump {
        let mut dump = Dump::default();
        for line in text.lines() {
            let (key, value) = line.split_once(' ').unwrap_or((line, ""));
            let values = dump.lines.entry(key.to_ascii_lowercase()).or_default();
            values.push(value.trim().to_owned());
        }
        dump
    }

    pub(super) fn without_ssh(lines: HashMap<String, Vec<String>>) -> Dump {
        Dump {
            lines,
            defaults: true,
        }
    }

    pub(super) fn all(&self, key: &str) -> impl Iterator<Item = &str> {
        self.lines
            .get(key)
            .into_iter()
            .flatten()
            .map(String::as_str)
    }

    pub(super) fn one(&self, key: &str) -> Option<&str> {
        self.all(key).find(|value| !value.is_empty())
    }

    /// Of a key that may also be `none`.
    pub(super) fn set(&self, key: &str) -> Option<&str> {
        self.one(key)
            .filter(|value| !value.eq_ignore_ascii_case("none"))
    }

    pub(super) fn flag(&self, key: &str, default: bool) -> bool {
        match self.one(key) {
            Some("yes" | "true") => true,
            Some("no" | "false") => false,
            // Words between yes and no, such as `unbound`, allow.
            Some(_) => true,
            None => default,
        }
    }

    pub(super) fn seconds(&self, key: &str) -> Option<Duration> {
        let seconds: u64 = self.set(key)?.parse().ok()?;
        (seconds > 0).then(|| Duration::from_secs(seconds))
    }
}

/// Paths that stand in one line. `ssh -G` prints them without the quotes that part them: what does
/// not begin as a path does belongs to the one before.
pub(super) fn paths(line: &str) -> Vec<String> {
    let mut paths: Vec<String> = Vec::new();
    for word in line.split(' ') {
        let begins = word.starts_with(['/', '~', '%', '$']) || paths.is_empty();
        match paths.last_mut() {
            Some(last) if !begins => {
                last.push(' ');
                last.push_str(word);
            }
            _ => paths.push(word.to_owned()),
        }
    }
    paths.retain(|path| !path.is_empty() && path != "none");
    paths
}

/// Asks `ssh` what its configuration says about a host. `None`: there is no such program.
///
/// # Errors
/// [`Trouble::Config`] when ssh refuses the configuration, in its words; others when it could not
/// be asked now.
pub(super) fn ask(
    program: &str,
    limit: Duration,
    options: &SshOptions,
    user: Option<&str>,
    host: &str,
    port: Option<u16>,
) -> Result<Option<Dump>, Trouble> {
    let failed = |why: String| Trouble::Program { why };
    let mut command = Command::new(program);
    command.arg("-G");
    if let Some(file) = &options.config {
        command.arg("-F").arg(file);
    }
    if let Some(user) = user {
        command.args(["-l", user]);
    }
    if let Some(port) = port {
        command.args(["-p", &port.to_string()]);
    }
    command.arg("--").arg(host);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(format!("it cannot be started: {error}"))),
    };
    let (sender, receiver) = mpsc::channel();
    let read = |pipe: Option<Box<dyn Read + Send>>, which: bool| {
        let sender = sender.clone();
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            if let Some(pipe) = pipe {
                // What was read before an error counts. What prints more is left to its deadline.
                let _ = pipe.take(MOST).read_to_end(&mut bytes);
            }
            let _ = sender.send((which, bytes));
        })
    };
    read(child.stdout.take().map(|pipe| Box::new(pipe) as _), true);
    read(child.stderr.take().map(|pipe| Box::new(pipe) as _), false);
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let end = Instant::now() + limit;
    for _ in 0..2 {
        match receiver.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok((true, bytes)) => out = bytes,
            Ok((false, bytes)) => err = bytes,
            Err(_) => {
                // It may have ended by itself meanwhile.
                let _ = child.kill();
                let _ = child.wait();
                return Err(Trouble::TimedOut {
                    what: format!("`{program} -G {host}` (a Match exec?)"),
                    after: limit,
                });
            }
        }
    }
    let status = child.wait().map_err(|error| failed(error.to_string()))?;
    if status.code().is_none() {
        return Err(failed(format!("`{program} -G` ended with {status}")));
    }
    if !status.success() {
        let words = String::from_utf8_lossy(&err);
        let lines: Vec<&str> = words.lines().filter(|l| !is_noise(l)).collect();
        let why = match lines.as_slice() {
            [] => format!("`{program} -G` ended with {status}"),
            lines => one_line(&lines.join("; ")),
        };
        return Err(Trouble::Config { why });
    }
    Ok(Some(Dump::parse(&String::from_utf8_lossy(&out))))
}

fn is_noise(line: &str) -> bool {
    line.trim().is_empty() || line.starts_with("Pseudo-terminal")
}

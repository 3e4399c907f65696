//! `via: openssh`: the system's `ssh` forwards the engine's socket to one of ours.
//!
//! One `ssh` per host, started by the first connection, kept for the run, started anew by the next
//! connection when it ended. It asks nothing (`BatchMode`): what it needs is in its configuration
//! and the agent. The local socket lies in a folder that only we may enter.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::Path;
use std::pin::Pin;
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::UnixStream;
use tokio::time::{Instant, Sleep, sleep, timeout};

use super::joint::Joint;
use super::options::SshOptions;
use super::port::{self, Ports};
use super::trouble::Trouble;
use crate::engine::error::{Error, Result};
use crate::engine::transport::connector::{Connector, Failure, NoPort, Reached};

mod process;

use process::Process;

/// How long `ssh` may take until its socket is there.
const LIMIT: Duration = Duration::from_secs(20);
/// How often it is looked for: ssh does not tell when it is there.
const LOOK: Duration = Duration::from_millis(20);
/// How long after a connection was closed ssh may take to have said why, at most.
const WORDS: Duration = Duration::from_secs(1);

/// How long `ssh` may take to do as it is told by its control socket.
const ASK: Duration = Duration::from_secs(4);
/// Bytes of the control socket's path: ssh adds 17 of its own, and ends where there is no room.
const CONTROL: usize = 86;

/// The socket of an engine whose address names none.
pub(super) const SOCKET: &str = "/var/run/docker.sock";

/// Connections to an engine's socket through the system's `ssh`. `socket` is its path on the host,
/// where it is not the default one.
pub fn connector(
    options: &SshOptions,
    user: Option<&str>,
    host: &str,
    port: Option<u16>,
    socket: Option<&str>,
) -> Connector {
    let way = Arc::new(Way {
        program: "ssh".to_owned(),
        options: options.clone(),
        user: user.map(str::to_owned),
        host: host.to_owned(),
        port,
        socket: socket.unwrap_or(SOCKET).to_owned(),
        running: Mutex::default(),
        starting: Joint::default(),
        spare: Mutex::default(),
        ports: Ports::default(),
        turn: tokio::sync::Mutex::default(),
    });
    let near = way.clone();
    Connector::new(move || way.clone().dial()).with_ports(move |port| near.clone().port(port))
}

struct Way {
    program: String,
    options: SshOptions,
    user: Option<String>,
    host: String,
    port: Option<u16>,
    socket: String,
    running: Mutex<Option<Arc<Process>>>,
    /// All who need it meanwhile wait for the one start, and share how it ends: a host may lock
    /// out who knocks again and again.
    starting: Joint<()>,
    /// The connection by which its socket was found, for the first who needs one.
    spare: Mutex<Option<Forwarded>>,
    ports: Ports,
    /// Held by whoever has a port forwarded.
    turn: tokio::sync::Mutex<()>,
}

impl Way {
    async fn dial(self: Arc<Self>) -> Result<Forwarded> {
        if let Some(forwarded) = self.enter().await {
            return Ok(forwarded);
        }
        let way = self.clone();
        self.starting.join(|| way.begin()).await?;
        let ended = || {
            let why = "it ended as soon as it was there".to_owned();
            self.trouble(Trouble::Program { why })
        };
        self.enter().await.ok_or_else(ended)
    }

    /// One more stream through the `ssh` that runs, if one does.
    async fn enter(&self) -> Option<Forwarded> {
        let process = lock(&self.running)
            .clone()
            .filter(|process| !process.ended())?;
        let spare = lock(&self.spare).take();
        if spare.is_some() {
            return spare;
        }
        let stream = UnixStream::connect(process.socket()).await.ok()?;
        Some(self.forwarded(stream, process))
    }

    /// Starts `ssh` and waits until its socket is there.
    async fn begin(self: Arc<Self>) -> Result<()> {
        // Someone else's start may have ended between our look and this.
        if let Some(forwarded) = self.enter().await {
            *lock(&self.spare) = Some(forwarded);
            return Ok(());
        }
        // The old one first: its folder goes with it.
        lock(&self.spare).take();
        lock(&self.running).take();
        let process = Arc::new(self.start()?);
        let end = Instant::now() + LIMIT;
        loop {
            match UnixStream::connect(process.socket()).await {
                Ok(stream) => {
                    *lock(&self.spare) = Some(self.forwarded(stream, process.clone()));
                    break;
                }
                Err(_) if process.ended() => {
                    process.heard().await;
                    return Err(self.trouble(program_trouble(&process.words())));
                }
                Err(_) if Instant::now() >= end => {
                    let what = match process.words().last() {
                        Some(words) => format!("ssh to {}: {words}", self.host),
                        None => format!("ssh to {}", self.host),
                    };
                    return Err(self.trouble(Trouble::TimedOut { what, after: LIMIT }));
                }
                Err(_) => sleep(LOOK).await,
            }
        }
        *lock(&self.running) = Some(process);
        Ok(())
    }

    /// A TCP port of the host, through the `ssh` that runs: none is started for it.
    async fn port(self: Arc<Self>, port: u16) -> std::result::Result<Reached, NoPort> {
        if self.ports.are_forbidden() {
            let target = (self.user.as_deref(), self.host.as_str(), self.port);
            return self
                .ports
                .reach_from_here(&self.options, target, port)
                .await;
        }
        let running = lock(&self.running).clone();
        let Some(process) = running.filter(|process| !process.ended()) else {
            return Err(NoPort::no_way("it is not connected"));
        };
        let socket = process.port(port);
        let stream = match UnixStream::connect(&socket).await {
            Ok(stream) => stream,
            Err(_) => {
                let _turn = self.turn.lock().await;
                if UnixStream::connect(&socket).await.is_err() {
                    self.forward(&process, port).await?;
                }
                let stream = UnixStream::connect(&socket).await;
                stream.map_err(|error| NoPort::no_way(format!("ssh forwards no port: {error}")))?
            }
        };
        let forwarded = Forwarded {
            socket: format!("127.0.0.1:{port}"),
            way: Some(self.clone()),
            ..self.forwarded(stream, process)
        };
        Ok(Reached::on_host(forwarded))
    }

    /// Has the `ssh` that runs forward a port to a socket in its folder.
    async fn forward(&self, process: &Process, port: u16) -> std::result::Result<(), NoPort> {
        let no_way = |why: &str| NoPort::no_way(format!("ssh forwards no port: {why}"));
        let told = process.port(port);
        let local = told.to_str().and_then(|path| escaped(path).ok());
        let (Some(local), Some(control)) = (local, control(&told)) else {
            return Err(no_way("its folder has no plain name"));
        };
        let mut command = tokio::process::Command::new(&self.program);
        if let Some(file) = &self.options.config {
            command.arg("-F").arg(file);
        }
        command
            .args(["-S", &control, "-O", "forward", "-L"])
            .arg(format!("{local}:127.0.0.1:{port}"))
            .arg("--")
            .arg(&self.host)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        match timeout(ASK, command.status()).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(_)) => Err(no_way("it takes no such order")),
            Ok(Err(error)) => Err(no_way(&error.to_string())),
            Err(_) => Err(no_way("it does not answer")),
        }
    }

    fn forwarded(&self, stream: UnixStream, process: Arc<Process>) -> Forwarded {
        Forwarded {
            way: None,
            stream,
            heard: process.count(),
            process,
            answered: false,
            closed: None,
            pause: None,
            host: self.host.clone(),
            socket: self.socket.clone(),
        }
    }

    fn start(&self) -> Result<Process> {
        let why = |why: String| self.trouble(Trouble::Program { why });
        if self.host.starts_with('-') || self.user.as_ref().is_some_and(|u| u.starts_with('-')) {
            return Err(self.trouble(Trouble::Config {
                why: format!("{:?} is not the name of a host", self.host),
            }));
        }
        let folder =
            process::folder().map_err(|e| why(format!("no folder for its socket: {e}")))?;
        let arguments = self.arguments(&folder.join(process::SOCKET)).map_err(why)?;
        Process::start(&self.program, arguments, folder).map_err(|error| {
            why(match error.kind() {
                std::io::ErrorKind::NotFound => {
                    "there is no ssh program here; install openssh-client".to_owned()
                }
                _ => error.to_string(),
            })
        })
    }

    fn arguments(&self, local: &Path) -> std::result::Result<Vec<OsString>, String> {
        let mut arguments: Vec<OsString> = Vec::new();
        // No shell, no terminal, nobody's agent or display.
        arguments.extend(["-N", "-T", "-a", "-x"].map(OsString::from));
        for option in [
            "BatchMode=yes",
            // Nobody else comes through it, and it does not go into the background.
            "ControlPersist=no",
            "PermitLocalCommand=no",
            "StreamLocalBindMask=0177",
            "ServerAliveInterval=15",
            "ServerAliveCountMax=3",
            // A forward of the operator's own that fails (its port is taken by his other ssh) is no
            // reason to end; that ours failed shows by its socket.
            "ExitOnForwardFailure=no",
            // Below it says nothing of connections that the host refuses.
            "LogLevel=INFO",
        ] {
            arguments.push("-o".into());
            arguments.push(option.into());
        }
        // By its control socket it is told to forward a port later on.
        match control(local) {
            Some(control) => {
                arguments.extend(["-M", "-S"].map(OsString::from));
                arguments.push(control.into());
            }
            None => arguments.extend(["-o", "ControlMaster=no", "-S", "none"].map(OsString::from)),
        }
        if let Some(file) = &self.options.config {
            arguments.push("-F".into());
            arguments.push(file.into());
        }
        if let Some(user) = &self.user {
            arguments.push("-l".into());
            arguments.push(user.into());
        }
        if let Some(port) = self.port {
            arguments.push("-p".into());
            arguments.push(port.to_string().into());
        }
        let local = local
            .to_str()
            .ok_or("the folder for its socket is not UTF-8")?;
        arguments.push("-L".into());
        arguments.push(format!("{}:{}", escaped(local)?, escaped(&self.socket)?).into());
        arguments.push("--".into());
        arguments.push(self.host.clone().into());
        Ok(arguments)
    }

    fn trouble(&self, trouble: Trouble) -> Error {
        Error::Ssh {
            host: self.host.clone(),
            trouble: Box::new(trouble),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A path as a part of `-L`: a colon would end it, and tokens are replaced in it.
fn escaped(path: &str) -> std::result::Result<String, String> {
    if !path.starts_with('/') || path.contains("${") || path.contains(char::is_control) {
        return Err(format!("{path:?} is no path that ssh can forward"));
    }
    let path = path.replace('\\', "\\\\").replace(':', "\\:");
    Ok(path.replace('%', "%%"))
}

/// The control socket in the folder of this file, for `-S`: there is none where its path is too
/// long, or has what would be read in another way.
fn control(beside: &Path) -> Option<String> {
    let path = beside.with_file_name(process::CONTROL);
    let path = path.to_str().filter(|path| path.len() <= CONTROL)?;
    let odd = path.contains("${") || path.contains(['\\', ':']) || path.contains(char::is_control);
    (!odd).then(|| path.replace('%', "%%"))
}

/// What it means that `ssh` ended, from what it said last.
fn program_trouble(words: &[String]) -> Trouble {
    // The last line tells the end, the one before it often the reason.
    let said = words
        .iter()
        .rev()
        .take(3)
        .rev()
        .cloned()
        .collect::<Vec<_>>();
    Trouble::Program {
        why: match said.as_slice() {
            [] => "it ended without a word".to_owned(),
            said => said.join("; "),
        },
    }
}

/// A forwarded connection. One that the host refuses is accepted here first and closed then; ssh
/// says why.
struct Forwarded {
    stream: UnixStream,
    process: Arc<Process>,
    /// How much ssh had said when it began.
    heard: usize,
    /// Anything came.
    answered: bool,
    /// It was closed before anything came: until when ssh may say why.
    closed: Option<Instant>,
    pause: Option<Pin<Box<Sleep>>>,
    host: String,
    socket: String,
    /// It leads to a port.
    way: Option<Arc<Way>>,
}

impl Forwarded {
    fn refused(&self) -> Option<std::io::Error> {
        let words = self.process.words_since(self.heard);
        let why = words
            .iter()
            .rev()
            .find_map(|line| line.split_once("open failed: "))?
            .1;
        if let Some(way) = &self.way {
            if port::is_refused(why) {
                let why = format!("{} of the host takes no connections", self.socket);
                return Some(std::io::Error::new(ErrorKind::ConnectionRefused, why));
            }
            if port::is_forbidden(why) {
                way.ports.forbid();
            }
        }
        let error = Error::Ssh {
            host: self.host.clone(),
            trouble: Box::new(Trouble::NotForwarded {
                socket: self.socket.clone(),
                why: why.to_owned(),
            }),
        };
        Some(std::io::Error::other(Failure(error)))
    }
}

impl AsyncRead for Forwarded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buf.filled().len();
        if self.closed.is_none() {
            match Pin::new(&mut self.stream).poll_read(cx, buf) {
                Poll::Ready(Ok(())) if buf.filled().len() == before && !self.answered => {}
                Poll::Ready(Err(_)) if !self.answered => {}
                read => {
                    self.answered |= buf.filled().len() > before;
                    return read;
                }
            }
        }
        let end = *self.closed.get_or_insert_with(|| Instant::now() + WORDS);
        loop {
            if let Some(error) = self.refused() {
                return Poll::Ready(Err(error));
            }
            if Instant::now() >= end {
                return Poll::Ready(Ok(()));
            }
            let pause = self.pause.get_or_insert_with(|| Box::pin(sleep(LOOK)));
            if pause.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            self.pause = None;
        }
    }
}

impl AsyncWrite for Forwarded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        match Pin::new(&mut self.stream).poll_write(cx, buf) {
            // The reading half says why it was closed; a write that fails would hide that.
            Poll::Ready(Err(_)) if !self.answered => Poll::Ready(Ok(buf.len())),
            written => written,
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
#[path = "openssh/tests.rs"]
mod tests;

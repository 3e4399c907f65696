//! A real sshd on this machine, with keys, known_hosts and an `ssh_config` of its own.

#![allow(dead_code)] // every test binary takes what it needs of this

use std::collections::VecDeque;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use ostler::engine::Error;
use ostler::engine::transport::ask::{Answer, Ask, Question};
use ostler::engine::transport::ssh::config::hop::Hop;
use ostler::engine::transport::ssh::trouble::Trouble;
use ostler::engine::transport::ssh::{Answered, SshOptions, config, login};

/// One sshd, and the folder with all that belongs to it.
pub struct Sshd {
    pub folder: tempfile::TempDir,
    pub port: u16,
    child: Child,
}

impl Sshd {
    /// Starts it with host keys of these kinds.
    pub fn start(kinds: &[&str]) -> Sshd {
        Self::start_with(kinds, "")
    }

    /// Starts it with lines of configuration that go before its own, and so count. `DIR` is its
    /// folder.
    pub fn start_with(kinds: &[&str], first: &str) -> Sshd {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().display();
        let first = first.replace("DIR", &dir.to_string());
        let mut text = format!(
            "{first}\nListenAddress 127.0.0.1\nPidFile none\nAuthorizedKeysFile {dir}/authorized\n\
             StrictModes no\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nSubsystem sftp internal-sftp\nPermitRootLogin yes\n\
             MaxStartups 100\nLogLevel VERBOSE\n"
        );
        for kind in kinds {
            keygen(&folder.path().join(format!("host_{kind}")), kind, "");
            text.push_str(&format!("HostKey {dir}/host_{kind}\n"));
        }
        keygen(&folder.path().join("id"), "ed25519", "");
        std::fs::copy(
            folder.path().join("id.pub"),
            folder.path().join("authorized"),
        )
        .unwrap();
        std::fs::create_dir_all("/run/sshd").unwrap();
        // Another process may take the port in between: then it is another one's turn.
        for _ in 0..5 {
            let port = free_port();
            let file = folder.path().join("sshd_config");
            std::fs::write(&file, format!("Port {port}\n{text}")).unwrap();
            let log = std::fs::File::create(folder.path().join("sshd.log")).unwrap();
            let mut child = Command::new("/usr/sbin/sshd")
                .args(["-D", "-e", "-f"])
                .arg(&file)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(log)
                .spawn()
                .unwrap();
            let end = Instant::now() + Duration::from_secs(20);
            while child.try_wait().unwrap().is_none() && Instant::now() < end {
                if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                    let sshd = Sshd {
                        folder,
                        port,
                        child,
                    };
                    sshd.config("");
                    let known: Vec<String> = kinds.iter().map(|k| sshd.known_line(k)).collect();
                    sshd.write("known_hosts", &(known.join("\n") + "\n"));
                    return sshd;
                }
                std::thread::yield_now();
            }
            let _ = child.kill();
            let _ = child.wait();
        }
        let log = std::fs::read_to_string(folder.path().join("sshd.log"));
        panic!("sshd does not start: {}", log.unwrap_or_default());
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// How known_hosts would name one of its keys.
    pub fn known_line(&self, kind: &str) -> String {
        format!("[127.0.0.1]:{} {}", self.port, self.host_key(kind))
    }

    /// `ssh-ed25519 AAAA…`
    pub fn host_key(&self, kind: &str) -> String {
        let text = self.read(&format!("host_{kind}.pub"));
        let words: Vec<&str> = text.split(' ').take(2).collect();
        words.join(" ")
    }

    /// Writes the operator's configuration. What comes first counts; `DIR` is the folder.
    pub fn config(&self, first: &str) {
        let dir = self.folder.path().display().to_string();
        let text = format!(
            "{}\nHost *\n  HostName 127.0.0.1\n  Port {}\n  User root\n  IdentityFile DIR/id\n  IdentityAgent none\n  \
             UserKnownHostsFile DIR/known_hosts\n  GlobalKnownHostsFile /dev/null\n",
            first, self.port
        );
        self.write("ssh_config", &text.replace("DIR", &dir));
    }

    pub fn options(&self) -> SshOptions {
        SshOptions {
            config: Some(self.path("ssh_config")),
        }
    }

    pub fn hop(&self) -> Hop {
        let mut hops = config::resolve(&self.options(), None, "web1", None).unwrap();
        assert_eq!(hops.len(), 1);
        hops.remove(0)
    }

    pub fn log_in(&self, ask: &dyn Ask) -> Result<ssh2::Session, Error> {
        self.log_in_with(ask, &Answered::default())
    }

    pub fn log_in_with(&self, ask: &dyn Ask, answered: &Answered) -> Result<ssh2::Session, Error> {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let address = format!("127.0.0.1:{}", self.port);
        login::log_in(stream, &self.hop(), &address, ask, answered)
    }

    /// Logs in, with the sshd's own account of it when that fails.
    pub fn lets_in(&self, ask: &dyn Ask) {
        self.lets_in_with(ask, &Answered::default());
    }

    pub fn lets_in_with(&self, ask: &dyn Ask, answered: &Answered) {
        match self.log_in_with(ask, answered) {
            Ok(session) => works(&session),
            Err(error) => panic!("{error}\n{:?}\n{}", error.remedy(), self.read("sshd.log")),
        }
    }

    /// Ends every connection; it goes on listening.
    pub fn hang_up(&self) {
        let mut found = vec![self.child.id().to_string()];
        let mut at = 0;
        while at < found.len() {
            let out = Command::new("pgrep").args(["-P", &found[at]]).output();
            let out = out.map(|out| String::from_utf8_lossy(&out.stdout).into_owned());
            found.extend(out.unwrap_or_default().lines().map(str::to_owned));
            at += 1;
        }
        for id in &found[1..] {
            // One may end with another.
            let _ = Command::new("kill").args(["-KILL", id]).output();
        }
    }

    /// Why it does not let us in.
    pub fn refuses(&self, ask: &dyn Ask) -> Trouble {
        trouble(self.log_in(ask))
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The session is as it was promised: authenticated, blocking, and good for work. (A command would
/// run through root's shell, whose start may take longer than a test.)
pub fn works(session: &ssh2::Session) {
    assert!(session.authenticated() && session.is_blocking());
    assert_eq!(session.timeout(), 10_000);
    let sftp = session.sftp().unwrap();
    assert!(sftp.stat(Path::new("/")).unwrap().is_dir());
}

pub fn trouble(login: Result<ssh2::Session, Error>) -> Trouble {
    match login {
        Ok(_) => panic!("it lets us in"),
        Err(Error::Ssh { trouble, .. }) => *trouble,
        Err(error) => panic!("{error}"),
    }
}

/// `kind` may say how many bits: `rsa-1024`.
pub fn keygen(file: &Path, kind: &str, passphrase: &str) {
    match kind.split_once('-') {
        Some((kind, bits)) => keygen_with(file, &["-t", kind, "-b", bits, "-N", passphrase]),
        None => keygen_with(file, &["-t", kind, "-N", passphrase]),
    }
}

pub fn keygen_with(file: &Path, arguments: &[&str]) {
    let name = file.file_name().unwrap().to_str().unwrap();
    let mut command = Command::new("ssh-keygen");
    command
        .args(["-q", "-C", name, "-f"])
        .arg(file)
        .args(arguments);
    run(&mut command);
}

/// Runs what has to succeed; what it printed.
pub fn run(command: &mut Command) -> String {
    let out = command.stdin(Stdio::null()).output().unwrap();
    let (text, error) = (
        String::from_utf8_lossy(&out.stdout),
        String::from_utf8_lossy(&out.stderr),
    );
    assert!(out.status.success(), "{command:?}: {text}{error}");
    text.into_owned()
}

pub fn fingerprint(file: &Path) -> String {
    let text = run(Command::new("ssh-keygen").arg("-lf").arg(file));
    text.split(' ').nth(1).unwrap().to_owned()
}

pub fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port()
}

/// An operator who answers from a list, and then not at all.
#[derive(Default)]
pub struct Operator {
    answers: Mutex<VecDeque<Answer>>,
    asked: Mutex<Vec<Question>>,
}

impl Operator {
    pub fn says(answers: impl IntoIterator<Item = Answer>) -> Operator {
        Operator {
            answers: Mutex::new(answers.into_iter().collect()),
            asked: Mutex::default(),
        }
    }

    pub fn types(texts: &[&str]) -> Operator {
        Self::says(texts.iter().map(|text| Answer::Text((*text).into())))
    }

    pub fn asked(&self) -> Vec<Question> {
        self.asked.lock().unwrap().clone()
    }
}

impl Ask for Operator {
    fn ask(&self, question: &Question) -> Answer {
        self.asked.lock().unwrap().push(question.clone());
        let answer = self.answers.lock().unwrap().pop_front();
        answer.unwrap_or(Answer::Nobody)
    }
}

/// A real agent.
pub struct Agent {
    pub socket: PathBuf,
    child: Child,
}

impl Agent {
    pub fn start(folder: &Path) -> Agent {
        let socket = folder.join("agent");
        let child = Command::new("ssh-agent")
            .args(["-D", "-a"])
            .arg(&socket)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let agent = Agent { socket, child };
        let end = Instant::now() + Duration::from_secs(20);
        while std::os::unix::net::UnixStream::connect(&agent.socket).is_err() {
            assert!(Instant::now() < end, "no agent");
            std::thread::yield_now();
        }
        agent
    }

    pub fn add(&self, file: &Path) {
        let mut command = Command::new("ssh-add");
        run(command
            .arg("-q")
            .arg(file)
            .env("SSH_AUTH_SOCK", &self.socket));
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

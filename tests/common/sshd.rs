//! A real sshd on this machine, for one test: its own port, keys and configuration. Needs root.

#![allow(dead_code)] // every test binary takes what it needs of this

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use ostler::engine::Network;
use ostler::engine::transport::ssh::SshOptions;
use ostler::fleet::EngineAddress;

/// Killed when it goes out of scope, with everyone who is logged in.
pub struct Sshd {
    folder: tempfile::TempDir,
    name: String,
    pub port: u16,
    child: Child,
}

fn run(program: &str, arguments: &[&str]) -> String {
    let out = Command::new(program).args(arguments).output().unwrap();
    let complaint = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{program} {arguments:?}: {complaint}");
    String::from_utf8_lossy(&out.stdout).into_owned()
}

impl Sshd {
    /// Starts one with these lines in its configuration.
    pub fn up(name: &str, lines: &str) -> Sshd {
        let folder = tempfile::tempdir().unwrap();
        for key in ["host_key", "id"] {
            let path = folder.path().join(key).to_string_lossy().into_owned();
            run(
                "ssh-keygen",
                &["-q", "-t", "ed25519", "-N", "", "-f", &path],
            );
        }
        fs::copy(folder.path().join("id.pub"), folder.path().join("keys")).unwrap();
        // Free a moment ago, and ports are not given twice in a row.
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .unwrap()
            .port();
        let at = folder.path().display().to_string();
        let config = format!(
            "ListenAddress 127.0.0.1:{port}\nHostKey {at}/host_key\nPidFile none\n\
             AuthorizedKeysFile {at}/keys\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n\
             PermitRootLogin prohibit-password\nLogLevel VERBOSE\n\
             # No start-up files of this machine's root before each command.\n\
             SetEnv HOME={at}\n{lines}\n"
        );
        fs::write(folder.path().join("sshd_config"), config).unwrap();
        let child = start(folder.path());
        let sshd = Sshd {
            folder,
            name: name.to_owned(),
            port,
            child,
        };
        let host_key = fs::read_to_string(sshd.path("host_key.pub")).unwrap();
        fs::write(
            sshd.path("known_hosts"),
            format!("[127.0.0.1]:{port} {host_key}"),
        )
        .unwrap();
        sshd
    }

    pub fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    /// How an operator's ssh_config reaches it; `more` are further lines about it.
    pub fn block(&self, more: &str) -> String {
        let at = self.folder.path().display();
        format!(
            "Host {}\n HostName 127.0.0.1\n Port {}\n User root\n IdentityFile {at}/id\n \
             IdentitiesOnly yes\n IdentityAgent none\n UserKnownHostsFile {at}/known_hosts\n \
             GlobalKnownHostsFile /dev/null\n {more}\n",
            self.name, self.port
        )
    }

    /// A network whose ssh_config knows these blocks.
    pub fn network(&self, blocks: &[String]) -> Network {
        let file = self.path("ssh_config");
        fs::write(&file, blocks.concat()).unwrap();
        Network::headless().with_ssh(SshOptions { config: Some(file) })
    }

    pub fn address(&self, socket: &Path) -> EngineAddress {
        let line = format!("ssh://{}{}", self.name, socket.display());
        line.parse().unwrap()
    }

    /// Connections to it that are open, as this side sees them.
    pub fn connections(&self) -> usize {
        let filter = format!("dport = :{}", self.port);
        let list = run("ss", &["-Htn", "state", "established", &filter]);
        list.lines().count()
    }

    /// Kills it and every session.
    pub fn kill(&mut self) {
        for pid in self.sessions() {
            let _ = Command::new("kill").args(["-KILL", &pid]).output();
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Kills every session; it goes on listening.
    pub fn kill_sessions(&self) {
        for pid in self.sessions() {
            let _ = Command::new("kill").args(["-KILL", &pid]).output();
        }
    }

    /// Stops every session in its tracks, or lets them go on.
    pub fn signal_sessions(&self, signal: &str) {
        for pid in self.sessions() {
            run("kill", &[signal, &pid]);
        }
    }

    /// Kills it, adds these lines to its configuration and starts it again.
    pub fn reconfigure(&mut self, lines: &str) {
        self.kill();
        let file = self.path("sshd_config");
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, format!("{text}\n{lines}\n")).unwrap();
        self.restart();
    }

    pub fn restart(&mut self) {
        self.child = start(self.folder.path());
    }

    /// The processes that serve its logins.
    fn sessions(&self) -> Vec<String> {
        let mut found = vec![self.child.id().to_string()];
        let mut at = 0;
        while at < found.len() {
            let out = Command::new("pgrep").args(["-P", &found[at]]).output();
            let out = out.map(|out| String::from_utf8_lossy(&out.stdout).into_owned());
            found.extend(out.unwrap_or_default().lines().map(str::to_owned));
            at += 1;
        }
        found.remove(0);
        found
    }
}

fn start(folder: &Path) -> Child {
    fs::create_dir_all("/run/sshd").unwrap();
    let config = folder.join("sshd_config");
    let mut child = Command::new("/usr/sbin/sshd")
        .args(["-D", "-e", "-f"])
        .arg(config)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let (tell, listening) = mpsc::channel();
    let log = folder.join("log");
    std::thread::spawn(move || {
        let mut all = String::new();
        for line in lines.map_while(Result::ok) {
            if line.contains("Server listening") {
                let _ = tell.send(());
            }
            all += &line;
            all.push('\n');
            let _ = fs::write(&log, &all);
        }
    });
    listening
        .recv_timeout(Duration::from_secs(10))
        .expect("sshd listens");
    child
}

impl Drop for Sshd {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "sshd {}:\n{}",
                self.name,
                fs::read_to_string(self.path("log")).unwrap_or_default()
            );
        }
        self.kill();
    }
}

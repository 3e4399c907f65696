//! A registry of images on this machine that asks who one is, and what is in it.

#![allow(dead_code)] // every test binary takes what it needs of this

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Who may read and write there.
pub const USER: &str = "ops";
pub const PASSWORD: &str = "s3cret-of-ops";
/// The same as the registry keeps it: `htpasswd -Bbn ops s3cret-of-ops`.
const HTPASSWD: &str = "ops:$2y$05$5Idj7oROFOJt8Zm6E.Z.Nut0/jD6BfyuRem4NajySJVNfLIqi7u46";

/// It ends with the test. Engines take what listens on loopback without TLS.
pub struct Registry {
    /// As references begin.
    pub name: String,
    folder: tempfile::TempDir,
    process: Child,
}

impl Registry {
    /// The engine that pushes there has to be this machine's own.
    pub fn start() -> Registry {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let at = |name: &str| folder.path().join(name);
        let config = format!(
            "version: 0.1\nlog: {{ level: error }}\nstorage: {{ filesystem: {{ rootdirectory: {} }} }}\nhttp: {{ addr: '127.0.0.1:{port}' }}\nauth: {{ htpasswd: {{ realm: test, path: {} }} }}\n",
            at("data").display(),
            at("htpasswd").display(),
        );
        std::fs::write(at("config.yml"), config).unwrap();
        std::fs::write(at("htpasswd"), format!("{HTPASSWD}\n")).unwrap();
        let process = Command::new("docker-registry")
            .args(["serve", at("config.yml").to_str().unwrap()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(at("log")).unwrap())
            .spawn()
            .unwrap();
        let mut registry = Registry {
            name: format!("127.0.0.1:{port}"),
            folder,
            process,
        };
        let late = Instant::now() + Duration::from_secs(20);
        while !registry.answers() {
            let log = || std::fs::read_to_string(registry.folder.path().join("log"));
            let ended = registry.process.try_wait().unwrap();
            assert!(ended.is_none(), "the registry ended: {ended:?} {:?}", log());
            assert!(
                Instant::now() < late,
                "the registry does not answer: {:?}",
                log()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        registry
    }

    /// It asks who one is.
    fn answers(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect(&self.name) else {
            return false;
        };
        let limit = Some(Duration::from_secs(5));
        stream.set_read_timeout(limit).unwrap();
        let mut head = [0; 12];
        let asked = stream.write_all(b"GET /v2/ HTTP/1.0\r\n\r\n");
        asked.and_then(|()| stream.read_exact(&mut head)).is_ok() && head.ends_with(b" 401")
    }

    /// Docker's configuration of somebody who is logged in there.
    pub fn log_in(&self, folder: &Path, password: &str) {
        use base64::Engine as _;
        let both = format!("{USER}:{password}");
        let auth = base64::engine::general_purpose::STANDARD.encode(both);
        let text = format!(r#"{{"auths": {{"{}": {{"auth": "{auth}"}}}}}}"#, self.name);
        std::fs::create_dir_all(folder).unwrap();
        std::fs::write(folder.join("config.json"), text).unwrap();
    }

    /// Puts an image that the engine has into it, under a name of its own, which is returned.
    pub fn push(&self, image: &str, name: &str) -> String {
        let reference = format!("{}/{name}", self.name);
        let config = self.own();
        self.log_in(&config, PASSWORD);
        docker(&["tag", image, &reference]);
        docker(&[
            "--config",
            config.to_str().unwrap(),
            "push",
            "-q",
            &reference,
        ]);
        reference
    }

    fn own(&self) -> PathBuf {
        self.folder.path().join("docker")
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// One that the kernel gives to no connection: what is tried before anybody listens there would
/// be connected to itself, and hold it.
fn free_port() -> u16 {
    loop {
        let port = 20_000 + (getrandom::u32().unwrap() % 10_000) as u16;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Docker's own command, which must succeed.
#[track_caller]
pub fn docker(arguments: &[&str]) -> String {
    let out = Command::new("docker").args(arguments).output().unwrap();
    let err = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "docker {arguments:?}: {err}");
    String::from_utf8_lossy(&out.stdout).trim().to_owned()
}

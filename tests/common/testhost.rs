//! A host of a test's own: a network namespace with its own dockerd (see `tests/fleet/host`).

#![allow(dead_code)] // every test binary takes what it needs of this

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::tier::Engine;

/// Removed when it goes out of scope.
pub struct TestHost {
    folder: PathBuf,
    name: &'static str,
    /// Reached from this machine.
    pub address: Ipv4Addr,
    /// Its daemon's socket.
    pub engine: Engine,
}

/// Images that every site of a test needs, and ostler itself.
pub const IMAGES: [&str; 5] = [
    "nginx:1.28",
    "php:8.4-apache",
    "haproxy:3.0",
    "ostler-test/web:1",
    "ostler/toolbox:1",
];

fn tool(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fleet")
        .join(name)
}

/// Short, since a socket's path has a limit.
fn folder() -> PathBuf {
    PathBuf::from(format!(
        "/tmp/osth-{}-{:04x}",
        std::process::id(),
        getrandom::u32().unwrap() & 0xffff
    ))
}

fn script(arguments: &[&str]) -> String {
    let out = Command::new(tool("host"))
        .args(arguments)
        .env_remove("DOCKER_HOST")
        .output()
        .expect("tests/fleet/host can be run");
    let said = String::from_utf8_lossy(&out.stdout).trim().to_owned();
    let complaint = String::from_utf8_lossy(&out.stderr);
    assert!(
        out.status.success(),
        "host {arguments:?}: {said}\n{complaint}"
    );
    said
}

impl TestHost {
    /// Brings one up, with these images of the machine's own engine.
    pub fn up(name: &'static str, images: &[&str]) -> TestHost {
        let options: Vec<&str> = images.iter().flat_map(|i| ["--image", i]).collect();
        Self::up_with(name, &options)
    }

    /// Brings one up, with options of `tests/fleet/host`.
    pub fn up_with(name: &'static str, options: &[&str]) -> TestHost {
        let folder = folder();
        let mut host = TestHost {
            engine: Engine {
                socket: folder.join(name).join("run/docker.sock"),
                address: String::new(),
            },
            folder,
            name,
            address: Ipv4Addr::UNSPECIFIED,
        };
        host.engine.address = format!("unix://{}", host.engine.socket.display());
        let folder = host.folder.to_string_lossy().into_owned();
        let mut arguments = vec!["up", &folder, name];
        arguments.extend(options);
        let said = script(&arguments);
        host.address = said.lines().last().unwrap_or("").parse().unwrap();
        host
    }

    /// With `--tls`: the engine's port 2376, and the operator's files for it.
    pub fn tls(&self) -> ostler::fleet::EngineAddress {
        let folder = self.folder.join(self.name).join("tls/operator");
        ostler::fleet::EngineAddress::Tcp {
            host: self.address.to_string(),
            port: 2376,
            tls: Some(folder.to_string_lossy().into_owned()),
            insecure: false,
        }
    }

    /// Pulls the cable, or puts it back.
    pub fn link(&self, up: bool) {
        let folder = self.folder.to_string_lossy();
        script(&["link", &folder, self.name, if up { "up" } else { "down" }]);
    }

    fn tell(&self, what: &str) {
        script(&[what, &self.folder.to_string_lossy(), self.name]);
    }
    /// Stops its daemon in good order, containers with it, and starts it again.
    pub fn restart_dockerd(&self) {
        self.tell("restart-dockerd");
    }
    /// SIGKILL to its daemon.
    pub fn kill_dockerd(&self) {
        self.tell("kill-dockerd");
    }
    /// Starts its daemon again.
    pub fn start_dockerd(&self) {
        self.tell("start-dockerd");
    }
    /// Its daemon accepts and never answers.
    pub fn hang(&self) {
        self.tell("hang");
    }
    /// And answers again.
    pub fn resume(&self) {
        self.tell("resume");
    }
    /// Runs a command in it as root. What it wrote to its standard output.
    pub fn run(&self, command: &[&str]) -> String {
        in_host(&self.folder, self.name, "run", command)
    }
}

/// `tests/fleet/host WHAT FOLDER NAME MORE…`
fn in_host(folder: &Path, name: &str, what: &str, more: &[&str]) -> String {
    let folder = folder.to_string_lossy();
    let mut arguments = vec![what, &folder, name];
    arguments.extend(more);
    script(&arguments)
}

/// All the hosts of `tests/fleet/up`, shared by the tests of a program.
pub struct TestFleet {
    /// Where they live.
    pub folder: PathBuf,
    /// Its end, however it comes, is when they go: see [`TestFleet::shared`].
    _guard: std::process::Child,
}

static FLEET: std::sync::OnceLock<TestFleet> = std::sync::OnceLock::new();

impl TestFleet {
    /// Brought up for the first test that asks, and gone when the program ends, also when tests
    /// panic or the program is killed: a process of its own waits for that at the end of a pipe.
    pub fn shared() -> &'static TestFleet {
        FLEET.get_or_init(|| {
            let folder = folder();
            let guard = Command::new("setsid")
                .args(["sh", "-c", "cat >/dev/null; exec \"$1\" \"$2\"", "guard"])
                .args([tool("down"), folder.clone()])
                .env_remove("DOCKER_HOST")
                .stdin(std::process::Stdio::piped())
                .stdout(std::process::Stdio::null())
                .stderr(std::process::Stdio::null())
                .spawn()
                .expect("setsid can be run");
            let up = Command::new(tool("up"))
                .arg(&folder)
                .env_remove("DOCKER_HOST")
                .output()
                .expect("tests/fleet/up can be run");
            let said = String::from_utf8_lossy(&up.stdout);
            let complaint = String::from_utf8_lossy(&up.stderr);
            assert!(up.status.success(), "{said}\n{complaint}");
            println!("{said}{complaint}");
            TestFleet {
                folder,
                _guard: guard,
            }
        })
    }

    /// `ssh_config` for all of them.
    pub fn ssh_config(&self) -> PathBuf {
        self.folder.join("ssh/config")
    }
    /// The socket of one of their daemons, as `unix://…`.
    pub fn socket(&self, name: &str) -> String {
        format!("unix://{}/{name}/run/docker.sock", self.folder.display())
    }
    /// The address of one.
    pub fn address(&self, name: &str) -> Ipv4Addr {
        self.tell(name, "address", &[]).parse().unwrap()
    }
    /// Does something to one: `hang`, `resume`, `link up`, `kill-dockerd`, `sshd …`, `run …`.
    pub fn tell(&self, name: &str, what: &str, more: &[&str]) -> String {
        in_host(&self.folder, name, what, more)
    }
}

impl Drop for TestHost {
    fn drop(&mut self) {
        let folder = self.folder.to_string_lossy().into_owned();
        if std::thread::panicking() {
            // A panic within a panic would hide the first.
            let _ = std::panic::catch_unwind(|| script(&["down", &folder, self.name]));
        } else {
            script(&["down", &folder, self.name]);
        }
    }
}

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

fn script(arguments: &[&str]) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fleet/host");
    let out = Command::new(path)
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
        // Short, since a socket's path has a limit.
        let folder = PathBuf::from(format!(
            "/tmp/osth-{}-{:04x}",
            std::process::id(),
            getrandom::u32().unwrap() & 0xffff
        ));
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

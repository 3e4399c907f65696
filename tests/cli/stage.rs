//! A fleet file for a real engine, under names, a folder and ports of its own; all gone at the end.

#![allow(dead_code)] // every test binary takes what it needs of this

use std::fs;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use ostler::engine::{Client, Gate};
use ostler::fleet::EngineAddress;

use crate::cli::{self, Ran};
use crate::tier::Engine;

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// A folder with a fleet file, and what is applied from it.
pub struct Stage {
    pub folder: tempfile::TempDir,
    pub fleet: String,
    pub port: u16,
    pub https: u16,
    /// Where visitors connect.
    pub front: IpAddr,
    /// On the host.
    pub root: String,
    /// For every run.
    pub environment: Vec<(String, String)>,
    address: EngineAddress,
}

impl Stage {
    /// With these lines below `sites:`.
    pub fn new(engine: &Engine, sites: &str) -> Stage {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let random = getrandom::u32().unwrap() & 0xffff;
        let fleet = format!("c{}-{number}-{random:04x}", std::process::id());
        let root = format!("/tmp/ostler-test-{fleet}");
        let (port, https) = (free_port(), free_port());
        // Plans made at the same time would choose the same network.
        let net = getrandom::u32().unwrap();
        let subnet = format!("10.{}.{}.0/24", 128 + net % 100, (net >> 8) & 0xff);
        let folder = tempfile::tempdir().unwrap();
        let text = format!(
            "# kept\nfleet: {fleet}\nhosts:\n  here:\n    engine: \"{}\"\n    root: {root}\n    subnet: {subnet}\n    ports: {{ http: {port}, https: {https} }}\nsites:\n{sites}",
            engine.address
        );
        fs::write(folder.path().join("fleet.yml"), text).unwrap();
        cli::keep_to_us(folder.path());
        Stage {
            folder,
            fleet,
            port,
            https,
            front: Ipv4Addr::LOCALHOST.into(),
            root,
            environment: Vec::new(),
            address: engine.address.parse().unwrap(),
        }
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        cli::run(&mut self.command(arguments))
    }

    /// A run that was not started yet.
    pub fn command(&self, arguments: &[&str]) -> std::process::Command {
        let mut command = cli::command(self.folder.path());
        command
            .args(arguments)
            .envs(self.environment.iter().map(|(k, v)| (k, v)));
        command
    }

    /// Runs, and must end well.
    #[track_caller]
    pub fn done(&self, arguments: &[&str]) -> Ran {
        let ran = self.run(arguments);
        assert_eq!(ran.code, 0, "{arguments:?}\n{}\n{}", ran.out, ran.err);
        ran
    }

    pub fn file(&self) -> PathBuf {
        self.folder.path().join("fleet.yml")
    }

    pub fn text(&self) -> String {
        fs::read_to_string(self.file()).unwrap()
    }

    /// Changes the file by hand.
    pub fn edit(&self, from: &str, to: &str) {
        let text = self.text();
        assert!(text.contains(from), "{from:?} is not in\n{text}");
        fs::write(self.file(), text.replace(from, to)).unwrap();
    }

    /// What the router answers for a domain: status and body; status 0 when nothing came.
    pub fn ask(&self, domain: &str) -> (u16, String) {
        self.ask_path(domain, "/")
    }

    /// The same for another page than the first.
    pub fn ask_path(&self, domain: &str, path: &str) -> (u16, String) {
        let mut stream = match TcpStream::connect((self.front, self.port)) {
            Ok(stream) => stream,
            Err(error) => return (0, error.to_string()),
        };
        stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: {domain}\r\nConnection: close\r\n\r\n");
        let mut answer = Vec::new();
        let asked = stream
            .write_all(request.as_bytes())
            .and_then(|()| stream.read_to_end(&mut answer));
        if let Err(error) = asked {
            return (0, error.to_string());
        }
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let status = answer
            .split_whitespace()
            .nth(1)
            .and_then(|s| s.parse().ok());
        (status.unwrap_or(0), answer)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // The test may have a runtime of its own.
        std::thread::scope(|scope| {
            let cleaned = scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .unwrap();
                runtime.block_on(clean(&self.address, &self.fleet, &self.root))
            });
            if let Ok(Err(error)) = cleaned.join() {
                eprintln!("left behind, {}: {error}", self.fleet);
            }
        });
        let _ = fs::remove_dir_all(&self.root);
        if let Ok(fleet) = self.fleet.parse() {
            let _ = fs::remove_dir_all(ostler::record::layout::run_on_host(&fleet));
        }
    }
}

/// Files that other users own are removed from inside, then all that carries the fleet's name.
async fn clean(
    address: &EngineAddress,
    fleet: &str,
    root: &str,
) -> Result<(), ostler::engine::Error> {
    let client = Client::connect(address, Gate::full()).await?;
    let rm = ["sh", "-c", "rm -rf -- \"$1\"/*", "clean", root];
    let toolbox = format!("ostler-{fleet}-toolbox");
    let _ = client
        .exec(&toolbox, &rm, None, Duration::from_secs(20))
        .await;
    for container in client.containers().await? {
        if container
            .labels
            .get("ostler.fleet")
            .is_some_and(|f| f == fleet)
        {
            client.remove(&container.id, true).await?;
        }
    }
    for network in client.networks().await? {
        if network.name == Some(format!("ostler-{fleet}")) {
            client
                .remove_network(&network.id.unwrap_or_default())
                .await?;
        }
    }
    Ok(())
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    listener.local_addr().unwrap().port()
}

//! Simulated hosts in a process of their own, each at a socket, a network away: what the measured
//! process holds and does is then its own alone.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::UnixListener;
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use ostler::cli::Failure;
use ostler::sim::{Fault, Pace, Sim, When, clock::Clock};
use ostler::walk::FleetFile;

use super::program::ostler;

/// How long each request takes.
pub const TRIP: Duration = Duration::from_millis(100);
/// Hosts by name.
pub type Hosts = BTreeMap<String, Sim>;

/// The argument with which what measures becomes that process.
pub const WORD: &str = "far";
/// What the process says when its hosts are there.
pub const READY: &str = "ready";
/// What it is told, followed by a host's name: it answers nothing from now on.
pub const HANG: &str = "hang";
/// The same: it answers again.
const MEND: &str = "mend";

/// Where the socket of a host lies.
pub fn socket(folder: &Path, host: &str) -> PathBuf {
    folder.join(format!("{host}.sock"))
}

/// The process, from outside. It ends with this.
pub struct Far {
    orders: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    _child: Child,
}

impl Far {
    /// Starts it for the fleet file in a folder; returns when all of the fleet is applied there.
    /// The program that measures is started once more; it must know [`WORD`].
    pub async fn start(folder: &Path) -> Result<Far, Failure> {
        let cannot = |e: &std::io::Error| Failure::caused("cannot start the simulated hosts", e);
        let program =
            std::env::current_exe().map_err(|e| Failure::caused("cannot find this program", &e))?;
        let mut child = Command::new(program)
            .arg(WORD)
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .env_remove("OSTLER_READ_ONLY")
            .kill_on_drop(true)
            .spawn()
            .map_err(|e| cannot(&e))?;
        let (Some(orders), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Failure::new("the simulated hosts cannot be talked to"));
        };
        let mut far = Far {
            orders,
            answers: BufReader::new(answers).lines(),
            _child: child,
        };
        far.wait().await?;
        Ok(far)
    }

    async fn wait(&mut self) -> Result<(), Failure> {
        match self.answers.next_line().await {
            Ok(Some(line)) if line == READY => Ok(()),
            _ => Err(Failure::new("the simulated hosts did not come up")),
        }
    }

    async fn order(&mut self, what: &str, host: &str) -> Result<(), Failure> {
        let line = format!("{what} {host}\n");
        let said = self.orders.write_all(line.as_bytes()).await;
        said.map_err(|e| Failure::caused("the simulated hosts are gone", &e))?;
        self.wait().await
    }

    /// From now on a host accepts, and never answers.
    pub async fn hang(&mut self, host: &str) -> Result<(), Failure> {
        self.order(HANG, host).await
    }

    /// It answers again.
    pub async fn mend(&mut self, host: &str) -> Result<(), Failure> {
        self.order(MEND, host).await
    }
}

/// From now on a host accepts, and never answers.
pub fn hang(sim: &Sim) {
    sim.faults().at(When::Every("", "/".into()), Fault::Hang);
}

/// Serves the hosts of a folder's fleet, each at its socket, for as long as the runtime lives, and
/// applies the fleet to them; afterwards each call takes its time.
pub async fn build(folder: &Path) -> Result<Hosts, Failure> {
    let (file, _) = FleetFile::load(&folder.join("fleet.yml"))?;
    let mut hosts = Hosts::new();
    for (seed, name) in file.fleet.hosts.keys().enumerate() {
        let sim = Sim::named(name.as_str(), seed as u64 + 1, Clock::real());
        listen(&socket(folder, name.as_str()), sim.clone())?;
        hosts.insert(name.to_string(), sim);
    }
    ostler(folder, &["apply", "--yes"]).await?;
    for sim in hosts.values() {
        sim.set_pace(Pace {
            call: TRIP,
            ..Pace::default()
        });
    }
    Ok(hosts)
}

fn listen(path: &Path, sim: Sim) -> Result<(), Failure> {
    let listener = UnixListener::bind(path)
        .map_err(|e| Failure::caused(format!("cannot listen at {}", path.display()), &e))?;
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            // A host that is down refuses.
            if let Ok(mut far) = sim.open() {
                tokio::spawn(async move {
                    let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                });
            }
        }
    });
    Ok(())
}

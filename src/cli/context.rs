//! The walk that every command and the console take: find the fleet file, load it, look at the
//! hosts, plan.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::path::{Path, PathBuf};

use super::args::Global;
use super::config;
use super::out::Out;
use super::{Exit, Failure};
use crate::engine::{self, Client, Gate, Mode};
use crate::fleet::{self, Finding, Fleet, Host, Images, Level, Name, Ports};
use crate::observe::model::Observed;
use crate::observe::scan::{Inspect, scan_fleet};

/// What one run of the program was told, on the command line, in the environment and in the
/// configuration.
#[derive(Debug, Clone)]
pub struct Context {
    /// Options that every command understands.
    pub global: Global,
    /// Whether hosts may be changed.
    pub mode: Mode,
    /// Where answers go.
    pub out: Out,
}

/// A fleet file that could be used, with the bytes it was read from.
#[derive(Debug, Clone)]
pub struct FleetFile {
    /// Where it is.
    pub path: PathBuf,
    /// Its text.
    pub source: String,
    /// What it says.
    pub fleet: Fleet,
}

impl Context {
    /// Reads the configuration. On-call mode is on when anything asks for it.
    pub fn new(global: Global, out: Out) -> Result<Self, Failure> {
        let config = config::load()?;
        let on_call = global.read_only || config.mode == config::Mode::OnCall;
        let mode = if on_call { Mode::OnCall } else { Mode::Full };
        Ok(Context { global, mode, out })
    }

    /// Refuses in on-call mode.
    pub fn may_change(&self, what: &str) -> Result<(), Failure> {
        match self.mode {
            Mode::Full => Ok(()),
            Mode::OnCall => Err(Failure::new(format!("on-call mode: {what} is refused")).help(
                "run it without --read-only, OSTLER_READ_ONLY and `mode: on-call` in the configuration",
            )),
        }
    }

    /// The fleet file, if there is one: `--fleet`, else `OSTLER_FLEET`, else `./fleet.yml`, else
    /// `fleet.yml` in the configuration directory.
    pub fn find_fleet(&self) -> Result<PathBuf, Failure> {
        if let Some(path) = &self.global.fleet {
            return Ok(path.clone());
        }
        let mut places = vec![PathBuf::from("fleet.yml")];
        places.extend(config::directory().map(|d| d.join("fleet.yml")));
        match places.iter().find(|p| p.exists()) {
            Some(path) => Ok(path.clone()),
            None => {
                let places: Vec<String> = places.iter().map(|p| p.display().to_string()).collect();
                Err(Failure::new(format!("no fleet file: neither {}", places.join(" nor ")))
                    .help("`ostler init` writes one; --fleet FILE names one; `ostler --host ADDRESS` looks at one engine without"))
            }
        }
    }

    /// Finds and loads the fleet file. All that is wrong with it is said; of what is only doubtful,
    /// how much there is.
    pub fn load(&self) -> Result<FleetFile, Failure> {
        let path = self.find_fleet()?;
        let source = read(&path)?;
        match fleet::load(&source, &path) {
            Ok(loaded) => {
                let doubts = loaded.warnings.len();
                if doubts > 0 {
                    let doubts = super::text::count(doubts, "warning");
                    let path = path.display();
                    self.out
                        .warn(&format!("{doubts} in {path}; `ostler check` shows them"));
                }
                let fleet = loaded.fleet;
                Ok(FleetFile {
                    path,
                    source,
                    fleet,
                })
            }
            Err(findings) => {
                self.show_findings(&findings, &source, &path);
                Err(broken(&findings, &path))
            }
        }
    }

    /// Says what was found in a fleet file, on standard error.
    pub fn show_findings(&self, findings: &[Finding], source: &str, path: &Path) {
        if !findings.is_empty() {
            let text = fleet::render(findings, source, path, self.out.colour_err);
            self.out.say(&text);
        }
    }
}

/// Which part of the fleet a run is about.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Sites; `None`: all.
    pub sites: Option<BTreeSet<Name>>,
    /// Hosts; `None`: all.
    pub hosts: Option<BTreeSet<Name>>,
}

impl Selection {
    /// Whether a site is meant.
    pub fn takes(&self, site: &Name) -> bool {
        self.sites.as_ref().is_none_or(|sites| sites.contains(site))
    }

    /// Whether a host is meant.
    pub fn takes_host(&self, host: &Name) -> bool {
        self.hosts.as_ref().is_none_or(|hosts| hosts.contains(host))
    }
}

/// What was found on the hosts, and the connections to them.
#[derive(Debug, Default)]
pub struct Seen {
    /// What was found.
    pub observed: Observed,
    /// Connections to the hosts that answered.
    pub clients: BTreeMap<Name, Client>,
}

impl Context {
    /// The part of the fleet that `--only` names.
    pub fn select(&self, file: &FleetFile) -> Result<Selection, Failure> {
        let _ = file;
        Ok(Selection::default())
    }

    /// A fleet of one host and no sites, for looking at an engine without a fleet file.
    pub fn lone(&self, address: &str) -> Result<FleetFile, Failure> {
        let engine = super::engine::here(Some(address))?;
        let name: Name = "engine".parse().map_err(|e| Failure::of(&e))?;
        let host = Host {
            name: name.clone(),
            engine,
            ports: Ports::default(),
            root: DEFAULT_ROOT.into(),
            subnet: None,
            images: Images::default(),
        };
        Ok(FleetFile {
            path: PathBuf::new(),
            source: String::new(),
            fleet: Fleet {
                hosts: [(name, host)].into_iter().collect(),
                ..Fleet::default()
            },
        })
    }

    /// Looks at the hosts of a selection, all at once. A host that does not answer is part of what
    /// was found.
    pub async fn look(&self, file: &FleetFile, selection: &Selection, inspect: &Inspect) -> Seen {
        let mode = self.mode;
        let mut fleet = file.fleet.clone();
        fleet.hosts.retain(|name, _| selection.takes_host(name));
        let connect = |host: &Host| {
            let engine = host.engine.clone();
            async move { Client::connect(&engine, Gate::new(mode)).await }
        };
        let (observed, clients) = scan_fleet(&fleet, connect, None, inspect).await;
        Seen { observed, clients }
    }
}

/// Where everything lies on a host unless its entry says otherwise.
pub const DEFAULT_ROOT: &str = "/srv/ostler";

/// Reads a fleet file's text.
pub fn read(path: &Path) -> Result<String, Failure> {
    let bytes = std::fs::read(path).map_err(|error| {
        let failure = Failure::new(format!("cannot read {}: {error}", path.display()));
        match error.kind() {
            std::io::ErrorKind::NotFound => failure.help("`ostler init` writes a fleet file"),
            _ => failure,
        }
    })?;
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..at]
            .iter()
            .filter(|b| **b == b'\n')
            .count()
            + 1;
        Failure::new(format!("{}:{line}: this is not UTF-8", path.display()))
            .help("a fleet file is text in UTF-8")
    })
}

/// The last line after a fleet file's errors were shown.
pub fn broken(findings: &[Finding], path: &Path) -> Failure {
    let errors = findings.iter().filter(|f| f.level == Level::Error).count();
    let errors = super::text::count(errors, "error");
    Failure {
        exit: Exit::Error,
        ..Failure::new(format!("{errors} in {}", path.display()))
    }
}

impl From<engine::Error> for Failure {
    fn from(error: engine::Error) -> Self {
        let failure = Failure::of(&error);
        match error.remedy() {
            Some(remedy) => failure.help(remedy),
            None => failure,
        }
    }
}

/// Runs what waits for hosts.
pub fn block_on<F: Future>(future: F) -> Result<F::Output, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::caused("cannot start the runtime", &error))?;
    let output = runtime.block_on(future);
    // What is left, such as a read of standard input, is not waited for.
    runtime.shutdown_background();
    Ok(output)
}

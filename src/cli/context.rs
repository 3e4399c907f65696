//! The walk that every command and the console take: find the fleet file, load it, look at the
//! hosts, plan.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Failure;
use super::args::{EngineArg, Global};
use super::config;
use super::out::Out;
use crate::engine::registry::Registries;
use crate::engine::transport::ssh::SshOptions;
use crate::engine::{self, Client, Gate, Mode, Network};
use crate::fleet::{self, Finding, Fleet, Host, Images, Isolate, Name, Ports, Selection};
use crate::walk::fleet_file::folder_of;
use crate::walk::look::{Closely, Connect, Reach, Seen, Sites, look};
use crate::walk::trust::{Distrust, exposed};
use crate::walk::{FleetFile, FleetFileError, Outset, Trust};

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
    /// How hosts are reached.
    pub network: Network,
    /// What of a fleet file's sources of secrets may be read here.
    pub trust: Trust,
}

/// `OSTLER_SSH_CONFIG` names another `ssh_config` than the operator's own.
fn ssh_options() -> SshOptions {
    let file = std::env::var_os("OSTLER_SSH_CONFIG").filter(|file| !file.is_empty());
    SshOptions {
        config: file.map(PathBuf::from),
    }
}

impl Context {
    /// Reads the configuration. On-call mode is on when anything asks for it, and where `looks` says
    /// that one engine is looked at.
    pub fn new(global: Global, looks: bool, out: Out) -> Result<Self, Failure> {
        let config = config::load()?;
        let on_call = looks || global.read_only || config.mode == config::Mode::OnCall;
        let mode = if on_call { Mode::OnCall } else { Mode::Full };
        if on_call && global.trust_commands {
            return Err(
                Failure::new("on-call mode runs no commands: --trust-commands is refused")
                    .help("leave it out; what cannot be compared is said"),
            );
        }
        let trust = match (mode, global.trust_commands) {
            (Mode::OnCall, _) => Trust::on_call(config::state_directory()),
            (Mode::Full, true) => Trust::always(),
            (Mode::Full, false) => Trust::asking(super::ask::here(), config::state_directory()),
        };
        Ok(Context {
            global,
            mode,
            out,
            trust,
            network: Network::asking(super::ask::here())
                .with_ssh(ssh_options())
                .with_registries(Registries::own()),
        })
    }

    /// Whether colours are refused, by argument or environment.
    pub fn no_color(&self) -> bool {
        self.global.no_color || std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty())
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
        let named = self.global.fleet.as_deref();
        Ok(FleetFile::find(named, config::directory().as_deref())?)
    }

    /// Finds and loads the fleet file. All that is wrong with it is said; of what is only doubtful,
    /// how much there is.
    pub fn load(&self) -> Result<FleetFile, Failure> {
        let path = self.find_fleet()?;
        let source = FleetFile::read(&path)?;
        self.network.start_paths_at(&folder_of(&path));
        let (file, doubts) = FleetFile::of(&path, source).map_err(|error| self.unusable(error))?;
        if !doubts.is_empty() {
            let doubts = crate::text::count(doubts.len(), "warning");
            let path = path.display();
            self.out
                .warn(&format!("{doubts} in {path}; `ostler check` shows them"));
        }
        if let Some(exposed) = exposed(&path) {
            self.out.warn(&exposed.to_string());
        }
        Ok(file)
    }

    /// Shows all that is wrong with a fleet file, before the last line about it.
    pub fn unusable(&self, error: FleetFileError) -> Failure {
        if let FleetFileError::Broken {
            path,
            text,
            findings,
        } = &error
        {
            self.show_findings(findings, text, path);
        }
        error.into()
    }

    /// Says what was found in a fleet file, on standard error.
    pub fn show_findings(&self, findings: &[Finding], source: &str, path: &Path) {
        if !findings.is_empty() {
            let text = fleet::render(findings, source, path, self.out.colour_err);
            self.out.say(&text);
        }
    }
}

impl Context {
    /// The part of the fleet that `--only` names.
    pub fn select(&self) -> Result<Selection, Failure> {
        Selection::parse(&self.global.only).map_err(|invalid| Failure::new(invalid.to_string()))
    }

    /// A fleet of one host and no sites, for looking at an engine without a fleet file.
    pub fn lone(&self, engine: &EngineArg) -> Result<FleetFile, Failure> {
        let found = super::engine::here(engine)?;
        let name: Name = match found.name() {
            Some(name) => name,
            None => "engine".parse().map_err(|e| Failure::of(&e))?,
        };
        let engine = found.address;
        let host = Host {
            name: name.clone(),
            engine,
            ports: Ports::default(),
            trusted_proxies: Vec::new(),
            proxy_protocol: false,
            root: Host::ROOT.into(),
            subnet: None,
            isolate: Isolate::default(),
            images: Images::default(),
        };
        Ok(FleetFile {
            path: PathBuf::new(),
            source: String::new(),
            fleet: Arc::new(Fleet {
                hosts: [(name, host)].into_iter().collect(),
                ..Fleet::default()
            }),
        })
    }

    /// How hosts are connected to.
    pub fn connect(&self) -> Connect {
        let (network, mode) = (self.network.clone(), self.mode);
        Arc::new(move |host| {
            let (network, engine) = (network.clone(), host.engine.clone());
            Box::pin(async move { Client::connect_by(&network, &engine, Gate::new(mode)).await })
        })
    }

    /// From where a walk begins that connects to hosts as it goes.
    pub fn outset(&self, file: &FleetFile) -> Outset {
        Outset {
            file: file.clone(),
            state: config::state_directory(),
            reach: Reach::Anew(self.connect()),
            trust: self.trust.clone(),
        }
    }

    /// Looks at the hosts that a selection is about, all at once. A host that does not answer is
    /// part of what was found.
    ///
    /// # Errors
    /// The selection names what is neither in the file nor left over on a host.
    pub async fn look(
        &self,
        file: &FleetFile,
        selection: &Selection,
        closely: Closely<'_>,
    ) -> Result<Seen, Failure> {
        let sites = Sites::Selected(selection.clone());
        let reach = Reach::Anew(self.connect());
        let looking = look(&file.fleet, &sites, None, closely, reach);
        looking.await.map_err(|invalid| Failure::of(&invalid))
    }
}

impl From<Distrust> for Failure {
    fn from(distrust: Distrust) -> Failure {
        Failure::of(&distrust).help(distrust.help())
    }
}

impl From<FleetFileError> for Failure {
    fn from(error: FleetFileError) -> Failure {
        let failure = Failure::of(&error);
        match error.help() {
            Some(help) => failure.help(help),
            None => failure,
        }
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
    // Connections are closed, and the ssh of `via: openssh` ended with its socket. What does not
    // end, such as a read of standard input, is not waited for.
    runtime.shutdown_timeout(std::time::Duration::from_millis(200));
    Ok(output)
}

//! What an operation does: the kinds there are, each with all that it takes to do it.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use crate::fleet::{Limits, Name, Subnet};
use crate::observe::model::Owner;
use crate::plan::service::operation::ServiceOperation;
use crate::record::SiteRecord;
use crate::record::route::{RouteEntry, RouterConfig};
use crate::record::spec::NewContainer;

/// A container that an operation is about. Existing ones are named by id, so that nothing else can
/// be hit; ones created in the same plan by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerRef {
    /// Name, for people and for containers this plan creates.
    pub name: String,
    /// Id, when it existed when the plan was made.
    pub id: Option<String>,
}

impl ContainerRef {
    /// What the engine knows it by: its id, when it had one when the plan was made.
    pub fn known_as(&self) -> &str {
        self.id.as_deref().unwrap_or(&self.name)
    }
}

/// What an operation does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "do")]
pub enum OperationKind {
    /// Pull an image by reference.
    PullImage {
        /// Reference.
        image: String,
        /// Ask for it although the host has an image of that name.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        anew: bool,
    },
    /// Build the image of a helper from the recipe inside the program.
    BuildImage {
        /// Tag it gets.
        image: String,
        /// What it is built from.
        base: String,
    },
    /// Create the sites' network: IPv4 only, containers cannot reach each other.
    CreateNetwork {
        name: String,
        subnet: Subnet,
        /// Labels of ours.
        labels: BTreeMap<String, String>,
    },
    /// Make the root folder and its tree, `state/host.json` with a new digest key. Refuses where
    /// `expect_empty` and state is found: the plan was made without having read it.
    PrepareHost {
        /// The toolbox the work is done through.
        toolbox: String,
        /// The plan assumed that nothing is there.
        expect_empty: bool,
    },
    /// Check that the router's ports are free of processes outside Docker.
    CheckPorts {
        ports: Vec<u16>,
    },
    /// Write the router's configuration, pages and default certificate, and the routes as recorded.
    WriteRouter {
        /// All that its configuration depends on.
        config: RouterConfig,
        hash: String,
    },
    /// Make the folder of a site: `www` with a placeholder page when new, `logs`, `private`.
    /// What exists is kept; an existing `www` of another owner is refused.
    CreateFolders {
        site: Name,
        /// Owner of what the site writes.
        uid: u32,
        /// The page shown until the customer's files are there, when the recipe serves `www`.
        placeholder: bool,
    },
    /// Give everything in an existing `www` to the site's uid.
    TakeOwnership {
        site: Name,
        /// Owner found.
        from: Owner,
        /// Owner to be.
        uid: u32,
    },
    /// Write the spec's files into `private/conf-<hash>`.
    WriteConf {
        site: Name,
        /// Hash of the spec.
        hash: String,
        /// Path → content.
        files: BTreeMap<String, String>,
    },
    /// Remove folders `private/conf-*` of a site other than `keep`.
    CleanConf {
        site: Name,
        /// Hash still in use; none: remove all.
        keep: Option<String>,
    },
    CreateContainer {
        container: Box<NewContainer>,
    },
    StartContainer {
        container: ContainerRef,
    },
    /// Wait until a container answers HTTP.
    AwaitReady {
        container: ContainerRef,
        /// Where it listens.
        address: Ipv4Addr,
        port: u16,
        path: String,
        /// Host header.
        domain: String,
        /// Seconds until it counts as failed.
        timeout_s: u32,
        /// Address of the container it replaces: the answer may be no worse.
        baseline: Option<Ipv4Addr>,
    },
    /// Wait until the router answers on its ports.
    AwaitRouter {
        container: ContainerRef,
        /// HTTP port.
        port: u16,
    },
    /// Wait until the guard's rules stand.
    AwaitGuard {
        container: ContainerRef,
        /// The rules' table in the kernel.
        table: String,
    },
    /// Take the guard's rules away, before it goes.
    OpenGuard {
        container: ContainerRef,
        /// The rules' table in the kernel.
        table: String,
    },
    /// Tell the router a site's route: files first, then the running process, then verify.
    Route {
        /// The whole of it.
        entry: RouteEntry,
    },
    /// Take a site's routes away.
    Unroute {
        site: Name,
    },
    /// Wait until the router holds no request to this address, or the time is up.
    Drain {
        /// Address that is no longer routed.
        address: Ipv4Addr,
        /// Seconds.
        at_most_s: u32,
    },
    /// Stop a container with its graceful signal.
    StopContainer {
        container: ContainerRef,
        /// Seconds until it is killed.
        grace_s: u32,
    },
    /// Restart a container in place.
    RestartContainer {
        container: ContainerRef,
        /// Seconds until it is killed.
        grace_s: u32,
    },
    /// Remove a container that does not run.
    RemoveContainer {
        container: ContainerRef,
        /// Kill it first if it runs: only for one that never served.
        force: bool,
    },
    RenameContainer {
        container: ContainerRef,
        /// New name.
        to: String,
    },
    /// Change limits in place. `None` cannot be applied to memory or cpus: it needs a new container.
    SetLimits {
        container: ContainerRef,
        /// As they should be.
        limits: Limits,
        /// As they were.
        was: Limits,
    },
    /// Tell the engine whether it is to start a container again when it ended. Changes nothing else.
    SetRestart {
        container: ContainerRef,
        /// Always, or never.
        always: bool,
    },
    /// Write `state/sites/<site>.json`: the last operation of a site.
    WriteRecord {
        record: Box<SiteRecord>,
    },
    /// Note that an apply that was cut off is dealt with: in its journal, and by taking its note in
    /// `state/` away.
    SettleRun {
        /// Name of that apply.
        run: String,
        /// It was taken back, not finished.
        undone: bool,
    },
    /// Keep the fleet file applied, its hash and commit, in `state/`: the last operation of a host.
    RecordFleet {
        /// Hash of the file.
        hash: String,
    },
    /// Whatever a service of the site does.
    #[serde(untagged)]
    Service(ServiceOperation),
}

//! All that the checks judge, as plain data.

use bollard::models::{Network, SystemInfo};

use super::local::{HostRoute, Listening, Space};
use crate::engine::{Certificates, EngineVersion, ListedContainer};
use crate::fleet::{EngineAddress, Isolate, Ports, Subnet};
use crate::observe::whose::{Whose, of_any};
use crate::record::Labelled;

/// A host to look at.
#[derive(Debug, Clone)]
pub struct Patient {
    /// What it is called.
    pub name: String,
    pub engine: EngineAddress,
    /// The fleet it is a host of, if any.
    pub fleet: Option<String>,
    /// Ports that the router is to have.
    pub ports: Ports,
    /// The folder on the host that is written to.
    pub root: String,
    /// The sites' network, where set.
    pub subnet: Option<Subnet>,
    /// What its sites are to be kept from.
    pub isolate: Isolate,
}

/// All that was found out about a host.
#[derive(Debug, Clone)]
pub struct Facts {
    pub version: EngineVersion,
    /// What it says of its machine.
    pub info: SystemInfo,
    pub containers: Vec<ListedContainer>,
    pub networks: Vec<Network>,
    /// What the machine says of itself; else why that cannot be known.
    pub local: Result<Local, Unseen>,
    /// The engine's clock minus ours, seconds.
    pub skew: Option<i64>,
    /// Our clock, unix seconds.
    pub now: i64,
    /// It is spoken to over TCP without TLS.
    pub plain: bool,
    /// When the certificates of the connection end.
    pub certificates: Option<Certificates>,
    /// The fleet it is a host of; `None`: any fleet's router may be there.
    pub fleet: Option<String>,
    /// Ports the router is to have.
    pub ports: Ports,
    /// The sites' network, where the fleet file sets it.
    pub subnet: Option<Subnet>,
    /// What sites are to be kept from.
    pub isolate: Isolate,
}

/// Who told what the machine says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Witness {
    /// This machine is the host.
    #[default]
    Here,
    /// The toolbox, which runs on the host's network and sees no processes.
    Toolbox,
}

/// Why the machine itself could not be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unseen {
    /// In words that follow `cannot be known: `.
    pub why: String,
    /// What would make it known.
    pub remedy: String,
}

/// What only the machine itself can say.
#[derive(Debug, Clone, Default)]
pub struct Local {
    /// Sockets that listen.
    pub listening: Vec<Listening>,
    pub routes: Vec<HostRoute>,
    /// Folders that will be written to, and the space below them.
    pub space: Vec<(String, Space)>,
    /// Whether packets between containers of one network pass the firewall.
    pub bridged_packets_filtered: Option<bool>,
    /// Whether something answers at the cloud's metadata address.
    pub metadata: Option<bool>,
    /// Who tells all this.
    pub by: Witness,
}

/// The addresses of a network.
pub(super) fn subnets(network: &Network) -> impl Iterator<Item = Subnet> + '_ {
    let configs = network
        .ipam
        .iter()
        .filter_map(|i| i.config.as_ref())
        .flatten();
    configs.filter_map(|c| c.subnet.as_deref()?.parse().ok())
}

/// What a container is to this fleet; without one, to the fleet that it is of.
pub(super) fn whose<'a>(container: &'a ListedContainer, fleet: Option<&str>) -> Option<Whose<'a>> {
    let of = container.labels.fleet()?;
    let meant = fleet.is_none_or(|fleet| fleet == of);
    of_any(&container.labels, container.name()).filter(|_| meant)
}

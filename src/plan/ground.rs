//! What sites stand on: the network, the toolbox with the folders it looks after, the guard, the
//! router.

pub(crate) mod guard;
pub(crate) mod helper;
mod router;
mod toolbox;

use std::collections::BTreeMap;
use std::ops::Deref;

use super::address::{Addresses, free_subnet};
use super::draft::{Draft, Step};
use super::index::Index;
use super::operation::{OperationId, OperationKind};
use super::place::Place;
use super::recipe::base::Setting;
use super::uid::Uids;
use super::wish::Wish;
use crate::fleet::{Host, Name, Subnet};
use crate::observe::model::ObservedHost;
use crate::record::layout::Layout;
use crate::record::route::RouterConfig;
use crate::record::{Labelled, SiteRecord, labels, names};

/// One host, ready to be stood on once the named operations are done.
pub(crate) struct Ground<'a> {
    pub place: Place<'a>,
    pub network: String,
    pub subnet: Subnet,
    pub addresses: Addresses,
    pub uids: Uids,
    /// What makes the network.
    pub network_ready: Option<OperationId>,
    /// What makes the folders and the toolbox that works in them.
    pub prepared: Option<OperationId>,
    /// What makes the router answer.
    pub router_ready: Option<OperationId>,
    /// What makes the helper of a service ready, by the service's name.
    pub helpers: BTreeMap<&'static str, OperationId>,
}

impl<'a> Deref for Ground<'a> {
    type Target = Place<'a>;
    fn deref(&self) -> &Place<'a> {
        &self.place
    }
}

impl<'a> Ground<'a> {
    /// Plans the ground; `None` when something is in the way, which is then among the problems.
    pub fn lay(place: Place<'a>, draft: &mut Draft) -> Option<Ground<'a>> {
        let (host, seen) = (place.host, place.seen);
        let network = names::network(place.fleet());
        if !toolbox::can_be_read(&place, draft) || !router::can_listen(host, seen, draft) {
            return None;
        }
        // The toolbox of a host whose state could not be read comes back first, alone.
        if is_blind(seen, &place.index, &network, place.fleet()) {
            toolbox::plan(&place, draft)?;
            draft.problem(
                None,
                "its toolbox is missing, so what ostler keeps there could not be read",
                "apply this plan: it brings the toolbox back; then plan again",
            );
            return None;
        }
        let (subnet, network_exists) = choose_subnet(place.wish, host, seen, &network, draft)?;
        let prepared = toolbox::plan(&place, draft)?;
        let prepared = toolbox::prepare(&place, prepared, draft);
        let prepared = guard::plan(&place, subnet, prepared, draft)?;
        let router = router::plan(&place, subnet, prepared.as_ref(), draft)?;
        let prepared = router.checked.or(prepared);
        // After the toolbox: where the network is, there has been one, and with it state.
        let network_ready = (!network_exists).then(|| {
            let kind = OperationKind::CreateNetwork {
                name: network.clone(),
                subnet,
                labels: labels::of_network(place.fleet()),
            };
            let step = Step::new("network", kind, &[]).because("the sites' network is missing");
            draft.push(step, &[prepared.as_ref()])
        });
        Some(Ground {
            addresses: Addresses::of(seen, place.state, &network, subnet),
            uids: Uids::of(seen, place.state),
            place,
            network,
            subnet,
            network_ready,
            prepared,
            router_ready: router.answers,
            helpers: BTreeMap::new(),
        })
    }

    /// The user id of a site: as recorded, else a new one.
    pub fn uid(&mut self, site: &Name, record: Option<&SiteRecord>) -> u32 {
        let Place {
            seen, state, index, ..
        } = &self.place;
        match record {
            Some(record) => record.uid,
            None => self.uids.take(site, seen, state, index),
        }
    }

    /// What recipes may use.
    pub fn setting(&self) -> Setting<'_> {
        Setting {
            layout: &self.layout,
            network: &self.network,
            gateway: self.subnet.gateway(),
            images: &self.host.images,
        }
    }
}

/// Hash of the toolbox as it should be.
pub(crate) fn toolbox_hash(fleet: &Name, host: &Host, layout: &Layout) -> String {
    toolbox::spec(fleet, host, layout).hash()
}

/// The router's configuration and the hash of its container as they should be, for sites in that
/// network.
pub(crate) fn router_wanted(
    fleet: &Name,
    host: &Host,
    layout: &Layout,
    sites: Subnet,
) -> (RouterConfig, String) {
    let config = RouterConfig::of(fleet, host, sites);
    let container = router::spec(fleet, host, layout, &config.hash()).hash();
    (config, container)
}

/// Whether there was an apply before whose state cannot be read: something of ours is there, and
/// no toolbox.
fn is_blind(seen: &ObservedHost, index: &Index, network: &str, fleet: &Name) -> bool {
    let network_is_ours = || {
        seen.networks
            .iter()
            .any(|found| found.name == network && found.is_of(fleet))
    };
    seen.state.read().is_none() && (!index.nothing_of_ours() || network_is_ours())
}

/// The network's subnet, and whether the network is there already.
fn choose_subnet(
    wish: &Wish,
    host: &Host,
    seen: &ObservedHost,
    name: &str,
    draft: &mut Draft,
) -> Option<(Subnet, bool)> {
    if let Some(found) = seen.networks.iter().find(|network| network.name == name) {
        let ours = found.is_of(&wish.fleet.name);
        if !ours {
            draft.problem(
                None,
                format!("there is a network {name} that is not ours"),
                "remove or rename that network",
            );
            return None;
        }
        if found.icc || found.ipv6 {
            let open = if found.icc {
                "lets containers reach each other"
            } else {
                "has IPv6, over which containers reach each other"
            };
            draft.problem(
                None,
                format!("the network {name} {open}: sites would not be kept apart"),
                "stop its containers and remove the network; the next apply makes it anew",
            );
            return None;
        }
        let Some(subnet) = found.subnets.first().copied() else {
            draft.problem(
                None,
                format!("the network {name} has no IPv4 subnet"),
                "stop its containers and remove the network; the next apply makes it anew",
            );
            return None;
        };
        if let Some(wanted) = host.subnet
            && wanted != subnet
        {
            draft.notice(
                None,
                format!("the network {name} is {subnet}, the file says {wanted}: a network's subnet cannot be changed while it is there"),
            );
        }
        return Some((subnet, true));
    }
    let taken: Vec<Subnet> = seen
        .networks
        .iter()
        .flat_map(|network| network.subnets.iter().copied())
        .collect();
    let subnet = match host.subnet {
        Some(wanted) => {
            if let Some(other) = seen
                .networks
                .iter()
                .find(|n| n.subnets.iter().any(|subnet| subnet.overlaps(&wanted)))
            {
                draft.problem(
                    None,
                    format!("the subnet {wanted} overlaps the network {}", other.name),
                    "choose another `subnet:`, or leave it out: a free one is then taken",
                );
                return None;
            }
            wanted
        }
        None => match free_subnet(&taken) {
            Some(free) => free,
            None => {
                draft.problem(
                    None,
                    format!(
                        "no /20 from {} to 10.255.255.255 is free for the sites' network",
                        Subnet::FIRST.base
                    ),
                    "name one that is free with `subnet:`",
                );
                return None;
            }
        },
    };
    Some((subnet, false))
}

//! What is there of one site.

use std::net::Ipv4Addr;

use crate::fleet::Name;
use crate::observe::model::ObservedContainer;
use crate::plan::container::is_usable;
use crate::plan::ground::Ground;
use crate::record::route::{RouteEntry, RouteTarget};
use crate::record::{Labelled, SiteRecord, names};

/// What is there of one site.
pub(crate) struct View<'a> {
    pub record: Option<&'a SiteRecord>,
    pub containers: Vec<&'a ObservedContainer>,
    pub routed: Option<&'a RouteEntry>,
    /// Final name of its container.
    pub name: String,
    pub network: String,
}

impl<'a> View<'a> {
    pub fn of(ground: &Ground<'a>, site: &Name) -> View<'a> {
        let mut containers = ground
            .index
            .sites
            .get(site.as_str())
            .cloned()
            .unwrap_or_default();
        containers.sort_by(|a, b| a.id.cmp(&b.id));
        View {
            record: ground.state.record(site),
            containers,
            routed: ground.state.router.routes.get(site),
            name: names::site(&ground.wish.fleet.name, site.as_str()),
            network: ground.network.clone(),
        }
    }

    /// The address a container was given, running or not.
    pub fn address(&self, container: &ObservedContainer) -> Option<Ipv4Addr> {
        container
            .asked_address()
            .or_else(|| container.addresses.get(&self.network).copied())
    }

    /// Whether the router sends requests to it.
    pub fn is_routed(&self, container: &ObservedContainer) -> bool {
        match self.routed.map(|entry| &entry.target) {
            Some(RouteTarget::Address { ip, .. }) => self.address(container) == Some(*ip),
            _ => false,
        }
    }

    /// Of those that `fits`, the one to keep: the routed one first, then the one that has the final
    /// name, then one that runs.
    pub fn best(&self, fits: impl Fn(&ObservedContainer) -> bool) -> Option<&'a ObservedContainer> {
        self.containers
            .iter()
            .copied()
            .filter(|c| is_usable(c) && fits(c))
            .min_by_key(|c| {
                (
                    !self.is_routed(c),
                    c.name != self.name,
                    !c.is_running(),
                    &c.id,
                )
            })
    }

    pub fn others(&self, keep: Option<&ObservedContainer>) -> Vec<&'a ObservedContainer> {
        self.containers
            .iter()
            .copied()
            .filter(|c| keep.is_none_or(|keep| keep.id != c.id))
            .collect()
    }

    /// Whether a container that is not ours has the site's name.
    pub fn is_taken(&self, ground: &Ground) -> bool {
        let taken = ground.index.taken_by_other(&self.name, ground.fleet());
        taken.is_some()
    }
}

//! What is there of one site.

use std::net::Ipv4Addr;

use crate::fleet::Name;
use crate::observe::model::ObservedContainer;
use crate::observe::whose::{self, is_usable};
use crate::plan::ground::Ground;
use crate::record::SiteRecord;
use crate::record::names;
use crate::record::route::RouteEntry;

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
        whose::address(container, &self.network)
    }

    /// Whether the router sends requests to it.
    pub fn is_routed(&self, container: &ObservedContainer) -> bool {
        whose::is_routed(container, &self.network, self.routed)
    }

    /// Of those that `fits`, the one to keep.
    pub fn best(&self, fits: impl Fn(&ObservedContainer) -> bool) -> Option<&'a ObservedContainer> {
        self.containers
            .iter()
            .copied()
            .filter(|c| is_usable(c) && fits(c))
            .min_by_key(|c| whose::rank(c, &self.name, &self.network, self.routed))
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

//! What is there of one site.

use std::net::Ipv4Addr;
use std::sync::Arc;

use crate::fleet::{Name, Subnet};
use crate::observe::model::ObservedContainer;
use crate::observe::whose::{self, is_usable};
use crate::plan::ground::Ground;
use crate::record::names;
use crate::record::route::{RouteEntry, RouteTarget};
use crate::record::{HostState, SiteRecord};

/// What is there of one site.
pub(crate) struct View<'a> {
    pub record: Option<&'a SiteRecord>,
    pub containers: Vec<&'a ObservedContainer>,
    pub routed: Option<&'a RouteEntry>,
    /// Final name of its container.
    pub name: String,
    pub network: String,
    subnet: Subnet,
    site: Name,
    state: &'a HostState,
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
            subnet: ground.subnet,
            site: site.clone(),
            state: ground.state,
        }
    }

    /// The address a container was given, running or not. A label may say anything: visitors are led
    /// into the sites' network, and to no other site.
    pub fn address(&self, container: &ObservedContainer) -> Option<Ipv4Addr> {
        let address = whose::address(container, &self.network)?;
        let theirs = |(site, record): (&Name, &Arc<SiteRecord>)| {
            record.address == Some(address) && *site != self.site
        };
        let own = self.subnet.contains(address) && !self.state.sites.iter().any(theirs);
        own.then_some(address)
    }

    /// What the router was last told, where that leads to a container of this site, or where its
    /// record says too. It may have been told anything else: that is nothing to go back to.
    pub fn way_back(&self) -> Option<&'a RouteEntry> {
        let routed = self.routed?;
        let mut containers = self.containers.iter();
        let home = match routed.target {
            RouteTarget::Stopped => true,
            RouteTarget::Address { ip, .. } if containers.any(|c| self.address(c) == Some(ip)) => {
                true
            }
            _ => self.record.is_some_and(|record| {
                let told = record.route.as_ref();
                record.spec.is_none() && told.is_some_and(|r| r.target == routed.target)
            }),
        };
        Some(routed).filter(|_| home)
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

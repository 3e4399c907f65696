//! Which address a new container gets: one that nothing holds, not even a stopped container.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use crate::fleet::Subnet;
use crate::observe::model::ObservedHost;
use crate::record::route::{RouteEntry, RouteTarget};
use crate::record::{HostState, Labelled};

/// The addresses of one network, and who holds them.
pub(crate) struct Addresses {
    subnet: Subnet,
    used: BTreeSet<Ipv4Addr>,
    members: usize,
    next: u32,
}

impl Addresses {
    /// Every container's address counts, stopped ones included, and every address that a route or
    /// a record names: a container that nobody lists may still be asked for there.
    pub fn of(host: &ObservedHost, state: &HostState, network: &str, subnet: Subnet) -> Addresses {
        let mut used = BTreeSet::new();
        let mut members = 0;
        for container in &host.containers {
            members += usize::from(container.addresses.contains_key(network));
            used.extend(container.addresses.values());
            used.extend(container.asked_address());
        }
        used.extend(state.router.routes.values().filter_map(held));
        for record in state.sites.values() {
            used.extend(record.address);
            used.extend(record.route.as_ref().and_then(held));
        }
        Addresses {
            subnet,
            used,
            members,
            next: Subnet::SITES_FROM,
        }
    }

    /// The lowest free one; says what is wrong when there is none.
    pub fn take(&mut self) -> Result<Ipv4Addr, String> {
        if self.members >= Subnet::MEMBERS {
            return Err(format!(
                "the network {} has {} containers; a bridge takes no more",
                self.subnet, self.members
            ));
        }
        while let Some(address) = self.subnet.address(self.next) {
            self.next += 1;
            if self.used.insert(address) {
                self.members += 1;
                return Ok(address);
            }
        }
        Err(format!("no address is free in {}", self.subnet))
    }
}

fn held(entry: &RouteEntry) -> Option<Ipv4Addr> {
    match entry.target {
        RouteTarget::Address { ip, .. } => Some(ip),
        RouteTarget::Resolve { .. } | RouteTarget::Stopped => None,
    }
}

/// The first /20 from [`Subnet::FIRST`] to the end of 10.0.0.0/8 that overlaps no network of the
/// host.
pub(crate) fn free_subnet(taken: &[Subnet]) -> Option<Subnet> {
    const STEP: usize = 1 << (32 - Subnet::FIRST.prefix);
    let last = u32::from(Ipv4Addr::new(10, 255, 255, 255));
    (u32::from(Subnet::FIRST.base)..=last)
        .step_by(STEP)
        .map(|base| Subnet {
            base: base.into(),
            ..Subnet::FIRST
        })
        .find(|subnet| !taken.iter().any(|other| other.overlaps(subnet)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_free_subnet_overlaps_nothing() {
        let taken: Vec<Subnet> = ["10.90.0.0/16", "172.17.0.0/16", "10.91.0.0/20"]
            .iter()
            .map(|text| text.parse().unwrap())
            .collect();
        assert_eq!(free_subnet(&taken).unwrap().to_string(), "10.91.16.0/20");
        assert_eq!(free_subnet(&["10.0.0.0/8".parse().unwrap()]), None);
    }
}

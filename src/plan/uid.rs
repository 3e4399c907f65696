//! Which user id a new site gets: one that no site on the host has or had while its files exist.

use std::collections::BTreeSet;

use super::index::Index;
use crate::fleet::Name;
use crate::observe::model::{ObservedHost, Owner};
use crate::record::{HostState, Labelled, SiteRecord, labels};

/// The user ids of one host.
pub(crate) struct Uids {
    used: BTreeSet<u32>,
    next: u32,
}

impl Uids {
    pub fn of(host: &ObservedHost, state: &HostState) -> Uids {
        let mut used: BTreeSet<u32> = state.sites.values().map(|record| record.uid).collect();
        used.extend(host.folders.values().map(|owner| owner.uid));
        // Those of other fleets on this host too: the kernel knows uids, not fleets.
        used.extend(host.containers.iter().filter_map(label));
        Uids {
            used,
            next: *SiteRecord::UIDS.start(),
        }
    }

    /// The user id of a site without a record: what its container or its folder already has where
    /// that is one of ours and nobody else's, else the lowest that is free.
    pub fn take(
        &mut self,
        site: &Name,
        host: &ObservedHost,
        state: &HostState,
        index: &Index,
    ) -> u32 {
        let by_label = index
            .sites
            .get(site.as_str())
            .and_then(|containers| containers.iter().find_map(|c| label(c)));
        let by_folder = host
            .folders
            .get(site)
            .filter(|owner| is_ours(owner))
            .map(|owner| owner.uid);
        let of_other = |uid: u32| {
            state.sites.values().any(|record| record.uid == uid)
                || host.folders.iter().any(|(n, o)| n != site && o.uid == uid)
                || index
                    .sites
                    .iter()
                    .any(|(n, cs)| *n != site.as_str() && cs.iter().any(|c| label(c) == Some(uid)))
        };
        if let Some(uid) = by_label.or(by_folder).filter(|uid| !of_other(*uid)) {
            return uid;
        }
        while !self.used.insert(self.next) {
            self.next += 1;
        }
        self.next
    }
}

/// Whether a folder's owner is one that ostler gives out.
fn is_ours(owner: &Owner) -> bool {
    SiteRecord::UIDS.contains(&owner.uid) && owner.uid == owner.gid
}

/// What a container is labelled with, where ostler gives such ones out: labels are what somebody
/// wrote, and nobody gets root by them.
fn label(container: &crate::observe::model::ObservedContainer) -> Option<u32> {
    let uid = container.label(labels::UID)?.parse().ok();
    uid.filter(|uid| SiteRecord::UIDS.contains(uid))
}

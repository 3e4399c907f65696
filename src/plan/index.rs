//! A host's containers, sorted once by what they are to this fleet.

use std::collections::{BTreeMap, HashMap};

use crate::fleet::Name;
use crate::observe::model::{ObservedContainer, ObservedHost};
use crate::observe::whose;

/// Ours by role and site; all by name.
#[derive(Default)]
pub(crate) struct Index<'a> {
    pub sites: BTreeMap<&'a str, Vec<&'a ObservedContainer>>,
    pub toolboxes: Vec<&'a ObservedContainer>,
    pub routers: Vec<&'a ObservedContainer>,
    pub guards: Vec<&'a ObservedContainer>,
    pub by_name: HashMap<&'a str, &'a ObservedContainer>,
}

impl<'a> Index<'a> {
    pub fn of(host: &'a ObservedHost, fleet: &Name) -> Index<'a> {
        let sorted = whose::sort(&host.containers, fleet, host.state.read());
        let by_name = host.containers.iter().map(|c| (c.name.as_str(), c));
        Index {
            sites: sorted.sites,
            toolboxes: sorted.toolboxes,
            routers: sorted.routers,
            guards: sorted.guards,
            by_name: by_name.collect(),
        }
    }

    /// Nothing of ours that needs a folder on the host.
    pub fn nothing_of_ours(&self) -> bool {
        let helpers = [&self.routers, &self.toolboxes, &self.guards];
        self.sites.is_empty() && helpers.iter().all(|these| these.is_empty())
    }

    /// Whether a container of this name is there that is not this fleet's, whatever its labels say.
    pub fn taken_by_other(&self, name: &str, fleet: &Name) -> Option<&'a ObservedContainer> {
        let container = self.by_name.get(name)?;
        whose::whose(container, fleet)
            .is_none()
            .then_some(container)
    }
}

//! A host's containers, sorted once by what they are to this fleet.

use std::collections::{BTreeMap, HashMap};

use crate::fleet::Name;
use crate::observe::model::{ObservedContainer, ObservedHost};
use crate::observe::whose::{self, Whose};
use crate::record::Labelled;

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
        let mut index = Index::default();
        for container in &host.containers {
            index.by_name.insert(&container.name, container);
            match whose::whose(container, fleet) {
                Some(Whose::Toolbox) => index.toolboxes.push(container),
                Some(Whose::Router) => index.routers.push(container),
                Some(Whose::Guard) => index.guards.push(container),
                Some(Whose::Site(site)) => index.sites.entry(site).or_default().push(container),
                None => {}
            }
        }
        index
    }

    /// Nothing of ours that needs a folder on the host.
    pub fn nothing_of_ours(&self) -> bool {
        let helpers = [&self.routers, &self.toolboxes, &self.guards];
        self.sites.is_empty() && helpers.iter().all(|these| these.is_empty())
    }

    /// Whether a container of this name is there that is not this fleet's.
    pub fn taken_by_other(&self, name: &str, fleet: &Name) -> Option<&'a ObservedContainer> {
        let container = self.by_name.get(name)?;
        (!container.is_of(fleet)).then_some(container)
    }
}

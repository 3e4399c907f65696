//! A host's containers, sorted once by what they are to this fleet.

use std::collections::{BTreeMap, HashMap};

use crate::fleet::Name;
use crate::observe::model::{ObservedContainer, ObservedHost};
use crate::record::names;

/// Ours by role and site; all by name.
#[derive(Default)]
pub(crate) struct Index<'a> {
    pub sites: BTreeMap<&'a str, Vec<&'a ObservedContainer>>,
    pub toolboxes: Vec<&'a ObservedContainer>,
    pub routers: Vec<&'a ObservedContainer>,
    pub by_name: HashMap<&'a str, &'a ObservedContainer>,
}

impl<'a> Index<'a> {
    pub fn of(host: &'a ObservedHost, fleet: &Name) -> Index<'a> {
        let mut index = Index::default();
        for container in &host.containers {
            index.by_name.insert(&container.name, container);
            if container.labels.get(names::FLEET).map(String::as_str) != Some(fleet.as_str()) {
                continue;
            }
            // A copy made by hand inherits labels from its image: the name tells the two apart.
            if !has_our_name(container, fleet) {
                continue;
            }
            match container.labels.get(names::ROLE).map(String::as_str) {
                Some(names::ROLE_TOOLBOX) => index.toolboxes.push(container),
                Some(names::ROLE_ROUTER) => index.routers.push(container),
                Some(names::ROLE_SITE) => {
                    if let Some(site) = container.labels.get(names::SITE) {
                        index.sites.entry(site).or_default().push(container);
                    }
                }
                _ => {}
            }
        }
        index
    }

    /// Nothing of ours that needs a folder on the host.
    pub fn nothing_of_ours(&self) -> bool {
        self.sites.is_empty() && self.routers.is_empty() && self.toolboxes.is_empty()
    }

    /// Whether a container of this name is there that is not this fleet's.
    pub fn taken_by_other(&self, name: &str, fleet: &Name) -> Option<&'a ObservedContainer> {
        let container = self.by_name.get(name)?;
        let ours = container.labels.get(names::FLEET).map(String::as_str) == Some(fleet.as_str());
        (!ours).then_some(container)
    }
}

/// Whether a container is called what ostler calls one of its role and site.
fn has_our_name(container: &ObservedContainer, fleet: &Name) -> bool {
    let label = |name: &str| container.labels.get(name).map(String::as_str);
    let name = match (label(names::ROLE), label(names::SITE)) {
        (Some(names::ROLE_TOOLBOX), _) => names::toolbox(fleet),
        (Some(names::ROLE_ROUTER), _) => names::router(fleet),
        (Some(names::ROLE_SITE), Some(site)) => names::site(fleet, site),
        _ => return false,
    };
    container.name == name || container.name == names::next(&name)
}

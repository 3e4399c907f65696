//! Where what is on a host is not as it was recorded.

use std::collections::BTreeMap;

use crate::fleet::Name;

/// Where files that ostler wrote on a host, and what the router's process has loaded, are not as
/// recorded. Only differences are kept: no content, no secret.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Differs {
    /// By site.
    pub sites: BTreeMap<Name, SiteDiffers>,
    /// The router's files that belong to no site: its configuration, its pages, lines of its maps
    /// that lead to no site.
    pub router: Vec<Different>,
    /// Of these, some are read by the router only at its start.
    pub reload: bool,
    /// What could not be looked at, and why, in words.
    pub unknown: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SiteDiffers {
    /// Lines of the router's maps.
    pub route: Vec<Different>,
    /// Files that its container reads at its start.
    pub conf: Vec<Different>,
    /// What services wrote, by the service's name; values are never kept.
    pub services: BTreeMap<&'static str, Vec<Different>>,
}

impl SiteDiffers {
    /// What differs of a service.
    pub fn service(&self, name: &str) -> &[Different] {
        self.services.get(name).map_or(&[], Vec::as_slice)
    }

    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.route.is_empty() && self.conf.is_empty() && self.services.values().all(Vec::is_empty)
    }
}

/// One thing that is not as recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Different {
    /// What: `route`, `domains.x.example`, `nginx.conf`.
    pub path: String,
    /// As recorded; `None`: it should not be there.
    pub applied: Option<String>,
    /// As found; `None`: it is gone.
    pub live: Option<String>,
}

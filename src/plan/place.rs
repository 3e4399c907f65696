//! One host: what is asked for it, and what was found on it.

use super::index::Index;
use super::wish::Wish;
use crate::fleet::{Host, Name};
use crate::observe::model::ObservedHost;
use crate::record::layout::Layout;
use crate::record::{HostState, SiteDiffers};

/// What planning a host goes by.
pub(crate) struct Place<'a> {
    pub wish: &'a Wish<'a>,
    pub host: &'a Host,
    pub seen: &'a ObservedHost,
    pub state: &'a HostState,
    pub index: Index<'a>,
    pub layout: Layout,
}

impl<'a> Place<'a> {
    /// The fleet's name.
    pub fn fleet(&self) -> &'a Name {
        &self.wish.fleet.name
    }

    /// How files of a site on the host differ from what is recorded.
    pub fn differs(&self, site: &Name) -> Option<&'a SiteDiffers> {
        self.seen.differs.as_ref()?.sites.get(site)
    }
}

//! What a service has to say in planning.

use crate::fleet::{Name, Site};
use crate::plan::draft::Draft;
use crate::plan::drift::raw::{Found, Look};
use crate::plan::ground::Ground;
use crate::plan::operation::OperationId;
use crate::plan::recipe::base::Setting;
use crate::plan::site::stage::{Refused, Stage};
use crate::record::spec::ContainerSpec;
use crate::record::{RecordedState, SiteRecord};

/// What a site has beside its container. What a service does not need it leaves out.
pub(crate) trait Service: Sync {
    /// Its word: the key of the fleet file, and what the record calls it.
    fn name(&self) -> &'static str;

    /// Plans its helper on a host, where a site wants one; returns what that is ready after. What
    /// [`Stage::push_service`] adds waits for it.
    fn host(&self, _ground: &mut Ground, _draft: &mut Draft) -> Option<OperationId> {
        None
    }

    /// What the site's container sees of it: part of what the container is made from.
    fn mounts(&self, _site: &Site, _setting: &Setting, _spec: &mut ContainerSpec) {}

    /// Steps before the container and the route, and what the record will say. What serves now goes
    /// on serving: nothing that it uses may be taken away here.
    ///
    /// # Errors
    /// The site cannot be planned.
    fn before(&self, _site: &Site, _stage: &mut Stage) -> Result<(), Refused> {
        Ok(())
    }

    /// Steps once the site is routed and the containers that others took the place of are gone.
    fn after(&self, _site: &Site, _stage: &mut Stage) {}

    /// Steps for a site that stops, is archived or is gone from the file, and what its record will
    /// say. Left out: all is kept as it is.
    fn halted(&self, _stage: &mut Stage, _state: RecordedState) {}

    /// Steps that stand for themselves, whatever state the site is to come to: they wait for what else
    /// is planned of it, and where they fail nothing is taken back. `site`: as the file has it on this
    /// host.
    fn apart(&self, _name: &Name, _site: Option<&Site>, _ground: &Ground, _draft: &mut Draft) {}

    /// What is not as recorded, or not as the file says.
    fn differs(&self, _look: &Look, _site: &Site, _record: &SiteRecord, _found: &mut Found) {}
}

//! What sites have beside their containers. One file here and one line in `ALL` per service.

pub mod certificate;
#[cfg(test)]
pub mod marker;
pub mod operation;
mod seam;
pub mod secrets;

pub(crate) use seam::Service;

use super::draft::Draft;
use super::ground::Ground;
use super::site::stage::{Refused, Stage};
use crate::fleet::{Name, Site};
use crate::record::RecordedState;

/// All services, in the order in which they are planned.
pub(crate) const ALL: &[&dyn Service] = &[
    &secrets::Secrets,
    &certificate::Certificates,
    #[cfg(test)]
    &marker::Marker,
];

/// What has to be there before the site's container, or before the route of a site without one.
pub(crate) fn before(site: &Site, stage: &mut Stage) -> Result<(), Refused> {
    ALL.iter()
        .try_for_each(|service| service.before(site, stage))
}

/// What comes once the site is routed and nothing of the old is left.
pub(crate) fn after(site: &Site, stage: &mut Stage) {
    ALL.iter().for_each(|service| service.after(site, stage));
}

/// What a site that does not run any more keeps and what it does not.
pub(crate) fn halted(stage: &mut Stage, state: RecordedState) {
    ALL.iter().for_each(|service| service.halted(stage, state));
}

/// What stands for itself, once all else of the site is planned. `site`: as the file has it on this
/// host; `None`: it has it here no more.
pub(crate) fn apart(name: &Name, site: Option<&Site>, ground: &Ground, draft: &mut Draft) {
    ALL.iter()
        .for_each(|service| service.apart(name, site, ground, draft));
}

//! One site: from whatever state an earlier apply left it in to what the file says.

mod halted;
mod proxy;
mod running;
mod step;
mod view;

pub(crate) use halted::leftover;

use super::draft::{Chain, Draft};
use super::ground::Ground;
use super::operation::OperationId;
use crate::fleet::{Recipe, Site, SiteState};
use step::finish;
use view::View;

/// Plans `site`; returns the last of its operations.
pub(crate) fn plan(ground: &mut Ground, draft: &mut Draft, site: &Site) -> Option<OperationId> {
    let view = View::of(ground, &site.name);
    let mut chain = Chain::new(draft.host, &site.name);
    match (site.state, &site.recipe) {
        (SiteState::Archived, _) => halted::archived(ground, &mut chain, site, &view),
        (SiteState::Stopped, _) => halted::stopped(ground, &mut chain, site, &view),
        (SiteState::Running, Recipe::Proxy { to }) => {
            proxy::running(ground, draft, &mut chain, site, to, &view);
        }
        (SiteState::Running, _) => running::plan(ground, draft, &mut chain, site, &view),
    }
    finish(draft, chain)
}

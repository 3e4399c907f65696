//! One site: from whatever state an earlier apply left it in to what the file says.

mod halted;
mod proxy;
mod running;
pub(crate) mod stage;
mod view;

pub(crate) use halted::leftover;
pub(crate) use running::Answers;

use super::draft::Draft;
use super::ground::Ground;
use crate::fleet::{Recipe, Site, SiteState};
use view::View;

/// Plans `site`.
pub(crate) fn plan(ground: &mut Ground, draft: &mut Draft, site: &Site) {
    let view = View::of(ground, &site.name);
    match (site.state, &site.recipe) {
        (SiteState::Archived, _) => halted::archived(ground, draft, site, view),
        (SiteState::Stopped, _) => halted::stopped(ground, draft, site, view),
        (SiteState::Running, Recipe::Proxy { to }) => {
            proxy::running(ground, draft, site, to, view);
        }
        (SiteState::Running, _) => running::plan(ground, draft, site, view),
    }
}

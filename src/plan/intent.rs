//! What an operator asks for that no line of the fleet file says.

use serde::{Deserialize, Serialize};

use super::graph::{Plan, Problem};
use super::host::Wish;
use crate::fleet::{Name, Recipe, SiteState};

/// A wish for one plan. It leaves no trace in the fleet file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "intent")]
#[non_exhaustive]
pub enum Intent {
    /// Restart a site's container in place.
    Restart {
        /// Which.
        site: Name,
    },
}

impl Intent {
    /// The site it is about.
    pub fn site(&self) -> &Name {
        match self {
            Intent::Restart { site } => site,
        }
    }

    /// The word on the command line.
    pub fn word(&self) -> &'static str {
        match self {
            Intent::Restart { .. } => "restart",
        }
    }
}

/// Says which intents cannot be followed, and why.
pub(super) fn check(wish: &Wish, plan: &mut Plan) {
    for intent in wish.intents {
        let site = wish.fleet.sites.get(intent.site().as_str());
        let what = match site {
            None => "no such site in the file".to_owned(),
            Some(site) if site.state != SiteState::Running => {
                format!("the file says state: {}", site.state.word())
            }
            Some(site) if matches!(site.recipe, Recipe::Proxy { .. }) => {
                "it is a proxy: ostler does not own what it leads to".to_owned()
            }
            Some(_) => continue,
        };
        plan.problems.push(Problem {
            host: site.map(|site| site.host.clone()).unwrap_or_default(),
            site: Some(intent.site().clone()),
            what: format!("{}: {what}", intent.word()),
            remedy: "name a site that runs here".to_owned(),
        });
    }
}

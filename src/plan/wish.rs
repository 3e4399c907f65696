//! What an operator asks for, by the fleet file and by what no line of it says.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::graph::{Plan, Problem};
use super::route::Claims;
use crate::fleet::{Fleet, Name, Recipe, SiteState};
use crate::observe::model::Observed;

/// What is asked for, by file and by hand.
pub(crate) struct Wish<'a> {
    pub fleet: &'a Fleet,
    pub fleet_hash: &'a str,
    pub observed: &'a Observed,
    pub intents: &'a [Intent],
    pub now: i64,
    pub options: &'a PlanOptions,
    pub claims: Claims<'a>,
}

/// What narrows or widens a plan.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PlanOptions {
    /// Only these sites, and of hosts only what they stand on. `None`: everything.
    pub only: Option<BTreeSet<Name>>,
    /// Also stop sites that no fleet file in this operator's history ever named.
    pub stop_unknown: bool,
    /// The plan finishes this apply, which was cut off: also where it had only the host itself to
    /// see to.
    pub finishes: Option<String>,
    /// The plan takes this apply back, which was cut off: `fleet` is what was applied before it,
    /// and nothing is recorded as applied.
    pub takes_back: Option<String>,
}

impl PlanOptions {
    /// Whether `site` is to be planned.
    pub(crate) fn selects(&self, site: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only.contains(site))
    }
}

/// Something asked for in one plan. It leaves no trace in the fleet file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "intent")]
#[non_exhaustive]
pub enum Intent {
    /// Restart a site's container in place.
    Restart { site: Name },
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

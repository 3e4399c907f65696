//! What an operator asks for, by the fleet file and by what no line of it says.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::graph::{Plan, Problem};
use super::route::Claims;
use crate::fleet::{Acme, Certificate, Fleet, Name, Recipe, SiteState};
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

impl Wish<'_> {
    /// Whether a site's container is to be replaced for a newer image.
    pub fn updates(&self, name: &Name) -> bool {
        let mut intents = self.intents.iter();
        intents.any(|intent| matches!(intent, Intent::Update { site } if site == name))
    }

    /// The same of a host's router.
    pub fn updates_router(&self, name: &Name) -> bool {
        let mut intents = self.intents.iter();
        intents.any(|intent| matches!(intent, Intent::UpdateRouter { host } if host == name))
    }

    /// Whether another certificate is to be had for a site, due or not.
    pub fn renews(&self, name: &Name) -> bool {
        let mut intents = self.intents.iter();
        intents.any(|intent| matches!(intent, Intent::Renew { site } if site == name))
    }

    /// The images to be asked for again for a host; `None`: it is no plan of that kind.
    pub fn pulls(&self, name: &Name) -> Option<Vec<&str>> {
        let is_pull = |intent: &Intent| matches!(intent, Intent::Pull { .. });
        self.intents.iter().any(is_pull).then(|| {
            let images = self.intents.iter().filter_map(|intent| match intent {
                Intent::Pull { host, image } if host == name => Some(image.as_str()),
                _ => None,
            });
            images.collect()
        })
    }
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
    /// Only what stands for itself, such as certificates, of sites that are as they should be.
    pub upkeep: bool,
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
    /// Replace a site's container where its tag stands for a newer image by now.
    Update { site: Name },
    /// The same for the router of a host.
    UpdateRouter { host: Name },
    /// Get another certificate for a site, due or not.
    Renew { site: Name },
    /// Ask the registry for the image that a tag stands for by now, for a host that has one. Plans
    /// nothing else.
    Pull { host: Name, image: String },
}

impl Intent {
    /// The site it is about.
    pub fn site(&self) -> Option<&Name> {
        match self {
            Intent::Restart { site } | Intent::Update { site } | Intent::Renew { site } => {
                Some(site)
            }
            Intent::UpdateRouter { .. } | Intent::Pull { .. } => None,
        }
    }

    /// The word on the command line.
    pub fn word(&self) -> &'static str {
        match self {
            Intent::Restart { .. } => "restart",
            Intent::Update { .. } | Intent::UpdateRouter { .. } => "update",
            Intent::Pull { .. } => "pull",
            Intent::Renew { .. } => "renew",
        }
    }
}

/// Says which intents cannot be followed, and why.
pub(super) fn check(wish: &Wish, plan: &mut Plan) {
    for intent in wish.intents {
        let Some(name) = intent.site() else {
            continue;
        };
        let site = wish.fleet.sites.get(name.as_str());
        let what = match site {
            None => "no such site in the file".to_owned(),
            Some(site) if matches!(intent, Intent::Renew { .. }) => {
                let on = matches!(&wish.fleet.acme, Some(Acme::On(_)));
                match (on, site.certificate()) {
                    (_, Certificate::None | Certificate::Own { .. } | Certificate::Kept) => {
                        "its certificate comes from no authority".to_owned()
                    }
                    (false, _) => "the fleet file has no `acme:`".to_owned(),
                    _ => continue,
                }
            }
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
            site: Some(name.clone()),
            what: format!("{}: {what}", intent.word()),
            remedy: "name a site that runs here".to_owned(),
        });
    }
}

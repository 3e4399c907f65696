//! What differs on a host, and what is to be applied, by site.

use std::collections::HashMap;

use crate::fleet::{Fleet, Name};
use crate::observe::model::ObservedHost;
use crate::plan::drift::{self, Field};
use crate::plan::{Operation, Plan};

/// What differs, by site; under `None` of what is the host's own.
pub type DriftBySite = HashMap<Option<Name>, Vec<Field>>;

/// What differs on a host; without a fleet nothing does.
pub fn drift_of(fleet: Option<&Fleet>, name: &Name, seen: &ObservedHost) -> DriftBySite {
    let Some((fleet, host)) = fleet.and_then(|fleet| Some((fleet, fleet.hosts.get(name)?))) else {
        return DriftBySite::new();
    };
    let found = drift::of_host(fleet, host, seen).into_iter();
    found.map(|d| (d.site, d.fields)).collect()
}

/// What planning found for each site: the causes of its operations.
#[derive(Debug, Clone, Default)]
pub struct Due {
    /// By site.
    pub sites: HashMap<Name, Vec<String>>,
}

impl Due {
    /// Takes the causes out of a plan, each once, in its order.
    pub fn of(plan: &Plan) -> Due {
        let mut sites: HashMap<Name, Vec<String>> = HashMap::new();
        for Operation { site, cause, .. } in &plan.operations {
            let Some(site) = site else { continue };
            let causes = sites.entry(site.clone()).or_default();
            for text in cause {
                if !causes.iter().any(|c| c == text) {
                    causes.push(text.clone());
                }
            }
        }
        for problem in &plan.problems {
            if let Some(site) = &problem.site {
                let causes = sites.entry(site.clone()).or_default();
                causes.insert(0, problem.what.clone());
            }
        }
        Due { sites }
    }

    /// The same where nobody planned, as far as a comparison tells: what the file says otherwise
    /// than was applied. That a site is new or is to be stopped goes without saying.
    pub fn of_drift(found: &DriftBySite) -> Due {
        let plain = |field: &&Field| !field.by_hand() && !matches!(&*field.path, "site" | "state");
        let told = found.iter().filter_map(|(site, fields)| {
            let causes: Vec<String> = fields.iter().filter(plain).map(Field::line).collect();
            Some((site.clone()?, causes))
        });
        Due {
            sites: told.filter(|(_, causes)| !causes.is_empty()).collect(),
        }
    }
}

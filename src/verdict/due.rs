//! What is to be applied, by site.

use std::collections::HashMap;

use crate::fleet::Name;
use crate::plan::{Operation, Plan};

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
}

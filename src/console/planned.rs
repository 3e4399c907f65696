//! A plan, made ready to be shown: by the worker that planned, so that the interface has nothing to
//! do but to take it.

use std::collections::HashMap;
use std::sync::Arc;

use super::screen::plan::PlanLines;
use crate::fleet::Name;
use crate::plan::{Operation, Plan};

/// A plan and what the screens show of it.
#[derive(Debug)]
pub struct Planned {
    /// It.
    pub plan: Arc<Plan>,
    /// What it found, by site.
    pub due: Due,
    /// Its lines.
    pub lines: PlanLines,
}

impl Planned {
    /// Makes all of it.
    pub fn of(plan: Plan) -> Planned {
        let plan = Arc::new(plan);
        Planned {
            due: Due::of(&plan),
            lines: PlanLines::of(&plan),
            plan,
        }
    }
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
}

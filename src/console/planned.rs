//! A plan, made ready to be shown: by the worker that planned, so that the interface has nothing to
//! do but to take it.

use std::sync::Arc;

use super::plan_lines::PlanLines;
use crate::plan::Plan;
use crate::verdict::Due;

/// A plan and what the screens show of it.
#[derive(Debug)]
pub struct Planned {
    pub plan: Arc<Plan>,
    /// What it found, by site.
    pub due: Due,
    pub lines: PlanLines,
}

impl Planned {
    /// Makes all of it.
    pub fn of(plan: impl Into<Arc<Plan>>) -> Planned {
        let plan = plan.into();
        Planned {
            due: Due::of(&plan),
            lines: PlanLines::of(&plan),
            plan,
        }
    }
}

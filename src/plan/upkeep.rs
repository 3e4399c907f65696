//! What is done without being asked for: what stands for itself, of sites that are as the file says.
//! The rest of a plan is left to an apply.

use super::draft::Draft;
use super::operation::Operation;

/// That part of a host's plan.
pub(super) fn only(full: Draft) -> Draft {
    let mut draft = Draft::new(full.host.clone());
    let stands = |operation: &Operation| operation.kind.facts().apart;
    for operation in &full.operations {
        // What waits for something else is not come to.
        let kept = |id: &_| draft.operations.iter().any(|it: &Operation| it.id == *id);
        if stands(operation) && operation.after.iter().all(kept) {
            draft.operations.push(operation.clone());
        }
    }
    let of_host = full.problems.into_iter();
    draft.problems = of_host.filter(|problem| problem.site.is_none()).collect();
    draft
}

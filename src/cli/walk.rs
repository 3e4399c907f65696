//! From a fleet file to a plan: look at the hosts it is about, then plan.

use super::context::{Context, Look, Seen};
use super::{Failure, config};
use crate::fleet::{Selection, file_hash};
use crate::observe::scan::Inspect;
use crate::plan::{self, Intent, Plan, PlanOptions};
use crate::walk::FleetFile;
use crate::walk::{commit, lineage};

/// A plan, and all that it was made from.
#[derive(Debug)]
pub struct Planned {
    /// What was found, and the connections to the hosts.
    pub seen: Seen,
    /// What apply would do.
    pub plan: Plan,
    /// What there is to say about the fleet file in git.
    pub uncommitted: Option<String>,
}

/// What a plan is about besides the fleet file.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// The part of the fleet.
    pub selection: Selection,
    /// What no line of the file says.
    pub intents: Vec<Intent>,
    /// Also stop sites that no fleet file of this operator's ever named.
    pub stop_unknown: bool,
}

/// Looks at the hosts and plans.
pub async fn plan(context: &Context, file: &FleetFile, wish: &Wish) -> Result<Planned, Failure> {
    let sources = file.secrets();
    let look = Look {
        // What was changed by hand is to be seen, and put right.
        inspect: &Inspect::Ours,
        secrets: Some(&*sources),
    };
    let looking = context.look(file, &wish.selection, look);
    let (seen, standing) = futures_util::join!(looking, commit::standing(&file.path));
    let mut seen = seen?;
    let state = config::state_directory();
    let bytes = file.source.as_bytes();
    seen.observed.lineage = lineage::find(
        &file.path,
        bytes,
        &file.fleet,
        &seen.observed,
        state.as_deref(),
    )
    .await;
    let options = PlanOptions {
        only: seen.sites.clone(),
        stop_unknown: wish.stop_unknown,
        ..PlanOptions::default()
    };
    let now = chrono::Utc::now().timestamp();
    let hash = file_hash(bytes);
    let mut plan = plan::plan_with(
        &file.fleet,
        &hash,
        &seen.observed,
        &wish.intents,
        now,
        &options,
    );
    // Hosts that were left out on purpose are no problem of this plan's.
    plan.problems
        .retain(|problem| seen.hosts.contains(&problem.host));
    Ok(Planned {
        seen,
        plan,
        uncommitted: standing.warning(&file.path),
    })
}

//! What the console asks for, as a wish; what came of it, as the screen shows it.

use std::path::PathBuf;
use std::sync::Arc;

use crate::console::effect::{self, Request};
use crate::console::planned::Planned;
use crate::console::proposal::Proposal;
use crate::plan::Plan;
use crate::walk::look::{Known, Reach, Sites};
use crate::walk::{self, Ask, FleetFile, Outset, Trust, Wish};

/// What a change is worked out from.
pub(super) struct Work {
    pub(super) path: PathBuf,
    pub(super) known: Known,
    pub(super) state: Option<PathBuf>,
    pub(super) trust: Trust,
}

/// A plan made ready to be shown, beside what else is worked on: its lines take a while.
pub(super) async fn planned(plan: Arc<Plan>) -> Result<Arc<Planned>, String> {
    let made = tokio::task::spawn_blocking(|| Arc::new(Planned::of(plan))).await;
    made.map_err(|_| "the plan could not be shown; `ostler plan` says more".to_owned())
}

impl Work {
    /// Works out what a change would do.
    pub(super) async fn prepare(
        self,
        request: Request,
    ) -> Result<(Proposal, walk::Proposal), String> {
        // What is on disk now counts, not what was read when the console was opened.
        let path = self.path;
        let loading = tokio::task::spawn_blocking(move || FleetFile::load(&path)).await;
        let (file, _) = loading.map_err(|e| e.to_string())?.map_err(|e| e.brief())?;
        let outset = Outset {
            file,
            state: self.state,
            reach: Reach::Known(self.known),
            trust: self.trust,
        };
        let made = outset.propose(wish(&request)).await;
        let ready = made.map_err(|refusal| match refusal.help() {
            Some(help) => format!("{refusal}; {help}"),
            None => refusal.to_string(),
        })?;
        let left = ready.left.iter();
        let left = left.map(|it| format!("{}: {}: {}", it.site, it.field, it.why));
        let proposal = Proposal {
            request,
            diff: ready.diff.clone(),
            planned: planned(ready.plan()).await?,
            uncommitted: ready.uncommitted.clone(),
            left: left.collect(),
        };
        Ok((proposal, ready))
    }
}

fn wish(request: &Request) -> Wish {
    let named = || request.named().to_vec();
    let ask = match &request.wish {
        effect::Wish::Apply => Ask::Apply,
        effect::Wish::Finish(run) => Ask::Finish(run.clone()),
        effect::Wish::Undo(run) => Ask::Undo(run.clone()),
        effect::Wish::Adopt => Ask::Adopt(named(), Vec::new()),
        effect::Wish::Restart => Ask::Restart(named()),
        effect::Wish::Update => Ask::Update(named()),
        effect::Wish::Pull => Ask::Pull,
        effect::Wish::State(state) => Ask::state(request.named(), *state),
        effect::Wish::Create(site) => Ask::Edit(vec![site.edit()]),
    };
    Wish {
        title: request.title.clone(),
        ask,
        sites: match &request.sites {
            None => Sites::default(),
            Some(sites) => Sites::Named(sites.iter().cloned().collect()),
        },
        stop_unknown: false,
    }
}

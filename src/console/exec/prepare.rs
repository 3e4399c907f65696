//! Works out what a change would do: edits in memory, a close look at the hosts, a plan.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use futures_util::future::join_all;

use crate::console::effect::{Request, Wish};
use crate::console::planned::Planned;
use crate::console::proposal::{DiffLine, Proposal};
use crate::engine::Client;
use crate::fleet::edit::{Edit, apply_edits};
use crate::fleet::{self, Fleet, Host, Name, Value};
use crate::host::secret::SecretSource;
use crate::observe::model::{HostObservation, Observed};
use crate::observe::scan::{Inspect, scan_in_time};
use crate::plan::{Intent, Plan, PlanOptions, drift, plan_with};
use crate::walk::back::Search;
use crate::walk::{FleetFile, commit, lineage};

/// A change that was worked out, with all that it takes to make it.
pub(super) struct Prepared {
    /// What was asked.
    pub(super) title: String,
    /// The fleet file that is gone back to, where an apply is taken back.
    pub(super) back: Option<String>,
    pub(super) before: String,
    pub(super) after: Option<String>,
    pub(super) fleet: Arc<Fleet>,
    pub(super) plan: Arc<Plan>,
    pub(super) clients: BTreeMap<Name, Client>,
}

/// A plan made ready to be shown, beside what else is worked on: its lines take a while.
async fn planned(plan: Plan) -> Result<Arc<Planned>, String> {
    let made = tokio::task::spawn_blocking(|| Arc::new(Planned::of(plan))).await;
    made.map_err(|_| "the plan could not be shown; `ostler plan` says more".to_owned())
}

/// What a change is worked out from.
pub(super) struct Work {
    pub(super) source: FleetFile,
    pub(super) observed: Observed,
    pub(super) clients: BTreeMap<Name, Client>,
    /// The hosts as those clients reach them.
    pub(super) hosts: BTreeMap<Name, Host>,
    pub(super) secrets: Arc<dyn SecretSource>,
    pub(super) state: Option<PathBuf>,
}

impl Work {
    pub(super) async fn prepare(
        mut self,
        request: Request,
    ) -> Result<(Proposal, Prepared), String> {
        let path = &self.source.path.clone();
        // What is on disk now counts, not what was read when the console was opened.
        let before = tokio::fs::read_to_string(path)
            .await
            .map_err(|e| format!("cannot read {}: {e}", path.display()))?;
        let standing = commit::standing(path).await;
        let uncommitted = standing.warning(path);
        if let Wish::Undo(run) = &request.wish {
            let run = run.clone();
            return self.back(request, &run, before).await;
        }
        let edits = edits(&request);
        let mut left = Vec::new();
        let (after, fleet) = if request.wish == Wish::Adopt {
            let loaded = fleet::load(&before, path)
                .map_err(|_| "the fleet file has errors; `ostler check` shows them".to_owned())?;
            self.adopt(&request, before.clone(), loaded.fleet, &mut left)
                .await?
        } else if edits.is_empty() {
            let loaded = fleet::load(&before, path)
                .map_err(|_| "the fleet file has errors; `ostler check` shows them".to_owned())?;
            (None, loaded.fleet)
        } else {
            let edited = apply_edits(&before, path, &edits).map_err(|e| e.to_string())?;
            (Some(edited.text).filter(|t| *t != before), edited.fleet)
        };
        let fleet = Arc::new(fleet);
        let text = after.as_deref().unwrap_or(&before);
        let only: Option<BTreeSet<Name>> = request
            .sites
            .as_ref()
            .map(|sites| sites.iter().cloned().collect());
        let finishes = match &request.wish {
            Wish::Finish(run) => Some(run.clone()),
            _ => None,
        };
        self.look_again(&fleet, only.as_ref(), finishes.as_deref())
            .await;
        self.observed.lineage = lineage::find(
            path,
            text.as_bytes(),
            &fleet,
            &self.observed,
            self.state.as_deref(),
        )
        .await;
        let intents = match request.wish {
            Wish::Restart => request
                .named()
                .iter()
                .map(|site| Intent::Restart { site: site.clone() })
                .collect(),
            _ => Vec::new(),
        };
        let hash = fleet::file_hash(text.as_bytes());
        let options = PlanOptions {
            only,
            finishes,
            ..PlanOptions::default()
        };
        let now = chrono::Utc::now().timestamp();
        let plan = plan_with(&fleet, &hash, &self.observed, &intents, now, &options);
        let diff = match &after {
            Some(after) => fleet::diff(&before, after).iter().map(diff_line).collect(),
            None => Vec::new(),
        };
        let mut plan = plan;
        if request.wish == Wish::Adopt && after.is_none() {
            // Asked for was the file; without it there is nothing to confirm.
            plan.operations.clear();
        }
        let planned = planned(plan).await?;
        let plan = planned.plan.clone();
        let proposal = Proposal {
            request,
            diff,
            planned,
            uncommitted,
            left,
        };
        let ready = Prepared {
            title: proposal.request.title.clone(),
            back: None,
            before,
            after,
            fleet,
            plan,
            clients: self.clients,
        };
        Ok((proposal, ready))
    }

    /// The way back from an apply that was cut off.
    async fn back(
        self,
        request: Request,
        run: &str,
        before: String,
    ) -> Result<(Proposal, Prepared), String> {
        let search = Search {
            path: &self.source.path,
            fleet: &self.source.fleet,
            observed: &self.observed,
            clients: &self.clients,
            secrets: &*self.secrets,
            state: self.state.as_deref(),
        };
        let mut ways = search
            .ways(run)
            .await
            .map_err(|e| format!("{e}; {}", e.help()))?;
        let (Some(way), true) = (ways.pop(), ways.is_empty()) else {
            return Err(format!(
                "its hosts had different fleet files before it: `ostler undo {run}` goes back on each"
            ));
        };
        let planned = planned(way.plan).await?;
        let plan = planned.plan.clone();
        let proposal = Proposal {
            request,
            diff: Vec::new(),
            planned,
            uncommitted: None,
            left: Vec::new(),
        };
        let ready = Prepared {
            title: proposal.request.title.clone(),
            back: Some(way.source),
            before,
            after: None,
            fleet: Arc::new(way.fleet),
            plan,
            clients: self.clients,
        };
        Ok((proposal, ready))
    }

    /// The file with what was changed by hand on sites written into it; what is not is said.
    async fn adopt(
        &mut self,
        request: &Request,
        before: String,
        mut fleet: Fleet,
        left: &mut Vec<String>,
    ) -> Result<(Option<String>, Fleet), String> {
        let only = request.named().iter().cloned().collect();
        self.look_again(&fleet, Some(&only), None).await;
        let mut text = before.clone();
        for site in request.named() {
            let host = fleet.sites.get(site).map(|s| s.host.clone());
            if let Some(HostObservation::Unreachable { why }) =
                host.and_then(|host| self.observed.hosts.get(&host))
            {
                return Err(format!("{site}: what is live is not known: {why}"));
            }
            let path = &self.source.path;
            let (adoption, edited) =
                drift::adopt_into(&text, path, &fleet, site, &self.observed, &[])
                    .map_err(|e| e.to_string())?;
            let lines = adoption.left.iter();
            left.extend(lines.map(|(field, why)| format!("{site}: {field}: {why}")));
            (text, fleet) = (edited.text, edited.fleet);
        }
        Ok((Some(text).filter(|t| *t != before), fleet))
    }

    /// A host that the file reaches elsewhere by now is another machine than the one that was
    /// looked at, and that its client still leads to.
    fn forget_moved(&mut self, fleet: &Fleet) {
        for (name, now) in &fleet.hosts {
            if self.hosts.get(name).is_none_or(|was| !now.is_where(was)) {
                self.clients.remove(name);
                let why = "it has not been looked at yet".to_owned();
                let unknown = HostObservation::Unreachable { why };
                self.observed.hosts.insert(name.clone(), unknown);
            }
        }
    }

    /// Looks again, closely and with secrets, at the hosts it is about; `finishes`: an apply, also
    /// where it was cut off.
    async fn look_again(
        &mut self,
        fleet: &Fleet,
        only: Option<&BTreeSet<Name>>,
        finishes: Option<&str>,
    ) {
        self.forget_moved(fleet);
        let mut hosts: BTreeSet<Name> = match only {
            None => fleet.hosts.keys().cloned().collect(),
            Some(sites) => sites
                .iter()
                .filter_map(|s| fleet.sites.get(s))
                .map(|s| s.host.clone())
                .collect(),
        };
        if let Some(sites) = only {
            // A site that moved, or that is in the file no more, is where its record is.
            for (name, host) in &self.observed.hosts {
                let state = host.reached().and_then(|h| h.state.read());
                if state.is_some_and(|s| sites.iter().any(|site| s.sites.contains_key(site))) {
                    hosts.insert(name.clone());
                }
            }
        }
        for (name, host) in &self.observed.hosts {
            let mut notes = host.reached().into_iter().flat_map(|seen| seen.applying());
            if notes.any(|note| Some(note.run.as_str()) == finishes) {
                hosts.insert(name.clone());
            }
        }
        let secrets = Some(&*self.secrets);
        let scans = hosts.iter().filter_map(|name| {
            let (host, client) = (fleet.hosts.get(name)?, self.clients.get(name)?);
            Some(async move {
                let look = scan_in_time(client, host, fleet, secrets, &Inspect::Ours);
                let found = match look.await {
                    Ok(found) => HostObservation::Reached(std::sync::Arc::new(found)),
                    Err(e) => HostObservation::Unreachable { why: e.to_string() },
                };
                (name.clone(), found)
            })
        });
        let found: Vec<_> = join_all(scans).await;
        self.observed.hosts.extend(found);
        for name in fleet.hosts.keys() {
            let why = || "it does not answer".to_owned();
            self.observed
                .hosts
                .entry(name.clone())
                .or_insert_with(|| HostObservation::Unreachable { why: why() });
        }
    }
}

fn diff_line(line: &fleet::DiffLine) -> DiffLine {
    let (sign, text) = match line {
        fleet::DiffLine::Skipped(_) => ('@', "⋯".to_owned()),
        fleet::DiffLine::Context(text) => (' ', text.clone()),
        fleet::DiffLine::Removed(text) => ('-', text.clone()),
        fleet::DiffLine::Added(text) => ('+', text.clone()),
    };
    DiffLine { sign, text }
}

/// How the file has to change.
fn edits(request: &Request) -> Vec<Edit> {
    match &request.wish {
        // What is adopted is known only after the hosts were looked at.
        Wish::Apply | Wish::Finish(_) | Wish::Restart | Wish::Undo(_) | Wish::Adopt => Vec::new(),
        Wish::State(state) => request
            .named()
            .iter()
            .map(|site| Edit::SetState {
                site: site.to_string(),
                state: *state,
            })
            .collect(),
        Wish::Create(site) => {
            let mut fields: Vec<(String, Value)> = Vec::new();
            if let Some(account) = &site.account {
                fields.push(("account".into(), account.as_str().into()));
            }
            fields.push(("host".into(), site.host.as_str().into()));
            for (key, value) in &site.recipe {
                let value = match *key {
                    "port" => Value::Bare(value.clone()),
                    _ => value.as_str().into(),
                };
                fields.push(((*key).into(), value));
            }
            let domains: Vec<Value> = site.domains.iter().map(|d| d.as_str().into()).collect();
            fields.push(("domains".into(), Value::List(domains)));
            if let Some(memory) = &site.memory {
                fields.push(("memory".into(), memory.as_str().into()));
            }
            vec![Edit::CreateSite {
                name: site.name.to_string(),
                fields,
            }]
        }
    }
}

//! What a wish would do: the file with its change, a close look at the hosts, a plan. Changes
//! nothing.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::back::{BackError, Way};
use super::look::{Closely, Reach, Seen, Sites, look, meant};
use super::saved::MadeFrom;
use super::search::Search;
use super::trust::{Distrust, Trust};
use super::wish::{Ask, Wish};
use super::{FleetFile, commit, lineage, renewal};
use crate::engine::Client;
use crate::fleet::{
    self, DiffLine, EditError, Fleet, Invalid, Name, Site, SiteState, apply_edits, diff,
};
use crate::observe::model::{HostObservation, Observed};
use crate::observe::scan::Inspect;
use crate::plan::{Intent, Notice, Plan, PlanOptions, drift, newer, plan_with};

/// Why nothing is proposed.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// There is no such site.
    #[error(transparent)]
    Sites(#[from] Invalid),
    /// The file cannot be changed like that.
    #[error(transparent)]
    Edit(#[from] EditError),
    /// An apply is not taken back.
    #[error(transparent)]
    Back(#[from] BackError),
    /// What is to be adopted is not known.
    #[error("{host} did not answer: {why}")]
    Away {
        host: Name,
        /// Why not.
        why: String,
    },
    /// A saved plan is of something that is no more.
    #[error("this plan was made at {made_at} and is not what would be done now:\n  {}", .moved.join("\n  "))]
    Stale {
        /// When it was made, RFC 3339.
        made_at: String,
        /// What moved since, a line each.
        moved: Vec<String>,
    },
    /// The fleet file is not trusted with what it names on this machine.
    #[error(transparent)]
    Distrust(#[from] Distrust),
    /// A fault of ours.
    #[error("planning failed; `ostler plan` says more")]
    Broke,
}

impl Refusal {
    /// What can be done instead.
    pub fn help(&self) -> Option<Cow<'static, str>> {
        Some(match self {
            Refusal::Back(error) => error.help().into(),
            Refusal::Away { .. } => "what is live there is not known; nothing was changed".into(),
            Refusal::Stale { .. } => {
                "plan again: `ostler plan --out FILE`; nothing was changed".into()
            }
            Refusal::Distrust(distrust) => distrust.help().into(),
            Refusal::Sites(_) | Refusal::Edit(_) | Refusal::Broke => return None,
        })
    }
}

/// From where a walk begins.
pub struct Outset {
    /// The operator's fleet file, as it is on disk.
    pub file: FleetFile,
    /// The operator's state directory.
    pub state: Option<PathBuf>,
    /// How hosts are reached.
    pub reach: Reach,
    /// What of the fleet file's sources of secrets may be read here.
    pub trust: Trust,
}

/// What a wish would do, with all that it takes to do it.
#[derive(Debug)]
pub struct Proposal {
    /// What is asked, in words.
    pub title: String,
    /// The file as it was read, and still has to be when this is carried out.
    pub before: FleetFile,
    /// The file as it would be written; none: it stays as it is.
    pub after: Option<FleetFile>,
    /// How that changes it.
    pub diff: Vec<DiffLine>,
    /// What would be done on the hosts, one after the other: as a rule one, several where an apply
    /// is taken back on hosts that had different files before it.
    pub parts: Vec<Part>,
    /// What there is to say about the fleet file in git.
    pub uncommitted: Option<String>,
    /// What was to be adopted and is not.
    pub left: Vec<Left>,
    /// What was found.
    pub observed: Observed,
    /// Connections to the hosts.
    pub clients: BTreeMap<Name, Client>,
    /// The operator's state directory.
    pub state: Option<PathBuf>,
    /// What of the fleet file's sources of secrets may be read here.
    pub trust: Trust,
    /// It takes an apply back: what is gone back to is not what the operator's file descends from.
    pub takes_back: bool,
    /// Nobody asked for it: nobody is waited for, and it is no apply of the file.
    pub upkeep: bool,
}

/// A plan, and the fleet file that it makes hosts match.
#[derive(Debug)]
pub struct Part {
    /// Text of that file; empty: none was.
    pub source: String,
    pub fleet: Arc<Fleet>,
    /// What is done.
    pub plan: Arc<Plan>,
    /// Earlier parts, by number, without which this one is not begun.
    pub after: std::collections::BTreeSet<usize>,
}

/// A field that was changed by hand and is not written into the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    pub site: Name,
    pub field: String,
    /// Why not.
    pub why: String,
}

impl Proposal {
    /// Whether there is nothing to do on any host.
    pub fn is_idle(&self) -> bool {
        self.parts
            .iter()
            .all(|part| part.plan.operations.is_empty())
    }

    /// Whether everything that is wished for could be planned.
    pub fn is_whole(&self) -> bool {
        self.parts.iter().all(|part| part.plan.problems.is_empty())
    }

    /// All that would be done, as one plan to be shown.
    pub fn plan(&self) -> Arc<Plan> {
        if let [only] = &self.parts[..] {
            return only.plan.clone();
        }
        let mut all = Plan::default();
        for part in &self.parts {
            let plan = Plan::clone(&part.plan);
            let to = part.goes_back_to();
            all.notices
                .extend(part.fleet.hosts.keys().map(|host| Notice {
                    host: host.clone(),
                    site: None,
                    text: to.clone(),
                }));
            all.fleet = plan.fleet;
            all.operations.extend(plan.operations);
            all.problems.extend(plan.problems);
            all.notices.extend(plan.notices);
            all.uncompared.extend(plan.uncompared);
        }
        Arc::new(all)
    }
}

impl Part {
    /// The version of the file that taking an apply back brings hosts to, in words.
    pub fn goes_back_to(&self) -> String {
        match self.source.as_str() {
            "" => "nothing was applied before it".to_owned(),
            _ => format!("back to the fleet file {}", self.plan.fleet_hash),
        }
    }

    fn of(way: Way) -> Part {
        Part {
            source: way.source,
            fleet: Arc::new(way.fleet),
            plan: Arc::new(way.plan),
            after: way.after,
        }
    }
}

/// The plan for a fleet file and what was found on its hosts, with what that file descends from.
///
/// # Errors
/// A fault of ours.
pub async fn plan(
    file: &FleetFile,
    mut observed: Observed,
    intents: Vec<Intent>,
    options: PlanOptions,
    state: Option<&Path>,
) -> Result<(Plan, Observed), Refusal> {
    let bytes = file.source.as_bytes();
    observed.lineage = lineage::find(&file.path, bytes, &file.fleet, &observed, state).await;
    let hash = fleet::file_hash(bytes);
    let now = chrono::Utc::now().timestamp();
    let fleet = file.fleet.clone();
    // A large fleet takes a while.
    let work = move || {
        let plan = plan_with(&fleet, &hash, &observed, &intents, now, &options);
        (plan, observed)
    };
    let made = tokio::task::spawn_blocking(work).await;
    made.map_err(|_| Refusal::Broke)
}

/// What is asked for beside the file, and the sites that are planned for it; `None`: all.
fn intents(
    ask: &Ask,
    sites: Option<BTreeSet<Name>>,
    fleet: &Fleet,
    observed: &Observed,
) -> (Vec<Intent>, Option<BTreeSet<Name>>) {
    match ask {
        Ask::Restart(names) => {
            let restart = |site: &Name| Intent::Restart { site: site.clone() };
            (names.iter().map(restart).collect(), sites)
        }
        Ask::Update(names) => {
            let found = newer::find(fleet, observed);
            let (intents, sites) = found.ask(sites.as_ref(), names);
            (intents, Some(sites))
        }
        Ask::Renew(names) => {
            let renew = |site: &Name| Intent::Renew { site: site.clone() };
            (names.iter().map(renew).collect(), sites)
        }
        Ask::Pull => {
            let pulls = newer::pulls(fleet, observed, sites.as_ref());
            let pull = |(host, image)| Intent::Pull { host, image };
            (pulls.into_iter().map(pull).collect(), sites)
        }
        _ => (Vec::new(), sites),
    }
}

impl Outset {
    /// Works out what a wish would do.
    ///
    /// # Errors
    /// It cannot be done at all. What cannot be done on one host or for one site is a problem of the
    /// plan.
    pub async fn propose(mut self, wish: Wish) -> Result<Proposal, Refusal> {
        if let Ask::Undo(run) = &wish.ask {
            return self.back(&wish.title, run).await;
        }
        let mut left = Vec::new();
        if matches!(wish.ask, Ask::Adopt(..)) {
            self.settle(&self.file, &wish.sites).await?;
        }
        let after = self.edited(&wish, &mut left).await?;
        let file = after.as_ref().unwrap_or(&self.file);
        let upkeep = matches!(wish.ask, Ask::Renew(_) | Ask::Tend);
        // Secrets are not asked for: nobody may be there to answer.
        if !upkeep {
            let settled = self.settle(file, &wish.sites).await;
            // These write no secret: those that may not be read are only not compared.
            if !matches!(wish.ask, Ask::Restart(_) | Ask::Pull) {
                settled?;
            }
        }
        let finishes = match &wish.ask {
            Ask::Finish(run) => Some(run.clone()),
            _ => None,
        };
        if matches!(wish.ask, Ask::Adopt(..)) && after.is_none() {
            // Asked for was the file; without it there is nothing to confirm.
            return Ok(self.nothing(wish.title, left));
        }
        let secrets = file.secrets(&self.trust);
        let closely = match upkeep {
            true => Closely::at(&Inspect::Needed),
            false => Closely::to_plan(&*secrets),
        };
        let looking = look(
            &file.fleet,
            &wish.sites,
            finishes.as_deref(),
            closely,
            self.reach,
        );
        // On the heap: what looks at hosts is too large for the stack of a thread.
        let looking = Box::pin(looking);
        let (seen, standing) = futures_util::join!(looking, commit::standing(&file.path));
        let Seen {
            sites,
            hosts,
            observed,
            clients,
        } = seen?;
        let mut observed = observed;
        if upkeep {
            let now = chrono::Utc::now().timestamp();
            let state = self.state.as_deref();
            Box::pin(renewal::refresh(
                &file.fleet,
                &mut observed,
                &*secrets,
                state,
                now,
            ))
            .await;
        }
        let (intents, sites) = intents(&wish.ask, sites, &file.fleet, &observed);
        let options = PlanOptions {
            only: sites,
            finishes,
            stop_unknown: wish.stop_unknown,
            upkeep,
            ..PlanOptions::default()
        };
        let state = self.state.as_deref();
        let (mut plan, observed) = plan(file, observed, intents, options, state).await?;
        // Hosts that were left out on purpose are no problem of this plan's.
        plan.problems.retain(|problem| {
            hosts.contains(&problem.host) || !file.fleet.hosts.contains_key(&problem.host)
        });
        if let Ask::Saved(saved) = wish.ask {
            let mut moved = saved.moved(&plan, &MadeFrom::of(&file.fleet, &observed));
            if saved.is_of_the_future(chrono::Utc::now()) {
                moved.insert(
                    0,
                    "the plan says that it was made later than now".to_owned(),
                );
            }
            if !moved.is_empty() {
                let made_at = saved.made_at;
                return Err(Refusal::Stale { made_at, moved });
            }
            // What is run is the plan that was made now: a file only says what was reviewed.
        }
        let part = Part {
            source: file.source.clone(),
            fleet: file.fleet.clone(),
            plan: Arc::new(plan),
            after: Default::default(),
        };
        Ok(Proposal {
            title: wish.title,
            diff: match &after {
                Some(after) => diff(&self.file.source, &after.source),
                None => Vec::new(),
            },
            uncommitted: standing.warning(&self.file.path),
            before: self.file,
            after,
            parts: vec![part],
            left,
            observed,
            clients,
            state: self.state,
            trust: self.trust,
            takes_back: false,
            upkeep,
        })
    }

    /// Asks what there is to ask before hosts are looked at: nobody is waited for meanwhile. Only
    /// sites that are to run have their secrets read. What certificates and alerts take is asked about
    /// as well, for `tend` has nobody to ask; where nobody is here either, those have to do without.
    async fn settle(&self, file: &FleetFile, sites: &Sites) -> Result<(), Distrust> {
        let sites = meant(&file.fleet, sites).filter(|site| site.state == SiteState::Running);
        let (path, folder) = (&file.path, file.folder());
        let sources = sites.flat_map(Site::sources);
        self.trust.settle(path, &folder, sources).await?;
        let sources = file.fleet.sources().into_iter();
        match self.trust.settle(path, &folder, sources).await {
            Err(Distrust::Unseen { .. }) => Ok(()),
            settled => settled,
        }
    }

    /// The file as the wish wants it; none: as it is.
    async fn edited(
        &mut self,
        wish: &Wish,
        left: &mut Vec<Left>,
    ) -> Result<Option<FleetFile>, Refusal> {
        let edited = match &wish.ask {
            Ask::Edit(edits) => apply_edits(&self.file.source, &self.file.path, edits)?,
            Ask::Adopt(sites, fields) => self.adopted(sites, fields, &wish.sites, left).await?,
            _ => return Ok(None),
        };
        let after = FleetFile {
            path: self.file.path.clone(),
            source: edited.text,
            fleet: Arc::new(edited.fleet),
        };
        Ok(Some(after).filter(|after| after.source != self.file.source))
    }

    /// The file with what was changed by hand on sites written into it; what is not is said.
    async fn adopted(
        &mut self,
        names: &[Name],
        fields: &[String],
        sites: &Sites,
        left: &mut Vec<Left>,
    ) -> Result<fleet::Edited, Refusal> {
        let file = &self.file;
        let closely = Closely::at(&Inspect::Ours);
        let looking = look(&file.fleet, sites, None, closely, self.reach.clone());
        let seen = Box::pin(looking).await?;
        let mut edited = apply_edits(&file.source, &file.path, &[])?;
        for site in names {
            let host = edited.fleet.sites.get(site).map(|site| site.host.clone());
            if let Some(host) = host
                && let Some(HostObservation::Unreachable { why }) = seen.observed.hosts.get(&host)
            {
                let why = why.clone();
                return Err(Refusal::Away { host, why });
            }
            let (text, fleet, observed) = (&edited.text, &edited.fleet, &seen.observed);
            let (adoption, after) =
                drift::adopt_into(text, &file.path, fleet, site, observed, fields)?;
            left.extend(adoption.left.into_iter().map(|(field, why)| Left {
                site: site.clone(),
                field,
                why,
            }));
            edited = after;
        }
        // What was found is looked at once more for the plan, with secrets.
        self.reach = Reach::Known(seen.known(&file.fleet));
        Ok(edited)
    }

    fn nothing(self, title: String, left: Vec<Left>) -> Proposal {
        Proposal {
            title,
            before: self.file,
            after: None,
            diff: Vec::new(),
            parts: Vec::new(),
            uncommitted: None,
            left,
            observed: Observed::default(),
            clients: BTreeMap::new(),
            state: self.state,
            trust: self.trust,
            takes_back: false,
            upkeep: false,
        }
    }

    /// The way back from an apply that was cut off.
    async fn back(self, title: &str, run: &str) -> Result<Proposal, Refusal> {
        let fleet = self.file.fleet.clone();
        let known = match self.reach.clone() {
            Reach::Known(mut known) => {
                known.forget_moved(&fleet);
                known
            }
            anew => {
                let closely = Closely::at(&Inspect::Needed);
                let all = Sites::default();
                let seen = Box::pin(look(&fleet, &all, None, closely, anew)).await?;
                seen.known(&fleet)
            }
        };
        let secrets = self.file.secrets(&self.trust);
        let search = Search {
            path: &self.file.path,
            fleet: &fleet,
            observed: &known.observed,
            clients: &known.clients,
            secrets: &*secrets,
            trust: &self.trust,
            state: self.state.as_deref(),
        };
        let ways = search.ways(run).await?;
        Ok(Proposal {
            parts: ways.into_iter().map(Part::of).collect(),
            takes_back: true,
            observed: known.observed,
            clients: known.clients,
            ..self.nothing(title.to_owned(), Vec::new())
        })
    }
}

//! Carries out what `update` wishes for. Everything here runs beside the interface and answers
//! with messages.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::join_all;
use tokio::sync::mpsc::{Sender, UnboundedSender, unbounded_channel};
use tokio::task::{AbortHandle, JoinHandle};
use tokio_util::sync::CancellationToken;

use super::activity::{End, Outcome, Step};
use super::effect::{Effect, Followed, Request, Wish};
use super::feed::{Connect, Feed};
use super::log::Stream;
use super::message::{LogNews, Message};
use super::proposal::{DiffLine, Proposal};
use super::{FleetSource, probe};
use crate::apply::{self, OperationOutcome, Operator, Pace, Progress, lineage};
use crate::engine::{Client, LogOptions, Out};
use crate::fleet::edit::{Edit, Value, apply_edits};
use crate::fleet::{self, Fleet, Name};
use crate::host::secret::SecretSource;
use crate::observe::model::{HostObservation, Observed};
use crate::observe::scan::{HOST_DEADLINE, Inspect, scan};
use crate::plan::{Intent, Plan, PlanOptions, plan, plan_with};

/// How long apply waits for a lock that somebody else holds.
const WAIT_FOR_LOCK: Duration = Duration::from_secs(30);
/// Lines of a log that are read before it is followed.
const LOG_TAIL: u32 = 5_000;
/// Lines of a log that a site's page looks through.
const PAGE_TAIL: u32 = 200;
/// How often the fleet file is looked at for changes made elsewhere.
const FILE_EVERY: Duration = Duration::from_secs(2);
/// Plans are made at most this often.
const PLAN_PAUSE: Duration = Duration::from_millis(200);

/// What carrying out needs.
pub struct Exec {
    feed: Feed,
    messages: UnboundedSender<Message>,
    /// Lines of logs: bounded, so that a flood waits at its source.
    log: Sender<Message>,
    source: Option<Arc<Mutex<FleetSource>>>,
    secrets: Arc<dyn SecretSource>,
    state: Option<PathBuf>,
    on_call: bool,
    demo: bool,
    prepared: Arc<Mutex<HashMap<u64, Prepared>>>,
    followed: HashMap<u64, Vec<AbortHandle>>,
    proposing: HashMap<u64, AbortHandle>,
    applying: Option<(JoinHandle<()>, CancellationToken)>,
    file_watch: Option<AbortHandle>,
}

/// A change that was worked out, with all that it takes to make it.
struct Prepared {
    before: String,
    after: Option<String>,
    fleet: Arc<Fleet>,
    plan: Arc<Plan>,
    clients: std::collections::BTreeMap<Name, Client>,
}

/// From what an [`Exec`] is made.
pub(super) struct Parts {
    pub fleet: Arc<Fleet>,
    pub source: Option<FleetSource>,
    pub connect: Connect,
    pub state: Option<PathBuf>,
    pub on_call: bool,
    pub demo: bool,
    pub messages: UnboundedSender<Message>,
    pub log: Sender<Message>,
}

impl Exec {
    /// Begins to watch the hosts.
    pub(super) fn new(parts: Parts) -> Exec {
        let lone = parts.source.is_none();
        let feed = Feed::new(
            parts.fleet,
            lone,
            parts.on_call,
            parts.connect,
            parts.messages.clone(),
        );
        let folder = parts.source.as_ref().map(FleetSource::folder);
        let secrets = Arc::new(apply::secret::Sources {
            folder: folder.unwrap_or_default(),
        });
        let source = parts.source.map(|s| Arc::new(Mutex::new(s)));
        let file_watch = source
            .clone()
            .map(|source| tokio::spawn(watch_file(source, parts.messages.clone())).abort_handle());
        Exec {
            feed,
            messages: parts.messages,
            log: parts.log,
            source,
            secrets,
            state: parts.state,
            on_call: parts.on_call,
            demo: parts.demo,
            prepared: Arc::default(),
            followed: HashMap::new(),
            proposing: HashMap::new(),
            applying: None,
            file_watch,
        }
    }

    /// The fleet file was read again.
    pub fn fleet_changed(&mut self, fleet: &Arc<Fleet>) {
        self.feed.set_fleet(fleet.clone());
    }

    /// Carries out one wish. Those about the terminal are the caller's.
    pub fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Quit | Effect::Suspend | Effect::Redraw | Effect::Copy(_) => {}
            Effect::Plan => self.plan(),
            Effect::Propose(id, request) => self.propose(id, request),
            Effect::Forget(id) => {
                if let Some(task) = self.proposing.remove(&id) {
                    task.abort();
                }
                lock(&self.prepared).remove(&id);
            }
            Effect::Apply(id) => self.apply(id),
            Effect::Watch(watch) => self.feed.watch(watch),
            Effect::Refresh => self.feed.refresh(),
            Effect::Probe(site) => self.probe(site),
            Effect::Tail {
                key,
                host,
                container,
            } => {
                let client = self.feed.clients().remove(&host);
                let messages = self.messages.clone();
                tokio::spawn(async move {
                    let lines = match client {
                        Some(client) => last_lines(&client, &container).await,
                        None => Err(format!("{host} does not answer")),
                    };
                    let _ = messages.send(Message::Tail(key, lines));
                });
            }
            Effect::Follow(id, logs) => self.follow(id, logs),
            Effect::Unfollow(id) => {
                for task in self.followed.remove(&id).unwrap_or_default() {
                    task.abort();
                }
            }
        }
    }

    /// Lets an apply that runs end between two operations, and waits for it.
    pub async fn leave(mut self) {
        if let Some(task) = self.file_watch.take() {
            task.abort();
        }
        if let Some((task, cancel)) = self.applying.take()
            && !task.is_finished()
        {
            cancel.cancel();
            let _ = task.await;
        }
    }

    /// Connections to the hosts that answer.
    #[cfg(test)]
    pub fn clients(&self) -> std::collections::BTreeMap<Name, Client> {
        self.feed.clients()
    }

    /// Whether something is being applied.
    pub fn is_applying(&self) -> bool {
        self.applying
            .as_ref()
            .is_some_and(|(task, _)| !task.is_finished())
    }

    fn source(&self) -> Option<FleetSource> {
        Some(lock(self.source.as_ref()?).clone())
    }

    fn plan(&self) {
        let Some(source) = self.source() else { return };
        let mut observed = self.feed.observed();
        let state = self.state.clone();
        let messages = self.messages.clone();
        tokio::spawn(async move {
            tokio::time::sleep(PLAN_PAUSE).await;
            let bytes = source.source.as_bytes();
            observed.lineage = lineage::find(
                &source.path,
                bytes,
                &source.fleet,
                &observed,
                state.as_deref(),
            )
            .await;
            let hash = fleet::file_hash(bytes);
            let now = chrono::Utc::now().timestamp();
            let fleet = source.fleet;
            let work = move || plan(&fleet, &hash, &observed, &[], now);
            let made = tokio::task::spawn_blocking(work)
                .await
                .map(Arc::new)
                .map_err(|_| "planning failed; `ostler plan` says more".to_owned());
            let _ = messages.send(Message::Planned(made));
        });
    }

    fn propose(&mut self, id: u64, request: Request) {
        let Some(source) = self.source() else { return };
        let work = Work {
            source,
            observed: self.feed.observed(),
            clients: self.feed.clients(),
            secrets: self.secrets.clone(),
            state: self.state.clone(),
        };
        let messages = self.messages.clone();
        let prepared = self.prepared.clone();
        self.proposing.retain(|_, task| !task.is_finished());
        let task = tokio::spawn(async move {
            let result = match work.prepare(request).await {
                Ok((proposal, ready)) => {
                    lock(&prepared).insert(id, ready);
                    Ok(Box::new(proposal))
                }
                Err(why) => Err(why),
            };
            let _ = messages.send(Message::Proposed(id, result));
        });
        self.proposing.insert(id, task.abort_handle());
    }

    fn apply(&mut self, id: u64) {
        let failed = |text: &str| {
            let outcome = Outcome {
                exit: 1,
                text: text.to_owned(),
                next: Vec::new(),
            };
            Message::Step(id, Step::Ended(outcome))
        };
        let ready = lock(&self.prepared).remove(&id);
        let (Some(ready), Some(source)) = (ready, self.source.clone()) else {
            let _ = self
                .messages
                .send(failed("this change is not prepared any more"));
            return;
        };
        // The gate would refuse as well; the file has no gate.
        if self.on_call {
            let _ = self
                .messages
                .send(failed("on-call mode: nothing is changed"));
            return;
        }
        let cancel = CancellationToken::new();
        let task = tokio::spawn(carry(
            id,
            ready,
            source,
            self.secrets.clone(),
            self.state.clone(),
            self.messages.clone(),
            cancel.clone(),
        ));
        self.applying = Some((task, cancel));
    }

    fn probe(&self, site: Name) {
        // Simulated sites cannot be reached from outside of the simulation.
        if self.demo {
            return;
        }
        let Some(fleet) = self.source().map(|s| s.fleet) else {
            return;
        };
        let messages = self.messages.clone();
        tokio::spawn(async move {
            if let Some(found) = probe::probe(&fleet, &site).await {
                let _ = messages.send(Message::Probed(site, found));
            }
        });
    }

    fn follow(&mut self, id: u64, logs: Vec<Followed>) {
        let clients = self.feed.clients();
        let mut tasks = Vec::new();
        for followed in logs {
            let at = followed.at;
            let out = self.log.clone();
            let client = clients.get(&followed.host).cloned();
            let task = tokio::spawn(async move {
                let why = match client {
                    Some(client) => follow_one(id, at, &client, &followed, &out).await,
                    None => format!("{} does not answer", followed.host),
                };
                let _ = out.send(Message::Log(id, LogNews::Ended(at, why))).await;
            });
            tasks.push(task.abort_handle());
        }
        let running = self.followed.entry(id).or_default();
        running.retain(|task| !task.is_finished());
        running.extend(tasks);
    }
}

impl Drop for Exec {
    fn drop(&mut self) {
        let tasks = self.followed.values().flatten();
        for task in tasks.chain(self.proposing.values()).chain(&self.file_watch) {
            task.abort();
        }
    }
}

fn lock<T>(it: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    it.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn follow_one(
    id: u64,
    at: usize,
    client: &Client,
    followed: &Followed,
    out: &Sender<Message>,
) -> String {
    let options = LogOptions {
        follow: true,
        tail: Some(LOG_TAIL),
        since: None,
        timestamps: true,
    };
    let mut stream = std::pin::pin!(client.logs(&followed.container, options));
    while let Some(chunk) = stream.next().await {
        match chunk {
            Ok(chunk) => {
                let which = match chunk.stream {
                    Out::Out => Stream::Stdout,
                    Out::Err => Stream::Stderr,
                };
                let news = LogNews::Bytes(at, which, chunk.bytes);
                if out.send(Message::Log(id, news)).await.is_err() {
                    break;
                }
            }
            Err(error) => return error.to_string(),
        }
    }
    "the log ended: the container has stopped".into()
}

async fn last_lines(client: &Client, container: &str) -> Result<Vec<String>, String> {
    let options = LogOptions {
        tail: Some(PAGE_TAIL),
        ..LogOptions::default()
    };
    let mut stream = std::pin::pin!(client.logs(container, options));
    let mut bytes = Vec::new();
    while let Some(chunk) = stream.next().await {
        bytes.extend_from_slice(&chunk.map_err(|e| e.to_string())?.bytes);
    }
    Ok(bytes
        .split(|b| *b == b'\n')
        .filter(|line| !line.is_empty())
        .map(super::log::plain)
        .collect())
}

/// Looks at the fleet file now and then; tells when somebody else changed it.
async fn watch_file(source: Arc<Mutex<FleetSource>>, messages: UnboundedSender<Message>) {
    let mut seen = None;
    let mut broken = false;
    loop {
        tokio::time::sleep(FILE_EVERY).await;
        let (path, known) = {
            let source = lock(&source);
            (source.path.clone(), source.source.clone())
        };
        let Ok(meta) = tokio::fs::metadata(&path).await else {
            continue;
        };
        let stamp = (meta.modified().ok(), meta.len());
        if seen.replace(stamp) == Some(stamp) {
            continue;
        }
        let Ok(text) = tokio::fs::read_to_string(&path).await else {
            continue;
        };
        if text == known && !broken {
            continue;
        }
        match fleet::load(&text, &path) {
            Ok(loaded) => {
                broken = false;
                let fleet = Arc::new(loaded.fleet);
                {
                    let mut source = lock(&source);
                    source.source = text;
                    source.fleet = fleet.clone();
                }
                let _ = messages.send(Message::Fleet(fleet));
            }
            Err(findings) => {
                broken = true;
                let why = format!("{} errors; `ostler check` shows them", findings.len());
                let _ = messages.send(Message::FleetBroken(why));
            }
        }
    }
}

/// What a change is worked out from.
struct Work {
    source: FleetSource,
    observed: Observed,
    clients: std::collections::BTreeMap<Name, Client>,
    secrets: Arc<dyn SecretSource>,
    state: Option<PathBuf>,
}

impl Work {
    async fn prepare(mut self, request: Request) -> Result<(Proposal, Prepared), String> {
        let path = &self.source.path.clone();
        // What is on disk now counts, not what was read when the console was opened.
        let before = tokio::fs::read_to_string(path)
            .await
            .map_err(|e| format!("cannot read {}: {e}", path.display()))?;
        let edits = edits(&request);
        let (after, fleet) = if edits.is_empty() {
            let loaded = fleet::load(&before, path)
                .map_err(|_| "the fleet file has errors; `ostler check` shows them".to_owned())?;
            (None, loaded.fleet)
        } else {
            let edited = apply_edits(&before, path, &edits).map_err(|e| e.to_string())?;
            (Some(edited.text).filter(|t| *t != before), edited.fleet)
        };
        let fleet = Arc::new(fleet);
        let text = after.as_deref().unwrap_or(&before);
        let only: Option<BTreeSet<Name>> =
            (!request.sites.is_empty()).then(|| request.sites.iter().cloned().collect());
        self.look_again(&fleet, only.as_ref()).await;
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
                .sites
                .iter()
                .map(|site| Intent::Restart { site: site.clone() })
                .collect(),
            _ => Vec::new(),
        };
        let hash = fleet::file_hash(text.as_bytes());
        let options = PlanOptions {
            only,
            stop_unknown: false,
        };
        let now = chrono::Utc::now().timestamp();
        let plan = plan_with(&fleet, &hash, &self.observed, &intents, now, &options);
        let diff = match &after {
            Some(after) => fleet::diff(&before, after).iter().map(diff_line).collect(),
            None => Vec::new(),
        };
        let plan = Arc::new(plan);
        let proposal = Proposal {
            request,
            diff,
            plan: plan.clone(),
        };
        let ready = Prepared {
            before,
            after,
            fleet,
            plan,
            clients: self.clients,
        };
        Ok((proposal, ready))
    }

    /// Looks again, closely and with secrets, at the hosts it is about.
    async fn look_again(&mut self, fleet: &Fleet, only: Option<&BTreeSet<Name>>) {
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
        let secrets = Some(&*self.secrets);
        let scans = hosts.iter().filter_map(|name| {
            let (host, client) = (fleet.hosts.get(name)?, self.clients.get(name)?);
            Some(async move {
                let look = scan(client, host, fleet, secrets, &Inspect::Ours);
                let found = match tokio::time::timeout(HOST_DEADLINE, look).await {
                    Ok(Ok(found)) => HostObservation::Reached(Box::new(found)),
                    Ok(Err(error)) => HostObservation::Unreachable {
                        why: error.to_string(),
                    },
                    Err(_) => HostObservation::Unreachable {
                        why: format!("no complete answer within {} s", HOST_DEADLINE.as_secs()),
                    },
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
        Wish::Apply | Wish::Restart => Vec::new(),
        Wish::State(state) => request
            .sites
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

/// Writes the file, then runs the plan. The file stays when the run fails: it is the wish.
async fn carry(
    id: u64,
    ready: Prepared,
    source: Arc<Mutex<FleetSource>>,
    secrets: Arc<dyn SecretSource>,
    state: Option<PathBuf>,
    messages: UnboundedSender<Message>,
    cancel: CancellationToken,
) {
    let tell = |step| {
        let _ = messages.send(Message::Step(id, step));
    };
    let path = lock(&source).path.clone();
    if let Err(why) = write_file(&path, &ready).await {
        tell(Step::Ended(Outcome {
            exit: 1,
            text: why,
            next: vec!["nothing was changed; look at the file, then try again".into()],
        }));
        return;
    }
    let text = ready.after.clone().unwrap_or_else(|| ready.before.clone());
    if ready.after.is_some() {
        {
            let mut source = lock(&source);
            source.source.clone_from(&text);
            source.fleet = ready.fleet.clone();
        }
        let _ = messages.send(Message::Fleet(ready.fleet.clone()));
        tell(Step::Note(format!("{} was written", path.display())));
    }
    let context = apply::Context {
        fleet: ready.fleet.clone(),
        commit: lineage::commit_of(&path, text.as_bytes()).await,
        fleet_bytes: Arc::new(text.clone().into_bytes()),
        clients: ready.clients.clone(),
        secrets,
        operator: Operator::current(),
        pace: Pace::default(),
        wait_for_lock: WAIT_FOR_LOCK,
        journal: state.as_ref().map(|s| s.join("journal")),
        stop_after: None,
    };
    let (progress, mut steps) = unbounded_channel();
    let run = apply::run(&ready.plan, &context, progress, cancel);
    let mut run = std::pin::pin!(run);
    let outcome = loop {
        tokio::select! {
            Some(step) = steps.recv() => {
                if let Some(step) = step_of(step) {
                    tell(step);
                }
            }
            outcome = &mut run => break outcome,
        }
    };
    while let Ok(step) = steps.try_recv() {
        if let Some(step) = step_of(step) {
            tell(step);
        }
    }
    if outcome.done() > 0
        && let Some(state) = state
        && let Err(error) = lineage::remember(&state, &path, text.as_bytes(), &ready.fleet)
    {
        tell(Step::Note(format!(
            "cannot remember what was applied: {error}"
        )));
    }
    tell(Step::Ended(told(&outcome, &ready)));
}

async fn write_file(path: &std::path::Path, ready: &Prepared) -> Result<(), String> {
    let (path, before) = (path.to_owned(), ready.before.clone());
    let after = ready.after.clone();
    let work = move || match after {
        Some(after) => apply::fleet_file::write(&path, before.as_bytes(), after.as_bytes())
            .map_err(|e| e.to_string()),
        // The plan is of the file as it was read: it must still be that.
        None => match std::fs::read(&path) {
            Ok(now) if now == before.as_bytes() => Ok(()),
            Ok(_) => Err(format!("{} was changed meanwhile", path.display())),
            Err(e) => Err(format!("cannot read {}: {e}", path.display())),
        },
    };
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|_| Err("writing the file failed".into()))
}

fn step_of(progress: Progress) -> Option<Step> {
    Some(match progress {
        Progress::Started { id } => Step::Started(id.0),
        Progress::Step { id, text } => Step::Says(id.0, text),
        Progress::Finished { id, outcome, .. } => {
            let end = match outcome {
                OperationOutcome::Done { .. } => End::Done,
                OperationOutcome::Failed { failure } => {
                    let mut text = failure.why;
                    for line in failure.remedy.iter().chain(&failure.lines) {
                        text.push('\n');
                        text.push_str(line);
                    }
                    End::Failed(text)
                }
                OperationOutcome::Skipped { because } => End::Skipped(because),
                OperationOutcome::Undone => End::Undone("a later step of the site failed".into()),
            };
            Step::Finished(id.0, end)
        }
        Progress::Host { host, state } => match state {
            apply::HostProgress::Locking
            | apply::HostProgress::Running
            | apply::HostProgress::Done => return None,
            apply::HostProgress::Waiting { holder } => Step::Note(format!(
                "{host} is locked by {} at {}: waiting",
                holder.who, holder.whence
            )),
            apply::HostProgress::Failed { failure } => Step::Note(format!("{host}: {failure}")),
        },
        Progress::Note { host, text } => Step::Note(match host {
            Some(host) => format!("{host}: {text}"),
            None => text,
        }),
    })
}

/// How it ended, and what to do next.
fn told(outcome: &apply::Outcome, ready: &Prepared) -> Outcome {
    let (done, all) = (outcome.done(), outcome.operations.len());
    let exit = outcome.exit_code();
    let mut next = Vec::new();
    let text = match exit {
        0 => format!("done: {done} of {all} operations"),
        _ if outcome.cancelled => format!("stopped: {done} of {all} operations were done"),
        1 => "nothing was done".to_owned(),
        _ => format!(
            "in part: {done} of {all} operations done, {} failed",
            outcome.failed()
        ),
    };
    if exit == 0 {
        for site in ready
            .plan
            .operations
            .iter()
            .filter_map(|o| o.site.as_ref())
            .collect::<BTreeSet<_>>()
        {
            if let Some(site) = ready.fleet.sites.get(site)
                && site.state == fleet::SiteState::Running
                && let Some(domain) = site.domains.first()
            {
                let port = ready
                    .fleet
                    .hosts
                    .get(&site.host)
                    .map_or(80, |h| h.ports.http);
                let port = if port == 80 {
                    String::new()
                } else {
                    format!(":{port}")
                };
                next.push(format!("{}: http://{domain}{port}/", site.name));
            }
        }
        next.truncate(5);
    } else {
        for (host, failure) in &outcome.hosts {
            next.push(format!("{host}: {}", failure.why));
            next.extend(failure.remedy.clone());
        }
        for (_, site) in &outcome.rolled_back {
            next.push(format!("{site} was taken back to what it was"));
        }
        if ready.after.is_some() {
            next.push(
                "the fleet file keeps the change: it is the wish; p shows what is left".into(),
            );
        } else {
            next.push("p shows what is left; applying again goes on from there".into());
        }
    }
    Outcome { exit, text, next }
}

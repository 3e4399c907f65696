//! Carries out what `update` wishes for. Everything here runs beside the interface and answers
//! with messages.

mod carry;
mod prepare;
mod read;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::mpsc::{Sender, UnboundedSender};
use tokio::task::{AbortHandle, JoinHandle};
use tokio_util::sync::CancellationToken;

use super::activity::{Commit, Outcome, Step};
use super::effect::{Effect, Followed, Request};
use super::feed::Feed;
use super::lock::lock;
use super::message::{LogNews, Message};
use super::outside;
use super::question::Desk;
use crate::fleet::{Fleet, Name};
use crate::observe::ask::knows_probes;
use crate::observe::model::Observed;
use crate::plan::PlanOptions;
use crate::walk::certificates::Rounds;
use crate::walk::look::{Connect, Known, Reach};
use crate::walk::{FleetFile, Proposal, Trust, commit, past, propose};
use carry::{Run, carry};
use prepare::{Work, planned};
use read::{follow_one, last_lines, watch_file};

/// Plans are made at most this often.
const PLAN_PAUSE: Duration = Duration::from_millis(200);

/// What carrying out needs.
pub struct Exec {
    feed: Feed,
    desk: Arc<Desk>,
    messages: UnboundedSender<Message>,
    /// Lines of logs: bounded, so that a flood waits at its source.
    log: Sender<Message>,
    source: Option<Arc<Mutex<FleetFile>>>,
    state: Option<PathBuf>,
    trust: Trust,
    on_call: bool,
    demo: bool,
    prepared: Arc<Mutex<HashMap<u64, Proposal>>>,
    followed: HashMap<u64, Vec<AbortHandle>>,
    proposing: HashMap<u64, AbortHandle>,
    applying: Option<(JoinHandle<()>, CancellationToken)>,
    file_watch: Option<AbortHandle>,
}

/// From what an [`Exec`] is made.
pub(super) struct Parts {
    pub fleet: Arc<Fleet>,
    pub source: Option<FleetFile>,
    pub connect: Connect,
    pub desk: Arc<Desk>,
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
        parts.desk.open(parts.messages.clone());
        let trust = match (parts.on_call, parts.demo) {
            (true, _) => Trust::on_call(parts.state.clone()),
            // It is ostler's own file, in a folder of its own.
            (false, true) => Trust::always(),
            (false, false) => Trust::asking(parts.desk.clone(), parts.state.clone()),
        };
        let rounds = match &parts.source {
            Some(file) => Rounds::of(file.secrets(&trust)),
            None => Rounds::default(),
        };
        let feed = Feed::new(
            parts.fleet,
            lone,
            parts.on_call,
            parts.connect,
            parts.desk.clone(),
            rounds,
            parts.messages.clone(),
        );
        let source = parts.source.map(|s| Arc::new(Mutex::new(s)));
        let file_watch = source
            .clone()
            .map(|source| tokio::spawn(watch_file(source, parts.messages.clone())).abort_handle());
        Exec {
            feed,
            desk: parts.desk,
            messages: parts.messages,
            log: parts.log,
            source,
            state: parts.state,
            trust,
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
            Effect::Journal => self.journal(),
            Effect::Commit(id, message) => self.commit(id, message),
            Effect::Propose(id, request) => self.propose(id, request),
            Effect::Forget(id) => {
                if let Some(task) = self.proposing.remove(&id) {
                    task.abort();
                }
                lock(&self.prepared).remove(&id);
            }
            Effect::Apply(id) => self.apply(id),
            Effect::Watch(watch) => self.feed.watch(watch),
            Effect::Refresh => {
                self.trust.ask_again();
                self.feed.refresh();
            }
            Effect::Answer(id, answer) => self.desk.answer(id, answer),
            Effect::Outside(site) => self.outside(site),
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
                    let _ = messages.send(Message::Tail(key, container, lines));
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
        self.desk.close();
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
    pub fn clients(&self) -> std::collections::BTreeMap<Name, crate::engine::Client> {
        self.feed.clients()
    }

    /// Whether something is being applied.
    pub fn is_applying(&self) -> bool {
        self.applying
            .as_ref()
            .is_some_and(|(task, _)| !task.is_finished())
    }

    fn source(&self) -> Option<FleetFile> {
        Some(lock(self.source.as_ref()?).clone())
    }

    /// How hosts are reached; what was found on them is not among it yet.
    fn known(&self) -> Known {
        Known {
            observed: Observed::default(),
            clients: self.feed.clients(),
            hosts: self.feed.hosts(),
        }
    }

    fn plan(&self) {
        let Some(source) = self.source() else { return };
        let observing = self.feed.observing();
        let state = self.state.clone();
        let messages = self.messages.clone();
        tokio::spawn(async move {
            tokio::time::sleep(PLAN_PAUSE).await;
            let Ok(observed) = tokio::task::spawn_blocking(observing).await else {
                return;
            };
            let options = PlanOptions::default();
            let state = state.as_deref();
            let made = match propose::plan(&source, observed, Vec::new(), options, state).await {
                Ok((plan, _)) => planned(Arc::new(plan)).await,
                Err(error) => Err(error.to_string()),
            };
            let _ = messages.send(Message::Planned(made));
        });
    }

    fn journal(&self) {
        let Some(source) = self.source() else { return };
        let (reach, state) = (Reach::Known(self.known()), self.state.clone());
        let messages = self.messages.clone();
        tokio::spawn(async move {
            let told = past::read(&source.fleet, state.as_deref(), &reach).await;
            let _ = messages.send(Message::Journal(Arc::new(told)));
        });
    }

    fn commit(&self, id: u64, message: String) {
        let Some(source) = self.source() else { return };
        let messages = self.messages.clone();
        tokio::spawn(async move {
            let commit = match commit::commit(&source.path, &message).await {
                Ok((name, _)) => Commit::Done(name),
                Err(error) => Commit::Failed(error.to_string()),
            };
            let _ = messages.send(Message::Step(id, Step::Commit(commit)));
        });
    }

    fn propose(&mut self, id: u64, request: Request) {
        let Some(source) = self.source() else { return };
        let observing = self.feed.observing();
        let mut work = Work {
            path: source.path,
            known: self.known(),
            state: self.state.clone(),
            trust: self.trust.clone(),
        };
        let messages = self.messages.clone();
        let prepared = self.prepared.clone();
        self.proposing.retain(|_, task| !task.is_finished());
        let task = tokio::spawn(async move {
            if let Ok(observed) = tokio::task::spawn_blocking(observing).await {
                work.known.observed = observed;
            }
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
        let run = Run {
            id,
            source,
            messages: self.messages.clone(),
            cancel: cancel.clone(),
        };
        let task = tokio::spawn(carry(ready, run));
        self.applying = Some((task, cancel));
    }

    fn outside(&self, site: Name) {
        // Simulated sites are seen from nowhere else.
        if self.demo {
            return;
        }
        let Some(fleet) = self.source().map(|s| s.fleet) else {
            return;
        };
        let host = fleet.sites.get(&site).map(|site| &site.host);
        let seen = host.and_then(|host| self.feed.seen(host));
        let tells = seen.is_some_and(|seen| knows_probes(&fleet.name, &seen));
        let messages = self.messages.clone();
        tokio::spawn(async move {
            if let Some(found) = outside::look(&fleet, &site, tells).await {
                let _ = messages.send(Message::Outside(site, found));
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
                let last = match client {
                    Some(client) => follow_one(id, at, &client, &followed, &out).await,
                    None => LogNews::Ended(at, format!("{} does not answer", followed.host)),
                };
                let _ = out.send(Message::Log(id, last)).await;
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
        // Logins that wait for an answer hold a thread each.
        self.desk.close();
        let tasks = self.followed.values().flatten();
        for task in tasks.chain(self.proposing.values()).chain(&self.file_watch) {
            task.abort();
        }
    }
}

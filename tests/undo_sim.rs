//! Taking back an apply that was cut off, on simulated hosts: whose fleet file is gone back to, and
//! in which order.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use ostler::apply::back::{BackError, Search, Way};
use ostler::apply::{self, Context, Operator, Outcome, Pace, lineage};
use ostler::engine::{Client, Gate};
use ostler::fleet::{Fleet, Name, SecretSpec, Site, file_hash, load};
use ostler::host::layout::lock_name;
use ostler::host::secret::{SecretBytes, SecretFuture, SecretSource};
use ostler::observe::model::{HostObservation, Observed};
use ostler::observe::scan::{Inspect, scan};
use ostler::plan::{OperationKind, Plan, PlanOptions, plan_with};
use ostler::sim::Sim;
use tokio_util::sync::CancellationToken;

const NOW: i64 = 1_800_000_000;

/// Sources of secrets, which remember what was asked of them.
#[derive(Clone, Default)]
struct Sources(Arc<Mutex<Vec<SecretSpec>>>);

impl Sources {
    /// What was asked since the last time.
    fn asked(&self) -> Vec<SecretSpec> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl SecretSource for Sources {
    fn read<'a>(&'a self, site: &'a Site, name: &'a str) -> SecretFuture<'a> {
        self.0.lock().unwrap().push(site.secrets[name].clone());
        Box::pin(async { Ok(SecretBytes(b"secret".to_vec())) })
    }
}

/// Hosts, and the folder of the operator who takes back.
struct World {
    clients: BTreeMap<Name, Client>,
    sims: BTreeMap<Name, Sim>,
    folder: tempfile::TempDir,
    sources: Sources,
}

impl World {
    async fn new(hosts: &[&str]) -> World {
        let mut world = World {
            clients: BTreeMap::new(),
            sims: BTreeMap::new(),
            folder: tempfile::tempdir().unwrap(),
            sources: Sources::default(),
        };
        for host in hosts {
            let sim = Sim::named(host, 7, ostler::sim::clock::Clock::at(NOW));
            let client = Client::over(sim.connector(), sim.address(), Gate::full()).await;
            world.clients.insert(host.parse().unwrap(), client.unwrap());
            world.sims.insert(host.parse().unwrap(), sim);
        }
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn fleet(&self, text: &str) -> Fleet {
        match load(text, Path::new("fleet.yml")) {
            Ok(loaded) => loaded.fleet,
            Err(findings) => panic!("{findings:#?}\n{text}"),
        }
    }

    async fn look(&self, fleet: &Fleet) -> Observed {
        let mut observed = Observed::default();
        for (name, host) in &fleet.hosts {
            let client = &self.clients[name];
            let found = scan(client, host, fleet, Some(&self.sources), &Inspect::Ours);
            let found = HostObservation::Reached(Arc::new(found.await.unwrap()));
            observed.hosts.insert(name.clone(), found);
        }
        observed
    }

    async fn run(
        &self,
        fleet: Fleet,
        text: &str,
        plan: &Plan,
        stop_after: Option<usize>,
    ) -> Outcome {
        let context = Context {
            fleet: Arc::new(fleet),
            fleet_bytes: Arc::new(text.as_bytes().to_vec()),
            commit: None,
            clients: self.clients.clone(),
            secrets: Arc::new(self.sources.clone()),
            operator: Operator::current(),
            pace: Pace::default(),
            wait_for_lock: std::time::Duration::from_secs(180),
            journal: None,
            stop_after,
        };
        let (to, _from) = tokio::sync::mpsc::unbounded_channel();
        apply::run(plan, &context, to, CancellationToken::new()).await
    }

    async fn plan(&self, text: &str) -> Plan {
        let fleet = self.fleet(text);
        let observed = self.look(&fleet).await;
        let options = PlanOptions {
            stop_unknown: true,
            ..PlanOptions::default()
        };
        let hash = file_hash(text.as_bytes());
        plan_with(&fleet, &hash, &observed, &[], NOW, &options)
    }

    async fn apply(&self, text: &str) {
        for _ in 0..3 {
            let plan = self.plan(text).await;
            if plan.is_empty() {
                return;
            }
            let outcome = self.run(self.fleet(text), text, &plan, None).await;
            assert!(outcome.is_complete(), "{outcome:#?}");
        }
        panic!("it does not settle");
    }

    /// Applies, and is killed after the first operation for which `last` holds.
    async fn cut_off(&self, text: &str, last: impl Fn(&OperationKind) -> bool) -> String {
        let plan = self.plan(text).await;
        let at = plan.operations.iter().position(|o| last(&o.kind)).unwrap();
        let outcome = self.run(self.fleet(text), text, &plan, Some(at + 1)).await;
        let fleet = self.fleet(text);
        for client in self.clients.values() {
            // This process lives on, and so would its lock.
            let _ = client.remove(&lock_name(&fleet.name), true).await;
        }
        outcome.run
    }

    /// The way back, for an operator whose file says `mine`.
    async fn ways(&self, mine: &str, run: &str) -> Result<Vec<Way>, BackError> {
        let (path, state) = (self.path("fleet.yml"), self.path("state"));
        std::fs::write(&path, mine).unwrap();
        let fleet = self.fleet(mine);
        let observed = self.look(&fleet).await;
        self.sources.asked();
        let search = Search {
            path: &path,
            fleet: &fleet,
            observed: &observed,
            clients: &self.clients,
            secrets: &self.sources,
            state: Some(&state),
        };
        search.ways(run).await
    }

    async fn go(&self, way: &Way) {
        let outcome = self.run(way.fleet.clone(), &way.source, &way.plan, None);
        let outcome = outcome.await;
        assert!(outcome.is_complete(), "{outcome:#?}");
    }
}

fn text(body: &str, secrets: &str) -> String {
    format!(
        "fleet: x\nhosts:\n  one: {{ engine: \"unix:///one\" }}\nsites:\n  blog:\n    host: one\n    \
         recipe: image\n    image: ostler-test/web:1\n    port: 8080\n    domains: [blog.test]\n    \
         env: {{ BODY: {body} }}\n    secrets: {{ {secrets} }}\n"
    )
}

const COMMAND: &str = "PASSWORD: { command: [steal, --all] }";
const FILE: &str = "PASSWORD: { file: password }";

fn command() -> SecretSpec {
    SecretSpec::Command(vec!["steal".into(), "--all".into()])
}

fn creates(kind: &OperationKind) -> bool {
    matches!(kind, OperationKind::CreateContainer { .. })
}

fn writes(way: &Way) -> bool {
    let mut operations = way.plan.operations.iter();
    operations.any(|o| matches!(o.kind, OperationKind::WriteSecrets { .. }))
}

/// `before` was applied by somebody else, and now a host keeps it; the apply of `mine` was cut off.
async fn kept(before: &str, mine: &str, last: impl Fn(&OperationKind) -> bool) -> (World, String) {
    let world = World::new(&["one", "two"]).await;
    world.apply(before).await;
    let run = world.cut_off(mine, last).await;
    (world, run)
}

#[tokio::test(start_paused = true)]
async fn what_only_a_host_names_is_neither_run_nor_read() {
    let before = text("a", COMMAND);
    let mine = text("b", &format!("{FILE}, MORE: {{ file: more }}"));
    // All but its end.
    let records = |kind: &OperationKind| matches!(kind, OperationKind::WriteRecord { .. });
    let (world, run) = kept(&before, &mine, records).await;
    let ways = world.ways(&mine, &run).await.unwrap();
    assert_eq!(world.sources.asked(), []);
    let [way] = &ways[..] else { panic!("{ways:?}") };
    assert_eq!(way.source, before);
    let secrets = &way.fleet.sites["blog"].secrets;
    assert_eq!(secrets["PASSWORD"], SecretSpec::Kept);
    assert!(!writes(way), "{:#?}", way.plan);
    assert_eq!(way.plan.problems, []);
    let notices: Vec<&str> = way.plan.notices.iter().map(|n| n.text.as_str()).collect();
    let told = |part: &str| notices.iter().any(|text| text.contains(part));
    assert!(told("PASSWORD of blog"), "{notices:?}");
    assert!(told("stay as they are on the host"), "{notices:?}");
    assert!(!told("become what their sources say"), "{notices:?}");
    // The rest is taken back, and that reads nothing either.
    world.go(way).await;
    assert_eq!(world.sources.asked(), []);
    let observed = world.look(&world.fleet(&mine)).await;
    let state = observed.hosts["one"].reached().unwrap().state.read();
    let state = state.unwrap();
    let record = &state.sites["blog"];
    assert_eq!(record.spec.as_ref().unwrap().env["BODY"], "a");
    let names: Vec<&String> = record.secrets.keys().collect();
    assert_eq!(names, ["MORE", "PASSWORD"], "what is there is on record");
    assert!(state.applying.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_this_operator_applied_before_is_read_again() {
    let (before, mine) = (text("a", COMMAND), text("b", FILE));
    let (world, run) = kept(&before, &mine, creates).await;
    let (path, state) = (world.path("fleet.yml"), world.path("state"));
    std::fs::write(&path, &mine).unwrap();
    let fleet = world.fleet(&before);
    lineage::remember(&state, &path, before.as_bytes(), &fleet).unwrap();
    let way = world.ways(&mine, &run).await.unwrap().remove(0);
    assert_eq!(world.sources.asked(), [command()]);
    world.go(&way).await;
}

#[tokio::test(start_paused = true)]
async fn a_source_that_the_own_file_has_too_is_read_for_the_same_host_only() {
    let (before, mine) = (text("a", COMMAND), text("b", COMMAND));
    let (world, run) = kept(&before, &mine, creates).await;
    // The operator has the site elsewhere: its secret is nothing for this host.
    let elsewhere = mine
        .replace("sites:", "  two: { engine: \"unix:///two\" }\nsites:")
        .replace("host: one", "host: two");
    let way = world.ways(&elsewhere, &run).await.unwrap().remove(0);
    let secrets = &way.fleet.sites["blog"].secrets;
    assert_eq!(secrets["PASSWORD"], SecretSpec::Kept);
    assert_eq!(world.sources.asked(), []);
    let way = world.ways(&mine, &run).await.unwrap().remove(0);
    assert_eq!(world.sources.asked(), [command()]);
    world.go(&way).await;
}

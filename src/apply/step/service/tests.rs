//! A second service comes with its own files and a line in each table: it is planned, applied,
//! recorded, seen to drift, put right and retired, and nothing else knows of it.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::apply::{self, Context, Operator, Pace};
use crate::engine::{Client, Gate};
use crate::fleet::{Fleet, file_hash, load};
use crate::host::{NewFile, Toolbox};
use crate::observe::model::{HostObservation, Lineage, Observed};
use crate::observe::scan::{Inspect, scan};
use crate::plan::{OperationKind, Plan, drift, plan};
use crate::record::{Layout, SiteRecord, names};
use crate::sim::Sim;
use crate::walk::secret::Sources;

struct World {
    client: Client,
    applied: Vec<String>,
}

fn fleet(lines: &str) -> (String, Fleet) {
    let text = format!(
        "fleet: lab\nhosts: {{ here: {{ engine: 'unix:///nowhere.sock' }} }}\nsites:\n  blog: {{ host: here, recipe: static, domains: [blog.example], {lines} }}\n"
    );
    let fleet = load(&text, "fleet.yml".as_ref()).unwrap().fleet;
    (text, fleet)
}

impl World {
    async fn look(&self, fleet: &Fleet) -> Observed {
        let host = &fleet.hosts["here"];
        let seen = scan(&self.client, host, fleet, None, &Inspect::Ours).await;
        let seen = HostObservation::Reached(Arc::new(seen.unwrap()));
        Observed {
            hosts: [(host.name.clone(), seen)].into(),
            lineage: Lineage {
                ancestors: self.applied.iter().cloned().collect(),
                known_sites: fleet.sites.keys().cloned().collect(),
                ..Lineage::default()
            },
        }
    }

    async fn plan(&self, lines: &str) -> Plan {
        let (text, fleet) = fleet(lines);
        let observed = self.look(&fleet).await;
        let plan = plan(&fleet, &file_hash(text.as_bytes()), &observed, &[], 0);
        assert!(plan.problems.is_empty(), "{:?}", plan.problems);
        plan
    }

    /// Plans and applies; returns what the site's operations are called. What was applied plans
    /// empty and does not drift.
    async fn bring(&mut self, lines: &str) -> Vec<&'static str> {
        let plan = self.plan(lines).await;
        let saved = serde_json::to_vec(&plan).unwrap();
        let plan: Plan = serde_json::from_slice(&saved).unwrap();
        let (text, fleet) = fleet(lines);
        self.applied.push(file_hash(text.as_bytes()));
        let context = Context {
            fleet: Arc::new(fleet.clone()),
            fleet_bytes: Arc::new(text.into_bytes()),
            commit: None,
            clients: [("here".parse().unwrap(), self.client.clone())].into(),
            secrets: Arc::new(Sources {
                folder: "/nonexistent".into(),
                file: None,
                trust: crate::walk::Trust::always(),
            }),
            operator: Operator::current(),
            pace: Pace::default(),
            wait_for_lock: Duration::from_secs(1),
            journal: None,
            stop_after: None,
        };
        let (say, _events) = tokio::sync::mpsc::unbounded_channel();
        let outcome = apply::run(&plan, &context, say, CancellationToken::new()).await;
        assert_eq!(
            outcome.tally().failed + outcome.hosts.len(),
            0,
            "{outcome:?}"
        );
        assert_eq!(self.plan(lines).await.operations, []);
        let drifts = drift::of_fleet(&fleet, &self.look(&fleet).await);
        assert!(drifts.is_empty(), "{drifts:?}");
        let of_site = plan.operations.iter().filter(|o| o.site.is_some());
        of_site.map(|o| o.kind.facts().word).collect()
    }

    fn toolbox(&self) -> Toolbox {
        let fleet = fleet("").1;
        Toolbox {
            client: self.client.clone(),
            id: names::toolbox(&fleet.name),
            layout: Layout::new(&fleet.hosts["here"].root),
        }
    }

    async fn marker(&self) -> Option<String> {
        let read = self.toolbox().read(&self.path()).await.unwrap();
        read.map(|bytes| String::from_utf8(bytes).unwrap())
    }

    fn path(&self) -> String {
        let blog = "blog".parse().unwrap();
        format!("{}/marker/text", self.toolbox().layout.private(&blog))
    }

    async fn record(&self) -> SiteRecord {
        let observed = self.look(&fleet("").1).await;
        let seen = observed.hosts.values().next().unwrap().reached().unwrap();
        let state = seen.state.read().unwrap();
        state.record(&"blog".parse().unwrap()).unwrap().clone()
    }
}

#[tokio::test]
async fn a_second_service_touches_its_own_files_and_the_tables() {
    let sim = Sim::new(7);
    let client = Client::over(sim.connector(), sim.address(), Gate::full()).await;
    let mut world = World {
        client: client.unwrap(),
        applied: Vec::new(),
    };
    let lines = "env: { OSTLER_MARKER: hello }";
    let words = world.bring(lines).await;
    let at = |word| words.iter().position(|w| *w == word).unwrap();
    assert!(at("create_folders") < at("write_marker"), "{words:?}");
    assert!(at("write_marker") < at("create_container"), "{words:?}");
    assert_eq!(world.marker().await.as_deref(), Some("hello"));
    let record = world.record().await;
    assert_eq!(record.services["marker"], "hello");
    let spec = record.spec.unwrap();
    assert!(spec.binds.iter().any(|bind| bind.inside == "/run/marker"));

    // Changed by hand: told, and put right.
    let by_hand = NewFile::new(world.path(), 0o644, "HELLO");
    world.toolbox().replace(&[by_hand]).await.unwrap();
    let (_, marked) = fleet(lines);
    let drifts = drift::of_fleet(&marked, &world.look(&marked).await);
    let told: Vec<String> = drifts[0].fields.iter().map(|f| f.line()).collect();
    assert_eq!(told, ["marker hello→HELLO by hand"]);
    let plan = world.plan(lines).await;
    let said: Vec<String> = plan.operations.iter().map(|o| o.kind.describe()).collect();
    assert_eq!(said[0], "write the marker hello");
    assert!(matches!(plan.operations[0].kind, OperationKind::Service(_)));
    assert_eq!(world.bring(lines).await, ["write_marker"]);
    assert_eq!(world.marker().await.as_deref(), Some("hello"));

    // A stopped site keeps it, an archived one does not.
    world.bring(&format!("{lines}, state: stopped")).await;
    assert_eq!(world.marker().await.as_deref(), Some("hello"));
    let words = world.bring(&format!("{lines}, state: archived")).await;
    assert!(words.contains(&"remove_marker"), "{words:?}");
    assert_eq!(world.marker().await, None);
    assert!(world.record().await.services.is_empty());

    // Back, and then no more of it in the file: it goes when nothing reads it any more.
    world.bring(lines).await;
    let words = world.bring("env: {}").await;
    let at = |word| words.iter().position(|w| *w == word).unwrap();
    assert!(at("route") < at("remove_marker"), "{words:?}");
    assert_eq!(world.marker().await, None);
}

//! Apply against simulated hosts that fail on purpose: what served goes on serving, what fails
//! stays where it fails, and nobody waits for a host that hangs.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ostler::apply::{self, Context, HostProgress, Operator, Outcome, Pace, Progress};
use ostler::engine::{Client, Gate};
use ostler::fleet::{Fleet, Name, file_hash, load};
use ostler::observe::model::{HostObservation, Lineage, Observed, ObservedContainer};
use ostler::observe::scan::{Inspect, scan};
use ostler::observe::whose::is_foreign;
use ostler::plan::{Plan, plan};
use ostler::record::{Labelled, Role};
use ostler::sim::{Fault, Sim, When};
use ostler::walk::secret;
use tokio_util::sync::CancellationToken;

/// A fleet over simulated hosts.
struct World {
    hosts: BTreeMap<Name, Sim>,
    /// Site → host, and more lines.
    sites: BTreeMap<String, (String, String)>,
    applied: Vec<(String, Vec<Name>)>,
}

impl World {
    fn new(hosts: &[&str]) -> World {
        let clock = || ostler::sim::clock::Clock::at(1_800_000_000);
        World {
            hosts: hosts
                .iter()
                .map(|name| (name.parse().unwrap(), Sim::named(name, 7, clock())))
                .collect(),
            sites: BTreeMap::new(),
            applied: Vec::new(),
        }
    }

    fn sim(&self, host: &str) -> &Sim {
        &self.hosts[host]
    }

    /// An `image` site with `body` in its environment.
    fn web(&mut self, name: &str, host: &str, body: &str) {
        let lines = format!(
            "recipe: image\n    image: ostler-test/web:1\n    port: 8080\n    domains: [{name}.test]\n    memory: 64M\n    env: {{ BODY: {body:?} }}"
        );
        self.sites.insert(name.into(), (host.into(), lines));
    }

    fn text(&self) -> String {
        let mut text = "fleet: x\nhosts:\n".to_owned();
        for name in self.hosts.keys() {
            text.push_str(&format!("  {name}: {{ engine: \"unix:///{name}\" }}\n"));
        }
        text.push_str("sites:\n");
        for (name, (host, lines)) in &self.sites {
            text.push_str(&format!("  {name}:\n    host: {host}\n    {lines}\n"));
        }
        text
    }

    fn fleet(&self) -> Fleet {
        let text = self.text();
        match load(&text, Path::new("fleet.yml")) {
            Ok(loaded) => loaded.fleet,
            Err(findings) => panic!("{findings:#?}\n{text}"),
        }
    }

    async fn clients(&self) -> BTreeMap<Name, Client> {
        let mut clients = BTreeMap::new();
        for (name, sim) in &self.hosts {
            let client = Client::over(sim.connector(), sim.address(), Gate::full());
            clients.insert(name.clone(), client.await.unwrap());
        }
        clients
    }

    async fn plan(&self, clients: &BTreeMap<Name, Client>) -> Plan {
        let fleet = self.fleet();
        let hash = file_hash(self.text().as_bytes());
        let known = self.applied.iter().flat_map(|(_, sites)| sites.clone());
        let mut observed = Observed {
            lineage: Lineage {
                ancestors: self.applied.iter().map(|(hash, _)| hash.clone()).collect(),
                known_sites: known.chain(fleet.sites.keys().cloned()).collect(),
                ..Lineage::default()
            },
            ..Observed::default()
        };
        observed.lineage.ancestors.insert(hash.clone());
        for (name, client) in clients {
            let host = &fleet.hosts[name];
            let found = scan(client, host, &fleet, None, &Inspect::Needed).await;
            observed.hosts.insert(
                name.clone(),
                HostObservation::Reached(std::sync::Arc::new(found.unwrap())),
            );
        }
        plan(&fleet, &hash, &observed, &[], 1_800_000_000)
    }

    async fn run(
        &mut self,
        plan: &Plan,
        clients: &BTreeMap<Name, Client>,
    ) -> (Outcome, Vec<(tokio::time::Instant, Progress)>) {
        let fleet = self.fleet();
        let sites = fleet.sites.keys().cloned().collect();
        self.applied.push((plan.fleet_hash.clone(), sites));
        let context = Context {
            fleet: Arc::new(fleet),
            fleet_bytes: Arc::new(self.text().into_bytes()),
            commit: None,
            clients: clients.clone(),
            secrets: Arc::new(secret::Sources {
                folder: "/nonexistent".into(),
                file: None,
                trust: ostler::walk::Trust::always(),
            }),
            operator: Operator::current(),
            pace: Pace::default(),
            wait_for_lock: Duration::from_secs(180),
            journal: None,
            stop_after: None,
        };
        let (to, mut from) = tokio::sync::mpsc::unbounded_channel();
        let listen = async {
            let mut said = Vec::new();
            while let Some(progress) = from.recv().await {
                said.push((tokio::time::Instant::now(), progress));
            }
            said
        };
        let running = apply::run(plan, &context, to, CancellationToken::new());
        tokio::join!(running, listen)
    }

    /// Plans and applies, which must go well and leave nothing to do and nothing behind.
    async fn apply(&mut self, when: &str) {
        let clients = self.clients().await;
        // A host whose toolbox was not there to be read gets that first.
        for _ in 0..3 {
            let plan = self.plan(&clients).await;
            if plan.is_empty() {
                break;
            }
            let (outcome, said) = self.run(&plan, &clients).await;
            assert!(outcome.is_complete(), "{when}: {outcome:#?}\n{said:#?}");
        }
        let again = self.plan(&clients).await;
        assert!(again.is_empty(), "{when}: {again:#?}");
        for (name, client) in &clients {
            let rows = client.containers().await.unwrap();
            let ours: Vec<ObservedContainer> = rows
                .into_iter()
                .map(ostler::observe::convert::container)
                // A lock that nobody came to need since its holder died goes stale and may stay.
                .filter(|c| !is_foreign(c) && c.role() != Some(Role::Lock))
                .collect();
            let here = self
                .sites
                .values()
                .filter(|(host, _)| host == name.as_str());
            let names: Vec<&str> = ours.iter().map(|c| c.name.as_str()).collect();
            let wanted = here.count();
            let expected = if wanted == 0 { 0 } else { wanted + 2 };
            assert_eq!(ours.len(), expected, "{when}: {names:?}");
            assert!(
                !names.iter().any(|n| n.ends_with("-next")),
                "{when}: {names:?}"
            );
        }
    }

    fn serves(&self, host: &str, site: &str) -> u16 {
        self.sim(host)
            .visit(80, &format!("{site}.test"), "/")
            .status
    }
}

/// Whatever a replacement meets at whichever of its changing calls: the site goes on answering,
/// also before the next apply mends what is left.
#[tokio::test(start_paused = true)]
async fn a_site_answers_however_its_replacement_fails() {
    let mut world = World::new(&["one"]);
    world.web("web", "one", "a");
    world.apply("first").await;
    world.web("web", "one", "b");
    let before = world.sim("one").changing_calls();
    world.apply("measured").await;
    let total = world.sim("one").changing_calls() - before;
    assert!(total > 15, "{total}");
    let faults = [
        None,
        Some(Fault::Fail(500)),
        Some(Fault::Lose),
        Some(Fault::Hang),
    ];
    for (number, fault) in faults.into_iter().enumerate() {
        for call in 1..=total {
            // Each at its own calls; together they meet every one.
            if number > 0 && call as usize % 3 != number - 1 {
                continue;
            }
            let when = format!("{fault:?} at {call} of {total}");
            world.web("web", "one", &when);
            let clients = world.clients().await;
            let plan = world.plan(&clients).await;
            let sim = world.sim("one").clone();
            match fault {
                None => sim.faults().kill_client_after(call - 1),
                Some(fault) => sim.faults().at(When::Change(call), fault),
            }
            world.run(&plan, &clients).await;
            sim.faults().clear();
            assert_eq!(
                world.serves("one", "web"),
                200,
                "{when}: before it is mended"
            );
            drop(clients);
            world.apply(&when).await;
            assert_eq!(
                world.serves("one", "web"),
                200,
                "{when}: after it is mended"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_host_that_hangs_delays_nobody() {
    let mut world = World::new(&["one", "two"]);
    world.web("a", "one", "a");
    world.web("b", "two", "b");
    let clients = world.clients().await;
    let plan = world.plan(&clients).await;
    let everything = || When::Every("", String::new());
    world.sim("one").faults().at(everything(), Fault::Hang);
    let begun = tokio::time::Instant::now();
    let (outcome, said) = world.run(&plan, &clients).await;
    assert_eq!(outcome.exit_code(), 3, "{outcome:#?}");
    assert!(outcome.hosts.contains_key("one"));
    assert_eq!(world.serves("two", "b"), 200);
    let (at, _) = said
        .iter()
        .find(|(_, p)| {
            matches!(p, Progress::Host { host, state: HostProgress::Done } if host.as_str() == "two")
        })
        .unwrap();
    assert!(*at - begun < Duration::from_secs(8), "{:?}", *at - begun);
    world.sim("one").faults().clear();
    world.apply("mended").await;
    assert_eq!(world.serves("one", "a"), 200);
}

/// Each operation asks first whether the lock is still held: of a host that is gone once is enough.
#[tokio::test(start_paused = true)]
async fn a_host_that_goes_away_between_two_operations_is_gone_at_once() {
    let mut world = World::new(&["one"]);
    for number in 0..12 {
        world.web(&format!("s{number}"), "one", "a");
    }
    world.apply("first").await;
    for number in 0..12 {
        world.web(&format!("s{number}"), "one", "b");
    }
    let sim = world.sim("one").clone();
    let start = Duration::from_secs(3);
    sim.set_pace(ostler::sim::Pace {
        start,
        ..Default::default()
    });
    let clients = world.clients().await;
    let plan = world.plan(&clients).await;
    let client = clients["one"].clone();
    let leave = async {
        let lock = loop {
            tokio::time::sleep(Duration::from_millis(500)).await;
            let rows = client.containers().await.unwrap();
            let mut rows = rows.into_iter().map(ostler::observe::convert::container);
            if let Some(lock) = rows.find(|c| c.role() == Some(Role::Lock)) {
                break lock.id;
            }
        };
        // Only what the lock is asked by: no operation finds out by itself.
        let asked = When::Every("GET", format!("/containers/{lock}/json"));
        sim.faults().at(asked, Fault::Hang);
        sim.faults()
            .at(When::Every("", "/_ping".into()), Fault::Hang);
        tokio::time::Instant::now()
    };
    let ((outcome, _), left) = tokio::join!(world.run(&plan, &clients), leave);
    let took = left.elapsed();
    let why = outcome.hosts.get("one").map(|failure| &failure.why);
    assert!(why.is_some(), "{outcome:#?}");
    assert!(took < Duration::from_secs(60), "{took:?}");
    sim.faults().clear();
    sim.set_pace(Default::default());
    world.apply("mended").await;
}

#[tokio::test(start_paused = true)]
async fn many_sites_at_a_time_and_one_that_fails() {
    let mut world = World::new(&["one"]);
    for number in 0..30 {
        world.web(&format!("s{number}"), "one", "a");
    }
    let lines = &mut world.sites.get_mut("s7").unwrap().1;
    *lines = lines.replace("BODY", "FAIL_START");
    let clients = world.clients().await;
    let plan = world.plan(&clients).await;
    let (outcome, _) = world.run(&plan, &clients).await;
    assert_eq!(
        (outcome.exit_code(), outcome.tally().failed),
        (3, 1),
        "{outcome:#?}"
    );
    assert_eq!(outcome.rolled_back.len(), 1);
    for number in (0..30).filter(|n| *n != 7) {
        assert_eq!(world.serves("one", &format!("s{number}")), 200, "{number}");
    }
    world.web("s7", "one", "a");
    world.apply("mended").await;
    assert_eq!(world.serves("one", "s7"), 200);
}

/// A container of somebody else, on the engine's own network.
async fn foreign(client: &Client, name: &str, body: &str) -> String {
    let wish = bollard::models::ContainerCreateBody {
        image: Some("ostler-test/web:1".into()),
        env: Some(vec![format!("BODY={body}")]),
        ..Default::default()
    };
    client.create(name, &wish).await.unwrap()
}

/// Between a plan and its apply another container got the address that a site was to lead to: the
/// domain would be another customer's.
#[tokio::test(start_paused = true)]
async fn a_route_is_not_led_to_whoever_has_the_address_by_now() {
    let mut world = World::new(&["one"]);
    world.web("web", "one", "a");
    world.apply("first").await;
    let clients = world.clients().await;
    let client = &clients["one"];
    let app = foreign(client, "app", "the shop").await;
    let other = foreign(client, "other", "another customer").await;
    client.start(&app).await.unwrap();
    let lines = "recipe: proxy\n    to: \"app:8080\"\n    domains: [shop.test]";
    let shop = ("one".to_owned(), lines.to_owned());
    world.sites.insert("shop".into(), shop);
    let plan = world.plan(&clients).await;
    client.stop(&app, Duration::from_secs(1)).await.unwrap();
    client.start(&other).await.unwrap();
    client.start(&app).await.unwrap();
    let (outcome, said) = world.run(&plan, &clients).await;
    let why = outcome.hosts.values().next().map(|f| f.why.as_str());
    assert!(
        why.is_some_and(|why| why.contains("changed since")),
        "{outcome:#?}\n{said:#?}"
    );
    assert_eq!(outcome.tally().done, 0);
    assert_eq!(world.serves("one", "shop"), 404);
    // Planned anew it leads to the right one.
    let plan = world.plan(&clients).await;
    let (outcome, said) = world.run(&plan, &clients).await;
    assert!(outcome.is_complete(), "{outcome:#?}\n{said:#?}");
    client.stop(&other, Duration::from_secs(1)).await.unwrap();
    assert_eq!(world.serves("one", "shop"), 200);
    assert!(world.plan(&clients).await.is_empty());
}

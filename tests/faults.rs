//! The whole program against a simulated engine: plan, apply, and what becomes of a host when
//! things go wrong at every possible place in between.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ostler::apply::{self, Context, OperationOutcome, Operator, Outcome, Pace};
use ostler::engine::{Client, Gate};
use ostler::fleet::{Fleet, file_hash, load};
use ostler::observe::model::{HostObservation, Lineage, Observed};
use ostler::observe::scan::{Inspect, scan};
use ostler::plan::{Plan, plan};
use ostler::sim::{Fault, Sim, When};
use ostler::walk::secret::Sources;
use tokio_util::sync::CancellationToken;

/// A simulated host, and the fleet file for it.
struct Stage {
    sim: Sim,
    client: Client,
    sites: BTreeMap<&'static str, String>,
    known: Vec<(String, Fleet)>,
    folder: tempfile::TempDir,
}

const WEB: &str = "recipe: image\nimage: ostler-test/web:1\nport: 8080\nmemory: 64M";
const PHP: &str = "recipe: php\nmemory: 128M";
const STATIC: &str = "recipe: static\nmemory: 64M";

impl Stage {
    async fn new() -> Stage {
        let sim = Sim::new(11);
        let client = client(&sim).await;
        let folder = tempfile::tempdir().unwrap();
        let mut stage = Stage {
            sim,
            client,
            sites: BTreeMap::new(),
            known: Vec::new(),
            folder,
        };
        stage.site("blog", PHP, "blog.test, www.blog.test");
        stage.site("plain", STATIC, "plain.test");
        stage.site("web", WEB, "web.test");
        stage
    }

    /// The same, on a host of its own.
    async fn fork(&self) -> Stage {
        let sim = self.sim.fork();
        let client = client(&sim).await;
        Stage {
            sim,
            client,
            sites: self.sites.clone(),
            known: self.known.clone(),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn site(&mut self, name: &'static str, lines: &str, domains: &str) {
        self.sites
            .insert(name, format!("{lines}\ndomains: [{domains}]"));
    }

    fn text(&self) -> String {
        let mut text =
            "fleet: stage\nhosts:\n  here: { engine: \"unix:///unused\" }\nsites:\n".to_owned();
        for (name, lines) in &self.sites {
            text.push_str(&format!("  {name}:\n    host: here\n"));
            lines
                .lines()
                .for_each(|line| text.push_str(&format!("    {line}\n")));
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

    fn sources(&self) -> Sources {
        Sources {
            folder: self.folder.path().to_owned(),
            file: None,
            trust: ostler::walk::Trust::always(),
        }
    }

    async fn plan(&self) -> Plan {
        let fleet = self.fleet();
        let hash = file_hash(self.text().as_bytes());
        let mut lineage = Lineage {
            ancestors: [hash.clone()].into(),
            ..Lineage::default()
        };
        lineage.known_sites.extend(fleet.sites.keys().cloned());
        for (hash, fleet) in &self.known {
            lineage.ancestors.insert(hash.clone());
            lineage.known_sites.extend(fleet.sites.keys().cloned());
        }
        let seen = scan(
            &self.client,
            &fleet.hosts["here"],
            &fleet,
            Some(&self.sources()),
            &Inspect::Needed,
        )
        .await;
        let seen = HostObservation::Reached(std::sync::Arc::new(seen.unwrap()));
        let mut observed = Observed {
            lineage,
            ..Observed::default()
        };
        observed.hosts.insert("here".parse().unwrap(), seen);
        plan(&fleet, &hash, &observed, &[], 1_800_000_000)
    }

    async fn run(&mut self, plan: &Plan) -> Outcome {
        let fleet = self.fleet();
        self.known.push((plan.fleet_hash.clone(), fleet.clone()));
        let context = Context {
            fleet: Arc::new(fleet),
            fleet_bytes: Arc::new(self.text().into_bytes()),
            commit: None,
            clients: [("here".parse().unwrap(), self.client.clone())].into(),
            secrets: Arc::new(self.sources()),
            operator: Operator::current(),
            pace: Pace {
                retry: Duration::from_millis(50),
                ..Pace::default()
            },
            wait_for_lock: Duration::from_secs(5),
            journal: None,
            stop_after: None,
        };
        let (to, _from) = tokio::sync::mpsc::unbounded_channel();
        apply::run(plan, &context, to, CancellationToken::new()).await
    }

    async fn apply(&mut self) -> Outcome {
        let plan = self.plan().await;
        assert!(plan.problems.is_empty(), "{:#?}", plan.problems);
        self.run(&plan).await
    }

    /// Another process, some time later: the lock of a dead one is stale by then.
    async fn next_process(&mut self) {
        self.sim.faults().clear();
        self.sim.advance(Duration::from_secs(600));
        self.client = client(&self.sim).await;
    }

    fn status(&self, domain: &str) -> u16 {
        self.sim.visit(80, domain, "/").status
    }

    /// All is as the file says: the sites answer, and nothing is left to do, or lying about.
    async fn assert_settled(&self) {
        let again = self.plan().await;
        assert!(again.is_empty(), "{again:#?}");
        for (name, lines) in &self.sites {
            let domains = lines.split_once("domains: [").unwrap().1;
            for domain in domains.trim_end_matches(']').split(", ") {
                let wanted = if lines.contains("state: stopped") {
                    503
                } else {
                    200
                };
                assert_eq!(self.status(domain), wanted, "{name}: {domain}");
            }
        }
        let mut names: Vec<String> = Vec::new();
        for row in self.client.containers().await.unwrap() {
            let label = |name: &str| {
                row.labels
                    .get(&format!("ostler.{name}"))
                    .cloned()
                    .unwrap_or_default()
            };
            let what = match label("site") {
                site if site.is_empty() => label("role"),
                site => site,
            };
            assert!(!row.name().ends_with("-next"), "{}", row.name());
            // One that nobody came to need since its holder died may stay.
            if what != "lock" {
                names.push(what);
            }
        }
        names.sort();
        let known = self
            .known
            .iter()
            .flat_map(|(_, fleet)| fleet.sites.keys().map(|name| name.to_string()));
        let mut at_most: Vec<String> = known
            .chain(["router", "toolbox"].map(str::to_owned))
            .collect();
        at_most.sort();
        at_most.dedup();
        let mut once = names.clone();
        once.dedup();
        assert_eq!(once, names, "nothing is there twice");
        assert!(names.iter().all(|name| at_most.contains(name)), "{names:?}");
    }
}

fn failures(outcome: &Outcome) -> String {
    let mut text = String::new();
    for (id, ended) in &outcome.operations {
        if let OperationOutcome::Failed { failure } = &ended.outcome {
            text.push_str(&format!("{id}: {}; ", failure.why));
        }
    }
    text
}

async fn client(sim: &Sim) -> Client {
    Client::over(sim.connector(), sim.address(), Gate::full())
        .await
        .unwrap()
}

/// One of everything: a new image's environment, limits, a domain more, a site less, one stopped,
/// one new.
fn change_all(stage: &mut Stage) {
    stage.site(
        "web",
        &format!("{WEB}\nenv: {{ BODY: second }}"),
        "web.test",
    );
    stage.site(
        "blog",
        &PHP.replace("128M", "256M"),
        "blog.test, new.blog.test",
    );
    stage.site("plain", &format!("{STATIC}\nstate: stopped"), "plain.test");
    stage.site("fresh", STATIC, "fresh.test");
}

#[tokio::test(start_paused = true)]
async fn a_fleet_is_applied_and_settled() {
    let mut stage = Stage::new().await;
    let outcome = stage.apply().await;
    assert!(outcome.is_complete(), "{outcome:#?}");
    stage.assert_settled().await;
    assert_eq!(stage.status("unknown.test"), 404);
    let before = stage.client.gate().changing();
    assert!(stage.apply().await.is_complete());
    assert_eq!(stage.client.gate().changing(), before);

    change_all(&mut stage);
    let outcome = stage.apply().await;
    assert!(outcome.is_complete(), "{outcome:#?}");
    stage.assert_settled().await;
    stage.sites.remove("fresh");
    let outcome = stage.apply().await;
    assert!(outcome.is_complete(), "{outcome:#?}");
    stage.assert_settled().await;
    assert_eq!(stage.status("fresh.test"), 404);
}

/// Applies with something going wrong at the n-th changing call, for every n, first on an empty
/// host and then on one that is to be changed; each time the next plan must finish or undo it.
/// `step` leaves some n out, unless `OSTLER_THOROUGH` is set.
async fn at_every_change(step: u64, mut spoil: impl FnMut(&Sim, u64)) {
    let step = if std::env::var_os("OSTLER_THOROUGH").is_some() {
        1
    } else {
        step
    };
    for changed in [false, true] {
        let mut first = Stage::new().await;
        if changed {
            assert!(first.apply().await.is_complete());
            change_all(&mut first);
        }
        let mut number = 1;
        loop {
            let mut stage = first.fork().await;
            let plan = stage.plan().await;
            let before = stage.sim.changing_calls();
            spoil(&stage.sim, number);
            let spoilt = stage.run(&plan).await;
            let made = stage.sim.changing_calls() - before;
            if made < number && spoilt.is_complete() {
                break;
            }
            assert!(number < 1000, "{spoilt:#?}");
            let trace = stage.sim.faults().trace();
            let met = trace.get((before + number - 1) as usize);
            let met = met.map_or("the end", String::as_str);
            stage.next_process().await;
            let again = stage.plan().await;
            let outcome = stage.run(&again).await;
            if !outcome.is_complete() {
                eprintln!(
                    "=== spoilt at {number} ({met}), changed {changed}: {}",
                    failures(&spoilt)
                );
                for operation in &again.operations {
                    eprintln!("  then: {} after {:?}", operation.id, operation.after);
                }
                eprintln!("  failed with: {}", failures(&outcome));
            }
            assert!(outcome.is_complete(), "call {number}, changed {changed}");
            stage.assert_settled().await;
            number += step;
        }
        assert!(number > 20, "only {number} changing calls");
    }
}

#[tokio::test(start_paused = true)]
async fn the_process_may_end_between_any_two_calls() {
    at_every_change(1, |sim, number| sim.faults().kill_client_after(number - 1)).await;
}

#[tokio::test(start_paused = true)]
async fn any_call_may_fail() {
    at_every_change(3, |sim, number| {
        sim.faults().at(When::Change(number), Fault::Fail(500))
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_answer_to_any_call_may_be_lost() {
    at_every_change(4, |sim, number| {
        sim.faults().at(When::Change(number), Fault::Lose)
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn any_call_may_hang() {
    at_every_change(7, |sim, number| {
        sim.faults().at(When::Change(number), Fault::Hang)
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn one_container_that_cannot_be_read_hides_no_other() {
    let mut stage = Stage::new().await;
    assert!(stage.apply().await.is_complete());
    let list = stage.client.containers().await.unwrap();
    let web = list
        .iter()
        .find(|c| c.labels.get("ostler.site").is_some_and(|s| s == "web"))
        .unwrap();
    let inspect = format!("/containers/{}/json", web.id);
    stage
        .sim
        .faults()
        .at(When::Every("GET", inspect), Fault::Nonsense);
    let fleet = stage.fleet();
    let host = &fleet.hosts["here"];
    let seen = scan(&stage.client, host, &fleet, None, &Inspect::Ours)
        .await
        .unwrap();
    assert_eq!(seen.unread.keys().collect::<Vec<_>>(), [web.name()]);
    let unread = |c: &&ostler::observe::model::ObservedContainer| c.inspected.is_none();
    let of: Vec<&str> = seen
        .containers
        .iter()
        .filter(unread)
        .map(|c| c.name.as_str())
        .collect();
    assert_eq!(of, [web.name()]);
    let told = ostler::plan::unfinished::told(&seen);
    let words = format!("the container {} cannot be read", web.name());
    assert!(told.iter().any(|line| line.starts_with(&words)), "{told:?}");
}

//! Taking back an apply that was cut off, on simulated hosts: whose fleet file is gone back to, and
//! in which order.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use ostler::apply::{self, Context, Operator, Outcome, Pace};
use ostler::engine::transport::ask::Headless;
use ostler::engine::{Client, Gate};
use ostler::fleet::{Fleet, Name, SecretSpec, Site, file_hash, load};
use ostler::host::service::secrets::{SecretBytes, SecretFuture, SecretSource};
use ostler::observe::model::{HostObservation, Observed};
use ostler::observe::scan::{Inspect, scan};
use ostler::plan::service::operation::ServiceOperation;
use ostler::plan::{Operation, OperationKind, Plan, PlanOptions, plan_with};
use ostler::record::names;
use ostler::sim::{Fault, Sim, When};
use ostler::walk::back::{BackError, Way};
use ostler::walk::carry::{Carried, carry};
use ostler::walk::lineage;
use ostler::walk::look::{Known, Reach};
use ostler::walk::search::Search;
use ostler::walk::{Ask, FleetFile, FleetFileError, Outset, Proposal, Trust, Wish};
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
            // On the heap: such futures are too large for the stack of a test.
            let found = HostObservation::Reached(Arc::new(Box::pin(found).await.unwrap()));
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
        Box::pin(apply::run(plan, &context, to, CancellationToken::new())).await
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
        self.cut_off_after(text, &plan, at + 1).await
    }

    /// Applies, and is killed after so many operations.
    async fn cut_off_after(&self, text: &str, plan: &Plan, operations: usize) -> String {
        let fleet = self.fleet(text);
        let outcome = self.run(fleet.clone(), text, plan, Some(operations)).await;
        for client in self.clients.values() {
            // This process lives on, and so would its lock.
            let _ = client.remove(&names::lock(&fleet.name), true).await;
        }
        outcome.run
    }

    /// Applies what moves the blog from the first host to the second, where the shop's old container
    /// does not stop, and is killed: `more` operations after all that do not wait for that.
    async fn cut_off_moving(&self, text: &str, more: isize) -> String {
        let plan = self.plan(text).await;
        let shop = || plan.operations.iter().filter(|o| is(o, "shop"));
        let stop = |o: &&Operation| matches!(o.kind, OperationKind::StopContainer { .. });
        let stuck = shop().find(stop).map(|o| match &o.kind {
            OperationKind::StopContainer { container, .. } => container.id.clone().unwrap(),
            _ => unreachable!(),
        });
        let stuck = When::Every("POST", format!("/containers/{}/stop", stuck.unwrap()));
        let others = plan.operations.iter();
        let others = others.filter(|o| o.host.as_str() == "one" || is(o, "blog"));
        let until = others.count() + shop().position(|o| stop(&o)).unwrap();
        let until = until.checked_add_signed(more).unwrap();
        self.sims["two"].faults().at(stuck, Fault::Hang);
        let run = self.cut_off_after(text, &plan, until).await;
        self.sims["two"].faults().clear();
        assert!(serves(self, "two", "blog") && !serves(self, "one", "blog"));
        run
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
            trust: &Trust::on_call(None),
            state: Some(&state),
        };
        Box::pin(search.ways(run)).await
    }

    /// What an operator whose file says `mine` is proposed, by connections that there are.
    async fn propose(&self, mine: &str, ask: Ask) -> Proposal {
        self.propose_to(&Trust::on_call(None), mine, ask).await
    }

    async fn propose_to(&self, trust: &Trust, mine: &str, ask: Ask) -> Proposal {
        let path = self.path("fleet.yml");
        std::fs::write(&path, mine).unwrap();
        let (file, _) = FleetFile::load(&path).unwrap();
        let hosts = file.fleet.hosts.iter();
        let known = Known {
            observed: self.look(&file.fleet).await,
            clients: self.clients.clone(),
            hosts: hosts.map(|(n, h)| (n.clone(), h.clone())).collect(),
        };
        let outset = Outset {
            file,
            state: Some(self.path("state")),
            reach: Reach::Known(known),
            trust: trust.clone(),
        };
        let wish = Wish {
            ask,
            ..Wish::default()
        };
        Box::pin(outset.propose(wish)).await.unwrap()
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
    operations.any(|o| matches!(o.kind, OperationKind::Service(ServiceOperation::Secrets(_))))
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
    assert_eq!(way.kept_by.as_ref().map(Name::as_str), Some("one"));
    let proposal = world.propose(&mine, Ask::Undo(run.clone())).await;
    let whose = "what one keeps: you neither applied it nor have it in git";
    let plan = proposal.plan();
    assert!(
        plan.notices.iter().any(|n| n.text.contains(whose)),
        "{plan:#?}"
    );
    world.sources.asked();
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
    assert_eq!(way.kept_by, None);
    world.go(&way).await;
}

#[tokio::test]
async fn no_command_runs_that_was_never_said_yes_to() {
    let touch = "PASSWORD: { command: [touch, ran] }";
    let (before, mine) = (text("a", touch), text("b", FILE));
    let (world, run) = kept(&before, &mine, creates).await;
    let (path, state, ran) = (
        world.path("fleet.yml"),
        world.path("state"),
        world.path("ran"),
    );
    std::fs::write(world.path("password"), "x").unwrap();
    // Others cannot write there, whatever new files are given.
    std::fs::write(&path, &mine).unwrap();
    for (path, mode) in [(world.folder.path(), 0o700), (&path, 0o600)] {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    let asking = Trust::asking(Arc::new(Headless), Some(state.clone()));
    // From a host, it does not run whatever is trusted; and the own one, unseen, does not either.
    for own in [false, true] {
        if own {
            std::fs::write(&path, &mine).unwrap();
            let fleet = world.fleet(&before);
            lineage::remember(&state, &path, before.as_bytes(), &fleet).unwrap();
        }
        for trust in [&asking, &Trust::on_call(None), &Trust::always()] {
            let ask = Ask::Undo(run.clone());
            let proposal = world.propose_to(trust, &mine, ask).await;
            assert_eq!(proposal.parts.len(), 1);
            let may = own && format!("{trust:?}") == "Trust(always)";
            assert_eq!(ran.exists(), may, "{own} {trust:?}");
        }
    }
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

/// A fleet file of these hosts, with sites `name@host`.
fn fleet_of(hosts: &[&str], sites: &[(&str, &str, &str)]) -> String {
    let mut text = "fleet: x\nhosts:\n".to_owned();
    for host in hosts {
        text.push_str(&format!("  {host}: {{ engine: \"unix:///{host}\" }}\n"));
    }
    text.push_str("sites:\n");
    for (name, host, body) in sites {
        text.push_str(&format!(
            "  {name}: {{ host: {host}, recipe: image, image: \"ostler-test/web:1\", port: 8080, \
             domains: [{name}.test], env: {{ BODY: {body} }} }}\n"
        ));
    }
    text
}

fn is(operation: &Operation, site: &str) -> bool {
    let found = operation.site.as_ref();
    found.is_some_and(|found| found.as_str() == site)
}

fn serves(world: &World, host: &str, site: &str) -> bool {
    let routed = world.sims[host].visit(80, &format!("{site}.test"), "/");
    routed.status == 200
}

#[tokio::test(start_paused = true)]
async fn a_site_that_was_moved_is_back_before_it_goes() {
    let world = World::new(&["one", "two"]).await;
    let (blog, shop) = (("blog", "one", "a"), ("shop", "two", "a"));
    world.apply(&fleet_of(&["one"], &[blog])).await;
    world.apply(&fleet_of(&["two"], &[shop])).await;
    let mine = fleet_of(
        &["one", "two"],
        &[("blog", "two", "a"), ("shop", "two", "b")],
    );
    let run = world.cut_off_moving(&mine, -1).await;
    let ways = world.ways(&mine, &run).await.unwrap();
    let hosts = |way: &Way| {
        way.fleet
            .hosts
            .keys()
            .map(|h| h.to_string())
            .collect::<Vec<_>>()
    };
    let [back, away] = &ways[..] else {
        panic!("{ways:?}")
    };
    assert_eq!(
        (hosts(back), hosts(away)),
        (vec!["one".into()], vec!["two".into()])
    );
    assert_eq!((back.after.len(), &away.after), (0, &[0].into()));
    world.go(back).await;
    assert!(serves(&world, "two", "blog") && serves(&world, "one", "blog"));
    world.go(away).await;
    assert!(!serves(&world, "two", "blog") && serves(&world, "one", "blog"));
}

/// What a host says that an apply touched on it is nothing about another host.
#[tokio::test(start_paused = true)]
async fn a_note_speaks_for_its_own_host_only() {
    let world = World::new(&["one", "two"]).await;
    let sites = |body| {
        let changed = [("blog", "one", body), ("shop", "two", body)];
        fleet_of(
            &["one", "two"],
            &[&changed[..], &[("news", "two", "a")]].concat(),
        )
    };
    world.apply(&sites("a")).await;
    let mine = sites("b");
    let run = world
        .cut_off(&mine, |kind| matches!(kind, OperationKind::Route { .. }))
        .await;
    // Stopped by hand: whoever plans for it would start it.
    let news = names::site(&"x".parse().unwrap(), "news");
    let grace = std::time::Duration::from_secs(1);
    world.clients["two"].stop(&news, grace).await.unwrap();
    let path = format!("/srv/ostler/state/applying-{run}.json");
    let note = world.sims["one"].look(|host, _| host.files.read(&path).map(<[u8]>::to_vec));
    let mut note: serde_json::Value = serde_json::from_slice(&note.unwrap()).unwrap();
    assert_eq!(note["sites"], serde_json::json!(["blog"]));
    note["sites"] = serde_json::json!(["blog", "news"]);
    let note = ostler::sim::tree::Node::file(note.to_string(), NOW);
    world.sims["one"].change(|host, _| host.files.put(&path, note));
    let ways = world.ways(&mine, &run).await.unwrap();
    let all = || ways.iter().flat_map(|way| &way.plan.operations);
    assert!(all().any(|o| is(o, "blog")), "{ways:#?}");
    assert!(!all().any(|o| is(o, "news")), "{ways:#?}");
    let ids: Vec<_> = all().map(|o| &o.id).collect();
    assert!(all().flat_map(|o| &o.after).all(|id| ids.contains(&id)));
}

/// Two hosts with different files before an apply that moved the blog to the second and was cut off.
async fn moved() -> (World, String, String) {
    let world = World::new(&["one", "two"]).await;
    let (blog, shop) = (("blog", "one", "a"), ("shop", "two", "a"));
    world.apply(&fleet_of(&["one"], &[blog])).await;
    world.apply(&fleet_of(&["two"], &[shop])).await;
    let sites = [("blog", "two", "a"), ("shop", "two", "b")];
    let mine = fleet_of(&["one", "two"], &sites);
    let run = world.cut_off_moving(&mine, -1).await;
    (world, mine, run)
}

async fn carried(
    proposal: &Proposal,
    cancel: CancellationToken,
) -> Result<Carried, FleetFileError> {
    let (tell, _events) = tokio::sync::mpsc::unbounded_channel();
    Box::pin(carry(proposal, false, tell, cancel)).await
}

#[tokio::test(start_paused = true)]
async fn several_ways_back_are_one_proposal_and_are_gone_in_order() {
    let (world, mine, run) = moved().await;
    let proposal = world.propose(&mine, Ask::Undo(run)).await;
    assert_eq!(proposal.parts.len(), 2);
    let shown = proposal.plan();
    let all = proposal.parts.iter().map(|p| p.plan.operations.len());
    assert_eq!(shown.operations.len(), all.sum::<usize>());
    let to = |n: &&ostler::plan::Notice| n.text.starts_with("back to the fleet file");
    assert_eq!(shown.notices.iter().filter(to).count(), 2);
    let carried = carried(&proposal, CancellationToken::new()).await.unwrap();
    assert_eq!((carried.exit, carried.written), (0, false));
    assert!(!serves(&world, "two", "blog") && serves(&world, "one", "blog"));
    let file = std::fs::read_to_string(world.path("fleet.yml")).unwrap();
    assert_eq!(file, mine);
}

#[tokio::test(start_paused = true)]
async fn who_stops_the_first_way_back_stops_the_others() {
    let (world, mine, run) = moved().await;
    let proposal = world.propose(&mine, Ask::Undo(run)).await;
    let cancel = CancellationToken::new();
    cancel.cancel();
    let carried = carried(&proposal, cancel).await.unwrap();
    let [Some(first), None] = &carried.outcomes[..] else {
        panic!("{carried:#?}")
    };
    assert!(first.cancelled && first.tally().done == 0, "{first:#?}");
    assert_eq!(carried.exit, 1);
    assert!(serves(&world, "two", "blog") && !serves(&world, "one", "blog"));
}

#[tokio::test(start_paused = true)]
async fn what_was_proposed_for_another_file_is_not_done() {
    let world = World::new(&["one"]).await;
    let mine = fleet_of(&["one"], &[("blog", "one", "a")]);
    let proposal = world.propose(&mine, Ask::Apply).await;
    assert!(!proposal.is_idle() && proposal.after.is_none());
    let theirs = fleet_of(&["one"], &[("blog", "one", "b")]);
    std::fs::write(world.path("fleet.yml"), theirs).unwrap();
    let refused = carried(&proposal, CancellationToken::new()).await;
    let refused = refused.unwrap_err();
    assert!(
        matches!(refused, FleetFileError::Moved { .. }),
        "{refused:?}"
    );
    assert!(!serves(&world, "one", "blog"));
}

#[tokio::test(start_paused = true)]
async fn sites_that_were_exchanged_are_not_taken_down_first() {
    // Which of the two hosts is ahead when it is cut off is left to them: one may have ended.
    for _ in 0..20 {
        let refused = exchange_cut_off().await;
        if matches!(refused, BackError::NoFile { .. }) {
            continue;
        }
        assert!(matches!(refused, BackError::Crossed { .. }), "{refused:?}");
        assert!(refused.help().contains("ostler apply"));
        return;
    }
    panic!("one host was always at its end");
}

/// Two hosts exchange sites, cut off near the end; why that is not taken back.
async fn exchange_cut_off() -> BackError {
    let world = World::new(&["one", "two"]).await;
    for (host, site) in [("one", "blog"), ("two", "shop")] {
        world.apply(&fleet_of(&[host], &[(site, host, "a")])).await;
    }
    let mine = fleet_of(
        &["one", "two"],
        &[("blog", "two", "a"), ("shop", "one", "a")],
    );
    let plan = world.plan(&mine).await;
    let most = plan.operations.len() - 2;
    let run = world.cut_off_after(&mine, &plan, most).await;
    world.ways(&mine, &run).await.unwrap_err()
}

#[tokio::test(start_paused = true)]
async fn a_site_stays_where_it_came_to_when_it_cannot_come_back() {
    let world = World::new(&["one", "two"]).await;
    let hosts = ["one", "two"];
    world
        .apply(&fleet_of(
            &hosts,
            &[("blog", "one", "a"), ("shop", "two", "a")],
        ))
        .await;
    let mine = fleet_of(&hosts, &[("blog", "two", "a"), ("shop", "two", "b")]);
    // The first host came to its end before the shop failed.
    let run = world.cut_off_moving(&mine, 1).await;
    let mut ways = world.ways(&mine, &run).await.unwrap();
    assert_eq!(ways.len(), 1);
    let way = ways.remove(0);
    let mut told = way.plan.notices.iter().map(|n| n.text.as_str());
    assert!(
        told.any(|text| text.contains("moved it from one")),
        "{:?}",
        way.plan.notices
    );
    world.go(&way).await;
    assert!(serves(&world, "two", "blog"), "it is nowhere");
}

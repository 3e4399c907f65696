//! A host's life, on a simulated host and a clock that waits for nobody.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::{Instant, timeout};

use super::*;
use crate::console::message::HostNews;
use crate::engine::{Gate, Mode};
use crate::sim::{Fault, Pace, Sim, When};
use crate::verdict::Link;

struct Watched {
    sim: Sim,
    feed: Feed,
    inbox: UnboundedReceiver<Message>,
    /// The gates of all clients.
    gates: Arc<Mutex<Vec<Gate>>>,
}

const FILE: &str = "fleet: lab\nhosts: { web1: { engine: 'unix:///nowhere.sock' } }\nsites:\n  blog: { host: web1, recipe: static, domains: [blog.example] }\n";

fn fleet(text: &str) -> Arc<Fleet> {
    let fleet = crate::fleet::load(text, std::path::Path::new("fleet.yml"));
    Arc::new(fleet.unwrap().fleet)
}

impl Watched {
    fn new(mode: Mode) -> Watched {
        Watched::with(mode, &Arc::default())
    }

    /// While `fails`, a worker panics when it connects.
    fn with(mode: Mode, fails: &Arc<AtomicBool>) -> Watched {
        let sim = Sim::new(3);
        let fleet = fleet(FILE);
        let gates = Arc::new(Mutex::new(Vec::new()));
        let (far, all) = (sim.clone(), gates.clone());
        let fails = fails.clone();
        let connect: Connect = Arc::new(move |host| {
            assert!(!fails.load(Ordering::Relaxed), "a mistake");
            // Only one machine is there.
            if host.engine.to_string().contains("elsewhere") {
                return Box::pin(std::future::pending());
            }
            let gate = Gate::new(mode);
            all.lock().unwrap().push(gate.clone());
            let far = far.clone();
            Box::pin(async move { Client::over(far.connector(), far.address(), gate).await })
        });
        let (to, inbox) = unbounded_channel();
        let on_call = mode == Mode::OnCall;
        let feed = Feed::new(
            fleet,
            false,
            on_call,
            connect,
            Arc::default(),
            Rounds::default(),
            to,
        );
        Watched {
            sim,
            feed,
            inbox,
            gates,
        }
    }

    /// What the worker says next that a test waits for, and after how long.
    async fn next<T>(&mut self, wanted: impl Fn(&HostNews) -> Option<T>) -> (T, Duration) {
        let start = Instant::now();
        let waiting = async {
            loop {
                let Some(Message::Host(_, news)) = self.inbox.recv().await else {
                    continue;
                };
                if let Some(it) = wanted(&news) {
                    return it;
                }
            }
        };
        let it = timeout(Duration::from_secs(300), waiting).await;
        (it.expect("it never came"), start.elapsed())
    }

    /// The next change of the link.
    async fn link(&mut self) -> (Link, String, Duration) {
        let ((link, why), after) = self
            .next(|news| match news {
                HostNews::Link { link, why, .. } => Some((*link, why.clone())),
                _ => None,
            })
            .await;
        (link, why, after)
    }

    async fn observed(&mut self) {
        self.next(|news| matches!(news, HostNews::Observed(_)).then_some(()))
            .await;
    }

    fn every(&self, path: &str, fault: Fault) {
        let when = When::Every("", path.into());
        self.sim.faults().at(when, fault);
    }
}

const S: fn(u64) -> Duration = Duration::from_secs;

#[tokio::test(start_paused = true)]
async fn a_daemon_that_hangs_is_noticed_and_then_lost_and_found_again() {
    let mut it = Watched::new(Mode::Full);
    assert_eq!(it.link().await.0, Link::Ready);
    it.every("/", Fault::Hang);
    // It closes nothing, as a stopped process does not.
    let (link, why, after) = it.link().await;
    assert_eq!(link, Link::Degraded, "{why}");
    assert!(why.contains("no answer to a ping"), "{why}");
    assert!(after <= S(18), "{after:?}");
    let mut last = it.link().await;
    let mut after = last.2;
    while last.0 == Link::Degraded {
        last = it.link().await;
        after += last.2;
    }
    let (link, why, _) = last;
    assert_eq!(link, Link::BackingOff);
    assert!(why.contains("no answer within 8 s"), "{why}");
    assert!(after <= S(17), "{after:?}");
    assert!(it.feed.clients().is_empty());
    // Tried again and again, later each time.
    let mut waits = Vec::new();
    for _ in 0..8 {
        let (link, _, after) = it.link().await;
        assert_eq!(link, Link::BackingOff);
        waits.push(after.as_secs());
    }
    // Eight seconds of each are the attempt itself.
    assert!(
        waits[0] <= 11 && waits[7] >= 68 && waits[7] <= 83,
        "{waits:?}"
    );
    it.sim.faults().clear();
    it.feed.refresh();
    let (link, _, after) = it.link().await;
    assert_eq!(link, Link::Ready);
    assert!(after < S(1), "{after:?}");
    assert_eq!(it.feed.clients().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_host_that_cannot_be_read_in_full_is_degraded_and_read_again() {
    let mut it = Watched::new(Mode::OnCall);
    it.every("/images/json", Fault::Fail(500));
    let (link, why, _) = it.link().await;
    assert_eq!(link, Link::Degraded);
    assert!(
        why.contains("cannot be read") && why.contains("failed on purpose"),
        "{why}"
    );
    it.sim.faults().clear();
    let (link, why, after) = it.link().await;
    assert_eq!((link, why.as_str()), (Link::Ready, ""));
    assert!(after <= S(2), "{after:?}");
    // One call that is late is no loss either, and what was known stays.
    it.every("/networks", Fault::Hang);
    it.feed.refresh();
    let (link, why, after) = it.link().await;
    assert_eq!(link, Link::Degraded, "{why}");
    assert!(why.contains("no answer within 8 s"), "{why}");
    assert!(after < S(9), "{after:?}");
    let known = it.feed.observing()();
    assert!(known.hosts.values().all(|h| h.reached().is_some()));
    it.sim.faults().clear();
    assert_eq!(it.link().await.0, Link::Ready);
}

#[tokio::test(start_paused = true)]
async fn a_slow_host_is_degraded_until_it_is_brisk_again() {
    let mut it = Watched::new(Mode::Full);
    assert_eq!(it.link().await.0, Link::Ready);
    let pace = |ms| Pace {
        call: Duration::from_millis(ms),
        ..Pace::default()
    };
    it.sim.set_pace(pace(2_500));
    let mut seen = it.link().await;
    while !seen.1.contains("slow: a ping takes 2.5 s") {
        assert_eq!(seen.0, Link::Degraded, "{}", seen.1);
        seen = it.link().await;
    }
    it.sim.set_pace(pace(100));
    let mut seen = it.link().await;
    while seen.0 != Link::Ready {
        seen = it.link().await;
    }
    // Far away is not slow.
    let (pulse, _) = it
        .next(|news| match news {
            HostNews::Pulse(pulse) => Some(*pulse),
            _ => None,
        })
        .await;
    assert!(pulse.round_trip >= Duration::from_millis(100), "{pulse:?}");
}

#[tokio::test]
async fn when_something_happened_is_told_by_our_clock() {
    let mut it = Watched::new(Mode::Full);
    // Before the worker's first step.
    it.sim.advance(S(600));
    assert_eq!(it.link().await.0, Link::Ready);
    it.sim.change(|world, now| {
        world.emit(now, "container", "start", "c1", BTreeMap::new());
    });
    let (at, _) = it
        .next(|news| match news {
            HostNews::Event(event) => Some(event.at),
            _ => None,
        })
        .await;
    let off = chrono::Utc::now().timestamp() - at;
    assert!(off.abs() < 60, "{off}");
}

#[tokio::test(start_paused = true)]
async fn what_happened_in_a_gap_is_found() {
    let mut it = Watched::new(Mode::Full);
    assert_eq!(it.link().await.0, Link::Ready);
    it.observed().await;
    it.sim.set_down(true);
    assert_eq!(it.link().await.0, Link::BackingOff);
    // While nobody listens the disk fills up.
    it.sim
        .change(|world, _| world.machine.version = "99.0.1".into());
    it.sim.set_down(false);
    let (version, _) = it
        .next(|news| match news {
            HostNews::Observed(seen) => Some(seen.host.engine.version.clone()),
            _ => None,
        })
        .await;
    assert_eq!(version, "99.0.1");
}

#[tokio::test(start_paused = true)]
async fn on_call_mode_runs_no_command_for_the_machines_numbers() {
    let mut it = Watched::new(Mode::OnCall);
    assert_eq!(it.link().await.0, Link::Ready);
    it.feed.watch(Watch {
        machines: vec!["web1".into()],
        traffic: vec!["web1".into()],
        ..Watch::default()
    });
    it.every("/_ping", Fault::Hang);
    while it.link().await.0 != Link::BackingOff {}
    let gates = it.gates.lock().unwrap();
    assert!(
        gates
            .iter()
            .all(|g| g.exec() == 0 && g.changing() == 0 && g.refused() == 0)
    );
    assert!(gates[0].reading() > 0);
}

#[tokio::test(start_paused = true)]
async fn another_machine_of_the_same_name_begins_with_nothing() {
    let mut it = Watched::new(Mode::Full);
    assert_eq!(it.link().await.0, Link::Ready);
    it.observed().await;
    assert!(
        it.feed.observing()()
            .hosts
            .values()
            .all(|h| h.reached().is_some())
    );
    it.feed
        .set_fleet(fleet(&FILE.replace("nowhere", "elsewhere")));
    let known = it.feed.observing()();
    assert!(known.hosts.values().all(|h| h.reached().is_none()));
    assert!(it.feed.clients().is_empty());
    let replaced = |news: &HostNews| matches!(news, HostNews::Replaced).then_some(());
    it.next(replaced).await;
    // The old one's worker says nothing more.
    let more = timeout(S(1_000), it.inbox.recv()).await;
    assert!(more.is_err(), "{more:?}");
}

#[tokio::test(start_paused = true)]
async fn a_host_that_answers_and_cannot_be_read_says_so() {
    let mut it = Watched::new(Mode::Full);
    assert_eq!(it.link().await.0, Link::Ready);
    it.every("/containers/json", Fault::Hang);
    it.feed.refresh();
    let unread = |news: &HostNews| matches!(news, HostNews::Unread).then_some(());
    let (_, after) = it.next(unread).await;
    assert!(after < S(10), "{after:?}");
    let (link, why, _) = it.link().await;
    assert_eq!(link, Link::Degraded, "{why}");
    it.sim.faults().clear();
    it.observed().await;
    assert_eq!(it.link().await.0, Link::Ready);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_back_makes_nobody_deaf() {
    let mut it = Watched::new(Mode::Full);
    assert_eq!(it.link().await.0, Link::Ready);
    let client = it.feed.clients().into_values().next().unwrap();
    let create = async |name: &str| {
        let body = bollard::models::ContainerCreateBody {
            image: Some("php:8.4-apache".into()),
            ..Default::default()
        };
        client.create(name, &body).await.unwrap();
    };
    let of = |wanted: &'static str| {
        move |news: &HostNews| matches!(news, HostNews::Event(e) if e.name == wanted).then_some(())
    };
    create("before").await;
    it.next(of("before")).await;
    it.observed().await;
    it.sim.set_back(S(7_200));
    create("after").await;
    it.next(of("after")).await;
    let (seen, after) = it
        .next(|news| match news {
            HostNews::Observed(seen) => Some(seen.host.containers.len()),
            _ => None,
        })
        .await;
    assert_eq!(seen, 2);
    assert!(after < S(3), "{after:?}");
    // A connection that is made anew tells nothing twice, and goes on to hear.
    it.sim.set_down(true);
    while it.link().await.0 != Link::BackingOff {}
    it.sim.set_down(false);
    while it.link().await.0 != Link::Ready {}
    create("again").await;
    let (name, _) = it
        .next(|news| match news {
            HostNews::Event(event) => Some(event.name.clone()),
            _ => None,
        })
        .await;
    assert_eq!(name, "again");
}

#[tokio::test(start_paused = true)]
async fn r_counts_also_while_a_worker_is_busy() {
    let mut it = Watched::new(Mode::Full);
    assert_eq!(it.link().await.0, Link::Ready);
    it.every("/", Fault::Hang);
    while it.link().await.0 != Link::BackingOff {}
    // By now it waits for a minute between two attempts.
    for _ in 0..8 {
        assert_eq!(it.link().await.0, Link::BackingOff);
    }
    it.feed.refresh();
    tokio::time::sleep(S(4)).await;
    // In the middle of an attempt, whose calls get no answer any more.
    it.feed.refresh();
    it.sim.faults().clear();
    let (link, _, after) = it.link().await;
    assert_eq!(link, Link::BackingOff);
    assert!(after <= S(5), "{after:?}");
    let (link, _, after) = it.link().await;
    assert_eq!(link, Link::Ready);
    assert!(after <= S(1), "{after:?}");
}

#[tokio::test(start_paused = true)]
async fn a_file_that_changes_during_the_first_look_is_compared_with() {
    let mut it = Watched::new(Mode::Full);
    it.sim.set_pace(Pace {
        call: Duration::from_millis(200),
        ..Pace::default()
    });
    it.observed().await;
    // It is pinged, and then looked at again, more closely.
    tokio::time::sleep(Duration::from_millis(300)).await;
    it.feed.set_fleet(fleet(&FILE.replace("static", "php")));
    it.observed().await;
    let drift = |news: &HostNews| matches!(news, HostNews::Drift(_)).then_some(());
    let (_, after) = it.next(drift).await;
    assert!(after < S(20), "{after:?}");
    // And looked at once more.
    it.observed().await;
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_fails_is_told_and_begun_again() {
    let fails = Arc::new(AtomicBool::new(false));
    let mut it = Watched::with(Mode::Full, &fails);
    assert_eq!(it.link().await.0, Link::Ready);
    fails.store(true, Ordering::Relaxed);
    it.sim.set_down(true);
    assert_eq!(it.link().await.0, Link::BackingOff);
    let (link, why, _) = it.link().await;
    assert_eq!(link, Link::BackingOff);
    assert!(
        why.contains("its worker in ostler failed") && why.ends_with("a mistake"),
        "{why}"
    );
    assert!(it.feed.clients().is_empty());
    fails.store(false, Ordering::Relaxed);
    it.sim.set_down(false);
    let (link, _, after) = it.link().await;
    assert_eq!(link, Link::Ready);
    assert!(after < S(3), "{after:?}");
}

/// A copy has a site's labels, and its events tell them.
#[tokio::test(start_paused = true)]
async fn what_a_copy_did_is_not_what_the_site_did() {
    let mut it = Watched::new(Mode::Full);
    assert_eq!(it.link().await.0, Link::Ready);
    let client = it.feed.clients().into_values().next().unwrap();
    let own = crate::record::names::site(&"lab".parse().unwrap(), "blog");
    let label = |key: &str, value: &str| (format!("ostler.{key}"), value.to_owned());
    for (name, site) in [(own.as_str(), Some("blog")), ("copy", None)] {
        let labels = [
            label("fleet", "lab"),
            label("role", "site"),
            label("site", "blog"),
        ];
        let body = bollard::models::ContainerCreateBody {
            image: Some("php:8.4-apache".into()),
            labels: Some(labels.into()),
            ..Default::default()
        };
        client.create(name, &body).await.unwrap();
        let (told, _) = it
            .next(|news| match news {
                HostNews::Event(event) if event.name == name => Some(event.site.clone()),
                _ => None,
            })
            .await;
        assert_eq!(told.as_deref(), site, "{name}");
    }
}

//! On-call mode in front of a real engine: whatever is typed, nothing but reading leaves the
//! process, and the fleet file stays as it is.
//!
//! `OSTLER_TEST_SEED` names another seed, `OSTLER_TEST_KEYS` another number of keys.

#[path = "cli/mod.rs"]
mod cli;
#[path = "common/own.rs"]
mod own;
#[path = "common/proxy.rs"]
mod proxy;
#[path = "cli/pty.rs"]
mod pty;
#[path = "on_call/random.rs"]
mod random;
#[path = "cli/stage.rs"]
mod stage;
#[path = "common/tier.rs"]
mod tier;

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use cli::{Ran, ostler_in};
use ostler::console::run::headless::Headless;
use ostler::console::{ConsoleOptions, Subject};
use ostler::engine::{Client, Gate, Mode};
use ostler::walk::FleetFile;
use proxy::{Proxy, Seen};
use pty::Pty;
use random::{Keyboard, number};
use stage::Stage;

const KEYS: u64 = 100_000;
const SEED: u64 = 20_261_122;

/// Sites in every state that a console shows: well, failing, stopped, drifted, never applied.
const SITES: &str = "  \
blog: { host: here, recipe: static, domains: [blog.localhost], memory: 64M }
  shop: { host: here, recipe: php, domains: [shop.localhost], memory: 128M, secrets: { DB: { file: db.pw } } }
  idle: { host: here, recipe: static, domains: [idle.localhost], memory: 64M, state: stopped }
  bad: { host: here, recipe: image, image: \"ostler-test/web:1\", port: 8080, domains: [bad.localhost], memory: 64M, env: { FAIL_START: \"1\" }, health: { timeout: 3s } }
";

/// A fleet in front of which a proxy stands, with drift, a failing site, one that was never
/// applied, and a host that does not answer.
fn stage(engine: &tier::Engine) -> Stage {
    let stage = Stage::new(engine, SITES);
    own::write(stage.folder.path().join("db.pw"), "not for the screen");
    let applied = stage.run(&["apply", "--yes"]);
    assert_eq!(
        applied.code, 3,
        "one fails: {}\n{}",
        applied.out, applied.err
    );
    // By hand, behind ostler's back.
    let name = stage
        .done(&["sites", "--json", "--only", "site=blog"])
        .json()[0]["container"]
        .as_str()
        .unwrap()
        .to_owned();
    let updated = Command::new("docker")
        .args(["-H", &engine.address, "update", "--memory", "96M"])
        .args(["--memory-swap", "96M", &name])
        .output()
        .unwrap();
    assert!(updated.status.success(), "{updated:?}");
    stage.edit(
        "sites:\n",
        "sites:\n  new: { host: here, recipe: static, domains: [new.localhost] }\n",
    );
    stage.edit(
        "hosts:\n",
        "hosts:\n  away: { engine: \"unix:///nowhere/docker.sock\" }\n",
    );
    stage
}

/// Requests that may change something, told apart by rules of the test's own: what an engine's API
/// document calls reading.
fn changing(seen: &[Seen]) -> Vec<&Seen> {
    let reading = |seen: &Seen| {
        let mut parts: Vec<&str> = seen.path.split('/').skip(1).collect();
        if parts.first().is_some_and(|p| p.starts_with("v1.")) {
            parts.remove(0);
        }
        let route = match parts.as_slice() {
            [one] => ["_ping", "version", "info", "events", "networks", "volumes"].contains(one),
            ["containers" | "images", "json"] | ["system", "df"] => true,
            ["containers", _, what] => ["json", "logs", "stats", "top", "archive"].contains(what),
            ["images", .., "json"] | ["networks" | "volumes", _] => true,
            _ => false,
        };
        let method = seen.method == "GET" || seen.method == "HEAD";
        route && method && !seen.upgrade && !seen.body
    };
    seen.iter().filter(|seen| !reading(seen)).collect()
}

/// How often each route was asked for; ids and names left out.
fn routes(seen: &[Seen]) -> BTreeMap<String, usize> {
    let mut routes = BTreeMap::new();
    for seen in seen {
        let mut parts: Vec<&str> = seen.path.split('/').skip(1).collect();
        let known = ["containers", "images", "networks", "volumes"];
        if let Some(at) = parts.iter().position(|part| known.contains(part))
            && parts.len() > at + 2
        {
            parts[at + 1] = "ID";
        }
        *routes
            .entry(format!("{} /{}", seen.method, parts.join("/")))
            .or_default() += 1;
    }
    routes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_random_keys_only_read() {
    let Some(engine) = tier::engine() else { return };
    let seed = number("OSTLER_TEST_SEED", SEED);
    let keys = number("OSTLER_TEST_KEYS", KEYS);
    println!("seed {seed}, {keys} keys");
    let stage = tokio::task::spawn_blocking({
        let engine = engine.clone();
        move || stage(&engine)
    })
    .await
    .unwrap();
    let proxy = Proxy::start(&engine.socket, stage.folder.path());
    stage.edit(
        &format!("\"{}\"", engine.address),
        &format!("\"unix://{}\"", proxy.socket.display()),
    );
    let before = stage.text();
    let files = names(&stage);
    let gates: Arc<Mutex<Vec<Gate>>> = Arc::default();
    let mut console = Headless::open(options(&stage, gates.clone()), (100, 30));
    for text in ["ON-CALL", "blog", "drift", "to apply"] {
        let shown = console.shows(text, Duration::from_secs(30)).await;
        assert!(shown, "no {text}:\n{}", console.screen());
    }

    let begun = Instant::now();
    let words = ["blog", "shop", "idle", "bad", "new", "here", "away"];
    let mut keyboard = Keyboard::new(seed, &words);
    while keyboard.pressed() < keys {
        // A burst, as fast as a terminal can send it, then time for what it asked for.
        for _ in 0..keyboard.burst() {
            let message = keyboard.turn();
            console.send(message);
        }
        console.frame();
        console.work(Duration::from_millis(2)).await;
    }
    println!(
        "{} keys in {:.1?}, {} wishes to leave",
        keyboard.pressed(),
        begun.elapsed(),
        console.quits()
    );
    console.work(Duration::from_secs(1)).await;
    drop(console);

    let seen = proxy.seen();
    println!("{:#?}", routes(&seen));
    assert_eq!(changing(&seen), Vec::<&Seen>::new(), "seed {seed}");
    // The keys did ask for things.
    for route in ["/logs", "/stats", "/archive"] {
        let count = seen.iter().filter(|s| s.path.ends_with(route)).count();
        assert!(count > 0, "{route}: {count} of {}", seen.len());
    }
    let gates = gates.lock().unwrap().clone();
    let sum = |count: fn(&Gate) -> u64| gates.iter().map(count).sum::<u64>();
    assert_eq!(
        (sum(Gate::changing), sum(Gate::exec), sum(Gate::refused)),
        (0, 0, 0),
        "nothing even tried, seed {seed}"
    );
    assert_eq!(stage.text(), before, "seed {seed}");
    assert_eq!(names(&stage), files, "nothing was written beside it");
    let untouched = tokio::task::spawn_blocking(move || nothing_was_applied(&stage));
    assert!(untouched.await.unwrap(), "seed {seed}");
}

/// What is in the folder, the operator's own state among it.
fn names(stage: &Stage) -> BTreeSet<std::path::PathBuf> {
    let mut found = BTreeSet::new();
    let mut left = vec![stage.folder.path().to_owned()];
    while let Some(folder) = left.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                left.push(path.clone());
            }
            found.insert(path);
        }
    }
    found
}

/// The plan is still the one from before: the new site is not there, the drift still is.
fn nothing_was_applied(stage: &Stage) -> bool {
    let plan: Ran = ostler_in(stage.folder.path(), &["plan", "--only", "site=new"]);
    plan.code == 2 && stage.ask("new.localhost").0 == 404
}

fn options(stage: &Stage, gates: Arc<Mutex<Vec<Gate>>>) -> ConsoleOptions {
    let (path, source) = (stage.file(), stage.text());
    let fleet = ostler::fleet::load(&source, &path).unwrap().fleet;
    ConsoleOptions {
        subject: Subject::Fleet(FleetFile {
            path,
            source,
            fleet: Arc::new(fleet),
        }),
        connect: Arc::new(move |host| {
            let engine = host.engine.clone();
            let gate = Gate::new(Mode::OnCall);
            gates.lock().unwrap().push(gate.clone());
            Box::pin(async move { Client::connect(&engine, gate).await })
        }),
        desk: Arc::default(),
        on_call: true,
        demo: false,
        no_color: false,
        config: None,
        state: Some(stage.folder.path().join("state")),
    }
}

/// The real binary in a terminal, so that what stands between it and the console is proven too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_binary_on_call_only_reads() {
    let Some(engine) = tier::engine() else { return };
    let Some(()) = tier::terminal() else { return };
    let seed = number("OSTLER_TEST_SEED", SEED);
    let folder = tempfile::tempdir().unwrap();
    let proxy = Proxy::start(&engine.socket, folder.path());
    let text = format!(
        "fleet: oncall-{pid}\nhosts:\n  here: {{ engine: \"unix://{}\", root: /tmp/ostler-oncall-{pid} }}\nsites:\n  blog: {{ host: here, recipe: static, domains: [blog.localhost] }}\n",
        proxy.socket.display(),
        pid = std::process::id(),
    );
    std::fs::write(folder.path().join("fleet.yml"), &text).unwrap();
    let place = folder.path().to_owned();
    let typed = tokio::task::spawn_blocking(move || {
        let mut console = Pty::start_in(&place, &["--read-only"], 100, 30);
        console.wait_for("ON-CALL");
        console.wait_for("to apply");
        // A terminal's queue holds 4 KB: all but the last of it has been read when this returns.
        for chunk in random::bytes(seed, 24_000).chunks(64) {
            console.keys(&String::from_utf8_lossy(chunk));
        }
        console.signal("TERM");
        console.end()
    })
    .await
    .unwrap();
    typed.assert_sane();
    let seen = proxy.seen();
    println!("{:#?}", routes(&seen));
    assert!(!seen.is_empty());
    assert_eq!(changing(&seen), Vec::<&Seen>::new(), "seed {seed}");
    let now = std::fs::read_to_string(folder.path().join("fleet.yml")).unwrap();
    assert_eq!(now, text);
}

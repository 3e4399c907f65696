//! What `check` lets pass, plan and apply do not refuse: fleet files with one odd value each, on a
//! simulated engine.

#[path = "common/own.rs"]
mod own;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ostler::apply::{self, Context, OperationOutcome, Operator, Pace};
use ostler::engine::{Client, Gate};
use ostler::fleet::{Fleet, file_hash, load};
use ostler::observe::model::{HostObservation, Lineage, Observed};
use ostler::observe::scan::{Inspect, scan};
use ostler::plan::plan;
use ostler::sim::Sim;
use ostler::walk::secret::Sources;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use tokio_util::sync::CancellationToken;

/// Plans and applies; says what was refused.
async fn refusals(text: &str, fleet: Fleet) -> Vec<String> {
    let sim = Sim::new(5);
    let client = Client::over(sim.connector(), sim.address(), Gate::full())
        .await
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    own::write(folder.path().join("key"), "s3cret");
    let sources = Sources {
        folder: folder.path().to_owned(),
        file: None,
        trust: ostler::walk::Trust::always(),
    };
    let host = &fleet.hosts["here"];
    let seen = scan(&client, host, &fleet, Some(&sources), &Inspect::Needed)
        .await
        .unwrap();
    let hash = file_hash(text.as_bytes());
    let mut observed = Observed {
        lineage: Lineage {
            ancestors: [hash.clone()].into(),
            known_sites: fleet.sites.keys().cloned().collect(),
            ..Lineage::default()
        },
        ..Observed::default()
    };
    let seen = HostObservation::Reached(Arc::new(seen));
    observed.hosts.insert("here".parse().unwrap(), seen);
    let plan = plan(&fleet, &hash, &observed, &[], 1_800_000_000);
    let mut refused: Vec<String> = plan.problems.iter().map(|p| p.what.clone()).collect();
    let context = Context {
        fleet: Arc::new(fleet),
        fleet_bytes: Arc::new(text.as_bytes().to_vec()),
        commit: None,
        clients: [("here".parse().unwrap(), client.clone())].into(),
        secrets: Arc::new(sources),
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
    let outcome = apply::run(&plan, &context, to, CancellationToken::new()).await;
    for (id, ended) in &outcome.operations {
        if let OperationOutcome::Failed { failure } = &ended.outcome {
            refused.push(format!("{id}: {}", failure.why));
        }
    }
    assert!(outcome.is_complete() || !refused.is_empty(), "{outcome:#?}");
    refused
}

/// A fleet file of which one value is odd.
fn file(which: usize, odd: &str) -> String {
    let quoted = serde_json::to_string(odd).unwrap();
    let or = |number: usize, usual: &str, odd: String| match number == which {
        true => odd,
        false => usual.to_owned(),
    };
    let root = or(0, "/srv/ostler", quoted.clone());
    let subnet = or(1, "10.90.0.0/24", quoted.clone());
    let mount = or(2, "/data", quoted.clone());
    let image = or(3, "ostler-test/web:1", quoted.clone());
    let to = or(4, "http://10.0.0.5:8080", quoted.clone());
    let redirect = or(5, "https://new.example", quoted.clone());
    let env = or(6, "MODE: live", format!("MODE: {quoted}"));
    let named = or(7, "NAME: x", format!("{quoted}: x"));
    let path = or(8, "/", quoted.clone());
    let ini = or(9, "x: y", format!("x: {quoted}"));
    let secret = or(10, "KEY", quoted.clone());
    let domain = or(11, "blog.example", quoted.clone());
    let source = or(12, "file: key", format!("file: {quoted}"));
    format!(
        "fleet: odd\nhosts:\n  here: {{ engine: \"unix:///x\", root: {root}, subnet: {subnet} }}\nsites:\n  \
         app: {{ host: here, recipe: image, image: {image}, port: 8080, mount: {mount}, domains: [app.example], \
         env: {{ {env}, {named} }}, secrets: {{ {secret}: {{ {source} }} }} }}\n  \
         blog: {{ host: here, recipe: php, domains: [{domain}], ini: {{ {ini} }}, health: {{ path: {path} }}, \
         redirects: {{ old.example: {redirect} }} }}\n  \
         far: {{ host: here, recipe: proxy, to: {to}, domains: [far.example] }}\n"
    )
}

/// Values that somebody, or something, might refuse.
fn odd() -> impl Strategy<Value = (usize, String)> {
    let known: Vec<(usize, &str)> = vec![
        (0, "/srv/a b"),
        (0, "/srv/\"x\""),
        (0, "/srv/$HOME"),
        (0, "/srv/ä"),
        (0, "/data/x.y_z-1"),
        (1, "10.90.0.0/28"),
        (1, "10.90.0.0/29"),
        (1, "127.0.0.0/8"),
        (1, "0.0.0.0/8"),
        (1, "224.0.0.0/8"),
        (1, "169.254.0.0/16"),
        (2, "/dev"),
        (2, "/dev/shm"),
        (2, "/proc"),
        (2, "/sys/fs"),
        (2, "/tmp"),
        (2, "/run"),
        (2, "/run/secrets"),
        (2, "/run/secrets/x"),
        (2, "/run/app"),
        (2, "/var/lib/with blank"),
        (3, "[::1]:5000/web:1"),
        (3, "we..b:1"),
        (3, "my_registry.local/web:1"),
        (4, "http://[fd00::5]:81"),
        (4, "http://localhost"),
        (4, "http://a_b.internal"),
        (4, "http://x|y"),
        (5, "https://new.example/[x]"),
        (5, "https://new.example/%[path]"),
        (5, "https://new.example/%0"),
        (5, "https://[::1]/"),
        (5, "https:///x"),
        (5, "https://user@new.example/"),
        (6, "two\nlines"),
        (12, ""),
    ];
    let long = [
        (4, format!("http://{}", "a".repeat(300))),
        (5, format!("https://new.example/{}", "a".repeat(3000))),
        (6, "x".repeat(200_000)),
        (0, format!("/{}", "a".repeat(1000))),
    ];
    let known: Vec<(usize, String)> = known
        .into_iter()
        .map(|(which, text)| (which, text.to_owned()))
        .chain(long)
        .collect();
    let piece = prop_oneof![
        "[a-zA-Z0-9./_-]{0,6}",
        "[%\\[\\]{}<>\"'|^`\\\\#?&=;,@ $!~:+*-]{0,3}",
        any::<char>().prop_map(String::from),
    ];
    let random =
        (0usize..12, proptest::collection::vec(piece, 1..4)).prop_map(|(which, pieces)| {
            let front = match which {
                0 | 2 | 8 => "/x",
                4 => "http://",
                5 => "https://new.example/",
                _ => "",
            };
            (which, format!("{front}{}", pieces.concat()))
        });
    prop_oneof![proptest::sample::select(known), random]
}

#[test]
fn what_check_lets_pass_is_not_refused_later() {
    let mut runner = TestRunner::deterministic();
    let (mut passed, mut stopped) = (0, 0);
    for _ in 0..250 {
        let (which, odd) = odd().new_tree(&mut runner).unwrap().current();
        // An image that passes would have to be somewhere.
        let text = file(which, &odd);
        let Ok(loaded) = load(&text, Path::new("fleet.yml")) else {
            stopped += 1;
            continue;
        };
        if which == 3 && odd != "ostler-test/web:1" {
            assert!(
                !odd.contains(['[', '_']) && !odd.contains(".."),
                "{odd:?} passed"
            );
            continue;
        }
        passed += 1;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        let refused = runtime.block_on(refusals(&text, loaded.fleet));
        assert!(refused.is_empty(), "{which} {odd:?}: {refused:#?}");
    }
    assert!(
        passed > 40 && stopped > 40,
        "{passed} passed, {stopped} did not"
    );
}

//! `ostler tend` as a timer runs it: over many hosts, one of which hangs; what it tells, and what not.

mod cli;
#[path = "cli/hollow.rs"]
mod hollow;
#[path = "common/proxy.rs"]
mod proxy;
#[path = "cli/stage.rs"]
mod stage;
#[path = "common/tier.rs"]
mod tier;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::{Duration, Instant};

use cli::Ran;
use hollow::Engine;
use rustix::fs::{FlockOperation, flock};

/// Hosts, the last of which takes connections and says nothing.
const HOSTS: usize = 50;
/// Longest that a pass over them may take: reading has a deadline of its own.
const PASS: Duration = Duration::from_secs(60);

fn socket(folder: &Path, number: usize) -> std::path::PathBuf {
    folder.join(format!("{number}.sock"))
}

/// A fleet file with this many hosts, each on a socket of its own, and a program that is told.
fn fleet(folder: &Path, hosts: usize, notify: &str) {
    let mut text = format!("fleet: many\n{notify}hosts:\n");
    for number in 0..hosts {
        let socket = socket(folder, number);
        text.push_str(&format!(
            "  web{number}: {{ engine: \"unix://{}\" }}\n",
            socket.display()
        ));
    }
    text.push_str("sites: {}\n");
    fs::write(folder.join("fleet.yml"), text).unwrap();
    cli::keep_to_us(folder);
}

fn tend(folder: &Path, more: &[&str]) -> Ran {
    let mut command = cli::command(folder);
    command.arg("tend").args(more).arg("--trust-commands");
    cli::run(&mut command)
}

/// What was told, a line of JSON each.
fn told(folder: &Path) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(folder.join("told")).unwrap_or_default();
    let lines = text.lines().map(serde_json::from_str);
    lines.collect::<Result<_, _>>().unwrap()
}

const COMMAND: &str = "notify: { command: [sh, -c, \"cat >> told; echo >> told\"] }\n";

#[test]
fn one_host_that_hangs_holds_up_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path();
    let engines: Vec<Engine> = (0..HOSTS - 1)
        .map(|number| Engine::start(&socket(folder, number)))
        .collect();
    let hangs = UnixListener::bind(socket(folder, HOSTS - 1)).unwrap();
    fleet(folder, HOSTS, COMMAND);
    let begun = Instant::now();
    let first = tend(folder, &["--json", "--metrics", "ostler.prom"]);
    assert!(begun.elapsed() < PASS, "{:?}", begun.elapsed());
    assert_eq!(first.code, 3, "{}\n{}", first.out, first.err);
    let last = format!("web{}", HOSTS - 1);
    let json = first.json();
    let away = json["away"].as_array().unwrap();
    assert!(
        away.len() == 1 && away[0].as_str().unwrap().starts_with(&last),
        "{json}"
    );
    assert_eq!(
        (&json["exit"], &json["done"]),
        (&3.into(), &serde_json::json!([]))
    );
    assert!(first.err.contains(&last), "{}", first.err);
    let alert = &json["alerts"][0];
    assert_eq!(alert["key"], format!("host/{last}"));
    assert_eq!(json["alerts"].as_array().unwrap().len(), 1);
    // It is told once, with what, where, since when and the next step.
    let news = told(folder);
    assert_eq!(news.len(), 1, "{news:?}");
    assert_eq!(
        (&news[0]["change"], &news[0]["host"]),
        (&"new".into(), &last.clone().into())
    );
    assert!(news[0]["since"].is_i64() && news[0]["next"].as_str().unwrap().contains("doctor"));
    let metrics = fs::read_to_string(folder.join("ostler.prom")).unwrap();
    for line in [
        format!("ostler_host_up{{fleet=\"many\",host=\"{last}\"}} 0"),
        "ostler_host_up{fleet=\"many\",host=\"web0\"} 1".to_owned(),
        "ostler_alerts{fleet=\"many\",kind=\"host\"} 1".to_owned(),
    ] {
        assert!(metrics.lines().any(|it| it == line), "{line}\n{metrics}");
    }
    let mode = fs::metadata(folder.join("ostler.prom"))
        .unwrap()
        .permissions();
    assert_eq!(mode.mode() & 0o777, 0o644);
    // A second pass finds the same, changes nothing, and tells nobody.
    let second = tend(folder, &["--json"]);
    assert_eq!((second.code, told(folder).len()), (3, 1), "{}", second.err);
    assert_eq!(second.json()["alerts"][0]["since"], alert["since"]);
    let asked = engines.iter().flat_map(Engine::asked);
    let changing: Vec<_> = asked
        .filter(|it| !it.starts_with("GET ") && !it.starts_with("HEAD "))
        .collect();
    assert_eq!(changing, [""; 0]);
    // It is back.
    drop(hangs);
    fs::remove_file(socket(folder, HOSTS - 1)).unwrap();
    let _back = Engine::start(&socket(folder, HOSTS - 1));
    let third = tend(folder, &[]);
    assert_eq!(third.code, 0, "{}\n{}", third.out, third.err);
    let news = told(folder);
    assert_eq!(
        (news.len(), &news[1]["change"]),
        (2, &"well".into()),
        "{news:?}"
    );
    tend(folder, &[]);
    assert_eq!(told(folder).len(), 2);
}

#[test]
fn what_did_not_go_out_is_told_another_time() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path();
    // Nobody listens there: the only host is lost. The program says no at first.
    let notify =
        "notify: { command: [sh, -c, \"test -e open && { cat >> told; echo >> told; }\"] }\n";
    fleet(folder, 1, notify);
    let first = tend(folder, &["--json"]);
    assert_eq!((first.code, told(folder).len()), (3, 0));
    let untold = first.json()["untold"][0].as_str().unwrap().to_owned();
    assert!(
        untold.starts_with("notify.command sh: it ended with"),
        "{untold}"
    );
    assert!(first.err.contains(&untold), "{}", first.err);
    fs::write(folder.join("open"), "").unwrap();
    // Another pass that tells at this moment is left alone.
    let lock = folder.join("state/ostler/alerts/many.lock");
    let lock = fs::File::open(lock).unwrap();
    flock(&lock, FlockOperation::LockExclusive).unwrap();
    let held = tend(folder, &["--json"]);
    assert_eq!((held.code, told(folder).len()), (3, 0), "{}", held.err);
    assert!(held.err.contains("another pass"), "{}", held.err);
    drop(lock);
    let second = tend(folder, &["--json"]);
    assert_eq!(told(folder).len(), 1, "{}", second.err);
    assert_eq!(second.json()["untold"], serde_json::json!([]));
    // What it keeps is nobody else's.
    let kept = folder.join("state/ostler/alerts/many.json");
    let mode = fs::metadata(kept).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // Without leave nothing of the fleet file is run.
    fs::remove_file(folder.join("told")).unwrap();
    fs::remove_dir_all(folder.join("state")).unwrap();
    let ran = cli::run(cli::command(folder).args(["tend", "--json"]));
    assert_eq!((ran.code, told(folder).len()), (3, 0), "{}", ran.err);
    let untold = ran.json()["untold"][0].as_str().unwrap().to_owned();
    assert!(untold.starts_with("notify.command sh: "), "{untold}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_pass_changes_nothing_and_a_missing_one_is_seen() {
    let Some(engine) = tier::engine() else { return };
    let site = "  one: { host: here, recipe: image, image: \"ostler-test/web:1\", port: 8080, domains: [one.test], memory: 64M, certificate: none }\n";
    let stage = stage::Stage::new(&engine, site);
    // Nobody listens there, and nobody is asked: no site wants a certificate.
    let acme = "acme: { directory: \"https://127.0.0.1:1/\", contact: [ops@example.net], terms: agreed }\nhosts:";
    stage.edit("hosts:", acme);
    stage.done(&["apply", "--yes"]);
    let noted = Path::new(&stage.root).join("state/tended.json");
    assert!(!noted.exists());
    let first = stage.done(&["tend"]);
    assert!(first.out.contains("Nothing is due."), "{}", first.out);
    let mode = fs::metadata(&noted).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let address = engine.address.strip_prefix("unix://").unwrap().to_owned();
    let proxy = proxy::Proxy::start(Path::new(&address), stage.folder.path());
    let through = format!("unix://{}", proxy.socket.display());
    stage.edit(&engine.address, &through);
    stage.done(&["tend"]);
    let seen = proxy.seen();
    let reads = |it: &&proxy::Seen| matches!(it.method.as_str(), "GET" | "HEAD") && !it.upgrade;
    assert!(seen.len() > 5);
    let changing: Vec<_> = seen.iter().filter(|it| !reads(it)).collect();
    assert!(changing.is_empty(), "{changing:?}");
    // As when no timer came by for a week: `status` tells, and the next pass is that again.
    stage.edit(&through, &engine.address);
    let old = chrono::Utc::now().timestamp() - 7 * 86_400;
    fs::write(&noted, format!("{{\"schema\":1,\"at\":{old}}}")).unwrap();
    let status = stage.run(&["status"]);
    assert_eq!(status.code, 2, "{}\n{}", status.out, status.err);
    assert!(status.out.contains("not tended for 7 d"), "{}", status.out);
    stage.done(&["tend"]);
    let status = stage.run(&["status"]);
    assert!(!status.out.contains("not tended"), "{}", status.out);
}

//! The walk from the command line on a real engine: plan, apply, sites, and what is refused.

mod cli;
#[path = "common/proxy.rs"]
mod proxy;
#[path = "cli/stage.rs"]
mod stage;
#[path = "common/tier.rs"]
mod tier;

use std::fs;

use cli::{Ran, ostler_in};
use stage::Stage;

const BLOG: &str =
    "  blog: { host: here, recipe: static, domains: [blog.localhost], memory: 64M }\n";
const BROKEN: &str = "  bad: { host: here, recipe: image, image: \"ostler-test/web:1\", port: 8080, domains: [bad.localhost], memory: 64M, env: { FAIL_START: \"1\" }, health: { timeout: 5s } }\n";

#[test]
fn from_nothing_to_answers_and_then_nothing_to_do() {
    let Some(engine) = tier::engine() else { return };
    let shop = "  shop: { host: here, recipe: php, domains: [shop.localhost], memory: 128M }\n";
    let stage = Stage::new(&engine, &format!("{BLOG}{shop}"));
    assert_eq!(stage.run(&["plan"]).code, 2);
    let applied = stage.done(&["apply", "--yes"]);
    assert!(applied.out.contains("Applied: "), "{}", applied.out);
    assert!(applied.err.contains("✔ ["), "{}", applied.err);
    for domain in ["blog.localhost", "shop.localhost"] {
        assert_eq!(stage.ask(domain).0, 200, "{domain}");
    }
    assert_eq!(stage.run(&["plan"]).code, 0);
    let again = stage.done(&["-v", "apply", "--yes"]);
    assert!(again.out.contains("Nothing to do"), "{}", again.out);
    assert!(!again.err.contains("✔"), "{}", again.err);

    let sites = stage.done(&["sites", "--json"]).json();
    assert_eq!(sites[0]["state"], "running");
    assert_eq!(sites[0]["drift"], serde_json::json!([]));
    assert_eq!(sites[0]["image"], "nginx:1.28");
    assert!(sites[0]["address"].as_str().unwrap().starts_with("10."));
    let log = stage.done(&["logs", "blog", "--tail", "5", "-t"]);
    assert!(log.out.contains("GET / HTTP/1.1"), "{}", log.out);
}

#[test]
fn without_a_terminal_and_without_yes_nothing_is_changed() {
    let Some(engine) = tier::engine() else { return };
    let stage = Stage::new(&engine, BLOG);
    let refused = stage.run(&["apply"]);
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains("not a terminal"), "{}", refused.err);
    assert!(refused.err.contains("--yes"), "{}", refused.err);
    for command in ["create", "stop", "archive"] {
        let arguments: &[&str] = match command {
            "create" => &["site", "create", "new", "--domain", "new.localhost"],
            other => &["site", other, "blog"],
        };
        let before = stage.text();
        assert_eq!(stage.run(arguments).code, 1, "{command}");
        assert_eq!(stage.text(), before, "{command}");
    }
    assert_eq!(stage.run(&["plan"]).code, 2, "nothing was applied");
}

#[test]
fn on_call_mode_changes_neither_hosts_nor_the_file() {
    let Some(engine) = tier::engine() else { return };
    let stage = Stage::new(&engine, BLOG);
    let before = stage.text();
    let refused = |ran: &Ran| {
        assert_eq!(ran.code, 1, "{ran:?}");
        assert!(ran.err.contains("on-call mode"), "{}", ran.err);
    };
    refused(&stage.run(&["--read-only", "apply", "--yes"]));
    refused(&stage.run(&["site", "stop", "blog", "--yes", "--read-only"]));
    let variable = |value: &str, arguments: &[&str]| {
        cli::run(
            cli::command(stage.folder.path())
                .env("OSTLER_READ_ONLY", value)
                .args(arguments),
        )
    };
    refused(&variable("1", &["apply", "--yes"]));
    refused(&variable("yes", &["site", "archive", "blog", "--yes"]));
    let config = stage.folder.path().join("config/ostler");
    fs::create_dir_all(&config).unwrap();
    fs::write(config.join("config.yml"), "mode: on-call\n").unwrap();
    refused(&stage.run(&["apply", "--yes"]));
    assert_eq!(stage.text(), before);
    assert_eq!(
        stage.run(&["plan"]).code,
        2,
        "plans can be read, and nothing was applied"
    );
}

#[test]
fn one_site_that_fails_does_not_stop_the_other_and_its_log_is_shown() {
    let Some(engine) = tier::engine() else { return };
    let stage = Stage::new(&engine, &format!("{BLOG}{BROKEN}"));
    let ran = stage.run(&["apply", "--yes"]);
    assert_eq!(ran.code, 3, "{}\n{}", ran.out, ran.err);
    assert!(ran.out.contains("✖ bad on here"), "{}", ran.out);
    assert!(
        ran.out.contains("│ "),
        "the last lines of its log: {}",
        ran.out
    );
    assert!(ran.out.contains("Next: "), "{}", ran.out);
    assert_eq!(stage.ask("blog.localhost").0, 200);
    let status = stage.run(&["status"]);
    assert_eq!(status.code, 2, "{}", status.err);
    assert!(
        status.out.contains("1 of 2 sites as they should be"),
        "{}",
        status.out
    );
}

#[test]
fn a_saved_plan_is_run_as_it_is_or_refused_when_stale() {
    let Some(engine) = tier::engine() else { return };
    let stage = Stage::new(&engine, BLOG);
    assert_eq!(stage.run(&["plan", "--out", "p.json"]).code, 2);
    stage.edit("64M", "96M");
    let stale = stage.run(&["apply", "p.json", "--yes"]);
    assert_eq!(stale.code, 1);
    assert!(
        stale.err.contains("the fleet file: site blog changed"),
        "{}",
        stale.err
    );
    stage.edit("96M", "64M");
    stage.done(&["apply", "p.json", "--yes"]);
    assert_eq!(stage.ask("blog.localhost").0, 200);
    let used = stage.run(&["apply", "p.json", "--yes"]);
    assert_eq!(used.code, 1);
    assert!(
        used.err.contains("here: blog: is there now"),
        "{}",
        used.err
    );
    let other = ostler_in(stage.folder.path(), &["apply", "fleet.yml", "--yes"]);
    assert_eq!(other.code, 1);
    assert!(other.err.contains("not a plan"), "{}", other.err);
}

/// Whoever could write the file gets nothing done: not a request that changes anything is sent.
#[tokio::test(flavor = "multi_thread")]
async fn a_saved_plan_that_was_tampered_with_changes_nothing() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let Some(engine) = tier::engine() else { return };
    let socket = engine.address.strip_prefix("unix://").unwrap();
    let stage = Stage::new(&engine, BLOG);
    let proxy = proxy::Proxy::start(socket.as_ref(), stage.folder.path());
    let by_proxy = format!("unix://{}", proxy.socket.display());
    stage.edit(&engine.address, &by_proxy);
    let path = stage.folder.path().join("p.json");
    fs::write(&path, "theirs to read").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(stage.run(&["plan", "--out", "p.json"]).code, 2);
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
    let saved = fs::read_to_string(&path).unwrap();
    let class = r#""class": "write""#;
    let first = saved.find(r#""operations": ["#).unwrap() + r#""operations": ["#.len();
    let end = first + saved[first..].find("\n      },").unwrap() + "\n      },".len();
    let (before, operation, after) = (&saved[..first], &saved[first..end], &saved[end..]);
    for (tampered, says) in [
        (
            format!("{before}{operation}{operation}{after}"),
            "there are two operations",
        ),
        (format!("{before}{after}"), "which does not come before it"),
        (
            saved.replacen(class, r#""class": "read""#, 1),
            r#"class: "read" in it, "write" now"#,
        ),
        (
            saved.replacen(class, &format!(r#""note": "x", {class}"#), 1),
            "is not as `ostler plan --out` writes it",
        ),
    ] {
        fs::write(&path, tampered).unwrap();
        let ran = stage.run(&["apply", "p.json", "--yes"]);
        assert_eq!(ran.code, 1, "{says}: {}", ran.err);
        assert!(ran.err.contains(says), "{says}: {}", ran.err);
    }
    fs::write(&path, &saved).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o660)).unwrap();
    let ran = stage.run(&["apply", "p.json", "--yes"]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(ran.err.contains("chmod go-w"), "{}", ran.err);
    let sent = proxy.seen();
    assert!(sent.iter().all(|seen| seen.method == "GET"), "{sent:?}");
}

#[test]
fn a_site_s_life_is_a_few_lines_of_the_file() {
    let Some(engine) = tier::engine() else { return };
    let stage = Stage::new(&engine, BLOG);
    let before = stage.text();
    stage.done(&["apply", "--yes"]);
    let created = stage.done(&[
        "site",
        "create",
        "shop",
        "--domain",
        "shop.localhost",
        "--php",
        "8.4",
        "--memory",
        "128M",
        "--yes",
    ]);
    assert!(created.out.contains("+   shop:"), "{}", created.out);
    // Written in the manner of its neighbour.
    let entry = |state: &str| {
        format!(
            "{before}  shop: {{ host: here, recipe: php, php: \"8.4\", domains: [shop.localhost], memory: 128M{state} }}\n"
        )
    };
    assert_eq!(stage.text(), entry(""));
    assert_eq!(stage.ask("shop.localhost").0, 200);

    stage.done(&["site", "stop", "shop", "--yes"]);
    assert_eq!(stage.text(), entry(", state: stopped"));
    assert_eq!(stage.ask("shop.localhost").0, 503);
    assert_eq!(stage.ask("blog.localhost").0, 200);
    stage.done(&["site", "start", "shop", "--yes"]);
    assert_eq!(stage.ask("shop.localhost").0, 200);
    stage.done(&["site", "restart", "shop", "--yes"]);
    assert_eq!(stage.ask("shop.localhost").0, 200);
    stage.done(&["site", "archive", "shop", "--yes"]);
    assert_eq!(stage.ask("shop.localhost").0, 404);
    let sites = stage
        .done(&["sites", "--json", "--only", "site=shop"])
        .json();
    assert_eq!(sites[0]["state"], "archived");
    assert_eq!(stage.run(&["plan"]).code, 0);

    let bad = stage.run(&["site", "create", "x", "--domain", "blog.localhost", "--yes"]);
    assert_eq!(bad.code, 1);
    assert!(bad.err.contains("nothing was written"), "{}", bad.err);
}

#[test]
fn ctrl_c_lets_what_runs_end_and_takes_back_what_is_half_done() {
    use std::io::{BufRead, BufReader};
    use std::process::Stdio;
    let Some(engine) = tier::engine() else { return };
    let slow = "  slow: { host: here, recipe: image, image: \"ostler-test/web:1\", port: 8080, domains: [slow.localhost], memory: 64M, health: { path: /hang, timeout: 50s } }\n";
    let stage = Stage::new(&engine, &format!("{BLOG}{slow}"));
    let mut apply = cli::command(stage.folder.path())
        .args(["apply", "--yes", "--only", "site=slow"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(apply.stderr.take().unwrap()).lines();
    // The site's container is up, and what is left is to wait for its answer.
    let started = said.find(|line| {
        line.as_ref()
            .is_ok_and(|l| l.contains("slow on here: start "))
    });
    assert!(started.is_some());
    let pid = apply.id().to_string();
    // The shell's own: there may be no program of that name.
    let sent = std::process::Command::new("sh")
        .args(["-c", "kill -s INT \"$1\"", "sh", &pid])
        .status();
    assert!(sent.unwrap().success());
    let rest: Vec<String> = said.map_while(Result::ok).collect();
    let ended = apply.wait_with_output().unwrap();
    let out = String::from_utf8_lossy(&ended.stdout);
    assert_eq!(ended.status.code(), Some(3), "{out}\n{rest:#?}");
    assert!(rest.iter().any(|l| l.starts_with("stopping:")), "{rest:#?}");
    assert!(out.contains("Stopped: "), "{out}");
    let sites = stage
        .done(&["sites", "--json", "--only", "site=slow"])
        .json();
    assert_eq!(sites[0]["container"], serde_json::Value::Null, "taken back");
}

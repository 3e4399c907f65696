//! Commands that look at a real engine and change nothing.

mod cli;
#[path = "common/tier.rs"]
mod tier;

use std::fs;

use cli::{ostler, ostler_in};

/// A fleet of a reachable and an unreachable host.
fn folder(engine: &tier::Engine) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    // Its own name, root and ports: nothing of it is on the host.
    let text = format!(
        "fleet: looked-at-{pid}\nhosts:\n  here: {{ engine: \"{engine}\", root: /srv/ostler-test-{pid}, ports: {{ http: 18080, https: 18443 }} }}\n  gone: {{ engine: \"unix:///nowhere/docker.sock\" }}\naccounts:\n  alice: {{ email: alice@example.net }}\nsites:\n  blog: {{ account: alice, host: here, recipe: static, domains: [blog.localhost], memory: 64M }}\n  shop: {{ account: alice, host: gone, recipe: php, domains: [shop.localhost] }}\n",
        pid = std::process::id(),
        engine = engine.address,
    );
    fs::write(folder.path().join("fleet.yml"), text).unwrap();
    folder
}

#[test]
fn a_plan_with_changes_ends_with_2_and_tells_why() {
    let Some(engine) = tier::engine() else { return };
    let folder = folder(&engine);
    let ran = ostler_in(folder.path(), &["plan"]);
    assert_eq!(ran.code, 2, "{}", ran.err);
    assert!(ran.out.contains("create blog on here"), "{}", ran.out);
    assert!(ran.out.contains("new site"), "{}", ran.out);
    assert!(ran.out.contains("✖ gone"), "{}", ran.out);
}

#[test]
fn a_plan_for_programs_has_every_promised_key() {
    let Some(engine) = tier::engine() else { return };
    let folder = folder(&engine);
    let ran = ostler_in(folder.path(), &["plan", "--json", "--only", "site=blog"]);
    assert_eq!(ran.code, 2, "{}", ran.err);
    let plan = ran.json();
    let operations = plan["operations"].as_array().unwrap();
    assert!(!operations.is_empty());
    for operation in operations {
        for key in [
            "id",
            "host",
            "site",
            "kind",
            "class",
            "cause",
            "interrupts",
            "undo",
        ] {
            assert!(operation.get(key).is_some(), "no {key} in {operation}");
        }
        assert_eq!(operation["host"], "here");
    }
    assert_eq!(
        plan["problems"],
        serde_json::json!([]),
        "the other host is not its business"
    );
}

#[test]
fn plans_are_made_in_on_call_mode_too() {
    let Some(engine) = tier::engine() else { return };
    let folder = folder(&engine);
    let ran = ostler_in(
        folder.path(),
        &["--read-only", "plan", "--only", "site=blog"],
    );
    assert_eq!(ran.code, 2, "{}", ran.err);
}

#[test]
fn sites_for_programs_have_every_promised_key() {
    let Some(engine) = tier::engine() else { return };
    let folder = folder(&engine);
    let ran = ostler_in(folder.path(), &["sites", "--json"]);
    assert_eq!(ran.code, 3, "one host does not answer: {}", ran.err);
    let sites = ran.json();
    let names: Vec<&str> = sites
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["blog", "shop"]);
    for key in [
        "name",
        "account",
        "host",
        "recipe",
        "state",
        "drift",
        "domains",
        "address",
        "image",
        "memory_limit",
    ] {
        assert!(sites[0].get(key).is_some(), "no {key} in {}", sites[0]);
    }
    assert_eq!(sites[0]["state"], "missing");
    assert_eq!(sites[1]["state"], "unreachable");
    assert_eq!(sites[0]["memory_limit"], 64 << 20);
}

#[test]
fn hosts_and_status_say_which_host_does_not_answer_and_why() {
    let Some(engine) = tier::engine() else { return };
    let folder = folder(&engine);
    let hosts = ostler_in(folder.path(), &["hosts", "--json"]);
    assert_eq!(hosts.code, 3, "{}", hosts.err);
    let rows = hosts.json();
    assert_eq!(rows[0]["reachable"], true);
    assert_eq!(rows[1]["reachable"], false);
    assert!(
        rows[1]["why"]
            .as_str()
            .unwrap()
            .contains("/nowhere/docker.sock")
    );
    let status = ostler_in(folder.path(), &["status"]);
    assert_eq!(status.code, 3, "{}", status.err);
    assert!(status.out.contains("1 of 2 hosts ready"), "{}", status.out);
}

#[test]
fn a_selection_that_names_nothing_is_an_error_with_a_suggestion() {
    let Some(engine) = tier::engine() else { return };
    let folder = folder(&engine);
    let ran = ostler_in(folder.path(), &["plan", "--only", "site=blgo"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("did you mean blog?"), "{}", ran.err);
}

#[test]
fn init_writes_a_file_that_checks_and_plans_and_never_over_another() {
    let Some(engine) = tier::engine() else { return };
    let folder = tempfile::tempdir().unwrap();
    let first = ostler_in(folder.path(), &["init", "--host", &engine.address]);
    assert_eq!(first.code, 0, "{}", first.err);
    assert!(
        first
            .out
            .contains("curl -H 'Host: blog.localhost' http://localhost"),
        "{}",
        first.out
    );
    let check = ostler_in(folder.path(), &["check"]);
    assert_eq!(check.code, 0, "{}", check.err);
    // Nobody was there to say whether certificates are wanted.
    assert!(
        check.err.starts_with("no certificates are obtained"),
        "{}",
        check.err
    );
    for (option, says) in [
        (&["--acme", "off"][..], "\nacme: off\n"),
        (&["--acme", "agreed"], "\nacme:\n  terms: agreed\n"),
        (
            &["--acme", "agreed", "--contact", "ops@example.net"],
            "\nacme:\n  contact: [ops@example.net]\n  terms: agreed\n",
        ),
    ] {
        let words = ["init", "other.yml", "--host", &engine.address];
        let ran = ostler_in(folder.path(), &[&words[..], option].concat());
        assert_eq!(ran.code, 0, "{option:?}: {}", ran.err);
        let other = folder.path().join("other.yml");
        let text = fs::read_to_string(&other).unwrap();
        assert!(text.contains(says), "{option:?}: {text}");
        let check = ostler_in(folder.path(), &["check", "--fleet", "other.yml"]);
        assert_eq!((check.code, check.err.as_str()), (0, ""));
        fs::remove_file(other).unwrap();
    }
    for (wrong, why) in [
        (
            &["--acme", "off", "--contact", "ops@example.net"][..],
            "--acme agreed",
        ),
        (
            &["--acme", "agreed", "--contact", "ops"],
            "alice@example.net",
        ),
        (&["--contact", "ops@example.net"], "--acme"),
        (&["--acme", "yes"], "agreed"),
    ] {
        let words = ["init", "other.yml", "--host", &engine.address];
        let ran = ostler_in(folder.path(), &[&words[..], wrong].concat());
        assert_eq!(ran.code, 1, "{wrong:?}: {ran:?}");
        assert!(ran.err.contains(why), "{wrong:?}: {}", ran.err);
        assert!(!folder.path().join("other.yml").exists());
    }
    let before = fs::read(folder.path().join("fleet.yml")).unwrap();
    let again = ostler_in(folder.path(), &["init"]);
    assert_eq!(again.code, 1);
    assert!(again.err.contains("exists already"), "{}", again.err);
    assert_eq!(fs::read(folder.path().join("fleet.yml")).unwrap(), before);
}

#[test]
fn a_socket_that_is_not_there_is_named_as_what_it_is() {
    for arguments in [
        &["doctor", "--host", "unix:///nowhere/docker.sock"][..],
        &["init", "--host", "unix:///nowhere/docker.sock"],
        &["logs", "--host", "unix:///nowhere/docker.sock", "x"],
    ] {
        let ran = ostler(arguments);
        assert_eq!(ran.code, 1, "{arguments:?}");
        let said = format!("{}{}", ran.out, ran.err);
        assert!(
            said.contains("no Docker socket at /nowhere/docker.sock"),
            "{said}"
        );
        assert!(said.contains("systemctl start docker"), "{said}");
    }
}

#[test]
fn the_doctor_looks_at_an_engine_without_a_fleet_file() {
    let Some(engine) = tier::engine() else { return };
    let ran = ostler(&["doctor", "--json", "--host", &engine.address]);
    let report = ran.json();
    assert_eq!(report[0]["findings"][0]["check"], "engine");
    assert_eq!(report[0]["findings"][0]["mark"], "ok");
    let before = ostler(&["--host", &engine.address, "doctor"]);
    assert!(
        before.out.contains("engine"),
        "--host works before the command too: {before:?}"
    );
}

#[test]
fn any_engine_is_looked_at_without_a_fleet_file() {
    let Some(engine) = tier::engine() else { return };
    let status = ostler(&["status", "--json", "--host", &engine.address]);
    let told = status.json();
    assert_eq!(told["reachable"], true);
    // Whatever else runs there meanwhile.
    let all = told["all"].as_array().unwrap();
    let ill = ["failing", "restarting", "warning", "starting"];
    let ill = all
        .iter()
        .any(|it| ill.contains(&it["verdict"].as_str().unwrap()));
    assert_eq!(
        (status.code, &told["exit"]),
        (if ill { 2 } else { 0 }, &status.code.into())
    );
    let gone = ostler(&["status", "--host", "unix:///nowhere/docker.sock"]);
    assert_eq!(gone.code, 3);
    let first = gone.out.lines().next().unwrap();
    assert!(first.contains("not all known"), "{}", gone.out);
    assert!(first.contains("no Docker socket"), "{}", gone.out);
}

/// A container that writes something, gone at the end.
struct Writes<'a>(&'a tier::Engine, String);

impl<'a> Writes<'a> {
    fn run(engine: &'a tier::Engine, name: &str, options: &[&str], script: &str) -> Writes<'a> {
        let writes = Writes(engine, format!("ostler-look-{}-{name}", std::process::id()));
        let head = ["run", "-d", "--net", "none", "--name", &writes.1];
        let tail = ["debian:trixie-slim", "sh", "-c", script];
        writes.docker(&[&head[..], options, &tail].concat());
        writes.docker(&["wait", &writes.1]);
        writes
    }

    fn docker(&self, arguments: &[&str]) {
        let mut docker = std::process::Command::new("docker");
        docker.args(["--host", &self.0.address]).args(arguments);
        let ran = docker.output().unwrap();
        assert!(
            ran.status.success(),
            "{}",
            String::from_utf8_lossy(&ran.stderr)
        );
    }

    fn logs(&self, arguments: &[&str]) -> cli::Ran {
        let fixed = ["logs", "--host", &self.0.address, &self.1];
        ostler(&[&fixed[..], arguments].concat())
    }
}

impl Drop for Writes<'_> {
    fn drop(&mut self) {
        let mut docker = std::process::Command::new("docker");
        docker.args(["--host", &self.0.address, "rm", "-fv", &self.1]);
        let _ = docker.output();
    }
}

#[test]
fn lines_of_a_log_are_whole_and_can_be_chosen() {
    let Some(engine) = tier::engine() else { return };
    // The engine takes the two streams each by itself: what comes at once has no order.
    let script = "echo first; head -c 40000 /dev/zero | tr '\\0' x; echo; \
        echo '{\"level\":\"info\",\"msg\":\"no error\"}'; sleep 0.3; \
        echo 'PHP Fatal error:  Uncaught x' >&2; sleep 0.3; \
        echo '::1 - - [30/Nov/2026:05:26:31 +0000] \"GET /error HTTP/1.1\" 200 4'; \
        echo '::1 - - [30/Nov/2026:05:26:31 +0000] \"GET / HTTP/1.1\" 502 4'; echo last";
    let long = "x".repeat(40_000);
    for tty in [&[][..], &["-t"]] {
        let log = Writes::run(&engine, "lines", tty, script);
        let all = log.logs(&[]);
        assert_eq!(all.code, 0, "{}", all.err);
        let lines: Vec<&str> = all.out.lines().collect();
        assert_eq!((lines[0], lines[1]), ("first", &long[..]), "{tty:?}");
        // With times, each line has one.
        let timed = log.logs(&["-t"]);
        let stamped: Vec<&str> = timed.out.lines().collect();
        assert_eq!(stamped.len(), lines.len());
        for (stamped, line) in stamped.iter().zip(&lines) {
            assert_eq!(stamped.split_once("Z ").unwrap().1, *line);
        }
        // The engine's last entries are pieces of a line.
        let count = lines.len() - 1;
        let tail = log.logs(&["-n", &(count + usize::from(tty.is_empty())).to_string()]);
        assert_eq!(tail.out.lines().next(), Some(&long[..]), "{tty:?}");
        let last = log.logs(&["-n", "1"]);
        assert_eq!(last.out.trim_end(), "last");

        let errors = log.logs(&["--errors"]);
        let both = format!("{}{}", errors.out, errors.err);
        let found: Vec<&str> = both.lines().collect();
        assert_eq!(found.len(), 2, "{both}");
        assert!(
            both.contains("PHP Fatal") && both.contains("\" 502 4"),
            "{both}"
        );
        let grep = log.logs(&["--grep", "^(fir|la)st$", "--since", "2h30m"]);
        assert_eq!(grep.out.replace('\r', ""), "first\nlast\n");
        let one = log.logs(&["--grep", "st$", "-n", "1", "--raw"]);
        assert_eq!(one.out.trim_end(), "last");
        let before = log.logs(&["--until", "1h"]);
        assert_eq!((before.code, &before.out[..]), (0, ""));
    }
    let wrong = ostler(&["logs", "x", "--grep", "("]);
    assert!(
        wrong.code == 1 && wrong.err.contains("unclosed group"),
        "{}",
        wrong.err
    );
}

#[test]
fn a_log_that_is_not_kept_is_said_so_once() {
    let Some(engine) = tier::engine() else { return };
    let log = Writes::run(&engine, "none", &["--log-driver", "none"], "echo lost");
    for follow in [&[][..], &["-f"]] {
        let ran = log.logs(follow);
        assert_eq!(ran.code, 1, "{}", ran.err);
        let said = ran.err.matches("does not support reading").count();
        assert_eq!(said, 1, "{}", ran.err);
    }
}

#[test]
fn an_address_that_is_no_engine_is_refused() {
    let ran = ostler(&["doctor", "--host", "/var/run/docker.sock"]);
    assert_eq!(ran.code, 1);
    assert!(
        ran.err.contains("write unix:///var/run/docker.sock"),
        "{}",
        ran.err
    );
}

#[test]
fn the_schema_is_json() {
    let ran = ostler(&["schema"]);
    assert_eq!(ran.code, 0);
    assert!(ran.json()["properties"]["sites"].is_object());
}

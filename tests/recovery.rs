//! Real processes of two operators on one host: killed in the middle, finished, taken back, told
//! of, and never two at a time.

#[path = "cli/mod.rs"]
mod cli;
#[path = "common/own.rs"]
mod own;
#[path = "cli/stage.rs"]
mod stage;
#[path = "common/tier.rs"]
mod tier;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use cli::{Ran, command, run};
use stage::Stage;

fn site(name: &str, body: &str) -> String {
    format!(
        "  {name}:\n    host: here\n    recipe: image\n    image: ostler-test/web:1\n    port: 8080\n    memory: 64M\n    env: {{ BODY: {body}, GRACE: \"1\" }}\n    secrets: {{ PASSWORD: {{ file: password }} }}\n    domains: [{name}.test]\n"
    )
}

const SECRET: &str = "correct-horse-battery-staple";

/// Two operators with a file, a home and a state folder each, over one host.
struct Two {
    stage: Stage,
    anna: PathBuf,
    ben: PathBuf,
}

impl Two {
    fn new(engine: &tier::Engine, sites: &[(&str, &str)]) -> Two {
        let text: String = sites.iter().map(|(name, body)| site(name, body)).collect();
        let stage = Stage::new(engine, &text);
        let folder = |who: &str| {
            let folder = stage.folder.path().join(who);
            fs::create_dir(&folder).unwrap();
            fs::copy(stage.file(), folder.join("fleet.yml")).unwrap();
            own::write(folder.join("password"), SECRET);
            folder
        };
        let (anna, ben) = (folder("anna"), folder("ben"));
        Two { stage, anna, ben }
    }

    fn edit(&self, of: &Path, from: &str, to: &str) {
        let path = of.join("fleet.yml");
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{from:?} is not in\n{text}");
        fs::write(path, text.replace(from, to)).unwrap();
    }

    fn add(&self, of: &Path, name: &str, body: &str) {
        let path = of.join("fleet.yml");
        let text = fs::read_to_string(&path).unwrap() + &site(name, body);
        fs::write(path, text).unwrap();
    }

    /// Begins an apply and kills it once it has said that something is done that contains `words`.
    fn killed_at(&self, who: &Path, words: &str) {
        let mut child = self.begin(who);
        let said = child.stderr.take().unwrap();
        let mut all = String::new();
        for line in BufReader::new(said).lines() {
            let line = line.unwrap();
            all.push_str(&line);
            all.push('\n');
            if line.contains(words) {
                child.kill().unwrap();
                child.wait().unwrap();
                return;
            }
        }
        child.wait().unwrap();
        panic!("it never said {words:?}:\n{all}");
    }

    fn begin(&self, who: &Path) -> Child {
        operator(who)
            .args(["apply", "--yes"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    fn body(&self, domain: &str) -> String {
        self.stage.ask(domain).1
    }
}

fn operator(who: &Path) -> std::process::Command {
    let mut command = command(who);
    command
        .env("USER", who.file_name().unwrap())
        .env_remove("SUDO_USER");
    command
}

fn ostler(who: &Path, arguments: &[&str]) -> Ran {
    run(operator(who).args(arguments))
}

#[track_caller]
fn done(who: &Path, arguments: &[&str]) -> Ran {
    let ran = ostler(who, arguments);
    assert_eq!(ran.code, 0, "{arguments:?}\n{}\n{}", ran.out, ran.err);
    ran
}

/// How it is where something is not as it should be.
#[track_caller]
fn not_well(who: &Path, arguments: &[&str]) -> Ran {
    let ran = ostler(who, arguments);
    assert_eq!(ran.code, 2, "{arguments:?}\n{}\n{}", ran.out, ran.err);
    ran
}

#[track_caller]
fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in:\n{text}");
    }
}

#[test]
fn an_apply_that_was_cut_off_is_told_of_and_finished() {
    let Some(engine) = tier::engine() else { return };
    let two = Two::new(&engine, &[("one", "a1"), ("two", "b1")]);
    done(&two.anna, &["apply", "--yes"]);
    two.edit(&two.anna, "BODY: a1", "BODY: a2");
    two.edit(&two.anna, "BODY: b1", "BODY: b2");
    two.killed_at(&two.anna, "create container");
    // Told to whoever looks, on the same machine or another.
    fs::copy(two.anna.join("fleet.yml"), two.ben.join("fleet.yml")).unwrap();
    let status = not_well(&two.ben, &["status"]);
    has(
        &status.out,
        &["the apply of anna at", "was cut off", "ostler undo"],
    );
    let json = not_well(&two.ben, &["status", "--json"]).json();
    let note = &json["hosts"][0]["unfinished"][0];
    assert_eq!(note["who"], "anna");
    let run = note["run"].as_str().unwrap().to_owned();
    let plan = ostler(&two.ben, &["plan"]);
    assert_eq!(plan.code, 2);
    has(&plan.out, &["was cut off", "note that apply"]);
    let journal = done(&two.ben, &["journal", "--read-only"]);
    has(&journal.out, &[&run, "anna", "✖ cut off"]);
    // The plain command goes on with it.
    done(&two.ben, &["apply", "--yes"]);
    has(&two.body("one.test"), &["a2"]);
    has(&two.body("two.test"), &["b2"]);
    assert_eq!(done(&two.ben, &["plan"]).code, 0);
    let status = done(&two.anna, &["status"]);
    assert!(!status.out.contains("cut off"), "{}", status.out);
    let told = done(&two.anna, &["journal", &run]);
    has(
        &told.out,
        &[
            "cut off, finished later",
            "dealt with by",
            "create_container",
        ],
    );
    let nothing = ostler(&two.anna, &["undo", "--yes"]);
    assert_eq!(nothing.code, 1);
    has(&nothing.err, &["no apply was cut off"]);
}

#[test]
fn an_apply_that_was_cut_off_is_taken_back() {
    let Some(engine) = tier::engine() else { return };
    let two = Two::new(&engine, &[("one", "a1"), ("two", "b1")]);
    done(&two.anna, &["apply", "--yes"]);
    two.edit(&two.anna, "BODY: a1", "BODY: a2");
    two.edit(&two.anna, "BODY: b1", "BODY: b2");
    two.add(&two.anna, "new", "c1");
    // The first site is through, with its route and its record; others are not.
    two.killed_at(&two.anna, "record what was applied");
    // Ben never heard of the new site; he takes the apply back all the same.
    let back = done(&two.ben, &["undo", "--yes"]);
    has(
        &back.out,
        &["anna at", "back to the fleet file", "taken back"],
    );
    has(&two.body("one.test"), &["a1"]);
    has(&two.body("two.test"), &["b1"]);
    assert_ne!(two.stage.ask("new.test").0, 200);
    // For the file from before nothing is left to do, and what the new site wrote is still there.
    let plan = done(&two.ben, &["plan"]);
    has(&plan.out, &["Nothing to do"]);
    let run = done(&two.ben, &["journal", "--json"]).json()["applies"][1]["run"].clone();
    let told = done(&two.ben, &["journal", run.as_str().unwrap(), "--json"]).json();
    assert_eq!(told["applies"][0]["state"], "undone");
    // The wish is still in Anna's file, and can be fulfilled.
    done(&two.anna, &["apply", "--yes"]);
    has(&two.body("new.test"), &["c1"]);
    has(&two.body("one.test"), &["a2"]);
}

#[test]
fn a_first_apply_is_taken_back_and_data_stays() {
    let Some(engine) = tier::engine() else { return };
    let two = Two::new(&engine, &[("one", "a1")]);
    two.killed_at(&two.anna, "route to");
    let back = done(&two.ben, &["undo", "--yes"]);
    has(&back.out, &["nothing was applied before it"]);
    assert_ne!(two.stage.ask("one.test").0, 200);
    let status = not_well(&two.ben, &["status"]);
    assert!(!status.out.contains("cut off"), "{}", status.out);
    done(&two.ben, &["apply", "--yes"]);
    has(&two.body("one.test"), &["a1"]);
}

#[test]
fn what_was_applied_since_is_not_taken_back_with_it() {
    let Some(engine) = tier::engine() else { return };
    let two = Two::new(&engine, &[("one", "a1"), ("two", "b1")]);
    done(&two.anna, &["apply", "--yes"]);
    two.edit(&two.anna, "BODY: a1", "BODY: a2");
    two.killed_at(&two.anna, "create container");
    // Ben applies another site of his own version: Anna's is still half-way.
    two.edit(&two.ben, "BODY: b1", "BODY: b9");
    // A call of the killed process may still come to its end: then the plan is refused.
    let applies = || ostler(&two.ben, &["apply", "--yes", "--only", "site=two"]).code == 0;
    assert!((0..5).any(|_| applies()));
    has(&not_well(&two.ben, &["status"]).out, &["the apply of anna"]);
    let refused = ostler(&two.anna, &["undo", "--yes"]);
    assert_eq!(refused.code, 1);
    has(
        &refused.err,
        &[
            "another fleet file was applied there since, by ben",
            "ostler apply",
        ],
    );
    // Finishing is open to him who has both changes.
    two.edit(&two.ben, "BODY: a1", "BODY: a2");
    done(&two.ben, &["apply", "--yes"]);
    has(&two.body("one.test"), &["a2"]);
    has(&two.body("two.test"), &["b9"]);
    assert!(!done(&two.ben, &["status"]).out.contains("cut off"));
}

#[test]
fn a_lock_left_by_a_killed_process_is_taken_over_by_one_of_many() {
    let Some(engine) = tier::engine() else { return };
    let two = Two::new(&engine, &[("one", "a1")]);
    done(&two.anna, &["apply", "--yes"]);
    two.edit(&two.anna, "BODY: a1", "BODY: a2");
    two.killed_at(&two.anna, "create container");
    let folders: Vec<PathBuf> = (0..4)
        .map(|n| {
            let folder = two.stage.folder.path().join(format!("o{n}"));
            fs::create_dir(&folder).unwrap();
            fs::copy(two.anna.join("fleet.yml"), folder.join("fleet.yml")).unwrap();
            own::write(folder.join("password"), SECRET);
            folder
        })
        .collect();
    let begun = Instant::now();
    let mut worked = 0;
    // A call of the killed process may still come to its end after all of them had planned: then
    // all are refused, and come again.
    for _ in 0..3 {
        if worked > 0 {
            break;
        }
        let mut all: Vec<Child> = folders
            .iter()
            .map(|folder| {
                operator(folder)
                    .args(["apply", "--yes", "--json"])
                    .stdout(Stdio::piped())
                    .stderr(Stdio::piped())
                    .spawn()
                    .unwrap()
            })
            .collect();
        for child in all.drain(..) {
            let out = child.wait_with_output().unwrap();
            let err = String::from_utf8_lossy(&out.stderr).into_owned();
            let outcome: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
            let operations = outcome["operations"].as_object().unwrap();
            let ended = |word: &str| operations.values().filter(|o| o["outcome"] == word).count();
            match ended("done") {
                0 => assert!(
                    operations.is_empty() || err.contains("changed since this was planned"),
                    "{outcome:#}\n{err}"
                ),
                n => {
                    assert_eq!(n, operations.len(), "half of it: {outcome:#}\n{err}");
                    worked += 1;
                }
            }
        }
    }
    assert_eq!(worked, 1, "one of them, and only one, did the work");
    // Long before a lock goes stale by itself: its process is known to be dead.
    assert!(
        begun.elapsed() < Duration::from_secs(55),
        "{:?}",
        begun.elapsed()
    );
    has(&two.body("one.test"), &["a2"]);
    // Nothing interleaved: no two of the host's journals overlap but the killed one's.
    let json = done(&two.ben, &["journal", "--json"]).json();
    let applies = json["applies"].as_array().unwrap();
    assert_eq!(
        applies.iter().filter(|a| a["state"] == "finished").count(),
        1
    );
    assert!(applies.iter().all(|a| a["state"] != "unfinished"));
}

#[test]
fn a_holder_is_named_while_it_works() {
    let Some(engine) = tier::engine() else { return };
    let two = Two::new(&engine, &[("one", "a1")]);
    done(&two.anna, &["apply", "--yes"]);
    two.edit(&two.anna, "BODY: a1", "BODY: a2");
    let mut child = two.begin(&two.anna);
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let begun = lines.any(|line| line.unwrap().contains("create container"));
    assert!(begun);
    let status = not_well(&two.ben, &["status"]);
    has(&status.out, &["anna at"]);
    assert!(!status.out.contains("cut off"), "{}", status.out);
    while lines.next().is_some() {}
    assert!(child.wait().unwrap().success());
    // What she applied is not what his file says.
    let status = not_well(&two.ben, &["status"]);
    assert!(!status.out.contains("anna at"), "{}", status.out);
}

#[test]
fn journals_are_merged_narrowed_and_hold_no_secret() {
    let Some(engine) = tier::engine() else { return };
    let two = Two::new(&engine, &[("one", "a1"), ("two", "b1")]);
    done(&two.anna, &["apply", "--yes"]);
    two.edit(&two.anna, "BODY: b1", "BODY: b2");
    done(&two.anna, &["apply", "--yes", "--only", "site=two"]);
    // One that fails: the image is nowhere.
    two.edit(
        &two.anna,
        "image: ostler-test/web:1\n    port: 8080\n    memory: 64M\n    env: { BODY: a1",
        "image: ostler-test/nowhere:1\n    port: 8080\n    memory: 64M\n    env: { BODY: a1",
    );
    let failed = ostler(&two.anna, &["apply", "--yes"]);
    assert_ne!(failed.code, 0);
    let json = done(&two.anna, &["journal", "--json"]).json();
    let applies = json["applies"].as_array().unwrap();
    assert_eq!(
        applies.len(),
        3,
        "each apply once, though two journals tell of it: {json:#}"
    );
    assert_eq!(applies[0]["state"], "partial");
    assert!(!applies[0]["failed"].as_array().unwrap().is_empty());
    assert_eq!(applies[1]["sites"], serde_json::json!(["two"]));
    for apply in applies {
        assert!(
            apply["took_ms"].as_u64().is_some_and(|ms| ms > 0),
            "{apply:#}"
        );
        assert_eq!(apply["who"], "anna");
        assert!(apply["ended_at"].is_string() && apply["fleet_hash"].is_string());
    }
    // Ben has none of his own: the host tells him the same, in on-call mode too.
    let theirs = done(&two.ben, &["--read-only", "journal", "--json"]).json();
    assert_eq!(theirs["applies"].as_array().unwrap().len(), 3);
    assert_eq!(theirs["applies"][2]["kinds"], json["applies"][2]["kinds"]);
    let narrow = done(&two.ben, &["journal", "--json", "--only", "site=one"]).json();
    assert_eq!(narrow["applies"].as_array().unwrap().len(), 2);
    let newest = done(&two.ben, &["journal", "--json", "-n", "1"]).json();
    assert_eq!(newest["applies"].as_array().unwrap().len(), 1);
    let old = done(
        &two.ben,
        &["journal", "--json", "--since", "2000-01-01T00:00:00Z"],
    )
    .json();
    assert_eq!(old["applies"].as_array().unwrap().len(), 3);
    let run = applies[2]["run"].as_str().unwrap();
    let detail = done(&two.ben, &["journal", run]);
    has(
        &detail.out,
        &["write_secrets", "new site", "one on here", "took"],
    );
    // What neither journal may hold, nor any answer made of them.
    let mut texts = vec![detail.out, failed.err, failed.out];
    for who in [&two.anna, &two.ben] {
        for run in [run, applies[0]["run"].as_str().unwrap()] {
            texts.push(done(who, &["journal", run, "--json"]).out);
        }
    }
    let folder = two.anna.join("state/ostler/journal").join(&two.stage.fleet);
    let mut read = 0;
    for file in fs::read_dir(folder).unwrap() {
        texts.push(fs::read_to_string(file.unwrap().path()).unwrap());
        read += 1;
    }
    assert_eq!(read, 3);
    for text in texts {
        assert!(!text.contains(SECRET), "{text}");
    }
    // The host is away: the own journals are shown, and it is said what is missing.
    two.edit(
        &two.anna,
        &engine.address,
        "unix:///nonexistent/docker.sock",
    );
    let alone = ostler(&two.anna, &["journal"]);
    assert_eq!(alone.code, 3, "{}", alone.err);
    assert_eq!(alone.out.lines().count(), 4, "{}", alone.out);
    has(&alone.err, &["here does not answer"]);
}

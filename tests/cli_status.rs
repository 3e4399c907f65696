//! `ostler status` as a monitor runs it: the exit code and the first line, on a real engine.

mod cli;
#[path = "cli/stage.rs"]
mod stage;
#[path = "common/tier.rs"]
mod tier;

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

use cli::Ran;
use stage::Stage;

fn web(name: &str, more: &str) -> String {
    format!(
        "  {name}: {{ host: here, recipe: image, image: \"ostler-test/web:1\", port: 8080, domains: [{name}.test], memory: 64M{more} }}\n"
    )
}

/// The first line, the exit code, and the same of `--json`.
#[track_caller]
fn status(stage: &Stage, code: i32, parts: &[&str]) -> Ran {
    let begun = Instant::now();
    let ran = stage.run(&["status"]);
    let first = ran.out.lines().next().unwrap_or_default();
    assert_eq!(ran.code, code, "{}\n{}", ran.out, ran.err);
    for part in parts {
        assert!(
            first.contains(part),
            "{part:?} is not in {first:?}\n{}",
            ran.out
        );
    }
    assert!(
        begun.elapsed() < Duration::from_secs(30),
        "{:?}",
        begun.elapsed()
    );
    let json = stage.run(&["status", "--json"]);
    assert_eq!(json.code, code, "{}\n{}", json.out, json.err);
    let told = json.json();
    assert_eq!(told["exit"], code);
    assert_eq!(told["found"].as_array().unwrap().is_empty(), code == 0);
    ran
}

#[test]
fn all_is_well_only_when_it_is() {
    let Some(engine) = tier::engine() else { return };
    let stage = Stage::new(&engine, &format!("{}{}", web("one", ""), web("two", "")));
    let new = status(
        &stage,
        2,
        &["not well", "0 of 2 sites", "2 to apply", "worst: "],
    );
    assert!(new.out.contains("△ to apply"), "{}", new.out);
    // Who applies is known where the environment does not say, too.
    let mut apply = stage.command(&["apply", "--yes"]);
    for name in ["USER", "LOGNAME", "SUDO_USER"] {
        apply.env_remove(name);
    }
    let applied = cli::run(&mut apply);
    assert_eq!(applied.code, 0, "{}", applied.err);
    let who = std::process::Command::new("id")
        .arg("-un")
        .output()
        .unwrap();
    let journal = stage.done(&["journal", "--json"]).json();
    let past = &journal["applies"][0];
    assert_eq!(past["who"], String::from_utf8(who.stdout).unwrap().trim());
    assert_eq!(past["what"], "created one, two");
    status(
        &stage,
        0,
        &[": well: 1 of 1 host ready, 2 of 2 sites as they should be"],
    );
    // A leftover that is stopped and kept is no site, and nothing to mend.
    stage.edit(&web("two", ""), "");
    status(&stage, 2, &["1 of 1 site", "1 leftover"]);
    stage.done(&["apply", "--yes"]);
    status(&stage, 0, &["1 of 1 site as they should be"]);
    // Nothing in the file, and something that runs.
    let text = stage.text().replace(&web("one", ""), "");
    fs::write(stage.file(), text.replace("sites:\n", "sites: {}\n")).unwrap();
    let gone = status(&stage, 2, &["0 of 0 sites", "worst: one on here: leftover"]);
    assert!(
        gone.out.contains("still running") || gone.out.contains("removed"),
        "{}",
        gone.out
    );
}

#[test]
fn a_partial_apply_is_not_well() {
    let Some(engine) = tier::engine() else { return };
    let bad = web(
        "bad",
        ", env: { FAIL_START: \"1\" }, health: { timeout: 5s }",
    );
    let stage = Stage::new(&engine, &format!("{}{bad}", web("one", "")));
    let ran = stage.run(&["apply", "--yes"]);
    assert_eq!(ran.code, 3, "{}", ran.err);
    // What is told while it goes on, at its end, and by the journal is one count.
    let all = ran.err.lines().filter_map(|line| {
        let (n, of) = line.split_once('[')?.1.split_once(']')?.0.split_once('/')?;
        Some((n.trim().parse::<usize>().ok()?, of.parse::<usize>().ok()?))
    });
    let all: Vec<_> = all.collect();
    assert!(
        !all.is_empty() && all.iter().all(|(n, of)| n <= of),
        "{}",
        ran.err
    );
    let past = &stage.done(&["journal", "--json"]).json()["applies"][0];
    let tally = |word: &str| past["tally"][word].as_u64().unwrap();
    let (done, failed, left) = (tally("done"), tally("failed"), tally("left"));
    let said = format!(
        "Partly applied: {done} of {} operations done, {failed} failed",
        all[0].1
    );
    assert!(ran.out.contains(&said), "{said}\n{}", ran.out);
    assert!(failed > 0 && left > 0, "{past:#}");
    assert_eq!(done + failed + tally("undone") + left, tally("all"));
    assert_eq!(past["done"], done);
    status(
        &stage,
        2,
        &[
            "not well",
            "1 of 2 sites as they should be",
            "worst: bad on here",
        ],
    );
}

#[test]
fn a_killed_apply_whose_site_answers_404_is_not_well() {
    let Some(engine) = tier::engine() else { return };
    // The router is there, and knows nothing of the new site yet.
    let stage = Stage::new(&engine, &web("base", ""));
    stage.done(&["apply", "--yes"]);
    stage.edit("sites:\n", &format!("sites:\n{}", web("one", "")));
    let mut child = stage
        .command(&["apply", "--yes"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let said = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut done = 0;
    for line in said.map_while(Result::ok) {
        done += u64::from(line.contains("✔"));
        if line.contains("✔") && line.contains("one on here: start") {
            break;
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(stage.ask("one.test").0, 404);
    let ran = status(&stage, 2, &["not well", "1 of 2 sites"]);
    assert!(ran.out.contains("was cut off"), "{}", ran.out);
    // What was said to be done is in the journal, and no more than all.
    let past = &stage.done(&["journal", "--json"]).json()["applies"][0];
    let tally = |word: &str| past["tally"][word].as_u64().unwrap();
    assert!(tally("done") >= done && done > 0, "{done} {past:#}");
    assert_eq!(tally("done") + tally("open") + tally("left"), tally("all"));
}

#[test]
fn a_host_that_cannot_be_reached_is_not_known() {
    let Some(engine) = tier::engine() else { return };
    let stage = Stage::new(&engine, &web("one", ""));
    stage.done(&["apply", "--yes"]);
    stage.edit(
        "hosts:\n",
        "hosts:\n  gone: { engine: \"unix:///nowhere/docker.sock\" }\n",
    );
    let parts = [
        "not all known: 1 of 2 hosts ready, 1 of 1 site",
        "worst: gone: lost: ",
    ];
    status(&stage, 3, &parts);
    // It outweighs what is known to be wrong, which is said all the same.
    stage.edit("64M", "96M");
    status(
        &stage,
        3,
        &["not all known", "1 to apply", "worst: gone: lost: "],
    );
    for list in ["hosts", "sites", "journal"] {
        assert_eq!(stage.run(&[list]).code, 3, "{list}");
    }
    // What is asked about can be all that there is.
    let narrow = stage.run(&["status", "--only", "host=here"]);
    assert_eq!(narrow.code, 2, "{}", narrow.out);
}

fn docker(engine: &tier::Engine, arguments: &[&str]) -> String {
    let host = format!("--host={}", engine.address);
    let ran = std::process::Command::new("docker")
        .arg(host)
        .args(arguments)
        .output();
    String::from_utf8(ran.unwrap().stdout).unwrap()
}

/// The container that serves a site.
fn container(stage: &Stage, site: &str) -> String {
    let sites = stage.done(&["sites", "--json", "--only", &format!("site={site}")]);
    sites.json()[0]["container"].as_str().unwrap().to_owned()
}

#[test]
fn a_site_that_answers_500_or_not_at_all_is_not_well() {
    let Some(engine) = tier::engine() else { return };
    let php = "  shop: { host: here, recipe: php, domains: [shop.test], memory: 128M }\n";
    let stage = Stage::new(&engine, &format!("{php}{}", web("one", "")));
    stage.done(&["apply", "--yes"]);
    status(&stage, 0, &["2 of 2 sites"]);
    let page = format!("{}/sites/shop/www/index.php", stage.root);
    fs::write(page, "<?php http_response_code(500); echo 'no';").unwrap();
    assert_eq!(stage.ask("shop.test").0, 500);
    let parts = [
        "not well",
        "1 of 2 sites",
        "worst: shop on here: ",
        "answers 500",
    ];
    status(&stage, 2, &parts);
    // Nothing is to be applied: only asking tells.
    assert_eq!(stage.run(&["plan"]).code, 0);
    let one = container(&stage, "one");
    docker(&engine, &["kill", "--signal=STOP", &one]);
    let ran = status(&stage, 2, &["not well", "0 of 2 sites"]);
    docker(&engine, &["kill", "--signal=CONT", &one]);
    assert!(
        ran.out.contains("does not answer within 4 s"),
        "{}",
        ran.out
    );
}

#[test]
fn a_restart_leaves_what_else_differs() {
    let Some(engine) = tier::engine() else { return };
    let stage = Stage::new(&engine, &web("one", ""));
    stage.done(&["apply", "--yes"]);
    let container = container(&stage, "one");
    let container = container.as_str();
    let docker = |arguments: &[&str]| docker(&engine, arguments);
    docker(&[
        "update",
        "--memory",
        "80m",
        "--memory-swap",
        "80m",
        container,
    ]);
    let before = docker(&[
        "inspect",
        "-f",
        "{{.HostConfig.Memory}} {{.State.StartedAt}}",
        container,
    ]);
    let ran = stage.done(&["site", "restart", "one", "--yes"]);
    for part in ["restart", "left to an apply", "by hand", "2 operations"] {
        assert!(ran.out.contains(part), "{part:?} is not in:\n{}", ran.out);
    }
    let after = docker(&[
        "inspect",
        "-f",
        "{{.HostConfig.Memory}} {{.State.StartedAt}}",
        container,
    ]);
    let memory = |text: &str| {
        text.split_whitespace()
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    assert_eq!(memory(&after), (80 << 20).to_string());
    assert_ne!(before, after, "it was started again");
    assert_eq!(stage.ask("one.test").0, 200);
    let first = &stage.done(&["journal", "--json"]).json()["applies"][0];
    assert_eq!(first["what"], "restarted one");
    status(&stage, 2, &["1 drift", "worst: one on here: drift: memory"]);
}

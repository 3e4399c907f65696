//! Which secrets are read from where the fleet file says, and how it ends when they cannot be.

mod cli;
#[path = "cli/stage.rs"]
mod stage;
#[path = "common/tier.rs"]
mod tier;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use ostler::engine::{Client, Gate};
use stage::Stage;

const SITES: &str = "  one: { host: here, recipe: static, domains: [one.localhost], memory: 64M, secrets: { DB: { command: [sh, -c, \"touch ran-one; echo x\"] } } }
  two: { host: here, recipe: static, domains: [two.localhost], memory: 64M, secrets: { DB: { command: [sh, -c, \"touch ran-two; echo x\"] } } }
";

/// Which of the two commands ran since the last time.
fn ran(stage: &Stage) -> Vec<&'static str> {
    let folder = stage.file().parent().unwrap().to_owned();
    let ran = |site: &&str| fs::remove_file(folder.join(format!("ran-{site}"))).is_ok();
    ["one", "two"].into_iter().filter(ran).collect()
}

/// Runs this in the host's toolbox.
fn in_toolbox(stage: &Stage, engine: &tier::Engine, script: &str) {
    let address = engine.address.parse().unwrap();
    let name = ostler::record::names::toolbox(&stage.fleet.parse().unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let out = runtime.block_on(async {
        let client = Client::connect(&address, Gate::full()).await.unwrap();
        let argv = ["sh", "-c", script];
        client
            .exec(&name, &argv, None, Duration::from_secs(20))
            .await
            .unwrap()
    });
    assert_eq!(out.code, 0, "{}", String::from_utf8_lossy(&out.stderr));
}

#[test]
fn a_command_runs_for_the_sites_that_are_meant_and_that_run() {
    let Some(engine) = tier::engine() else { return };
    let stage = Stage::new(&engine, SITES);
    let only = ["--only", "site=one", "--trust-commands"];
    assert_eq!(stage.run(&[&["plan"], &only[..]].concat()).code, 2);
    assert_eq!(ran(&stage), ["one"]);
    stage.done(&["apply", "--yes", "--trust-commands"]);
    assert_eq!(ran(&stage), ["one", "two"]);

    // What stops a site needs no secret, whatever the file's mode and whoever said yes to what.
    let mode = |mode| fs::set_permissions(stage.file(), fs::Permissions::from_mode(mode)).unwrap();
    mode(0o666);
    stage.done(&["site", "stop", "one", "--yes"]);
    assert_eq!(stage.ask("one.localhost").0, 503);
    let plan = stage.run(&["plan"]);
    assert_eq!(plan.code, 1, "{plan:?}");
    assert!(plan.err.contains("others can write"), "{}", plan.err);
    mode(0o644);
    // A restart is nothing but that: it needs none either.
    stage.done(&["site", "restart", "two", "--yes"]);
    assert_eq!(stage.ask("two.localhost").0, 200);
    assert_eq!(ran(&stage), Vec::<&str>::new());
}

#[test]
fn an_apply_that_could_not_read_a_secret_is_not_whole() {
    let Some(engine) = tier::engine() else { return };
    let stage = Stage::new(&engine, SITES);
    stage.done(&["apply", "--yes", "--trust-commands"]);
    stage.edit("touch ran-two; echo x", "exit 3");
    stage.edit(
        "[two.localhost], memory: 64M",
        "[two.localhost], memory: 96M",
    );
    let first = stage.run(&["apply", "--yes", "--trust-commands"]);
    assert_eq!(first.code, 3, "{first:?}");
    assert!(
        first.out.contains("set memory 96M in place"),
        "{}",
        first.out
    );
    let second = stage.run(&["apply", "--yes", "--trust-commands"]);
    assert_ne!(second.code, 0, "{second:?}");
}

#[test]
fn a_host_whose_records_cannot_be_used_does_not_look_well() {
    let Some(engine) = tier::engine() else { return };
    let stage = Stage::new(&engine, SITES);
    stage.done(&["apply", "--yes", "--trust-commands"]);
    let record = format!("{}/state/sites/one.json", stage.root);
    let spoil =
        format!("cp {record} {record}.was && sed -i 's/\"uid\": [0-9]*/\"uid\": 0/' {record}");
    in_toolbox(&stage, &engine, &spoil);
    for command in ["status", "hosts"] {
        let ran = stage.run(&[command]);
        let told = format!("{}{}", ran.out, ran.err);
        assert!(told.contains("sites/one.json"), "{command}: {told}");
    }
    in_toolbox(&stage, &engine, &format!("mv {record}.was {record}"));
    assert!(!stage.run(&["status"]).out.contains("one.json"));
}

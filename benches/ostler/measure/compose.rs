//! `ostler plan` and `ostler apply` with nothing to change against docker compose with as many
//! services of the same image and limits, and nothing to change.

use std::fmt::Write;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use super::Extent;
use super::fill::fill;
use super::program::{self, check, say};
use super::row::{Row, median};
use super::stage::{LABEL, Stage};
use ostler::cli::Failure;
use ostler::fleet::EngineAddress;

const ROUNDS: usize = 7;

/// Measures, after having brought the sites and as many services there.
pub async fn measure(stage: &Stage, extent: Extent) -> Result<Vec<Row>, Failure> {
    let Some((words, version)) = compose().await else {
        say("no docker compose here: left out");
        return Ok(Vec::new());
    };
    let (sites, rounds) = (extent.sites(200), extent.pick(ROUNDS, 1));
    let filled = fill(stage, sites).await?;
    // Each by itself: we list every container of the engine, compose has the engine sort out others.
    say("measuring ostler");
    let (mut plan, mut apply) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        plan.push(stage.ostler(&["plan"]).await?);
        apply.push(stage.ostler(&["apply", "--yes"]).await?);
    }
    let image = &filled.host()?.images.static_;
    let file = stage.folder.join("compose.yml");
    std::fs::write(&file, services(&stage.fleet, image, sites))
        .map_err(|e| Failure::caused("cannot write a compose file", &e))?;
    let up = async |what: &[&str]| -> Result<Duration, Failure> {
        let mut command = Command::new(words[0]);
        command
            .args(&words[1..])
            .args(["-p", &stage.fleet, "-f"])
            .arg(&file)
            .args(what);
        if let EngineAddress::Unix { path } = &stage.address {
            command.env("DOCKER_HOST", format!("unix://{path}"));
        }
        let (took, output) = program::run(&stage.folder, command).await?;
        check(&words.join(" "), &output)?;
        Ok(took)
    };
    say(&format!("creating {sites} services with {version}"));
    up(&["up", "--no-start"]).await?;
    say("measuring docker compose");
    let mut theirs = Vec::new();
    for _ in 0..rounds {
        theirs.push(up(&["up", "--no-start"]).await?);
    }
    let theirs = median(&mut theirs);
    let row = |what: &str, mut times: Vec<Duration>| {
        let what = format!("`ostler {what}`, {sites} unchanged sites");
        Row::times(what, median(&mut times), &version, theirs)
    };
    Ok(vec![
        row("plan", plan).at_most(0.1),
        row("apply --yes", apply),
    ])
}

/// How compose is called here, and which it is.
async fn compose() -> Option<(&'static [&'static str], String)> {
    // As a plugin, or by itself.
    for words in [&["docker", "compose"][..], &["docker-compose"]] {
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).args(["version", "--short"]);
        let output = command.stdin(Stdio::null()).output().await;
        if let Ok(output) = output
            && output.status.success()
        {
            let version = String::from_utf8_lossy(&output.stdout);
            return Some((words, format!("docker compose {}", version.trim())));
        }
    }
    None
}

fn services(fleet: &str, image: &str, count: usize) -> String {
    let mut text = String::from("services:\n");
    for n in 0..count {
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "  site-{n:04}:\n    image: {image}\n    mem_limit: 64m\n    memswap_limit: 64m\n    restart: always\n    cap_drop: [ALL]\n    labels: {{ {LABEL}: {fleet} }}\n"
        );
    }
    let _ = write!(
        text,
        "networks:\n  default:\n    labels: {{ {LABEL}: {fleet} }}\n"
    );
    text
}

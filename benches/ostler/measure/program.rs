//! Commands as processes of their own, the program itself among them.

use std::path::Path;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use ostler::cli::Failure;
use tokio::process::Command;

/// The program, built as what measures it is.
pub const OSTLER: &str = env!("CARGO_BIN_EXE_ostler");

/// Says what goes on.
pub fn say(text: &str) {
    eprintln!("{text}");
}

/// Runs the program on the fleet file of a folder, where it keeps all else too; how long that took.
pub async fn ostler(folder: &Path, arguments: &[&str]) -> Result<Duration, Failure> {
    let mut command = Command::new(OSTLER);
    command
        .args(arguments)
        .arg("--fleet")
        .arg(folder.join("fleet.yml"))
        .env("XDG_CONFIG_HOME", folder)
        .env("XDG_STATE_HOME", folder)
        .env_remove("OSTLER_READ_ONLY");
    let (took, output) = run(folder, command).await?;
    check(&format!("ostler {}", arguments.join(" ")), &output)?;
    Ok(took)
}

/// Runs a command in a folder. It does not outlive what waits for it.
pub async fn run(folder: &Path, mut command: Command) -> Result<(Duration, Output), Failure> {
    let program = command.as_std().get_program().display().to_string();
    command
        .current_dir(folder)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let start = Instant::now();
    let output = command.output().await;
    let output = output.map_err(|e| Failure::caused(format!("cannot run {program}"), &e))?;
    Ok((start.elapsed(), output))
}

/// Whether a command ended well; with its own words where it did not.
pub fn check(what: &str, output: &Output) -> Result<(), Failure> {
    if output.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&output.stderr);
    let said: Vec<&str> = words.lines().filter(|l| !l.trim().is_empty()).collect();
    let failed = said.iter().position(|line| line.contains('✖'));
    let from = failed.unwrap_or(said.len().saturating_sub(1));
    Err(Failure::new(format!(
        "`{what}` failed ({}): {}",
        output.status,
        said.get(from..).unwrap_or_default().join("\n")
    )))
}

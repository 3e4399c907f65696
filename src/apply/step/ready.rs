//! Waiting until something answers HTTP.

use std::net::Ipv4Addr;
use std::time::Duration;

use bollard::models::{ContainerInspectResponse, ContainerStateStatusEnum as Status};
use futures_util::StreamExt;
use tokio::time::Instant;

use crate::apply::host_work::HostWork;
use crate::apply::progress::{Answer, Failure};
use crate::engine::LogOptions;
use crate::host::router;
use crate::host::script::{AWAIT_HTTP, HTTP};
use crate::plan::ContainerRef;
use crate::text::{plain, short};

/// Lines of a container's output shown with a failure.
const LAST_LINES: u32 = 20;
/// Any answer below 500 is one.
const ANY: u16 = 499;
/// No answer of a client's error either.
const GOOD: u16 = 399;
/// Seconds a baseline may take to answer.
const BASELINE_S: &str = "5";
/// Seconds the router may take.
const ROUTER_S: u32 = 30;
/// How often a container may have been restarted by the engine until it counts as failed.
const RESTARTS: i64 = 2;

/// What is asked.
pub struct Question<'a> {
    pub address: String,
    pub port: u16,
    pub path: &'a str,
    pub domain: &'a str,
    pub timeout_s: u32,
}

/// Waits until a site's container answers, no worse than the one it replaces.
pub async fn site(
    work: &HostWork,
    container: &ContainerRef,
    question: &Question<'_>,
    baseline: Option<Ipv4Addr>,
) -> Answer {
    let before = match baseline {
        Some(address) => ask(work, &address.to_string(), question).await?,
        None => None,
    };
    let worst = match before {
        Some(code) if code <= GOOD => GOOD,
        _ => ANY,
    };
    let last = match wait(work, container, question, worst).await? {
        Waited::Answered(code) => return Ok(Some(format!("answers {code}"))),
        Waited::TimeUp(last) => last,
    };
    let why = match (last, before) {
        (0, _) => format!(
            "it gave no answer on port {} within {} s",
            question.port, question.timeout_s
        ),
        (code, Some(before)) if code <= ANY => format!(
            "it answers {} with {code}; the one it replaces answers {before}",
            question.path
        ),
        (code, _) => format!("it answers {} with {code}", question.path),
    };
    let mut failure = Failure::new(why);
    if last != 0 && last <= ANY {
        failure =
            failure.remedy("if that answer is right, name another path: `health: { path: … }`");
    }
    failure.lines = last_lines(work, container.known_as()).await;
    Err(failure)
}

/// Waits until the router answers. It need not know any domain.
pub async fn router(work: &HostWork, container: &ContainerRef, port: u16) -> Answer {
    let question = Question {
        address: "127.0.0.1".into(),
        port,
        path: "/",
        domain: "ready.invalid",
        timeout_s: ROUTER_S,
    };
    let end = Instant::now() + Duration::from_secs(u64::from(ROUTER_S));
    let at_first = work.client.inspect(container.known_as()).await?;
    let restarts = at_first.restart_count.unwrap_or_default();
    let why = match wait(work, container, &question, ANY).await? {
        // The one that it replaces answers too; it may stop only when this one serves.
        Waited::Answered(_) => loop {
            if router::serves(&work.toolbox, container.known_as()).await? {
                return Ok(None);
            }
            let facts = work.client.inspect(container.known_as()).await?;
            if let Some(why) = ended(&facts, restarts) {
                break why;
            }
            if Instant::now() >= end {
                break format!("it did not take over within {ROUTER_S} s");
            }
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(200)) => {}
                () = work.cancel.cancelled() => return Err(Failure::new("cancelled")),
            }
        },
        Waited::TimeUp(_) => {
            format!("the router gave no answer on port {port} within {ROUTER_S} s")
        }
    };
    Err(Failure {
        lines: last_lines(work, container.known_as()).await,
        ..Failure::new(why)
    })
}

enum Waited {
    Answered(u16),
    /// With the last status, 0 for none.
    TimeUp(u16),
}

/// Asks again and again: short rounds in the toolbox, and a look at the container between them, so
/// that one that ended is not waited for.
async fn wait(
    work: &HostWork,
    container: &ContainerRef,
    question: &Question<'_>,
    worst: u16,
) -> Result<Waited, Failure> {
    let end = Instant::now() + Duration::from_secs(u64::from(question.timeout_s));
    let (port, worst) = (question.port.to_string(), worst.to_string());
    let mut last = 0;
    let at_first = work.client.inspect(container.known_as()).await?;
    let restarts = at_first.restart_count.unwrap_or_default();
    for round in [1u64, 1, 2].into_iter().chain(std::iter::repeat(4)) {
        let left = end.saturating_duration_since(Instant::now()).as_secs();
        let seconds = round.min(left).to_string();
        let args = [
            question.address.as_str(),
            &port,
            question.path,
            question.domain,
            &seconds,
            &worst,
        ];
        let asking = work
            .toolbox
            .try_run(&AWAIT_HTTP, &args, None, AWAIT_HTTP.deadline);
        let out = tokio::select! {
            out = asking => out?,
            () = work.cancel.cancelled() => return Err(Failure::new("cancelled")),
        };
        last = code(&out.stdout).unwrap_or(0);
        match out.code {
            0 => return Ok(Waited::Answered(last)),
            1 => {}
            code => {
                return Err(Failure::new(format!(
                    "the toolbox cannot ask by HTTP ({code}): {}",
                    short(&String::from_utf8_lossy(&out.stderr), 300)
                )));
            }
        }
        let facts = work.client.inspect(container.known_as()).await?;
        if let Some(why) = ended(&facts, restarts) {
            return Err(Failure {
                lines: last_lines(work, container.known_as()).await,
                ..Failure::new(why)
            });
        }
        if Instant::now() >= end {
            break;
        }
    }
    Ok(Waited::TimeUp(last))
}

/// One question; `None` when there was no answer.
async fn ask(
    work: &HostWork,
    address: &str,
    question: &Question<'_>,
) -> Result<Option<u16>, Failure> {
    let port = question.port.to_string();
    let args = [address, &port, question.path, question.domain, BASELINE_S];
    let out = work
        .toolbox
        .try_run(&HTTP, &args, None, HTTP.deadline)
        .await?;
    Ok(code(&out.stdout).filter(|_| out.code == 0))
}

fn code(stdout: &[u8]) -> Option<u16> {
    let text = String::from_utf8_lossy(stdout);
    text.trim().parse().ok().filter(|code| *code >= 100)
}

/// Why a container will not become ready; `None` while it may. `before`: how often the engine had
/// restarted it when the waiting began.
pub(super) fn ended(facts: &ContainerInspectResponse, before: i64) -> Option<String> {
    let state = facts.state.as_ref()?;
    let exit = || match (state.exit_code, state.oom_killed) {
        (Some(code), Some(true)) => format!("{code}, out of memory"),
        (Some(code), _) => code.to_string(),
        (None, _) => "no exit code".into(),
    };
    match state.status {
        Some(Status::EXITED | Status::DEAD) => Some(format!("it ended ({})", exit())),
        Some(Status::RESTARTING | Status::RUNNING)
            if facts.restart_count.unwrap_or_default() - before >= RESTARTS =>
        {
            Some(format!("it keeps ending ({})", exit()))
        }
        _ => None,
    }
}

/// The last lines of a container's output; none where they cannot be read.
pub async fn last_lines(work: &HostWork, id: &str) -> Vec<String> {
    let options = LogOptions {
        tail: Some(LAST_LINES),
        ..LogOptions::default()
    };
    let mut bytes = Vec::new();
    let mut chunks = std::pin::pin!(work.client.logs(id, options));
    while let Some(Ok(chunk)) = chunks.next().await {
        bytes.extend_from_slice(&chunk.bytes);
        if bytes.len() > 64 << 10 {
            break;
        }
    }
    lines(&bytes)
}

fn lines(bytes: &[u8]) -> Vec<String> {
    let text = plain(&String::from_utf8_lossy(bytes));
    let lines: Vec<&str> = text.lines().filter(|l| !l.trim().is_empty()).collect();
    let from = lines.len().saturating_sub(LAST_LINES as usize);
    lines[from..]
        .iter()
        .map(|line| line.chars().take(300).collect())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn facts(value: serde_json::Value) -> ContainerInspectResponse {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn an_ended_container_is_not_waited_for() {
        let state = |status: &str, restarts: i64| {
            ended(
                &facts(json!({"RestartCount": restarts,
                "State": {"Status": status, "ExitCode": 137, "OOMKilled": true}})),
                0,
            )
        };
        assert_eq!(
            state("exited", 0).as_deref(),
            Some("it ended (137, out of memory)")
        );
        assert!(state("restarting", 2).unwrap().contains("keeps ending"));
        assert_eq!(state("restarting", 1), None);
        assert_eq!(state("running", 0), None);
        assert_eq!(ended(&facts(json!({})), 0), None);
    }

    #[test]
    fn answers_and_lines() {
        assert_eq!(code(b"404\n"), Some(404));
        assert_eq!(code(b"000\n"), None);
        let many: String = (0..50)
            .map(|n| format!("\u{1b}[31mline {n}\u{1b}[0m\r\n"))
            .collect();
        let last = lines(many.as_bytes());
        assert_eq!(last.len(), 20);
        assert_eq!(last[19].trim_end(), "line 49");
    }
}

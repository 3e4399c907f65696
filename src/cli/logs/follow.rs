//! `ostler logs -f`: goes on when the container, its engine or the way there was away for a while.

use std::future::Future;
use std::io::Write;
use std::time::Duration;

use super::copy::{self, Manner};
use crate::cli::{Exit, Failure};
use crate::engine::{Client, LogOptions};
use crate::text;

/// Between two looks whether the log goes on.
const RETRY: Duration = Duration::from_secs(1);

/// Writes a log until the operator leaves. `again` finds the container anew: a site's may have been
/// replaced.
///
/// # Errors
/// What comes cannot be written; or the log cannot be read at all.
pub(super) async fn follow<F, A>(
    client: Client,
    container: String,
    mut options: LogOptions,
    mut manner: Manner,
    whose: &str,
    again: A,
) -> Result<Exit, Failure>
where
    F: Future<Output = Result<(Client, String), Failure>>,
    A: Fn() -> F,
{
    let (mut client, mut container) = (client, container);
    let mut first = true;
    // Why it ended last time, until something came again.
    let mut told = String::new();
    loop {
        let run = started(&client, &container).await;
        let written = copy::write(&client, &container, options, &manner).await?;
        manner.skip = 0;
        // By its own clock: what was written there up to now has been seen.
        let lost_at = client.daemon_now();
        let why = match written.ended {
            // Nothing was ever read, or nothing is kept: it is not for a moment that this does not work.
            Err(error) if (first && !error.is_unreachable()) || error.is_not_done() => {
                return Err(error.into());
            }
            Err(error) => error.to_string(),
            Ok(()) => "its container has stopped".to_owned(),
        };
        first = false;
        if written.any {
            told.clear();
        }
        // What is still the case is not said again.
        let new = told != why;
        if new {
            say(whose, &format!("{why}; waiting for it"));
            told.clone_from(&why);
        }
        let mut said = why;
        let (found, id, now) = loop {
            tokio::time::sleep(RETRY).await;
            match again().await {
                Ok((found, id)) => {
                    if let Some(now) = started(&found, &id).await {
                        break (found, id, now);
                    }
                }
                Err(failure) if failure.message != said => {
                    say(whose, &failure.message);
                    said = failure.message;
                }
                Err(_) => {}
            }
        };
        // The same run of the same container, from where it was lost; else from its start. In whole
        // seconds: rather a line twice than one not at all.
        options.since = match id == container && Some(now) == run {
            true => lost_at,
            false => Some(now),
        };
        options.tail = None;
        (client, container) = (found, id);
        if new {
            say(whose, "the log goes on");
        }
    }
}

fn say(whose: &str, what: &str) {
    // Whoever is to hear it may be gone.
    let _ = writeln!(
        std::io::stderr(),
        "ostler: {}: {}",
        text::line(whose),
        text::line(what)
    );
}

/// Since when a container has been running, unix seconds; `None` when it does not, or cannot be
/// asked.
async fn started(client: &Client, container: &str) -> Option<i64> {
    let state = client.inspect(container).await.ok()?.state?;
    if state.running != Some(true) {
        return None;
    }
    let at = chrono::DateTime::parse_from_rfc3339(&state.started_at?).ok()?;
    Some(at.timestamp())
}

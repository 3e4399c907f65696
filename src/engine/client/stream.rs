//! Answers without an end: logs and events; and the lines of JSON that pulls and builds share
//! with them.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt, TryStreamExt};

use super::Client;
use super::container::container;
use crate::engine::decode::{Finished, Frames, Lines, event};
use crate::engine::error::{Error, Result};
use crate::engine::model::{EngineEvent, LogChunk};
use crate::engine::wire::{Call, Opened, READ};

/// Which of a container's output.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LogOptions {
    /// Go on when the end is reached.
    pub follow: bool,
    /// Only the last lines. At once, however long the log.
    pub tail: Option<u32>,
    /// Only from then on, unix seconds on the engine's clock. The engine reads its whole file.
    pub since: Option<i64>,
    /// Each line begins with its time, RFC 3339 with nanoseconds, and a space.
    pub timestamps: bool,
}

impl Client {
    /// The output of a container. Ends when it is read, or, when following, when the container
    /// stops. Dropping the stream closes its connection.
    pub fn logs(
        &self,
        id: &str,
        options: LogOptions,
    ) -> impl Stream<Item = Result<LogChunk>> + Send + 'static {
        let what = format!("read the log of container {id}");
        let call = container(id).map(|id| {
            let flag = |on: bool| if on { "true" } else { "false" };
            let mut call = Call::get(
                format!("/containers/{id}/logs?stdout=true&stderr=true"),
                what,
            )
            .query("follow", flag(options.follow))
            .query("timestamps", flag(options.timestamps));
            if let Some(tail) = options.tail {
                call = call.query("tail", &tail.to_string());
            }
            if let Some(since) = options.since {
                call = call.query("since", &since.to_string());
            }
            call
        });
        let wire = self.wire.clone();
        let opening = async move { wire.open(call?, READ).await };
        stream::once(opening).map_ok(chunks).try_flatten()
    }

    /// What happens on the engine, from now on; or from `since` on, unix seconds on its clock, as
    /// far as the engine remembers (some hundred events). `filters` are the engine's own:
    /// `("type", "container")`, `("label", "ostler.fleet=x")`, `("event", "die")`.
    pub fn events(
        &self,
        filters: &[(&str, &str)],
        since: Option<i64>,
    ) -> impl Stream<Item = Result<EngineEvent>> + Send + 'static {
        let mut grouped: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (name, value) in filters {
            grouped.entry(name).or_default().push(value);
        }
        let mut call = Call::get("/events", "watch events");
        if !grouped.is_empty() {
            call = call.query(
                "filters",
                &serde_json::to_string(&grouped).unwrap_or_default(),
            );
        }
        if let Some(since) = since {
            call = call.query("since", &since.to_string());
        }
        let wire = self.wire.clone();
        let opening = async move { wire.open(call, READ).await };
        json_lines(opening, None)
            .map(|line| event::read(&line?).map_err(|error| Error::nonsense("watch events", error)))
    }
}

/// The frames of an answer.
fn chunks(opened: Opened) -> impl Stream<Item = Result<LogChunk>> + Send + 'static {
    // From API 1.42 on the engine says whether the output has frames.
    let framed = match opened
        .headers()
        .get(http::header::CONTENT_TYPE)
        .map(|kind| kind.as_bytes())
    {
        Some(b"application/vnd.docker.multiplexed-stream") => Some(true),
        // Before, it said "raw" of both.
        _ => None,
    };
    let state = (opened, Frames::new(framed), false);
    stream::try_unfold(state, |(mut opened, mut frames, ended)| async move {
        if ended {
            return Ok(None);
        }
        loop {
            let next = frames
                .next_chunk()
                .map_err(|why| Error::nonsense(opened.what(), why))?;
            if let Some(chunk) = next {
                return Ok(Some((chunk, (opened, frames, false))));
            }
            match opened.chunk().await? {
                Some(bytes) => frames.push(&bytes),
                None => {
                    return match frames.finish() {
                        Finished::Clean => Ok(None),
                        Finished::Rest(chunk) => Ok(Some((chunk, (opened, frames, true)))),
                        Finished::Cut(_) => Err(Error::Cut {
                            what: opened.what().to_owned(),
                        }),
                    };
                }
            }
        }
    })
}

/// The lines of an answer, each a JSON value; `idle` is how long it may say nothing.
pub(super) fn json_lines(
    opening: impl Future<Output = Result<Opened>> + Send + 'static,
    idle: Option<Duration>,
) -> impl Stream<Item = Result<Bytes>> + Send + 'static {
    stream::once(opening)
        .map_ok(move |opened| lines(opened, idle))
        .try_flatten()
}

fn lines(
    opened: Opened,
    idle: Option<Duration>,
) -> impl Stream<Item = Result<Bytes>> + Send + 'static {
    let state = (opened, Lines::default(), VecDeque::new(), false);
    stream::try_unfold(
        state,
        move |(mut opened, mut lines, mut ready, mut ended)| async move {
            loop {
                if let Some(line) = ready.pop_front() {
                    return Ok(Some((line, (opened, lines, ready, ended))));
                }
                if ended {
                    return Ok(None);
                }
                let chunk = match idle {
                    Some(idle) => opened.chunk_within(idle).await?,
                    None => opened.chunk().await?,
                };
                match chunk {
                    Some(bytes) => lines.push(&bytes),
                    None => {
                        ended = true;
                        ready.extend(lines.rest());
                    }
                }
                while let Some(line) = lines
                    .next_line()
                    .map_err(|why| Error::nonsense(opened.what(), why))?
                {
                    ready.push_back(line);
                }
            }
        },
    )
}

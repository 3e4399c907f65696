//! Answers without an end: logs and events; and the lines of JSON that pulls and builds share
//! with them.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt, TryStreamExt};

use super::Client;
use super::container::container;
use crate::engine::decode::joined::Joined;
use crate::engine::decode::{Finished, Frames, Lines, event};
use crate::engine::error::{Error, Result};
use crate::engine::model::{EngineEvent, LogChunk, Out};
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
    /// Only up to then, unix seconds on the engine's clock.
    pub until: Option<i64>,
    /// Each line begins with its time, RFC 3339 with nanoseconds, and a space.
    pub timestamps: bool,
}

impl Client {
    /// The output of a container: its lines whole, in whatever pieces the engine keeps them. Ends
    /// when it is read, or, when following, when the container stops. Dropping the stream closes
    /// its connection.
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
            if let Some(until) = options.until {
                call = call.query("until", &until.to_string());
            }
            call
        });
        let wire = self.wire.clone();
        let opening = async move { wire.open(call?, READ).await };
        let chunks = move |opened| chunks(opened, options.timestamps);
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

/// The frames of an answer, put together to lines; `stamped`: with times.
fn chunks(opened: Opened, stamped: bool) -> impl Stream<Item = Result<LogChunk>> + Send + 'static {
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
    let log = Log {
        opened,
        frames: Frames::new(framed),
        joined: Joined::new(stamped),
        ended: false,
    };
    stream::try_unfold(log, |mut log| async move {
        Ok(log.next().await?.map(|chunk| (chunk, log)))
    })
}

/// A log that is being read.
struct Log {
    opened: Opened,
    frames: Frames,
    joined: Joined,
    ended: bool,
}

impl Log {
    async fn next(&mut self) -> Result<Option<LogChunk>> {
        while !self.ended {
            let next = self
                .frames
                .next_chunk()
                .map_err(|why| Error::nonsense(self.opened.what(), why))?;
            let chunk = match next {
                Some(chunk) => self.joined(chunk),
                None => match self.opened.chunk().await? {
                    Some(bytes) => {
                        self.frames.push(&bytes);
                        continue;
                    }
                    None => self.last()?,
                },
            };
            if !chunk.bytes.is_empty() {
                return Ok(Some(chunk));
            }
        }
        Ok(None)
    }

    fn joined(&mut self, chunk: LogChunk) -> LogChunk {
        let LogChunk { stream, bytes } = chunk;
        let bytes = match self.frames.is_raw() {
            true => self.joined.terminal(bytes),
            false => {
                let (begins, ends) = (self.frames.began(), !self.frames.is_inside());
                self.joined.frame(stream, bytes, begins, ends)
            }
        };
        LogChunk { stream, bytes }
    }

    /// What is left when the answer has ended.
    fn last(&mut self) -> Result<LogChunk> {
        self.ended = true;
        let rest = match self.frames.finish() {
            Finished::Clean => Bytes::new(),
            // Too short for a frame, and for a time.
            Finished::Rest(chunk) => chunk.bytes,
            Finished::Cut(_) => {
                return Err(Error::Cut {
                    what: self.opened.what().to_owned(),
                });
            }
        };
        Ok(LogChunk {
            stream: Out::Out,
            bytes: [self.joined.rest(), rest].concat().into(),
        })
    }
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

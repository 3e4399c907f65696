//! Reading beside the interface: logs, and the fleet file when somebody else changes it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::StreamExt;
use tokio::sync::mpsc::{Sender, UnboundedSender};

use crate::console::effect::Followed;
use crate::console::lock::lock;
use crate::console::log::{LINE_MOST, Stream};
use crate::console::message::{Broken, LogNews, Message};
use crate::engine::{Client, Error, LogOptions, Out};
use crate::walk::FleetFile;

/// Lines of a log that are read before it is followed.
const LOG_TAIL: u32 = 5_000;
/// Lines of a log that a site's page looks through.
const PAGE_TAIL: u32 = 200;
/// Most bytes of them.
const PAGE_BYTES: usize = 1 << 20;
/// How often the fleet file is looked at for changes made elsewhere.
const FILE_EVERY: Duration = Duration::from_secs(2);

/// Sends a log's lines until it ends; gives the news of its end.
pub(super) async fn follow_one(
    id: u64,
    at: usize,
    client: &Client,
    followed: &Followed,
    out: &Sender<Message>,
) -> LogNews {
    let options = LogOptions {
        follow: true,
        tail: Some(LOG_TAIL),
        timestamps: true,
        ..LogOptions::default()
    };
    let mut stream = std::pin::pin!(client.logs(&followed.container, options));
    while let Some(chunk) = stream.next().await {
        match chunk {
            Ok(chunk) => {
                let which = match chunk.stream {
                    Out::Out => Stream::Stdout,
                    Out::Err => Stream::Stderr,
                };
                let news = LogNews::Bytes(at, which, chunk.bytes);
                if out.send(Message::Log(id, news)).await.is_err() {
                    break;
                }
            }
            Err(error) if error.is_not_done() => return LogNews::Never(at, unreadable(&error)),
            Err(error) => return LogNews::Ended(at, error.to_string()),
        }
    }
    LogNews::Ended(at, "the log ended: the container has stopped".into())
}

/// Why a log cannot be read.
fn unreadable(error: &Error) -> String {
    match error {
        Error::Status { message, .. } if error.is_not_done() => {
            format!("Docker keeps no log of this container that can be read: {message}")
        }
        other => other.to_string(),
    }
}

/// The last lines of a container, harmless.
pub(super) async fn last_lines(client: &Client, container: &str) -> Result<Vec<String>, String> {
    let options = LogOptions {
        tail: Some(PAGE_TAIL),
        ..LogOptions::default()
    };
    let mut stream = std::pin::pin!(client.logs(container, options));
    // A line that one stream has not ended yet does not take what the other writes.
    let mut open = [Vec::new(), Vec::new()];
    let mut lines: Vec<Vec<u8>> = Vec::new();
    let mut bytes = 0;
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|e| unreadable(&e))?;
        let line = &mut open[usize::from(chunk.stream == Out::Err)];
        for piece in chunk.bytes.split_inclusive(|b| *b == b'\n') {
            // A line may be as long as its container likes.
            let room = LINE_MOST.saturating_sub(line.len());
            line.extend_from_slice(&piece[..piece.len().min(room)]);
            if piece.ends_with(b"\n") {
                bytes += line.len();
                lines.push(std::mem::take(line));
            }
        }
        if bytes > PAGE_BYTES {
            let surplus = lines.len() / 2;
            lines.drain(..surplus);
            bytes = lines.iter().map(Vec::len).sum();
        }
    }
    lines.extend(open);
    let texts = lines.iter().map(|line| line.trim_ascii_end());
    Ok(texts
        .filter(|line| !line.is_empty())
        .map(crate::console::log::plain)
        .collect())
}

/// Looks at the fleet file now and then; tells when somebody else changed it.
pub(super) async fn watch_file(source: Arc<Mutex<FleetFile>>, messages: UnboundedSender<Message>) {
    let mut seen = None;
    let mut broken = false;
    loop {
        tokio::time::sleep(FILE_EVERY).await;
        let (path, known) = {
            let source = lock(&source);
            (source.path.clone(), source.source.clone())
        };
        let meta = tokio::fs::metadata(&path).await;
        // A pipe was read, and there is no more of it.
        if meta.as_ref().is_ok_and(|meta| !meta.is_file()) {
            continue;
        }
        // Also one that is gone, or that we may not look at.
        let stamp = meta.map(|meta| (meta.modified().ok(), meta.len())).ok();
        if seen.replace(stamp) == Some(stamp) {
            continue;
        }
        let reading = path.clone();
        let read = tokio::task::spawn_blocking(move || FleetFile::read(&reading));
        let Ok(read) = read.await else { continue };
        if !broken && read.as_ref().is_ok_and(|text| *text == known) {
            continue;
        }
        let message = match read.and_then(|text| FleetFile::of(&path, text)) {
            Ok((file, _)) => {
                let fleet = file.fleet.clone();
                *lock(&source) = file;
                Message::Fleet(fleet)
            }
            Err(error) => Message::FleetBroken(Broken::of(&error)),
        };
        broken = matches!(message, Message::FleetBroken(_));
        let _ = messages.send(message);
    }
}

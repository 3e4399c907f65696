//! Reading beside the interface: logs, and the fleet file when somebody else changes it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::StreamExt;
use tokio::sync::mpsc::{Sender, UnboundedSender};

use crate::console::effect::Followed;
use crate::console::lock::lock;
use crate::console::log::Stream;
use crate::console::message::{LogNews, Message};
use crate::engine::{Client, LogOptions, Out};
use crate::walk::{FleetFile, FleetFileError};

/// Lines of a log that are read before it is followed.
const LOG_TAIL: u32 = 5_000;
/// Lines of a log that a site's page looks through.
const PAGE_TAIL: u32 = 200;
/// Most bytes of them.
const PAGE_BYTES: usize = 1 << 20;
/// How often the fleet file is looked at for changes made elsewhere.
const FILE_EVERY: Duration = Duration::from_secs(2);

/// Sends a log's lines until it ends; says why it did.
pub(super) async fn follow_one(
    id: u64,
    at: usize,
    client: &Client,
    followed: &Followed,
    out: &Sender<Message>,
) -> String {
    let options = LogOptions {
        follow: true,
        tail: Some(LOG_TAIL),
        since: None,
        timestamps: true,
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
            Err(error) => return error.to_string(),
        }
    }
    "the log ended: the container has stopped".into()
}

/// The last lines of a container, harmless.
pub(super) async fn last_lines(client: &Client, container: &str) -> Result<Vec<String>, String> {
    let options = LogOptions {
        tail: Some(PAGE_TAIL),
        ..LogOptions::default()
    };
    let mut stream = std::pin::pin!(client.logs(container, options));
    let mut bytes = Vec::new();
    while let Some(chunk) = stream.next().await {
        bytes.extend_from_slice(&chunk.map_err(|e| e.to_string())?.bytes);
        // A line may be as long as its container likes; the newest of it is kept.
        if bytes.len() > 2 * PAGE_BYTES {
            bytes.drain(..bytes.len() - PAGE_BYTES);
        }
    }
    Ok(bytes
        .split(|b| *b == b'\n')
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
        let Ok(meta) = tokio::fs::metadata(&path).await else {
            continue;
        };
        // A pipe was read, and there is no more of it.
        if !meta.is_file() {
            continue;
        }
        let stamp = (meta.modified().ok(), meta.len());
        if seen.replace(stamp) == Some(stamp) {
            continue;
        }
        let reading = path.clone();
        let read = tokio::task::spawn_blocking(move || FleetFile::read(&reading));
        let text = match read.await {
            Ok(Ok(text)) => text,
            Ok(Err(error)) => {
                broken = true;
                let _ = messages.send(Message::FleetBroken(error.to_string()));
                continue;
            }
            Err(_) => continue,
        };
        if text == known && !broken {
            continue;
        }
        match FleetFile::of(&path, text) {
            Ok((file, _)) => {
                broken = false;
                let fleet = file.fleet.clone();
                *lock(&source) = file;
                let _ = messages.send(Message::Fleet(fleet));
            }
            Err(error) => {
                broken = true;
                let findings = match &error {
                    FleetFileError::Broken { findings, .. } => findings.len(),
                    _ => 1,
                };
                let why = format!("{findings} errors; `ostler check` shows them");
                let _ = messages.send(Message::FleetBroken(why));
            }
        }
    }
}

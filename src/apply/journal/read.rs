//! Reading journals: the operator's own, and a host's.

use std::fs;
use std::path::Path;

use super::line::{Close, Line, Started};
use crate::apply::progress::{Ended, Failure};
use crate::fleet::Name;
use crate::host::toolbox::{Toolbox, ToolboxError};
use crate::plan::OperationId;

/// One apply as one journal tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The first line.
    pub started: Started,
    /// How operations ended, in that order. One that was taken back appears twice.
    pub operations: Vec<(OperationId, Ended)>,
    /// Hosts that could not be worked on.
    pub hosts: Vec<(Name, Failure)>,
    /// How it ended; `None`: cut off, or still running.
    pub ended: Option<Close>,
    /// What became of one that was cut off: `finished` or `undone`, and by which apply.
    pub settled: Option<(String, String)>,
}

/// Reads one file. A line that was cut short or that a later version wrote is passed over.
pub fn read(bytes: &[u8]) -> Option<Entry> {
    let mut lines = bytes
        .split(|b| *b == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice::<Line>(line).ok());
    let Some(Some(Line::Started(started))) = lines.next() else {
        return None;
    };
    let mut entry = Entry {
        started,
        operations: Vec::new(),
        hosts: Vec::new(),
        ended: None,
        settled: None,
    };
    for line in lines.flatten() {
        match line {
            Line::Operation { id, ended, .. } => entry.operations.push((id, ended)),
            Line::HostFailed { host, failure, .. } => entry.hosts.push((host, failure)),
            Line::Ended(close) => entry.ended = Some(close),
            Line::Settled { word, by, .. } => entry.settled = Some((word, by)),
            Line::Started(_) => {}
        }
    }
    Some(entry)
}

/// All applies in the operator's folder for one fleet, oldest first.
pub fn read_folder(folder: &Path, fleet: &Name) -> std::io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    let dir = match fs::read_dir(folder.join(fleet.as_str())) {
        Ok(dir) => dir,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(entries),
        Err(e) => return Err(e),
    };
    for file in dir {
        let path = file?.path();
        if path.extension().is_some_and(|e| e == "jsonl") {
            match fs::read(&path) {
                Ok(bytes) => entries.extend(read(&bytes)),
                // An apply that begins meanwhile forgets the oldest.
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
                Err(e) => return Err(e),
            }
        }
    }
    entries.sort_by(|a, b| a.started.run.cmp(&b.started.run));
    Ok(entries)
}

/// All applies that a host keeps, oldest first. Works while the toolbox is stopped.
pub async fn read_host(toolbox: &Toolbox) -> Result<Vec<Entry>, ToolboxError> {
    let files = match toolbox.get(&toolbox.layout.journal()).await {
        Ok(files) => files,
        Err(ToolboxError::Engine(e)) if e.is_not_found() => return Ok(Vec::new()),
        Err(e) => return Err(e),
    };
    let mut entries: Vec<Entry> = files
        .iter()
        .filter(|f| f.path.ends_with(".jsonl") && !f.path.contains("/."))
        .filter_map(|f| read(&f.bytes))
        .collect();
    entries.sort_by(|a, b| a.started.run.cmp(&b.started.run));
    Ok(entries)
}

//! Reading journals: the operator's own, and a host's.

use std::fs;
use std::io::Read;
use std::path::Path;

use super::line::{Close, Line, Started};
use super::own::own_files;
use crate::apply::progress::{Ended, Failure};
use crate::fleet::Name;
use crate::host::archive::{Kind, each};
use crate::host::toolbox::{Toolbox, ToolboxError};
use crate::plan::OperationId;
use crate::record::check::is_run;
use crate::text::short;

/// Bytes of one journal that is read, at most: an apply of some 50,000 operations.
pub const LARGEST: usize = 32 << 20;
/// Its lines, at most.
const LINES: usize = 200_000;
/// Journals that are read of a host, at most: several times what it keeps.
const FILES: usize = 1000;

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

/// Reads one file. A line that was cut short or that a later version wrote is passed over; of one
/// that is larger than any of ours, or whose apply has no name of ours, nothing is read.
pub fn read(bytes: &[u8]) -> Option<Entry> {
    if is_too_large(bytes) {
        return None;
    }
    let mut lines = bytes
        .split(|b| *b == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice::<Line>(line).ok());
    let started = match lines.next() {
        Some(Some(Line::Started(started))) if is_run(&started.run) => started,
        _ => return None,
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

fn is_too_large(bytes: &[u8]) -> bool {
    bytes.len() > LARGEST || bytes.iter().filter(|b| **b == b'\n').count() > LINES
}

fn too_large(path: &str) -> String {
    let (path, most) = (short(path, 80), LARGEST >> 20);
    format!("{path} has more than {most} MiB or {LINES} lines: no journal of ours; move it away")
}

/// The journal of the apply `run`, out of a file that is named after it.
fn of_run(run: &str, bytes: &[u8]) -> Option<Entry> {
    read(bytes).filter(|entry| entry.started.run == run)
}

/// All applies in the operator's folder for one fleet, oldest first.
///
/// # Errors
/// The folder or a file cannot be read, or is no journal of ours.
pub fn read_folder(folder: &Path, fleet: &Name) -> std::io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for path in own_files(&folder.join(fleet.as_str()))? {
        match read_own(&path) {
            Ok(bytes) if is_too_large(&bytes) => {
                let path = path.display().to_string();
                return Err(std::io::Error::other(too_large(&path)));
            }
            Ok(bytes) => {
                let stem = path.file_stem().unwrap_or_default();
                entries.extend(of_run(&stem.to_string_lossy(), &bytes));
            }
            // An apply that begins meanwhile forgets the oldest.
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(e) => return Err(e),
        }
    }
    entries.sort_by(|a, b| a.started.run.cmp(&b.started.run));
    Ok(entries)
}

/// The bytes of one of the operator's own journals: no more than one too many.
pub(super) fn read_own(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = fs::File::open(path)?;
    file.take(LARGEST as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// All applies that a host keeps, oldest first. Works while the toolbox is stopped.
///
/// # Errors
/// The engine does not answer, or what is there is more than ostler keeps.
pub async fn read_host(toolbox: &Toolbox) -> Result<Vec<Entry>, ToolboxError> {
    match toolbox.each(&toolbox.layout.journal(), from_archive).await {
        Ok(entries) => Ok(entries),
        Err(ToolboxError::Engine(e)) if e.is_not_found() => Ok(Vec::new()),
        Err(e) => Err(e),
    }
}

/// The journals in an archive of a host's folder of them, oldest first. Each is in a file that is
/// named after its apply: others are passed over, as unknown and unfinished ones are.
///
/// # Errors
/// It is no archive, or has more than ostler keeps.
pub fn from_archive(tar: impl Read) -> std::io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    let mut files = 0;
    each(tar, |found, content| {
        let name = found.path.rsplit('/').next().unwrap_or_default();
        let run = name.strip_suffix(".jsonl").filter(|run| is_run(run));
        let Some(run) = run.filter(|_| found.kind == Kind::File) else {
            return Ok(());
        };
        files += 1;
        if files > FILES {
            let why = format!("there are more than {FILES} journals");
            return Err(std::io::Error::other(why));
        }
        let mut bytes = Vec::new();
        content.take(LARGEST as u64 + 1).read_to_end(&mut bytes)?;
        if is_too_large(&bytes) {
            return Err(std::io::Error::other(too_large(&found.path)));
        }
        entries.extend(of_run(run, &bytes));
        Ok(())
    })?;
    entries.sort_by(|a, b| a.started.run.cmp(&b.started.run));
    Ok(entries)
}

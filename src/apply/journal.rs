//! The record of what was applied, by whom, and how it ended: one file of JSON lines per apply, on
//! each host and in the operator's own folder. Holds no secret: operations are named, not quoted.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use chrono::{SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

use super::progress::{Failure, OperationOutcome, Outcome};
use super::run::Context;
use super::step::Ground;
use crate::fleet::Name;
use crate::host::toolbox::{NewFile, Toolbox, ToolboxError};
use crate::plan::{Class, OperationId, Plan};

/// Version of the lines' form.
const FORM: u32 = 1;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum Line {
    /// The first line: who does what.
    Started(Started),
    /// An operation ended.
    Operation {
        /// Which.
        id: OperationId,
        /// How.
        #[serde(flatten)]
        outcome: OperationOutcome,
        /// Milliseconds.
        took_ms: u64,
        /// RFC 3339.
        at: String,
    },
    /// A host could not be worked on.
    HostFailed {
        /// Which.
        host: Name,
        /// Why.
        failure: Failure,
        /// RFC 3339.
        at: String,
    },
    /// The last line. A file without it is of an apply that was killed, or still runs.
    Ended {
        /// `done`, `partial`, `failed` or `cancelled`.
        word: String,
        /// RFC 3339.
        at: String,
    },
}

/// Who applied what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// Version of the form.
    pub form: u32,
    /// Name of the apply; the same on every host.
    pub run: String,
    /// Fleet.
    pub fleet: String,
    /// Login name.
    pub who: String,
    /// Machine and process.
    pub whence: String,
    /// RFC 3339.
    pub at: String,
    /// Hash of the fleet file.
    pub fleet_hash: String,
    /// Its commit.
    pub commit: Option<String>,
    /// What is to be done.
    pub operations: Vec<Named>,
}

/// An operation, named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// Its name in the plan.
    pub id: OperationId,
    /// Where.
    pub host: Name,
    /// For which site.
    pub site: Option<Name>,
    /// What, in one word such as `create_container`.
    pub kind: String,
    /// How dangerous.
    pub class: Class,
    /// Why.
    pub cause: Vec<String>,
}

/// One apply as a journal tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The first line.
    pub started: Started,
    /// How operations ended, in that order. One that was taken back appears twice.
    pub operations: Vec<(OperationId, OperationOutcome, u64)>,
    /// How it ended and when; `None`: killed, or still running.
    pub ended: Option<(String, String)>,
}

/// A host's file, ready to be put there.
pub struct HostFile {
    stem: String,
    bytes: Vec<u8>,
    last: bool,
}

/// The journal of one apply while it runs.
pub struct Journal {
    started: Started,
    lines: Vec<(Option<Name>, Line)>,
    folder: Option<PathBuf>,
    file: Option<fs::File>,
}

fn now() -> String {
    Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true)
}

impl Journal {
    /// Of a plan that is about to be run.
    pub fn new(plan: &Plan, context: &Context) -> Journal {
        let mut tail = [0u8; 4];
        // Only tells two applies of the same second apart.
        let _ = getrandom::fill(&mut tail);
        let tail: String = tail.iter().map(|b| format!("{b:02x}")).collect();
        let started = Started {
            form: FORM,
            run: format!("{}-{tail}", Utc::now().format("%Y%m%dT%H%M%SZ")),
            fleet: plan.fleet.clone(),
            who: context.operator.who.clone(),
            whence: context.operator.whence.clone(),
            at: now(),
            fleet_hash: plan.fleet_hash.clone(),
            commit: context.commit.clone(),
            operations: plan
                .operations
                .iter()
                .map(|o| Named {
                    id: o.id.clone(),
                    host: o.host.clone(),
                    site: o.site.clone(),
                    kind: kind(&o.kind),
                    class: o.class,
                    cause: o.cause.clone(),
                })
                .collect(),
        };
        let folder = context.journal.as_ref().map(|dir| dir.join(&plan.fleet));
        Journal {
            started,
            lines: Vec::new(),
            folder,
            file: None,
        }
    }

    /// Name of the apply.
    pub fn stem(&self) -> &str {
        &self.started.run
    }

    /// Begins the operator's own file. Without one the apply goes on all the same.
    pub fn open(&mut self) -> std::io::Result<()> {
        let Some(folder) = &self.folder else {
            return Ok(());
        };
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
        let file = fs::OpenOptions::new()
            .append(true)
            .create_new(true)
            .mode(0o600)
            .open(folder.join(format!("{}.jsonl", self.started.run)))?;
        self.file = Some(file);
        let line = Line::Started(self.started.clone());
        self.append(&line);
        Ok(())
    }

    fn append(&mut self, line: &Line) {
        let Some(file) = &mut self.file else {
            return;
        };
        let written = bytes(line).and_then(|bytes| file.write_all(&bytes).ok());
        if written.is_none() || file.sync_data().is_err() {
            // A full disk must not stop an apply half-way.
            self.file = None;
        }
    }

    /// The file a host gets when its work begins.
    pub fn begin(&self, host: &Name) -> HostFile {
        let line = Line::Started(self.started_at(host));
        HostFile {
            stem: self.started.run.clone(),
            bytes: bytes(&line).unwrap_or_default(),
            last: false,
        }
    }

    fn started_at(&self, host: &Name) -> Started {
        let mut started = self.started.clone();
        started.operations.retain(|o| &o.host == host);
        started
    }

    /// An operation ended.
    pub fn operation(&mut self, id: &OperationId, outcome: &OperationOutcome, took_ms: u64) {
        let line = Line::Operation {
            id: id.clone(),
            outcome: outcome.clone(),
            took_ms,
            at: now(),
        };
        self.append(&line);
        let named = self.started.operations.iter().find(|o| &o.id == id);
        let host = named.map(|o| o.host.clone());
        self.lines.push((host, line));
    }

    /// A host could not be worked on at all.
    pub fn host_failed(&mut self, host: &Name, failure: &Failure) {
        let line = Line::HostFailed {
            host: host.clone(),
            failure: failure.clone(),
            at: now(),
        };
        self.append(&line);
        self.lines.push((Some(host.clone()), line));
    }

    /// The file of a host on which nothing is left to do.
    pub fn end(&self, host: &Name, cancelled: bool) -> HostFile {
        let mut out = bytes(&Line::Started(self.started_at(host))).unwrap_or_default();
        let mut left: BTreeSet<&OperationId> = self
            .started
            .operations
            .iter()
            .filter(|o| &o.host == host)
            .map(|o| &o.id)
            .collect();
        for (_, line) in self
            .lines
            .iter()
            .filter(|(at, _)| at.as_ref() == Some(host))
        {
            if let Line::Operation { id, outcome, .. } = line {
                match outcome {
                    OperationOutcome::Done { .. } => left.remove(id),
                    _ => left.insert(id),
                };
            }
            out.extend(bytes(line).unwrap_or_default());
        }
        let word = match (cancelled, left.is_empty()) {
            (_, true) => "done",
            (true, false) => "cancelled",
            (false, false) => "partial",
        };
        let last = Line::Ended {
            word: word.into(),
            at: now(),
        };
        out.extend(bytes(&last).unwrap_or_default());
        HostFile {
            stem: self.started.run.clone(),
            bytes: out,
            last: true,
        }
    }

    /// Ends the operator's own file.
    pub fn close(&mut self, outcome: &Outcome) {
        let line = Line::Ended {
            word: outcome.word().into(),
            at: now(),
        };
        self.append(&line);
        self.file = None;
    }
}

fn bytes(line: &Line) -> Option<Vec<u8>> {
    let mut bytes = serde_json::to_vec(line).ok()?;
    bytes.push(b'\n');
    Some(bytes)
}

/// The word of an operation's kind.
fn kind(kind: &crate::plan::OperationKind) -> String {
    serde_json::to_value(kind)
        .ok()
        .and_then(|v| v.get("do")?.as_str().map(str::to_owned))
        .unwrap_or_default()
}

/// Puts a host's file there. A host without a toolbox or a folder for it has none yet.
pub(super) async fn put(ground: &Ground, file: HostFile) -> Result<(), Failure> {
    let mut ended = ground.journal_ended.lock().await;
    if *ended {
        return Ok(());
    }
    *ended = file.last;
    let path = ground.toolbox.layout.journal_file(&file.stem);
    let file = NewFile::new(path, 0o600, file.bytes);
    match ground.toolbox.replace(&[file]).await {
        Ok(()) => Ok(()),
        Err(ToolboxError::Engine(e)) if e.is_not_found() || e.is_conflict() => Ok(()),
        Err(e) => Err(e.into()),
    }
}

/// Reads one file. A line cut short by a killed process ends it.
pub fn read(bytes: &[u8]) -> Option<Entry> {
    let mut lines = bytes
        .split(|b| *b == b'\n')
        .map_while(|line| serde_json::from_slice::<Line>(line).ok());
    let Some(Line::Started(started)) = lines.next() else {
        return None;
    };
    let mut entry = Entry {
        started,
        operations: Vec::new(),
        ended: None,
    };
    for line in lines {
        match line {
            Line::Operation {
                id,
                outcome,
                took_ms,
                ..
            } => entry.operations.push((id, outcome, took_ms)),
            Line::Ended { word, at } => entry.ended = Some((word, at)),
            Line::Started(_) | Line::HostFailed { .. } => {}
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
            entries.extend(read(&fs::read(&path)?));
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

/// The operator's own folder of journals, below the XDG state directory.
pub fn folder() -> Option<PathBuf> {
    let dirs = directories::ProjectDirs::from("", "", "ostler")?;
    Some(dirs.state_dir()?.join("journal"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn started() -> Started {
        Started {
            form: FORM,
            run: "20261121T220000Z-00000000".into(),
            fleet: "x".into(),
            who: "me".into(),
            whence: "here".into(),
            at: "2026-11-21T22:00:00Z".into(),
            fleet_hash: "h".into(),
            commit: None,
            operations: vec![Named {
                id: OperationId("web1/blog/create".into()),
                host: "web1".parse().unwrap(),
                site: "blog".parse().ok(),
                kind: "create_container".into(),
                class: Class::Write,
                cause: vec!["site: new".into()],
            }],
        }
    }

    fn journal(folder: Option<PathBuf>) -> Journal {
        Journal {
            started: started(),
            lines: Vec::new(),
            folder,
            file: None,
        }
    }

    #[test]
    fn the_operators_file_tells_every_operation_and_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let fleet: Name = "x".parse().unwrap();
        let mut journal = journal(Some(dir.path().join("x")));
        journal.open().unwrap();
        let id = OperationId("web1/blog/create".into());
        journal.operation(&id, &OperationOutcome::Done { note: None }, 7);
        let read = &read_folder(dir.path(), &fleet).unwrap()[0];
        assert_eq!((read.operations.len(), &read.ended), (1, &None));
        journal.close(&Outcome::default());
        let read = &read_folder(dir.path(), &fleet).unwrap()[0];
        assert_eq!(read.started, started());
        assert_eq!(read.ended.as_ref().unwrap().0, "done");
        assert!(
            read_folder(Path::new("/nonexistent"), &fleet)
                .unwrap()
                .is_empty()
        );
    }

    #[test]
    fn a_hosts_file_says_how_its_own_part_ended() {
        let mut journal = journal(None);
        let host: Name = "web1".parse().unwrap();
        let id = OperationId("web1/blog/create".into());
        let word = |j: &Journal| read(&j.end(&host, false).bytes).unwrap().ended.unwrap().0;
        assert_eq!(word(&journal), "partial");
        journal.operation(&id, &OperationOutcome::Done { note: None }, 7);
        assert_eq!(word(&journal), "done");
        journal.operation(&id, &OperationOutcome::Undone, 0);
        assert_eq!(word(&journal), "partial");
        let other: Name = "web2".parse().unwrap();
        let elsewhere = read(&journal.end(&other, false).bytes).unwrap();
        assert!(elsewhere.operations.is_empty());
    }

    #[test]
    fn a_line_cut_short_ends_a_file() {
        let mut text = bytes(&Line::Started(started())).unwrap();
        text.extend(b"{\"event\":\"operat");
        let entry = read(&text).unwrap();
        assert!(entry.operations.is_empty() && entry.ended.is_none());
        assert!(read(b"nonsense").is_none());
    }
}

//! The record of what was applied, by whom, and how it ended: one file of JSON lines per apply, on
//! each host and in the operator's own folder. Holds no secret: operations are named, not quoted,
//! and what containers said stays out of it.

mod line;
mod own;
mod read;
mod settle;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::PathBuf;

use chrono::Utc;

use super::context::Context;
use super::host_work::HostWork;
use super::progress::{Ended, Failure, OperationOutcome, Outcome};
use crate::fleet::Name;
use crate::host::script::CLOSE;
use crate::host::toolbox::{NewFile, ToolboxError};
use crate::plan::service::operation::ServiceOperation;
use crate::plan::{OperationId, OperationKind, Plan};
use crate::record::Applying;

pub use line::{Close, Line, Named, Started};
use line::{FORM, now};
use own::{forget_old, own_file};
pub use read::{Entry, LARGEST, from_archive, read, read_folder, read_host};
pub(super) use settle::settle;
use settle::settle_own;

/// Journals that a host keeps, at most.
const KEPT: usize = 300;
/// Bytes of journals that a host keeps, at most.
const KEPT_BYTES: usize = 16 << 20;
/// Journals of a fleet that the operator's own folder keeps, at most.
const OWN_KEPT: usize = 1000;

/// A host's files, ready to be put there.
pub struct HostFile {
    stem: String,
    bytes: Vec<u8>,
    note: Option<Applying>,
    last: bool,
}

/// The journal of one apply while it runs.
pub struct Journal {
    started: Started,
    begun: std::time::Instant,
    /// Sites whose secrets are written, by host.
    secrets: BTreeSet<(Name, Name)>,
    /// Applies that were cut off and that this one deals with: by operation, name and whether they
    /// are taken back.
    settles: BTreeMap<OperationId, (String, bool)>,
    lines: Vec<(Option<Name>, Line)>,
    folder: Option<PathBuf>,
    file: Option<fs::File>,
}

impl Journal {
    /// Of a plan that is about to be run.
    pub fn new(plan: &Plan, context: &Context) -> Journal {
        let mut tail = [0u8; 4];
        // Only tells two applies of the same second apart.
        let _ = getrandom::fill(&mut tail);
        let tail = hex::encode(tail);
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
                    kind: o.kind.facts().word.to_owned(),
                    class: o.class,
                    cause: o.cause.clone(),
                })
                .collect(),
        };
        let secrets = plan.operations.iter().filter_map(|o| match &o.kind {
            OperationKind::Service(ServiceOperation::Secrets(_)) => {
                Some((o.host.clone(), o.site.clone()?))
            }
            _ => None,
        });
        let settles = plan.operations.iter().filter_map(|o| match &o.kind {
            OperationKind::SettleRun { run, undone } => {
                Some((o.id.clone(), (run.clone(), *undone)))
            }
            _ => None,
        });
        Journal {
            started,
            begun: std::time::Instant::now(),
            secrets: secrets.collect(),
            settles: settles.collect(),
            lines: Vec::new(),
            folder: context.journal.as_ref().map(|dir| dir.join(&plan.fleet)),
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
        forget_old(folder, OWN_KEPT - 1);
        let file = fs::OpenOptions::new()
            .append(true)
            .create_new(true)
            .mode(0o600)
            .open(own_file(folder, &self.started.run))?;
        self.file = Some(file);
        let line = Line::Started(self.started.clone());
        self.append(&line);
        Ok(())
    }

    fn append(&mut self, line: &Line) {
        let Some(file) = &mut self.file else {
            return;
        };
        let written = line.bytes().and_then(|bytes| file.write_all(&bytes).ok());
        if written.is_none() || file.sync_data().is_err() {
            // A full disk must not stop an apply half-way.
            self.file = None;
        }
    }

    /// The files a host gets when its work begins, and again while it goes on: what was done, and a
    /// note of how far it is. `before`: hash and commit of what was applied there before;
    /// `middle`: operations under way.
    pub fn so_far(
        &self,
        host: &Name,
        before: Option<&(String, Option<String>)>,
        middle: Vec<OperationId>,
    ) -> HostFile {
        let started = &self.started;
        let here = || started.operations.iter().filter(|o| &o.host == host);
        let (before, before_commit) = before.cloned().unwrap_or_default();
        let mut out = Line::Started(self.started_at(host))
            .bytes()
            .unwrap_or_default();
        let mut ended = BTreeSet::new();
        for line in self.lines_of(host) {
            if let Line::Operation { id, ended: end, .. } = line {
                match end.outcome {
                    OperationOutcome::Done { .. } => ended.insert(id),
                    _ => ended.remove(id),
                };
            }
            out.extend(line.bytes().unwrap_or_default());
        }
        let note = Applying {
            schema: crate::host::state::SCHEMA,
            run: started.run.clone(),
            who: started.who.clone(),
            whence: started.whence.clone(),
            at: started.at.clone(),
            fleet_hash: started.fleet_hash.clone(),
            commit: started.commit.clone(),
            before,
            before_commit,
            takes_back: self
                .settles
                .values()
                .find(|(_, undone)| *undone)
                .map(|(run, _)| run.clone()),
            hosts: started.operations.iter().map(|o| o.host.clone()).collect(),
            sites: here().filter_map(|o| o.site.clone()).collect(),
            secrets: self
                .secrets
                .iter()
                .filter(|(at, _)| at == host)
                .map(|(_, site)| site.clone())
                .collect(),
            operations: here().count(),
            ended: ended.len(),
            middle: middle.into_iter().map(|id| id.0).collect(),
        };
        HostFile {
            stem: started.run.clone(),
            bytes: out,
            note: Some(note),
            last: false,
        }
    }

    fn started_at(&self, host: &Name) -> Started {
        let mut started = self.started.clone();
        started.operations.retain(|o| &o.host == host);
        started
    }

    fn lines_of<'a>(&'a self, host: &'a Name) -> impl Iterator<Item = &'a Line> {
        self.lines
            .iter()
            .filter(move |(at, _)| at.as_ref() == Some(host))
            .map(|(_, line)| line)
    }

    /// An operation ended.
    pub fn operation(&mut self, id: &OperationId, outcome: &OperationOutcome, took_ms: u64) {
        let line = Line::Operation {
            id: id.clone(),
            ended: Ended {
                outcome: without_output(outcome),
                took_ms,
            },
            at: now(),
        };
        self.append(&line);
        if let (OperationOutcome::Done { .. }, Some((run, undone))) =
            (outcome, self.settles.get(id))
            && let Some(folder) = &self.folder
        {
            settle_own(folder, run, &self.started.run, *undone);
        }
        let named = self.started.operations.iter().find(|o| &o.id == id);
        let host = named.map(|o| o.host.clone());
        self.lines.push((host, line));
    }

    /// A host could not be worked on at all.
    pub fn host_failed(&mut self, host: &Name, failure: &Failure) {
        let line = Line::HostFailed {
            host: host.clone(),
            failure: Failure {
                lines: Vec::new(),
                ..failure.clone()
            },
            at: now(),
        };
        self.append(&line);
        self.lines.push((Some(host.clone()), line));
    }

    /// The file of a host on which nothing is left to do.
    pub fn end(&self, host: &Name, cancelled: bool) -> HostFile {
        let mut out = Line::Started(self.started_at(host))
            .bytes()
            .unwrap_or_default();
        let mut left: BTreeSet<&OperationId> = self
            .started
            .operations
            .iter()
            .filter(|o| &o.host == host)
            .map(|o| &o.id)
            .collect();
        for line in self.lines_of(host) {
            if let Line::Operation { id, ended: end, .. } = line {
                match end.outcome {
                    OperationOutcome::Done { .. } => left.remove(id),
                    _ => left.insert(id),
                };
            }
            out.extend(line.bytes().unwrap_or_default());
        }
        let word = match (cancelled, left.is_empty()) {
            (_, true) => "done",
            (true, false) => "cancelled",
            (false, false) => "partial",
        };
        out.extend(self.last(word).bytes().unwrap_or_default());
        HostFile {
            stem: self.started.run.clone(),
            bytes: out,
            note: None,
            last: true,
        }
    }

    fn last(&self, word: &str) -> Line {
        Line::Ended(Close {
            word: word.into(),
            at: now(),
            took_ms: u64::try_from(self.begun.elapsed().as_millis()).ok(),
        })
    }

    /// Ends the operator's own file.
    pub fn close(&mut self, outcome: &Outcome) {
        let line = self.last(outcome.word());
        self.append(&line);
        self.file = None;
    }
}

/// An outcome without what a container wrote: nobody knows what that contains.
fn without_output(outcome: &OperationOutcome) -> OperationOutcome {
    match outcome {
        OperationOutcome::Failed { failure } => OperationOutcome::Failed {
            failure: Failure {
                lines: Vec::new(),
                ..failure.clone()
            },
        },
        other => other.clone(),
    }
}

/// Puts a host's files there: the journal, and the note that something is under way or, at the end,
/// no note. A host without a toolbox or a folder for them has none yet; `false` then.
pub(super) async fn put(work: &HostWork, file: HostFile) -> Result<bool, Failure> {
    let mut ended = work.journal_ended.lock().await;
    if *ended {
        return Ok(true);
    }
    *ended = file.last;
    let layout = &work.toolbox.layout;
    let path = layout.journal_file(&file.stem);
    let mut files = vec![NewFile::new(path, 0o600, file.bytes)];
    if let Some(note) = file.note {
        let bytes = serde_json::to_vec(&note).map_err(|e| Failure::new(e.to_string()))?;
        files.push(NewFile::new(layout.applying(&note.run), 0o600, bytes));
    }
    let putting = async {
        work.toolbox.replace(&files).await?;
        if file.last {
            let (note, folder) = (layout.applying(&file.stem), layout.journal());
            let (kept, bytes) = (KEPT.to_string(), KEPT_BYTES.to_string());
            let args = [note.as_str(), &folder, &kept, &bytes];
            work.toolbox.run(&CLOSE, &args, None).await?;
        }
        Ok(())
    };
    match putting.await {
        Ok(()) => Ok(true),
        Err(ToolboxError::Engine(e)) if e.is_not_found() || e.is_conflict() => Ok(false),
        Err(e) => Err(e.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::settle::add_settled;
    use super::*;
    use crate::plan::Class;

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
            begun: std::time::Instant::now(),
            secrets: BTreeSet::new(),
            settles: BTreeMap::new(),
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
        let end = read.ended.as_ref().unwrap();
        assert_eq!(end.word, "done");
        assert!(end.took_ms.is_some_and(|ms| ms < 60_000));
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
        let word = |j: &Journal| {
            read(&j.end(&host, false).bytes)
                .unwrap()
                .ended
                .unwrap()
                .word
        };
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
    fn the_note_says_how_far_it_is_and_what_was_there_before() {
        let mut journal = journal(None);
        let host: Name = "web1".parse().unwrap();
        let id = OperationId("web1/blog/create".into());
        let before = ("old".to_owned(), Some("c0ffee".to_owned()));
        let file = journal.so_far(&host, Some(&before), vec![id.clone()]);
        let note = file.note.unwrap();
        assert_eq!((note.ended, note.operations), (0, 1));
        assert_eq!(note.middle, ["web1/blog/create"]);
        assert_eq!(note.before, "old");
        assert!(note.sites.contains("blog"));
        journal.operation(&id, &OperationOutcome::Done { note: None }, 7);
        let file = journal.so_far(&host, None, vec![]);
        assert_eq!(file.note.unwrap().ended, 1);
        let entry = read(&file.bytes).unwrap();
        assert_eq!((entry.operations.len(), entry.ended), (1, None));
    }

    #[test]
    fn what_a_container_said_is_not_kept() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = journal(Some(dir.path().join("x")));
        journal.open().unwrap();
        let failure = Failure {
            lines: vec!["cannot log in with hunter2".into()],
            ..Failure::new("it does not answer")
        };
        let id = OperationId("web1/blog/create".into());
        let host: Name = "web1".parse().unwrap();
        let outcome = OperationOutcome::Failed {
            failure: failure.clone(),
        };
        journal.operation(&id, &outcome, 7);
        journal.host_failed(&host, &failure);
        let own = fs::read_to_string(own_file(&dir.path().join("x"), journal.stem())).unwrap();
        let there = String::from_utf8(journal.end(&host, false).bytes).unwrap();
        for text in [own, there] {
            assert!(text.contains("does not answer"), "{text}");
            assert!(!text.contains("hunter2"), "{text}");
        }
    }

    #[test]
    fn what_became_of_an_apply_that_was_cut_off_is_added() {
        let mut text = Line::Started(started()).bytes().unwrap();
        text.extend(b"{\"event\":\"operat");
        assert!(add_settled(&mut text, "later", true));
        let entry = read(&text).unwrap();
        assert_eq!(entry.settled.unwrap(), ("undone".into(), "later".into()));
        assert!(!add_settled(&mut text, "again", false), "once");
        let mut journal = Line::Started(started()).bytes().unwrap();
        journal.extend(
            Line::Ended(Close {
                word: "done".into(),
                at: now(),
                took_ms: None,
            })
            .bytes()
            .unwrap(),
        );
        assert!(!add_settled(&mut journal, "later", false), "it has ended");
    }

    #[test]
    fn no_other_file_is_settled_than_the_journal_of_an_apply() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("x");
        fs::create_dir(&folder).unwrap();
        let text = Line::Started(started()).bytes().unwrap();
        let victim = dir.path().join("victim.jsonl");
        let own = own_file(&folder, &started().run);
        for path in [&victim, &own] {
            fs::write(path, &text).unwrap();
        }
        for run in [
            "../victim",
            &victim.with_extension("").display().to_string(),
        ] {
            settle_own(&folder, run, "later", true);
        }
        assert_eq!(fs::read(&victim).unwrap(), text);
        settle_own(&folder, &started().run, "later", true);
        assert!(fs::read(&own).unwrap().len() > text.len());
    }

    #[test]
    fn journals_of_a_host_are_those_that_are_named_after_their_apply() {
        use crate::host::archive::{Entry, pack};
        let text = Line::Started(started()).bytes().unwrap();
        let file = |path: &str| Entry::file(path, 0o600, 0, text.as_slice());
        let run = started().run;
        let entries = [
            file(&format!("journal/{run}.jsonl")),
            file("journal/20261121T220000Z-11111111.jsonl"),
            file("journal/.new-x.jsonl"),
            Entry::folder("journal/a.jsonl", 0o700, 0),
        ];
        let read = from_archive(pack(&entries).unwrap().as_slice()).unwrap();
        assert_eq!(read.len(), 1);
        assert_eq!(read[0].started.run, run);
        let many: Vec<Entry> = (0..1001)
            .map(|n| file(&format!("journal/{n}.jsonl")))
            .collect();
        let error = from_archive(pack(&many).unwrap().as_slice()).unwrap_err();
        assert!(
            error.to_string().contains("more than 1000 journals"),
            "{error}"
        );
        let mut long = text.clone();
        long.resize(long.len() + 200_001, b'\n');
        assert_eq!(super::read(&long), None);
        let long = [Entry::file(&format!("journal/{run}.jsonl"), 0o600, 0, long)];
        let error = from_archive(pack(&long).unwrap().as_slice()).unwrap_err();
        assert!(error.to_string().contains("200000 lines"), "{error}");
    }

    #[test]
    fn a_line_cut_short_ends_a_file() {
        let mut text = Line::Started(started()).bytes().unwrap();
        text.extend(b"{\"event\":\"operat");
        let entry = read(&text).unwrap();
        assert!(entry.operations.is_empty() && entry.ended.is_none());
        assert!(read(b"nonsense").is_none());
    }
}

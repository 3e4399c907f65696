//! Whether what a fleet file names as sources of secrets may be read here: files are read and
//! programs run on the operator's machine, and whoever can write the file says which. So none is
//! read for a file that others can write, as ssh reads no key that others can, and no command runs
//! that this operator has not said yes to, word for word and for that folder.

mod exposed;

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::engine::{Answer, Ask, Question};
use crate::file;
use crate::fleet::{SecretSpec, Site};
use crate::text::line;
pub use exposed::{Exposed, exposed};

/// Longest command that is shown whole, in characters; none is asked about in part.
const SHOWN: usize = 1000;

/// What may be read here, of which fleet files.
#[derive(Clone)]
pub struct Trust(Arc<Inner>);

struct Inner {
    policy: Policy,
    /// Where answers are kept.
    state: Option<PathBuf>,
    /// Said yes to in this run.
    now: Mutex<BTreeSet<Words>>,
}

enum Policy {
    /// On-call mode: no command is run.
    Never,
    /// Commands are run as the file says: `--trust-commands`.
    Always,
    /// Those that the operator said yes to, then or now.
    Asks(Arc<dyn Ask>),
}

/// A command as it was said yes to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Words {
    /// Where it runs.
    folder: PathBuf,
    /// Program and arguments.
    command: Vec<String>,
}

/// Why a fleet file's secrets are not read.
#[derive(Debug, thiserror::Error)]
pub enum Distrust {
    /// Others than this operator can write the file.
    #[error("{0}: of such a fleet file no secret is read and no command run")]
    Exposed(Exposed),
    /// Nobody is there to be asked.
    #[error("the fleet file has commands run on this machine that you never said yes to:\n  {}", .0.join("\n  "))]
    Unseen(Vec<String>),
}

impl Distrust {
    /// What would be right.
    pub fn help(&self) -> String {
        match self {
            Distrust::Exposed(exposed) => exposed.remedy.clone(),
            Distrust::Unseen(_) => {
                "`ostler plan` at a terminal asks, once for each; --trust-commands runs them without asking".to_owned()
            }
        }
    }
}

/// Why one source is not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Withheld {
    pub why: String,
    /// It is never read in this mode: that is no failure.
    pub on_call: bool,
}

impl std::fmt::Debug for Trust {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.0.policy {
            Policy::Never => "Trust(never)",
            Policy::Always => "Trust(always)",
            Policy::Asks(_) => "Trust(asks)",
        })
    }
}

impl Trust {
    fn new(policy: Policy, state: Option<PathBuf>) -> Trust {
        let now = Mutex::default();
        Trust(Arc::new(Inner { policy, state, now }))
    }

    /// On-call mode: no command is run.
    pub fn on_call() -> Trust {
        Trust::new(Policy::Never, None)
    }

    /// Commands are run without asking.
    pub fn always() -> Trust {
        Trust::new(Policy::Always, None)
    }

    /// Commands are run that the operator said yes to; `state`: the operator's state directory,
    /// where that is kept.
    pub fn asking(ask: Arc<dyn Ask>, state: Option<PathBuf>) -> Trust {
        Trust::new(Policy::Asks(ask), state)
    }

    /// Asks about every command that the secrets of these sites come from and that was not said yes
    /// to yet. `file`: the fleet file that names them; `folder`: where they run. A no is no error:
    /// that secret is not read.
    ///
    /// # Errors
    /// Others can write the file; or nobody is there to ask.
    pub async fn settle<'a>(
        &self,
        file: &Path,
        folder: &Path,
        sites: impl Iterator<Item = &'a Site>,
    ) -> Result<(), Distrust> {
        if matches!(self.0.policy, Policy::Never) {
            return Ok(());
        }
        let mut commands = Vec::new();
        let mut any = false;
        for site in sites {
            for (name, spec) in &site.secrets {
                any |= *spec != SecretSpec::Kept;
                if let SecretSpec::Command(command) = spec {
                    commands.push((format!("secret {name} of {}", site.name), command));
                }
            }
        }
        if !any {
            return Ok(());
        }
        refuse_exposed(file)?;
        let Policy::Asks(ask) = &self.0.policy else {
            return Ok(());
        };
        let mut known = self.known();
        let mut unseen = Vec::new();
        for (of, command) in commands {
            let words = Words::of(folder, command);
            if known.contains(&words) {
                continue;
            }
            // One question for one command, whoever needs it; a no is kept for as long.
            known.insert(words.clone());
            if self.put(ask, &of, &words).await == Answer::Nobody {
                unseen.push(format!("{of}: {}", cut(&words.shown())));
            }
        }
        match unseen.is_empty() {
            true => Ok(()),
            false => Err(Distrust::Unseen(unseen)),
        }
    }

    /// Whether this source may be read. Asks nobody: what was not said yes to is not run.
    pub(super) fn may_read(
        &self,
        file: Option<&Path>,
        folder: &Path,
        spec: &SecretSpec,
    ) -> Result<(), Withheld> {
        let on_call = matches!(self.0.policy, Policy::Never);
        let withheld = |why: String| Err(Withheld { why, on_call });
        let command = match spec {
            SecretSpec::Command(command) => command,
            SecretSpec::File(_) => {
                return match file.and_then(exposed) {
                    Some(exposed) => withheld(exposed.to_string()),
                    None => Ok(()),
                };
            }
            SecretSpec::Kept => return Ok(()),
        };
        if on_call {
            return withheld("its command is not run in on-call mode".into());
        }
        if let Some(exposed) = file.and_then(exposed) {
            return withheld(exposed.to_string());
        }
        // What it runs is named by where it is: nobody else may put something else there.
        let program = command.first().filter(|program| program.contains('/'));
        let program = program.map(|program| folder.join(program));
        if let Some(exposed) = program.filter(|p| p.exists()).and_then(|p| exposed(&p)) {
            return withheld(format!("its command is not run: {exposed}"));
        }
        let trusted = match &self.0.policy {
            Policy::Always => true,
            Policy::Never => false,
            Policy::Asks(_) => self.known().contains(&Words::of(folder, command)),
        };
        match trusted {
            true => Ok(()),
            false => withheld(
                "its command was never said yes to: `ostler plan` at a terminal asks, --trust-commands runs it without asking".into(),
            ),
        }
    }

    /// Asks whether a command may run, on a thread that may wait. A yes counts also where whoever
    /// asked waits no more.
    async fn put(&self, ask: &Arc<dyn Ask>, of: &str, words: &Words) -> Answer {
        let shown = words.shown();
        if shown.chars().count() > SHOWN {
            // Half of it could be the harmless half.
            return Answer::Nobody;
        }
        let folder = line(&words.folder.display().to_string());
        let question = Question::Text {
            host: of.to_owned(),
            prompt: format!(
                "leave to run {shown} on this machine, in {folder}. Type yes to run it now and whenever it is the same"
            ),
            by_host: false,
            visible: true,
            again: false,
        };
        let (trust, ask, words) = (self.clone(), ask.clone(), words.clone());
        let asking = tokio::task::spawn_blocking(move || {
            let answer = ask.ask(&question);
            if matches!(&answer, Answer::Text(text) if text.trim() == "yes") {
                trust.allow(words);
            }
            answer
        });
        asking.await.unwrap_or(Answer::Nobody)
    }

    fn now(&self) -> MutexGuard<'_, BTreeSet<Words>> {
        self.0.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All that was said yes to, in this run and before it.
    fn known(&self) -> BTreeSet<Words> {
        let mut known = self.now().clone();
        known.extend(self.0.state.as_deref().map(recall).unwrap_or_default());
        known
    }

    /// From now on. Where that cannot be kept it holds for this run.
    fn allow(&self, words: Words) {
        self.now().insert(words.clone());
        if let Some(state) = &self.0.state {
            let mut known = recall(state);
            if known.insert(words) {
                let _ = remember(state, &known);
            }
        }
    }
}

/// Refuses a fleet file that others can write.
///
/// # Errors
/// They can.
pub fn refuse_exposed(file: &Path) -> Result<(), Distrust> {
    match exposed(file) {
        Some(exposed) => Err(Distrust::Exposed(exposed)),
        None => Ok(()),
    }
}

/// As much of it as an error may be long.
fn cut(shown: &str) -> String {
    match shown.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}… (too long to be asked about)", &shown[..at]),
        None => shown.to_owned(),
    }
}

impl Words {
    fn of(folder: &Path, command: &[String]) -> Words {
        Words {
            folder: fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned()),
            command: command.to_vec(),
        }
    }

    /// In quotes where a word could be taken for two, and without anything for a terminal.
    fn shown(&self) -> String {
        let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:,@%".contains(c);
        let word = |word: &String| match !word.is_empty() && word.chars().all(plain) {
            true => word.clone(),
            false => format!("'{}'", line(word).replace('\'', "'\\''")),
        };
        let words: Vec<String> = self.command.iter().map(word).collect();
        format!("`{}`", words.join(" "))
    }
}

fn memory(state: &Path) -> PathBuf {
    state.join("trusted.json")
}

/// What was said yes to before. A file that others could have written says nothing.
fn recall(state: &Path) -> BTreeSet<Words> {
    let path = memory(state);
    let bytes = match exposed(&path) {
        None => file::read(&path, file::LIST).unwrap_or_default(),
        Some(_) => Vec::new(),
    };
    serde_json::from_slice(&bytes).unwrap_or_default()
}

fn remember(state: &Path, known: &BTreeSet<Words>) -> std::io::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(state)?;
    let path = memory(state);
    let temporary = path.with_extension(format!("new-{}", std::process::id()));
    // A leftover of a killed process with the same id, if anything.
    let _ = fs::remove_file(&temporary);
    let mut out = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)?;
    serde_json::to_writer(&mut out, known)?;
    out.flush()?;
    out.sync_all()?;
    fs::rename(&temporary, &path)
}

#[cfg(test)]
mod tests;

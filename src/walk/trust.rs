//! Whether what a fleet file names on this machine, mostly as sources of secrets, may be read here: files are read and
//! programs run on the operator's machine, and whoever can write the file says which. So none is
//! read for a file that others can write, as ssh reads no key that others can, and no command runs
//! that this operator has not said yes to, word for word, for that folder, and with the files of that
//! folder that it names as they are. Nor is a file read outside of that folder without such a yes.

mod deed;
mod exposed;
mod memory;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::engine::{Answer, Ask, Question};
use crate::fleet::{SecretSpec, Source};
use deed::Deed;
pub use exposed::{Exposed, exposed};
use memory::{recall, remember};

/// Longest command that is shown whole, in characters; none is asked about in part.
const SHOWN: usize = 1000;

/// What may be read here, of which fleet files.
#[derive(Clone)]
pub struct Trust(Arc<Inner>);

struct Inner {
    policy: Policy,
    /// Where answers are kept.
    state: Option<PathBuf>,
    /// Said in this run: yes or no.
    answers: Mutex<BTreeMap<Deed, bool>>,
}

enum Policy {
    /// On-call mode: no command is run.
    Never,
    /// Commands are run as the file says: `--trust-commands`.
    Always,
    /// Those that the operator said yes to, then or now.
    Asks(Arc<dyn Ask>),
}

/// Why a fleet file's secrets are not read.
#[derive(Debug, thiserror::Error)]
pub enum Distrust {
    /// Others than this operator can write the file.
    #[error("{0}: of such a fleet file no secret is read and no command run")]
    Exposed(Exposed),
    /// Nobody is there to be asked.
    #[error("the fleet file has commands run and files read on this machine that you never said yes to:\n  {}", .what.join("\n  "))]
    Unseen {
        /// Secrets, and where they come from.
        what: Vec<String>,
        /// What would be right.
        help: String,
    },
}

impl Distrust {
    /// What would be right.
    pub fn help(&self) -> String {
        match self {
            Distrust::Exposed(exposed) => exposed.remedy.clone(),
            Distrust::Unseen { help, .. } => help.clone(),
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
        Trust(Arc::new(Inner {
            policy,
            state,
            answers: Mutex::default(),
        }))
    }

    /// On-call mode: no command is run, and of files outside of the fleet file's folder those are
    /// read that the operator said yes to before; `state`: as of [`Trust::asking`].
    pub fn on_call(state: Option<PathBuf>) -> Trust {
        Trust::new(Policy::Never, state)
    }

    /// Commands are run, and files read, without asking.
    pub fn always() -> Trust {
        Trust::new(Policy::Always, None)
    }

    /// Commands are run, and files read, that the operator said yes to; `state`: the operator's state directory,
    /// where that is kept.
    pub fn asking(ask: Arc<dyn Ask>, state: Option<PathBuf>) -> Trust {
        Trust::new(Policy::Asks(ask), state)
    }

    /// Asks about every command among these sources, and every file outside of the folder, that was
    /// not said yes to yet. `file`: the fleet file that names them; `folder`: where they run. A no is
    /// no error: that one is not read, nor asked about again in this run.
    ///
    /// # Errors
    /// Others can write the file; or nobody is there to ask.
    pub async fn settle<'a>(
        &self,
        file: &Path,
        folder: &Path,
        sources: impl Iterator<Item = Source<'a>>,
    ) -> Result<(), Distrust> {
        if matches!(self.0.policy, Policy::Never) {
            return Ok(());
        }
        let read = |source: &Source| *source.spec != SecretSpec::Kept;
        let sources: Vec<Source> = sources.filter(read).collect();
        if sources.is_empty() {
            return Ok(());
        }
        refuse_exposed(file)?;
        let Policy::Asks(ask) = &self.0.policy else {
            return Ok(());
        };
        let (mut known, doubt) = self.known();
        let (mut unseen, mut short, mut long) = (Vec::new(), false, false);
        for source in sources {
            // What is not read whatever is said is not asked about: reading says why.
            let Ok(Some(deed)) = Deed::of(folder, &source.of, &source.spec) else {
                continue;
            };
            // One question for one command, whoever needs it.
            if !known.insert(deed.clone()) || self.answers().contains_key(&deed) {
                continue;
            }
            let of = source.title();
            if self.put(ask, &of, &deed, doubt.as_ref()).await == Answer::Nobody {
                *if is_long(&deed) {
                    &mut long
                } else {
                    &mut short
                } = true;
                unseen.push(format!("{of}: {}", cut(&deed.shown())));
            }
        }
        match unseen.is_empty() {
            true => Ok(()),
            false => Err(Distrust::Unseen {
                what: unseen,
                help: unseen_help(short, long, doubt.as_ref()),
            }),
        }
    }

    /// Whether this source may be read that is for `of`: see [`Source::of`]. Asks nobody: what was not said yes to is not run,
    /// nor read where it is outside of the folder.
    pub(super) fn may_read(
        &self,
        file: Option<&Path>,
        folder: &Path,
        of: &str,
        spec: &SecretSpec,
    ) -> Result<(), Withheld> {
        let on_call = matches!(self.0.policy, Policy::Never);
        let withheld = |why: String| Err(Withheld { why, on_call });
        if *spec == SecretSpec::Kept {
            return Ok(());
        }
        if on_call && matches!(spec, SecretSpec::Command(_)) {
            return withheld("its command is not run in on-call mode".into());
        }
        if let Some(exposed) = file.and_then(exposed) {
            return withheld(format!("{exposed}; {}", exposed.remedy));
        }
        let deed = match Deed::of(folder, of, spec) {
            Err(why) => return withheld(why),
            Ok(None) => return Ok(()),
            Ok(Some(deed)) => deed,
        };
        let trusted = match &self.0.policy {
            Policy::Always => true,
            Policy::Never | Policy::Asks(_) => self.known().0.contains(&deed),
        };
        let what = match &deed {
            _ if trusted => return Ok(()),
            Deed::Run { .. } => "its command was never said yes to",
            Deed::Read { .. } => {
                "its file is outside of the fleet file's folder and was never said yes to"
            }
        };
        match on_call {
            true => withheld(format!("{what}, and on-call mode asks about none")),
            false => {
                let long = is_long(&deed);
                let help = unseen_help(!long, long, None);
                withheld(format!("{what} as it is now: {help}"))
            }
        }
    }

    /// What was said no to in this run may be asked about again.
    pub fn ask_again(&self) {
        self.answers().retain(|_, yes| *yes);
    }

    /// Asks for leave, on a thread that may wait. The answer counts also where whoever asked waits
    /// no more. `doubt`: why a yes is not kept.
    async fn put(
        &self,
        ask: &Arc<dyn Ask>,
        of: &str,
        deed: &Deed,
        doubt: Option<&Exposed>,
    ) -> Answer {
        if is_long(deed) {
            // Half of it could be the harmless half.
            return Answer::Nobody;
        }
        let prompt = deed.asked(doubt);
        let of = of.to_owned();
        let question = Question::Leave { of, prompt };
        let (trust, ask, deed) = (self.clone(), ask.clone(), deed.clone());
        let asking = tokio::task::spawn_blocking(move || {
            let answer = ask.ask(&question);
            match answer {
                Answer::Yes => trust.allow(deed),
                Answer::No | Answer::Text(_) => {
                    trust.answers().insert(deed, false);
                }
                Answer::Nobody => {}
            }
            answer
        });
        asking.await.unwrap_or(Answer::Nobody)
    }

    fn answers(&self) -> MutexGuard<'_, BTreeMap<Deed, bool>> {
        let answers = &self.0.answers;
        answers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All that was said yes to, in this run and before it, and why what was said before is not
    /// believed.
    fn known(&self) -> (BTreeSet<Deed>, Option<Exposed>) {
        let (mut known, doubt) = match self.0.state.as_deref().map(recall) {
            None => (BTreeSet::new(), None),
            Some(Ok(known)) => (known, None),
            Some(Err(doubt)) => (BTreeSet::new(), Some(doubt)),
        };
        let answers = self.answers();
        let now = answers.iter().filter(|(_, yes)| **yes);
        known.extend(now.map(|(deed, _)| deed.clone()));
        (known, doubt)
    }

    /// From now on. Where that cannot be kept it holds for this run; what was kept and is not believed
    /// is not written over.
    fn allow(&self, deed: Deed) {
        self.answers().insert(deed.clone(), true);
        if let Some(state) = &self.0.state
            && let Ok(mut known) = recall(state)
            && known.insert(deed)
        {
            let _ = remember(state, &known);
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

/// Whether it is not asked about for its length.
fn is_long(deed: &Deed) -> bool {
    deed.shown().chars().count() > SHOWN
}

/// What to do about what was never said yes to. `short`, `long`: there are such that are asked about,
/// and such that are not. `doubt`: why what was said before does not count.
fn unseen_help(short: bool, long: bool, doubt: Option<&Exposed>) -> String {
    let mut help = Vec::new();
    help.extend(doubt.map(|it| format!("{it}, so that no yes of before counts: {}", it.remedy)));
    if short {
        help.push("`ostler plan` at a terminal asks, once for each".to_owned());
    }
    if long {
        help.push(format!(
            "what is longer than {SHOWN} characters is not asked about: put the command into a script file"
        ));
    }
    help.push("--trust-commands runs and reads without asking".to_owned());
    help.join("; ")
}

/// As much of it as an error may be long.
fn cut(shown: &str) -> String {
    match shown.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}… (too long to be asked about)", &shown[..at]),
        None => shown.to_owned(),
    }
}

#[cfg(test)]
mod tests;

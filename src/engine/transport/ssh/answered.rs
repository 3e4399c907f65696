//! What the operator answered, kept in memory for this run and nowhere else.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use zeroize::Zeroizing;

use crate::engine::transport::ask::{Answer, Ask, Question};

/// A passphrase or a password; wiped when dropped.
pub type Secret = Zeroizing<String>;

/// Answers of one run, shared by all of its logins. Questions are put one at a time, and none
/// twice: a passphrase that several hosts wait for is asked once.
#[derive(Default)]
pub struct Answered {
    /// Held while a question is open.
    asking: Mutex<()>,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    secrets: HashMap<String, Secret>,
    /// Host keys that were accepted, as host and fingerprint.
    accepted: HashSet<(String, String)>,
    /// What was answered with a no, or by nobody.
    declined: HashSet<String>,
}

impl std::fmt::Debug for Answered {
    // It holds passphrases.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Answered")
    }
}

impl Answered {
    /// Forgets every no, so that the next login asks again: for a retry that the operator wants.
    pub fn ask_again(&self) {
        self.kept().declined.clear();
    }

    /// Something known under this name: `passphrase of FILE`, `password of USER@HOST`.
    pub(super) fn secret(&self, name: &str) -> Option<Secret> {
        self.kept().secrets.get(name).cloned()
    }

    /// Asks for what is known under `name`, unless it was answered meanwhile. `wrong` is what did
    /// not work. `None`: nobody says.
    pub(super) fn ask_secret(
        &self,
        name: &str,
        wrong: Option<&Secret>,
        ask: &dyn Ask,
        question: &Question,
    ) -> Option<Secret> {
        let _one = lock(&self.asking);
        {
            let mut kept = self.kept();
            match kept.secrets.get(name) {
                Some(known) if Some(known) != wrong => return Some(known.clone()),
                _ => kept.secrets.remove(name),
            };
            if kept.declined.contains(name) {
                return None;
            }
        }
        match ask.ask(question) {
            Answer::Text(text) => {
                let secret = Secret::new(text);
                self.kept().secrets.insert(name.to_owned(), secret.clone());
                Some(secret)
            }
            Answer::Yes | Answer::No | Answer::Nobody => {
                self.kept().declined.insert(name.to_owned());
                None
            }
        }
    }

    /// Asks for something that is good for one time only.
    pub(super) fn ask_once(
        &self,
        name: &str,
        ask: &dyn Ask,
        question: &Question,
    ) -> Option<Secret> {
        let _one = lock(&self.asking);
        if self.kept().declined.contains(name) {
            return None;
        }
        match ask.ask(question) {
            Answer::Text(text) => Some(Secret::new(text)),
            Answer::Yes | Answer::No | Answer::Nobody => {
                self.kept().declined.insert(name.to_owned());
                None
            }
        }
    }

    /// Forgets what turned out to be wrong.
    pub(super) fn forget(&self, name: &str, wrong: &Secret) {
        let mut kept = self.kept();
        if kept.secrets.get(name) == Some(wrong) {
            kept.secrets.remove(name);
        }
    }

    /// Whether this host's key was accepted in this run. Asks where that was not asked yet, and
    /// calls `accepted` for a new yes, before any other question.
    ///
    /// # Errors
    /// What `accepted` returns.
    pub(super) fn ask_host_key<E>(
        &self,
        ask: &dyn Ask,
        question: &Question,
        accepted: impl FnOnce() -> Result<(), E>,
    ) -> Result<KeyAnswer, E> {
        let Question::HostKey {
            host, fingerprint, ..
        } = question
        else {
            return Ok(KeyAnswer::No);
        };
        let key = (host.clone(), fingerprint.clone());
        let name = format!("key {fingerprint} of {host}");
        let _one = lock(&self.asking);
        {
            let kept = self.kept();
            if kept.accepted.contains(&key) {
                return Ok(KeyAnswer::Yes);
            }
            if kept.declined.contains(&name) {
                return Ok(KeyAnswer::No);
            }
        }
        match ask.ask(question) {
            Answer::Yes => {
                accepted()?;
                self.kept().accepted.insert(key);
                Ok(KeyAnswer::Yes)
            }
            Answer::Nobody => Ok(KeyAnswer::Nobody),
            Answer::No | Answer::Text(_) => {
                self.kept().declined.insert(name);
                Ok(KeyAnswer::No)
            }
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        lock(&self.kept)
    }
}

/// What became of a question about a host's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyAnswer {
    Yes,
    No,
    Nobody,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    struct Says(&'static str, AtomicUsize);

    impl Ask for Says {
        fn ask(&self, _: &Question) -> Answer {
            self.1.fetch_add(1, Ordering::SeqCst);
            match self.0 {
                "" => Answer::Nobody,
                text => Answer::Text(text.into()),
            }
        }
    }

    fn question() -> Question {
        Question::Text {
            host: "web1".into(),
            prompt: "passphrase of k".into(),
            by_host: false,
            visible: false,
            again: false,
        }
    }

    #[test]
    fn several_logins_ask_for_one_passphrase_once() {
        let (answered, says) = (Answered::default(), Says("sesame", AtomicUsize::new(0)));
        let together = Barrier::new(4);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    together.wait();
                    let got = answered.ask_secret("k", None, &says, &question());
                    assert_eq!(got.unwrap().as_str(), "sesame");
                });
            }
        });
        assert_eq!(says.1.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn a_wrong_answer_is_asked_again_and_a_no_is_not() {
        let answered = Answered::default();
        let says = Says("sesame", AtomicUsize::new(0));
        let wrong = answered.ask_secret("k", None, &says, &question()).unwrap();
        answered.ask_secret("k", Some(&wrong), &says, &question());
        assert_eq!(says.1.load(Ordering::SeqCst), 2);

        let nobody = Says("", AtomicUsize::new(0));
        for _ in 0..3 {
            assert!(
                answered
                    .ask_secret("j", None, &nobody, &question())
                    .is_none()
            );
        }
        assert_eq!(nobody.1.load(Ordering::SeqCst), 1);
        answered.ask_again();
        assert!(answered.ask_secret("j", None, &says, &question()).is_some());
    }

    #[test]
    fn shows_no_secret() {
        let answered = Answered::default();
        answered.ask_secret("k", None, &Says("sesame", AtomicUsize::new(0)), &question());
        assert!(!format!("{answered:?}").contains("sesame"));
    }
}

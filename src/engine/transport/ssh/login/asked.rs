//! Proving it with what a person knows: the host's own questions, and a password.

use ssh2::{KeyboardInteractivePrompt, Prompt};

use super::{Done, Login, Step};
use crate::engine::transport::ask::{Ask, Question};
use crate::engine::transport::ssh::answered::{Answered, Secret};
use crate::engine::transport::ssh::line::{Line, Stop, one_line};
use crate::engine::transport::ssh::trouble::{ANSWERS, PASSWORD};

/// How often an answer may be wrong.
const TRIES: usize = 3;
/// Longest answer that is sent.
const LONGEST: usize = 1024;

impl Login<'_> {
    /// Whose a secret is: the same name and port may be another machine behind another bastion.
    fn account(&self) -> String {
        format!("{}@{}", self.hop.user, self.hop.place())
    }

    pub(super) fn password(&mut self) -> Done<Step> {
        let name = format!("password of {}", self.account());
        let mut password = self.answered.secret(&name);
        let mut wrong: Option<Secret> = None;
        for _ in 0..TRIES {
            let secret = match password.take() {
                Some(secret) => secret,
                None => {
                    let question = Question::Text {
                        host: self.hop.name.clone(),
                        prompt: format!("password of {} on {}", self.hop.user, self.hop.name),
                        by_host: false,
                        visible: false,
                        again: wrong.is_some(),
                    };
                    let ask = || {
                        self.answered
                            .ask_secret(&name, wrong.as_ref(), self.ask, &question)
                    };
                    match self.line.clock.pause(ask) {
                        Some(secret) => secret,
                        None => {
                            self.notes.push("nobody gave the password".to_owned());
                            return Ok(Step::No);
                        }
                    }
                }
            };
            let user = &self.hop.user;
            let text = secret.replace('\0', "");
            let text = Secret::new(text);
            match self
                .line
                .drive(|session| session.userauth_password(user, &text))
            {
                Ok(()) => return Ok(Step::In),
                Err(stop) => self.refused(stop, PASSWORD)?,
            }
            if self.more_without_keys()? {
                return Ok(Step::Partly);
            }
            self.answered.forget(&name, &secret);
            wrong = Some(secret);
        }
        // libssh2 does not tell that apart.
        self.notes
            .push("a password that has expired is refused as well: `ssh` changes it".to_owned());
        Ok(Step::No)
    }

    pub(super) fn keyboard(&mut self) -> Done<Step> {
        let account = self.account();
        let known = self.answered.secret(&format!("password of {account}"));
        if known.is_none() && !self.ask.is_there() {
            // Whatever was sent would count as a wrong answer.
            self.notes
                .push("nobody is there to answer the host's questions".to_owned());
            return Ok(Step::No);
        }
        let mut wrong = Vec::new();
        for attempt in 0..TRIES {
            let mut person = Person {
                host: &self.hop.name,
                account: &account,
                ask: self.ask,
                answered: self.answered,
                line: &self.line,
                again: attempt > 0,
                wrong: std::mem::take(&mut wrong),
                given: Vec::new(),
                asked: 0,
                silent: false,
            };
            let user = &self.hop.user;
            let reply = self
                .line
                .drive(|session| session.userauth_keyboard_interactive(user, &mut person));
            let Person {
                given,
                silent,
                asked,
                ..
            } = person;
            match reply {
                Ok(()) => return Ok(Step::In),
                // Nothing was sent, and nothing more can be.
                Err(_) if silent => {
                    self.notes
                        .push("nobody answered the host's questions".to_owned());
                    return Err(self.nothing_taken());
                }
                // It refuses without having asked anything: that was no answer of ours.
                Err(stop @ Stop::Ssh { code: -18, .. }) if asked == 0 && !stop.is_cut() => {
                    return Ok(Step::No);
                }
                Err(stop) => self.refused(stop, ANSWERS)?,
            }
            if self.more_without_keys()? {
                return Ok(Step::Partly);
            }
            for (name, secret) in &given {
                self.answered.forget(name, secret);
            }
            wrong = given;
        }
        Ok(Step::No)
    }

    /// Notes a refusal; anything else ends the login.
    fn refused(&mut self, stop: Stop, what: &str) -> Done<()> {
        match stop {
            // -18: refused. -19: so says libssh2 where the login goes on with something else.
            Stop::Ssh {
                code: -18 | -19,
                ref why,
            } if !why.starts_with("Waiting") => {
                match self.tried.iter().any(|t| t == what) {
                    true => self.repeated += 1,
                    false => self.tried.push(what.to_owned()),
                }
                Ok(())
            }
            stop => Err(self.broken(stop)),
        }
    }

    /// A host that wants several proofs lists the next one after a right one. Asking costs one of
    /// the few tries that it allows, so only hosts that did not offer keys are asked.
    fn more_without_keys(&mut self) -> Done<bool> {
        if self.methods.iter().any(|m| m == "publickey") {
            return Ok(false);
        }
        Ok(self.wants_more()? != Step::No)
    }
}

/// Puts the host's questions to the operator.
struct Person<'a> {
    host: &'a str,
    account: &'a str,
    ask: &'a dyn Ask,
    answered: &'a Answered,
    line: &'a Line,
    again: bool,
    /// What did not work the last time.
    wrong: Vec<(String, Secret)>,
    /// What may be remembered.
    given: Vec<(String, Secret)>,
    asked: usize,
    /// Nobody answered.
    silent: bool,
}

impl KeyboardInteractivePrompt for Person<'_> {
    fn prompt<'b>(&mut self, _: &str, instructions: &str, prompts: &[Prompt<'b>]) -> Vec<String> {
        let line = self.line;
        if prompts.is_empty() {
            return Vec::new();
        }
        let answers: Option<Vec<String>> = line.clock.pause(|| {
            let answers = prompts.iter().map(|prompt| self.one(instructions, prompt));
            answers.collect()
        });
        // libssh2 sends something whatever is returned, and empty answers are wrong ones: a few
        // of them lock an account.
        answers.unwrap_or_else(|| {
            line.cut();
            Vec::new()
        })
    }
}

impl Person<'_> {
    fn one(&mut self, instructions: &str, prompt: &Prompt<'_>) -> Option<String> {
        if self.silent {
            return None;
        }
        self.asked += 1;
        let words = one_line(&format!("{instructions} {}", prompt.text));
        let question = Question::Text {
            host: self.host.to_owned(),
            prompt: words.clone(),
            by_host: true,
            visible: prompt.echo,
            again: self.again,
        };
        let answer = match lasts(&words, prompt.echo) {
            // The same account's password may be known from the login before.
            true => {
                let name = format!("password of {}", self.account);
                let wrong = self
                    .wrong
                    .iter()
                    .find(|(n, _)| *n == name)
                    .map(|(_, s)| s.clone());
                let secret = self
                    .answered
                    .ask_secret(&name, wrong.as_ref(), self.ask, &question);
                if let Some(secret) = &secret {
                    self.given.push((name, secret.clone()));
                }
                secret
            }
            false => {
                let name = format!("{words} of {}", self.account);
                self.answered.ask_once(&name, self.ask, &question)
            }
        };
        match answer {
            Some(secret) => Some(secret.chars().take(LONGEST).collect()),
            None => {
                self.silent = true;
                None
            }
        }
    }
}

/// Whether the answer to a question will be right again the next time.
fn lasts(words: &str, visible: bool) -> bool {
    let words = words.to_lowercase();
    let once = [
        "one-time", "one time", "otp", "code", "token", "pin", "new ",
    ];
    !visible && words.contains("password") && !once.iter().any(|word| words.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_passwords_are_remembered() {
        for words in ["Password:", "(me@web1) Password: ", "me's password:"] {
            assert!(lasts(words, false), "{words}");
        }
        for words in [
            "One-time password (OATH) for me:",
            "Verification code:",
            "New password:",
            "Password and OTP:",
            "Duo passcode:",
        ] {
            assert!(!lasts(words, false), "{words}");
        }
        assert!(!lasts("Password:", true));
    }
}

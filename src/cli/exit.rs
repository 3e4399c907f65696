//! How the program ends: an exit code, and for errors one line, a remedy, and what led to it.

use std::error::Error;
use std::process::ExitCode;

use crate::walk::look::Seen;

/// The exit codes. Scripts depend on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// 0: done, or nothing to do.
    Done,
    /// 1: an error, of usage too.
    Error,
    /// 2: `plan` found changes, `drift` differences, `status` something that is not well.
    Changes,
    /// 3: some sites were applied, others failed; or not all could be looked at.
    Partial,
}

impl Exit {
    /// The number the shell sees.
    pub fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::Error => 1,
            Exit::Changes => 2,
            Exit::Partial => 3,
        }
    }

    /// Of a list of what was looked at: 3 where a host did not answer.
    pub fn looked(seen: &Seen) -> Exit {
        let answered = |host| seen.observed.hosts.get(host).and_then(|it| it.reached());
        match seen.hosts.iter().all(|host| answered(host).is_some()) {
            true => Exit::Done,
            false => Exit::Partial,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}

/// Why a command did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What went wrong, in one line. Empty: it has been said already.
    pub message: String,
    /// What would mend it.
    pub help: Option<String>,
    /// What it was caused by, the nearest first; shown with `-v`.
    pub causes: Vec<String>,
    /// How the program ends.
    pub exit: Exit,
}

impl Failure {
    /// An error in one line.
    pub fn new(message: impl Into<String>) -> Self {
        Failure {
            message: message.into(),
            help: None,
            causes: Vec::new(),
            exit: Exit::Error,
        }
    }

    /// Ends the program without a word: all was said.
    pub fn said(exit: Exit) -> Self {
        Failure {
            exit,
            ..Failure::new("")
        }
    }

    /// An error with the errors behind it.
    pub fn caused(message: impl Into<String>, error: &dyn Error) -> Self {
        let mut failure = Failure::new(message);
        let mut next = Some(error);
        while let Some(error) = next {
            failure.causes.push(error.to_string());
            next = error.source();
        }
        failure
    }

    /// An error's own line, with the errors behind it as causes.
    pub fn of(error: &dyn Error) -> Self {
        match error.source() {
            Some(source) => Failure::caused(error.to_string(), source),
            None => Failure::new(error.to_string()),
        }
    }

    /// Adds the remedy.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_listed_nearest_first() {
        let inner = std::io::Error::other("the disk said no");
        let failure = Failure::caused("cannot write", &inner);
        assert_eq!(failure.message, "cannot write");
        assert_eq!(failure.causes, ["the disk said no"]);
    }

    #[test]
    fn codes_are_those_promised() {
        let codes = [Exit::Done, Exit::Error, Exit::Changes, Exit::Partial].map(Exit::code);
        assert_eq!(codes, [0, 1, 2, 3]);
    }
}

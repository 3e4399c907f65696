//! What a check found, and what would mend it.

use serde::Serialize;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// Well.
    Ok,
    /// It cannot be known from here.
    Unknown,
    /// It works, but not as well as it could.
    Warn,
    /// Something will not work.
    Fail,
}

/// One line of the doctor's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at, in a word or two.
    pub check: &'static str,
    pub mark: Mark,
    /// What was found.
    pub text: String,
    /// What would mend it.
    pub remedy: Option<String>,
}

pub(super) fn line(check: &'static str, mark: Mark, text: impl Into<String>) -> Finding {
    Finding {
        check,
        mark,
        text: text.into(),
        remedy: None,
    }
}

impl Finding {
    pub(super) fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }
}

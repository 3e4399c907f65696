//! What a site or a host does, in one word.

use serde::{Serialize, Serializer};

/// What one site is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum State {
    /// A host that does not answer.
    Lost,
    /// It does not answer, or its container is down.
    Failing,
    /// The engine keeps restarting it.
    Restarting,
    /// It answers, but something wants a look.
    Warning,
    /// A host that answers slowly, or not to everything.
    Degraded,
    /// It is not as it was last applied.
    Drift,
    /// The file was changed since it was last applied, or it never was.
    Pending,
    /// Coming up.
    Starting,
    /// Its host has not answered yet.
    #[default]
    Unknown,
    /// Removed from the file; its container is stopped and kept.
    Leftover,
    /// As it should be.
    Ok,
    /// A foreign container that runs.
    Running,
    /// Stopped, as the file says; or a foreign container that ended well.
    Stopped,
    /// Archived, as the file says.
    Archived,
}

impl Serialize for State {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.word())
    }
}

impl State {
    /// The word on screen.
    pub fn word(self) -> &'static str {
        match self {
            State::Lost => "lost",
            State::Degraded => "degraded",
            State::Failing => "failing",
            State::Restarting => "restarting",
            State::Warning => "warning",
            State::Drift => "drift",
            State::Pending => "to apply",
            State::Starting => "starting",
            State::Unknown => "not known",
            State::Leftover => "leftover",
            State::Ok => "ok",
            State::Running => "running",
            State::Stopped => "stopped",
            State::Archived => "archived",
        }
    }

    /// Its mark, beside the word: nothing is said by colour alone.
    pub fn mark(self) -> &'static str {
        match self {
            State::Lost | State::Unknown => "◌",
            State::Failing => "✖",
            State::Restarting => "↻",
            State::Warning | State::Degraded => "▲",
            State::Drift => "◐",
            State::Pending => "△",
            State::Starting => "◔",
            State::Leftover => "▽",
            State::Ok | State::Running => "●",
            State::Stopped => "○",
            State::Archived => "▫",
        }
    }

    /// The same for a terminal that knows ASCII only.
    pub fn letter(self) -> &'static str {
        match self {
            State::Lost | State::Unknown => "?",
            State::Failing | State::Restarting => "X",
            State::Warning | State::Degraded => "!",
            State::Drift => "~",
            State::Pending => "+",
            State::Starting => ".",
            State::Leftover => "-",
            State::Ok | State::Running => "o",
            State::Stopped | State::Archived => "_",
        }
    }

    /// How much it matters: 0 first.
    pub fn severity(self) -> u8 {
        match self {
            State::Lost | State::Failing | State::Restarting => 0,
            State::Warning | State::Degraded => 1,
            State::Drift => 2,
            State::Pending | State::Starting => 3,
            State::Unknown => 4,
            State::Leftover => 5,
            State::Ok | State::Running => 6,
            State::Stopped => 7,
            State::Archived => 8,
        }
    }

    /// Whether nothing wants attention.
    pub fn is_well(self) -> bool {
        self.severity() >= 6
    }
}

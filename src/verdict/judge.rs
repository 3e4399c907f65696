//! What is the matter with a site: its state and the reason, out of all that is known of it.

use super::container::{Health, exit_words, health, was_killed};
use super::evidence::{Facts, HostData};
use super::row::SiteRow;
use super::state::State;
use crate::fleet::{Recipe, Site, SiteState};
use crate::observe::model::{ObservedContainer, RunState};
use crate::plan::drift::Field;
use crate::record::{RecordedState, SiteRecord};
use crate::text::{clean, rate, size};

/// A container that started less than this ago and does not answer yet is starting.
const STARTING_S: i64 = 60;

/// A site of the file, and what it is judged by.
pub(super) struct Case<'a> {
    pub facts: &'a Facts<'a>,
    pub site: &'a Site,
    pub data: &'a HostData,
    pub serving: Option<&'a ObservedContainer>,
    pub record: Option<&'a SiteRecord>,
    /// What apply would do about it.
    pub causes: &'a [String],
    /// Its row so far: numbers, limits, what differs.
    pub row: &'a SiteRow,
}

/// A state and why.
pub(super) type Judged = (State, String);

impl Case<'_> {
    /// State and reason.
    pub fn judge(&self) -> Judged {
        if self.data.observed.is_none() {
            return (State::Unknown, String::new());
        }
        let due = !self.causes.is_empty();
        match self.site.state {
            SiteState::Archived if self.serving.is_none() && !due => well(State::Archived),
            SiteState::Archived => self.pending("to be archived"),
            SiteState::Stopped if self.record.is_none() && self.serving.is_none() => {
                self.pending("not applied yet")
            }
            SiteState::Stopped => {
                let up = self.serving.is_some_and(ObservedContainer::is_running);
                match up || due || self.by_hand().next().is_some() {
                    true => self.pending("to be stopped"),
                    false => well(State::Stopped),
                }
            }
            SiteState::Running if matches!(self.site.recipe, Recipe::Proxy { .. }) => {
                self.proxied()
            }
            SiteState::Running => match self.serving {
                None if self.is_applied_as(SiteState::Running) => {
                    (State::Failing, "its container is gone".into())
                }
                None if self.is_applied() => self.pending("to be started"),
                None => self.pending("not applied yet"),
                Some(container) => self.contained(container),
            },
        }
    }

    fn is_applied(&self) -> bool {
        self.record
            .is_some_and(|r| r.state != RecordedState::Leftover)
    }

    fn is_applied_as(&self, state: SiteState) -> bool {
        self.record
            .is_some_and(|r| r.state == RecordedState::Wanted(state))
    }

    fn by_hand(&self) -> impl Iterator<Item = &Field> {
        self.row.drift.iter().filter(|field| field.by_hand())
    }

    fn differs(&self) -> bool {
        !self.causes.is_empty() || self.by_hand().next().is_some()
    }

    /// It is not as the file says: because the host was changed, or the file was.
    fn pending(&self, fallback: &str) -> Judged {
        let by_hand = joined(self.by_hand().map(Field::line));
        if !by_hand.is_empty() && self.is_applied() && self.serving.is_some() {
            return (State::Drift, by_hand);
        }
        match self.causes {
            [] => (State::Pending, fallback.to_owned()),
            causes => (State::Pending, joined(causes)),
        }
    }

    fn proxied(&self) -> Judged {
        match self.row.http {
            Some(http) if http.value >= 500 => (State::Failing, format!("answers {}", http.value)),
            _ if self.differs() => self.pending(""),
            _ if !self.is_applied() => self.pending("not applied yet"),
            _ => well(State::Ok),
        }
    }

    /// The kills for memory that still matter, in words.
    fn oom(&self, container: &ObservedContainer) -> Option<String> {
        let history = self.data.history.get(&container.id);
        was_killed(history, self.facts.now)
            .then(|| format!("oom ×{}{}", self.row.oom, self.limit()))
    }

    fn limit(&self) -> String {
        let limit = self.row.memory_limit;
        limit.map_or_else(String::new, |m| format!(", memory {}", size(m)))
    }

    fn ended(&self, container: &ObservedContainer) -> String {
        format!("container {}", exit_words(container, &self.limit()))
    }

    fn contained(&self, container: &ObservedContainer) -> Judged {
        let oom = self.oom(container);
        let now = self.facts.now;
        let up_for = self.row.since.map(|at| now - at);
        // One that the engine started again after it ended is not starting: it is failing.
        let young =
            up_for.is_some_and(|s| s < STARTING_S) && self.row.restarts == 0 && oom.is_none();
        let made = now - self.data.ours(container.created);
        match container.run {
            RunState::Running => self.running(container, oom, young),
            RunState::Restarting => {
                let why = oom.unwrap_or_else(|| self.ended(container));
                (State::Restarting, why)
            }
            RunState::Created if young || made < STARTING_S => well(State::Starting),
            RunState::Paused => (State::Failing, "its container is paused".into()),
            _ if self.is_applied() && !self.is_applied_as(SiteState::Running) => {
                self.pending("to be started")
            }
            RunState::Created => (State::Failing, "its container was never started".into()),
            _ => {
                let ended = self.ended(container);
                let why = oom.map_or(ended.clone(), |oom| format!("{oom}; {ended}"));
                (State::Failing, why)
            }
        }
    }

    /// One whose container runs.
    fn running(&self, container: &ObservedContainer, oom: Option<String>, young: bool) -> Judged {
        let row = self.row;
        let full = match (row.memory_used, row.memory_limit) {
            (Some(used), Some(limit)) if limit > 0 && used.value as f64 >= 0.95 * limit as f64 => {
                Some(format!("memory {} of {}", size(used.value), size(limit)))
            }
            _ => None,
        };
        if let Some(http) = row.http.filter(|h| h.value >= 500) {
            let answers = format!("answers {}", http.value);
            return match (oom, full) {
                _ if young => (State::Starting, answers),
                (Some(oom), _) => (State::Failing, oom),
                (None, Some(full)) => (State::Failing, format!("{answers}, {full}")),
                (None, None) => (State::Failing, answers),
            };
        }
        match health(container) {
            Health::Bad => return (State::Failing, "its health command fails".into()),
            Health::Starting => {
                let why = "its health command has not passed yet";
                return (State::Starting, why.into());
            }
            Health::Fine => {}
        }
        if let Some(oom) = oom {
            return (State::Warning, oom);
        }
        if let Some(errors) = row.errors.filter(|e| e.value >= 1.0) {
            let why = format!("{} answers of 5xx a minute", rate(errors.value));
            return (State::Warning, why);
        }
        match full {
            Some(full) => (State::Warning, full),
            None if self.differs() => self.pending(""),
            None => well(State::Ok),
        }
    }
}

fn well(state: State) -> Judged {
    (state, String::new())
}

/// Reasons in one line, harmless.
pub(super) fn joined(reasons: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let mut line = String::new();
    for reason in reasons {
        if !line.is_empty() {
            line.push_str("; ");
        }
        line.push_str(&clean(reason.as_ref()));
    }
    line
}

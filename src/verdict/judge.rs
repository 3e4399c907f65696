//! What is the matter with a site: its state, the reason, and since when, out of all that is known of
//! it.

use super::container::{Health, exit_words, health, turned, was_killed, was_stopped};
use super::evidence::{Facts, HostData};
use super::history::History;
use super::row::SiteRow;
use super::serving::{Serves, Signs, errors_a_minute};
use super::since::Since;
use super::state::State;
use crate::fleet::{Recipe, Site, SiteState};
use crate::observe::asked::SiteAnswer;
use crate::observe::model::{ObservedContainer, ObservedHost, RunState};
use crate::observe::whose::{Whose, whose};
use crate::plan::drift::Field;
use crate::record::{Applying, RecordedState, SiteRecord, StateRead, names};
use crate::text::{clean, size};

/// A container that started less than this ago and does not answer yet is starting.
const STARTING_S: i64 = 60;

/// A site of the file, and what it is judged by.
pub(super) struct Case<'a> {
    pub facts: &'a Facts<'a>,
    pub site: &'a Site,
    pub data: &'a HostData,
    pub serving: Option<&'a ObservedContainer>,
    pub record: Option<&'a SiteRecord>,
    /// Whether any container of a site is there.
    pub inhabited: bool,
    /// What apply would do about it.
    pub causes: &'a [String],
    /// Its row so far: numbers, limits, what differs.
    pub row: &'a SiteRow,
    /// What is known of how it serves.
    pub signs: Signs<'a>,
}

/// A state, why, and since when.
pub(super) struct Judged {
    pub state: State,
    pub why: String,
    pub since: Option<Since>,
}

impl Judged {
    fn new(state: State, why: impl Into<String>, since: Option<Since>) -> Judged {
        let why = why.into();
        Judged { state, why, since }
    }
}

impl Case<'_> {
    /// State, reason and beginning.
    pub fn judge(&self) -> Judged {
        let Some(seen) = self.data.observed.as_deref() else {
            return Judged::new(State::Unknown, "", None);
        };
        let judged = match self.unrecorded(seen) {
            Some(why) => Judged::new(State::Unknown, why, None),
            None => self.as_wanted(),
        };
        match self.applying(seen) {
            Some(note) => self.under_way(judged, note),
            None => judged,
        }
    }

    /// Why nobody can say what was applied of a site that has no container.
    fn unrecorded(&self, seen: &ObservedHost) -> Option<&'static str> {
        if self.serving.is_some() {
            return None;
        }
        match seen.state {
            StateRead::Read(_) => None,
            StateRead::Damaged { .. } => Some("what was applied there cannot be read"),
            StateRead::NoToolbox if self.inhabited => {
                Some("its host's toolbox is gone: what was applied is not known")
            }
            StateRead::NoToolbox => None,
        }
    }

    fn as_wanted(&self) -> Judged {
        let due = !self.causes.is_empty();
        match self.site.state {
            SiteState::Archived if self.serving.is_none() && !due => {
                Judged::new(State::Archived, "", None)
            }
            SiteState::Archived => self.pending("to be archived"),
            SiteState::Stopped if self.record.is_none() && self.serving.is_none() => {
                self.pending("not applied yet")
            }
            SiteState::Stopped => {
                let up = self.serving.is_some_and(ObservedContainer::is_running);
                match up || due || self.by_hand().next().is_some() {
                    true => self.pending("to be stopped"),
                    false => Judged::new(State::Stopped, "", self.turned()),
                }
            }
            SiteState::Running if self.is_proxy() => self.proxied(),
            SiteState::Running => match self.serving {
                None if self.is_applied_as(SiteState::Running) => {
                    Judged::new(State::Failing, "its container is gone", self.removed())
                }
                None if self.is_applied() => self.pending("to be started"),
                None => self.pending("not applied yet"),
                Some(container) => self.contained(container),
            },
        }
    }

    /// An apply that works on it at this moment.
    fn applying<'s>(&self, seen: &'s ObservedHost) -> Option<&'s Applying> {
        let mut notes = seen.applying().filter(|note| seen.is_running(note));
        notes.find(|note| note.sites.contains(&self.site.name))
    }

    /// An apply of it that was cut off.
    fn cut_off(&self) -> Option<&Applying> {
        let mut notes = self.data.observed.as_deref()?.unfinished();
        notes.find(|note| note.sites.contains(&self.site.name))
    }

    /// What is not as it should be while it is worked on is not done by hand, and is no failure.
    fn under_way(&self, judged: Judged, note: &Applying) -> Judged {
        let up = self.serving.is_some_and(ObservedContainer::is_running);
        let down = judged.state == State::Failing && !up && !self.is_proxy();
        let new = judged.state == State::Failing && self.is_new();
        let odd = matches!(
            judged.state,
            State::Drift | State::Pending | State::Restarting
        );
        if !(down || new || odd) {
            return judged;
        }
        let word = match self.site.state {
            SiteState::Archived => "archived",
            SiteState::Stopped => "stopped",
            SiteState::Running => "applied",
        };
        let began = chrono::DateTime::parse_from_rfc3339(&note.at).ok();
        let since = began.map(|at| Since::exactly(at.timestamp()));
        let why = format!("is being {word} by {}", clean(&note.who));
        Judged::new(State::Pending, why, since)
    }

    fn is_proxy(&self) -> bool {
        matches!(self.site.recipe, Recipe::Proxy { .. })
    }

    fn is_applied(&self) -> bool {
        self.record
            .is_some_and(|r| r.state != RecordedState::Leftover)
    }

    /// Whether it was never applied, as far as that can be read.
    fn is_new(&self) -> bool {
        let seen = self.data.observed.as_deref();
        !self.is_applied() && seen.is_some_and(|seen| seen.state.read().is_some())
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

    /// It is not as the file says: because the host was changed, or the file was, or because an
    /// apply was cut off.
    fn pending(&self, fallback: &str) -> Judged {
        let by_hand = joined(self.by_hand().map(Field::line));
        let causes = match self.causes {
            [] => fallback.to_owned(),
            causes => joined(causes),
        };
        if let Some(note) = self.cut_off() {
            let mut why = format!("the apply of {} was cut off", clean(&note.who));
            if !causes.is_empty() {
                why = format!("{why}; {causes}");
            }
            return Judged::new(State::Pending, why, None);
        }
        if !by_hand.is_empty() && self.is_applied() && (self.serving.is_some() || self.is_proxy()) {
            return Judged::new(State::Drift, by_hand, self.changed());
        }
        Judged::new(State::Pending, causes, None)
    }

    /// When the host was changed by hand: the first change, as far as all of them are known.
    fn changed(&self) -> Option<Since> {
        let mut first = None;
        let mut all_known = true;
        for field in self.by_hand() {
            let at = self.moment(field);
            all_known &= at.is_some();
            first = Since::first(first, at.map(Since::exactly));
        }
        first.map(|since| Since {
            exact: all_known,
            ..since
        })
    }

    /// When one thing was changed by hand, where the engine told.
    fn moment(&self, field: &Field) -> Option<i64> {
        match &*field.path {
            "memory" | "cpus" | "pids" | "restart" => self.history()?.updated,
            "state" => self.row.turned,
            "container" => match self.serving {
                Some(container) => Some(self.data.ours(container.created)),
                None => self.removed().map(|since| since.at),
            },
            _ => None,
        }
    }

    /// Whether what came of our question only says that the file has domains that no apply has told
    /// the router of yet.
    fn is_unrouted(&self) -> bool {
        let page = match self.signs.answer() {
            Some(SiteAnswer::Router { page, .. }) => page.as_str(),
            _ => return false,
        };
        page == "unknown-domain" && (self.is_new() || !self.causes.is_empty())
    }

    /// How it serves. One whose router does not run fails since that ended.
    fn serves(&self) -> Serves {
        let serves = self.signs.judge();
        match (serves, self.signs.answer()) {
            (Serves::Not(why, since), Some(SiteAnswer::NoRouter(_))) => {
                let ended = self.router_ended().map(Since::exactly);
                Serves::Not(why, Since::first(ended, Some(since)).unwrap_or(since))
            }
            (serves, _) => serves,
        }
    }

    /// When the host's router ended, if it does not run.
    fn router_ended(&self) -> Option<i64> {
        let fleet = &self.facts.fleet?.name;
        let containers = &self.data.observed.as_deref()?.containers;
        let is_router = |c: &&ObservedContainer| whose(c, fleet) == Some(Whose::Router);
        let mut routers = containers.iter().filter(is_router);
        let router = routers.next()?;
        let down = !router.is_running() && routers.next().is_none();
        down.then(|| turned(router, self.data))?
    }

    fn proxied(&self) -> Judged {
        match self.serves() {
            _ if !self.is_applied() => self.pending("not applied yet"),
            _ if !self.is_applied_as(SiteState::Running) => self.pending("to be started"),
            Serves::Not(why, since) if !self.is_unrouted() => {
                Judged::new(State::Failing, why, Some(since))
            }
            _ if self.differs() => self.pending(""),
            Serves::Partly(why, since) => Judged::new(State::Warning, why, since),
            Serves::Well | Serves::Not(..) => Judged::new(State::Ok, "", self.signs.again()),
        }
    }

    fn history(&self) -> Option<&History> {
        self.data.history.get(&self.serving?.id)
    }

    /// When its container started, or ended.
    fn turned(&self) -> Option<Since> {
        self.row.turned.map(Since::exactly)
    }

    /// When its container was removed.
    fn removed(&self) -> Option<Since> {
        let name = names::site(&self.facts.fleet?.name, self.site.name.as_str());
        self.data.removed.get(&name).copied().map(Since::exactly)
    }

    /// The kills for memory that still matter, in words.
    fn oom(&self) -> Option<String> {
        was_killed(self.history(), self.facts.now)
            .then(|| format!("oom ×{}{}", self.row.oom, self.limit()))
    }

    fn limit(&self) -> String {
        let limit = self.row.memory_limit;
        limit.map_or_else(String::new, |m| format!(", memory {}", size(m)))
    }

    fn ended(&self, container: &ObservedContainer) -> String {
        let asked = match self.cut_off() {
            Some(_) if container.run == RunState::Exited => Some("by an apply that was cut off"),
            _ => was_stopped(container, self.history()).then_some("by hand"),
        };
        format!("container {}", exit_words(container, &self.limit(), asked))
    }

    fn contained(&self, container: &ObservedContainer) -> Judged {
        let oom = self.oom();
        let now = self.facts.now;
        let up_for = self.row.turned.map(|at| now - at);
        // One that the engine started again after it ended is not starting: it is failing.
        let young =
            up_for.is_some_and(|s| s < STARTING_S) && self.row.restarts == 0 && oom.is_none();
        let made = self.data.ours(container.created);
        let failing = |why: &str, since| Judged::new(State::Failing, why, since);
        match container.run {
            RunState::Running => self.running(container, oom, young),
            RunState::Restarting => {
                let why = oom.unwrap_or_else(|| self.ended(container));
                let heard = self
                    .history()
                    .and_then(|h| h.restarting(self.data.listening));
                let ended = self.row.turned.map(Since::at_least);
                Judged::new(State::Restarting, why, Since::first(heard, ended))
            }
            RunState::Created if young || now - made < STARTING_S => {
                Judged::new(State::Starting, "", Some(Since::exactly(made)))
            }
            RunState::Paused => {
                let since = self.history().and_then(|h| h.changed);
                failing("its container is paused", since.map(Since::exactly))
            }
            _ if self.is_applied() && !self.is_applied_as(SiteState::Running) => {
                self.pending("to be started")
            }
            RunState::Created => failing(
                "its container was never started",
                Some(Since::exactly(made)),
            ),
            RunState::Dead => failing("the engine gave its container up", self.turned()),
            RunState::Removing => failing("its container is being removed", None),
            _ => {
                let ended = self.ended(container);
                let why = oom.map_or(ended.clone(), |oom| format!("{oom}; {ended}"));
                failing(&why, self.turned())
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
        if let Serves::Not(answers, since) = self.serves()
            && !self.is_unrouted()
        {
            let why = match (oom, full) {
                _ if young => return Judged::new(State::Starting, answers, self.turned()),
                (Some(oom), _) => format!("{oom}; {answers}"),
                (None, Some(full)) => format!("{answers}, {full}"),
                (None, None) => answers,
            };
            return Judged::new(State::Failing, why, Some(since));
        }
        match health(container) {
            Health::Bad => {
                let told = self.history().and_then(|h| h.health);
                let since = told.and_then(|(good, at)| (!good).then_some(Since::exactly(at)));
                return Judged::new(State::Failing, "its health command fails", since);
            }
            Health::Starting => {
                let why = "its health command has not passed yet";
                return Judged::new(State::Starting, why, self.turned());
            }
            Health::Fine => {}
        }
        let warning = |why, since| Judged::new(State::Warning, why, since);
        if let Some(oom) = oom {
            let since = self.history().and_then(|h| h.killed(self.data.listening));
            return warning(oom, since);
        }
        if let Serves::Partly(why, since) = self.signs.judge() {
            return warning(why, since);
        }
        if let Some(errors) = row.errors.filter(|e| e.value >= 1.0) {
            return warning(
                errors_a_minute(errors.value),
                self.signs.traffic.and_then(|t| t.erring),
            );
        }
        match full {
            Some(full) => warning(full, None),
            None if self.differs() || self.is_new() => self.pending("not applied yet"),
            None => Judged::new(State::Ok, "", self.well()),
        }
    }

    /// Since when it is well: since its container started, or since the last trouble was over.
    fn well(&self) -> Option<Since> {
        let history = self.history();
        let killed = history.filter(|h| h.ooms > 0).map(|h| h.last_oom);
        let healthy = history.and_then(|h| h.health);
        let healthy = healthy.and_then(|(good, at)| good.then_some(at));
        // What was set by hand was put right by setting it.
        let set = history.and_then(|h| h.updated);
        let over = [killed, healthy, set].into_iter().flatten().max();
        let over = Since::last(over.map(Since::exactly), self.signs.again());
        Since::last(self.turned(), over)
    }
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

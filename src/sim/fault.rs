//! Things that go wrong on purpose.

use std::sync::Mutex;

/// Changing calls that are remembered.
const TRACED: usize = 10_000;

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The engine answers with this error status and does nothing.
    Fail(u16),
    /// Nothing is done, and no answer ever comes.
    Hang,
    /// The connection is closed without an answer; nothing is done.
    Drop,
    /// It is done, and the connection is closed without an answer.
    Lose,
    /// It is done, and the answer ends after so many bytes of its body.
    CutAfter(usize),
    /// It is done, and the answer is JSON that says something else.
    Nonsense,
}

/// Which call is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum When {
    /// The n-th call from now on, counted from 1.
    Call(u64),
    /// The n-th changing call from now on (commands in containers included), counted from 1.
    Change(u64),
    /// Every call with that method, empty for any, whose path without its version contains the
    /// text.
    Every(&'static str, String),
    /// As [`When::Every`], but only the next one.
    Next(&'static str, String),
}

#[derive(Debug)]
struct Rule {
    when: When,
    fault: Fault,
    /// How many calls of the counted kind had been made when the rule was set.
    since: u64,
}

/// The faults in store. Several rules may be set; the first that fits is taken.
#[derive(Debug, Default)]
pub struct Faults {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    rules: Vec<Rule>,
    calls: u64,
    changes: u64,
    reading: u64,
    /// The changing calls, as far as remembered.
    trace: Vec<String>,
    /// The clients with connectors up to the second number are gone once there were as many
    /// changes as the first says.
    mortal: Option<(u64, u64)>,
    /// The clients with connectors up to that number are gone.
    dead: u64,
    /// Connectors made so far.
    connectors: u64,
}

impl Inner {
    fn is_dead(&mut self, connector: u64) -> bool {
        if let Some((after, up_to)) = self.mortal
            && self.changes >= after
        {
            self.mortal = None;
            self.dead = up_to;
        }
        connector <= self.dead
    }
}

/// What a call meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Serve,
    /// It is served with a fault.
    Faulty(Fault),
    /// The client was killed before it.
    Dead,
}

impl Faults {
    fn inner(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Adds a rule.
    pub fn at(&self, when: When, fault: Fault) {
        let mut inner = self.inner();
        let since = match when {
            When::Change(_) => inner.changes,
            _ => inner.calls,
        };
        inner.rules.push(Rule { when, fault, since });
    }

    /// Forgets all rules. Clients that are gone stay gone.
    pub fn clear(&self) {
        let mut inner = self.inner();
        inner.rules.clear();
        inner.is_dead(0);
        inner.mortal = None;
    }

    /// After so many more changing calls (commands in containers included) no call at all of any
    /// client that there is now is served: its process has ended. A new one needs a new
    /// connector, [`super::Sim::connector`].
    pub fn kill_client_after(&self, changes: u64) {
        let mut inner = self.inner();
        inner.mortal = Some((inner.changes + changes, inner.connectors));
    }

    /// Number of a new connector.
    pub(super) fn next_connector(&self) -> u64 {
        let mut inner = self.inner();
        inner.connectors += 1;
        inner.connectors
    }

    /// Changing calls so far, commands in containers included.
    pub fn changes(&self) -> u64 {
        self.inner().changes
    }

    /// The first changing calls, `METHOD /path` each.
    pub fn trace(&self) -> Vec<String> {
        self.inner().trace.clone()
    }

    /// Reading calls so far.
    pub fn reads(&self) -> u64 {
        self.inner().reading
    }

    /// Whether the client of a connector is gone.
    pub(super) fn is_dead(&self, connector: u64) -> bool {
        self.inner().is_dead(connector)
    }

    pub(super) fn judge(
        &self,
        connector: u64,
        method: &str,
        path: &str,
        changing: bool,
    ) -> Verdict {
        let mut inner = self.inner();
        // Death comes before the first call that is too many, not at the last that is allowed.
        if inner.is_dead(connector) {
            return Verdict::Dead;
        }
        inner.calls += 1;
        if changing {
            if inner.trace.len() < TRACED {
                inner.trace.push(format!("{method} {path}"));
            }
            inner.changes += 1;
        } else {
            inner.reading += 1;
        }
        let (calls, changes) = (inner.calls, inner.changes);
        let fits = |of: &str, text: &str| (of.is_empty() || of == method) && path.contains(text);
        let found = inner.rules.iter().position(|rule| match &rule.when {
            When::Call(n) => calls == rule.since + n,
            When::Change(n) => changing && changes == rule.since + n,
            When::Every(of, text) | When::Next(of, text) => fits(of, text),
        });
        let Some(at) = found else {
            return Verdict::Serve;
        };
        let fault = inner.rules[at].fault;
        if !matches!(inner.rules[at].when, When::Every(..)) {
            inner.rules.remove(at);
        }
        Verdict::Faulty(fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_meet_the_call_they_name() {
        let faults = Faults::default();
        assert_eq!(faults.next_connector(), 1);
        faults.at(When::Call(2), Fault::Hang);
        faults.at(When::Next("POST", "/start".into()), Fault::Fail(500));
        assert_eq!(faults.judge(1, "GET", "/info", false), Verdict::Serve);
        assert_eq!(
            faults.judge(1, "GET", "/info", false),
            Verdict::Faulty(Fault::Hang)
        );
        assert_eq!(
            faults.judge(1, "POST", "/containers/a/start", true),
            Verdict::Faulty(Fault::Fail(500))
        );
        assert_eq!(
            faults.judge(1, "POST", "/containers/a/start", true),
            Verdict::Serve
        );
        faults.kill_client_after(1);
        assert_eq!(faults.judge(1, "GET", "/info", false), Verdict::Serve);
        assert_eq!(
            faults.judge(1, "POST", "/containers/a/stop", true),
            Verdict::Serve
        );
        assert_eq!(faults.judge(1, "GET", "/info", false), Verdict::Dead);
        faults.clear();
        assert_eq!(faults.judge(1, "GET", "/info", false), Verdict::Dead);
        assert_eq!(faults.next_connector(), 2);
        assert_eq!(faults.judge(2, "GET", "/info", false), Verdict::Serve);
        assert_eq!((faults.changes(), faults.reads()), (3, 4));
    }
}

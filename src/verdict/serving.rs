//! How a site serves its visitors: what came of our own question, and what the router's log tells of
//! theirs. A question of ours is judged as one, never as a visitor.

use super::evidence::{Run, Traffic};
use super::since::Since;
use crate::observe::asked::{Probe, SiteAnswer};
use crate::text::{count, rate};

/// What visitors got so lately says how the site does now, seconds.
const LATELY_S: i64 = 120;
/// So many visitors who gave up in a row say that a site hangs, where nobody else could ask it: one
/// alone may have had no patience.
const TELLING: u32 = 2;

/// What is known of how a site serves.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Signs<'a> {
    /// Our own question.
    pub probe: Option<&'a Probe>,
    /// The router's numbers.
    pub traffic: Option<&'a Traffic>,
    /// When its container started: signs of before say nothing about it.
    pub begun: Option<i64>,
    /// Unix seconds.
    pub now: i64,
}

/// What that comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Serves {
    /// Nothing speaks against it.
    Well,
    /// Some get an answer.
    Partly(String, Option<Since>),
    /// Nobody does.
    Not(String, Since),
}

impl Signs<'_> {
    /// Judges them.
    pub fn judge(&self) -> Serves {
        match self.answer() {
            None => self.visitors(),
            Some(answer) if answer.is_good() == Some(true) => self.answered(),
            Some(answer) => self.unanswered(answer),
        }
    }

    /// Our own question was answered.
    fn answered(&self) -> Serves {
        let telling =
            |run: &Run| run.count >= TELLING && self.is_late(run.last) && !self.is_over(run);
        let Some(run) = self.waited().filter(telling) else {
            return Serves::Well;
        };
        let since = Since::signs(run.first, self.good_before(run.first));
        Serves::Partly(format!("{}; asked, it answers", gave_up(&run)), Some(since))
    }

    /// It was not, or badly.
    fn unanswered(&self, answer: &SiteAnswer) -> Serves {
        let mut why = answer.words();
        let Some(since) = self.since() else {
            return Serves::Well;
        };
        let served = self
            .good()
            .filter(|at| *at >= since.at && self.is_late(*at));
        if self.bad().is_none() && served.is_some() {
            return Serves::Partly(format!("{why}; visitors get answers"), Some(since));
        }
        if let Some(run) = self.waited().filter(|run| self.is_news(run)) {
            why = format!("{why}; {}", gave_up(&run));
        }
        Serves::Not(why, since)
    }

    /// Where only visitors asked.
    fn visitors(&self) -> Serves {
        let Some(bad) = self.bad().filter(|run| self.is_news(run)) else {
            return Serves::Well;
        };
        let since = self.since().unwrap_or(Since::at_least(bad.last));
        let waited = self.waited();
        let status = self.traffic.and_then(|traffic| traffic.status);
        let error = status.filter(|(status, at)| *status >= 500 && *at >= bad.first);
        let waited = waited.filter(|run| run.last >= bad.last);
        match (waited, error) {
            (Some(run), error) if error.is_some() || run.count >= TELLING => {
                Serves::Not(format!("does not answer: {}", gave_up(&run)), since)
            }
            (Some(run), _) => Serves::Partly(gave_up(&run), Some(since)),
            // One may have asked for what is broken alone.
            (None, Some((status, _))) if bad.count >= TELLING && self.is_late(bad.last) => {
                Serves::Not(format!("answers {status}"), since)
            }
            (None, Some((status, _))) => {
                Serves::Partly(format!("its last visitor got {status}"), Some(since))
            }
            (None, None) => Serves::Well,
        }
    }

    /// Our own question to this run of its container, where it came to something.
    pub fn answer(&self) -> Option<&SiteAnswer> {
        let probe = self.probe.filter(|probe| self.is_of_this_run(probe.at));
        probe
            .map(|probe| &probe.answer)
            .filter(|it| it.is_good().is_some())
    }

    /// The first sign that it does not serve.
    fn since(&self) -> Option<Since> {
        let asked = self
            .answer()
            .and(self.probe)
            .and_then(|probe| probe.failing_since);
        let ok = self.last_ok();
        let visitors = self.bad().map(|run| run.first);
        // Visitors who came before our last good answer were of another time, or asked for more.
        let visitors = visitors.filter(|first| ok.is_none_or(|ok| *first > ok));
        let first = [asked, visitors].into_iter().flatten().min()?;
        Some(Since::signs(first, self.good_before(first)))
    }

    /// Since when it serves again, where it did not; `None`: nothing is known of a time when it did
    /// not.
    pub fn again(&self) -> Option<Since> {
        let asked = self.probe.and_then(|probe| {
            let well = probe.well_since?;
            Some(Since::signs(well, probe.last_bad))
        });
        let visitors = self.traffic.and_then(|traffic| traffic.again);
        Since::last(asked, visitors)
    }

    /// The bad answers that visitors got since the last good one.
    pub fn bad(&self) -> Option<Run> {
        let run = self.traffic?.bad?;
        self.is_of_this_run(run.last).then_some(run)
    }

    /// Those of them who waited in vain.
    pub fn waited(&self) -> Option<Run> {
        let run = self.traffic?.waited?;
        self.is_of_this_run(run.last).then_some(run)
    }

    /// When a visitor last got a good answer.
    fn good(&self) -> Option<i64> {
        self.traffic?.good
    }

    /// The last good sign up to a moment.
    fn good_before(&self, moment: i64) -> Option<i64> {
        let all = [self.last_ok(), self.good()].into_iter().flatten();
        all.filter(|at| *at <= moment).max()
    }

    /// When our question was last answered well.
    fn last_ok(&self) -> Option<i64> {
        self.probe?.last_ok
    }

    /// Whether any of those visitors came after that.
    fn is_news(&self, run: &Run) -> bool {
        self.last_ok().is_none_or(|ok| run.last > ok)
    }

    /// Whether those visitors came before it was seen to answer again.
    fn is_over(&self, run: &Run) -> bool {
        let well = self.probe.and_then(|probe| probe.well_since);
        well.is_some_and(|well| run.last < well)
    }

    fn is_of_this_run(&self, at: i64) -> bool {
        self.begun.is_none_or(|begun| at >= begun)
    }

    fn is_late(&self, at: i64) -> bool {
        self.now - at < LATELY_S
    }
}

/// How many answers of 500 and above there are a minute, in words.
pub(super) fn errors_a_minute(n: f64) -> String {
    let n = rate(n);
    let noun = if n == "1" { "answer" } else { "answers" };
    format!("{n} {noun} of 5xx a minute")
}

fn gave_up(run: &Run) -> String {
    format!("{} waited in vain", count(run.count as usize, "visitor"))
}

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
        let (bad, waited) = (self.bad(), self.waited());
        let visitors = waited.map(|run| gave_up(&run));
        let Some(answer) = self.answer() else {
            return self.visitors(bad, waited);
        };
        let (false, Some(since)) = (answer.is_good() == Some(true), self.since()) else {
            return match waited {
                Some(run)
                    if run.count >= TELLING && self.is_late(run.last) && !self.is_over(&run) =>
                {
                    let since = Since::signs(run.first, self.good_before(run.first));
                    Serves::Partly(format!("{}; asked, it answers", gave_up(&run)), Some(since))
                }
                _ => Serves::Well,
            };
        };
        let mut why = answer.words();
        if bad.is_none()
            && self
                .good()
                .is_some_and(|at| at >= since.at && self.is_late(at))
        {
            return Serves::Partly(format!("{why}; visitors get answers"), Some(since));
        }
        if let Some(visitors) = visitors {
            why = format!("{why}; {visitors}");
        }
        Serves::Not(why, since)
    }

    /// Where only visitors asked.
    fn visitors(&self, bad: Option<Run>, waited: Option<Run>) -> Serves {
        let (Some(bad), Some(since)) = (bad, self.since()) else {
            return Serves::Well;
        };
        let status = self.traffic.and_then(|traffic| traffic.status);
        let error = status.filter(|(status, at)| *status >= 500 && *at >= bad.first);
        let waited = waited.filter(|run| run.last >= bad.last);
        match (waited, error) {
            (Some(run), error) if error.is_some() || run.count >= TELLING => {
                Serves::Not(format!("does not answer: {}", gave_up(&run)), since)
            }
            (Some(run), _) => Serves::Partly(gave_up(&run), Some(since)),
            (None, Some((status, _))) => Serves::Not(format!("answers {status}"), since),
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
        let firsts = [asked, self.bad().map(|run| run.first)];
        let first = firsts.into_iter().flatten().min()?;
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
        let asked = self.probe.and_then(|probe| probe.last_ok);
        let all = [asked, self.good()].into_iter().flatten();
        all.filter(|at| *at <= moment).max()
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

//! What events told of one container.

use super::since::Since;

/// Ends, or kills for memory, this near to each other belong together, seconds.
const TOGETHER_S: i64 = 3_600;

/// What was heard of a container: what it did while the console ran, and what the engine
/// remembered of the hour before.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct History {
    /// Kills for memory, of those that belong together.
    pub ooms: u32,
    /// The first of them, unix seconds.
    pub first_oom: i64,
    /// The last of them.
    pub last_oom: i64,
    /// When it last changed between running and not.
    pub changed: Option<i64>,
    /// The first and the last of its ends that belong together.
    pub ends: Option<(i64, i64)>,
    /// What its health command last came to, and when that was news.
    pub health: Option<(bool, i64)>,
    /// When its limits or its restart policy were last set.
    pub updated: Option<i64>,
    /// When somebody last asked the engine to stop it.
    pub stopped: Option<i64>,
}

impl History {
    /// Takes an event: the engine's word, and more of it.
    pub fn take(&mut self, at: i64, action: &str, detail: &str) {
        match action {
            "oom" => {
                if at - self.last_oom > TOGETHER_S {
                    (self.ooms, self.first_oom) = (0, at);
                }
                self.ooms += 1;
                self.last_oom = at;
            }
            "die" => {
                self.changed = Some(at);
                let near = |(_, last): &(i64, i64)| at - last <= TOGETHER_S;
                let first = self.ends.filter(near).map_or(at, |(first, _)| first);
                self.ends = Some((first, at));
            }
            "start" | "pause" | "unpause" => self.changed = Some(at),
            "stop" => self.stopped = Some(at),
            "update" => self.updated = Some(at),
            "health_status" => self.health = Some((detail == "healthy", at)),
            _ => {}
        }
    }

    /// Since when the engine keeps starting it again. `from`: when listening began.
    pub fn restarting(&self, from: Option<i64>) -> Option<Since> {
        let (first, _) = self.ends?;
        Some(Since::heard(first, from))
    }

    /// Since when it is killed for memory.
    pub fn killed(&self, from: Option<i64>) -> Option<Since> {
        (self.ooms > 0).then(|| Since::heard(self.first_oom, from))
    }

    /// Whether somebody asked the engine to end it, the last time it ended.
    pub fn was_stopped(&self) -> bool {
        // The engine tells of the end first, then that it was asked for.
        let ended = self.ends.map(|(_, last)| last);
        self.stopped
            .zip(ended)
            .is_some_and(|(stop, end)| stop >= end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(events: &[(i64, &str, &str)]) -> History {
        let mut history = History::default();
        for (at, action, detail) in events {
            history.take(*at, action, detail);
        }
        history
    }

    #[test]
    fn kills_and_ends_that_belong_together_have_one_beginning() {
        let kills = heard(&[(100, "oom", ""), (5_000, "oom", ""), (5_060, "oom", "")]);
        assert_eq!(
            (kills.ooms, kills.first_oom, kills.last_oom),
            (2, 5_000, 5_060)
        );
        assert_eq!(kills.killed(Some(4_000)), Some(Since::exactly(5_000)));
        // There may have been more before anybody listened.
        assert_eq!(kills.killed(Some(5_001)), Some(Since::at_least(5_000)));
        let ends = heard(&[(10, "die", ""), (11, "start", ""), (20, "die", "")]);
        assert_eq!(ends.restarting(Some(0)), Some(Since::exactly(10)));
        assert_eq!(ends.changed, Some(20));
        let again = heard(&[(10, "die", ""), (11, "start", ""), (9_000, "die", "")]);
        assert_eq!(again.restarting(None), Some(Since::at_least(9_000)));
        assert_eq!(
            heard(&[]).killed(None).or(heard(&[]).restarting(None)),
            None
        );
    }

    #[test]
    fn an_end_that_was_asked_for_is_told_from_others() {
        for (events, asked) in [
            (
                &[(10, "kill", ""), (12, "die", ""), (12, "stop", "")][..],
                true,
            ),
            (&[(12, "die", "")], false),
            (
                &[
                    (12, "die", ""),
                    (12, "stop", ""),
                    (20, "start", ""),
                    (30, "die", ""),
                ],
                false,
            ),
        ] {
            assert_eq!(heard(events).was_stopped(), asked, "{events:?}");
        }
        assert_eq!(
            heard(&[(9, "health_status", "unhealthy")]).health,
            Some((false, 9))
        );
        assert_eq!(heard(&[(9, "update", "")]).updated, Some(9));
    }
}

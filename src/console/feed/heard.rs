//! Which of a host's events were told already: an engine that is asked again says some of them
//! twice, and its clock may be set back at any time.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};

use tokio::time::Instant;

use crate::engine::EngineEvent;

/// How far back the engine is asked what happened at first, seconds.
const BEFORE_S: i64 = 3_600;
/// Asked for twice rather than missed, seconds.
const OVERLAP_S: i64 = 2;
/// Docker remembers 256 events.
const KEPT: usize = 512;

/// The events that were taken.
#[derive(Default)]
pub(super) struct Heard {
    recent: VecDeque<u64>,
    /// The newest: its time on the engine's clock, seconds, and on ours.
    last: Option<(i64, Instant)>,
}

impl Heard {
    /// Takes an event; false when it was taken before.
    pub(super) fn is_news(&mut self, event: &EngineEvent) -> bool {
        let mut hasher = DefaultHasher::new();
        (event.time_nano, &event.id, &event.action).hash(&mut hasher);
        let mark = hasher.finish();
        if self.recent.contains(&mark) {
            return false;
        }
        if self.recent.len() == KEPT {
            self.recent.pop_front();
        }
        self.recent.push_back(mark);
        self.last = Some((event.time_nano / 1_000_000_000, Instant::now()));
        true
    }

    /// From when on to ask for events, the engine's clock given.
    pub(super) fn since(&self, now: i64) -> i64 {
        match self.last {
            None => now - BEFORE_S,
            Some((at, _)) if at <= now => at,
            // The clock was set back since: what counts is how long ago it was.
            Some((_, at)) => now - at.elapsed().as_secs() as i64 - OVERLAP_S,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn event(seconds: i64, id: &str) -> EngineEvent {
        EngineEvent {
            time_nano: seconds * 1_000_000_000,
            kind: "container".into(),
            action: "die".into(),
            id: id.into(),
            attributes: Default::default(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_taken_twice_and_nothing_is_lost_when_a_clock_is_set_back() {
        let mut heard = Heard::default();
        assert_eq!(heard.since(10_000), 6_400);
        assert!(heard.is_news(&event(10_000, "a")));
        assert!(heard.is_news(&event(10_000, "b")));
        assert_eq!(heard.since(10_060), 10_000);
        tokio::time::advance(Duration::from_secs(60)).await;
        // An hour back: 10 060 is 6 460 now.
        assert_eq!(heard.since(6_460), 6_398);
        assert!(!heard.is_news(&event(10_000, "b")));
        assert!(heard.is_news(&event(6_461, "a")));
        assert_eq!(heard.since(6_470), 6_461);
        for n in 0..600 {
            assert!(heard.is_news(&event(6_462 + n, "a")));
        }
        assert_eq!(heard.recent.len(), KEPT);
    }
}

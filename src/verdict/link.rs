//! How a host is reached: its link, its round trip, its clock.

use std::time::Duration;

use serde::{Serialize, Serializer};

use super::state::State;

/// How a host is reached at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Link {
    /// First attempt.
    #[default]
    Connecting,
    /// It answers, and what is shown is current.
    Ready,
    /// It answers in part, or slowly.
    Degraded,
    /// It does not answer; the next attempt waits.
    BackingOff,
}

impl Serialize for Link {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.word())
    }
}

impl Link {
    pub fn word(self) -> &'static str {
        match self {
            Link::Connecting => "connecting",
            Link::Ready => "ready",
            Link::Degraded => "degraded",
            Link::BackingOff => "lost",
        }
    }

    /// How a host with it does.
    pub fn state(self) -> State {
        match self {
            Link::Connecting => State::Starting,
            Link::Ready => State::Ok,
            Link::Degraded => State::Degraded,
            Link::BackingOff => State::Lost,
        }
    }
}

/// How far away a host is, and how wrong its clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pulse {
    /// How long a ping took.
    pub round_trip: Duration,
    /// Seconds that the host's clock is ahead of ours; below 0: behind. To a second or two.
    pub skew_s: Option<i64>,
}

impl Pulse {
    /// Clocks are read in whole seconds, each its own: less is no difference.
    const SAME_S: i64 = 2;

    /// How wrong the host's clock is, where it is.
    pub fn skew(&self) -> Option<i64> {
        self.skew_s.filter(|s| s.abs() > Self::SAME_S)
    }

    /// Whether another pulse is worth telling: nobody reads on from 12 ms to 13 ms.
    pub fn differs(&self, other: &Pulse) -> bool {
        let ms = |p: &Pulse| p.round_trip.as_secs_f64() * 1e3;
        let (a, b) = (ms(self), ms(other));
        let far = (a - b).abs() > (a.min(b) * 0.3).max(2.0);
        far || self.skew() != other.skew()
    }
}

/// A change of a host's link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkChange {
    /// Unix seconds.
    pub at: i64,
    pub link: Link,
    pub why: String,
}

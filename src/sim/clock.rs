//! The simulated host's clock: it runs with the real one, from any date, and can be put forward.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// Nanoseconds in a second.
pub const SECOND: i64 = 1_000_000_000;

/// Unix nanoseconds that pass as fast as tokio's clock does: at a test's own pace where that is
/// paused.
#[derive(Debug)]
pub struct Clock {
    began: Instant,
    at: i64,
    forward: AtomicI64,
}

impl Clock {
    /// A clock that shows `unix_seconds` now.
    pub fn at(unix_seconds: i64) -> Self {
        Clock {
            began: Instant::now(),
            at: unix_seconds * SECOND,
            forward: AtomicI64::new(0),
        }
    }

    /// A clock that shows that time now.
    pub fn at_nanos(unix_nanos: i64) -> Self {
        Clock {
            at: unix_nanos,
            ..Self::at(0)
        }
    }

    /// A clock that shows the machine's time.
    pub fn real() -> Self {
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |since| since.as_nanos() as i64);
        Clock {
            at: now,
            ..Self::at(0)
        }
    }

    /// Unix nanoseconds.
    pub fn now(&self) -> i64 {
        self.at + self.began.elapsed().as_nanos() as i64 + self.forward.load(Ordering::Relaxed)
    }

    /// Puts the clock forward.
    pub(super) fn advance(&self, by: Duration) {
        self.forward
            .fetch_add(by.as_nanos() as i64, Ordering::Relaxed);
    }

    /// Sets the clock back.
    pub(super) fn set_back(&self, by: Duration) {
        self.forward
            .fetch_sub(by.as_nanos() as i64, Ordering::Relaxed);
    }

    /// When tokio's clock will show that time.
    pub(super) fn instant(&self, nanos: i64) -> Instant {
        let wait = nanos.saturating_sub(self.now()).max(0) as u64;
        Instant::now() + Duration::from_nanos(wait)
    }
}

/// RFC 3339 with nanoseconds, as the engine writes it.
pub fn rfc3339(nanos: i64) -> String {
    chrono::DateTime::from_timestamp_nanos(nanos)
        .format("%Y-%m-%dT%H:%M:%S%.9fZ")
        .to_string()
}

/// How long something lasts, in the engine's words.
pub fn in_words(nanos: i64) -> String {
    let seconds = nanos.max(0) / SECOND;
    let (minutes, hours) = (seconds / 60, (seconds + 1800) / 3600);
    match seconds {
        0 => "Less than a second".to_owned(),
        1 => "1 second".to_owned(),
        2..60 => format!("{seconds} seconds"),
        _ if minutes == 1 => "About a minute".to_owned(),
        _ if minutes < 60 => format!("{minutes} minutes"),
        _ if hours == 1 => "About an hour".to_owned(),
        _ if hours < 48 => format!("{hours} hours"),
        _ if hours < 24 * 7 * 2 => format!("{} days", hours / 24),
        _ if hours < 24 * 30 * 2 => format!("{} weeks", hours / 24 / 7),
        _ if hours < 24 * 365 * 2 => format!("{} months", hours / 24 / 30),
        _ => format!("{} years", hours / 24 / 365),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_the_engine_does() {
        assert_eq!(
            rfc3339(1_795_297_570_000_000_001),
            "2026-11-21T21:46:10.000000001Z"
        );
        assert_eq!(in_words(7 * SECOND), "7 seconds");
        assert_eq!(in_words(100 * SECOND), "About a minute");
        assert_eq!(in_words(3 * 3600 * SECOND), "3 hours");
        assert_eq!(in_words(3 * 86400 * SECOND), "3 days");
    }
}

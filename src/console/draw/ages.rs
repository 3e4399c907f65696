//! How long ago, and when that reads differently.

use std::cell::Cell;

use crate::text::{age, age_changes_in};
use crate::verdict::Since;

/// Turns moments into ages, and remembers when the first of them reads differently.
#[derive(Debug)]
pub struct Ages {
    now: i64,
    next: Cell<Option<i64>>,
}

impl Ages {
    /// At unix second `now`.
    pub fn new(now: i64) -> Ages {
        Ages {
            now,
            next: Cell::new(None),
        }
    }

    /// How long ago.
    pub fn ago(&self, at: i64) -> String {
        let seconds = (self.now - at).max(0);
        self.within(age_changes_in(seconds));
        age(seconds)
    }

    /// For how long: `14m`, or where it may be longer `≥14m`.
    pub fn since(&self, since: Since, ascii: bool) -> String {
        let sign = match since.exact {
            true => "",
            false if ascii => ">",
            false => "≥",
        };
        format!("{sign}{}", self.ago(since.at))
    }

    /// How long ago a number was read, as coarse as it matters: what is fresh keeps still.
    pub fn read(&self, at: i64) -> String {
        let seconds = (self.now - at).max(0);
        if seconds < 60 {
            self.within(60 - seconds);
            return "now".into();
        }
        format!("{} ago", self.ago(at))
    }

    /// An age in brackets, of a number that is not fresh any more.
    pub fn unless_fresh(&self, at: i64) -> String {
        match self.read(at).as_str() {
            "now" => String::new(),
            old => format!(" ({old})"),
        }
    }

    /// How long until.
    pub fn until(&self, at: i64) -> String {
        let seconds = (at - self.now).max(0);
        if seconds > 0 {
            self.within(1);
        }
        age(seconds)
    }

    /// Whether a moment is still to come.
    pub fn is_ahead(&self, at: i64) -> bool {
        at > self.now
    }

    fn within(&self, seconds: i64) {
        let next = self.now + seconds;
        self.next
            .set(Some(self.next.get().map_or(next, |n| n.min(next))));
    }

    /// The unix second at which something on screen reads differently.
    pub fn next(&self) -> Option<i64> {
        self.next.get()
    }
}

//! The last lines of a container on a site's page, and when they are to be read again.

/// How often they are read while the page is open, milliseconds.
const EVERY_MS: i64 = 5_000;
/// Not more often than this though something happens to the container all the time.
const AT_MOST_MS: i64 = 1_000;

/// The last lines of one container.
#[derive(Debug, Clone, Default)]
pub struct Tail {
    /// Its id.
    container: String,
    /// When they were last asked for, milliseconds.
    asked_ms: i64,
    /// They were asked for and have not come.
    waits: bool,
    /// Something happened to the container since they were asked for.
    touched: bool,
    /// The last that were read, and when, unix seconds.
    pub lines: Option<(i64, Vec<String>)>,
    /// Why they could not be read the last time.
    pub why: Option<String>,
}

impl Tail {
    /// When they are to be read, milliseconds: at once where they are another container's, soon
    /// after something happened, else now and then. `None`: they are under way.
    pub fn due_ms(&self, container: &str) -> Option<i64> {
        if self.container != container {
            return Some(0);
        }
        let wait = if self.touched { AT_MOST_MS } else { EVERY_MS };
        (!self.waits).then_some(self.asked_ms + wait)
    }

    /// They are asked for.
    pub fn ask(&mut self, container: &str, now_ms: i64) {
        if self.container != container {
            *self = Tail {
                container: container.to_owned(),
                ..Tail::default()
            };
        }
        (self.asked_ms, self.waits, self.touched) = (now_ms, true, false);
    }

    /// They came, or why not: those that were read before stay, with their age.
    /// What another container said, that one's predecessor, is nothing of it.
    pub fn came(&mut self, container: &str, lines: Result<Vec<String>, String>, now_ms: i64) {
        if self.container != container {
            return;
        }
        self.waits = false;
        match lines {
            Ok(lines) => {
                self.lines = Some((now_ms.div_euclid(1000), lines));
                self.why = None;
            }
            Err(why) => self.why = Some(why),
        }
    }

    /// Something happened to a container.
    pub fn touch(&mut self, container: &str) {
        self.touched |= self.container == container;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_again_now_and_then_and_soon_after_something_happened() {
        let mut tail = Tail::default();
        assert_eq!(tail.due_ms("a"), Some(0));
        tail.ask("a", 10_000);
        assert_eq!(tail.due_ms("a"), None, "they are under way");
        tail.came("a", Ok(vec!["ready".into()]), 10_200);
        assert_eq!(tail.due_ms("a"), Some(15_000));
        tail.touch("b");
        assert_eq!(tail.due_ms("a"), Some(15_000));
        tail.touch("a");
        assert_eq!(tail.due_ms("a"), Some(11_000));
        tail.ask("a", 11_000);
        tail.touch("a");
        tail.came("a", Err("it does not answer".into()), 11_100);
        // What happened meanwhile may not be among them.
        assert_eq!(tail.due_ms("a"), Some(12_000));
        assert_eq!(tail.lines, Some((10, vec!["ready".to_owned()])));
        assert!(tail.why.is_some());
        // Another container has other lines.
        assert_eq!(tail.due_ms("b"), Some(0));
        tail.ask("b", 12_000);
        tail.came("a", Ok(vec!["its last words".into()]), 12_100);
        assert_eq!((tail.lines.clone(), tail.why.clone()), (None, None));
        assert_eq!(tail.due_ms("b"), None, "its own are under way");
    }
}

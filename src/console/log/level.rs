//! How bad a line says it is.

use std::sync::LazyLock;

use regex::bytes::Regex;

/// What a line reports. Shown by a mark in front of it, not only by colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Something to look at.
    Warning,
    /// Something failed.
    Error,
}

/// A level's word stands near the start of a line in all common formats.
const LOOK_AT: usize = 240;

static ERROR: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i-u)\b(error|fatal|panic(ked)?|crit(ical)?|emerg(ency)?|severe|(uncaught )?exception|segfault|oom-kill(er|ed)?)\b").ok()
});
static WARNING: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?i-u)\b(warn(ing)?|deprecated)\b").ok());

/// The level that a line's own words give it. `status` is the HTTP status, if it is an access
/// line: then only that counts, for addresses hold any word.
pub fn level(text: &[u8], status: Option<u16>) -> Option<Level> {
    if let Some(status) = status {
        return (status >= 500).then_some(Level::Error);
    }
    let start = &text[..text.len().min(LOOK_AT)];
    let says = |regex: &LazyLock<Option<Regex>>| regex.as_ref().is_some_and(|r| r.is_match(start));
    if says(&ERROR) {
        Some(Level::Error)
    } else if says(&WARNING) {
        Some(Level::Warning)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_formats_are_told() {
        let of = |s: &str| level(s.as_bytes(), None);
        assert_eq!(of("[core:error] [pid 7] AH00037"), Some(Level::Error));
        assert_eq!(
            of("PHP Fatal error:  Uncaught TypeError"),
            Some(Level::Error)
        );
        assert_eq!(of(r#"{"level":"error","msg":"x"}"#), Some(Level::Error));
        assert_eq!(
            of("2026/11/21 [crit] 30#30: open() failed"),
            Some(Level::Error)
        );
        assert_eq!(of("PHP Warning:  Undefined variable"), Some(Level::Warning));
        assert_eq!(of("[mpm_prefork:notice] resuming"), None);
        assert_eq!(of("0 errors, mirror on the wall, terrors"), None);
    }

    #[test]
    fn an_access_line_is_judged_by_its_status() {
        assert_eq!(level(b"GET /error/fatal 200", Some(200)), None);
        assert_eq!(level(b"GET / 502", Some(502)), Some(Level::Error));
    }
}

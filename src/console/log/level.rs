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

type Words = LazyLock<Option<Regex>>;

/// Case does not matter, except where a word is an exception's name: `ValueError`.
static ERROR: Words = LazyLock::new(|| {
    Regex::new(
        r"(?i-u)\b(error|fatal|panic(ked)?|crit(ical)?|emerg(ency)?|severe|(uncaught )?exception|traceback|out of memory|(?-i:[A-Z]\w*(Error|Exception)))\b",
    )
    .ok()
});
static WARNING: Words =
    LazyLock::new(|| Regex::new(r"(?i-u)\b(warn(ing)?|deprecated|failed|denied|cannot)\b").ok());
/// These are errors whatever level a program gives them.
static GRAVE: Words = LazyLock::new(|| {
    Regex::new(r"(?i-u)\b(segfault|exit signal|segmentation fault|oom-kill(er|ed)?)\b").ok()
});

fn says(text: &[u8], words: &Words) -> bool {
    let start = &text[..text.len().min(LOOK_AT)];
    words.as_ref().is_some_and(|regex| regex.is_match(start))
}

/// The level that a text's own words give it.
pub(super) fn by_words(text: &[u8]) -> Option<Level> {
    if says(text, &ERROR) || says(text, &GRAVE) {
        Some(Level::Error)
    } else if says(text, &WARNING) {
        Some(Level::Warning)
    } else {
        None
    }
}

/// The level of a text to which its program gave one: it counts, with few exceptions.
pub(super) fn at_least(given: Option<Level>, text: &str) -> Option<Level> {
    match says(text.as_bytes(), &GRAVE) {
        true => Some(Level::Error),
        false => given,
    }
}

/// A program's word for a level, as it is shown, and how bad that is; nothing if it is none.
pub(super) fn named(word: &str) -> Option<(&'static str, Option<Level>)> {
    use Level::{Error, Warning};
    let word = word.to_ascii_lowercase();
    // Apache's finest are numbered.
    Some(match word.trim_end_matches(|c: char| c.is_ascii_digit()) {
        "emerg" | "emergency" => ("emerg", Some(Error)),
        "alert" => ("alert", Some(Error)),
        "crit" | "critical" => ("crit", Some(Error)),
        "fatal" => ("fatal", Some(Error)),
        "panic" | "dpanic" => ("panic", Some(Error)),
        "error" | "err" | "severe" => ("error", Some(Error)),
        "warn" | "warning" => ("warn", Some(Warning)),
        "notice" => ("notice", None),
        "info" | "information" | "informational" => ("info", None),
        "debug" => ("debug", None),
        "trace" | "verbose" => ("trace", None),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_tell() {
        let of = |s: &str| by_words(s.as_bytes());
        for error in [
            "PHP Fatal error:  Uncaught TypeError",
            "[crit] 30#30: open() failed",
            "ValueError: invalid literal",
            "java.lang.NullPointerException",
            "Traceback (most recent call last):",
            "Out of memory: Killed process 7",
            "child 7 exit signal Segmentation fault (11)",
        ] {
            assert_eq!(of(error), Some(Level::Error), "{error}");
        }
        for warning in [
            "PHP Warning:  Undefined",
            "Permission denied",
            "login failed",
        ] {
            assert_eq!(of(warning), Some(Level::Warning), "{warning}");
        }
        for nothing in [
            "0 errors, mirror on the wall, terrors",
            "onError handler",
            "",
        ] {
            assert_eq!(of(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn a_word_of_a_program_counts() {
        assert_eq!(named("WARNING"), Some(("warn", Some(Level::Warning))));
        assert_eq!(named("trace8"), Some(("trace", None)));
        assert_eq!(named("client"), None);
        assert_eq!(at_least(None, "no error at all"), None);
        assert_eq!(at_least(None, "exit signal Killed (9)"), Some(Level::Error));
    }
}

//! Lines in short: what one looks for first, what programs put in front of it folded away. And the
//! one judgement of how bad a line is, for marks, for filters and for `ostler logs --errors`.

use super::access::access;
use super::level::{Level, by_words};
use super::piece::Piece;
use super::report::report;

/// A line that was understood, in short.
#[derive(Debug, PartialEq, Eq)]
pub struct Short {
    /// When, in hours, minutes and seconds, as the line says it; empty where it does not.
    pub time: String,
    /// The rest of it.
    pub pieces: Vec<Piece>,
    /// How bad it is.
    pub level: Option<Level>,
}

/// A line in short; nothing where it has none of the forms known here. Escape sequences are to be
/// taken out before.
pub fn short(line: &[u8]) -> Option<Short> {
    let line = std::str::from_utf8(line).ok()?;
    if let Some(access) = access(line) {
        return Some(Short {
            pieces: access.pieces(),
            level: (access.status >= 500).then_some(Level::Error),
            time: access.time,
        });
    }
    let report = report(line)?;
    Some(Short {
        pieces: report.pieces(),
        level: report.level,
        time: report.time,
    })
}

/// How bad a line says it is. Of an access line only the status counts, for addresses hold any
/// word; else its program's own level, else its words. Escape sequences are to be taken out before.
pub fn level(line: &[u8]) -> Option<Level> {
    match short(line) {
        Some(short) => short.level,
        None => by_words(line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_access_line_is_judged_by_its_status() {
        let line = |status: u16| {
            format!(
                r#"::1 - - [30/Nov/2026:05:27:10 +0000] "GET /error/fatal HTTP/1.1" {status} 9"#
            )
        };
        assert_eq!(level(line(200).as_bytes()), None);
        assert_eq!(level(line(502).as_bytes()), Some(Level::Error));
        let short = short(line(502).as_bytes()).unwrap();
        assert_eq!((short.time.as_str(), short.pieces.len()), ("05:27:10", 5));
    }

    #[test]
    fn a_programs_own_level_counts_before_its_words() {
        let quiet = br#"{"level":"info","msg":"error page shown"}"#;
        assert_eq!(level(quiet), None);
        assert_eq!(level(b"error page shown"), Some(Level::Error));
        assert_eq!(level(b"\xff error"), Some(Level::Error));
    }
}

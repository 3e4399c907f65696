//! What lines in short are made of.

/// What a piece of a line is, for its style.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// As the rest of the line.
    Plain,
    /// Less important.
    Faint,
    /// The status of an answer that went well (below 400).
    Good,
    /// The status of an answer that says the request was wrong (4xx); the word of a warning.
    Refused,
    /// The status of an answer that says the site failed (5xx), or of a request that got none; the
    /// word of an error.
    Failed,
}

/// A piece of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Its text, not cleaned.
    pub text: String,
    /// How it looks.
    pub tone: Tone,
}

/// The hours, minutes and seconds at the start of a text: `21:51:45`.
pub(super) fn clock(text: &str) -> Option<&str> {
    let clock = text.get(..8)?;
    let fits = clock.bytes().enumerate().all(|(at, byte)| match at {
        2 | 5 => byte == b':',
        _ => byte.is_ascii_digit(),
    });
    fits.then_some(clock)
}

/// A time of day in UTC, from unix seconds.
pub(super) fn clock_of(seconds: f64) -> Option<String> {
    let time = chrono::DateTime::from_timestamp(seconds as i64, 0)?;
    Some(time.format("%H:%M:%S").to_string())
}

//! What a search or a filter looks for: plain text or a regular expression, with smart case.

use std::ops::Range;

use regex::bytes::{Regex, RegexBuilder};

/// How the typed text is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reading {
    /// As it stands: `[error]` finds just that.
    #[default]
    Text,
    /// As a regular expression.
    Regex,
}

/// Text to look for, ready to be matched. Lower case finds both cases; one capital and case
/// counts.
#[derive(Debug, Clone)]
pub struct Pattern {
    text: String,
    reading: Reading,
    regex: Regex,
}

impl Pattern {
    /// Compiles what was typed. The error is one line, fit to be shown beside the prompt.
    pub fn new(text: &str, reading: Reading) -> Result<Self, String> {
        let source = match reading {
            Reading::Text => regex::escape(text),
            Reading::Regex => text.to_owned(),
        };
        let sensitive = match reading {
            Reading::Text => text.chars().any(char::is_uppercase),
            Reading::Regex => has_capital(text),
        };
        // The limits keep a typed `.{1000}{1000}` from taking memory or seconds.
        let regex = RegexBuilder::new(&source)
            .case_insensitive(!sensitive)
            .size_limit(1 << 20)
            .dfa_size_limit(1 << 20)
            .build()
            .map_err(|error| match error {
                regex::Error::CompiledTooBig(_) => "the expression is too large".to_owned(),
                // The last line of the message is the reason, the ones above draw a caret.
                other => last_line(&other.to_string()),
            })?;
        Ok(Self {
            text: text.to_owned(),
            reading,
            regex,
        })
    }

    /// What was typed.
    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn reading(&self) -> Reading {
        self.reading
    }

    /// Whether `line` holds it.
    pub fn matches(&self, line: &[u8]) -> bool {
        self.regex.is_match(line)
    }

    /// All places in `line` that hold it; empty matches are left out.
    pub fn places(&self, line: &[u8]) -> Vec<Range<usize>> {
        self.regex
            .find_iter(line)
            .map(|m| m.range())
            .filter(|r| !r.is_empty())
            .collect()
    }
}

/// Whether an expression has a capital that stands for itself (`\S` and `\p{Lu}` do not).
fn has_capital(text: &str) -> bool {
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '\\' {
            if c.is_uppercase() {
                return true;
            }
            continue;
        }
        if matches!(chars.next(), Some('p' | 'P' | 'x' | 'u' | 'U')) {
            match chars.peek() {
                Some('{') => while chars.next().is_some_and(|c| c != '}') {},
                _ => drop(chars.next()),
            }
        }
    }
    false
}

fn last_line(message: &str) -> String {
    let line = message.lines().next_back().unwrap_or(message).trim();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(s: &str) -> Pattern {
        Pattern::new(s, Reading::Text).unwrap()
    }

    fn regex(s: &str) -> Pattern {
        Pattern::new(s, Reading::Regex).unwrap()
    }

    #[test]
    fn plain_text_means_itself() {
        assert!(text("[error]").matches(b"2026 [ERROR] x"));
        assert!(!text("[error]").matches(b"e"));
        assert!(text("10.0.0.1").matches(b"10.0.0.1"));
        assert!(!text("10.0.0.1").matches(b"10a0b0c1"));
    }

    #[test]
    fn one_capital_makes_case_count() {
        assert!(text("Get").matches(b"Get"));
        assert!(!text("Get").matches(b"GET"));
        assert!(regex(r"\Serror").matches(b"xERROR"));
        assert!(regex(r"\p{Lu}x").matches(b"Ax"));
        assert!(regex(r"\pLx").matches(b"Ax"));
        assert!(!regex(r"5\d\d E").matches(b"500 e"));
    }

    #[test]
    fn a_wrong_expression_says_why_in_one_line() {
        let why = Pattern::new("a(", Reading::Regex).unwrap_err();
        assert_eq!(why, "unclosed group");
        let why = Pattern::new("(a{1000}){1000}", Reading::Regex).unwrap_err();
        assert_eq!(why, "the expression is too large");
    }

    #[test]
    fn places_skip_empty_matches_and_invalid_bytes() {
        assert_eq!(regex("a*").places(b"baab"), vec![1..3]);
        assert_eq!(text("b").places(b"\xff\xfeb\xff"), vec![2..3]);
    }
}

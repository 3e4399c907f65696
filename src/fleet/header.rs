//! Headers that the router gives a site's answers.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::name::Invalid;
use super::near::nearest;

/// Longest value, in bytes: policies of contents are long.
const LONGEST: usize = 4000;

/// A header by which a browser is told what a page may do. No other can be given: some would break
/// what the router does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum HeaderName {
    ContentSecurityPolicy,
    CrossOriginOpenerPolicy,
    PermissionsPolicy,
    ReferrerPolicy,
    StrictTransportSecurity,
    ContentTypeOptions,
    FrameOptions,
}

impl HeaderName {
    /// All of them.
    pub const ALL: [HeaderName; 7] = [
        HeaderName::ContentSecurityPolicy,
        HeaderName::CrossOriginOpenerPolicy,
        HeaderName::PermissionsPolicy,
        HeaderName::ReferrerPolicy,
        HeaderName::StrictTransportSecurity,
        HeaderName::ContentTypeOptions,
        HeaderName::FrameOptions,
    ];

    /// As it stands in an answer.
    pub fn word(self) -> &'static str {
        match self {
            HeaderName::ContentSecurityPolicy => "Content-Security-Policy",
            HeaderName::CrossOriginOpenerPolicy => "Cross-Origin-Opener-Policy",
            HeaderName::PermissionsPolicy => "Permissions-Policy",
            HeaderName::ReferrerPolicy => "Referrer-Policy",
            HeaderName::StrictTransportSecurity => "Strict-Transport-Security",
            HeaderName::ContentTypeOptions => "X-Content-Type-Options",
            HeaderName::FrameOptions => "X-Frame-Options",
        }
    }
}

/// What of a header's value cannot be given to the router, which puts it into a line of a map and into
/// an answer.
pub fn unfit_header(value: &str) -> Option<&'static str> {
    if value.is_empty() {
        return Some("it is empty");
    }
    if value.len() > LONGEST {
        return Some("it is longer than 4000 characters");
    }
    if !value.bytes().all(|b| (b' '..=b'~').contains(&b)) {
        return Some("it has a character that is no printable ASCII");
    }
    if value.starts_with(' ') || value.ends_with(' ') {
        return Some("it begins or ends with a space");
    }
    // The socket would take what follows for the value.
    let last = value.rsplit(' ').next().unwrap_or_default();
    last.starts_with("<<")
        .then_some("its last word begins with <<")
}

impl FromStr for HeaderName {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let mut all = HeaderName::ALL.into_iter();
        all.find(|name| name.word().eq_ignore_ascii_case(text))
            .ok_or_else(|| {
                let words = HeaderName::ALL.map(HeaderName::word);
                Invalid(match nearest(text, words) {
                    Some(near) => format!("did you mean {near}?"),
                    None => format!("one of {}", words.join(", ")),
                })
            })
    }
}

impl fmt::Display for HeaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

impl TryFrom<String> for HeaderName {
    type Error = Invalid;
    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<HeaderName> for String {
    fn from(name: HeaderName) -> String {
        name.word().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_however_they_are_written() {
        for name in HeaderName::ALL {
            assert_eq!(name.word().to_ascii_lowercase().parse(), Ok(name));
            let text = serde_json::to_string(&name).unwrap();
            assert_eq!(serde_json::from_str::<HeaderName>(&text).unwrap(), name);
        }
        for other in ["Set-Cookie", "Location", "X-Ostler", "", "referer policy"] {
            assert!(other.parse::<HeaderName>().is_err(), "{other}");
        }
    }

    #[test]
    fn values_that_could_end_a_line_or_a_command_are_refused() {
        let long = "x".repeat(LONGEST + 1);
        for bad in [
            "",
            " a",
            "a ",
            "a\r\nSet-Cookie: x",
            "ä",
            "a\tb",
            "a <<",
            "<<",
            &long,
        ] {
            assert!(unfit_header(bad).is_some(), "{bad:?}");
        }
        let policy = r#"default-src 'self'; report-uri "/x\y" %[path] <<a b"#;
        assert_eq!(unfit_header(policy), None);
    }
}

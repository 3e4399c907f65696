//! Names and domains: texts that are right once they are there.

use std::borrow::Cow;
use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use unicode_security::confusable_detection::skeleton;
use unicode_security::{RestrictionLevel, RestrictionLevelDetection};

/// A DNS label: 1 to 63 of `a-z 0-9 -`, no hyphen at either end (RFC 1123).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

/// Why a text is not a [`Name`], a [`Domain`], a size, …: says what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(pub String);

impl Name {
    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let bad = |why: &str| {
            Err(Invalid(format!(
                "{why}; a name is 1 to 63 of a-z, 0-9 and -"
            )))
        };
        if text.is_empty() {
            return bad("it is empty");
        }
        if text.len() > 63 {
            return bad("it is longer than 63 characters");
        }
        if text.starts_with('-') || text.ends_with('-') {
            return bad("it begins or ends with a hyphen");
        }
        match text
            .chars()
            .find(|c| !matches!(c, 'a'..='z' | '0'..='9' | '-'))
        {
            Some(c) if c.is_ascii_uppercase() => bad("it has an upper-case letter"),
            Some(c) => bad(&format!("it has the character {c:?}")),
            None => Ok(Name(text.to_owned())),
        }
    }
}

/// A domain name in ASCII (IDNA A-labels), lower case, without a trailing dot. `*.shop.example` is one
/// as well: all names that have one label more than `shop.example`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Domain(String);

impl Domain {
    /// The ASCII text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it stands for all names of one label more.
    pub fn is_wildcard(&self) -> bool {
        self.0.starts_with(WILDCARD)
    }

    /// The domain itself, or the one that a wildcard is below.
    pub fn bare(&self) -> &str {
        self.0.strip_prefix(WILDCARD).unwrap_or(&self.0)
    }

    /// A name to ask for: the domain itself, or of those that a wildcard stands for one that nobody
    /// has.
    pub fn asked(&self) -> Domain {
        match self.is_wildcard() {
            true => Domain(format!("{ANY}.{}", self.bare())),
            false => self.clone(),
        }
    }

    /// The wildcard that a name without one falls under; none for a top level.
    pub fn wildcard(&self) -> Option<Domain> {
        let (_, above) = self.0.split_once('.').filter(|_| !self.is_wildcard())?;
        Some(Domain(format!("{WILDCARD}{above}")))
    }
}

/// What a wildcard begins with.
const WILDCARD: &str = "*.";
/// What is asked for below one.
const ANY: &str = "ostler-asks";

/// A domain as people write it (`bücher.example` for `xn--bcher-kva.example`), where that is the
/// same name again and nobody takes it for another one; else as it is.
pub fn shown_domain(ascii: &str) -> Cow<'_, str> {
    if !ascii.split('.').any(|label| label.starts_with("xn--")) {
        return ascii.into();
    }
    if let Some(rest) = ascii.strip_prefix(WILDCARD) {
        return format!("{WILDCARD}{}", shown_domain(rest)).into();
    }
    let (text, read) = idna::domain_to_unicode(ascii);
    let same = || idna::domain_to_ascii_strict(&text).is_ok_and(|again| again == ascii);
    match read.is_ok() && same() && text.split('.').all(is_plain) {
        true => text.into(),
        false => ascii.into(),
    }
}

/// Both ways, where they differ: `bücher.example (xn--bcher-kva.example)`.
pub fn domain_both_ways(ascii: &str) -> Cow<'_, str> {
    match shown_domain(ascii) {
        Cow::Owned(text) if text != ascii => format!("{text} ({ascii})").into(),
        _ => ascii.into(),
    }
}

/// Whether a label is of one script, as Unicode's UTS 39 has it, and does not look like ASCII.
fn is_plain(label: &str) -> bool {
    let one_script = || label.check_restriction_level(RestrictionLevel::HighlyRestrictive);
    label.is_ascii() || (one_script() && !skeleton(label).all(|c| c.is_ascii()))
}

impl Domain {
    /// `www.x` for `x`, and `x` for `www.x`; `None` where that would be no domain.
    pub fn www_counterpart(&self) -> Option<Domain> {
        match self.0.strip_prefix("www.") {
            Some(bare) => bare.parse().ok(),
            None => format!("www.{}", self.0).parse().ok(),
        }
    }
}

impl FromStr for Domain {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        if let Some(rest) = text.strip_prefix(WILDCARD) {
            let Domain(below) = rest.parse()?;
            if below.starts_with(WILDCARD) {
                return Err(Invalid("a wildcard is one label: *.shop.example".into()));
            }
            // What is asked for below it is a name as well.
            return match below.len() + ANY.len() < 253 {
                true => Ok(Domain(format!("{WILDCARD}{below}"))),
                false => Err(Invalid(
                    "a wildcard's domain has at most 241 characters".into(),
                )),
            };
        }
        let text = text.trim_end_matches('.');
        let ascii = idna::domain_to_ascii_strict(text)
            .map_err(|_| Invalid("it is not a domain name such as blog.example.net".into()))?;
        if ascii.is_empty() || ascii.len() > 253 {
            return Err(Invalid("a domain has 1 to 253 characters".into()));
        }
        for label in ascii.split('.') {
            let inner = label
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
            if label.is_empty() || label.len() > 63 || !inner {
                return Err(Invalid(format!("the part {label:?} is not a DNS label")));
            }
        }
        if ascii.parse::<Ipv4Addr>().is_ok() {
            return Err(Invalid("it is an address, not a domain name".into()));
        }
        Ok(Domain(ascii))
    }
}

macro_rules! text_type {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
        impl TryFrom<String> for $name {
            type Error = Invalid;
            fn try_from(text: String) -> Result<Self, Invalid> {
                text.parse()
            }
        }
        impl From<$name> for String {
            fn from(it: $name) -> String {
                it.0
            }
        }
        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    )*};
}
text_type!(Name, Domain);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_stands_for_one_label() {
        let read = |text: &str| text.parse::<Domain>();
        let of = read("*.Bücher.example.").unwrap();
        assert_eq!(of.as_str(), "*.xn--bcher-kva.example");
        assert!(of.is_wildcard() && of.www_counterpart().is_none() && of.wildcard().is_none());
        assert_eq!(of.bare(), "xn--bcher-kva.example");
        assert_eq!(of.asked().wildcard(), Some(of.clone()));
        assert!(!of.asked().is_wildcard());
        assert_eq!(shown_domain(of.as_str()), "*.bücher.example");
        let exact = read("a.example").unwrap();
        assert_eq!((exact.asked(), exact.bare()), (exact.clone(), "a.example"));
        for wrong in [
            "*",
            "*.",
            "*.*.example",
            "a.*.example",
            "a*.example",
            "*a.example",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        // As long as it may be, what is asked for is a name.
        let long = format!(
            "{}.example",
            ["a".repeat(58), "b".repeat(58), "c".repeat(58)].join(".")
        );
        for more in 1..80 {
            let long = format!("*.{}.{long}", "d".repeat(more));
            if let Ok(domain) = read(&long) {
                assert_eq!(read(domain.asked().as_str()), Ok(domain.asked()), "{long}");
            }
        }
    }

    #[test]
    fn a_domain_is_shown_as_people_write_it_where_nothing_looks_like_it() {
        for (written, shown) in [
            ("blog.example.net", true),
            ("bücher.example", true),
            ("münchen.straße.example", true),
            ("пример.example", true),
            ("παράδειγμα.example", true),
            ("例え.テスト", true),
            ("www.ünï-1.example", true),
            // Cyrillic that looks like apple, Latin and Cyrillic mixed, an i without its dot.
            ("аррӏе.example", false),
            ("pаypal.example", false),
            ("gıthub.example", false),
        ] {
            let domain: Domain = written.parse().unwrap();
            let ascii = domain.as_str();
            let want = if shown { written } else { ascii };
            assert_eq!(shown_domain(ascii), want, "{written}");
            assert_eq!(want.parse::<Domain>().unwrap(), domain, "the same name");
            let both = match want == ascii {
                true => ascii.to_owned(),
                false => format!("{written} ({ascii})"),
            };
            assert_eq!(domain_both_ways(ascii), both);
        }
        // What is no encoding of anything stays as it is.
        for text in [
            "xn--a",
            "xn--bcher-kva8445foa.example",
            "xn--",
            "xn--\u{fc}",
        ] {
            assert_eq!(shown_domain(text), text);
        }
    }
}

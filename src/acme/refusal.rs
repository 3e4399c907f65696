//! Why there is no certificate: one kind that callers go by, and words per name.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use instant_acme::{Error, Identifier, Problem};

use super::told::{Told, short_type};
use crate::record::CertificateRecord;

/// What is to be done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Names were not proven, or the authority does not take them.
    Names,
    /// Too much was asked of it; later again.
    RateLimited,
    /// It is not reached, does not answer in time, or has a fault of its own; later again.
    Away,
    /// The account that was kept is not known to it, or no longer in force: another is needed.
    Account,
    /// It does not know the profile that is asked for.
    Profile,
    /// What the operator wrote does not do for it.
    Settings,
    /// Whatever else.
    Other,
}

/// A refusal, the authority's own or ours before it is asked. Its words carry nothing that steers a
/// terminal, and no secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub kind: Kind,
    /// By name what was said of it; under the empty name what was said of all.
    pub words: BTreeMap<String, String>,
    /// How long the authority asked to be left alone.
    pub retry_after: Option<Duration>,
}

impl Refusal {
    /// A refusal that is about no name of its own.
    pub fn of(kind: Kind, words: impl AsRef<str>) -> Refusal {
        Refusal::about(kind, "", words)
    }

    /// A refusal that is about one name.
    pub(super) fn about(kind: Kind, name: &str, words: impl AsRef<str>) -> Refusal {
        let words = CertificateRecord::words(words.as_ref());
        Refusal {
            kind,
            words: [(name.to_owned(), words)].into(),
            retry_after: None,
        }
    }

    /// From the document with which an authority refuses.
    fn from_problem(problem: &Problem, status: u16, retry_after: Option<Duration>) -> Refusal {
        let mut words = BTreeMap::new();
        for part in &problem.subproblems {
            let name = match &part.identifier {
                Some(Identifier::Dns(name)) => name.clone(),
                _ => continue,
            };
            let said = said(part.r#type.as_deref(), part.detail.as_deref());
            words.insert(name, said);
        }
        if words.is_empty() {
            let said = said(problem.r#type.as_deref(), problem.detail.as_deref());
            words.insert(String::new(), said);
        }
        Refusal {
            kind: kind(short_type(problem), status),
            words,
            retry_after,
        }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Refusal {
        match error {
            Error::Api(problem) => {
                Refusal::from_problem(&problem, problem.status.unwrap_or_default(), None)
            }
            Error::Other(other) => match other.downcast::<Told>() {
                Ok(told) => (*told).into(),
                Err(other) => Refusal::of(Kind::Other, other.to_string()),
            },
            Error::Json(_) => Refusal::of(Kind::Other, "what the authority answers is no ACME"),
            other => Refusal::of(Kind::Other, other.to_string()),
        }
    }
}

impl From<Told> for Refusal {
    fn from(told: Told) -> Refusal {
        match told {
            Told::Away(why) => Refusal::of(Kind::Away, why),
            Told::Said {
                status,
                problem: Some(problem),
                retry_after,
            } => Refusal::from_problem(&problem, status, retry_after),
            Told::Said {
                status,
                problem: None,
                retry_after,
            } => Refusal {
                retry_after,
                ..Refusal::of(kind("", status), format!("the authority answers {status}"))
            },
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, (name, words)) in self.words.iter().enumerate() {
            let gap = if n == 0 { "" } else { "; " };
            match name.as_str() {
                "" => write!(f, "{gap}{words}")?,
                name => write!(f, "{gap}{name}: {words}")?,
            }
        }
        Ok(())
    }
}

impl std::error::Error for Refusal {}

/// An authority's own words.
pub(super) fn said(kind: Option<&str>, detail: Option<&str>) -> String {
    let detail = detail.map(str::trim).filter(|detail| !detail.is_empty());
    let kind = kind.and_then(|kind| kind.rsplit(':').next());
    let words = detail.or(kind).unwrap_or("refused without a word");
    CertificateRecord::words(words)
}

/// RFC 8555, 6.7; RFC 9773, 7.4; draft-aaron-acme-profiles.
fn kind(problem: &str, status: u16) -> Kind {
    match problem {
        "rateLimited" => Kind::RateLimited,
        "accountDoesNotExist" => Kind::Account,
        "invalidProfile" => Kind::Profile,
        "externalAccountRequired"
        | "userActionRequired"
        | "invalidContact"
        | "unsupportedContact" => Kind::Settings,
        "rejectedIdentifier"
        | "unsupportedIdentifier"
        | "caa"
        | "dns"
        | "connection"
        | "tls"
        | "incorrectResponse"
        | "unauthorized" => Kind::Names,
        "serverInternal" => Kind::Away,
        _ => match status {
            429 => Kind::RateLimited,
            408 | 500..=599 => Kind::Away,
            _ => Kind::Other,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(json: &str) -> Problem {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn an_authority_s_words_stand_beside_the_name_they_are_about() {
        let told = Told::Said {
            status: 400,
            problem: Some(problem(
                r#"{"type":"urn:ietf:params:acme:error:rejectedIdentifier","detail":"Some names","subproblems":[
                {"type":"urn:ietf:params:acme:error:rejectedIdentifier","detail":"no \u001b[2Jpolicy","identifier":{"type":"dns","value":"a.example"}},
                {"type":"urn:ietf:params:acme:error:caa","identifier":{"type":"dns","value":"b.example"}}]}"#,
            )),
            retry_after: None,
        };
        let refusal = Refusal::from(told);
        assert_eq!(refusal.kind, Kind::Names);
        assert_eq!(refusal.to_string(), "a.example: no policy; b.example: caa");
    }

    #[test]
    fn kinds_go_by_type_then_by_status() {
        for (name, status, expected) in [
            ("rateLimited", 429, Kind::RateLimited),
            ("accountDoesNotExist", 400, Kind::Account),
            ("invalidProfile", 400, Kind::Profile),
            ("externalAccountRequired", 403, Kind::Settings),
            ("malformed", 400, Kind::Other),
            ("", 429, Kind::RateLimited),
            ("", 503, Kind::Away),
            ("", 404, Kind::Other),
        ] {
            assert_eq!(kind(name, status), expected, "{name} {status}");
        }
        let error = Error::Other(Box::new(Told::Said {
            status: 503,
            problem: None,
            retry_after: Some(Duration::from_secs(7)),
        }));
        let refusal = Refusal::from(error);
        assert_eq!(refusal.kind, Kind::Away);
        assert_eq!(refusal.retry_after, Some(Duration::from_secs(7)));
        assert_eq!(refusal.to_string(), "the authority answers 503");
    }
}

//! `--only site=…`, `host=…`, `account=…`: which sites a command is about.

use std::fmt;

use super::model::{Fleet, Site};
use super::name::Invalid;
use super::nearest;

/// What `--only` says. The empty selection selects everything.
///
/// Terms of one kind widen it (`site=a,b` is both), kinds narrow each other (`host=web1` with
/// `account=alice` is what alice has on web1).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selection {
    terms: Vec<Term>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Term {
    kind: Kind,
    pattern: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Site,
    Host,
    Account,
}

const KINDS: [(Kind, &str); 3] = [
    (Kind::Site, "site"),
    (Kind::Host, "host"),
    (Kind::Account, "account"),
];

impl Kind {
    fn word(self) -> &'static str {
        KINDS
            .iter()
            .find(|(kind, _)| *kind == self)
            .map_or("", |(_, word)| word)
    }
}

impl Selection {
    /// Reads the values of one or more `--only`: `site=a,b`, `host=web*`, `site=a,host=web1`; a
    /// word without a kind is of the kind before it, or a site.
    ///
    /// # Errors
    /// A kind that is none, or a term without a name.
    pub fn parse<S: AsRef<str>>(values: &[S]) -> Result<Self, Invalid> {
        let mut terms = Vec::new();
        for value in values {
            let mut kind = Kind::Site;
            for word in value.as_ref().split(',').map(str::trim) {
                let pattern = match word.split_once('=') {
                    None => word,
                    Some((left, right)) => {
                        kind = kind_of(left.trim())?;
                        right.trim()
                    }
                };
                if pattern.is_empty() {
                    return Err(Invalid(format!("--only {}= names none", kind.word())));
                }
                terms.push(Term {
                    kind,
                    pattern: pattern.to_owned(),
                });
            }
        }
        Ok(Selection { terms })
    }

    /// One site, by its name.
    pub fn site(name: &str) -> Self {
        Selection {
            terms: vec![Term {
                kind: Kind::Site,
                pattern: name.to_owned(),
            }],
        }
    }

    /// Whether it selects everything.
    pub fn is_all(&self) -> bool {
        self.terms.is_empty()
    }

    /// Whether the site is selected.
    pub fn matches(&self, site: &Site) -> bool {
        let account = site.account.as_ref().map(|name| name.as_str());
        self.matches_names(site.name.as_str(), site.host.as_str(), account)
    }

    /// The same for what is no longer in the file and known by its names only.
    pub fn matches_names(&self, site: &str, host: &str, account: Option<&str>) -> bool {
        KINDS.iter().all(|(kind, _)| {
            let text = match kind {
                Kind::Site => Some(site),
                Kind::Host => Some(host),
                Kind::Account => account,
            };
            let mut terms = self.of(*kind).peekable();
            terms.peek().is_none() || terms.any(|term| text.is_some_and(|t| glob(&term.pattern, t)))
        })
    }

    /// Whether anything on this host can be selected: hosts left out need not be asked.
    pub fn reaches_host(&self, fleet: &Fleet, host: &str) -> bool {
        let by_name = self.of(Kind::Host).next().is_none()
            || self.of(Kind::Host).any(|term| glob(&term.pattern, host));
        let narrowed = self.terms.iter().any(|term| term.kind != Kind::Host);
        let on_it = || {
            fleet
                .sites
                .values()
                .filter(|site| site.host.as_str() == host)
        };
        by_name && (!narrowed || on_it().any(|site| self.matches(site)))
    }

    /// Says which terms match nothing. `leftovers` are names of sites that are on a host but no
    /// longer in the file: they can be named too.
    ///
    /// # Errors
    /// The first term without a match, with the nearest name there is.
    pub fn check(&self, fleet: &Fleet, leftovers: &[&str]) -> Result<(), Invalid> {
        for term in &self.terms {
            let names: Vec<&str> = match term.kind {
                Kind::Site => {
                    let sites = fleet.sites.keys().map(|name| name.as_str());
                    sites.chain(leftovers.iter().copied()).collect()
                }
                Kind::Host => fleet.hosts.keys().map(|name| name.as_str()).collect(),
                Kind::Account => fleet.accounts.keys().map(|name| name.as_str()).collect(),
            };
            if names.iter().any(|name| glob(&term.pattern, name)) {
                continue;
            }
            let kind = term.kind.word();
            let mut message = format!("--only {kind}={}: there is no such {kind}", term.pattern);
            if let Some(near) = nearest(&term.pattern, names.iter().copied()) {
                message.push_str(&format!("; did you mean {near}?"));
            } else if (1..=8).contains(&names.len()) {
                message.push_str(&format!("; there are {}", names.join(", ")));
            }
            return Err(Invalid(message));
        }
        Ok(())
    }

    fn of(&self, kind: Kind) -> impl Iterator<Item = &Term> {
        self.terms.iter().filter(move |term| term.kind == kind)
    }
}

impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, term) in self.terms.iter().enumerate() {
            let comma = if i > 0 { "," } else { "" };
            write!(f, "{comma}{}={}", term.kind.word(), term.pattern)?;
        }
        Ok(())
    }
}

fn kind_of(word: &str) -> Result<Kind, Invalid> {
    if let Some((kind, _)) = KINDS.iter().find(|(_, known)| *known == word) {
        return Ok(*kind);
    }
    let near = nearest(word, KINDS.iter().map(|(_, word)| *word));
    let near = near.map_or(String::new(), |near| format!("; did you mean {near}=?"));
    Err(Invalid(format!(
        "--only {word}=: it selects by site=, host= or account={near}"
    )))
}

/// Whether `text` fits a pattern with `*` (any characters) and `?` (one character).
pub fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    // Where the last star stood, and up to where it has swallowed.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == '?' || *c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((at, swallowed)) = star else {
                    return false;
                };
                star = Some((at, swallowed + 1));
                p = at + 1;
                t = swallowed + 1;
            }
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn globs() {
        for (pattern, text, fits) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("*", "", true),
            ("a*", "abc", true),
            ("*c", "abc", true),
            ("a*c*e", "abcde", true),
            ("a*c*e", "abcd", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("**b*", "aab", true),
            ("", "a", false),
        ] {
            assert_eq!(glob(pattern, text), fits, "{pattern} {text}");
        }
    }

    fn fleet() -> Fleet {
        let site = |name: &str, account: &str, host: &str| {
            format!(
                "  {name}: {{ account: {account}, host: {host}, recipe: static, domains: [{name}.example] }}\n"
            )
        };
        let source = format!(
            "fleet: x\nhosts:\n  web1: {{ engine: ssh://a }}\n  web2: {{ engine: ssh://b }}\naccounts: {{ alice: , bob: }}\nsites:\n{}{}{}",
            site("alice-blog", "alice", "web1"),
            site("alice-shop", "alice", "web2"),
            site("bob", "bob", "web1"),
        );
        crate::fleet::load(&source, Path::new("f")).unwrap().fleet
    }

    fn selected(values: &[&str]) -> Vec<String> {
        let selection = Selection::parse(values).unwrap();
        let fleet = fleet();
        selection.check(&fleet, &[]).unwrap();
        fleet
            .sites
            .values()
            .filter(|s| selection.matches(s))
            .map(|s| s.name.to_string())
            .collect()
    }

    #[test]
    fn selects() {
        assert_eq!(selected(&[]).len(), 3);
        assert_eq!(selected(&["site=bob"]), ["bob"]);
        assert_eq!(selected(&["alice-*"]), ["alice-blog", "alice-shop"]);
        assert_eq!(selected(&["site=bob,alice-blog"]), ["alice-blog", "bob"]);
        assert_eq!(selected(&["host=web1", "account=alice"]), ["alice-blog"]);
        assert_eq!(selected(&["account=bob", "account=alice"]).len(), 3);
        assert_eq!(selected(&["site=alice-*,host=web2"]), ["alice-shop"]);
    }

    #[test]
    fn says_what_matches_nothing() {
        let check = |value: &str| {
            let selection = Selection::parse(&[value]).unwrap();
            selection.check(&fleet(), &["old"]).map_err(|e| e.0)
        };
        assert!(
            check("site=alice-blgo")
                .unwrap_err()
                .contains("did you mean alice-blog?")
        );
        assert!(
            check("host=db1")
                .unwrap_err()
                .contains("there are web1, web2")
        );
        assert!(check("site=old").is_ok());
        assert!(
            Selection::parse(&["hots=web1"])
                .unwrap_err()
                .0
                .contains("did you mean host=?")
        );
        assert!(Selection::parse(&["site="]).is_err());
        assert!(Selection::parse(&["site=a,,b"]).is_err());
    }

    #[test]
    fn knows_which_hosts_it_needs() {
        let reaches = |value: &str, host: &str| {
            Selection::parse(&[value])
                .unwrap()
                .reaches_host(&fleet(), host)
        };
        assert!(reaches("host=web2", "web2") && !reaches("host=web2", "web1"));
        assert!(reaches("site=bob", "web1") && !reaches("site=bob", "web2"));
        assert!(Selection::default().reaches_host(&fleet(), "web2"));
    }
}

//! What came of asking a site ourselves, as a visitor would: through the router of its host. Pure.

use std::time::Duration;

/// How a question reaches the router.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Road {
    /// From the host itself, through the connection to it: no network and no firewall lies between.
    Connection,
    /// From the operator's side, to this address; through the connection it may not be asked.
    Here(String),
}

impl Road {
    /// In words.
    pub fn words(&self) -> String {
        match self {
            Road::Connection => "asked on the host".into(),
            Road::Here(address) => format!("asked from here at {address}"),
        }
    }
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SiteAnswer {
    /// The site answered with this status.
    Site(u16),
    /// The router answered in its place, with one of its own pages.
    Router {
        status: u16,
        /// Which: `stopped`, `unreachable`, `no-answer`, `broken-answer`, `limit`,
        /// `unknown-domain`, … as its header X-Ostler says.
        page: String,
    },
    /// No answer within so many seconds.
    Silent(u32),
    /// Nobody answers at the router's port, or not as a router does; says what happened. Only known
    /// on the host itself: from here it may be a firewall.
    NoRouter(String),
    /// It could not be asked, and why: nothing is known of the site.
    NotAsked(String),
}

impl SiteAnswer {
    /// Whether it does what a visitor wants of it; `None`: that is not known.
    pub fn is_good(&self) -> Option<bool> {
        match self {
            SiteAnswer::NotAsked(_) => None,
            SiteAnswer::Site(status) => Some(*status < 500),
            _ => Some(false),
        }
    }

    /// The status that a visitor gets, where one comes.
    pub fn status(&self) -> Option<u16> {
        match self {
            SiteAnswer::Site(status) | SiteAnswer::Router { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// In a few words: `answers 502`, `does not answer within 4 s`.
    pub fn words(&self) -> String {
        match self {
            SiteAnswer::Site(status) => format!("answers {status}"),
            SiteAnswer::Router { status, page } => {
                let what = match page.as_str() {
                    "stopped" => "the router has it as stopped",
                    "unreachable" => "nothing takes connections there",
                    "no-answer" => "the router waited in vain for its answer",
                    "broken-answer" => "it broke off, or answers no HTTP",
                    "limit" => "it is at its limit of connections",
                    "unknown-domain" => "the router does not know its domain",
                    "unresolved" => "the name it leads to has no address",
                    "off-limits" => "the name it leads to is off limits",
                    other => return format!("the router answers {status} ({other})"),
                };
                format!("{what} ({status})")
            }
            SiteAnswer::Silent(seconds) => format!("does not answer within {seconds} s"),
            SiteAnswer::NoRouter(why) => format!("the router does not answer: {why}"),
            SiteAnswer::NotAsked(why) => format!("could not be asked: {why}"),
        }
    }
}

/// One question to a site, and what the ones before it came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// When it was asked, unix seconds of our clock.
    pub at: i64,
    pub answer: SiteAnswer,
    pub road: Road,
    /// How long it took.
    pub took: Duration,
    /// When the first of the present run of bad answers was asked for; `None`: the last one that is
    /// known was good.
    pub failing_since: Option<i64>,
    /// When the last good answer was asked for, where there was one.
    pub last_ok: Option<i64>,
    /// When the first of the present run of good answers after bad ones was asked for; `None`: no
    /// bad one is known, or the last one was.
    pub well_since: Option<i64>,
    /// When the last bad answer was asked for, where there was one.
    pub last_bad: Option<i64>,
}

impl Probe {
    /// A question asked at `at`, after `before`. One that could not be put changes nothing of what
    /// is known.
    pub fn new(
        at: i64,
        answer: SiteAnswer,
        road: Road,
        took: Duration,
        before: Option<&Probe>,
    ) -> Probe {
        let since = before.and_then(|before| before.failing_since);
        let last_ok = before.and_then(|before| before.last_ok);
        let well = before.and_then(|before| before.well_since);
        let last_bad = before.and_then(|before| before.last_bad);
        let (failing_since, last_ok, well_since, last_bad) = match answer.is_good() {
            Some(true) => {
                let well = well.or(last_bad.map(|_| at));
                (None, Some(at), well, last_bad)
            }
            Some(false) => (since.or(Some(at)), last_ok, None, Some(at)),
            None => (since, last_ok, well, last_bad),
        };
        Probe {
            at,
            answer,
            road,
            took,
            failing_since,
            last_ok,
            well_since,
            last_bad,
        }
    }
}

/// What the operator's own side sees of a site: DNS, and a request to where DNS leads. A CDN may
/// answer there, or a firewall be in the way: it says nothing of the site by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outside {
    /// When it was asked, unix seconds.
    pub at: i64,
    /// Addresses that the domain resolves to, or why not.
    pub dns: Result<Vec<String>, String>,
    /// Status of what answers there, or why nothing does.
    pub http: Result<u16, String>,
    /// Whether that is a router of ours: it was asked for itself, and no site for anything. `None`:
    /// the host's router is of a version that does not tell.
    pub router: Option<bool>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_of_bad_answers_keeps_its_beginning() {
        let took = Duration::from_millis(3);
        let next = |at, answer, before: Option<&Probe>| {
            Probe::new(at, answer, Road::Connection, took, before)
        };
        let well = next(10, SiteAnswer::Site(404), None);
        assert_eq!((well.failing_since, well.last_ok), (None, Some(10)));
        let hangs = next(20, SiteAnswer::Silent(4), Some(&well));
        assert_eq!((hangs.failing_since, hangs.last_ok), (Some(20), Some(10)));
        let page = SiteAnswer::Router {
            status: 503,
            page: "limit".into(),
        };
        let still = next(30, page, Some(&hangs));
        assert_eq!((still.failing_since, still.last_ok), (Some(20), Some(10)));
        // Nothing is learnt where nobody could ask.
        let unasked = next(40, SiteAnswer::NotAsked("x".into()), Some(&still));
        assert_eq!(
            (unasked.failing_since, unasked.last_ok),
            (Some(20), Some(10))
        );
        let again = next(50, SiteAnswer::Site(200), Some(&unasked));
        assert_eq!((again.failing_since, again.last_ok), (None, Some(50)));
        assert_eq!((again.well_since, again.last_bad), (Some(50), Some(30)));
        let goes_on = next(60, SiteAnswer::Site(200), Some(&again));
        assert_eq!((goes_on.well_since, goes_on.last_bad), (Some(50), Some(30)));
        assert_eq!((well.well_since, still.well_since), (None, None));
        assert_eq!(next(1, SiteAnswer::Site(500), None).failing_since, Some(1));
    }
}

//! What is shown for one name, held against what is stored.

use super::fault::Fault;
use crate::observe::served::{Issued, Showing, Showings, Shown};
use crate::record::certificate::{CertificateFacts, NOBODYS};
use crate::text::{age_in_words, clean};

/// A finding about one name.
pub(super) type Found = (Fault, String);

/// What is the matter with what is shown for `name`; `None`: nothing, as far as anybody asked.
pub(super) fn judge(
    name: &str,
    stored: Option<&CertificateFacts>,
    showings: &Showings,
    now: i64,
) -> Option<Found> {
    let same = |facts: &CertificateFacts| {
        stored.is_some_and(|stored| stored.fingerprint == facts.fingerprint)
    };
    let router = showings.router.as_ref().map(|it| &it.shown);
    let by_router = router.and_then(|shown| of_router(name, stored, shown, now));
    let Some(visitors) = &showings.visitors else {
        return by_router;
    };
    match &visitors.shown {
        Shown::Certificate { facts, .. } => {
            let bad = flaw(name, &visitors.shown, now);
            let ours = same(facts) || router.and_then(Shown::facts) == Some(facts);
            match (by_router, bad) {
                (Some(found), _) => Some(found),
                (None, found) if ours => found,
                (None, Some((fault, why))) => Some((fault, format!("{}: {why}", place(visitors)))),
                (None, None) => {
                    let issuer = clean(&facts.issuer);
                    let why = format!("{} shows another one, of {issuer}", place(visitors));
                    Some((Fault::SomebodyElse, why))
                }
            }
        }
        Shown::Nothing(why) => by_router.or_else(|| {
            let why = format!("{}: {}", place(visitors), clean(why));
            Some((Fault::NotShown, why))
        }),
        Shown::NotKnown(_) => by_router,
    }
}

/// Where visitors go.
fn place(visitors: &Showing) -> String {
    use crate::observe::asked::Road;
    match &visitors.road {
        Road::Here(address) if !address.is_empty() => format!("at {}", clean(address)),
        _ => "where DNS leads".to_owned(),
    }
}

/// What the router shows.
fn of_router(
    name: &str,
    stored: Option<&CertificateFacts>,
    shown: &Shown,
    now: i64,
) -> Option<Found> {
    match shown {
        Shown::NotKnown(_) => None,
        Shown::Nothing(why) => Some((Fault::NotShown, format!("the router: {}", clean(why)))),
        Shown::Certificate { facts, .. } if facts.names == [NOBODYS] => {
            Some((Fault::NotShown, "the router has none for it".to_owned()))
        }
        Shown::Certificate { facts, .. } => {
            let found = flaw(name, shown, now);
            match stored {
                // Good for visitors, and for how long yet.
                Some(stored) if found.is_none() && stored.fingerprint != facts.fingerprint => {
                    let why = format!("the router shows another one, {}", ends(facts, now));
                    Some((Fault::NotLoaded, why))
                }
                _ => found,
            }
        }
    }
}

/// What a visitor has against it.
fn flaw(name: &str, shown: &Shown, now: i64) -> Option<Found> {
    let Shown::Certificate {
        facts,
        issued,
        cut_off,
    } = shown
    else {
        return None;
    };
    if facts.not_after <= now {
        let why = format!("what is shown {}", ends(facts, now));
        return Some((Fault::Expired, why));
    }
    if !facts.covers(name) {
        let names = match facts.names.first() {
            None => "no name".to_owned(),
            Some(first) if facts.names.len() > 1 => {
                format!("{} and {} more", clean(first), facts.names.len() - 1)
            }
            Some(first) => clean(first).into_owned(),
        };
        return Some((Fault::WrongName, format!("what is shown is for {names}")));
    }
    let issuer = clean(&facts.issuer);
    let untrusted = |why: String| Some((Fault::Untrusted, why));
    match issued {
        _ if facts.not_before > now => untrusted("what is shown is not valid yet".to_owned()),
        Issued::Incomplete => {
            let why = format!("the certificate of {issuer} is not shown with it");
            Some((Fault::IntermediateMissing, why))
        }
        Issued::Itself => untrusted("nobody but itself has issued it".to_owned()),
        Issued::Nobody => untrusted(format!("{issuer} is known to nobody")),
        Issued::Bad(why) => untrusted(clean(why).into_owned()),
        Issued::Known | Issued::NotJudged => cut_off.as_ref().map(|why| {
            let why = format!("the handshake is cut off: {}", clean(why));
            (Fault::NotShown, why)
        }),
    }
}

/// When it ends, or has.
pub(super) fn ends(facts: &CertificateFacts, now: i64) -> String {
    let left = facts.not_after - now;
    match left {
        ..=0 => format!("ended {} ago", age_in_words(-left)),
        _ => format!("ends in {}", age_in_words(left)),
    }
}

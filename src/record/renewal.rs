//! When a certificate is renewed. Nothing here counts in fixed days: lives of certificates shrink.

use sha2::{Digest, Sha256};

use super::certificate::CertificateRecord;

/// A life that is shorter than this, seconds, counts as a short one.
const SHORT: i64 = 10 * 86_400;

/// When the certificate of a record is to be renewed, unix seconds: at a moment in the window that its
/// authority suggests, else when a third of its life is left, or half of a life of under ten days. The
/// site's name chooses the moment (in the window, or in the last tenth of the time before that third),
/// so that what was issued together is not renewed together. `now` where nothing is stored.
///
/// Whether a try that failed has to rest first is another question: [`next_try`].
pub fn renew_at(record: &CertificateRecord, now: i64) -> i64 {
    let Some(stored) = &record.stored else {
        return now;
    };
    let facts = &stored.facts;
    let (life, site) = (facts.life(), record.site.as_str());
    let left = if life < SHORT { life / 2 } else { life / 3 };
    let suggested = record.renewal.as_ref();
    match suggested.filter(|it| it.fingerprint == facts.fingerprint) {
        // A window that leaves no time to try again is none to go by to its end.
        Some(window) => {
            let span = window.end.saturating_sub(window.start);
            let at = window.start.saturating_add(part(site, span));
            at.min(facts.not_after - life / 10)
        }
        None => facts.not_after - left - part(site, (life - left) / 10),
    }
}

/// When it is tried, unix seconds: when it is due, and not before a try that failed has rested.
pub fn next_try(record: &CertificateRecord, now: i64) -> i64 {
    let rest = record.attempt.as_ref().map_or(0, |last| last.not_before);
    renew_at(record, now).max(rest)
}

/// A part of a span, in [0, span], that a name always gets.
fn part(name: &str, span: i64) -> i64 {
    let digest = Sha256::digest(name.as_bytes());
    let bytes = digest[..4].iter();
    let share = bytes.fold(0_i128, |sum, byte| sum << 8 | i128::from(*byte));
    let part = i128::from(span.max(0)) * share / i128::from(u32::MAX);
    i64::try_from(part).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::certificate::{Attempt, CertificateFacts, Ending, Renewal, Source, Stored};

    const DAY: i64 = 86_400;

    fn record(site: &str, days: i64) -> CertificateRecord {
        let mut record = CertificateRecord::new(&site.parse().unwrap());
        record.stored = Some(Stored {
            facts: CertificateFacts {
                names: vec!["a.example".into()],
                issuer: "CA".into(),
                serial: "1".into(),
                fingerprint: "a".repeat(64),
                not_before: 0,
                not_after: days * DAY,
                chain: 2,
            },
            from: Source::Own,
            ari: None,
            at: 0,
        });
        record
    }

    #[test]
    fn it_is_due_when_a_third_of_its_life_is_left_or_half_of_a_short_one() {
        for (days, due) in [(90, 60.0), (64, 64.0 * 2.0 / 3.0), (45, 30.0), (6, 3.0)] {
            for site in ["blog", "shop", "wiki", "a", "b", "c"] {
                let at = renew_at(&record(site, days), 0) as f64 / DAY as f64;
                assert!(at <= due && at >= due * 0.9 - 0.001, "{days} {site}: {at}");
            }
        }
    }

    #[test]
    fn what_was_issued_together_is_not_renewed_together() {
        let mut moments: Vec<i64> = (0..100)
            .map(|nr| renew_at(&record(&format!("site-{nr}"), 90), 0))
            .collect();
        moments.sort_unstable();
        let widest = moments.windows(2).map(|two| two[1] - two[0]).max();
        assert!(widest < Some(DAY), "{widest:?}");
        assert!(moments[99] - moments[0] > 5 * DAY);
        assert_eq!(
            renew_at(&record("blog", 90), 0),
            renew_at(&record("blog", 90), 5)
        );
    }

    #[test]
    fn the_authority_s_window_goes_first_when_it_is_about_this_certificate() {
        let window = |record: &mut CertificateRecord, start: i64, end: i64| {
            record.renewal = Some(Renewal {
                fingerprint: "a".repeat(64),
                start: start * DAY,
                end: end * DAY,
                again: 0,
            });
        };
        let mut it = record("blog", 90);
        let without = renew_at(&it, 0);
        window(&mut it, 10, 12);
        let at = renew_at(&it, 0);
        assert!((10 * DAY..=12 * DAY).contains(&at), "{at}");
        it.renewal.as_mut().unwrap().fingerprint = "b".repeat(64);
        assert_eq!(renew_at(&it, 0), without);
        // One that is too late, or absurd, does not let it expire.
        window(&mut it, 95, 200);
        assert_eq!(renew_at(&it, 0), 81 * DAY);
        it.renewal.as_mut().unwrap().end = i64::MAX;
        assert_eq!(renew_at(&it, 0), 81 * DAY);
    }

    #[test]
    fn nothing_stored_is_due_now_and_a_failure_rests() {
        let mut it = CertificateRecord::new(&"blog".parse().unwrap());
        assert_eq!(renew_at(&it, 7), 7);
        it.attempt = Some(Attempt {
            at: 7,
            ended: Ending::Failed,
            names: Vec::new(),
            failures: 1,
            not_before: 307,
            words: Default::default(),
        });
        assert_eq!((renew_at(&it, 8), next_try(&it, 8)), (8, 307));
        assert_eq!(next_try(&it, 400), 400);
    }
}

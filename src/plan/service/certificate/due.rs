//! Whether another certificate is to be had for a site now. Pure.

use chrono::DateTime;

use super::operation::authority;
use crate::record::certificate::{CertificateRecord, Ending, Source, covers};
use crate::record::renewal;

/// Seconds until the next try after so many failures in a row.
const BACK_OFF: [i64; 3] = [300, 3600, 86_400];
/// Seconds for which one that was had is left alone.
const REST: i64 = 3600;
/// Seconds until a name that did not lead here is looked at again.
pub const WAIT: i64 = 300;

/// How it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Due {
    /// It is; why.
    Now(Vec<String>),
    /// It is, and was tried: not again before this, unix seconds.
    Later(i64),
    /// What there is will do.
    Not,
}

/// Judges by what is wanted: these names (sorted), from the authority with this directory.
/// `on_disk`: the file is as it is recorded.
pub fn due(
    record: Option<&CertificateRecord>,
    names: &[String],
    directory: &str,
    on_disk: bool,
    now: i64,
) -> Due {
    let why = why(record, names, directory, on_disk, now);
    if why.is_empty() {
        return Due::Not;
    }
    let tried = record.and_then(|record| record.attempt.as_ref());
    let tried = tried.filter(|it| it.ended != Ending::Done && it.names == names);
    match tried.map(|attempt| attempt.not_before) {
        Some(not_before) if not_before > now => Due::Later(not_before),
        _ => Due::Now(why),
    }
}

fn why(
    record: Option<&CertificateRecord>,
    names: &[String],
    directory: &str,
    on_disk: bool,
    now: i64,
) -> Vec<String> {
    let Some(record) = record else {
        return vec!["it has no certificate yet".to_owned()];
    };
    let Some(stored) = &record.stored else {
        return vec!["it has no certificate yet".to_owned()];
    };
    let mut why = Vec::new();
    if !on_disk {
        why.push("its certificate on the host was changed by hand".to_owned());
    }
    let missing = names
        .iter()
        .filter(|name| !covers(&stored.facts.names, name));
    let missing: Vec<&str> = missing.map(String::as_str).collect();
    if !missing.is_empty() {
        why.push(format!("its certificate is not for {}", missing.join(", ")));
    }
    if let Source::Acme { directory: was } = &stored.from
        && was != directory
    {
        let (was, now) = (authority(was), authority(directory));
        why.push(format!("authority: {was} → {now}"));
    }
    if is_to_be_renewed(record, now) {
        let end = stored.facts.not_after;
        // The same at any moment: a plan that was saved is compared word by word.
        why.push(match end > now {
            true => format!("its renewal is due: it ends {}", moment(end)),
            false => format!("it is expired since {}", moment(end)),
        });
    }
    why
}

/// Whether its renewal is due. One that was had a moment ago is not had again, whatever a clock or an
/// authority says of it: nothing else would end that.
pub fn is_to_be_renewed(record: &CertificateRecord, now: i64) -> bool {
    let had = record.stored.as_ref().map_or(i64::MIN, |stored| stored.at);
    renewal::renew_at(record, now) <= now && !(had..had.saturating_add(REST)).contains(&now)
}

/// A moment, unix seconds, in words.
pub fn moment(at: i64) -> String {
    let at = DateTime::from_timestamp(at, 0).unwrap_or_default();
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}

/// When the next try may be, after `failures` in a row, the last of them at `at`; all unix seconds.
/// What expires soon is tried more often.
pub fn next_try(failures: u32, at: i64, not_after: Option<i64>) -> i64 {
    let step = usize::try_from(failures).unwrap_or(usize::MAX);
    let step = step.clamp(1, BACK_OFF.len()) - 1;
    let pause = BACK_OFF[step];
    let left = not_after.map(|end| (end - at).max(0) / 8);
    let most = left.map_or(pause, |left| left.max(BACK_OFF[0]));
    at + pause.min(most)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::certificate::{Attempt, CertificateFacts, Stored};

    const DAY: i64 = 86_400;
    const HERE: &str = "https://ca.example/dir";

    fn record(names: &[&str]) -> CertificateRecord {
        let mut record = CertificateRecord::new(&"shop".parse().unwrap());
        record.stored = Some(Stored {
            facts: CertificateFacts {
                names: names.iter().map(|name| (*name).to_owned()).collect(),
                issuer: "Test CA".into(),
                serial: "01".into(),
                fingerprint: "ab".repeat(32),
                not_before: 0,
                not_after: 90 * DAY,
                chain: 2,
            },
            from: Source::Acme {
                directory: HERE.into(),
            },
            ari: None,
            at: 0,
        });
        record
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn what_is_missing_old_or_elsewhere_is_due() {
        let shop = names(&["shop.example"]);
        let of = |record: &CertificateRecord, names: &[String], now| {
            due(Some(record), names, HERE, true, now)
        };
        let is_due = |due: Due, part: &str| {
            let Due::Now(why) = due else {
                panic!("{due:?}, not {part}");
            };
            assert!(why.iter().any(|why| why.contains(part)), "{why:?}: {part}");
        };
        is_due(due(None, &shop, HERE, true, 0), "no certificate yet");
        let had = record(&["shop.example"]);
        assert_eq!(of(&had, &shop, DAY), Due::Not);
        is_due(
            of(&had, &shop, 61 * DAY),
            "renewal is due: it ends 1970-04-01 00:00 UTC",
        );
        is_due(of(&had, &shop, 91 * DAY), "expired");
        let more = names(&["shop.example", "www.shop.example"]);
        is_due(of(&had, &more, DAY), "not for www.shop.example");
        let wild = record(&["*.shop.example", "shop.example"]);
        assert_eq!(of(&wild, &more, DAY), Due::Not);
        is_due(
            due(Some(&had), &shop, "https://other.example/d", true, DAY),
            "authority: ca.example → other.example",
        );
        is_due(due(Some(&had), &shop, HERE, false, DAY), "by hand");
    }

    #[test]
    fn one_that_was_just_had_is_not_had_again() {
        let mut had = record(&["shop.example"]);
        had.stored.as_mut().unwrap().at = 80 * DAY;
        let at = |now| due(Some(&had), &names(&["shop.example"]), HERE, true, now);
        assert_eq!(at(80 * DAY + 60), Due::Not);
        assert!(matches!(at(80 * DAY + 3600), Due::Now(_)));
        // A clock that was ahead then does not keep it from renewal now.
        assert!(matches!(at(79 * DAY), Due::Now(_)));
    }

    #[test]
    fn what_failed_is_left_alone_for_a_while_unless_something_else_is_asked() {
        let mut tried = CertificateRecord::new(&"shop".parse().unwrap());
        let shop = names(&["shop.example"]);
        tried.attempt = Some(Attempt {
            at: 1000,
            ended: Ending::Failed,
            names: shop.clone(),
            failures: 1,
            not_before: next_try(1, 1000, None),
            words: Default::default(),
        });
        let at = |now, names: &[String]| due(Some(&tried), names, HERE, true, now);
        assert_eq!(at(1001, &shop), Due::Later(1300));
        assert!(matches!(at(1300, &shop), Due::Now(_)));
        assert!(matches!(at(1001, &names(&["other.example"])), Due::Now(_)));
        let pauses: Vec<i64> = (0..6).map(|n| next_try(n, 0, None)).collect();
        assert_eq!(pauses, [300, 300, 3600, 86_400, 86_400, 86_400]);
        // What has a day left is not left alone for a day.
        assert_eq!(next_try(5, 0, Some(DAY)), 3 * 3600);
        assert_eq!(next_try(5, 0, Some(60)), 300);
    }
}

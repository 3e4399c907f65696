//! What the next days bring.

use super::row::{CertificateRow, Stand};

/// Seconds of a day.
const DAY: i64 = 86_400;

/// One day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Day {
    /// When it begins, unix seconds.
    pub at: i64,
    /// Certificates that are to be renewed on it; on the first day also those that were due before.
    pub renewals: usize,
    /// Certificates that end on it; on the first day also those that ended before.
    pub ends: usize,
}

/// Seven days, from the one that begins at `midnight`.
pub fn week<'a>(rows: impl IntoIterator<Item = &'a CertificateRow>, midnight: i64) -> [Day; 7] {
    let mut days: [Day; 7] = std::array::from_fn(|nr| Day {
        at: midnight + nr as i64 * DAY,
        ..Day::default()
    });
    let place = |at: i64| usize::try_from((at - midnight).div_euclid(DAY).max(0)).ok();
    for row in rows.into_iter().filter(|it| it.stand != Stand::Unused) {
        let day = |at: Option<i64>| at.and_then(place).filter(|nr| *nr < days.len());
        let (renewal, end) = (day(row.next_try.or(row.renew_at)), day(row.until));
        if let Some(nr) = renewal {
            days[nr].renewals += 1;
        }
        if let Some(nr) = end {
            days[nr].ends += 1;
        }
    }
    days
}

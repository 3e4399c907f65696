//! Times as an operator says them: `--since 2h30m`.

use std::str::FromStr;

use chrono::{DateTime, Local, NaiveDate, NaiveDateTime, NaiveTime, TimeZone};

/// A time in the past.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// So many seconds ago.
    Ago(i64),
    /// Unix seconds.
    At(i64),
    /// When a clock here showed that last.
    Clock(NaiveTime),
}

const FORMS: &str = "a time is 90s, 2h30m, 3d, 1w ago, 08:15, 2026-11-21, 2026-11-21 08:15, \
                     2026-11-21T08:15:00Z, or unix seconds";
/// What is shorter is no count of seconds since 1970 that anybody means.
const UNIX_DIGITS: usize = 9;

impl Since {
    /// Unix seconds, as seen from `now`.
    pub fn at(self, now: i64) -> i64 {
        match self {
            Since::Ago(seconds) => now - seconds,
            Since::At(time) => time,
            Since::Clock(time) => last_at(time, now, &Local).unwrap_or(now),
        }
    }
}

/// When a clock showed this time last before `now`.
fn last_at<Z: TimeZone>(time: NaiveTime, now: i64, zone: &Z) -> Option<i64> {
    let today = DateTime::from_timestamp(now, 0)?.with_timezone(zone);
    let days = [Some(today.date_naive()), today.date_naive().pred_opt()];
    let times = days.into_iter().flatten().filter_map(|day| {
        let local = zone.from_local_datetime(&day.and_time(time));
        local.earliest().map(|found| found.timestamp())
    });
    times.into_iter().find(|at| *at <= now)
}

impl FromStr for Since {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if let Ok(time) = DateTime::parse_from_rfc3339(text) {
            return Ok(Since::At(time.timestamp()));
        }
        // The router's log has fractions of seconds.
        let whole = text.split_once('.').map_or(text, |(whole, _)| whole);
        if whole.len() >= UNIX_DIGITS && text.parse::<f64>().is_ok() {
            let seconds = whole.parse();
            return seconds.map(Since::At).map_err(|_| FORMS.to_owned());
        }
        for form in ["%H:%M:%S", "%H:%M"] {
            if let Ok(time) = NaiveTime::parse_from_str(text, form) {
                return Ok(Since::Clock(time));
            }
        }
        if let Some(local) = local(text) {
            let found = Local.from_local_datetime(&local).earliest();
            let found = found.ok_or("the clocks here never showed that time")?;
            return Ok(Since::At(found.timestamp()));
        }
        ago(text).map(Since::Ago).ok_or_else(|| FORMS.to_owned())
    }
}

/// How long from now: seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Within(pub i64);

impl FromStr for Within {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let within = ago(text.trim()).map(Within);
        within.ok_or_else(|| "how long is said as 14d, 36h, 2h30m or 1w".to_owned())
    }
}

fn local(text: &str) -> Option<NaiveDateTime> {
    let spaced = text.replacen('T', " ", 1);
    let forms = ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M"];
    let mut times = forms
        .iter()
        .filter_map(|form| NaiveDateTime::parse_from_str(&spaced, form).ok());
    times.next().or_else(|| {
        let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
        Some(day.and_time(NaiveTime::MIN))
    })
}

/// `2h30m`: seconds. The larger unit first, each once.
fn ago(text: &str) -> Option<i64> {
    let units = [
        ('w', 604_800),
        ('d', 86_400),
        ('h', 3600),
        ('m', 60),
        ('s', 1),
    ];
    let mut rest = text;
    let mut seconds = 0;
    for (unit, factor) in units {
        if let Some((count, after)) = rest.split_once(unit) {
            seconds += i64::from(count.parse::<u32>().ok()?) * factor;
            rest = after;
        }
    }
    (rest.is_empty() && !text.is_empty()).then_some(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        let at = |text: &str| {
            text.parse::<Since>()
                .unwrap_or_else(|e| panic!("{text}: {e}"))
        };
        for (text, ago) in [
            ("10m", 600),
            ("2d", 172_800),
            ("2h30m", 9000),
            ("1w2d3h4m5s", 788_645),
            ("90s", 90),
            (" 0s ", 0),
        ] {
            assert_eq!(at(text), Since::Ago(ago), "{text}");
            assert_eq!(at(text).at(1_000_000), 1_000_000 - ago);
        }
        for (text, seconds) in [
            ("1970-01-01T00:01:00Z", 60),
            ("1970-01-01T02:01:00+02:00", 60),
            ("1795298222", 1_795_298_222),
            ("1795298222.739", 1_795_298_222),
        ] {
            assert_eq!(at(text), Since::At(seconds), "{text}");
        }
        let here = |text: &str| {
            let local = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").unwrap();
            Since::At(Local.from_local_datetime(&local).unwrap().timestamp())
        };
        assert_eq!(at("2026-11-21 08:15"), here("2026-11-21 08:15:00"));
        assert_eq!(at("2026-11-21T08:15:09"), here("2026-11-21 08:15:09"));
        assert_eq!(at("2026-11-21"), here("2026-11-21 00:00:00"));
        for wrong in [
            "",
            "m",
            "5",
            "-3h",
            "1.5h",
            "yesterday",
            "5µ",
            "3m2h",
            "2h2h",
            "h",
            "24:00",
            "12345",
            "2026-13-01",
            "2026-11-21 8",
            "nan",
            "infinity0",
        ] {
            assert!(wrong.parse::<Since>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_time_of_day_is_the_last_one() {
        let utc = chrono::Utc;
        let noon = 1_795_262_400 / 86_400 * 86_400 + 43_200;
        let time = |h, m| NaiveTime::from_hms_opt(h, m, 0).unwrap();
        assert_eq!(last_at(time(11, 0), noon, &utc), Some(noon - 3600));
        assert_eq!(last_at(time(12, 0), noon, &utc), Some(noon));
        assert_eq!(last_at(time(12, 1), noon, &utc), Some(noon - 86_400 + 60));
    }
}

//! Amounts and times in words. Two families: few characters, for columns (`14m`, `1.5G`), and
//! spelled out, for sentences (`14 min`).

use std::time::Duration;

/// `1 site`, `2 sites`.
pub fn count(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

/// A size as an operator writes it, in binary units: `128M`, `1.5G`.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "K", "M", "G", "T"];
    let mut unit = 0;
    let mut value = bytes as f64;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 || value >= 9.95 || (value - value.round()).abs() < 0.05 {
        format!("{value:.0}{}", UNITS[unit])
    } else {
        format!("{value:.1}{}", UNITS[unit])
    }
}

/// A rate: whole numbers from 10 on, one decimal below, `0` for nothing.
pub fn rate(per: f64) -> String {
    if per <= 0.0 {
        "0".into()
    } else if per < 9.95 {
        let text = format!("{per:.1}");
        if text == "0.0" {
            "<0.1".into()
        } else {
            text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
        }
    } else if per < 9999.5 {
        format!("{per:.0}")
    } else {
        format!("{:.0}k", per / 1000.0)
    }
}

/// A share in hundredths: `87%`.
pub fn percent(share: f64) -> String {
    format!("{:.0}%", (share * 100.0).min(9999.0))
}

/// An age in its largest sensible unit: `12s`, `14m`, `5h`, `61d`.
pub fn age(seconds: i64) -> String {
    let s = seconds.max(0);
    match s {
        0..60 => format!("{s}s"),
        60..3600 => format!("{}m", s / 60),
        3600..172_800 => format!("{}h", s / 3600),
        _ => format!("{}d", s / 86_400),
    }
}

/// Seconds until [`age`] of the same moment reads differently.
pub fn age_changes_in(seconds: i64) -> i64 {
    let s = seconds.max(0);
    match s {
        0..60 => 1,
        60..3600 => 60 - s % 60,
        3600..172_800 => 3600 - s % 3600,
        _ => 86_400 - s % 86_400,
    }
}

/// An age in a sentence: `12 s`, `14 min`, `5 h`, `61 d`.
pub fn age_in_words(seconds: i64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// How long something took: `1.2s`, `14m`.
pub fn took(ms: u64) -> String {
    match ms {
        0..10_000 => format!("{:.1}s", ms as f64 / 1000.0),
        _ => age(i64::try_from(ms / 1000).unwrap_or(i64::MAX)),
    }
}

/// How long something took, in a sentence: `1.2 s`, `14 s`, `2 min 5 s`.
pub fn took_in_words(ms: u64) -> String {
    match ms {
        0..10_000 => format!("{:.1} s", ms as f64 / 1000.0),
        10_000..120_000 => format!("{} s", ms / 1000),
        _ => format!("{} min {} s", ms / 60_000, ms / 1000 % 60),
    }
}

/// How long a site took to answer, in whole milliseconds below ten seconds: `9ms`, `12.3s`.
pub fn answer_time(ms: u64) -> String {
    match ms {
        0..10_000 => format!("{ms}ms"),
        _ => format!("{}.{}s", ms / 1000, ms % 1000 / 100),
    }
}

/// A round trip to a host: `0.4ms`, `12ms`, `2.3s`.
pub fn round_trip(took: Duration) -> String {
    let ms = took.as_secs_f64() * 1e3;
    match ms {
        1000.0.. => format!("{:.1}s", ms / 1e3),
        9.95.. => format!("{ms:.0}ms"),
        _ => format!("{ms:.1}ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_tell_when_they_change() {
        for (seconds, text) in [
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (3599, "59m"),
            (3600, "1h"),
            (172_800, "2d"),
            (61 * 86_400, "61d"),
        ] {
            assert_eq!(age(seconds), text);
            let next = age_changes_in(seconds);
            assert_ne!(age(seconds + next), text);
            assert_eq!(age(seconds + next - 1), text);
        }
    }

    #[test]
    fn sizes_and_rates_are_short() {
        assert_eq!(size(128 << 20), "128M");
        assert_eq!(size(3 << 29), "1.5G");
        assert_eq!(size(0), "0B");
        assert_eq!(rate(0.0), "0");
        assert_eq!(rate(0.04), "<0.1");
        assert_eq!(rate(31.2), "31");
        assert_eq!(rate(2.0), "2");
        assert_eq!(rate(2.5), "2.5");
    }

    #[test]
    fn what_took_long_is_told_in_minutes() {
        assert_eq!(took_in_words(1_240), "1.2 s");
        assert_eq!(took_in_words(14_900), "14 s");
        assert_eq!(took_in_words(125_000), "2 min 5 s");
        assert_eq!((took(1_240), took(125_000)), ("1.2s".into(), "2m".into()));
    }
}

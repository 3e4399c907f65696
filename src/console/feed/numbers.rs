//! The router's numbers: from its table, which counts everything, and from the end of its log,
//! which also tells statuses and can be read in on-call mode.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::StreamExt;

use crate::engine::{self, Client, LogOptions};
use crate::fleet::Name;
use crate::host::router::log::Access;
use crate::host::router::runtime::SiteTraffic;
use crate::verdict::{Run, Traffic};

/// Lines of the router's log that are read each time.
const TAIL: u32 = 500;
/// Requests per second are counted over this many seconds, as the router's table does.
const RATE_S: f64 = 10.0;
const MINUTE_S: f64 = 60.0;
/// Who leaves sooner than this, milliseconds, did not give up: they went on to another page.
const PATIENCE_MS: i64 = 4_000;

/// The last lines of the router's log.
pub(super) async fn log_tail(client: &Client, router: &str) -> engine::Result<Vec<Access>> {
    let options = LogOptions {
        tail: Some(TAIL),
        ..LogOptions::default()
    };
    let mut stream = std::pin::pin!(client.logs(router, options));
    let mut bytes: Vec<u8> = Vec::new();
    while let Some(chunk) = stream.next().await {
        bytes.extend_from_slice(&chunk?.bytes);
    }
    Ok(String::from_utf8_lossy(&bytes)
        .lines()
        .filter_map(Access::parse)
        .collect())
}

/// Lines of a host's log with their times on our clock, which is so many seconds behind its own.
pub(super) fn on_our_clock(mut lines: Vec<Access>, skew: i64) -> Vec<Access> {
    for line in &mut lines {
        line.time -= skew as f64;
    }
    lines
}

/// Whether the lines read tell all of the last minute.
pub fn tell_a_minute(lines: &[Access], now: i64) -> bool {
    lines.len() < TAIL as usize || lines.iter().any(|line| now as f64 - line.time >= MINUTE_S)
}

/// What the end of the log tells of each site. Rates are given only where the lines read reach
/// back far enough, or cover what they reach back to. `patient`: sites whose requests wait long on
/// purpose, so that a visitor who leaves one says nothing.
pub fn of_log(
    lines: &[Access],
    now: i64,
    patient: impl Fn(&str) -> bool,
) -> BTreeMap<String, Traffic> {
    let mut found: BTreeMap<String, Traffic> = BTreeMap::new();
    let now_s = now as f64;
    let oldest = lines.iter().map(|l| l.time).fold(f64::INFINITY, f64::min);
    let reach = now_s - oldest;
    let whole = lines.len() < TAIL as usize;
    let window = |wanted: f64, least: f64| {
        if whole {
            wanted
        } else {
            wanted.min(reach.max(least))
        }
    };
    // One error within two seconds is not thirty a minute.
    let (second, minute) = (window(RATE_S, 1.0), window(MINUTE_S, RATE_S));
    for line in lines {
        let Some(site) = &line.site else { continue };
        let traffic = found.entry(site.clone()).or_insert(Traffic {
            at: now,
            errors: Some(0.0),
            ..Traffic::default()
        });
        let age = now_s - line.time;
        if age <= second {
            traffic.requests += 1.0 / second;
        }
        if line.status >= 500 && age <= minute {
            traffic.errors = traffic.errors.map(|n| n + MINUTE_S / minute);
        }
        // Lines stand in the order in which requests ended: the last one counts.
        let at = line.time as i64;
        let status = u16::try_from(line.status).ok();
        match status.filter(|status| (100..=599).contains(status)) {
            // What the router notes for a visitor who left is nobody's answer. Most are on their
            // way to the next page; those who waited long are a sign.
            _ if line.was_left() => {
                let in_vain = line.total_ms >= PATIENCE_MS && line.was_asked() && !patient(site);
                if in_vain {
                    traffic.bad = Run::and(traffic.bad, at);
                    traffic.waited = Run::and(traffic.waited, at);
                }
            }
            Some(status @ 500..) => {
                traffic.status = Some((status, at));
                traffic.bad = Run::and(traffic.bad, at);
                if line.was_late() {
                    traffic.waited = Run::and(traffic.waited, at);
                }
            }
            Some(status) => {
                traffic.status = Some((status, at));
                traffic.good = Some(at);
                (traffic.bad, traffic.waited) = (None, None);
            }
            None => {}
        }
    }
    found
}

/// Table and log together: the table's counts where there are any, the log's statuses.
pub fn merged(
    table: &BTreeMap<String, SiteTraffic>,
    from_log: BTreeMap<String, Traffic>,
    now: i64,
) -> Vec<(Name, Traffic)> {
    let mut all = from_log;
    for (site, counted) in table {
        let traffic = all.entry(site.clone()).or_default();
        traffic.at = now;
        traffic.requests = counted.request_rate;
        traffic.errors = Some(counted.server_errors_minute as f64);
        traffic.connections = u32::try_from(counted.connections).unwrap_or(u32::MAX);
    }
    all.into_iter()
        .filter_map(|(site, traffic)| Some((site.parse().ok()?, traffic)))
        .collect()
}

/// The other sites of the host: nobody asked for them as far back as was read, or they would be
/// among what was found. `a_minute`: that far at least.
pub fn and_silent<'a>(
    mut found: Vec<(Name, Traffic)>,
    sites: impl Iterator<Item = &'a Name>,
    a_minute: bool,
    now: i64,
) -> Vec<(Name, Traffic)> {
    let told: BTreeSet<Name> = found.iter().map(|(site, _)| site.clone()).collect();
    let silent = Traffic {
        at: now,
        errors: a_minute.then_some(0.0),
        ..Traffic::default()
    };
    let others = sites.filter(|site| !told.contains(*site));
    found.extend(others.map(|site| (site.clone(), silent)));
    found
}

/// What was bad in the log longer ago has been asked about.
const TROUBLED_S: i64 = 120;

/// The sites whose last visitors were served badly.
pub fn troubled(numbers: &[(Name, Traffic)], now: i64) -> BTreeSet<Name> {
    let late = |(_, traffic): &&(Name, Traffic)| {
        let bad = traffic.bad;
        bad.is_some_and(|bad| now - bad.last < TROUBLED_S)
    };
    let bad = numbers.iter().filter(late);
    bad.map(|(site, _)| site.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(site: &str, time: f64, status: i32) -> Access {
        Access {
            site: Some(site.into()),
            time,
            status,
            ..Access::default()
        }
    }

    #[test]
    fn a_visitor_who_leaves_a_long_poll_says_nothing() {
        let left = Access {
            end: "CH--".into(),
            answer_ms: -1,
            total_ms: 9_000,
            ..line("a", 990.0, -1)
        };
        let lines = [left.clone(), left];
        let waited = |patient: bool| of_log(&lines, 1000, |_| patient)["a"].waited;
        assert_eq!(waited(false).map(|run| run.count), Some(2));
        assert_eq!(waited(true), None);
    }

    #[test]
    fn only_what_was_bad_lately_has_a_site_asked() {
        let log = of_log(&[line("a", 999.0, 502)], 1000, |_| false);
        let numbers = merged(&BTreeMap::new(), log, 1000);
        assert_eq!(troubled(&numbers, 1000).len(), 1);
        assert!(troubled(&numbers, 2000).is_empty());
    }

    #[test]
    fn the_log_tells_rates_and_the_last_status() {
        let lines = [
            line("a", 940.0, 502),
            line("a", 995.0, 200),
            line("b", 996.0, 200),
            line("a", 999.0, 404),
            line("a", 999.5, 503),
        ];
        let found = of_log(&lines, 1000, |_| false);
        let a = found["a"];
        assert!((a.requests - 0.3).abs() < 1e-9, "{a:?}");
        assert_eq!(a.errors, Some(2.0));
        assert_eq!(a.status, Some((503, 999)));
        assert_eq!(found["b"].status, Some((200, 996)));
    }

    #[test]
    fn visitors_who_waited_in_vain_are_no_answers_and_are_counted() {
        let left = |time, total_ms| Access {
            end: "CH".into(),
            answer_ms: -1,
            total_ms,
            ..line("a", time, 400)
        };
        let late = Access {
            end: "sH".into(),
            answer_ms: -1,
            total_ms: 60_000,
            ..line("a", 950.0, 504)
        };
        let run = |count, first, last| Some(Run { count, first, last });
        let mut lines = vec![
            line("a", 900.0, 503),
            line("a", 920.0, 200),
            // On their way to another page.
            left(930.0, 80),
            left(940.0, 9_000),
            late,
            line("a", 955.0, 503),
        ];
        let a = of_log(&lines, 1000, |_| false)["a"];
        assert_eq!((a.status, a.good), (Some((503, 955)), Some(920)));
        assert_eq!(a.bad, run(3, 940, 955));
        assert_eq!(a.waited, run(2, 940, 950));
        lines.push(line("a", 990.0, 404));
        let a = of_log(&lines, 1000, |_| false)["a"];
        assert_eq!((a.bad, a.waited, a.good), (None, None, Some(990)));
        // Nobody's patience is an answer.
        let a = of_log(&[left(930.0, 80), left(940.0, 9_000)], 1000, |_| false)["a"];
        assert_eq!((a.status, a.waited), (None, run(1, 940, 940)));
    }

    #[test]
    fn a_log_that_does_not_reach_back_is_not_read_as_silence() {
        // 500 lines within two seconds: 250 a second, not 50.
        let lines: Vec<Access> = (0..500)
            .map(|n| line("a", 998.0 + f64::from(n) / 250.0, 200))
            .collect();
        let found = of_log(&lines, 1000, |_| false);
        assert!((found["a"].requests - 250.0).abs() < 1.0, "{found:?}");
        assert!(!tell_a_minute(&lines, 1000));
        assert!(tell_a_minute(&lines, 1100));
        assert!(tell_a_minute(&lines[1..], 1000));
    }

    #[test]
    fn one_error_in_a_short_tail_is_not_thirty_a_minute() {
        let mut lines: Vec<Access> = (0..500)
            .map(|n| line("a", 998.0 + f64::from(n) / 250.0, 200))
            .collect();
        lines[499].status = 502;
        assert_eq!(of_log(&lines, 1000, |_| false)["a"].errors, Some(6.0));
    }

    #[test]
    fn sites_that_nobody_asked_for_are_silent_and_not_as_they_were() {
        let names: Vec<Name> = ["a", "b"].map(|n| n.parse().unwrap()).into();
        let found = || {
            merged(
                &BTreeMap::new(),
                of_log(&[line("a", 999.0, 502)], 1000, |_| false),
                1000,
            )
        };
        for (a_minute, errors) in [(true, Some(0.0)), (false, None)] {
            let all = and_silent(found(), names.iter(), a_minute, 1000);
            assert_eq!(all.len(), 2);
            assert_eq!(all[0].1.errors, Some(1.0));
            let (name, b) = &all[1];
            assert_eq!((name.as_str(), b.at, b.requests), ("b", 1000, 0.0));
            assert_eq!((b.errors, b.status), (errors, None));
        }
    }

    #[test]
    fn times_of_a_clock_that_is_wrong_are_put_right() {
        // The host is five minutes ahead: its errors of now are no errors of the future.
        let lines = on_our_clock(vec![line("a", 1298.0, 502)], 300);
        let found = of_log(&lines, 1000, |_| false);
        assert_eq!(found["a"].status, Some((502, 998)));
        let late = on_our_clock(vec![line("a", 698.0, 502)], -300);
        assert_eq!(of_log(&late, 1000, |_| false)["a"].errors, Some(1.0));
    }

    #[test]
    fn the_table_counts_and_the_log_adds_the_status() {
        let table = BTreeMap::from([(
            "a".to_owned(),
            SiteTraffic {
                request_rate: 31.0,
                server_errors_minute: 4,
                connections: 7,
                ..SiteTraffic::default()
            },
        )]);
        let log = of_log(&[line("a", 999.0, 502)], 1000, |_| false);
        let merged = merged(&table, log, 1000);
        assert_eq!(merged.len(), 1);
        let (_, a) = &merged[0];
        assert_eq!((a.requests, a.errors, a.connections), (31.0, Some(4.0), 7));
        assert_eq!(a.status, Some((502, 999)));
    }
}

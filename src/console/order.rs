//! Which rows are shown, and in which order.

use std::cmp::{Ordering, Reverse};

use super::model::SitesList;
use crate::verdict::{HostRow, Link, Reading, SiteRow, State};

/// An order of the list of sites.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sort {
    /// Severity, then newest, then name.
    #[default]
    Severity,
    /// Name.
    Name,
    /// Host, then name.
    Host,
    /// Requests per second, most first.
    Traffic,
    /// Memory in use, most first.
    Memory,
}

impl Sort {
    /// The next one.
    pub fn next(self) -> Sort {
        match self {
            Sort::Severity => Sort::Name,
            Sort::Name => Sort::Host,
            Sort::Host => Sort::Traffic,
            Sort::Traffic => Sort::Memory,
            Sort::Memory => Sort::Severity,
        }
    }
    /// In a word.
    pub fn word(self) -> &'static str {
        match self {
            Sort::Severity => "severity",
            Sort::Name => "name",
            Sort::Host => "host",
            Sort::Traffic => "traffic",
            Sort::Memory => "memory",
        }
    }

    fn compare(self, a: &SiteRow, b: &SiteRow) -> Ordering {
        let names = || {
            // Foreign containers stand together by compose project.
            (&a.project, &a.name, &a.host).cmp(&(&b.project, &b.name, &b.host))
        };
        let number = |r: &Option<Reading<f64>>| r.map_or(-1.0, |r| r.value);
        match self {
            Sort::Severity => {
                // Among what is well nothing is more urgent: names keep still.
                let newest = |r: &SiteRow| (!r.state.is_well()).then_some(Reverse(r.since));
                // What a lost host's sites were doing is not known: they stand below all that is
                // known to be broken, and the host itself is a line of its own.
                let severity = |r: &SiteRow| match r.stale {
                    true => State::Unknown.severity(),
                    false => r.state.severity(),
                };
                let was = |r: &SiteRow| (r.stale, r.state.severity());
                (severity(a), was(a), newest(a))
                    .cmp(&(severity(b), was(b), newest(b)))
                    .then_with(names)
            }
            Sort::Name => (&a.name, &a.host).cmp(&(&b.name, &b.host)),
            Sort::Host => (&a.host, !a.is_host)
                .cmp(&(&b.host, !b.is_host))
                .then_with(names),
            Sort::Traffic => number(&b.requests)
                .total_cmp(&number(&a.requests))
                .then_with(names),
            Sort::Memory => {
                let used = |r: &SiteRow| r.memory_used.map(|m| m.value);
                used(b).cmp(&used(a)).then_with(names)
            }
        }
    }
}

/// Whether a row is shown.
pub fn shown(list: &SitesList, words: &[String], row: &SiteRow) -> bool {
    if row.foreign && !list.foreign {
        return false;
    }
    // The line of their host stands for the sites of one that is away.
    if list.broken && (row.state.is_well() || row.stale) {
        return false;
    }
    words.iter().all(|word| matches(row, word))
}

/// Whether a row that changed may stand elsewhere now, or be shown when it was not.
pub fn moves(list: &SitesList, words: &[String], was: &SiteRow, is: &SiteRow) -> bool {
    list.sort.compare(was, is) != Ordering::Equal
        || shown(list, words, was) != shown(list, words, is)
}

/// The words of a filter, in lower case.
pub fn words(filter: &str) -> Vec<String> {
    filter.split_whitespace().map(str::to_lowercase).collect()
}

fn matches(row: &SiteRow, word: &str) -> bool {
    let has = |text: &str| contains(text, word);
    has(&row.name)
        || has(&row.host)
        || has(&row.account)
        || has(&row.recipe)
        || has(row.state.word())
        || has(&row.project)
        || has(&row.image)
        || row.domains.iter().any(|d| has(d))
        || has(&row.why)
}

/// Hosts by pressure: those that do not answer first, then the degraded, then by the worst of disk,
/// memory and load; last those of which that is not known.
pub fn order_hosts(hosts: &[HostRow]) -> Vec<u32> {
    let link = |h: &HostRow| match h.link {
        Link::BackingOff => 0,
        Link::Degraded => 1,
        Link::Connecting => 2,
        Link::Ready => 3,
    };
    // In steps of five in a hundred: hosts do not change places for a breath of load.
    let pressure = |h: &HostRow| h.pressure().map_or(-1, |p| (p * 20.0).min(1e6) as i64);
    let mut order: Vec<u32> = (0..hosts.len() as u32).collect();
    order.sort_by_key(|i| {
        let host = &hosts[*i as usize];
        (link(host), Reverse(pressure(host)), *i)
    });
    order
}

/// Whether a text contains a lower-case word, whatever its own case.
pub fn contains(text: &str, word: &str) -> bool {
    if text.is_ascii() {
        let (text, word) = (text.as_bytes(), word.as_bytes());
        return text.len() >= word.len()
            && (word.is_empty()
                || text
                    .windows(word.len())
                    .any(|part| part.eq_ignore_ascii_case(word)));
    }
    text.to_lowercase().contains(word)
}

/// The shown rows in order. `before`: an earlier order, which makes it quick when little moved.
pub fn order(list: &SitesList, rows: &[SiteRow], before: &[u32]) -> Vec<u32> {
    let words = words(&list.filter);
    let mut left: Vec<bool> = rows.iter().map(|r| shown(list, &words, r)).collect();
    let mut order = Vec::with_capacity(rows.len());
    let all = 0..rows.len() as u32;
    for at in before.iter().copied().chain(all) {
        if let Some(left) = left.get_mut(at as usize)
            && std::mem::take(left)
        {
            order.push(at);
        }
    }
    order.sort_by(|a, b| list.sort.compare(&rows[*a as usize], &rows[*b as usize]));
    order
}

/// The shown rows, in the rows' own order.
fn filtered(list: &SitesList, rows: &[SiteRow]) -> Vec<u32> {
    let words = words(&list.filter);
    (0..rows.len() as u32)
        .filter(|i| shown(list, &words, &rows[*i as usize]))
        .collect()
}

/// The shown rows, those of `before` first and in their places, new ones at the end: for while
/// rows must not move.
pub fn order_kept(list: &SitesList, rows: &[SiteRow], before: &[u32]) -> Vec<u32> {
    let words = words(&list.filter);
    let mut seen = vec![false; rows.len()];
    let mut order = Vec::with_capacity(rows.len());
    for at in before {
        if let Some(row) = rows.get(*at as usize)
            && (shown(list, &words, row) || list.broken)
        {
            seen[*at as usize] = true;
            order.push(*at);
        }
    }
    order.extend(
        filtered(list, rows)
            .into_iter()
            .filter(|i| !seen[*i as usize]),
    );
    order
}

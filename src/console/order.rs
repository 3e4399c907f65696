//! Which rows are shown, and in which order.

use std::cmp::{Ordering, Reverse};

use super::fleet_view::{Reading, SiteRow};
use super::model::SitesList;

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
                (a.state.severity(), a.stale, newest(a))
                    .cmp(&(b.state.severity(), b.stale, newest(b)))
                    .then_with(names)
            }
            Sort::Name => (&a.name, &a.host).cmp(&(&b.name, &b.host)),
            Sort::Host => a.host.cmp(&b.host).then_with(names),
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
    if list.broken && row.state.is_well() && !row.stale {
        return false;
    }
    words.iter().all(|word| matches(row, word))
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

/// The shown rows in order.
pub fn order(list: &SitesList, rows: &[SiteRow]) -> Vec<u32> {
    let mut order = filtered(list, rows);
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

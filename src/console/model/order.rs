//! Which rows are shown, and in which order.

use std::cmp::{Ordering, Reverse};

use crate::console::model::filter::{contains, words};
use crate::console::model::sites_list::SitesList;
use crate::fleet::shown_domain;
use crate::verdict::{HostRow, Link, SiteRow};

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

fn matches(row: &SiteRow, word: &str) -> bool {
    let has = |text: &str| contains(text, word);
    has(&row.name)
        || has(&row.host)
        || has(&row.account)
        || has(&row.recipe)
        || has(row.state.word())
        || has(&row.project)
        || has(&row.image)
        || row.domains.iter().any(|d| has(d) || has(&shown_domain(d)))
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

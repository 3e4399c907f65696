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
    if is_folded(list, row) && words.is_empty() {
        return false;
    }
    // The line of their host stands for the sites of one that is away.
    if list.broken && (row.state.is_well() || row.stale) {
        return false;
    }
    words.iter().all(|word| matches(row, word))
}

/// Whether the line of its host stands for a row.
pub fn is_folded(list: &SitesList, row: &SiteRow) -> bool {
    row.stale && !row.is_host && list.folded.contains(&row.host)
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

/// An order of the list of hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HostSort {
    /// Those that do not answer first, then the degraded, then by the worst of disk, memory and
    /// load; last those of which that is not known.
    #[default]
    Pressure,
    Name,
    /// Most sites first.
    Sites,
    /// Fullest first.
    Disk,
    /// Fullest first.
    Memory,
    /// Busiest first.
    Load,
    /// Slowest first.
    Trip,
}

impl HostSort {
    const ALL: [HostSort; 7] = [
        HostSort::Pressure,
        HostSort::Name,
        HostSort::Sites,
        HostSort::Disk,
        HostSort::Memory,
        HostSort::Load,
        HostSort::Trip,
    ];

    /// The next one of which anything is known.
    pub fn next(self, hosts: &[HostRow]) -> HostSort {
        let measured = hosts.iter().any(|h| h.machine.is_some());
        let needs = |s: &HostSort| matches!(s, Self::Disk | Self::Memory | Self::Load);
        let at = Self::ALL.iter().position(|s| *s == self).unwrap_or(0);
        let mut following = Self::ALL.iter().cycle().skip(at + 1);
        let next = following.find(|s| measured || !needs(s));
        next.copied().unwrap_or_default()
    }

    pub fn word(self) -> &'static str {
        match self {
            HostSort::Pressure => "pressure",
            HostSort::Name => "name",
            HostSort::Sites => "sites",
            HostSort::Disk => "disk",
            HostSort::Memory => "memory",
            HostSort::Load => "load",
            HostSort::Trip => "trip",
        }
    }
}

/// The hosts in order; what is not known of a host stands last.
pub fn order_hosts(hosts: &[HostRow], sort: HostSort) -> Vec<u32> {
    let link = |h: &HostRow| match h.link {
        Link::BackingOff => 0,
        Link::Degraded => 1,
        Link::Connecting => 2,
        Link::Ready => 3,
    };
    // In steps of five in a hundred: hosts do not change places for a breath of load.
    let pressure = |h: &HostRow| h.pressure().map_or(-1, |p| (p * 20.0).min(1e6) as i64);
    // In whole hundredths, for the same reason.
    let share = |share: Option<f64>| share.map_or(-1, |s| (s * 100.0).min(1e6) as i64);
    let key = |h: &HostRow| {
        let machine = h.machine.map(|m| m.value);
        let value = match sort {
            HostSort::Pressure => return (link(h), Reverse(pressure(h))),
            HostSort::Name => 0,
            HostSort::Sites => h.sites.all as i64,
            HostSort::Disk => share(machine.map(|m| m.disk_used())),
            HostSort::Memory => share(machine.map(|m| m.memory_used())),
            HostSort::Load => share(machine.map(|m| m.load_share(h.cpus))),
            HostSort::Trip => h.pulse.map_or(-1, |p| p.round_trip.as_millis() as i64),
        };
        (0, Reverse(value))
    };
    let mut order: Vec<u32> = (0..hosts.len() as u32).collect();
    order.sort_by_key(|i| {
        let host = &hosts[*i as usize];
        let name = (sort == HostSort::Name).then_some(&host.name);
        (key(host), name, *i)
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
            && (shown(list, &words, row) || list.broken || is_folded(list, row))
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

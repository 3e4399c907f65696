//! The list of sites: what of all rows it shows, and in which order.

use std::borrow::Cow;
use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use crate::console::widget::list::List;
use crate::fleet::{Name, shown_domain};
use crate::text;
use crate::verdict::site::FRESH_S;
use crate::verdict::{Reading, SiteRow, State};

/// The list of sites: which rows, in which order.
#[derive(Debug, Clone)]
pub struct SitesList {
    /// Cursor and order.
    pub list: List,
    /// Keys of marked rows.
    pub marks: HashSet<Arc<str>>,
    /// Words that every shown row contains.
    pub filter: String,
    /// Only what is not well.
    pub broken: bool,
    /// Containers that are not ostler's are shown.
    pub foreign: bool,
    /// Order.
    pub sort: Sort,
    /// The longest name, for the column's width.
    pub name_width: u16,
    /// The longest host's name.
    pub host_width: u16,
    /// The longest that the domains of a row take; 0: none has any.
    pub domains_width: u16,
    /// Whether any row has a project.
    pub has_projects: bool,
    /// Hosts that are away and have a line: it stands for their sites, until one looks for them.
    pub folded: BTreeSet<String>,
}

/// The rows of one host among all rows.
#[derive(Debug, Clone)]
pub struct Block {
    pub host: Name,
    /// How many rows.
    pub len: usize,
    /// The longest name of a row.
    pub name_width: u16,
    /// The width of the host's own name.
    pub host_width: u16,
    /// Whether any row has a project.
    pub projects: bool,
    /// The longest that the domains of a row take.
    pub domains_width: u16,
    /// It is away and has a line.
    pub away: bool,
    /// When the first of the router's numbers in them is too old to be shown, unix seconds.
    pub old_at: Option<i64>,
}

impl Block {
    /// What a host's rows come to. Columns are as wide as what is listed, `foreign` containers only
    /// where those are.
    pub fn of(host: Name, rows: &[SiteRow], foreign: bool) -> Block {
        let listed = || rows.iter().filter(|r| foreign || !r.foreign);
        let names = listed().map(|r| text::width(&listed_name(r)));
        let domains = listed().map(|r| text::width(&listed_domains(r)));
        Block {
            len: rows.len(),
            name_width: names.max().unwrap_or(0) as u16,
            host_width: text::width(host.as_str()) as u16,
            projects: listed().any(|r| !r.project.is_empty()),
            domains_width: domains.max().unwrap_or(0) as u16,
            away: rows.iter().any(|r| r.is_host) && rows.iter().any(|r| !r.is_host && r.stale),
            old_at: rows
                .iter()
                .filter(|r| !r.stale)
                .filter_map(|r| Some(r.requests?.at + FRESH_S))
                .min(),
            host,
        }
    }
}

/// A row's name, as the list has it.
pub fn listed_name(row: &SiteRow) -> Cow<'_, str> {
    match row.is_host {
        true => Cow::Owned(format!("host {}", row.name)),
        false => Cow::Borrowed(&row.name),
    }
}

/// A row's domains, as the list has them.
pub fn listed_domains(row: &SiteRow) -> Cow<'_, str> {
    match &row.domains[..] {
        [] => Cow::Borrowed(""),
        [one] => shown_domain(one),
        [one, more @ ..] => Cow::Owned(format!("{} +{}", shown_domain(one), more.len())),
    }
}

/// An order of the list of sites.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sort {
    /// Severity, then newest, then name.
    #[default]
    Severity,
    Name,
    /// Host, then name.
    Host,
    /// Requests per second, most first.
    Traffic,
    /// Memory in use, most first.
    Memory,
}

impl Sort {
    pub fn next(self) -> Sort {
        match self {
            Sort::Severity => Sort::Name,
            Sort::Name => Sort::Host,
            Sort::Host => Sort::Traffic,
            Sort::Traffic => Sort::Memory,
            Sort::Memory => Sort::Severity,
        }
    }

    pub fn word(self) -> &'static str {
        match self {
            Sort::Severity => "severity",
            Sort::Name => "name",
            Sort::Host => "host",
            Sort::Traffic => "traffic",
            Sort::Memory => "memory",
        }
    }

    /// Which of two rows stands first.
    pub fn compare(self, a: &SiteRow, b: &SiteRow) -> Ordering {
        let names = || {
            // Foreign containers stand together by compose project.
            (&a.project, &a.name, &a.host).cmp(&(&b.project, &b.name, &b.host))
        };
        let number = |r: &Option<Reading<f64>>| r.map_or(-1.0, |r| r.value);
        match self {
            Sort::Severity => {
                // Among what is well nothing is more urgent: names keep still.
                let at = |r: &SiteRow| r.since.map(|since| since.at);
                let newest = |r: &SiteRow| (!r.state.is_well()).then_some(Reverse(at(r)));
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

//! Drift of hosts and of the fleet, as it is told.

use serde::Serialize;

use super::edit::{self, is_limit};
use super::field::{Field, Kind};
use super::hand;
use super::judge;
use super::raw::{Look, Raw};
use crate::fleet::{Fleet, Host, Name, Site};
use crate::observe::model::{Observed, ObservedHost};
use crate::record::{HostState, StateRead};

/// What differs of one site, or of what is the host's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Drift {
    pub host: Name,
    /// Which site; `None`: the host's own.
    pub site: Option<Name>,
    /// In a steady order.
    pub fields: Vec<Field>,
}

impl Drift {
    /// Whether any of it was done by hand.
    pub fn by_hand(&self) -> bool {
        self.fields.iter().any(Field::by_hand)
    }
}

/// What differs on one host: of itself, of its sites in the file's order, of what is there and in
/// the file no more. Empty where nothing does.
pub fn of_host(fleet: &Fleet, host: &Host, seen: &ObservedHost) -> Vec<Drift> {
    let empty = HostState::default();
    let state = match &seen.state {
        StateRead::Read(state) => state,
        StateRead::NoToolbox => &empty,
        // Nothing can be compared with what cannot be read; `unknown` says so.
        StateRead::Damaged { .. } => return Vec::new(),
    };
    let look = Look::at(fleet, host, seen, state);
    let mut found = Vec::new();
    let mut add = |site: Option<&Name>, raw: Vec<Raw>| {
        if !raw.is_empty() {
            let known = site.and_then(|name| fleet.sites.get(name));
            let mut fields: Vec<Field> =
                raw.into_iter().map(|raw| shown(raw, known, host)).collect();
            fields.sort_by(|a, b| (rank(&a.path), &a.path).cmp(&(rank(&b.path), &b.path)));
            found.push(Drift {
                host: host.name.clone(),
                site: site.cloned(),
                fields,
            });
        }
    };
    add(None, judge::host(&look));
    if look.is_blind() {
        // The toolbox comes back first: only then is it known what was applied.
        return found;
    }
    for site in fleet.sites_on(&host.name) {
        add(Some(&site.name), judge::site(&look, site));
    }
    for (name, record) in &state.sites {
        if fleet.sites.get(name).is_none_or(|s| s.host != host.name) {
            add(Some(name), judge::leftover(&look, record));
        }
    }
    found
}

/// What differs on all hosts that answered.
pub fn of_fleet(fleet: &Fleet, observed: &Observed) -> Vec<Drift> {
    let mut found = Vec::new();
    for host in fleet.hosts.values() {
        if let Some(seen) = observed.hosts.get(&host.name).and_then(|h| h.reached()) {
            found.extend(of_host(fleet, host, seen));
        }
    }
    found
}

/// What could not be looked at on a host, in words.
pub fn unknown(seen: &ObservedHost) -> Vec<String> {
    match (&seen.state, &seen.differs) {
        (StateRead::Damaged { why }, _) => {
            vec![format!("what ostler keeps on it is damaged: {why}")]
        }
        (_, Some(differs)) => differs.unknown.clone(),
        (StateRead::NoToolbox, None) => Vec::new(),
        (_, None) => vec!["its files were not looked at".to_owned()],
    }
}

/// Secrets on a host that could not be compared with their sources, and why, in words.
pub fn uncompared(seen: &ObservedHost, takes: impl Fn(&Name) -> bool) -> Vec<String> {
    let withheld = seen.secrets_withheld.iter();
    let withheld = withheld.flat_map(|(site, told)| told.iter().map(move |it| (site, it)));
    let all = seen.secret_errors.iter().chain(withheld);
    let all = all.filter(|(site, _)| takes(site));
    all.map(|(_, told)| told.clone()).collect()
}

/// What is worth most comes first.
fn rank(path: &str) -> u8 {
    match path.split('.').next().unwrap_or_default() {
        "container" | "site" => 0,
        "state" => 1,
        key if is_limit(key) => 2,
        "image" => 3,
        "env" => 4,
        _ => 5,
    }
}

/// For people.
fn shown(raw: Raw, site: Option<&Site>, host: &Host) -> Field {
    let adoptable = site.is_some_and(|site| edit::edit(site, host, &raw).is_ok());
    let kind = match (raw.by_hand(), raw.applied == raw.wanted) {
        (false, _) => Kind::File,
        (true, true) => Kind::Hand,
        (true, false) => Kind::Both,
    };
    let shown = |value| hand::shown(&raw.path, value);
    Field {
        applied: shown(&raw.applied),
        live: shown(&raw.live),
        wanted: shown(&raw.wanted),
        kind,
        adoptable,
        path: raw.path,
    }
}

//! Drift, three ways: what was last applied, what is live, what the file says now; field by field.
//! Pure. The one place that judges it: `drift`, `sites`, `status`, `adopt` and the console all ask
//! here, and `hand` is what planning goes by when it puts things right.
//!
//! What the engine tells of a container is compared with what the same engine told when the site
//! was applied ([`crate::observe::made`]); what the file says, with the spec that was applied. So no
//! default that an engine fills in ever looks like a change.

mod adopt;
pub(crate) mod hand;
mod judge;
mod spec;

use serde::Serialize;

#[cfg(test)]
pub(crate) use spec::fields as spec_fields;

pub use adopt::{Adoption, adopt, adopt_into};

use super::host::Wish;
use super::index::Index;
use super::{PlanOptions, route};
use crate::fleet::{Fleet, Host, Name};
use crate::observe::model::{Observed, ObservedHost};
use crate::record::{HostState, StateRead};

/// Whose change it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The file was changed; apply brings it to the host.
    File,
    /// The host was changed by hand; apply takes it back, adopt writes it into the file.
    Hand,
    /// Both were.
    Both,
}

impl Kind {
    /// In a table.
    pub fn word(self) -> &'static str {
        match self {
            Kind::File => "the file",
            Kind::Hand => "by hand",
            Kind::Both => "both",
        }
    }
}

/// One thing that differs. Values are for people, as the file writes them; of what looks like a
/// secret none is told. `None`: it is not there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Field {
    /// Such as `memory`, `env.MODE`, `state`, `domains`, `configuration.nginx.conf`.
    pub path: String,
    /// As last applied.
    pub applied: Option<String>,
    /// As it is.
    pub live: Option<String>,
    /// As the file says.
    pub wanted: Option<String>,
    /// Whose change.
    pub kind: Kind,
    /// The file can say what is live.
    pub adoptable: bool,
}

impl Field {
    /// Whether the host was changed behind our back.
    pub fn by_hand(&self) -> bool {
        self.kind != Kind::File
    }

    /// In one line: `memory 128M→256M by hand`, `memory: 128M → 256M`.
    pub fn line(&self) -> String {
        let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".into());
        let (applied, live, wanted) = (text(&self.applied), text(&self.live), text(&self.wanted));
        let path = &self.path;
        match self.kind {
            Kind::File => format!("{path}: {applied} → {wanted}"),
            Kind::Hand => format!("{path} {applied}→{live} by hand"),
            Kind::Both => format!("{path} {applied}→{live} by hand, the file says {wanted}"),
        }
    }
}

/// What differs of one site, or of what is the host's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Drift {
    /// Where.
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
    let observed = Observed::default();
    let options = PlanOptions::default();
    let wish = Wish {
        fleet,
        fleet_hash: "",
        observed: &observed,
        intents: &[],
        now: 0,
        options: &options,
        claims: route::Claims::of(fleet),
    };
    let look = judge::Look {
        wish: &wish,
        host,
        seen,
        state,
        index: Index::of(seen, &fleet.name),
    };
    let mut found = Vec::new();
    let mut add = |site: Option<&Name>, raw: Vec<judge::Raw>| {
        if !raw.is_empty() {
            let known = site.and_then(|name| fleet.sites.get(name));
            let mut fields: Vec<Field> =
                raw.into_iter().map(|raw| raw.shown(known, host)).collect();
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

/// What is worth most comes first.
fn rank(path: &str) -> u8 {
    match path.split('.').next().unwrap_or_default() {
        "container" | "site" => 0,
        "state" => 1,
        "memory" | "cpus" | "pids" => 2,
        "image" => 3,
        "env" => 4,
        _ => 5,
    }
}

/// Whether a value under this name had better not be shown: it may be a secret in the wrong place.
pub fn looks_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    [
        "PASS",
        "SECRET",
        "TOKEN",
        "KEY",
        "CREDENTIAL",
        "AUTH",
        "DSN",
        "DATABASE_URL",
        "PRIVATE",
    ]
    .iter()
    .any(|word| name.contains(word))
}

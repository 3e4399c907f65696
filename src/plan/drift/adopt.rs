//! The other way round: what was changed by hand, as edits of the fleet file.

use std::path::Path;

use super::edit::edit;
use super::judge::site;
use super::raw::{Look, Raw};
use super::report::of_fleet;
use crate::fleet::edit::{Edit, EditError, Edited, apply_edits};
use crate::fleet::{Fleet, Host, Name, Site};
use crate::observe::model::{Observed, ObservedHost};
use crate::record::StateRead;

/// What adopting would write, and what it would not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Adoption {
    /// In order.
    pub edits: Vec<Edit>,
    /// Paths of the fields that they are about.
    pub taken: Vec<String>,
    /// Fields that stay as they are in the file, and why.
    pub left: Vec<(String, String)>,
}

/// What was changed by hand on `site`, as edits. `only`: of these fields; empty: of all. A field
/// that did not change is left, with that as the reason.
pub fn adopt(fleet: &Fleet, name: &Name, observed: &Observed, only: &[String]) -> Adoption {
    let mut adoption = Adoption::default();
    let Some(known) = fleet.sites.get(name) else {
        return adoption;
    };
    let seen = observed.hosts.get(&known.host).and_then(|h| h.reached());
    let (Some(host), Some(seen)) = (fleet.hosts.get(&known.host), seen) else {
        return adoption;
    };
    let raw = raw(fleet, host, known, seen);
    let meant = |path: &str| {
        only.is_empty()
            || only.iter().any(|o| {
                o == path
                    || path
                        .strip_prefix(o.as_str())
                        .is_some_and(|r| r.starts_with('.'))
            })
    };
    for field in raw.iter().filter(|f| f.by_hand() && meant(&f.path)) {
        match edit(known, host, field) {
            Ok(edit) => {
                adoption.taken.push(field.path.clone());
                adoption.edits.push(edit);
            }
            Err(why) => adoption.left.push((field.path.clone(), why.to_owned())),
        }
    }
    for path in only {
        let found = raw
            .iter()
            .any(|f| f.by_hand() && (f.path == *path || f.path.starts_with(&format!("{path}."))));
        if !found {
            adoption
                .left
                .push((path.clone(), "it was not changed by hand".to_owned()));
        }
    }
    adoption
}

fn raw(fleet: &Fleet, host: &Host, known: &Site, seen: &ObservedHost) -> Vec<Raw> {
    match &seen.state {
        StateRead::Read(state) => site(&Look::at(fleet, host, seen, state), known),
        _ => Vec::new(),
    }
}

/// [`adopt`], and the file with its edits made. A field that the file would not say after all is
/// left too: where a limit is gone on the host and `defaults:` give one, say.
///
/// # Errors
/// The edits cannot be made; nothing is to be written then.
pub fn adopt_into(
    source: &str,
    path: &Path,
    fleet: &Fleet,
    name: &Name,
    observed: &Observed,
    only: &[String],
) -> Result<(Adoption, Edited), EditError> {
    let mut adoption = adopt(fleet, name, observed, only);
    loop {
        let edited = apply_edits(source, path, &adoption.edits)?;
        let not_taken = not_taken(&edited.fleet, observed, name, &adoption.taken);
        if not_taken.is_empty() {
            return Ok((adoption, edited));
        }
        for field in not_taken {
            if let Some(at) = adoption.taken.iter().position(|taken| *taken == field) {
                adoption.taken.remove(at);
                adoption.edits.remove(at);
            }
            let why = "`defaults:` would still say something else".to_owned();
            adoption.left.push((field, why));
        }
    }
}

fn not_taken(fleet: &Fleet, observed: &Observed, site: &Name, taken: &[String]) -> Vec<String> {
    let drift = of_fleet(fleet, observed);
    let fields = drift
        .iter()
        .filter(|d| d.site.as_ref() == Some(site))
        .flat_map(|d| &d.fields);
    fields
        .filter(|f| taken.contains(&f.path) && f.live != f.wanted)
        .map(|f| f.path.clone())
        .collect()
}

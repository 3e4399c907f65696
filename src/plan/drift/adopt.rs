//! The other way round: what was changed by hand, as edits of the fleet file.

use std::path::Path;

use super::judge::{Look, Raw, site};
use crate::fleet::edit::{Edit, EditError, Edited, apply_edits};
use crate::fleet::{Fleet, Host, Name, Recipe, Site, SiteState, Value, value};
use crate::observe::model::{Observed, ObservedHost};
use crate::plan::host::Wish;
use crate::plan::index::Index;
use crate::plan::{PlanOptions, route};
use crate::record::{HostState, StateRead};

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
    let StateRead::Read(state) = &seen.state else {
        return Vec::new();
    };
    let state: &HostState = state;
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
    let index = Index::of(seen, &fleet.name);
    site(
        &Look {
            wish: &wish,
            host,
            seen,
            state,
            index,
        },
        known,
    )
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
    let drift = super::of_fleet(fleet, observed);
    let fields = drift
        .iter()
        .filter(|d| d.site.as_ref() == Some(site))
        .flat_map(|d| &d.fields);
    fields
        .filter(|f| taken.contains(&f.path) && f.live != f.wanted)
        .map(|f| f.path.clone())
        .collect()
}

/// The edit that makes the file say what is live.
pub(super) fn edit(site: &Site, host: &Host, field: &Raw) -> Result<Edit, &'static str> {
    if !field.by_hand() {
        return Err("it was not changed by hand");
    }
    if field.live == field.wanted {
        return Err("the file says so already");
    }
    let name = site.name.to_string();
    let set = |key: &str, value: Value| Edit::SetSite {
        site: name.clone(),
        key: key.to_owned(),
        value,
    };
    let unset = |key: &str| Edit::UnsetSite {
        site: name.clone(),
        key: key.to_owned(),
    };
    let live = field.live.as_deref();
    let runs = site.state == SiteState::Running;
    match (field.path.as_str(), live) {
        ("state", Some("stopped")) => Ok(Edit::SetState {
            site: name,
            state: SiteState::Stopped,
        }),
        ("state", Some("running")) => Ok(Edit::SetState {
            site: name,
            state: SiteState::Running,
        }),
        ("memory" | "cpus" | "pids" | "image", _) if !runs => {
            Err("the site does not run: the file's limits and image are of the one that will")
        }
        ("memory", Some(text)) => match value::parse_memory(text) {
            Ok(_) => Ok(set("memory", text.into())),
            Err(_) => Err("it is less than the file may say"),
        },
        ("cpus", Some(text)) => match value::parse_cpus(text) {
            Ok(_) => Ok(set("cpus", Value::Bare(text.to_owned()))),
            Err(_) => Err("it is less than the file may say"),
        },
        ("pids", Some(text)) => Ok(set("pids", Value::Bare(text.to_owned()))),
        (key @ ("memory" | "cpus" | "pids"), None) => Ok(unset(key)),
        ("image", Some(live)) => image(site, host, live, set),
        (path, live) if path.starts_with("env.") => env(site, path, live, runs, set, unset),
        ("domains" | "connections" | "route", _) => {
            Err("the router's files were edited; apply puts them right")
        }
        (path, _) if path.starts_with("secrets.") => {
            Err("secrets are never written into the fleet file")
        }
        _ => Err("the fleet file has no word for it; apply puts it right"),
    }
}

fn image(
    site: &Site,
    host: &Host,
    live: &str,
    set: impl Fn(&str, Value) -> Edit,
) -> Result<Edit, &'static str> {
    match &site.recipe {
        Recipe::Image { .. } => match value::parse_image(live) {
            Ok(_) => Ok(set("image", live.into())),
            Err(_) => Err("it is no image reference: the container was made from an image's id"),
        },
        Recipe::Php { .. } => {
            let pattern = &host.images.php;
            let version = pattern
                .split_once("{php}")
                .and_then(|(before, after)| live.strip_prefix(before)?.strip_suffix(after))
                .filter(|version| value::parse_php(version).is_ok());
            match version {
                Some(version) => Ok(set("php", version.into())),
                None => Err("it is no version of the host's `images: php:`"),
            }
        }
        _ => Err("this recipe's image is the host's: see `images:`"),
    }
}

fn env(
    site: &Site,
    path: &str,
    live: Option<&str>,
    runs: bool,
    set: impl Fn(&str, Value) -> Edit,
    unset: impl Fn(&str) -> Edit,
) -> Result<Edit, &'static str> {
    let name = path.strip_prefix("env.").unwrap_or(path);
    if !runs {
        return Err("the site does not run: the file's environment is of the one that will");
    }
    if super::looks_secret(name) {
        return Err("it looks like a secret: those go under `secrets:`, from a file or a command");
    }
    if value::parse_env_name(name).is_err() {
        return Err("the file cannot name it");
    }
    match live {
        Some(live) if live.contains('\n') => Err("the file cannot say a value of several lines"),
        Some(live) => Ok(set(path, live.into())),
        None if site.env.contains_key(name) => Ok(unset(path)),
        None => Err("it comes with the image or the recipe and cannot be taken away by the file"),
    }
}

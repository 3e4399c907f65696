//! A field that was changed by hand, as an edit of the fleet file.

use super::field::looks_secret;
use super::raw::Raw;
use crate::fleet::edit::Edit;
use crate::fleet::{Host, Limits, Recipe, Site, SiteState, Value, value, wrong};

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
        (key, _) if !runs && (key == "image" || is_limit(key)) => {
            Err("the site does not run: the file's limits and image are of the one that will")
        }
        (key, Some(text)) if is_limit(key) => match wrong(key, text) {
            None => Ok(set(key, text.into())),
            Some(_) => Err("it is less than the file may say"),
        },
        (key, None) if is_limit(key) => Ok(unset(key)),
        ("image", Some(live)) => image(site, host, live, set),
        (path, live) if path.starts_with("env.") => env(site, path, live, runs, set, unset),
        ("domains" | "connections" | "timeout" | "route", _) => {
            Err("the router's files were edited; apply puts them right")
        }
        (path, _) if path.starts_with("secrets.") => {
            Err("secrets are never written into the fleet file")
        }
        _ => Err("the fleet file has no word for it; apply puts it right"),
    }
}

/// Whether a limit has this key.
pub(super) fn is_limit(path: &str) -> bool {
    Limits::USUAL.each().iter().any(|(key, _)| *key == path)
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
    if looks_secret(name) {
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

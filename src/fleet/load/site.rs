//! One site of the file, with `defaults` merged in.

use std::collections::BTreeMap;
use std::ops::Range;

use super::title;
use crate::fleet::fields::{self, Fields};
use crate::fleet::finding::Report;
use crate::fleet::key::Kind;
use crate::fleet::keys;
use crate::fleet::model::{Health, Limits, Recipe, RedirectWww, Site, SiteState};
use crate::fleet::name::{Domain, Invalid, Name};
use crate::fleet::service::secrets;
use crate::fleet::tree::Node;
use crate::fleet::{nearest, value};

/// Names written elsewhere in the file.
pub(super) struct Known<'n> {
    pub hosts: Vec<&'n str>,
    pub accounts: Vec<&'n str>,
}

/// Where a site claims its domains.
#[derive(Default)]
pub(super) struct SitePlaces {
    pub title: String,
    pub domains: Vec<(Domain, Range<usize>)>,
    pub redirects: Vec<(Domain, Range<usize>)>,
    pub redirect_www: Option<(RedirectWww, Range<usize>)>,
}

/// A limit as written: `none` takes one away that `defaults` would give.
#[derive(Debug, Clone, Copy)]
enum Limit<T> {
    None,
    At(T),
}

/// The keys that `defaults` and sites share.
#[derive(Default)]
pub(super) struct Common {
    account: Option<Name>,
    host: Option<Name>,
    recipe: Option<&'static str>,
    memory: Option<Limit<u64>>,
    cpus: Option<Limit<u64>>,
    pids: Option<Limit<u32>>,
    connections: Option<u32>,
    env: BTreeMap<String, String>,
    php: Option<String>,
    ini: BTreeMap<String, String>,
    path: Option<String>,
    timeout: Option<u32>,
    command: Option<Vec<String>>,
    redirect_www: Option<RedirectWww>,
}

/// Reads `defaults`.
pub(super) fn defaults(node: Option<&Node>, known: &Known<'_>, report: &mut Report) -> Common {
    let Some(node) = node else {
        return Common::default();
    };
    let at = node.span.clone();
    let fields = Fields::read(node, &keys::DEFAULTS, "`defaults`".into(), at, report);
    common(&fields, known, report)
}

fn common(fields: &Fields<'_>, known: &Known<'_>, report: &mut Report) -> Common {
    let mut common = Common::default();
    for (key, entry) in fields.iter() {
        let node = &entry.value;
        let what = format!("`{}`", key.name);
        match key.name {
            "account" => common.account = reference(node, "account", &known.accounts, report),
            "host" => common.host = reference(node, "host", &known.hosts, report),
            "recipe" => common.recipe = fields::word(node, &what, keys::RECIPES, report),
            "memory" => {
                common.memory =
                    fields::parsed(node, &what, |t| limit(t, value::parse_memory), report);
            }
            "cpus" => {
                common.cpus = fields::parsed(node, &what, |t| limit(t, value::parse_cpus), report);
            }
            "pids" => {
                let Kind::Count(least, most) = key.kind else {
                    continue;
                };
                let parse = |t: &str| limit(t, |t| fields::number(t, least, most));
                common.pids = fields::parsed(node, &what, parse, report);
            }
            "connections" => {
                let Kind::Count(least, most) = key.kind else {
                    continue;
                };
                common.connections = fields::count(node, &what, least, most, report);
            }
            "env" => common.env = texts(node, "env", value::parse_env_name, true, report),
            "php" => common.php = fields::parsed(node, &what, value::parse_php, report),
            "ini" => common.ini = texts(node, "ini", value::parse_ini_name, false, report),
            "health" => health(node, &mut common, report),
            "redirect_www" => {
                common.redirect_www =
                    match fields::word(node, &what, &["to-www", "to-bare"], report) {
                        Some("to-www") => Some(RedirectWww::ToWww),
                        Some(_) => Some(RedirectWww::ToBare),
                        None => None,
                    };
            }
            _ => {}
        }
    }
    common
}

/// A name that has to be written under a top-level key.
fn reference(node: &Node, noun: &str, known: &[&str], report: &mut Report) -> Option<Name> {
    let text = fields::text(node, &format!("`{noun}`"), report)?;
    if known.contains(&text) {
        return text.parse().ok();
    }
    let finding = report.error(node.span.clone(), format!("there is no {noun} `{text}`"));
    match nearest(text, known.iter().copied()) {
        Some(near) => finding.label(format!("did you mean `{near}`?")),
        None if known.is_empty() => finding.help(format!("add it under `{noun}s:`")),
        None if known.len() <= 8 => finding.help(format!("{noun}s are: {}", known.join(", "))),
        None => finding.help(format!(
            "add it under `{noun}s:`, or name one that is there"
        )),
    };
    None
}

fn limit<T>(
    text: &str,
    parse: impl FnOnce(&str) -> Result<T, Invalid>,
) -> Result<Limit<T>, Invalid> {
    if text == "none" {
        Ok(Limit::None)
    } else {
        parse(text).map(Limit::At)
    }
}

/// A mapping from checked names to texts.
fn texts(
    node: &Node,
    key: &str,
    check: impl Fn(&str) -> Result<String, Invalid>,
    lines: bool,
    report: &mut Report,
) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    let what = format!("`{key}`");
    let Some(entries) = fields::mapping(node, &what, report) else {
        return all;
    };
    for (word, entry) in fields::unique(entries, &what, report) {
        if let Err(Invalid(why)) = check(word) {
            report
                .error(
                    entry.key.span.clone(),
                    format!("{word:?} is no name for {what}"),
                )
                .label(why);
            continue;
        }
        let what = format!("`{key}.{word}`");
        let Some(text) = fields::text(&entry.value, &what, report) else {
            continue;
        };
        if !lines && text.chars().any(char::is_control) {
            report.error(
                entry.value.span.clone(),
                format!("{what} has to be one line"),
            );
            continue;
        }
        all.insert(word.to_owned(), text.to_owned());
    }
    all
}

fn health(node: &Node, common: &mut Common, report: &mut Report) {
    let at = node.span.clone();
    let fields = Fields::read(node, &keys::HEALTH, "`health`".into(), at, report);
    for (key, entry) in fields.iter() {
        let what = format!("`health.{}`", key.name);
        match key.name {
            "path" => {
                common.path = fields::parsed(&entry.value, &what, value::parse_url_path, report);
            }
            "timeout" => {
                common.timeout = fields::parsed(&entry.value, &what, value::parse_seconds, report);
            }
            "command" => common.command = fields::command(&entry.value, &what, report),
            _ => {}
        }
    }
}

/// Reads one site. Its places come back even when the site itself is wrong, so that every clash of
/// domains is said at once.
pub(super) fn site(
    name: Option<Name>,
    node: &Node,
    at: Range<usize>,
    defaults: &Common,
    known: &Known<'_>,
    report: &mut Report,
) -> (Option<Site>, SitePlaces) {
    let fields = Fields::read(node, &keys::SITE, title("site", &name), at.clone(), report);
    let own = common(&fields, known, report);
    let word = match fields.get("recipe") {
        Some(_) => own.recipe,
        None => defaults.recipe,
    };
    required(&fields, word, defaults, report);
    let mut places = SitePlaces {
        title: fields.what.clone(),
        ..SitePlaces::default()
    };
    if let Some(node) = fields.get("domains") {
        places.domains = domains(node, report);
    }
    let redirects = fields
        .get("redirects")
        .map(|node| redirects(node, &mut places, report));
    let redirect_www = own.redirect_www.or(defaults.redirect_www);
    let www_at = fields
        .get("redirect_www")
        .map_or(at.clone(), |node| node.span.clone());
    places.redirect_www = redirect_www.map(|www| (www, www_at));
    let secrets = fields
        .get("secrets")
        .map(|node| secrets::read(node, report))
        .unwrap_or_default();
    let state = fields
        .get("state")
        .and_then(|n| fields::word(n, "`state`", keys::STATES, report));
    let recipe = word.and_then(|word| recipe(word, &fields, &own, defaults, report));
    belongs(&fields, word, report);
    let account = own.account.clone().or_else(|| defaults.account.clone());
    if fields.get("account").is_none() && account.is_none() && !known.accounts.is_empty() {
        report
            .warning(at.clone(), format!("{} belongs to no account", fields.what))
            .help("add `account: NAME`");
    }
    let site = build(name, own, defaults, recipe, word, account).map(|site| Site {
        domains: places
            .domains
            .iter()
            .map(|(domain, _)| domain.clone())
            .collect(),
        secrets,
        redirects: redirects.unwrap_or_default(),
        redirect_www,
        state: match state {
            Some("stopped") => SiteState::Stopped,
            Some("archived") => SiteState::Archived,
            _ => SiteState::Running,
        },
        ..site
    });
    if let (Some(site), "php") = (&site, word.unwrap_or_default())
        && site.limits.memory.is_some_and(|memory| memory < 64 << 20)
    {
        let at = fields.get("memory").map_or(at, |node| node.span.clone());
        report
            .warning(at, "little memory for Apache with PHP")
            .label("64M is the least that serves a page or two at a time");
    }
    (site, places)
}

/// Says which keys are missing.
fn required(fields: &Fields<'_>, word: Option<&str>, defaults: &Common, report: &mut Report) {
    for key in keys::SITE.keys.iter().filter(|key| key.required) {
        let given = match key.name {
            "host" => defaults.host.is_some(),
            "recipe" => defaults.recipe.is_some(),
            _ => !key.recipes.is_empty() && !word.is_some_and(|word| key.belongs_to(word)),
        };
        if !given {
            fields.missing(key, report);
        }
    }
}

/// Says which keys another recipe knows, but not this one.
fn belongs(fields: &Fields<'_>, recipe: Option<&str>, report: &mut Report) {
    let Some(recipe) = recipe else { return };
    let health = fields.get("health").map_or(&[][..], |node| node.entries());
    let inner = health
        .iter()
        .filter_map(|e| Some((keys::HEALTH.key(e.key.text()?)?, e)));
    for (key, entry) in fields
        .iter()
        .chain(inner)
        .filter(|(key, _)| !key.belongs_to(recipe))
    {
        let message = format!("the recipe `{recipe}` has no key `{}`", key.name);
        let finding = report.error(entry.key.span.clone(), message);
        match key.recipes {
            [one] => finding.label(format!("it belongs to `recipe: {one}`")),
            several => finding.label(format!("it belongs to: {}", several.join(", "))),
        };
        let recipe_key = fields.entry("recipe").filter(|_| key.recipes.len() == 1);
        if let Some(entry) = recipe_key {
            finding.also(entry.value.span.clone(), "the recipe");
        }
    }
}

fn build(
    name: Option<Name>,
    own: Common,
    defaults: &Common,
    recipe: Option<Recipe>,
    word: Option<&str>,
    account: Option<Name>,
) -> Option<Site> {
    let has_container = word != Some("proxy");
    let default_health = Health::default();
    let command = own
        .command
        .or_else(|| defaults.command.clone())
        .filter(|_| has_container);
    let health = Health {
        path: own
            .path
            .or_else(|| defaults.path.clone())
            .unwrap_or(default_health.path),
        timeout_s: own
            .timeout
            .or(defaults.timeout)
            .unwrap_or(default_health.timeout_s),
        command,
    };
    let mut env = BTreeMap::new();
    let mut limits = Limits::default();
    if has_container {
        env.clone_from(&defaults.env);
        env.extend(own.env);
        limits = Limits {
            memory: settle(own.memory, defaults.memory, Some(keys::DEFAULT_MEMORY)),
            nano_cpus: settle(own.cpus, defaults.cpus, None),
            pids: settle(own.pids, defaults.pids, Some(keys::DEFAULT_PIDS)),
        };
    }
    Some(Site {
        name: name?,
        account,
        host: own.host.or_else(|| defaults.host.clone())?,
        recipe: recipe?,
        domains: Vec::new(),
        limits,
        connections: own
            .connections
            .or(defaults.connections)
            .unwrap_or(keys::DEFAULT_CONNECTIONS),
        env,
        secrets: BTreeMap::new(),
        health,
        redirect_www: None,
        redirects: BTreeMap::new(),
        state: SiteState::Running,
    })
}

/// The site's own limit, else that of `defaults`, else the built-in one.
fn settle<T>(own: Option<Limit<T>>, defaults: Option<Limit<T>>, built_in: Option<T>) -> Option<T>
where
    T: Copy,
{
    match own.or(defaults) {
        Some(Limit::At(value)) => Some(value),
        Some(Limit::None) => None,
        None => built_in,
    }
}

fn recipe(
    word: &str,
    fields: &Fields<'_>,
    own: &Common,
    defaults: &Common,
    report: &mut Report,
) -> Option<Recipe> {
    match word {
        "static" => Some(Recipe::Static),
        "php" => {
            let php = own.php.clone().or_else(|| defaults.php.clone());
            let mut ini = defaults.ini.clone();
            ini.extend(own.ini.clone());
            Some(Recipe::Php {
                php: php.unwrap_or_else(|| keys::DEFAULT_PHP.into()),
                ini,
            })
        }
        "proxy" => {
            let to = fields
                .get("to")
                .and_then(|n| fields::parsed(n, "`to`", str::parse, report));
            Some(Recipe::Proxy { to: to? })
        }
        _ => {
            let image = fields
                .get("image")
                .and_then(|node| fields::parsed(node, "`image`", value::parse_image, report));
            let port = fields
                .get("port")
                .and_then(|node| fields::count(node, "`port`", 1, 65535, report))
                .and_then(|port| u16::try_from(port).ok());
            let root = fields
                .get("root")
                .map(|node| fields::flag(node, "`root`", report));
            let mount = fields
                .get("mount")
                .map(|node| fields::parsed(node, "`mount`", value::parse_folder, report));
            let mount = match mount {
                Some(None) => return None,
                mount => mount.flatten(),
            };
            Some(Recipe::Image {
                image: image?,
                port: port?,
                root: root.unwrap_or(Some(false))?,
                mount,
            })
        }
    }
}

fn domains(node: &Node, report: &mut Report) -> Vec<(Domain, Range<usize>)> {
    let Some(items) = fields::list(node, "`domains`", "[blog.example.net]", report) else {
        return Vec::new();
    };
    if items.is_empty() {
        report
            .error(node.span.clone(), "`domains` names none")
            .label("at least one domain");
    }
    let mut domains = Vec::new();
    for item in items {
        if let Some(domain) = fields::parsed(item, "`domains`", value::parse_domain, report) {
            domains.push((domain, item.span.clone()));
        }
    }
    domains
}

fn redirects(
    node: &Node,
    places: &mut SitePlaces,
    report: &mut Report,
) -> BTreeMap<Domain, String> {
    let mut all = BTreeMap::new();
    let Some(entries) = fields::mapping(node, "`redirects`", report) else {
        return all;
    };
    for (_, entry) in fields::unique(entries, "`redirects`", report) {
        let from = fields::parsed(&entry.key, "`redirects`", value::parse_domain, report);
        let what = "the target of a redirect";
        let to = fields::parsed(&entry.value, what, value::parse_redirect, report);
        let Some(from) = from else { continue };
        places
            .redirects
            .push((from.clone(), entry.key.span.clone()));
        let Some(to) = to else { continue };
        if value::redirect_host(&to).as_ref() == Some(&from) {
            report
                .error(
                    entry.value.span.clone(),
                    format!("`{from}` is redirected to itself"),
                )
                .help("HTTP is redirected to HTTPS elsewhere; a redirect leads to another domain");
            continue;
        }
        all.insert(from, to);
    }
    all
}

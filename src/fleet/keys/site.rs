//! The keys of sites, and of what holds for all of them: each with how it is read and written.

use std::collections::BTreeMap;

use crate::fleet::at::At;
use crate::fleet::draft::Draft;
use crate::fleet::key::{self, Asked, KEY, Key, Kind, OWN, Table};
use crate::fleet::model::{Health, Limits, Recipe, RedirectWww, Site, SiteState};
use crate::fleet::name::Domain;
use crate::fleet::row::{self, Row, put};
use crate::fleet::service::secrets;
use crate::fleet::value;
use crate::fleet::yaml::{Value, field};

/// The recipes.
pub const RECIPES: &[&str] = &["static", "php", "proxy", "image"];

/// One site.
pub const SITE: Table = Table {
    of: "a site",
    keys: &row::keys(&SITE_ROWS),
};

/// What holds for every site that says nothing else.
pub const DEFAULTS: Table = Table {
    of: "defaults",
    keys: &key::shared::<{ key::count_shared(SITE.keys) }>(SITE.keys),
};

/// How readiness is asked.
pub const HEALTH: Table = Table {
    of: "health",
    keys: &row::keys(&HEALTH_ROWS),
};

/// The keys of a site, in the order in which they are read and written: the recipe stands before
/// what depends on it.
pub(in crate::fleet) const SITE_ROWS: [Row<Draft, Site>; 21] = [
    Row {
        key: Key {
            name: "account",
            kind: Kind::Reference("accounts"),
            example: "alice",
            doc: "The customer it belongs to.",
            synonyms: &["customer", "user", "owner"],
            shared: true,
            asked: asked("whose it is; ← → choose", ""),
            ..KEY
        },
        read: |d, at| put(&mut d.site.account, at.reference().map(Some)),
        write: |site| Some(site.account.as_ref()?.as_str().into()),
    },
    Row {
        key: Key {
            name: "host",
            kind: Kind::Reference("hosts"),
            required: true,
            example: "web1",
            doc: "Where it runs.",
            synonyms: &["server", "node", "on"],
            shared: true,
            asked: asked("where it runs; ← → choose", ""),
            ..KEY
        },
        read: |d, at| put(&mut d.site.host, at.reference()),
        write: |site| Some(site.host.as_str().into()),
    },
    Row {
        key: Key {
            name: "recipe",
            kind: Kind::Word(RECIPES),
            required: true,
            example: "php",
            doc: "How it is built and run.",
            synonyms: &["type", "kind"],
            shared: true,
            asked: asked("how it is run; ← → choose", "php"),
            ..KEY
        },
        read: recipe,
        write: |site| Some(site.recipe.word().into()),
    },
    Row {
        key: Key {
            name: "domains",
            kind: Kind::Domains,
            required: true,
            example: "[blog.example.net, www.blog.example.net]",
            doc: "The domains it answers for.",
            synonyms: &["domain", "hostname", "hostnames", "server_name", "aliases"],
            asked: asked("one or more, with spaces between", ""),
            ..KEY
        },
        read: domains,
        write: |site| {
            Some(
                site.domains
                    .iter()
                    .map(Domain::as_str)
                    .collect::<Vec<_>>()
                    .into(),
            )
        },
    },
    Row {
        key: Key {
            name: "memory",
            kind: Kind::Size,
            recipes: OWN,
            default: "256M",
            example: "128M",
            doc: "Memory it may use, at least 6M; `none` for no limit.",
            synonyms: &["mem", "mem_limit", "memory_limit", "ram"],
            shared: true,
            asked: asked("such as 128M; empty: the fleet's default", ""),
            ..KEY
        },
        read: |d, at| put(&mut d.site.limits.memory, at.limit(value::parse_memory)),
        write: |site| limit(site.limits.memory, Limits::USUAL.memory, size),
    },
    Row {
        key: Key {
            name: "cpus",
            kind: Kind::Cpus,
            recipes: OWN,
            default: "no limit",
            example: "0.5",
            doc: "CPUs it may use; `none` for no limit.",
            synonyms: &["cpu", "cpu_limit"],
            shared: true,
            ..KEY
        },
        read: |d, at| put(&mut d.site.limits.nano_cpus, at.limit(value::parse_cpus)),
        write: |site| {
            limit(site.limits.nano_cpus, Limits::USUAL.nano_cpus, |nano| {
                Value::Bare(value::format_cpus(nano))
            })
        },
    },
    Row {
        key: Key {
            name: "pids",
            kind: Kind::CountLimit(10, 4_194_304),
            recipes: OWN,
            default: "256",
            example: "100",
            doc: "Processes and threads it may have; `none` for no limit.",
            synonyms: &["pids_limit", "processes"],
            shared: true,
            ..KEY
        },
        read: |d, at| put(&mut d.site.limits.pids, at.count_limit()),
        write: |site| limit(site.limits.pids, Limits::USUAL.pids, Value::from),
    },
    Row {
        key: Key {
            name: "connections",
            kind: Kind::Count(1, 100_000),
            default: "200",
            example: "50",
            doc: "Connections it may hold open at the router; further ones are answered with 503.",
            synonyms: &["maxconn", "max_connections"],
            shared: true,
            ..KEY
        },
        read: |d, at| put(&mut d.site.connections, at.count()),
        write: |site| (site.connections != Site::CONNECTIONS).then(|| site.connections.into()),
    },
    Row {
        key: Key {
            name: "env",
            kind: Kind::Texts,
            recipes: OWN,
            example: "{ APP_MODE: production }",
            doc: "Environment, for what may be seen. Keys of `defaults` and of the site are put together.",
            synonyms: &["environment", "envs", "vars"],
            shared: true,
            ..KEY
        },
        read: |d, at| d.site.env.extend(at.texts(value::parse_env_name, true)),
        write: |site| texts(&site.env),
    },
    Row {
        key: secrets::SECRETS,
        read: |d, at| d.site.secrets = secrets::read(at),
        write: |site| secrets::write(&site.secrets),
    },
    Row {
        key: Key {
            name: "php",
            recipes: &["php"],
            default: "8.4",
            example: "\"8.4\"",
            doc: "Version of PHP.",
            synonyms: &["php_version", "version"],
            shared: true,
            asked: asked("version, such as 8.4", "8.4"),
            ..KEY
        },
        read: |d, at| {
            if let (Some(version), Recipe::Php { php, .. }) =
                (at.parsed(value::parse_php), &mut d.site.recipe)
            {
                *php = version;
            }
        },
        write: |site| match &site.recipe {
            Recipe::Php { php, .. } => Some(php.as_str().into()),
            _ => None,
        },
    },
    Row {
        key: Key {
            name: "ini",
            kind: Kind::Texts,
            recipes: &["php"],
            example: "{ upload_max_filesize: 64M }",
            doc: "Directives of php.ini.",
            synonyms: &["php_ini"],
            shared: true,
            ..KEY
        },
        read: |d, at| {
            let directives = at.texts(value::parse_ini_name, false);
            if let Recipe::Php { ini, .. } = &mut d.site.recipe {
                ini.extend(directives);
            }
        },
        write: |site| match &site.recipe {
            Recipe::Php { ini, .. } => texts(ini),
            _ => None,
        },
    },
    Row {
        key: Key {
            name: "to",
            recipes: &["proxy"],
            required: true,
            example: "old-shop:8080",
            doc: "Where requests go: `container:port` on the same host, or `http://address:port`.",
            synonyms: &["target", "upstream", "backend", "proxy_pass"],
            asked: asked("container:port on the host, or http://address:port", ""),
            ..KEY
        },
        read: |d, at| {
            if let (Some(target), Recipe::Proxy { to }) =
                (at.parsed(str::parse), &mut d.site.recipe)
            {
                *to = target;
            }
        },
        write: |site| match &site.recipe {
            Recipe::Proxy { to } => Some(to.to_string().into()),
            _ => None,
        },
    },
    Row {
        key: Key {
            name: "image",
            recipes: &["image"],
            required: true,
            example: "ghcr.io/example/wiki:2",
            doc: "Image that serves HTTP.",
            asked: asked("any image that serves HTTP", ""),
            ..KEY
        },
        read: |d, at| {
            if let (Some(reference), Recipe::Image { image, .. }) =
                (at.parsed(value::parse_image), &mut d.site.recipe)
            {
                *image = reference;
            }
        },
        write: |site| match &site.recipe {
            Recipe::Image { image, .. } => Some(image.as_str().into()),
            _ => None,
        },
    },
    Row {
        key: Key {
            name: "port",
            kind: Kind::Count(1, 65535),
            recipes: &["image"],
            required: true,
            example: "3000",
            doc: "Port on which the image serves HTTP.",
            synonyms: &["ports", "expose"],
            asked: asked("the port the image listens on", "80"),
            ..KEY
        },
        read: |d, at| {
            if let (Some(number), Recipe::Image { port, .. }) = (at.port(), &mut d.site.recipe) {
                *port = number;
            }
        },
        write: |site| match &site.recipe {
            Recipe::Image { port, .. } => Some(u32::from(*port).into()),
            _ => None,
        },
    },
    Row {
        key: Key {
            name: "root",
            kind: Kind::Flag,
            recipes: &["image"],
            default: "false",
            example: "true",
            doc: "The image insists on running as root; plans mark it.",
            ..KEY
        },
        read: |d, at| {
            if let (Some(insists), Recipe::Image { root, .. }) = (at.flag(), &mut d.site.recipe) {
                *root = insists;
            }
        },
        write: |site| match &site.recipe {
            Recipe::Image { root: true, .. } => Some(true.into()),
            _ => None,
        },
    },
    Row {
        key: Key {
            name: "mount",
            kind: Kind::Folder,
            recipes: &["image"],
            default: "not mounted",
            example: "/usr/share/app/public",
            doc: "Where in the container the site's `www` folder appears.",
            synonyms: &["volume", "volumes"],
            ..KEY
        },
        read: |d, at| {
            if let (folder @ Some(_), Recipe::Image { mount, .. }) =
                (at.parsed(value::parse_folder), &mut d.site.recipe)
            {
                *mount = folder;
            }
        },
        write: |site| match &site.recipe {
            Recipe::Image { mount, .. } => Some(mount.as_deref()?.into()),
            _ => None,
        },
    },
    Row {
        key: Key {
            name: "health",
            kind: Kind::Mapping(&HEALTH),
            example: "{ path: /status, timeout: 90 }",
            doc: "How it is asked whether it is ready.",
            synonyms: &["healthcheck", "check"],
            shared: true,
            ..KEY
        },
        read: |d, at| row::read_inner(at, &HEALTH, &HEALTH_ROWS, d),
        write: |site| row::write_inner(&HEALTH_ROWS, site),
    },
    Row {
        key: Key {
            name: "redirect_www",
            kind: Kind::Word(&["to-www", "to-bare"]),
            default: "no redirect",
            example: "to-bare",
            doc: "Answers `www.x` with a redirect to `x` (`to-bare`), or the other way round (`to-www`).",
            synonyms: &["www", "redirect-www"],
            shared: true,
            ..KEY
        },
        read: |d, at| {
            put(
                &mut d.site.redirect_www,
                at.word().map(|www| Some(RedirectWww::of(www))),
            )
        },
        write: |site| Some(site.redirect_www?.word().into()),
    },
    Row {
        key: Key {
            name: "redirects",
            kind: Kind::Redirects,
            example: "{ old.example.net: \"https://blog.example.net\" }",
            doc: "Domains answered with a redirect; path and query are kept when the URL has no path.",
            synonyms: &["redirect"],
            ..KEY
        },
        read: redirects,
        write: |site| {
            let all = site
                .redirects
                .iter()
                .map(|(from, to)| field(from.as_str(), to.as_str()));
            (!site.redirects.is_empty()).then(|| Value::Mapping(all.collect()))
        },
    },
    Row {
        key: Key {
            name: "state",
            kind: Kind::Word(&["running", "stopped", "archived"]),
            default: "running",
            example: "stopped",
            doc: "`stopped`: container kept, a plain page is answered. `archived`: route and container gone, files kept.",
            synonyms: &["status", "enabled"],
            ..KEY
        },
        read: |d, at| put(&mut d.site.state, at.word().map(SiteState::of)),
        write: |site| (site.state != SiteState::default()).then(|| site.state.word().into()),
    },
];

/// The keys of `health`.
const HEALTH_ROWS: [Row<Draft, Site>; 3] = [
    Row {
        key: Key {
            name: "path",
            default: "/",
            example: "/status",
            doc: "Path requested.",
            synonyms: &["url"],
            ..KEY
        },
        read: |d, at| put(&mut d.site.health.path, at.parsed(value::parse_url_path)),
        write: |site| {
            (site.health.path != Health::default().path).then(|| site.health.path.as_str().into())
        },
    },
    Row {
        key: Key {
            name: "timeout",
            kind: Kind::Seconds,
            default: "60",
            example: "90s",
            doc: "Seconds until a site that never answered counts as failed.",
            ..KEY
        },
        read: |d, at| {
            put(
                &mut d.site.health.timeout_s,
                at.parsed(value::parse_seconds),
            )
        },
        write: |site| {
            (site.health.timeout_s != Health::default().timeout_s)
                .then(|| site.health.timeout_s.into())
        },
    },
    Row {
        key: Key {
            name: "command",
            kind: Kind::Command,
            recipes: OWN,
            default: "none",
            example: "[php, -v]",
            doc: "A command that Docker runs inside the container now and then.",
            synonyms: &["cmd", "test"],
            ..KEY
        },
        read: |d, at| {
            let command = at.command();
            // What `defaults` say of one does not make a container of a proxy.
            if command.is_some() && d.has_container() {
                d.site.health.command = command;
            }
        },
        write: |site| Some(site.health.command.clone()?.into()),
    },
];

/// The keys of a site in the order in which a new one is described: what belongs to one recipe only
/// comes right behind the recipe.
pub fn creating() -> impl Iterator<Item = &'static Key> {
    let begins = |key: &Key| matches!(key.name, "account" | "host" | "recipe");
    let rank = move |key: &Key| match (begins(key), key.recipes) {
        (true, _) => 0,
        (false, [_]) => 1,
        (false, _) => 2,
    };
    (0..3).flat_map(move |at| SITE.keys.iter().filter(move |key| rank(key) == at))
}

const fn asked(help: &'static str, preset: &'static str) -> Option<Asked> {
    Some(Asked { help, preset })
}

fn recipe(draft: &mut Draft, at: &mut At<'_, '_>) {
    draft.recipe = at.word();
    let Some(word) = draft.recipe else { return };
    draft.site.recipe = Recipe::unsaid(word);
    // What has no container has nothing to limit.
    draft.site.limits = match draft.has_container() {
        true => Limits::USUAL,
        false => Limits::default(),
    };
}

fn domains(draft: &mut Draft, at: &mut At<'_, '_>) {
    let Some(domains) = at.items("[blog.example.net]", value::parse_domain) else {
        return;
    };
    if at.list("").is_some_and(<[_]>::is_empty) {
        at.error("`domains` names none")
            .label("at least one domain");
    }
    draft.site.domains = domains.iter().map(|(domain, _)| domain.clone()).collect();
    draft.claims.domains = domains;
}

fn redirects(draft: &mut Draft, at: &mut At<'_, '_>) {
    for (_, entry) in at.entries().unwrap_or_default() {
        let from = at
            .inner(&entry.key, "`redirects`")
            .parsed(value::parse_domain);
        let mut target = at.inner(&entry.value, "the target of a redirect");
        let to = target.parsed(value::parse_redirect);
        let Some(from) = from else { continue };
        let claim = (from.clone(), entry.key.span.clone());
        draft.claims.redirects.push(claim);
        let Some(to) = to else { continue };
        if value::redirect_host(&to).as_ref() == Some(&from) {
            target
                .error(format!("`{from}` is redirected to itself"))
                .help("HTTP is redirected to HTTPS elsewhere; a redirect leads to another domain");
            continue;
        }
        draft.site.redirects.insert(from, to);
    }
}

/// What a limit says where it is not the usual one.
fn limit<T: Copy + PartialEq>(
    limit: Option<T>,
    usual: Option<T>,
    write: fn(T) -> Value,
) -> Option<Value> {
    (limit != usual).then(|| limit.map_or_else(|| "none".into(), write))
}

fn size(bytes: u64) -> Value {
    let text = value::format_size(bytes);
    // Without a unit it is a number.
    match text.bytes().all(|b| b.is_ascii_digit()) {
        true => Value::Bare(text),
        false => text.into(),
    }
}

fn texts(map: &BTreeMap<String, String>) -> Option<Value> {
    let all = map.iter().map(|(name, text)| field(name, text.as_str()));
    (!map.is_empty()).then(|| Value::Mapping(all.collect()))
}

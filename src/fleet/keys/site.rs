//! The keys of sites, and of what holds for all of them: each with how it is read and written.

use std::collections::BTreeMap;

use crate::fleet::at::At;
use crate::fleet::draft::Draft;
use crate::fleet::key::{Asked, KEY, Key, Kind, OWN, Table};
use crate::fleet::model::{Health, Limits, Recipe, Site, SiteState};
use crate::fleet::name::Domain;
use crate::fleet::row::{self, Row, put, rows};
use crate::fleet::service::{HSTS, certificate, headers, secrets};
use crate::fleet::value;
use crate::fleet::yaml::{Value, field};

pub const RECIPES: &[&str] = &["static", "php", "proxy", "image"];

pub const SITE: Table = Table {
    of: "a site",
    shared: false,
    keys: &row::keys::<_, _, { SITE_ROWS.len() }>(SITE_ROWS),
};

/// What holds for every site that says nothing else.
pub const DEFAULTS: Table = Table {
    of: "defaults",
    shared: true,
    keys: SITE.keys,
};

/// How readiness is asked.
pub const HEALTH: Table = Table {
    of: "health",
    shared: false,
    keys: &row::keys::<_, _, { HEALTH_ROWS.len() }>(HEALTH_ROWS),
};

/// What belongs to one recipe: read into it where the site has it, and written from it.
macro_rules! own {
    ($draft:ident, $recipe:ident . $field:ident = $read:expr) => {{
        let value = $read;
        if let Recipe::$recipe { $field, .. } = &mut $draft.site.recipe {
            put($field, value);
        }
    }};
    ($site:ident, $recipe:ident . $field:ident => $write:expr) => {
        match &$site.recipe {
            Recipe::$recipe { $field, .. } => $write,
            _ => None,
        }
    };
}

/// The keys of a site, in the order in which they are read and written: the recipe stands before
/// what depends on it.
pub(in crate::fleet) const SITE_ROWS: &[Row<Draft, Site>] = &rows! {
    "account" => {
        kind: Kind::Reference("accounts"), shared: true, example: "alice",
        synonyms: &["customer", "user", "owner"],
        asked: asked("whose it is; ← → choose", ""),
        doc: "The customer it belongs to.",
    }
    read |d, at| put(&mut d.site.account, at.reference().map(Some));
    write |site| Some(site.account.as_ref()?.as_str().into());

    "host" => {
        kind: Kind::Reference("hosts"), required: true, shared: true, example: "web1",
        synonyms: &["server", "node", "on"],
        asked: asked("where it runs; ← → choose", ""),
        doc: "Where it runs.",
    }
    read |d, at| put(&mut d.site.host, at.reference());
    write |site| Some(site.host.as_str().into());

    "recipe" => {
        kind: Kind::Word(RECIPES), required: true, shared: true, example: "php",
        synonyms: &["type", "kind"],
        asked: asked("how it is run; ← → choose", "php"),
        doc: "How it is built and run.",
    }
    read recipe;
    write |site| Some(site.recipe.word().into());

    "domains" => {
        kind: Kind::Domains, required: true, example: "[blog.example.net, www.blog.example.net]",
        synonyms: &["domain", "hostname", "hostnames", "server_name", "aliases"],
        asked: asked("one or more, with spaces between", ""),
        doc: "The domains it answers for.",
    }
    read domains;
    write |site| Some(site.domains.iter().map(Domain::as_str).collect::<Vec<_>>().into());

    "memory" => {
        kind: Kind::Size, recipes: OWN, shared: true, default: "256M", example: "128M",
        synonyms: &["mem", "mem_limit", "memory_limit", "ram"],
        asked: asked("such as 128M; empty: the fleet's default", ""),
        option: Some(("SIZE", "Memory it may use, such as 128M")),
        doc: "Memory it may use, at least 6M; `none` for no limit.",
    }
    read |d, at| put(&mut d.site.limits.memory, at.limit(value::parse_memory));
    write |site| limit(site.limits.memory, Limits::USUAL.memory, size);

    "cpus" => {
        kind: Kind::Cpus, recipes: OWN, shared: true, default: "no limit", example: "0.5",
        synonyms: &["cpu", "cpu_limit"],
        option: Some(("CPUS", "CPUs it may use, such as 0.5")),
        doc: "CPUs it may use; `none` for no limit.",
    }
    read |d, at| put(&mut d.site.limits.nano_cpus, at.limit(value::parse_cpus));
    write |site| limit(site.limits.nano_cpus, Limits::USUAL.nano_cpus, cpus);

    "pids" => {
        kind: Kind::CountLimit(10, 4_194_304), recipes: OWN, shared: true, default: "256", example: "100",
        synonyms: &["pids_limit", "processes"],
        option: Some(("PIDS", "Processes and threads it may have")),
        doc: "Processes and threads it may have; `none` for no limit.",
    }
    read |d, at| put(&mut d.site.limits.pids, at.count_limit());
    write |site| limit(site.limits.pids, Limits::USUAL.pids, Value::from);

    "connections" => {
        kind: Kind::Count(1, 100_000), shared: true, default: "200", example: "50",
        synonyms: &["maxconn", "max_connections"],
        doc: "Connections it may hold open at the router; further ones are answered with 503.",
    }
    read |d, at| put(&mut d.site.connections, at.count());
    write |site| (site.connections != Site::CONNECTIONS).then(|| site.connections.into());

    "timeout" => {
        kind: Kind::Seconds(value::DAY), shared: true, default: "60s", example: "2h",
        synonyms: &["timeouts", "proxy_read_timeout", "read_timeout", "server_timeout", "request_timeout"],
        doc: "How long it may be silent before a request is given up with 504, up to 24h: for exports, long polls, server-sent events. What goes on sending is not cut.",
    }
    read |d, at| put(&mut d.site.timeout_s, at.seconds());
    write |site| (site.timeout_s != Site::TIMEOUT_S).then(|| value::format_seconds(site.timeout_s).into());

    "env" => {
        kind: Kind::Texts, recipes: OWN, shared: true, example: "{ APP_MODE: production }",
        synonyms: &["environment", "envs", "vars"],
        doc: "Environment, for what may be seen. Keys of `defaults` and of the site are put together.",
    }
    read environment;
    write |site| texts(&site.env);

    service secrets::SECRETS,
    read |d, at| d.site.secrets = secrets::read(at);
    write |site| secrets::write(&site.secrets);

    "php" => {
        recipes: &["php"], shared: true, default: "8.4", example: "\"8.4\"",
        synonyms: &["php_version", "version"],
        asked: asked("version, such as 8.4", "8.4"),
        option: Some(("VERSION", "For php: the version, such as 8.4")),
        doc: "Version of PHP.",
    }
    read |d, at| own!(d, Php.php = at.parsed(value::parse_php));
    write |site| own!(site, Php.php => Some(php.as_str().into()));

    "ini" => {
        kind: Kind::Texts, recipes: &["php"], shared: true, example: "{ upload_max_filesize: 64M }",
        synonyms: &["php_ini"],
        doc: "Directives of php.ini.",
    }
    read |d, at| {
        let directives = at.texts(value::parse_ini_name, false);
        if let Recipe::Php { ini, .. } = &mut d.site.recipe {
            ini.extend(directives);
        }
    };
    write |site| own!(site, Php.ini => texts(ini));

    "serve_source" => {
        kind: Kind::Flag, recipes: &["static", "php"], shared: true, default: "false", example: "true",
        synonyms: &["show_source"],
        doc: "Hands out files of PHP that nothing here runs (`.php` of a static site, `.phtml`, `.phar`, `.inc`, `.php.bak`, …) as text: their source. Otherwise they are answered with 403.",
    }
    read |d, at| put(&mut d.site.serve_source, at.flag());
    write |site| site.serve_source.then(|| true.into());

    "to" => {
        recipes: &["proxy"], required: true, example: "old-shop:8080",
        synonyms: &["target", "upstream", "backend", "proxy_pass"],
        asked: asked("container:port on the host, or http://address:port", ""),
        option: Some(("TARGET", "For proxy: container:port or http://address:port")),
        doc: "Where requests go: `container:port` on the same host, or `http://address:port`.",
    }
    read |d, at| own!(d, Proxy.to = at.parsed(str::parse));
    write |site| own!(site, Proxy.to => Some(to.to_string().into()));

    "image" => {
        recipes: &["image"], required: true, example: "ghcr.io/example/wiki:2",
        asked: asked("any image that serves HTTP", ""),
        option: Some(("IMAGE", "For image: the image")),
        doc: "Image that serves HTTP.",
    }
    read |d, at| own!(d, Image.image = at.parsed(value::parse_image));
    write |site| own!(site, Image.image => Some(image.as_str().into()));

    "port" => {
        kind: Kind::Count(1, 65535), recipes: &["image"], required: true, example: "3000",
        synonyms: &["ports", "expose"],
        asked: asked("the port the image listens on", "80"),
        option: Some(("PORT", "For image: the port it serves HTTP on")),
        doc: "Port on which the image serves HTTP.",
    }
    read |d, at| own!(d, Image.port = at.port());
    write |site| own!(site, Image.port => Some(u32::from(*port).into()));

    "root" => {
        kind: Kind::Flag, recipes: &["image"], default: "false", example: "true",
        doc: "The image insists on running as root; plans mark it.",
    }
    read |d, at| own!(d, Image.root = at.flag());
    write |site| own!(site, Image.root => root.then(|| true.into()));

    "mount" => {
        kind: Kind::Folder, recipes: &["image"], default: "not mounted", example: "/usr/share/app/public",
        synonyms: &["volume", "volumes"],
        doc: "Where in the container the site's `www` folder appears.",
    }
    read |d, at| own!(d, Image.mount = at.parsed(value::parse_mount).map(Some));
    write |site| own!(site, Image.mount => Some(mount.as_deref()?.into()));

    "health" => {
        kind: Kind::Mapping(&HEALTH), shared: true, example: "{ path: /status, timeout: 90 }",
        synonyms: &["healthcheck", "check"],
        doc: "How it is asked whether it is ready.",
    }
    read |d, at| { row::read_inner(at, &HEALTH, HEALTH_ROWS, d); };
    write |site| row::write_inner(HEALTH_ROWS, site);

    "redirect_www" => {
        kind: Kind::Word(&["to-www", "to-bare"]), shared: true, default: "no redirect", example: "to-bare",
        synonyms: &["www", "redirect-www"],
        doc: "Answers `www.x` with a redirect to `x` (`to-bare`), or the other way round (`to-www`).",
    }
    read |d, at| put(&mut d.site.redirect_www, at.named().map(Some));
    write |site| Some(site.redirect_www?.word().into());

    "redirects" => {
        kind: Kind::Redirects, example: "{ old.example.net: \"https://blog.example.net\" }",
        synonyms: &["redirect"],
        doc: "Domains answered with a redirect; path and query are kept when the URL has no path.",
    }
    read redirects;
    write |site| texts(&site.redirects);

    service certificate::CERTIFICATE,
    read |d, at| put(&mut d.site.certificate, certificate::read(at).map(Some));
    write |site| certificate::write(site.certificate.as_ref()?);

    "https" => {
        kind: Kind::Word(&["redirect", "both", "off"]), shared: true, default: "`redirect`; of `proxy` sites `both`", example: "both",
        synonyms: &["force_https", "https_redirect", "tls", "redirect_https"],
        doc: "`redirect`: who comes by `http://` is led to `https://`, once a certificate serves. `both`: either is answered. `off`: `http://` only.",
    }
    read |d, at| put(&mut d.site.https, at.named().map(Some));
    write |site| Some(site.https?.word().into());

    "hsts" => {
        kind: Kind::Either(&Kind::Days, &HSTS), shared: true, default: "none", example: "180d",
        synonyms: &["strict_transport_security", "strict-transport-security"],
        doc: "For how long browsers ask by `https://` only, since their last visit: `180d`, or `{ max_age, subdomains, preload }`; `0` takes it back, `none` says nothing.",
    }
    read |d, at| put(&mut d.site.hsts, certificate::read_hsts(at));
    write |site| certificate::write_hsts(&site.hsts?);

    service headers::KEY_OF_SITE,
    read |d, at| put(&mut d.site.headers, headers::read(at));
    write |site| headers::write(site.headers.as_ref()?);

    "state" => {
        kind: Kind::Word(&["running", "stopped", "archived"]), default: "running", example: "stopped",
        synonyms: &["status", "enabled"],
        doc: "`stopped`: container kept, a plain page is answered. `archived`: route and container gone, files kept.",
    }
    read |d, at| put(&mut d.site.state, at.named());
    write |site| (site.state != SiteState::default()).then(|| site.state.word().into());
};

/// The keys of `health`.
const HEALTH_ROWS: &[Row<Draft, Site>] = &rows! {
    "path" => {
        default: "/", example: "/status",
        synonyms: &["url"],
        doc: "Path requested.",
    }
    read |d, at| put(&mut d.site.health.path, at.parsed(value::parse_url_path));
    write |site| (site.health.path != Health::default().path).then(|| site.health.path.as_str().into());

    "timeout" => {
        kind: Kind::Seconds(3600), default: "60", example: "90s",
        doc: "Seconds until a site that never answered counts as failed.",
    }
    read |d, at| put(&mut d.site.health.timeout_s, at.seconds());
    write |site| (site.health.timeout_s != Health::default().timeout_s).then(|| site.health.timeout_s.into());

    "command" => {
        kind: Kind::Command, recipes: OWN, default: "none", example: "[php, -v]",
        synonyms: &["cmd", "test"],
        doc: "A command that Docker runs inside the container now and then.",
    }
    read |d, at| {
        let command = at.command();
        // What `defaults` say of one does not make a container of a proxy.
        if command.is_some() && d.has_container() {
            d.site.health.command = command;
        }
    };
    write |site| Some(site.health.command.clone()?.into());
};

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

fn environment(draft: &mut Draft, at: &mut At<'_, '_>) {
    let variables = at.texts(value::parse_env_name, true);
    for (name, value) in &variables {
        if let Some(why) = value::unfit_variable(name, value) {
            at.error(format!("`env.{name}` is too long")).label(why);
        }
    }
    draft.site.env.extend(variables);
    let each = draft.site.env.iter();
    let all: usize = each.map(|(name, value)| name.len() + value.len() + 2).sum();
    if all > value::LARGEST_ENVIRONMENT {
        let most = value::LARGEST_ENVIRONMENT >> 10;
        at.error(format!("its variables have {} KiB together", all >> 10))
            .label(format!(
                "a program is started with {most} KiB of them at most"
            ));
    }
}

fn domains(draft: &mut Draft, at: &mut At<'_, '_>) {
    let Some(domains) = at.items("[blog.example.net]", value::parse_site_domain) else {
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
        let lead = (from.clone(), to.clone(), target.node.span.clone());
        draft.claims.leads.push(lead);
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

fn cpus(nano: u64) -> Value {
    Value::Bare(value::format_cpus(nano))
}

fn texts(map: &BTreeMap<impl AsRef<str>, String>) -> Option<Value> {
    let all = map
        .iter()
        .map(|(name, text)| field(name.as_ref(), text.as_str()));
    (!map.is_empty()).then(|| Value::Mapping(all.collect()))
}

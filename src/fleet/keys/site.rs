//! The keys of sites, and of what holds for all of them.

use crate::fleet::key::{KEY, Key, Kind, OWN, Table};
use crate::fleet::service::SECRETS;

/// The recipes.
pub const RECIPES: &[&str] = &["static", "php", "proxy", "image"];
/// Words behind `state`.
pub const STATES: &[&str] = &["running", "stopped", "archived"];

/// Memory of a site that says nothing else: everything ostler creates has a limit.
pub const DEFAULT_MEMORY: u64 = 256 << 20;
/// Processes and threads of a site that says nothing else.
pub const DEFAULT_PIDS: u32 = 256;
/// Open connections of a site that says nothing else.
pub const DEFAULT_CONNECTIONS: u32 = 200;
/// PHP of a site that says nothing else.
pub const DEFAULT_PHP: &str = "8.4";

/// One site.
pub const SITE: Table = Table {
    of: "a site",
    keys: &[
        ACCOUNT_KEY,
        HOST_KEY,
        RECIPE_KEY,
        Key {
            name: "domains",
            kind: Kind::Domains,
            required: true,
            example: "[blog.example.net, www.blog.example.net]",
            doc: "The domains it answers for.",
            synonyms: &["domain", "hostname", "hostnames", "server_name", "aliases"],
            ..KEY
        },
        MEMORY,
        CPUS,
        PIDS,
        CONNECTIONS,
        ENV,
        SECRETS,
        PHP,
        INI,
        Key {
            name: "to",
            recipes: &["proxy"],
            required: true,
            example: "old-shop:8080",
            doc: "Where requests go: `container:port` on the same host, or `http://address:port`.",
            synonyms: &["target", "upstream", "backend", "proxy_pass"],
            ..KEY
        },
        Key {
            name: "image",
            recipes: &["image"],
            required: true,
            example: "ghcr.io/example/wiki:2",
            doc: "Image that serves HTTP.",
            ..KEY
        },
        Key {
            name: "port",
            kind: Kind::Count(1, 65535),
            recipes: &["image"],
            required: true,
            example: "3000",
            doc: "Port on which the image serves HTTP.",
            synonyms: &["ports", "expose"],
            ..KEY
        },
        Key {
            name: "root",
            kind: Kind::Flag,
            recipes: &["image"],
            default: "false",
            example: "true",
            doc: "The image insists on running as root; plans mark it.",
            ..KEY
        },
        Key {
            name: "mount",
            kind: Kind::Folder,
            recipes: &["image"],
            default: "not mounted",
            example: "/usr/share/app/public",
            doc: "Where in the container the site's `www` folder appears.",
            synonyms: &["volume", "volumes"],
            ..KEY
        },
        HEALTH_KEY,
        REDIRECT_WWW,
        Key {
            name: "redirects",
            kind: Kind::Redirects,
            example: "{ old.example.net: \"https://blog.example.net\" }",
            doc: "Domains answered with a redirect; path and query are kept when the URL has no path.",
            synonyms: &["redirect"],
            ..KEY
        },
        Key {
            name: "state",
            kind: Kind::Word(STATES),
            default: "running",
            example: "stopped",
            doc: "`stopped`: container kept, a plain page is answered. `archived`: route and container gone, files kept.",
            synonyms: &["status", "enabled"],
            ..KEY
        },
    ],
};

/// What holds for every site that says nothing else.
pub const DEFAULTS: Table = Table {
    of: "defaults",
    keys: &[
        ACCOUNT_KEY,
        Key {
            required: false,
            ..HOST_KEY
        },
        Key {
            required: false,
            ..RECIPE_KEY
        },
        MEMORY,
        CPUS,
        PIDS,
        CONNECTIONS,
        ENV,
        PHP,
        INI,
        HEALTH_KEY,
        REDIRECT_WWW,
    ],
};

const ACCOUNT_KEY: Key = Key {
    name: "account",
    kind: Kind::Reference("accounts"),
    example: "alice",
    doc: "The customer it belongs to.",
    synonyms: &["customer", "user", "owner"],
    ..KEY
};
const HOST_KEY: Key = Key {
    name: "host",
    kind: Kind::Reference("hosts"),
    required: true,
    example: "web1",
    doc: "Where it runs.",
    synonyms: &["server", "node", "on"],
    ..KEY
};
const RECIPE_KEY: Key = Key {
    name: "recipe",
    kind: Kind::Word(RECIPES),
    required: true,
    example: "php",
    doc: "How it is built and run.",
    synonyms: &["type", "kind"],
    ..KEY
};
const MEMORY: Key = Key {
    name: "memory",
    kind: Kind::Size,
    recipes: OWN,
    default: "256M",
    example: "128M",
    doc: "Memory it may use, at least 6M; `none` for no limit.",
    synonyms: &["mem", "mem_limit", "memory_limit", "ram"],
    ..KEY
};
const CPUS: Key = Key {
    name: "cpus",
    kind: Kind::Cpus,
    recipes: OWN,
    default: "no limit",
    example: "0.5",
    doc: "CPUs it may use; `none` for no limit.",
    synonyms: &["cpu", "cpu_limit"],
    ..KEY
};
const PIDS: Key = Key {
    name: "pids",
    kind: Kind::Count(10, 4_194_304),
    recipes: OWN,
    default: "256",
    example: "100",
    doc: "Processes and threads it may have; `none` for no limit.",
    synonyms: &["pids_limit", "processes"],
    ..KEY
};
const CONNECTIONS: Key = Key {
    name: "connections",
    kind: Kind::Count(1, 100_000),
    default: "200",
    example: "50",
    doc: "Connections it may hold open at the router; further ones are answered with 503.",
    synonyms: &["maxconn", "max_connections"],
    ..KEY
};
const ENV: Key = Key {
    name: "env",
    kind: Kind::Texts,
    recipes: OWN,
    example: "{ APP_MODE: production }",
    doc: "Environment, for what may be seen. Keys of `defaults` and of the site are put together.",
    synonyms: &["environment", "envs", "vars"],
    ..KEY
};
const PHP: Key = Key {
    name: "php",
    recipes: &["php"],
    default: "8.4",
    example: "\"8.4\"",
    doc: "Version of PHP.",
    synonyms: &["php_version", "version"],
    ..KEY
};
const INI: Key = Key {
    name: "ini",
    kind: Kind::Texts,
    recipes: &["php"],
    example: "{ upload_max_filesize: 64M }",
    doc: "Directives of php.ini.",
    synonyms: &["php_ini"],
    ..KEY
};
const HEALTH_KEY: Key = Key {
    name: "health",
    kind: Kind::Mapping(&HEALTH),
    example: "{ path: /status, timeout: 90 }",
    doc: "How it is asked whether it is ready.",
    synonyms: &["healthcheck", "check"],
    ..KEY
};
const REDIRECT_WWW: Key = Key {
    name: "redirect_www",
    kind: Kind::Word(&["to-www", "to-bare"]),
    default: "no redirect",
    example: "to-bare",
    doc: "Answers `www.x` with a redirect to `x` (`to-bare`), or the other way round (`to-www`).",
    synonyms: &["www", "redirect-www"],
    ..KEY
};

/// How readiness is asked.
pub const HEALTH: Table = Table {
    of: "health",
    keys: &[
        Key {
            name: "path",
            default: "/",
            example: "/status",
            doc: "Path requested.",
            synonyms: &["url"],
            ..KEY
        },
        Key {
            name: "timeout",
            kind: Kind::Seconds,
            default: "60",
            example: "90s",
            doc: "Seconds until a site that never answered counts as failed.",
            ..KEY
        },
        Key {
            name: "command",
            kind: Kind::Command,
            recipes: OWN,
            default: "none",
            example: "[php, -v]",
            doc: "A command that Docker runs inside the container now and then.",
            synonyms: &["cmd", "test"],
            ..KEY
        },
    ],
};

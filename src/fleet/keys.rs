//! Every key of the fleet file, in one table per mapping. The loader's checks, its suggestions, the
//! JSON Schema and the reference in the README all read it.

/// The keys of one mapping.
#[derive(Debug)]
pub struct Table {
    /// What the mapping describes: `a site`.
    pub of: &'static str,
    /// Its keys, in the order in which people would write them.
    pub keys: &'static [Key],
}

/// One key.
#[derive(Debug)]
pub struct Key {
    /// As written.
    pub name: &'static str,
    /// What may stand behind it.
    pub kind: Kind,
    /// For keys of a site: the recipes that know it; empty for all.
    pub recipes: &'static [&'static str],
    /// It has to be there.
    pub required: bool,
    /// What holds when it is left out.
    pub default: &'static str,
    /// An example of a value.
    pub example: &'static str,
    /// What it does, in a sentence.
    pub doc: &'static str,
    /// What people write when they mean it.
    pub synonyms: &'static [&'static str],
}

/// What may stand behind a key.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// Free text.
    Text,
    /// The name of an entry of this top-level mapping.
    Reference(&'static str),
    /// `128M`
    Size,
    /// `0.5`
    Cpus,
    /// A whole number in this range.
    Count(u32, u32),
    /// Seconds: `60`, `60s` or `2m`.
    Seconds,
    /// `true` or `false`.
    Flag,
    /// One of these words.
    Word(&'static [&'static str]),
    /// An absolute path.
    Folder,
    /// A list of domains.
    Domains,
    /// A program and its arguments.
    Command,
    /// Names to texts.
    Texts,
    /// Names to `{ file: … }` or `{ command: … }`.
    Secrets,
    /// Domains to URLs.
    Redirects,
    /// A mapping with keys of its own.
    Mapping(&'static Table),
    /// Names to mappings.
    Named(&'static Table),
}

const KEY: Key = Key {
    name: "",
    kind: Kind::Text,
    recipes: &[],
    required: false,
    default: "",
    example: "",
    doc: "",
    synonyms: &[],
};

/// The recipes.
pub const RECIPES: &[&str] = &["static", "php", "proxy", "image"];
/// Recipes that have a container of their own.
const OWN: &[&str] = &["static", "php", "image"];
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
/// Longest fleet name: containers and networks carry it.
pub const FLEET_NAME_MAX: usize = 20;

/// The file itself.
pub const FILE: Table = Table {
    of: "the fleet file",
    keys: &[
        Key {
            name: "fleet",
            required: true,
            example: "chatons",
            doc: "Name of the fleet, at most 20 characters; containers and networks carry it.",
            synonyms: &["name"],
            ..KEY
        },
        Key {
            name: "defaults",
            kind: Kind::Mapping(&DEFAULTS),
            example: "{ memory: 256M }",
            doc: "What holds for every site that says nothing else.",
            synonyms: &["default"],
            ..KEY
        },
        Key {
            name: "hosts",
            kind: Kind::Named(&HOST),
            example: "web1: { engine: \"ssh://ops@web1.example.net\" }",
            doc: "The Docker Engines, by name.",
            synonyms: &["host", "servers"],
            ..KEY
        },
        Key {
            name: "accounts",
            kind: Kind::Named(&ACCOUNT),
            example: "alice: { email: alice@example.net }",
            doc: "The customers, by name.",
            synonyms: &["account", "customers", "users"],
            ..KEY
        },
        Key {
            name: "sites",
            kind: Kind::Named(&SITE),
            example: "alice-blog: { host: web1, recipe: static, domains: [blog.example.net] }",
            doc: "The web sites, by name; the name is also login and folder.",
            synonyms: &["site", "services"],
            ..KEY
        },
    ],
};

/// One host.
pub const HOST: Table = Table {
    of: "a host",
    keys: &[
        Key {
            name: "engine",
            required: true,
            example: "ssh://ops@web1.example.net",
            doc: "Where the engine listens: `unix:///path`, `ssh://user@host` or `tcp://host:2376`.",
            synonyms: &["docker", "address", "url"],
            ..KEY
        },
        Key {
            name: "tls",
            example: "~/.ostler/web2",
            doc: "For `tcp://`: folder with `ca.pem`, `cert.pem` and `key.pem`.",
            ..KEY
        },
        Key {
            name: "insecure",
            kind: Kind::Flag,
            default: "false",
            example: "true",
            doc: "For `tcp://`: no TLS. Only on loopback and private addresses.",
            ..KEY
        },
        Key {
            name: "ports",
            kind: Kind::Mapping(&PORTS),
            default: "{ http: 80, https: 443 }",
            example: "{ http: 8080, https: 8443 }",
            doc: "Ports of the router.",
            synonyms: &["port"],
            ..KEY
        },
        Key {
            name: "root",
            kind: Kind::Folder,
            default: "/srv/ostler",
            example: "/data/ostler",
            doc: "Folder on the host below which everything is kept.",
            synonyms: &["folder", "path", "directory"],
            ..KEY
        },
        Key {
            name: "subnet",
            default: "the first free /20",
            example: "10.90.0.0/20",
            doc: "IPv4 network of the sites on this host.",
            synonyms: &["network"],
            ..KEY
        },
        Key {
            name: "images",
            kind: Kind::Mapping(&IMAGES),
            example: "{ static: \"nginx:1.28\" }",
            doc: "Images other than the official ones.",
            synonyms: &["image"],
            ..KEY
        },
    ],
};

/// Ports of a router.
pub const PORTS: Table = Table {
    of: "ports",
    keys: &[
        Key {
            name: "http",
            kind: Kind::Count(1, 65535),
            default: "80",
            example: "8080",
            doc: "Plain HTTP.",
            ..KEY
        },
        Key {
            name: "https",
            kind: Kind::Count(1, 65535),
            default: "443",
            example: "8443",
            doc: "TLS.",
            ..KEY
        },
    ],
};

/// Images by use.
pub const IMAGES: Table = Table {
    of: "images",
    keys: &[
        Key {
            name: "router",
            default: "haproxy:3.0",
            example: "registry.example.net/haproxy:3.0",
            doc: "The reverse proxy.",
            ..KEY
        },
        Key {
            name: "toolbox",
            default: "ostler/toolbox:1",
            example: "registry.example.net/toolbox:1",
            doc: "The helper container; built on the host when the host lacks it.",
            ..KEY
        },
        Key {
            name: "toolbox_base",
            default: "debian:trixie-slim",
            example: "registry.example.net/debian:trixie-slim",
            doc: "What the toolbox is built from.",
            ..KEY
        },
        Key {
            name: "static",
            default: "nginx:1.28",
            example: "registry.example.net/nginx:1.28",
            doc: "For the recipe `static`.",
            synonyms: &["nginx"],
            ..KEY
        },
        Key {
            name: "php",
            default: "php:{php}-apache",
            example: "registry.example.net/php:{php}-apache",
            doc: "For the recipe `php`; `{php}` stands for the version.",
            synonyms: &["apache"],
            ..KEY
        },
    ],
};

/// One account.
pub const ACCOUNT: Table = Table {
    of: "an account",
    keys: &[Key {
        name: "email",
        example: "alice@example.net",
        doc: "Where the customer is reached.",
        synonyms: &["mail", "e-mail"],
        ..KEY
    }],
};

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
        Key {
            name: "secrets",
            kind: Kind::Secrets,
            recipes: OWN,
            example: "{ DB_PASSWORD: { file: secrets/bob-db } }",
            doc: "What the site reads in `/run/secrets/NAME`: `{ file: path }` or `{ command: [program, argument] }`, both on the operator's machine.",
            synonyms: &["secret"],
            ..KEY
        },
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

/// One secret.
pub const SECRET: Table = Table {
    of: "a secret",
    keys: &[
        Key {
            name: "file",
            example: "secrets/bob-db",
            doc: "File on the operator's machine; a relative path starts at the fleet file's folder.",
            synonyms: &["path"],
            ..KEY
        },
        Key {
            name: "command",
            kind: Kind::Command,
            example: "[pass, show, bob/db]",
            doc: "Program and arguments, run on the operator's machine without a shell; what it prints is the secret.",
            synonyms: &["cmd", "exec"],
            ..KEY
        },
    ],
};

impl Table {
    /// The key of this name.
    pub fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }

    /// The key that was meant by a word that is none.
    pub fn meant(&self, word: &str) -> Option<&'static str> {
        let lower = word.to_lowercase();
        let synonym = self
            .keys
            .iter()
            .find(|k| k.synonyms.contains(&lower.as_str()));
        match synonym {
            Some(key) => Some(key.name),
            None => super::nearest(word, self.keys.iter().map(|k| k.name)),
        }
    }
}

impl Key {
    /// Whether a site of this recipe knows the key.
    pub fn belongs_to(&self, recipe: &str) -> bool {
        self.recipes.is_empty() || self.recipes.contains(&recipe)
    }
}

//! The keys of hosts and accounts.

use crate::fleet::key::{KEY, Key, Kind, Table};

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
            name: "via",
            kind: Kind::Word(&["openssh"]),
            example: "openssh",
            doc: "For `ssh://`: the system's `ssh` forwards the socket; for ProxyCommand, host certificates, FIDO keys.",
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

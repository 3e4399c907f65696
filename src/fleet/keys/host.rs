//! The keys of hosts and accounts: each with how it is read and written.

use crate::fleet::address::{EngineAddress, Via};
use crate::fleet::at::At;
use crate::fleet::key::{KEY, Key, Kind, Table};
use crate::fleet::model::{Account, Host, Images, Ports};
use crate::fleet::name::Invalid;
use crate::fleet::row::{self, Row, put};
use crate::fleet::value;
use crate::fleet::yaml::Value;

/// One host.
pub const HOST: Table = Table {
    of: "a host",
    keys: &row::keys(&HOST_ROWS),
};

/// Ports of a router.
pub const PORTS: Table = Table {
    of: "ports",
    keys: &row::keys(&PORT_ROWS),
};

/// Images by use.
pub const IMAGES: Table = Table {
    of: "images",
    keys: &row::keys(&IMAGE_ROWS),
};

/// One account.
pub const ACCOUNT: Table = Table {
    of: "an account",
    keys: &row::keys(&ACCOUNT_ROWS),
};

/// The keys of a host. What says how its engine is reached hangs together and is read at once,
/// beside the rows.
pub(in crate::fleet) const HOST_ROWS: [Row<Host, Host>; 8] = [
    Row {
        key: Key {
            name: "engine",
            required: true,
            example: "ssh://ops@web1.example.net",
            doc: "Where the engine listens: `unix:///path`, `ssh://user@host` or `tcp://host:2376`.",
            synonyms: &["docker", "address", "url"],
            ..KEY
        },
        read: |_, _| {},
        write: |host| Some(host.engine.to_string().into()),
    },
    Row {
        key: Key {
            name: "tls",
            example: "~/.ostler/web2",
            doc: "For `tcp://`: folder with `ca.pem`, `cert.pem` and `key.pem`.",
            ..KEY
        },
        read: |_, _| {},
        write: |host| match &host.engine {
            EngineAddress::Tcp { tls, .. } => Some(tls.as_deref()?.into()),
            _ => None,
        },
    },
    Row {
        key: Key {
            name: "insecure",
            kind: Kind::Flag,
            default: "false",
            example: "true",
            doc: "For `tcp://`: no TLS. Only on loopback and private addresses.",
            ..KEY
        },
        read: |_, _| {},
        write: |host| match &host.engine {
            EngineAddress::Tcp { insecure: true, .. } => Some(true.into()),
            _ => None,
        },
    },
    Row {
        key: Key {
            name: "via",
            kind: Kind::Word(&["openssh"]),
            example: "openssh",
            doc: "For `ssh://`: the system's `ssh` forwards the socket; for ProxyCommand, host certificates, FIDO keys.",
            ..KEY
        },
        read: |_, _| {},
        write: |host| match &host.engine {
            EngineAddress::Ssh {
                via: Via::OpenSsh, ..
            } => Some("openssh".into()),
            _ => None,
        },
    },
    Row {
        key: Key {
            name: "ports",
            kind: Kind::Mapping(&PORTS),
            default: "{ http: 80, https: 443 }",
            example: "{ http: 8080, https: 8443 }",
            doc: "Ports of the router.",
            synonyms: &["port"],
            ..KEY
        },
        read: ports,
        write: |host| {
            (host.ports != Ports::default()).then_some(row::write_inner(&PORT_ROWS, host)?)
        },
    },
    Row {
        key: Key {
            name: "root",
            kind: Kind::Folder,
            default: "/srv/ostler",
            example: "/data/ostler",
            doc: "Folder on the host below which everything is kept.",
            synonyms: &["folder", "path", "directory"],
            ..KEY
        },
        read: root,
        write: |host| (host.root != Host::ROOT).then(|| host.root.as_str().into()),
    },
    Row {
        key: Key {
            name: "subnet",
            default: "the first free /20",
            example: "10.90.0.0/20",
            doc: "IPv4 network of the sites on this host.",
            synonyms: &["network"],
            ..KEY
        },
        read: |host, at| put(&mut host.subnet, at.parsed(str::parse).map(Some)),
        write: |host| Some(host.subnet?.to_string().into()),
    },
    Row {
        key: Key {
            name: "images",
            kind: Kind::Mapping(&IMAGES),
            example: "{ static: \"nginx:1.28\" }",
            doc: "Images other than the official ones.",
            synonyms: &["image"],
            ..KEY
        },
        read: |host, at| row::read_inner(at, &IMAGES, &IMAGE_ROWS, host),
        write: |host| row::write_inner(&IMAGE_ROWS, host),
    },
];

const PORT_ROWS: [Row<Host, Host>; 2] = [
    Row {
        key: Key {
            name: "http",
            kind: Kind::Count(1, 65535),
            default: "80",
            example: "8080",
            doc: "Plain HTTP.",
            ..KEY
        },
        read: |host, at| host.ports.http = at.port().unwrap_or_default(),
        write: |host| Some(u32::from(host.ports.http).into()),
    },
    Row {
        key: Key {
            name: "https",
            kind: Kind::Count(1, 65535),
            default: "443",
            example: "8443",
            doc: "TLS.",
            ..KEY
        },
        read: |host, at| host.ports.https = at.port().unwrap_or_default(),
        write: |host| Some(u32::from(host.ports.https).into()),
    },
];

const IMAGE_ROWS: [Row<Host, Host>; 5] = [
    Row {
        key: Key {
            name: "router",
            default: "haproxy:3.0",
            example: "registry.example.net/haproxy:3.0",
            doc: "The reverse proxy.",
            ..KEY
        },
        read: |host, at| image(&mut host.images.router, at),
        write: |host| other(&host.images.router, &Images::default().router),
    },
    Row {
        key: Key {
            name: "toolbox",
            default: "ostler/toolbox:1",
            example: "registry.example.net/toolbox:1",
            doc: "The helper container; built on the host when the host lacks it.",
            ..KEY
        },
        read: |host, at| image(&mut host.images.toolbox, at),
        write: |host| other(&host.images.toolbox, &Images::default().toolbox),
    },
    Row {
        key: Key {
            name: "toolbox_base",
            default: "debian:trixie-slim",
            example: "registry.example.net/debian:trixie-slim",
            doc: "What the toolbox is built from.",
            ..KEY
        },
        read: |host, at| image(&mut host.images.toolbox_base, at),
        write: |host| other(&host.images.toolbox_base, &Images::default().toolbox_base),
    },
    Row {
        key: Key {
            name: "static",
            default: "nginx:1.28",
            example: "registry.example.net/nginx:1.28",
            doc: "For the recipe `static`.",
            synonyms: &["nginx"],
            ..KEY
        },
        read: |host, at| image(&mut host.images.static_, at),
        write: |host| other(&host.images.static_, &Images::default().static_),
    },
    Row {
        key: Key {
            name: "php",
            default: "php:{php}-apache",
            example: "registry.example.net/php:{php}-apache",
            doc: "For the recipe `php`; `{php}` stands for the version.",
            synonyms: &["apache"],
            ..KEY
        },
        read: |host, at| image(&mut host.images.php, at),
        write: |host| other(&host.images.php, &Images::default().php),
    },
];

/// The keys of an account.
pub(in crate::fleet) const ACCOUNT_ROWS: [Row<Account, Account>; 1] = [Row {
    key: Key {
        name: "email",
        example: "alice@example.net",
        doc: "Where the customer is reached.",
        synonyms: &["mail", "e-mail"],
        ..KEY
    },
    read: |account, at| account.email = at.parsed(value::parse_email),
    write: |account| Some(account.email.as_deref()?.into()),
}];

fn ports(host: &mut Host, at: &mut At<'_, '_>) {
    row::read_inner(at, &PORTS, &PORT_ROWS, host);
    // A port that is wrong was read as 0.
    if host.ports.http == host.ports.https && host.ports.http != 0 {
        at.error(format!("both ports are {}", host.ports.http));
    }
}

/// Folders that belong to the system, and folders that a reboot empties.
const SYSTEM: &[&str] = &[
    "bin", "boot", "dev", "etc", "lib", "lib32", "lib64", "proc", "sbin", "sys", "usr",
];
const EMPTIED: &[&str] = &["run", "tmp"];

fn root(host: &mut Host, at: &mut At<'_, '_>) {
    let Some(root) = at.parsed(value::parse_folder) else {
        return;
    };
    let first = root.split('/').nth(1).unwrap_or_default();
    if SYSTEM.contains(&first) {
        at.error(format!("/{first} belongs to the system"))
            .label("such as /srv/ostler");
    } else if EMPTIED.contains(&first) {
        let message = format!("/{first} is emptied when the host starts");
        at.report
            .warning(at.node.span.clone(), message)
            .help("the sites' files would be lost; such as /srv/ostler");
    }
    host.root = root;
}

fn image(slot: &mut String, at: &mut At<'_, '_>) {
    let version = at.what == "`images.php`";
    let parse = |text: &str| {
        // The one placeholder there is stands for a version in the check.
        let filled = match version {
            true => text.replace("{php}", "8.4"),
            false => text.to_owned(),
        };
        match filled.contains(['{', '}']) {
            true => Err(Invalid(
                "only `images.php` knows a placeholder, and only {php}".into(),
            )),
            false => value::parse_image(&filled).map(|_| text.to_owned()),
        }
    };
    put(slot, at.parsed(parse));
}

fn other(image: &str, usual: &str) -> Option<Value> {
    (image != usual).then(|| image.into())
}

//! The keys of hosts and accounts: each with how it is read and written.

use crate::fleet::address::{EngineAddress, Via};
use crate::fleet::at::At;
use crate::fleet::key::{KEY, Kind, Table};
use crate::fleet::model::{Account, Host, Images, Isolate, Ports};
use crate::fleet::name::Invalid;
use crate::fleet::network::Network;
use crate::fleet::row::{self, Row, put, rows};
use crate::fleet::service::certificate;
use crate::fleet::value;
use crate::fleet::yaml::Value;

pub const HOST: Table = Table {
    of: "a host",
    shared: false,
    keys: &row::keys::<_, _, { HOST_ROWS.len() }>(HOST_ROWS),
};

/// Ports of a router.
pub const PORTS: Table = Table {
    of: "ports",
    shared: false,
    keys: &row::keys::<_, _, { PORT_ROWS.len() }>(PORT_ROWS),
};

/// Images by use.
pub const IMAGES: Table = Table {
    of: "images",
    shared: false,
    keys: &row::keys::<_, _, { IMAGE_ROWS.len() }>(IMAGE_ROWS),
};

pub const ACCOUNT: Table = Table {
    of: "an account",
    shared: false,
    keys: &row::keys::<_, _, { ACCOUNT_ROWS.len() }>(ACCOUNT_ROWS),
};

/// The keys of a host. What says how its engine is reached hangs together and is read at once,
/// beside the rows.
pub(in crate::fleet) const HOST_ROWS: &[Row<Host, Host>] = &rows! {
    "engine" => {
        required: true, example: "ssh://ops@web1.example.net",
        synonyms: &["docker", "address", "url"],
        doc: "Where the engine listens: `unix:///path`, `ssh://user@host` or `tcp://host:2376`.",
    }
    read |_, _| {};
    write |host| Some(host.engine.to_string().into());

    "tls" => {
        example: "~/.ostler/web2",
        doc: "For `tcp://`: folder with `ca.pem`, `cert.pem` and `key.pem`.",
    }
    read |_, _| {};
    write |host| match &host.engine {
        EngineAddress::Tcp { tls, .. } => Some(tls.as_deref()?.into()),
        _ => None,
    };

    "insecure" => {
        kind: Kind::Flag, default: "false", example: "true",
        doc: "For `tcp://`: no TLS. Only on loopback and private addresses.",
    }
    read |_, _| {};
    write |host| match &host.engine {
        EngineAddress::Tcp { insecure: true, .. } => Some(true.into()),
        _ => None,
    };

    "via" => {
        kind: Kind::Word(&["openssh"]), example: "openssh",
        doc: "For `ssh://`: the system's `ssh` forwards the socket; for ProxyCommand, host certificates, FIDO keys.",
    }
    read |_, _| {};
    write |host| match &host.engine {
        EngineAddress::Ssh { via: Via::OpenSsh, .. } => Some("openssh".into()),
        _ => None,
    };

    "ports" => {
        kind: Kind::Mapping(&PORTS), default: "{ http: 80, https: 443 }", example: "{ http: 8080, https: 8443 }",
        synonyms: &["port"],
        doc: "Ports of the router.",
    }
    read ports;
    write |host| (host.ports != Ports::default()).then_some(row::write_inner(PORT_ROWS, host)?);

    "trusted_proxies" => {
        kind: Kind::Networks, example: "[192.0.2.7, \"2001:db8::/32\"]",
        synonyms: &["trusted_proxy", "real_ip_from", "set_real_ip_from", "proxies"],
        doc: "Proxies in front of the router, by address or network: the visitor's address, scheme and port that they send are believed.",
    }
    read trusted_proxies;
    write |host| (!host.trusted_proxies.is_empty())
        .then(|| host.trusted_proxies.iter().map(Network::to_string).collect::<Vec<_>>().into());

    "proxy_protocol" => {
        kind: Kind::Flag, default: "false", example: "true",
        synonyms: &["accept_proxy", "send_proxy"],
        doc: "Connections from `trusted_proxies` begin with a header of the PROXY protocol, version 1 or 2.",
    }
    read |host, at| put(&mut host.proxy_protocol, at.flag());
    write |host| host.proxy_protocol.then(|| true.into());

    "root" => {
        kind: Kind::Folder, default: "/srv/ostler", example: "/data/ostler",
        synonyms: &["folder", "path", "directory"],
        doc: "Folder on the host below which everything is kept.",
    }
    read root;
    write |host| (host.root != Host::ROOT).then(|| host.root.as_str().into());

    "subnet" => {
        default: "the first free /20", example: "10.90.0.0/20",
        synonyms: &["network"],
        doc: "IPv4 network of the sites on this host.",
    }
    read |host, at| put(&mut host.subnet, at.parsed(str::parse).map(Some));
    write |host| Some(host.subnet?.to_string().into());

    "isolate" => {
        kind: Kind::Word(&["sites", "strict"]), default: "sites", example: "strict",
        synonyms: &["isolation", "firewall"],
        doc: "What sites are kept from: each other; `strict`: the host's own services and the cloud's metadata address as well, by a helper with NET_ADMIN on the host's network.",
    }
    read |host, at| put(&mut host.isolate, at.named());
    write |host| (host.isolate == Isolate::Strict).then(|| "strict".into());

    "images" => {
        kind: Kind::Mapping(&IMAGES), example: "{ static: \"nginx:1.28\" }",
        synonyms: &["image"],
        doc: "Images other than the official ones.",
    }
    read |host, at| { row::read_inner(at, &IMAGES, IMAGE_ROWS, host); };
    write |host| row::write_inner(IMAGE_ROWS, host);
};

const PORT_ROWS: &[Row<Host, Host>] = &rows! {
    "http" => {
        kind: Kind::Count(1, 65535), default: "80", example: "8080",
        doc: "Plain HTTP.",
    }
    read |host, at| host.ports.http = at.port().unwrap_or_default();
    write |host| Some(u32::from(host.ports.http).into());

    "https" => {
        kind: Kind::Count(1, 65535), default: "443", example: "8443",
        doc: "TLS.",
    }
    read |host, at| host.ports.https = at.port().unwrap_or_default();
    write |host| Some(u32::from(host.ports.https).into());
};

const IMAGE_ROWS: &[Row<Host, Host>] = &rows! {
    "router" => {
        default: "haproxy:3.0", example: "registry.example.net/haproxy:3.0",
        doc: "The reverse proxy.",
    }
    read |host, at| image(&mut host.images.router, at);
    write |host| other(&host.images.router, &Images::default().router);

    "toolbox" => {
        default: "ostler/toolbox:1", example: "registry.example.net/toolbox:1",
        doc: "The helper container; built on the host when the host lacks it.",
    }
    read |host, at| image(&mut host.images.toolbox, at);
    write |host| other(&host.images.toolbox, &Images::default().toolbox);

    "toolbox_base" => {
        default: "debian:trixie-slim", example: "registry.example.net/debian:trixie-slim",
        doc: "What toolbox and guard are built from.",
    }
    read |host, at| image(&mut host.images.toolbox_base, at);
    write |host| other(&host.images.toolbox_base, &Images::default().toolbox_base);

    "guard" => {
        default: "ostler/guard:1", example: "registry.example.net/guard:1",
        doc: "What `isolate: strict` runs; built on the host when the host lacks it.",
    }
    read |host, at| image(&mut host.images.guard, at);
    write |host| other(&host.images.guard, &Images::default().guard);

    "static" => {
        default: "nginx:1.28", example: "registry.example.net/nginx:1.28",
        synonyms: &["nginx"],
        doc: "For the recipe `static`.",
    }
    read |host, at| image(&mut host.images.static_, at);
    write |host| other(&host.images.static_, &Images::default().static_);

    "php" => {
        default: "php:{php}-apache", example: "registry.example.net/php:{php}-apache",
        synonyms: &["apache"],
        doc: "For the recipe `php`; `{php}` stands for the version.",
    }
    read |host, at| image(&mut host.images.php, at);
    write |host| other(&host.images.php, &Images::default().php);
};

/// The keys of an account.
pub(in crate::fleet) const ACCOUNT_ROWS: &[Row<Account, Account>] = &rows! {
    "email" => {
        example: "alice@example.net",
        synonyms: &["mail", "e-mail"],
        doc: "Where the customer is reached.",
    }
    read |account, at| account.email = at.parsed(value::parse_email);
    write |account| Some(account.email.as_deref()?.into());

    service certificate::OF_ACCOUNT,
    read |account, at| account.certificate = certificate::read(at);
    write |account| certificate::write(account.certificate.as_ref()?);
};

fn ports(host: &mut Host, at: &mut At<'_, '_>) {
    row::read_inner(at, &PORTS, PORT_ROWS, host);
    // A port that is wrong was read as 0.
    if host.ports.http == host.ports.https && host.ports.http != 0 {
        at.error(format!("both ports are {}", host.ports.http));
    }
}

/// How many addresses and networks `trusted_proxies` may name: some networks for delivery have
/// hundreds.
const PROXIES: usize = 1000;

fn trusted_proxies(host: &mut Host, at: &mut At<'_, '_>) {
    const EXAMPLE: &str = "[192.0.2.7, 198.51.100.0/24]";
    let Some(items) = at.items(EXAMPLE, str::parse::<Network>) else {
        return;
    };
    if items.len() > PROXIES {
        at.error(format!("`trusted_proxies` names more than {PROXIES}"));
        return;
    }
    for (network, place) in items {
        let wider = host.trusted_proxies.iter().find(|it| it.covers(&network));
        match wider {
            Some(wider) => {
                let message = format!("{network} is trusted already");
                let label = format!("it is in {wider}");
                at.report.error(place, message).label(label);
            }
            None => host.trusted_proxies.push(network),
        }
    }
}

/// Folders that belong to the system, and folders that a reboot empties.
const SYSTEM: &[&str] = &[
    "bin", "boot", "dev", "etc", "lib", "lib32", "lib64", "proc", "sbin", "sys", "usr",
];
const EMPTIED: &[&str] = &["run", "tmp"];

fn root(host: &mut Host, at: &mut At<'_, '_>) {
    let Some(root) = at.parsed(value::parse_root) else {
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

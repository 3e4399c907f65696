//! One host of the file.

use std::ops::Range;

use super::title;
use crate::fleet::address::{EngineAddress, Via, is_private};
use crate::fleet::fields::{self, Fields};
use crate::fleet::finding::Report;
use crate::fleet::keys;
use crate::fleet::model::{Host, Images, Ports};
use crate::fleet::name::{Invalid, Name};
use crate::fleet::tree::{Entry, Node};
use crate::fleet::value;

/// Where a host says what is compared with other hosts.
pub(super) struct HostPlaces {
    pub engine: Range<usize>,
}

pub(super) fn host(
    name: Option<Name>,
    node: &Node,
    at: Range<usize>,
    report: &mut Report,
) -> Option<(Host, HostPlaces)> {
    let fields = Fields::read(node, &keys::HOST, title("host", &name), at, report);
    for key in keys::HOST.keys.iter().filter(|key| key.required) {
        fields.missing(key, report);
    }
    let engine = engine(&fields, report);
    let ports = fields
        .get("ports")
        .map_or(Some(Ports::default()), |node| ports(node, report));
    let root = match fields.get("root") {
        None => Some("/srv/ostler".to_owned()),
        Some(node) => root(node, report),
    };
    let subnet = fields
        .get("subnet")
        .map(|node| fields::parsed(node, "`subnet`", str::parse, report));
    let images = fields
        .get("images")
        .map_or_else(Images::default, |node| images(node, report));
    let places = HostPlaces {
        engine: fields.get("engine")?.span.clone(),
    };
    let subnet = match subnet {
        Some(None) => return None,
        subnet => subnet.flatten(),
    };
    let host = Host {
        name: name?,
        engine: engine?,
        ports: ports?,
        root: root?,
        subnet,
        images,
    };
    Some((host, places))
}

fn engine(fields: &Fields<'_>, report: &mut Report) -> Option<EngineAddress> {
    let node = fields.get("engine")?;
    let address = fields::parsed(node, "`engine`", str::parse::<EngineAddress>, report);
    let tls = fields.entry("tls");
    let insecure = fields.entry("insecure");
    let folder = tls.and_then(|entry| fields::text(&entry.value, "`tls`", report));
    let plain = insecure.and_then(|entry| fields::flag(&entry.value, "`insecure`", report));
    let via = fields.entry("via");
    let whose = via.and_then(|e| fields::word(&e.value, "`via`", &["openssh"], report));
    let mut address = address?;
    let mut belongs = |entry: Option<&Entry>, scheme: &str| {
        let Some(entry) = entry else { return };
        let key = entry.key.text().unwrap_or_default();
        let message = format!("`{key}` belongs to `{scheme}://` engines only");
        report
            .error(entry.key.span.clone(), message)
            .label("remove it");
    };
    let (of_tcp, of_ssh) = match &address {
        EngineAddress::Tcp { .. } => (true, false),
        EngineAddress::Ssh { .. } => (false, true),
        EngineAddress::Unix { .. } | EngineAddress::Sim { .. } => (false, false),
    };
    if !of_tcp {
        belongs(tls, "tcp");
        belongs(insecure, "tcp");
    }
    if !of_ssh {
        belongs(via, "ssh");
    }
    if let EngineAddress::Ssh { via, .. } = &mut address
        && whose.is_some()
    {
        *via = Via::OpenSsh;
    }
    let EngineAddress::Tcp { host, port, .. } = address else {
        return Some(address);
    };
    if let (Some(entry), Some(true)) = (tls, plain) {
        report
            .error(
                entry.key.span.clone(),
                "an engine is reached with `tls` or `insecure`, not both",
            )
            .label("remove one of them");
        return None;
    }
    if insecure.is_some() && plain.is_none() {
        return None;
    }
    if tls.is_none() && plain != Some(true) {
        report
            .error(node.span.clone(), format!("{} has no TLS", fields.what))
            .label("anyone who reaches this port is root on the host")
            .help("add `tls: FOLDER` with ca.pem, cert.pem and key.pem, or use ssh://; on a loopback or private address `insecure: true` allows plain TCP");
        return None;
    }
    if plain == Some(true) && !is_private(&host) {
        report
            .error(
                node.span.clone(),
                "plain TCP is for loopback and private addresses only",
            )
            .label("not a private address (names are not, save localhost)")
            .help("use `tls: FOLDER` instead of `insecure: true`, or ssh://");
        return None;
    }
    if plain == Some(true)
        && let Some(entry) = insecure
    {
        report
            .warning(
                entry.key.span.clone(),
                "whoever reaches this port is root on the host",
            )
            .help("`tls: FOLDER` or ssh:// lets in only whom you mean");
    }
    let insecure = plain.unwrap_or(false);
    let tls = match tls {
        Some(_) => Some(folder?.to_owned()),
        None => None,
    };
    Some(EngineAddress::Tcp {
        host,
        port,
        tls,
        insecure,
    })
}

fn ports(node: &Node, report: &mut Report) -> Option<Ports> {
    let at = node.span.clone();
    let fields = Fields::read(node, &keys::PORTS, "`ports`".into(), at, report);
    let mut port = |key: &str, default: u16| match fields.get(key) {
        None => Some(default),
        Some(node) => fields::count(node, &format!("`ports.{key}`"), 1, 65535, report)
            .and_then(|port| u16::try_from(port).ok()),
    };
    let default = Ports::default();
    let (http, https) = (port("http", default.http), port("https", default.https));
    let ports = Ports {
        http: http?,
        https: https?,
    };
    if ports.http == ports.https {
        report.error(node.span.clone(), format!("both ports are {}", ports.http));
        return None;
    }
    Some(ports)
}

/// Folders that belong to the system, and folders that a reboot empties.
const SYSTEM: &[&str] = &[
    "bin", "boot", "dev", "etc", "lib", "lib32", "lib64", "proc", "sbin", "sys", "usr",
];
const EMPTIED: &[&str] = &["run", "tmp"];

fn root(node: &Node, report: &mut Report) -> Option<String> {
    let root = fields::parsed(node, "`root`", value::parse_folder, report)?;
    let first = root.split('/').nth(1).unwrap_or_default();
    if SYSTEM.contains(&first) {
        report
            .error(node.span.clone(), format!("/{first} belongs to the system"))
            .label("such as /srv/ostler");
        return None;
    }
    if EMPTIED.contains(&first) {
        report
            .warning(
                node.span.clone(),
                format!("/{first} is emptied when the host starts"),
            )
            .help("the sites' files would be lost; such as /srv/ostler");
    }
    Some(root)
}

fn images(node: &Node, report: &mut Report) -> Images {
    let at = node.span.clone();
    let fields = Fields::read(node, &keys::IMAGES, "`images`".into(), at, report);
    let mut image = |key: &str, slot: &mut String| {
        let Some(node) = fields.get(key) else { return };
        let what = format!("`images.{key}`");
        let parse = |text: &str| {
            // The one placeholder there is stands for a version in the check.
            let filled = if key == "php" {
                text.replace("{php}", "8.4")
            } else {
                text.to_owned()
            };
            match filled.contains(['{', '}']) {
                true => Err(Invalid(
                    "only `images.php` knows a placeholder, and only {php}".into(),
                )),
                false => value::parse_image(&filled).map(|_| text.to_owned()),
            }
        };
        if let Some(reference) = fields::parsed(node, &what, parse, report) {
            *slot = reference;
        }
    };
    let mut images = Images::default();
    image("router", &mut images.router);
    image("toolbox", &mut images.toolbox);
    image("toolbox_base", &mut images.toolbox_base);
    image("static", &mut images.static_);
    image("php", &mut images.php);
    images
}

//! One host of the file.

use std::ops::Range;

use super::title;
use crate::fleet::address::{EngineAddress, Via, is_private};
use crate::fleet::at::NOTHING;
use crate::fleet::fields::Fields;
use crate::fleet::finding::Report;
use crate::fleet::keys;
use crate::fleet::model::Host;
use crate::fleet::name::Name;
use crate::fleet::network::Network;
use crate::fleet::tree::{Entry, Node};

/// Reads one host; beside it comes where its engine is said, which is compared with other hosts'.
pub(super) fn host(
    name: Option<Name>,
    node: &Node,
    at: Range<usize>,
    report: &mut Report,
) -> Option<(Host, Range<usize>)> {
    let fields = Fields::read(node, &keys::HOST, title("host", &name), at, report);
    fields.require(report, |_| true);
    let engine = engine(&fields, report);
    let mut host = Host::unsaid();
    for row in keys::HOST_ROWS {
        row.take(&fields, "", &NOTHING, &mut host, report);
    }
    if host.proxy_protocol
        && let Some(entry) = fields.entry("proxy_protocol")
    {
        proxy_protocol(entry, &fields, &host, report);
    }
    let place = fields.get("engine")?.span.clone();
    (host.name, host.engine) = (name?, engine?);
    Some((host, place))
}

/// What the PROXY protocol needs beside its key.
fn proxy_protocol(entry: &Entry, fields: &Fields<'_>, host: &Host, report: &mut Report) {
    let place = entry.key.span.clone();
    if fields.get("trusted_proxies").is_none() {
        report
            .error(place, "`proxy_protocol` needs `trusted_proxies`")
            .label("expected from nobody")
            .help("name the addresses whose connections begin with its header");
        return;
    }
    if host.trusted_proxies.iter().any(Network::is_loopback) {
        report
            .warning(place, "no PROXY header is expected from the host itself")
            .help("ostler's own requests come from loopback addresses; let a proxy that runs on the host connect to another address of it, and trust that one");
    }
}

fn engine(fields: &Fields<'_>, report: &mut Report) -> Option<EngineAddress> {
    let node = fields.get("engine")?;
    let (tls, insecure, via) = (
        fields.entry("tls"),
        fields.entry("insecure"),
        fields.entry("via"),
    );
    let address = fields
        .at("engine", report)?
        .parsed(str::parse::<EngineAddress>);
    let folder = fields.at("tls", report).and_then(|mut at| at.text());
    let plain = fields.at("insecure", report).and_then(|mut at| at.flag());
    let whose = fields.at("via", report).and_then(|mut at| at.word());
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

//! Where requests are led: none may come back to where it came from.

use std::collections::HashMap;
use std::net::IpAddr;
use std::ops::Range;

use indexmap::IndexMap;

use super::Places;
use crate::fleet::address::EngineAddress;
use crate::fleet::draft::Claims;
use crate::fleet::finding::Report;
use crate::fleet::model::{Host, Ports, ProxyTarget};
use crate::fleet::name::{Domain, Name};
use crate::fleet::value;

/// Steps of a circle that are shown in the file.
const SHOWN: usize = 50;

pub(super) fn across(hosts: &IndexMap<Name, Host>, places: &Places, report: &mut Report) {
    let host = |claims: &Claims| hosts.get(claims.host.as_ref()?);
    for claims in &places.sites {
        if let (Some(host), Some((to, at))) = (host(claims), &claims.to)
            && claims.routed
        {
            own_router(host, to, at, places, report);
        }
    }
    let mut steps: IndexMap<&Domain, Step<'_>> = IndexMap::new();
    for claims in places.sites.iter().filter(|claims| claims.routed) {
        let ports = host(claims).map(|host| host.ports).unwrap_or_default();
        for (from, url, at) in &claims.leads {
            let step = Step { url, at, ports };
            steps.entry(from).or_insert(step);
        }
    }
    circles(&steps, report);
}

/// Refuses a `proxy` that leads to the router in front of it.
fn own_router(
    host: &Host,
    to: &ProxyTarget,
    at: &Range<usize>,
    places: &Places,
    report: &mut Report,
) {
    let ProxyTarget::Http { host: name, port } = to else {
        return;
    };
    let Ports { http, https } = host.ports;
    if *port != http && *port != https {
        return;
    }
    let domain = domain_of(host, name, places);
    if !is_of_host(host, name) && domain.is_none() {
        return;
    }
    let message = format!(
        "`to` leads to the router of `{}`, which leads back here",
        host.name
    );
    let finding = report.error(at.clone(), message);
    finding
        .label(format!("the router listens on {http} and {https}"))
        .help("name what serves the site: container:port, or http://address:port where it listens itself");
    if let Some(at) = domain {
        finding.also(at, "a site that the same router serves");
    }
}

/// Whether a name or an address means the host itself, as far as the file can tell.
fn is_of_host(host: &Host, name: &str) -> bool {
    let engine = match &host.engine {
        EngineAddress::Tcp { host, .. } | EngineAddress::Ssh { host, .. } => Some(host),
        EngineAddress::Unix { .. } | EngineAddress::Sim { .. } => None,
    };
    if engine.is_some_and(|engine| engine.eq_ignore_ascii_case(name)) {
        return true;
    }
    let Ok(address) = name.parse::<IpAddr>() else {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        return name == "localhost" || name.ends_with(".localhost");
    };
    let gateway = host.subnet.map(|subnet| IpAddr::V4(subnet.gateway()));
    let address = address.to_canonical();
    address.is_loopback() || address.is_unspecified() || gateway == Some(address)
}

/// Where a domain that a site of the host claims is written.
fn domain_of(host: &Host, name: &str, places: &Places) -> Option<Range<usize>> {
    let wanted: Domain = name.parse().ok()?;
    let (twin, wildcard) = (wanted.www_counterpart(), wanted.wildcard());
    let on_host = |claims: &&Claims| claims.routed && claims.host.as_ref() == Some(&host.name);
    places.sites.iter().filter(on_host).find_map(|claims| {
        let mut all = claims.domains.iter().chain(&claims.redirects);
        let found = all.find(|(domain, _)| {
            let www = claims.redirect_www.is_some();
            *domain == wanted
                || wildcard.as_ref() == Some(domain)
                || (www && twin.as_ref() == Some(domain))
        });
        found.map(|(_, at)| at.clone())
    })
}

/// A redirect.
struct Step<'p> {
    url: &'p str,
    at: &'p Range<usize>,
    /// Of the router that answers with it.
    ports: Ports,
}

/// Refuses redirects that lead to each other for ever. A domain that a site serves ends the way, and
/// that of `redirect_www` leads to one.
fn circles(steps: &IndexMap<&Domain, Step<'_>>, report: &mut Report) {
    // The walk on which a domain was met first.
    let mut met: HashMap<usize, usize> = HashMap::new();
    for walk in 0..steps.len() {
        let mut at = walk;
        let met_on = loop {
            if let Some(before) = met.insert(at, walk) {
                met.insert(at, before);
                break before;
            }
            match next(steps, at) {
                Some(next) => at = next,
                None => break usize::MAX,
            }
        };
        if met_on == walk {
            circle(steps, at, report);
        }
    }
}

/// The redirect that a redirect leads to.
fn next(steps: &IndexMap<&Domain, Step<'_>>, at: usize) -> Option<usize> {
    let url = steps.get_index(at)?.1.url;
    let (domain, port) = value::redirect_host(url)?;
    let (next, _, step) = steps.get_full(&domain)?;
    // Without a port it is that of the scheme, which another one in front of the router may have.
    let usual = if url.starts_with("https:") { 443 } else { 80 };
    let led = |port| port == usual || port == step.ports.http || port == step.ports.https;
    port.is_none_or(led).then_some(next)
}

fn circle(steps: &IndexMap<&Domain, Step<'_>>, first: usize, report: &mut Report) {
    let mut around = vec![first];
    while let Some(at) = next(steps, around[around.len() - 1])
        && at != first
    {
        around.push(at);
    }
    // It is told from where the file begins it.
    let begin = (0..around.len()).min_by_key(|i| steps[around[*i]].at.start);
    around.rotate_left(begin.unwrap_or(0));
    let named = around.iter().filter_map(|at| steps.get_index(*at));
    let named: Vec<_> = named.collect();
    let Some(((domain, step), rest)) = named.split_first() else {
        return;
    };
    if rest.is_empty() {
        report
            .error(
                step.at.clone(),
                format!("`{domain}` is redirected to itself"),
            )
            .help("HTTP is redirected to HTTPS elsewhere; a redirect leads to another domain");
        return;
    }
    let names: Vec<&str> = named.iter().map(|(domain, _)| domain.as_str()).collect();
    let way = format!("{} → {domain}", names.join(" → "));
    let finding = report.error(
        step.at.clone(),
        format!("redirects lead in a circle: {way}"),
    );
    finding
        .label(format!("from `{domain}`"))
        .help("let one of them lead to a domain that a site serves");
    for (domain, step) in rest.iter().take(SHOWN) {
        finding.also(step.at.clone(), format!("on from `{domain}`"));
    }
}

#[cfg(test)]
mod tests;

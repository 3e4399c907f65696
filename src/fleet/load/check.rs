//! What has to hold between the entries of the file.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use indexmap::IndexMap;

use super::Places;
use crate::fleet::finding::Report;
use crate::fleet::model::Host;
use crate::fleet::name::{Domain, Name};

pub(super) fn across(hosts: &IndexMap<Name, Host>, places: &Places, report: &mut Report) {
    engines(hosts, places, report);
    domains(places, report);
}

/// Containers and networks are named after the fleet, so one engine can be one host only.
fn engines(hosts: &IndexMap<Name, Host>, places: &Places, report: &mut Report) {
    // As it is written: however it is reached, it is the same one.
    let mut seen: HashMap<String, &Name> = HashMap::new();
    for host in hosts.values() {
        let address = host.engine.to_string();
        let Some(first) = seen.get(&address) else {
            seen.insert(address, &host.name);
            continue;
        };
        let (Some(here), Some(there)) =
            (places.engines.get(&host.name), places.engines.get(*first))
        else {
            continue;
        };
        report
            .error(
                here.clone(),
                format!("hosts `{first}` and `{}` are the same engine", host.name),
            )
            .label("again here")
            .also(there.clone(), "first here")
            .help("one engine is one host of a fleet; give its sites `host` accordingly");
    }
}

struct Claim<'p> {
    site: usize,
    at: &'p Range<usize>,
    how: &'static str,
}

/// A domain leads to one site only, redirects and derived `www` domains included.
fn domains(places: &Places, report: &mut Report) {
    let mut claims: HashMap<Domain, Claim<'_>> = HashMap::new();
    let mut claim = |domain: &Domain, site: usize, at, how: &'static str, report: &mut Report| {
        let Some(first) = claims.get(domain) else {
            claims.insert(domain.clone(), Claim { site, at, how });
            return;
        };
        let there = &places.sites[first.site].title;
        let message = match first.site == site {
            true => format!("`{domain}` is there twice in {there}"),
            false => format!("`{domain}` belongs to {there} already"),
        };
        report
            .error(at.clone(), message)
            .label(how)
            .also(first.at.clone(), format!("first here, {}", first.how))
            .help("a domain leads to one site only: remove it from one of them");
    };
    for (i, site) in places.sites.iter().enumerate() {
        for (domain, at) in &site.domains {
            claim(domain, i, at, "as a domain", report);
        }
    }
    for (i, site) in places.sites.iter().enumerate() {
        for (domain, at) in &site.redirects {
            claim(domain, i, at, "as a redirect", report);
        }
    }
    for (i, site) in places.sites.iter().enumerate() {
        let Some(at) = &site.redirect_www else {
            continue;
        };
        let own: HashSet<&Domain> = site.domains.iter().map(|(domain, _)| domain).collect();
        for (domain, _) in &site.domains {
            let other = domain.www_counterpart();
            if let Some(other) = other.filter(|other| !own.contains(other)) {
                claim(&other, i, at, "through `redirect_www`", report);
            }
        }
    }
}

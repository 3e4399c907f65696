//! What has to hold between the entries of the file.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use indexmap::IndexMap;

use super::{Places, lead};
use crate::fleet::finding::Report;
use crate::fleet::model::{Host, Recipe, Site, SiteState};
use crate::fleet::name::{Domain, Name};
use crate::fleet::subnet::Subnet;

pub(super) fn across(
    hosts: &IndexMap<Name, Host>,
    sites: &IndexMap<Name, Site>,
    places: &Places,
    report: &mut Report,
) {
    engines(hosts, places, report);
    domains(places, report);
    lead::across(hosts, places, report);
    rooms(hosts, sites, places, report);
}

/// Each container has an address of its own.
fn rooms(
    hosts: &IndexMap<Name, Host>,
    sites: &IndexMap<Name, Site>,
    places: &Places,
    report: &mut Report,
) {
    let mut members: HashMap<&Name, usize> = HashMap::new();
    for site in sites.values() {
        let has_container = !matches!(site.recipe, Recipe::Proxy { .. });
        if has_container && site.state != SiteState::Archived {
            *members.entry(&site.host).or_default() += 1;
        }
    }
    for host in hosts.values() {
        let room = host.subnet.unwrap_or(Subnet::FIRST).room();
        let (Some(count), Some(at)) = (members.get(&host.name), places.engines.get(&host.name))
        else {
            continue;
        };
        if *count > room {
            let message = format!("host `{}` has {count} sites with a container", host.name);
            report
                .error(at.clone(), message)
                .label(format!("its network has room for {room}"))
                .help("move sites to another host, or give this one a larger `subnet`: a /21 or larger takes 1019");
        }
    }
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    fn said(text: &str) -> Vec<String> {
        let findings = crate::fleet::load(text, Path::new("f")).err();
        let errors = findings.unwrap_or_default().into_iter();
        errors.map(|finding| finding.message).collect()
    }

    #[test]
    fn a_host_has_room_for_its_sites() {
        let file = |subnet: &str, sites: usize| {
            let sites: String = (0..sites)
                .map(|i| {
                    format!("  s{i}: {{ host: a, recipe: static, domains: [s{i}.example] }}\n")
                })
                .collect();
            format!(
                "fleet: x\nhosts: {{ a: {{ engine: ssh://a, subnet: {subnet} }} }}\nsites:\n{sites}  \
                 far: {{ host: a, recipe: proxy, to: \"b:80\", domains: [far.example] }}\n"
            )
        };
        // One place more is left: a site is replaced beside itself.
        assert_eq!(said(&file("10.1.0.0/28", 4)), [""; 0]);
        assert_eq!(
            said(&file("10.1.0.0/28", 5)),
            ["host `a` has 5 sites with a container"]
        );
        assert_eq!(
            said(&file("10.1.0.0/20", 1020)),
            ["host `a` has 1020 sites with a container"]
        );
        for subnet in [
            "127.0.0.0/8",
            "0.0.0.0/8",
            "224.0.0.0/8",
            "169.254.7.0/24",
            "255.0.0.0/8",
        ] {
            assert_eq!(said(&file(subnet, 1)).len(), 1, "{subnet}");
        }
    }

    #[test]
    fn a_secret_that_names_nothing_is_not_passed_over() {
        for source in ["file: \"\"", "command: [\"\"]", "command: [\"\", x]"] {
            let text = format!(
                "fleet: x\nhosts: {{ a: {{ engine: ssh://a }} }}\nsites: {{ s: {{ host: a, recipe: static, domains: [s.example], secrets: {{ KEY: {{ {source} }} }} }} }}\n"
            );
            assert_eq!(said(&text).len(), 1, "{source}");
        }
    }
}

//! What a site asks of the router, and where a `proxy` leads.

use std::collections::{BTreeMap, HashMap};
use std::net::Ipv4Addr;

use super::index::Index;
use crate::fleet::{Domain, Fleet, Name, Ports, ProxyTarget, RedirectWww, Site};
use crate::record::route::{RouteEntry, RouteTarget};

/// Every domain of the fleet, with the site that claims it.
pub(crate) struct Claims<'a>(HashMap<&'a str, &'a Name>);

impl<'a> Claims<'a> {
    pub fn of(fleet: &'a Fleet) -> Claims<'a> {
        let mut claims = HashMap::new();
        // Only `redirect_www` asks.
        if fleet.sites.values().any(|site| site.redirect_www.is_some()) {
            for site in fleet.sites.values() {
                for domain in site.domains.iter().chain(site.redirects.keys()) {
                    claims.insert(domain.as_str(), &site.name);
                }
            }
        }
        Claims(claims)
    }
    fn by_other(&self, domain: &Domain, site: &Site) -> bool {
        self.0
            .get(domain.as_str())
            .is_some_and(|owner| **owner != site.name)
    }
}

/// The route of `site` to `target`.
pub(crate) fn entry(claims: &Claims, site: &Site, target: RouteTarget) -> RouteEntry {
    let mut redirects = site.redirects.clone();
    let mut domains = site.domains.clone();
    if let Some(way) = site.redirect_www {
        let (served, www) = redirect_www(claims, site, way);
        domains = served;
        redirects.extend(www);
    }
    RouteEntry {
        site: site.name.clone(),
        domains,
        target,
        connections: site.connections,
        timeout_s: site.timeout_s,
        redirects,
        headers: site.headers(),
    }
}

/// The domains that serve, and for each of them its twin's redirect. A twin that another site
/// claims is left to that site. `//x` keeps the scheme of the request.
fn redirect_www(
    claims: &Claims,
    site: &Site,
    way: RedirectWww,
) -> (Vec<Domain>, BTreeMap<Domain, String>) {
    let claimed = |domain: &Domain| claims.by_other(domain, site);
    let mut served: Vec<Domain> = Vec::new();
    let mut redirects = BTreeMap::new();
    for domain in &site.domains {
        let bare = domain.as_str().strip_prefix("www.");
        let www = format!("www.{}", bare.unwrap_or(domain.as_str()));
        let bare = bare.unwrap_or(domain.as_str()).to_owned();
        let (to, from) = match way {
            RedirectWww::ToWww => (www, bare),
            RedirectWww::ToBare => (bare, www),
        };
        // Too long for a name, or an address without its `www.`: served as it is.
        let (Ok(to), Ok(from)) = (to.parse::<Domain>(), from.parse::<Domain>()) else {
            served.push(domain.clone());
            continue;
        };
        if claimed(&to) || site.redirects.contains_key(&to) {
            served.push(domain.clone());
            continue;
        }
        if !claimed(&from) && !site.redirects.contains_key(&from) {
            redirects.insert(from, format!("//{to}"));
        }
        if !served.contains(&to) {
            served.push(to);
        }
    }
    (served, redirects)
}

/// Where a `proxy` leads; says what is wrong when that cannot be told, or when it leads back to the
/// router, which listens on `ports`.
pub(crate) fn proxy_target(
    to: &ProxyTarget,
    ports: Ports,
    index: &Index,
) -> Result<RouteTarget, String> {
    match to {
        ProxyTarget::Http { host, port } => Ok(match host.parse::<Ipv4Addr>() {
            Ok(ip) => RouteTarget::Address {
                ip,
                port: *port,
                https: None,
            },
            Err(_) => RouteTarget::Resolve {
                host: host.clone(),
                port: *port,
            },
        }),
        ProxyTarget::Container { name, port } => {
            let container = index
                .by_name
                .get(name.as_str())
                .ok_or_else(|| format!("there is no container {name} on this host"))?;
            if !container.is_running() {
                return Err(format!("the container {name} does not run"));
            }
            let ip = container
                .reached_at()
                .map_err(|why| format!("the container {name} {why}"))?;
            if ip.is_loopback() && [ports.http, ports.https].contains(port) {
                return Err(format!(
                    "{name}:{port} is the port of the host's own router, which would ask itself"
                ));
            }
            Ok(RouteTarget::Address {
                ip,
                port: *port,
                https: None,
            })
        }
    }
}

//! The table of routes as the router's maps: text keys and values, checked once more.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::fleet::{Domain, Name, Site, unfit_header, value};
use crate::record::route::{Proxies, RouteEntry, RouteTarget};

/// Routes by site.
pub type Table = BTreeMap<Name, RouteEntry>;

/// The router's maps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Map {
    /// Domain → site.
    Domains,
    /// Site → `KIND|ADDRESS|PORT|CONNECTIONS|PORT|SECONDS`: one value, so that a switch is one step.
    /// The second port is that of those who come by `https://`, the seconds are its timeout; both are
    /// left out where they are the usual ones.
    Routes,
    /// Domain → `keep|URL` (path and query are kept) or `to|URL`.
    Redirects,
    /// `SITE|HEADER` → what that header of its answers is, where it sets none itself.
    Headers,
    /// Network → whether what connects from there is believed: see [`Proxies`].
    Proxies,
}

impl Map {
    /// All of them. A domain comes to life when it is in the last one, so this is also the order in
    /// which entries are added; they are removed the other way round.
    pub const ALL: [Map; 5] = [
        Map::Proxies,
        Map::Routes,
        Map::Headers,
        Map::Redirects,
        Map::Domains,
    ];

    /// Its file's name without the ending.
    pub fn word(self) -> &'static str {
        match self {
            Map::Domains => "domains",
            Map::Routes => "routes",
            Map::Redirects => "redirects",
            Map::Headers => "headers",
            Map::Proxies => "proxies",
        }
    }
}

/// Contents of the maps.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Maps {
    /// See [`Map::Domains`].
    pub domains: BTreeMap<String, String>,
    /// See [`Map::Routes`].
    pub routes: BTreeMap<String, String>,
    /// See [`Map::Redirects`].
    pub redirects: BTreeMap<String, String>,
    /// See [`Map::Headers`].
    pub headers: BTreeMap<String, String>,
    /// See [`Map::Proxies`].
    pub proxies: BTreeMap<String, String>,
}

impl Maps {
    /// One of them.
    pub fn get(&self, map: Map) -> &BTreeMap<String, String> {
        match map {
            Map::Domains => &self.domains,
            Map::Routes => &self.routes,
            Map::Redirects => &self.redirects,
            Map::Headers => &self.headers,
            Map::Proxies => &self.proxies,
        }
    }

    /// The bytes of a map's file.
    pub fn file(&self, map: Map) -> Vec<u8> {
        let mut text = String::new();
        for (key, value) in self.get(map) {
            text.push_str(key);
            text.push(' ');
            text.push_str(value);
            text.push('\n');
        }
        text.into_bytes()
    }
}

/// A value that must not reach the router: names what and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// Two sites claim a domain.
    #[error("the domain {domain} is routed to both {one} and {other}; give it to one of them")]
    Claimed {
        domain: String,
        /// One site.
        one: Name,
        other: Name,
    },
    /// An entry is filed under another site's name.
    #[error("the route of {site} is filed under {under}")]
    Misfiled {
        /// The entry's site.
        site: Name,
        /// Where it was found.
        under: Name,
    },
    /// A text has a character that it must not have, or is no address.
    #[error("{what} {text:?} cannot be given to the router: {why}")]
    Text {
        /// Such as `the redirect of old.example to`.
        what: String,
        text: String,
        /// What is wrong with it.
        why: &'static str,
    },
}

/// The maps for a table, and for whom the router believes.
pub fn maps(table: &Table, proxies: &Proxies) -> Result<Maps, Unfit> {
    let mut maps = Maps::default();
    for (network, trust) in proxies {
        maps.proxies
            .insert(network.to_string(), trust.word().to_owned());
    }
    let mut owners: BTreeMap<&str, &Name> = BTreeMap::new();
    for (under, entry) in table {
        let site = &entry.site;
        if under != site {
            return Err(Unfit::Misfiled {
                site: site.clone(),
                under: under.clone(),
            });
        }
        for domain in entry.domains.iter().chain(entry.redirects.keys()) {
            let text = domain_text(domain)?;
            if let Some(other) = owners.insert(text, site)
                && other != site
            {
                return Err(Unfit::Claimed {
                    domain: text.to_owned(),
                    one: other.clone(),
                    other: site.clone(),
                });
            }
            maps.domains.insert(text.to_owned(), site.to_string());
        }
        for (domain, url) in &entry.redirects {
            let value = redirect(domain, url)?;
            maps.redirects.insert(domain.to_string(), value);
        }
        for (name, value) in &entry.headers {
            if let Some(why) = unfit_header(value) {
                return Err(unfit(format!("the header {name} of {site}"), value, why));
            }
            maps.headers.insert(format!("{site}|{name}"), value.clone());
        }
        maps.routes.insert(site.to_string(), route(entry)?);
    }
    Ok(maps)
}

/// Puts an entry into a table. Domains that it claims are taken from the entries of other sites:
/// they moved, and the other site's own change may come later.
pub fn put(table: &mut Table, entry: RouteEntry) {
    let claims = |domain: &Domain| {
        entry.domains.contains(domain) || entry.redirects.contains_key(domain.as_str())
    };
    for other in table.values_mut().filter(|e| e.site != entry.site) {
        other.domains.retain(|domain| !claims(domain));
        other.redirects.retain(|domain, _| !claims(domain));
    }
    table.insert(entry.site.clone(), entry);
}

fn unfit(what: impl Into<String>, text: &str, why: &'static str) -> Unfit {
    Unfit::Text {
        what: what.into(),
        text: text.to_owned(),
        why,
    }
}

/// A [`Domain`] is ASCII by construction, unless it came from a damaged state file. It may begin with
/// `*.`: all names with one label more that no site has as they are.
fn domain_text(domain: &Domain) -> Result<&str, Unfit> {
    routable(domain.as_str())
}

/// A host name, or `*.` and one, as it may stand in a map.
pub(super) fn routable(text: &str) -> Result<&str, Unfit> {
    match host_name(text.strip_prefix("*.").unwrap_or(text)) {
        true => Ok(text),
        false => Err(unfit("the domain", text, "it is not a plain host name")),
    }
}

fn host_name(text: &str) -> bool {
    (1..=253).contains(&text.len())
        && text
            .bytes()
            .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.'))
}

fn route(entry: &RouteEntry) -> Result<String, Unfit> {
    let connections = entry.connections;
    let mut by_https = None;
    let (kind, address, port) = match &entry.target {
        RouteTarget::Stopped => return Ok(format!("stopped|||{connections}")),
        RouteTarget::Address { ip, port, https } => {
            by_https = *https;
            ("ip", ip.to_string(), port)
        }
        RouteTarget::Resolve { host, port } => {
            let plain = host.trim_matches(['[', ']']);
            let name = host.to_ascii_lowercase();
            if let Ok(ip) = plain.parse::<IpAddr>() {
                ("ip", ip.to_string(), port)
            } else if name == "localhost" {
                // No name server is asked for it.
                ("ip", "127.0.0.1".to_owned(), port)
            } else if host_name(&name) {
                ("name", name, port)
            } else {
                let what = format!("the target of {}", entry.site);
                return Err(unfit(
                    what,
                    host,
                    "it is neither an address nor a host name",
                ));
            }
        }
    };
    let mut value = format!("{kind}|{address}|{port}|{connections}");
    let unusual = entry.timeout_s != Site::TIMEOUT_S;
    if by_https.is_some() || unusual {
        let https = by_https.map_or_else(String::new, |port| port.to_string());
        value.push_str(&format!("|{https}"));
    }
    if unusual {
        value.push_str(&format!("|{}", entry.timeout_s));
    }
    Ok(value)
}

fn redirect(domain: &Domain, url: &str) -> Result<String, Unfit> {
    let bad = |why| Err(unfit(format!("the redirect of {domain} to"), url, why));
    // Without a scheme it is the request's own.
    let schemes = ["https://", "http://", "//"];
    let Some(rest) = schemes.iter().find_map(|scheme| url.strip_prefix(scheme)) else {
        return bad("it begins with none of https://, http:// and //");
    };
    if let Some(why) = value::unfit_url(url) {
        return bad(why);
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or("");
    match rest.len() == authority.len() {
        true => Ok(format!("keep|{url}")),
        false => Ok(format!("to|{url}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::HeaderName;
    use crate::record::route::Trust;

    fn entry(site: &str, domains: &[&str]) -> RouteEntry {
        RouteEntry {
            site: site.parse().unwrap(),
            domains: domains.iter().map(|d| d.parse().unwrap()).collect(),
            target: RouteTarget::Address {
                ip: "10.90.0.10".parse().unwrap(),
                port: 8080,
                https: None,
            },
            connections: 200,
            timeout_s: Site::TIMEOUT_S,
            redirects: BTreeMap::new(),
            headers: BTreeMap::new(),
        }
    }

    fn table(entries: Vec<RouteEntry>) -> Table {
        entries.into_iter().map(|e| (e.site.clone(), e)).collect()
    }

    #[test]
    fn a_table_becomes_maps() {
        let proxies = [
            ("10.0.0.0/8", Trust::Headers),
            ("10.90.0.0/20", Trust::Site),
        ];
        let proxies = proxies
            .map(|(network, trust)| (network.parse().unwrap(), trust))
            .into();
        let mut a = entry("a", &["a.example", "www.a.example"]);
        a.redirects
            .insert("www.a.example".parse().unwrap(), "https://a.example".into());
        a.headers
            .insert(HeaderName::FrameOptions, "SAMEORIGIN".into());
        a.redirects.insert(
            "old.example".parse().unwrap(),
            "https://a.example/x?y;z".into(),
        );
        let mut b = entry("b", &["b.example"]);
        b.target = RouteTarget::Stopped;
        let mut c = entry("c", &["c.example"]);
        c.timeout_s = 7200;
        let maps = maps(&table(vec![a, b, c]), &proxies).unwrap();
        let text = |map| String::from_utf8(maps.file(map)).unwrap();
        assert_eq!(
            text(Map::Domains),
            "a.example a\nb.example b\nc.example c\nold.example a\nwww.a.example a\n"
        );
        assert_eq!(
            text(Map::Routes),
            "a ip|10.90.0.10|8080|200\nb stopped|||200\nc ip|10.90.0.10|8080|200||7200\n"
        );
        assert_eq!(
            text(Map::Redirects),
            "old.example to|https://a.example/x?y;z\nwww.a.example keep|https://a.example\n"
        );
        assert_eq!(text(Map::Headers), "a|X-Frame-Options SAMEORIGIN\n");
        assert_eq!(
            text(Map::Proxies),
            "10.0.0.0/8 headers\n10.90.0.0/20 site\n"
        );
    }

    #[test]
    fn another_port_for_https_and_another_timeout_come_last() {
        let mut it = entry("a", &["a.example"]);
        if let RouteTarget::Address { https, .. } = &mut it.target {
            *https = Some(8443);
        }
        assert_eq!(route(&it).unwrap(), "ip|10.90.0.10|8080|200|8443");
        it.timeout_s = 90;
        assert_eq!(route(&it).unwrap(), "ip|10.90.0.10|8080|200|8443|90");
    }

    #[test]
    fn targets_by_name_are_addresses_where_they_can_be() {
        let to = |host: &str| {
            let mut it = entry("a", &["a.example"]);
            it.target = RouteTarget::Resolve {
                host: host.into(),
                port: 81,
            };
            route(&it)
        };
        assert_eq!(to("10.0.0.5").unwrap(), "ip|10.0.0.5|81|200");
        assert_eq!(to("[fd00::5]").unwrap(), "ip|fd00::5|81|200");
        assert_eq!(to("LocalHost").unwrap(), "ip|127.0.0.1|81|200");
        assert_eq!(to("Shop.internal").unwrap(), "name|shop.internal|81|200");
        for bad in ["", "a b", "a|b", "a;b", "ä.example", "a\nb"] {
            assert!(to(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn redirects_that_could_break_a_header_a_map_or_a_command_are_refused() {
        let domain: Domain = "old.example".parse().unwrap();
        for bad in [
            "/new",
            "javascript:alert(1)",
            "https://",
            "https:///x",
            "///x",
            "https://user:secret@new.example/",
            "https://new.example/a b",
            "https://new.example/a\r\nSet-Cookie: x",
            "https://new.example/%[path]",
            "https://new.example/%0",
            "https://new.example/ä",
            "https://new.example/\\x",
            "https://new.example/\"x",
            "https://new.example/x|y",
            "https://new.example/<<",
        ] {
            assert!(redirect(&domain, bad).is_err(), "{bad:?}");
        }
        for (good, kind) in [
            ("https://new.example", "keep"),
            ("//new.example", "keep"),
            ("http://new.example:8080", "keep"),
            ("https://new.example/", "to"),
            ("https://new.example?a=1", "to"),
            ("https://new.example/%C3%A4,b;c#d", "to"),
        ] {
            assert_eq!(redirect(&domain, good), Ok(format!("{kind}|{good}")));
        }
    }

    #[test]
    fn a_domain_that_two_sites_claim_is_an_error() {
        let both = table(vec![entry("a", &["x.example"]), entry("b", &["x.example"])]);
        let error = maps(&both, &Proxies::new()).unwrap_err().to_string();
        assert!(error.contains("x.example") && error.contains("both a and b"));
    }

    #[test]
    fn a_domain_that_moves_leaves_its_old_site() {
        let mut all = table(vec![entry("a", &["x.example", "a.example"])]);
        put(&mut all, entry("b", &["x.example"]));
        assert_eq!(all["a"].domains, vec!["a.example".parse().unwrap()]);
        assert_eq!(
            maps(&all, &Proxies::new()).unwrap().domains["x.example"],
            "b"
        );
        put(&mut all, entry("b", &["x.example"]));
        assert_eq!(all.len(), 2);
    }
}

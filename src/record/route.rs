//! Wanted routes, as data. `host::router` makes bytes of them.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use super::layout::RUN;
use crate::fleet::{Domain, HeaderName, Host, Name, Network, Ports, Site, Subnet};

/// All that one site asks of the router.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteEntry {
    pub site: Name,
    /// Domains that reach it.
    pub domains: Vec<Domain>,
    /// Where they lead.
    pub target: RouteTarget,
    /// Connections it may hold before further ones get 503.
    pub connections: u32,
    /// Seconds it may be silent before a request to it is given up. Younger than the records of sites:
    /// where it is the usual time it is not written.
    #[serde(default = "usual_timeout", skip_serializing_if = "is_usual_timeout")]
    pub timeout_s: u32,
    /// Domain → URL it redirects to, `redirect_www` included. A URL without a path (`https://x`)
    /// keeps path and query of the request.
    pub redirects: BTreeMap<Domain, String>,
    /// Headers that its answers get where it does not set them itself; `Strict-Transport-Security` only
    /// those to visitors who came by `https://`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<HeaderName, String>,
}

fn usual_timeout() -> u32 {
    Site::TIMEOUT_S
}

fn is_usual_timeout(seconds: &u32) -> bool {
    *seconds == Site::TIMEOUT_S
}

/// Where a route leads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RouteTarget {
    /// A container's address.
    Address {
        /// IPv4.
        ip: Ipv4Addr,
        port: u16,
        /// Where visitors of `https://` are led instead: to a server that is told so by nothing else.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        https: Option<u16>,
    },
    /// A name that the router resolves itself.
    Resolve {
        /// Host name.
        host: String,
        port: u16,
    },
    /// The page that says the site is stopped.
    Stopped,
}

/// What is believed of those who connect to the router, by where they do it from. Of several the
/// narrowest holds.
pub type Proxies = BTreeMap<Network, Trust>;

/// What is believed of who connects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trust {
    /// A proxy in front: the headers in which it names the visitor.
    Headers,
    /// The same, once its connection has begun with a header of the PROXY protocol.
    Protocol,
    /// A site's container: nothing, whatever is around its network.
    Site,
}

impl Trust {
    /// As it stands in the router's map.
    pub fn word(self) -> &'static str {
        match self {
            Trust::Headers => "headers",
            Trust::Protocol => "protocol",
            Trust::Site => "site",
        }
    }
}

/// What the router's configuration depends on besides the routes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouterConfig {
    /// Ports it listens on.
    pub ports: Ports,
    /// Where the sites' containers have their addresses.
    pub sites: Subnet,
    /// By which it knows a request that it sent out itself: the same for no other router.
    #[serde(default)]
    pub mark: String,
    /// Told to the router while it runs.
    pub proxies: Proxies,
    /// Version of the configuration's text; raised when the template changes.
    pub template: u32,
}

/// Version of the text that `host::router` makes of a [`RouterConfig`]; raised whenever that text
/// changes, so that routers of an older version are replaced.
pub const TEMPLATE: u32 = 5;
/// The first of them by which the router knows ostler's own questions to sites.
pub const KNOWS_PROBES: u32 = 3;

/// Files that the router may have open. Set on its container: what the engine gives otherwise is
/// anything from 1,024 to a billion. Few engines may not give this much.
pub const OPEN_FILES: u32 = 16_384;
/// Of those, what is not for connections of visitors: listeners, the runtime socket and who uses it,
/// logs, name lookups.
const OWN_FILES: u32 = 384;
/// Connections of visitors at one time: each takes a file, and another one towards its site.
pub const CONNECTIONS: u32 = (OPEN_FILES - OWN_FILES) / 2;
/// How many of them one source may hold, and as many requests under way: one address, or an IPv6
/// network of /64. Many visitors may share one, and a proxy in front brings all of them.
pub const SHARE: u32 = CONNECTIONS / 4;
/// How many of them a network may hold, a /24 or an IPv6 network of /48.
pub const NET_SHARE: u32 = CONNECTIONS / 2;
/// What a source may hold that is a site's container, which asks other sites here and rarely at that.
pub const SITE_SHARE: u32 = 200;

/// Bytes of a request's head, its URL and all of its headers, that are taken; and how many headers.
pub const HEAD: u32 = 24 << 10;
pub const HEAD_FIELDS: u32 = 100;
/// Bytes that the router reads of a head before it gives up. What lies between is answered with 431.
pub const BUFFER: u32 = 32 << 10;
/// What a recipe's server has to take: the router adds a few headers of its own.
pub const SERVER_HEAD: u32 = BUFFER;
pub const SERVER_FIELDS: u32 = 2 * HEAD_FIELDS;

/// Capabilities the router's container gets back: ports below 1024, becoming its own user, and
/// signals from its master process, which stays root, to its workers, which do not.
pub const CAPABILITIES: [&str; 4] = ["KILL", "NET_BIND_SERVICE", "SETGID", "SETUID"];

impl RouterConfig {
    /// For these ports and a network of sites, with the text of this version of the program.
    pub fn new(ports: Ports, sites: Subnet) -> RouterConfig {
        RouterConfig {
            ports,
            sites,
            mark: String::new(),
            proxies: Proxies::from([(sites.into(), Trust::Site)]),
            template: TEMPLATE,
        }
    }

    /// What a host's file says of its router, with its mark.
    pub fn of(fleet: &Name, host: &Host, sites: Subnet) -> RouterConfig {
        let name = format!("{fleet}/{}", host.name);
        let mut config = RouterConfig {
            mark: super::spec::short_hash(name.as_bytes()),
            ..RouterConfig::new(host.ports, sites)
        };
        let trust = match host.proxy_protocol {
            true => Trust::Protocol,
            false => Trust::Headers,
        };
        let within = Network::from(sites);
        for network in &host.trusted_proxies {
            // A container is a customer's, and never a proxy.
            if !within.covers(network) {
                config.proxies.insert(*network, trust);
            }
        }
        config
    }

    /// Tells apart what the router reads at its start only; kept in `state/router.json`.
    pub fn hash(&self) -> String {
        let read = (self.ports, self.sites, &self.mark, self.template);
        super::spec::short_hash(&serde_json::to_vec(&read).unwrap_or_default())
    }
}

/// The command of the router's container, for a host whose root folder is `root`. The container
/// runs as `0:0` on the host's network with [`CAPABILITIES`]; HAProxy gives up root by itself.
///
/// What HAProxy can be given is decided at each start, by this script and not by ostler: which
/// certificates it takes, and whether it listens on IPv6. Without that the configuration would be
/// refused as a whole.
pub fn command(root: &str) -> Vec<String> {
    const START: &str = include_str!("start-router.sh");
    let config = format!("{}/router/haproxy.cfg", root.trim_end_matches('/'));
    ["sh", "-c", START, "ostler-router", &config, RUN]
        .map(str::to_owned)
        .to_vec()
}

//! Wanted routes, as data. `host::router` makes bytes of them.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use crate::fleet::{Domain, Name, Ports};

/// All that one site asks of the router.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteEntry {
    /// The site.
    pub site: Name,
    /// Domains that reach it.
    pub domains: Vec<Domain>,
    /// Where they lead.
    pub target: RouteTarget,
    /// Connections it may hold before further ones get 503.
    pub connections: u32,
    /// Domain → URL it redirects to, `redirect_www` included. A URL without a path (`https://x`)
    /// keeps path and query of the request.
    pub redirects: BTreeMap<Domain, String>,
}

/// Where a route leads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RouteTarget {
    /// A container's address.
    Address {
        /// IPv4.
        ip: Ipv4Addr,
        /// Port.
        port: u16,
    },
    /// A name that the router resolves itself.
    Resolve {
        /// Host name.
        host: String,
        /// Port.
        port: u16,
    },
    /// The page that says the site is stopped.
    Stopped,
}

/// What the router's configuration depends on besides the routes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouterConfig {
    /// Ports it listens on.
    pub ports: Ports,
    /// Version of the configuration's text; raised when the template changes.
    pub template: u32,
}

//! What a fleet file says, after `defaults` were merged and every value was checked.
//!
//! Nothing here can be wrong: names are DNS labels, domains are ASCII, every reference leads
//! somewhere. [`super::load`] is the only way in from YAML.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::address::EngineAddress;
use super::header::HeaderName;
use super::name::{Domain, Invalid, Name};
use super::network::Network;
use super::service::{Acme, Certificate, Dns, Hsts, Https, Notify, SecretSpec, headers};
use super::subnet::Subnet;
use super::value::{format_cpus, format_size, host_and_port, invalid};

/// Everything one fleet file describes. Order is the file's.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Fleet {
    /// The fleet's name: part of every container's and network's name.
    pub name: Name,
    /// Hosts by name.
    pub hosts: IndexMap<Name, Host>,
    /// Accounts by name.
    pub accounts: IndexMap<Name, Account>,
    /// Sites by name.
    pub sites: IndexMap<Name, Site>,
    /// Where certificates come from; none: the file does not say, and none is obtained.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acme: Option<Acme>,
    /// Zones in which names are proved by records; [`Dns::of`] finds that of a name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dns: Vec<Dns>,
    /// Who is told of alerts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notify: Vec<Notify>,
}

impl Fleet {
    /// That nothing is said of certificates, where a site would have one; with what to write.
    pub fn acme_unsaid(&self) -> Option<&'static str> {
        let mut sites = self.sites.values();
        let wants = sites.any(Site::obtains);
        (self.acme.is_none() && wants).then_some(
            "no certificates are obtained: the file does not say `acme`; `acme: { terms: agreed }` obtains them \
             from Let's Encrypt, to whose terms you then agree, and `acme: off` none",
        )
    }

    /// The sites that live on `host`, in the file's order.
    pub fn sites_on<'a>(&'a self, host: &'a Name) -> impl Iterator<Item = &'a Site> + 'a {
        self.sites.values().filter(move |s| &s.host == host)
    }
}

/// One Docker Engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Host {
    /// The key in the file.
    pub name: Name,
    /// How the engine is reached.
    pub engine: EngineAddress,
    /// Ports the router listens on.
    pub ports: Ports,
    /// Proxies in front of the router: what they say of the visitor is believed.
    pub trusted_proxies: Vec<Network>,
    /// Connections from them begin with a header of the PROXY protocol.
    pub proxy_protocol: bool,
    /// The folder on the host below which everything is kept, absolute. Default `/srv/ostler`.
    pub root: String,
    /// The sites' network, when the operator chose it; else the first free /20.
    pub subnet: Option<Subnet>,
    /// What sites are kept from.
    pub isolate: Isolate,
    /// Images by role or recipe, where they differ from the defaults.
    pub images: Images,
}

impl Host {
    /// Where everything is kept unless the file says otherwise.
    pub const ROOT: &str = "/srv/ostler";

    /// A host of which nothing is said yet: no name, no engine.
    pub(super) fn unsaid() -> Self {
        Host {
            name: Name::default(),
            engine: EngineAddress::Unix {
                path: String::new(),
            },
            ports: Ports::default(),
            trusted_proxies: Vec::new(),
            proxy_protocol: false,
            root: Host::ROOT.into(),
            subnet: None,
            isolate: Isolate::default(),
            images: Images::default(),
        }
    }

    /// Whether another description is of the same place: the same engine and the same folder.
    pub fn is_where(&self, other: &Host) -> bool {
        self.engine == other.engine && self.root == other.root
    }
}

/// What the sites of a host are kept from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Isolate {
    /// From each other.
    #[default]
    Sites,
    /// From the host's own services and the cloud's metadata address as well.
    Strict,
}

/// The router's ports on the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ports {
    /// Plain HTTP. Default 80.
    pub http: u16,
    /// TLS. Default 443.
    pub https: u16,
}

impl Default for Ports {
    fn default() -> Self {
        Ports {
            http: 80,
            https: 443,
        }
    }
}

/// Image references by what they are used for (`images:`), defaults filled in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Images {
    /// Default `haproxy:3.0`.
    pub router: String,
    /// Default `ostler/toolbox:1`, built on the host when the host lacks it.
    pub toolbox: String,
    /// What toolbox and guard are built from. Default `debian:trixie-slim`.
    pub toolbox_base: String,
    /// Default `ostler/guard:1`, built on the host when the host lacks it.
    pub guard: String,
    /// For the recipe `static`. Default `nginx:1.28`.
    #[serde(rename = "static")]
    pub static_: String,
    /// For the recipe `php`; `{php}` stands for the site's version. Default `php:{php}-apache`.
    pub php: String,
}

impl Default for Images {
    fn default() -> Self {
        Images {
            router: "haproxy:3.0".into(),
            toolbox: "ostler/toolbox:1".into(),
            toolbox_base: "debian:trixie-slim".into(),
            guard: "ostler/guard:1".into(),
            static_: "nginx:1.28".into(),
            php: "php:{php}-apache".into(),
        }
    }
}

/// A customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Account {
    /// The key in the file.
    pub name: Name,
    /// Where the customer is reached.
    pub email: Option<String>,
    /// Where the certificates of its sites come from that say nothing themselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Certificate>,
}

/// One web site, `defaults` merged in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Site {
    /// The key in the file; also login name and folder.
    pub name: Name,
    /// The customer it belongs to.
    pub account: Option<Name>,
    /// Where it runs.
    pub host: Name,
    /// How it is built and run.
    pub recipe: Recipe,
    /// The domains it answers for, at least one.
    pub domains: Vec<Domain>,
    /// What it may use.
    pub limits: Limits,
    /// Connections it may hold open at the router before further ones get 503. Default 200.
    pub connections: u32,
    /// Seconds it may be silent before a request to it is given up. Default 60.
    pub timeout_s: u32,
    /// Hand out the source of programs as text.
    pub serve_source: bool,
    /// Environment: for what may be seen.
    pub env: BTreeMap<String, String>,
    /// Secrets by file name under `/run/secrets`.
    pub secrets: BTreeMap<String, SecretSpec>,
    /// How readiness is asked.
    pub health: Health,
    /// Answer `www.x` with a redirect to `x`, or the other way round.
    pub redirect_www: Option<RedirectWww>,
    /// Domains answered with a redirect to a URL (path and query are kept when the URL has no path).
    pub redirects: BTreeMap<Domain, String>,
    /// Where its certificate comes from, as it says itself, or its account, or `defaults`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Certificate>,
    /// How `https://` is served, where it is said: [`Site::https`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub https: Option<Https>,
    /// For how long browsers ask it by `https://` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hsts: Option<Hsts>,
    /// Headers that its answers get where it does not set them itself; none: what is usual. What is
    /// said of `hsts` comes to it: [`Site::headers`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub headers: Option<BTreeMap<HeaderName, String>>,
    /// What should be.
    pub state: SiteState,
}

impl Site {
    /// Open connections of a site that says nothing else.
    pub const CONNECTIONS: u32 = 200;
    /// Seconds that a site may be silent that says nothing else.
    pub const TIMEOUT_S: u32 = 60;

    /// A site of which nothing is said yet: no name, no host, no domains.
    pub(crate) fn unsaid() -> Self {
        Site {
            name: Name::default(),
            account: None,
            host: Name::default(),
            recipe: Recipe::Static,
            domains: Vec::new(),
            limits: Limits::default(),
            connections: Site::CONNECTIONS,
            timeout_s: Site::TIMEOUT_S,
            serve_source: false,
            env: BTreeMap::new(),
            secrets: BTreeMap::new(),
            health: Health::default(),
            redirect_www: None,
            redirects: BTreeMap::new(),
            certificate: None,
            https: None,
            hsts: None,
            headers: None,
            state: SiteState::default(),
        }
    }

    /// A domain by which it is asked: the first that is no wildcard, if there is one.
    pub fn asked(&self) -> Option<Domain> {
        let exact = self.domains.iter().find(|domain| !domain.is_wildcard());
        exact.or(self.domains.first()).map(Domain::asked)
    }

    /// Where its certificate comes from.
    pub fn certificate(&self) -> &Certificate {
        self.certificate.as_ref().unwrap_or(&Certificate::Auto)
    }

    /// Whether its certificate is to be had from the fleet's authority.
    pub fn obtains(&self) -> bool {
        let from_there = matches!(self.certificate(), Certificate::Auto | Certificate::Partial);
        from_there && self.https() != Https::Off && self.state != SiteState::Archived
    }

    /// Headers that its answers get where it does not set them itself, what browsers are told of
    /// `https://` among them.
    pub fn headers(&self) -> BTreeMap<HeaderName, String> {
        let mut all = self.headers.clone().unwrap_or_else(headers::usual);
        if let Some(hsts) = self.hsts.filter(|_| self.https() != Https::Off) {
            all.insert(HeaderName::StrictTransportSecurity, hsts.header());
        }
        all
    }

    /// How `https://` is served: what a `proxy` leads to may itself answer one or the other.
    pub fn https(&self) -> Https {
        let usual = match self.recipe {
            Recipe::Proxy { .. } => Https::Both,
            _ => Https::Redirect,
        };
        self.https.unwrap_or(usual)
    }
}

/// How a site of one kind is built and run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "recipe")]
pub enum Recipe {
    /// Files, served as they are.
    Static,
    /// Apache with PHP.
    Php {
        /// Version, such as `8.4`.
        php: String,
        /// php.ini directives.
        ini: BTreeMap<String, String>,
    },
    /// A route to something ostler does not own.
    Proxy {
        /// Where requests go.
        to: ProxyTarget,
    },
    /// Any image that serves HTTP on one port.
    Image {
        /// Image reference.
        image: String,
        /// The port it listens on.
        port: u16,
        /// The image insists on root: run it as such (marked in plans).
        root: bool,
        /// Where in the container the site's `www` is mounted, if anywhere.
        mount: Option<String>,
    },
}

impl Recipe {
    /// The word in the file.
    pub fn word(&self) -> &'static str {
        match self {
            Recipe::Static => "static",
            Recipe::Php { .. } => "php",
            Recipe::Proxy { .. } => "proxy",
            Recipe::Image { .. } => "image",
        }
    }

    /// The recipe of a word, with what belongs to it not said yet.
    pub(super) fn unsaid(word: &str) -> Self {
        match word {
            "php" => Recipe::Php {
                php: "8.4".into(),
                ini: BTreeMap::new(),
            },
            "proxy" => Recipe::Proxy {
                to: ProxyTarget::Container {
                    name: String::new(),
                    port: 0,
                },
            },
            "image" => Recipe::Image {
                image: String::new(),
                port: 0,
                root: false,
                mount: None,
            },
            _ => Recipe::Static,
        }
    }
}

/// Where a `proxy` site's requests go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProxyTarget {
    /// `to: name:8080`, a container on the same host.
    Container { name: String, port: u16 },
    /// `to: http://10.0.0.5:8080`.
    Http {
        /// Name or address.
        host: String,
        /// Port, default 80.
        port: u16,
    },
}

impl fmt::Display for ProxyTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Container { name, port } => write!(f, "{name}:{port}"),
            Self::Http { host, port } if host.contains(':') => write!(f, "http://[{host}]:{port}"),
            Self::Http { host, port } => write!(f, "http://{host}:{port}"),
        }
    }
}

impl FromStr for ProxyTarget {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        const FORMS: &str = "write container:port, or http://address:port";
        if let Some(rest) = text.strip_prefix("http://") {
            let authority = rest.strip_suffix('/').unwrap_or(rest);
            if authority.contains(['/', '?', '#']) {
                return invalid("requests keep their own path; write the address only");
            }
            let (host, port) = host_and_port(authority)?;
            return Ok(ProxyTarget::Http {
                host: host.to_owned(),
                port: port.unwrap_or(80),
            });
        }
        if text.starts_with("https://") {
            return invalid("the router speaks plain HTTP to sites; write http://…");
        }
        let Some((name, port)) = text.rsplit_once(':') else {
            return invalid(FORMS);
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
        if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) || !name.chars().all(plain) {
            return invalid(format!("{name:?} is not the name of a container; {FORMS}"));
        }
        match port.parse::<u16>() {
            Ok(port) if port > 0 => Ok(ProxyTarget::Container {
                name: name.to_owned(),
                port,
            }),
            _ => invalid(format!("{port:?} is not a port (1 to 65535)")),
        }
    }
}

/// What a site may use. `None`: no limit of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes; swap is not given on top.
    pub memory: Option<u64>,
    /// Billionths of a CPU.
    pub nano_cpus: Option<u64>,
    /// Processes and threads.
    pub pids: Option<u32>,
}

impl Limits {
    /// Of a container that says nothing else: everything ostler creates has a limit.
    pub const USUAL: Limits = Limits {
        memory: Some(256 << 20),
        nano_cpus: None,
        pids: Some(256),
    };

    /// Each limit under its key, as the file writes it; `None` where there is none.
    pub fn each(&self) -> [(&'static str, Option<String>); 3] {
        [
            ("memory", self.memory.map(format_size)),
            ("cpus", self.nano_cpus.map(format_cpus)),
            ("pids", self.pids.map(|count| count.to_string())),
        ]
    }
}

/// How a site is asked whether it is ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// Path requested. Default `/`.
    pub path: String,
    /// Seconds until a site that never answered counts as failed. Default 60.
    pub timeout_s: u32,
    /// A command run by Docker inside the container, where the site asked for one.
    pub command: Option<Vec<String>>,
}

impl Default for Health {
    fn default() -> Self {
        Health {
            path: "/".into(),
            timeout_s: 60,
            command: None,
        }
    }
}

/// `redirect_www: to-www | to-bare`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RedirectWww {
    /// `x` → `www.x`
    ToWww,
    /// `www.x` → `x`
    ToBare,
}

impl RedirectWww {
    /// The word in the file.
    pub fn word(self) -> &'static str {
        match self {
            RedirectWww::ToWww => "to-www",
            RedirectWww::ToBare => "to-bare",
        }
    }
}

/// What a site should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SiteState {
    /// Container up, domains routed.
    #[default]
    Running,
    /// Container stopped and kept, domains answered with a plain page.
    Stopped,
    /// Container and routes gone; files, uid and state stay.
    Archived,
}

impl SiteState {
    /// The word in the file.
    pub fn word(self) -> &'static str {
        match self {
            SiteState::Running => "running",
            SiteState::Stopped => "stopped",
            SiteState::Archived => "archived",
        }
    }
}

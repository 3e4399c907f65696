//! What a fleet file says, after `defaults` were merged and every value was checked.
//!
//! Nothing here can be wrong: names are DNS labels, domains are ASCII, every reference leads
//! somewhere. [`super::load`] is the only way in from YAML.

use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

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
}

impl Fleet {
    /// The sites that live on `host`, in the file's order.
    pub fn sites_on<'a>(&'a self, host: &'a Name) -> impl Iterator<Item = &'a Site> + 'a {
        self.sites.values().filter(move |s| &s.host == host)
    }
}

/// A DNS label: 1 to 63 of `a-z 0-9 -`, no hyphen at either end (RFC 1123).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

/// Why a text is not a [`Name`], a [`Domain`], a size, …: says what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(pub String);

impl Name {
    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let bad = |why: &str| {
            Err(Invalid(format!(
                "{why}; a name is 1 to 63 of a-z, 0-9 and -"
            )))
        };
        if text.is_empty() {
            return bad("it is empty");
        }
        if text.len() > 63 {
            return bad("it is longer than 63 characters");
        }
        if text.starts_with('-') || text.ends_with('-') {
            return bad("it begins or ends with a hyphen");
        }
        match text
            .chars()
            .find(|c| !matches!(c, 'a'..='z' | '0'..='9' | '-'))
        {
            Some(c) if c.is_ascii_uppercase() => bad("it has an upper-case letter"),
            Some(c) => bad(&format!("it has the character {c:?}")),
            None => Ok(Name(text.to_owned())),
        }
    }
}

/// A domain name in ASCII (IDNA A-labels), lower case, without a trailing dot.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Domain(String);

impl Domain {
    /// The ASCII text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Domain {
    /// `www.x` for `x`, and `x` for `www.x`; `None` where that would be no domain.
    pub fn www_counterpart(&self) -> Option<Domain> {
        match self.0.strip_prefix("www.") {
            Some(bare) => bare.parse().ok(),
            None => format!("www.{}", self.0).parse().ok(),
        }
    }
}

impl FromStr for Domain {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let text = text.trim_end_matches('.');
        let ascii = idna::domain_to_ascii_strict(text)
            .map_err(|_| Invalid("it is not a domain name such as blog.example.net".into()))?;
        if ascii.is_empty() || ascii.len() > 253 {
            return Err(Invalid("a domain has 1 to 253 characters".into()));
        }
        for label in ascii.split('.') {
            let inner = label
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
            if label.is_empty() || label.len() > 63 || !inner {
                return Err(Invalid(format!("the part {label:?} is not a DNS label")));
            }
        }
        if ascii.parse::<Ipv4Addr>().is_ok() {
            return Err(Invalid("it is an address, not a domain name".into()));
        }
        Ok(Domain(ascii))
    }
}

macro_rules! text_type {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
        impl TryFrom<String> for $name {
            type Error = Invalid;
            fn try_from(text: String) -> Result<Self, Invalid> {
                text.parse()
            }
        }
        impl From<$name> for String {
            fn from(it: $name) -> String {
                it.0
            }
        }
        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    )*};
}
text_type!(Name, Domain);

/// One Docker Engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Host {
    /// The key in the file.
    pub name: Name,
    /// How the engine is reached.
    pub engine: EngineAddress,
    /// Ports the router listens on.
    pub ports: Ports,
    /// The folder on the host below which everything is kept, absolute. Default `/srv/ostler`.
    pub root: String,
    /// The sites' network, when the operator chose it; else the first free /20.
    pub subnet: Option<Subnet>,
    /// Images by role or recipe, where they differ from the defaults.
    pub images: Images,
}

impl Host {
    /// Whether another description is of the same place: the same engine and the same folder.
    pub fn is_where(&self, other: &Host) -> bool {
        self.engine == other.engine && self.root == other.root
    }
}

/// Where an engine listens.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "transport")]
pub enum EngineAddress {
    /// `unix:///var/run/docker.sock`
    Unix {
        /// Absolute path of the socket.
        path: String,
    },
    /// `tcp://host:port`, with mutual TLS unless `insecure`.
    Tcp {
        /// Name or address.
        host: String,
        /// Port, default 2376.
        port: u16,
        /// Folder with `ca.pem`, `cert.pem`, `key.pem`.
        tls: Option<String>,
        /// Plain TCP, allowed on loopback and private addresses only.
        insecure: bool,
    },
    /// `ssh://user@host:port/path/to/docker.sock`; everything but the host may be absent.
    Ssh {
        /// Login name.
        user: Option<String>,
        /// Name, address, or alias of ssh_config.
        host: String,
        /// Port.
        port: Option<u16>,
        /// Socket on the host when not the default.
        socket: Option<String>,
        /// Whose SSH it is.
        #[serde(default, skip_serializing_if = "Via::is_native")]
        via: Via,
    },
    /// The simulated engine of `ostler demo`; never written in a file.
    Sim {
        /// Which of the simulated hosts.
        host: String,
    },
}

/// Whose SSH leads to a host.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Via {
    /// ostler's own: one connection, nothing else running.
    #[default]
    Native,
    /// The system's `ssh`, for what ostler's own cannot do: `via: openssh`.
    OpenSsh,
}

impl Via {
    fn is_native(&self) -> bool {
        *self == Via::Native
    }
}

impl fmt::Display for EngineAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix { path } => write!(f, "unix://{path}"),
            Self::Tcp { host, port, .. } if host.contains(':') => {
                write!(f, "tcp://[{host}]:{port}")
            }
            Self::Tcp { host, port, .. } => write!(f, "tcp://{host}:{port}"),
            Self::Ssh {
                user,
                host,
                port,
                socket,
                ..
            } => {
                write!(f, "ssh://")?;
                if let Some(user) = user {
                    write!(f, "{user}@")?;
                }
                match host.contains(':') {
                    true => write!(f, "[{host}]")?,
                    false => write!(f, "{host}")?,
                }
                if let Some(port) = port {
                    write!(f, ":{port}")?;
                }
                write!(f, "{}", socket.as_deref().unwrap_or(""))
            }
            Self::Sim { host } => write!(f, "sim://{host}"),
        }
    }
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

/// An IPv4 network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Subnet {
    /// The network address (host bits are zero).
    pub base: Ipv4Addr,
    /// Prefix length, 8 to 28.
    pub prefix: u8,
}

impl Subnet {
    /// The address `n` above the base; `None` outside the network (broadcast included).
    pub fn address(&self, n: u32) -> Option<Ipv4Addr> {
        let size = 1u32 << (32 - u32::from(self.prefix));
        (n > 0 && n + 1 < size).then(|| Ipv4Addr::from(u32::from(self.base) + n))
    }
    /// The gateway: the first address.
    pub fn gateway(&self) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(self.base) + 1)
    }
    /// Whether `ip` lies in it.
    pub fn contains(&self, ip: Ipv4Addr) -> bool {
        u32::from(ip) >> (32 - self.prefix) == u32::from(self.base) >> (32 - self.prefix)
    }
    /// Whether the two share an address.
    pub fn overlaps(&self, other: &Subnet) -> bool {
        let prefix = self.prefix.min(other.prefix);
        u32::from(self.base) >> (32 - prefix) == u32::from(other.base) >> (32 - prefix)
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.prefix)
    }
}

impl FromStr for Subnet {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let bad = || Invalid("a subnet is written like 10.90.0.0/20 (prefix 8 to 28)".into());
        let (base, prefix) = text.split_once('/').ok_or_else(bad)?;
        let base: Ipv4Addr = base.parse().map_err(|_| bad())?;
        let prefix: u8 = prefix.parse().map_err(|_| bad())?;
        if !(8..=28).contains(&prefix) {
            return Err(bad());
        }
        let mask = u32::MAX << (32 - u32::from(prefix));
        if u32::from(base) & !mask != 0 {
            let right = Ipv4Addr::from(u32::from(base) & mask);
            return Err(Invalid(format!(
                "host bits are set; the network is {right}/{prefix}"
            )));
        }
        Ok(Subnet { base, prefix })
    }
}

impl TryFrom<String> for Subnet {
    type Error = Invalid;
    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}
impl From<Subnet> for String {
    fn from(it: Subnet) -> String {
        it.to_string()
    }
}

/// Image references by what they are used for (`images:`), defaults filled in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Images {
    /// Default `haproxy:3.0`.
    pub router: String,
    /// Default `ostler/toolbox:1`, built on the host when the host lacks it.
    pub toolbox: String,
    /// What the toolbox is built from. Default `debian:trixie-slim`.
    pub toolbox_base: String,
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
    /// What should be.
    pub state: SiteState,
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
}

/// Where a `proxy` site's requests go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProxyTarget {
    /// `to: name:8080`, a container on the same host.
    Container {
        /// Its name.
        name: String,
        /// Its port.
        port: u16,
    },
    /// `to: http://10.0.0.5:8080`.
    Http {
        /// Name or address.
        host: String,
        /// Port, default 80.
        port: u16,
    },
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

/// Where the bytes of a secret come from, on the operator's machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretSpec {
    /// Content of a file; relative paths start at the fleet file's folder.
    File(String),
    /// Standard output of a command (program and arguments, no shell), final newline removed.
    Command(Vec<String>),
    /// Stays as it is on the host and is never read here. No file can say it: it takes the place of
    /// a source that is not known to be the operator's own.
    #[serde(skip_deserializing)]
    Kept,
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

//! Where an engine listens, and how that is written.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::name::Invalid;
use super::nearest;
use super::value::{host_and_port, invalid};

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

impl FromStr for EngineAddress {
    type Err = Invalid;

    /// Reads `unix:///path`, `tcp://host:port` and `ssh://user@host:port/path`. TLS is said beside
    /// the address in a fleet file, so `tcp://` comes back with neither `tls` nor `insecure`, and `ssh://` without `via`.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        const FORMS: &str =
            "an engine is unix:///var/run/docker.sock, ssh://user@host or tcp://host:2376";
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return invalid(format!("it has a blank in it; {FORMS}"));
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            return match text.starts_with('/') {
                true => invalid(format!("write unix://{text}")),
                false => invalid(FORMS),
            };
        };
        match scheme {
            "unix" if rest.starts_with('/') && rest.len() > 1 => Ok(EngineAddress::Unix {
                path: rest.to_owned(),
            }),
            "unix" => invalid("the socket's path is absolute: unix:///var/run/docker.sock"),
            "tcp" => {
                let (host, port) = host_and_port(rest.trim_end_matches('/'))?;
                let port = port.unwrap_or(2376);
                Ok(EngineAddress::Tcp {
                    host: host.to_owned(),
                    port,
                    tls: None,
                    insecure: false,
                })
            }
            "ssh" => ssh(rest),
            "http" | "https" => {
                invalid(format!("write tcp://{rest}, with `tls: FOLDER` beside it"))
            }
            "npipe" => invalid("Windows engines are not served; ostler talks to Linux hosts"),
            other => {
                let near = nearest(other, ["unix", "tcp", "ssh"]);
                invalid(near.map_or(FORMS.into(), |near| {
                    format!("did you mean {near}://{rest}?")
                }))
            }
        }
    }
}

fn ssh(rest: &str) -> Result<EngineAddress, Invalid> {
    let (authority, path) = match rest.find('/') {
        Some(slash) => (&rest[..slash], Some(&rest[slash..])),
        None => (rest, None),
    };
    let (user, machine) = match authority.rsplit_once('@') {
        Some((user, machine)) => (Some(user), machine),
        None => (None, authority),
    };
    if let Some(user) = user {
        if user.contains(':') {
            return invalid("a password does not belong here; use a key or the agent");
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-\\@+".contains(c);
        if user.is_empty() || user.starts_with('-') || !user.chars().all(plain) {
            return invalid(format!("{user:?} is not a login name"));
        }
    }
    let (host, port) = host_and_port(machine)?;
    Ok(EngineAddress::Ssh {
        user: user.map(str::to_owned),
        host: host.to_owned(),
        port,
        socket: path.filter(|p| *p != "/").map(str::to_owned),
        via: Via::default(),
    })
}

/// Whether plain TCP may be spoken to this host: loopback and private addresses only.
pub fn is_private(host: &str) -> bool {
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(ip)) => {
            let shared = Ipv4Addr::new(100, 64, 0, 0).to_bits() >> 22 == ip.to_bits() >> 22;
            ip.is_loopback() || ip.is_private() || ip.is_link_local() || shared
        }
        Ok(IpAddr::V6(ip)) => {
            ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local()
        }
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}

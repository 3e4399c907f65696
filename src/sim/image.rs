//! The images that a simulated engine has, and those that its registry has.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::program::Server;
use super::random;

#[derive(Debug, Clone, PartialEq)]
pub struct Image {
    /// With `sha256:`.
    pub id: String,
    /// `php:8.4-apache`; empty when nothing names it any more.
    pub tags: Vec<String>,
    /// Unix seconds.
    pub created: i64,
    /// Bytes.
    pub size: i64,
    pub labels: BTreeMap<String, String>,
    /// Entry point.
    pub entrypoint: Vec<String>,
    /// Command.
    pub cmd: Vec<String>,
    /// Environment.
    pub env: Vec<String>,
    /// Port it says it serves.
    pub port: Option<u16>,
    /// Signal that stops it, where it is not SIGTERM.
    pub stop_signal: Option<String>,
    /// User, where it is not root.
    pub user: String,
    /// What its own entry point and command run.
    pub server: Option<Server>,
}

impl Image {
    /// An image of that name, of a size that follows from it.
    pub fn new(tag: &str, seed: u64, server: Option<Server>) -> Self {
        let port = match server {
            Some(Server::Apache | Server::Nginx) => Some(80),
            Some(Server::Web) => Some(8080),
            _ => None,
        };
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let (entrypoint, cmd): (Vec<String>, Vec<String>) = match server {
            Some(Server::Apache) => (
                words(&["docker-php-entrypoint"]),
                words(&["apache2-foreground"]),
            ),
            Some(Server::Nginx) => (
                words(&["/docker-entrypoint.sh"]),
                words(&["nginx", "-g", "daemon off;"]),
            ),
            Some(Server::Router) => (
                words(&["docker-entrypoint.sh"]),
                words(&["haproxy", "-f", "/usr/local/etc/haproxy/haproxy.cfg"]),
            ),
            Some(Server::Web | Server::Quiet) => (Vec::new(), words(&["serve"])),
            None => (Vec::new(), words(&["bash"])),
        };
        Image {
            id: format!("sha256:{}", random::id(seed, tag, 0)),
            tags: vec![tag.to_owned()],
            created: 1_790_000_000,
            size: 60_000_000 + (random::number(seed, tag, 1) % 300_000_000) as i64,
            labels: BTreeMap::new(),
            entrypoint,
            cmd,
            env: vec![
                "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned(),
            ],
            port,
            stop_signal: match server {
                Some(Server::Apache) => Some("SIGWINCH".to_owned()),
                Some(Server::Nginx) => Some("SIGQUIT".to_owned()),
                Some(Server::Router) => Some("SIGUSR1".to_owned()),
                _ => None,
            },
            user: if server == Some(Server::Router) {
                "haproxy".to_owned()
            } else {
                String::new()
            },
            server,
        }
    }

    /// A row of the list of images.
    pub fn row(&self) -> Value {
        json!({
            "Containers": -1,
            "Created": self.created,
            "Id": self.id,
            "Labels": self.labels,
            "ParentId": "",
            "RepoDigests": null,
            "RepoTags": self.tags,
            "SharedSize": -1,
            "Size": self.size,
            "VirtualSize": self.size,
        })
    }

    /// The answer to an inspect.
    pub fn detail(&self) -> Value {
        let exposed: BTreeMap<String, Value> = self
            .port
            .iter()
            .map(|port| (format!("{port}/tcp"), json!({})))
            .collect();
        json!({
            "Id": self.id,
            "RepoTags": self.tags,
            "RepoDigests": [],
            "Parent": "",
            "Comment": "",
            "Created": super::clock::rfc3339(self.created * super::clock::SECOND),
            "DockerVersion": "",
            "Author": "",
            "Config": {
                "User": self.user,
                "ExposedPorts": exposed,
                "Env": self.env,
                "Entrypoint": if self.entrypoint.is_empty() { Value::Null } else { json!(self.entrypoint) },
                "Cmd": self.cmd,
                "Labels": self.labels,
                "StopSignal": self.stop_signal,
            },
            "Architecture": "amd64",
            "Os": "linux",
            "Size": self.size,
            "RootFS": { "Type": "layers", "Layers": [self.id] },
        })
    }

    /// Whether a name, a name without its `latest`, or the beginning of an id means this image.
    pub fn is(&self, name: &str) -> bool {
        let full = with_tag(name);
        if self.tags.contains(&full) {
            return true;
        }
        let hex = name.strip_prefix("sha256:").unwrap_or(name);
        hex.len() >= 4 && self.id["sha256:".len()..].starts_with(hex)
    }
}

/// A name with its tag.
pub fn with_tag(name: &str) -> String {
    match name.rsplit_once(':') {
        Some((_, tag)) if !tag.contains('/') => name.to_owned(),
        _ => format!("{name}:latest"),
    }
}

/// What every simulated engine has at first.
pub fn local(seed: u64) -> Vec<Image> {
    [
        ("debian:trixie-slim", None),
        ("php:8.4-apache", Some(Server::Apache)),
        ("nginx:1.28", Some(Server::Nginx)),
        ("haproxy:3.0", Some(Server::Router)),
        ("ostler-test/web:1", Some(Server::Web)),
    ]
    .into_iter()
    .map(|(tag, server)| Image::new(tag, seed, server))
    .collect()
}

/// What can be pulled besides.
pub fn registry(seed: u64) -> Vec<Image> {
    let mut images = local(seed);
    for version in ["8.1", "8.2", "8.3", "8.5"] {
        images.push(Image::new(
            &format!("php:{version}-apache"),
            seed,
            Some(Server::Apache),
        ));
    }
    for (tag, server) in [
        ("nginx:1.29", Some(Server::Nginx)),
        ("nginx:latest", Some(Server::Nginx)),
        ("haproxy:3.2", Some(Server::Router)),
        ("httpd:2.4", Some(Server::Apache)),
        ("wordpress:6", Some(Server::Apache)),
        ("mariadb:11", Some(Server::Quiet)),
        ("redis:8", Some(Server::Quiet)),
        ("debian:stable-slim", None),
        ("debian:bookworm-slim", None),
        ("alpine:3", None),
        ("traefik/whoami:latest", Some(Server::Web)),
        ("nginxproxy/nginx-proxy:latest", Some(Server::Nginx)),
    ] {
        images.push(Image::new(tag, seed, server));
    }
    images
}

//! Docker's contexts: engines that the operator gave names to with `docker context create`.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::cli::Failure;
use crate::file;

/// Docker's own configuration: `$DOCKER_CONFIG`, else `~/.docker`.
#[derive(Debug, Clone)]
pub struct Docker {
    pub folder: PathBuf,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DockerContext {
    pub name: String,
    /// Address of the engine, as Docker writes it; empty: the machine's own.
    pub host: String,
    /// Folder with ca.pem, cert.pem and key.pem, where there is any of them.
    pub tls: Option<PathBuf>,
    /// Docker would believe any certificate.
    pub skips_verification: bool,
}

#[derive(Deserialize)]
struct Meta {
    #[serde(rename = "Name")]
    name: String,
    #[serde(rename = "Endpoints", default)]
    endpoints: Endpoints,
}

#[derive(Deserialize, Default)]
struct Endpoints {
    docker: Option<Endpoint>,
}

#[derive(Deserialize)]
struct Endpoint {
    #[serde(rename = "Host", default)]
    host: String,
    #[serde(rename = "SkipTLSVerify", default)]
    skip: bool,
}

#[derive(Deserialize)]
struct Config {
    #[serde(rename = "currentContext", default)]
    current: String,
}

impl Docker {
    /// Whether Docker would take this for a context's name.
    pub fn is_name(text: &str) -> bool {
        let plain = |c: char| c.is_ascii_alphanumeric() || "_.+-".contains(c);
        text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.chars().all(plain)
    }

    /// A context by name; `None` when there is none of that name.
    pub fn context(&self, name: &str) -> Result<Option<DockerContext>, Failure> {
        let id = id(name);
        let path = self
            .folder
            .join("contexts/meta")
            .join(&id)
            .join("meta.json");
        let Some(meta) = read::<Meta>(&path)? else {
            return Ok(None);
        };
        Ok(Some(self.made(meta, &id)))
    }

    /// All contexts that can be read, by name.
    pub fn all(&self) -> Vec<DockerContext> {
        let folders = std::fs::read_dir(self.folder.join("contexts/meta"));
        let mut found: Vec<DockerContext> = folders
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|folder| {
                let meta = read::<Meta>(&folder.path().join("meta.json")).ok()??;
                Some(self.made(meta, &folder.file_name().to_string_lossy()))
            })
            .collect();
        found.sort_by(|a, b| a.name.cmp(&b.name));
        found
    }

    /// The context that `docker context use` chose; `None`: no particular one.
    pub fn current(&self) -> Result<Option<String>, Failure> {
        let config = read::<Config>(&self.config())?;
        let name = config.map(|config| config.current).unwrap_or_default();
        Ok(Some(name).filter(|name| !name.is_empty() && name != "default"))
    }

    /// Docker's configuration file.
    pub fn config(&self) -> PathBuf {
        self.folder.join("config.json")
    }

    fn made(&self, meta: Meta, id: &str) -> DockerContext {
        let endpoint = meta.endpoints.docker;
        let tls = self.folder.join("contexts/tls").join(id).join("docker");
        DockerContext {
            name: meta.name,
            skips_verification: endpoint.as_ref().is_some_and(|e| e.skip),
            host: endpoint.map(|e| e.host).unwrap_or_default(),
            tls: tls.is_dir().then_some(tls),
        }
    }
}

/// Docker names a context's folders by the digest of its name.
fn id(name: &str) -> String {
    hex::encode(Sha256::digest(name.as_bytes()))
}

/// A file that is not there says nothing; one that cannot be read may say that another engine is
/// meant.
fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Option<T>, Failure> {
    let wrong = |why: String| {
        Failure::new(format!("cannot read {}: {why}", path.display()))
            .help("mend it, or say which engine is meant: --host ADDRESS")
    };
    match file::read(path, file::SMALL) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|error| wrong(error.to_string())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(wrong(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_named_as_docker_names_them() {
        // `printf prod | sha256sum`
        let digest = "6754af9632a2745e85c293e5aac0863370d9bd3330b9938c00cadfd215227d77";
        assert_eq!(id("prod"), digest);
    }

    #[test]
    fn names_are_told_from_addresses() {
        for name in ["prod", "web-2.example", "a_b+c", "9"] {
            assert!(Docker::is_name(name), "{name}");
        }
        for other in [
            "",
            "unix:///x",
            "/var/run/docker.sock",
            "host:2376",
            "-x",
            "a b",
            "..",
        ] {
            assert!(!Docker::is_name(other), "{other}");
        }
    }
}

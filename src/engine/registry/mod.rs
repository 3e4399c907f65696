//! Registries: whose an image is, how the operator logs in there, and what a refusal means.
//!
//! What Docker's own configuration says (`docker login`) is read when an image is pulled, for the
//! registry that is asked and no other. It goes with the one request, and is kept nowhere.

mod config;
mod helper;
mod refusal;

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use http::HeaderValue;
use serde::Serialize;
use zeroize::Zeroizing;

pub(super) use refusal::refused;

use crate::text::short;

/// Docker's name for its own registry in lists of credentials.
const HUB_KEY: &str = "https://index.docker.io/v1/";
/// Docker's own registry in references.
const HUB: &str = "docker.io";

/// How the operator logs in at registries: Docker's own configuration on this machine.
#[derive(Debug, Clone, Default)]
pub struct Registries {
    /// `$DOCKER_CONFIG`, else `~/.docker`; none: no registry is logged in at.
    pub folder: Option<PathBuf>,
}

/// What is known here of a registry, and what it is shown of that.
#[derive(Debug)]
pub(super) struct Login {
    pub credentials: Option<Credentials>,
    pub known: Known,
}

/// What is known here of a registry, in words; never what it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Known {
    /// Credentials from there.
    Credentials { from: String },
    /// None; where they were looked for.
    Nothing { from: String },
    /// It cannot be told; why.
    Unusable { why: String },
}

/// What a registry is shown. Only a request gets to see it.
pub(super) struct Credentials(Zeroizing<String>);

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credentials")
    }
}

/// As engines take it.
#[derive(Serialize, Default)]
#[serde(rename_all = "lowercase")]
struct Shown<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    username: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    password: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    identitytoken: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    registrytoken: &'a str,
    serveraddress: &'a str,
}

impl Credentials {
    fn of(shown: &Shown) -> Option<Credentials> {
        let json = Zeroizing::new(serde_json::to_string(shown).ok()?);
        Some(Credentials(Zeroizing::new(URL_SAFE.encode(&*json))))
    }

    /// The header's value; nothing that shows headers shows it.
    pub(super) fn header(&self) -> Option<HeaderValue> {
        let mut value = HeaderValue::from_str(&self.0).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

impl Registries {
    /// Those of who runs this process.
    pub fn own() -> Registries {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let home = || Some(PathBuf::from(set("HOME")?).join(".docker"));
        Registries {
            folder: set("DOCKER_CONFIG").map(PathBuf::from).or_else(home),
        }
    }

    /// What is known of a registry, looked up now.
    pub(super) async fn login(&self, registry: &str) -> Login {
        let Some(folder) = &self.folder else {
            let from = "what this program was given".to_owned();
            return Login {
                credentials: None,
                known: Known::Nothing { from },
            };
        };
        let path = folder.join("config.json");
        match look_up(&path, key_of(registry)).await {
            Ok((credentials, from)) => Login {
                known: match credentials {
                    Some(_) => Known::Credentials { from },
                    None => Known::Nothing { from },
                },
                credentials,
            },
            Err(why) => Login {
                credentials: None,
                known: Known::Unusable { why },
            },
        }
    }
}

/// The credentials for a registry, and where they are from, or were looked for.
async fn look_up(path: &Path, key: &str) -> Result<(Option<Credentials>, String), String> {
    let file = path.display().to_string();
    let broke = |why: String| format!("{file} cannot be used: {why}");
    let reading = path.to_owned();
    let reading = tokio::task::spawn_blocking(move || config::read(&reading)).await;
    let config = reading.map_err(|error| broke(error.to_string()))?;
    let config = config.map_err(broke)?;
    let Some(name) = config.helper(key) else {
        return Ok((config.credentials(key).map_err(broke)?, file));
    };
    let from = format!("docker-credential-{}, named in {file}", short(name, 60));
    match helper::ask(name, key).await {
        Ok(credentials) => Ok((credentials, from)),
        Err(why) => Err(format!("{from}, cannot be used: {why}")),
    }
}

/// The registry of an image's reference, as people write it: `docker.io`, `registry.example:5000`.
pub(super) fn registry_of(reference: &str) -> &str {
    match reference.split_once('/') {
        Some(("index.docker.io", _)) => HUB,
        Some((first, _)) if first.contains(['.', ':']) || first == "localhost" => first,
        _ => HUB,
    }
}

/// What a registry is called in lists of credentials.
fn key_of(registry: &str) -> &str {
    match registry {
        HUB => HUB_KEY,
        registry => registry,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_tells_its_registry() {
        for (reference, registry) in [
            ("php:8.4-apache", "docker.io"),
            ("library/php", "docker.io"),
            ("alice/app:1", "docker.io"),
            ("docker.io/alice/app:1", "docker.io"),
            ("index.docker.io/alice/app", "docker.io"),
            ("registry.example/app", "registry.example"),
            (
                "registry.example:5000/a/b@sha256:ab",
                "registry.example:5000",
            ),
            ("localhost/app", "localhost"),
            ("127.0.0.1:5000/app:1", "127.0.0.1:5000"),
            ("php:8.4/x", "php:8.4"),
        ] {
            assert_eq!(registry_of(reference), registry, "{reference}");
        }
    }

    #[test]
    fn what_is_shown_is_what_engines_take_and_nothing_else_shows_it() {
        let shown = Shown {
            username: "ops",
            password: "s3cr>et?",
            serveraddress: "registry.example",
            ..Shown::default()
        };
        let credentials = Credentials::of(&shown).unwrap();
        let header = credentials.header().unwrap();
        let json = URL_SAFE.decode(header.as_bytes()).unwrap();
        assert_eq!(
            String::from_utf8(json).unwrap(),
            r#"{"username":"ops","password":"s3cr>et?","serveraddress":"registry.example"}"#
        );
        assert_eq!(
            format!("{credentials:?} {header:?}"),
            "Credentials Sensitive"
        );
    }

    #[tokio::test]
    async fn only_the_registry_that_is_asked_is_looked_up() {
        let dir = tempfile::tempdir().unwrap();
        let registries = Registries {
            folder: Some(dir.path().to_owned()),
        };
        let ask = |registry: &'static str| {
            let registries = registries.clone();
            async move {
                let login = registries.login(registry).await;
                (login.credentials.is_some(), login.known)
            }
        };
        let file = dir.path().join("config.json");
        let from = || file.display().to_string();
        let nothing = || (false, Known::Nothing { from: from() });
        // No configuration says nothing.
        assert_eq!(ask("a.example").await, nothing());
        let auth = base64::engine::general_purpose::STANDARD.encode("ops:s3cret");
        // The helper of another registry is not run: there is no such program.
        let text = format!(
            r#"{{"auths": {{"a.example": {{"auth": "{auth}"}}, "https://b.example/v2/": {{"auth": "{auth}"}}}},
                "credHelpers": {{"c.example": "no-such-helper"}}}}"#
        );
        std::fs::write(&file, text).unwrap();
        for known in ["a.example", "b.example"] {
            assert_eq!(
                ask(known).await,
                (true, Known::Credentials { from: from() })
            );
        }
        assert_eq!(ask("d.example").await, nothing());
        assert_eq!(ask("docker.io").await, nothing());
        let (_, Known::Unusable { why }) = ask("c.example").await else {
            panic!()
        };
        assert!(
            why.starts_with("docker-credential-no-such-helper, named in /")
                && why.ends_with("there is no such program in PATH"),
            "{why}"
        );
        let wrong = r#"{"auths": {"a.example": {"auth": 471147114711, "x": "s3cret"}}}"#;
        std::fs::write(&file, wrong).unwrap();
        let (_, Known::Unusable { why }) = ask("a.example").await else {
            panic!()
        };
        assert!(why.contains("at line 1") && !why.contains("4711"), "{why}");
    }
}

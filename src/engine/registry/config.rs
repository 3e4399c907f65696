//! Docker's own configuration file, as far as it is about logging in.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

use super::{Credentials, HUB, HUB_KEY, Shown};
use crate::file;

/// Some programs that write the file leave the padding out.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What the file says.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Config {
    auths: BTreeMap<String, Auth>,
    creds_store: String,
    cred_helpers: BTreeMap<String, String>,
}

/// What it says of one registry.
#[derive(Deserialize, Default)]
#[serde(rename_all = "lowercase", default)]
struct Auth {
    auth: Secret,
    username: Secret,
    password: Secret,
    identitytoken: Secret,
    registrytoken: Secret,
}

#[derive(Default)]
struct Secret(Zeroizing<String>);

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Secret, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        Ok(Secret(Zeroizing::new(text.unwrap_or_default())))
    }
}

/// Reads the file; one that is not there says nothing.
pub(super) fn read(path: &Path) -> Result<Config, String> {
    let bytes = match file::read(path, file::SMALL) {
        Ok(bytes) => Zeroizing::new(bytes),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Config::default()),
        Err(error) => return Err(error.to_string()),
    };
    // What the parser says may repeat what it read.
    serde_json::from_slice(&bytes).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        format!("it is not as Docker writes it, at line {line}, column {column}")
    })
}

impl Config {
    /// The program that keeps the credentials of a registry, by the end of its name.
    pub fn helper(&self, key: &str) -> Option<&str> {
        let own = self.cred_helpers.get(key).map(String::as_str);
        let named = |name: &&str| !name.is_empty();
        own.filter(named)
            .or(Some(self.creds_store.as_str()).filter(named))
    }

    /// What the file itself says of a registry.
    pub fn credentials(&self, key: &str) -> Result<Option<Credentials>, String> {
        let alike = || {
            let mut all = self.auths.iter();
            all.find(|(written, _)| is_for(written, key))
        };
        let Some((written, auth)) = self.auths.get_key_value(key).or_else(alike) else {
            return Ok(None);
        };
        let mut shown = Shown {
            username: &auth.username.0,
            password: &auth.password.0,
            identitytoken: &auth.identitytoken.0,
            registrytoken: &auth.registrytoken.0,
            serveraddress: key,
        };
        let both;
        if !auth.auth.0.is_empty() {
            both = pair(&auth.auth.0).ok_or_else(|| {
                let written = crate::text::short(written, 100);
                format!("`auth` of {written} is not NAME:PASSWORD in base64")
            })?;
            if let Some((name, password)) = both.split_once(':') {
                shown.username = name;
                shown.password = password.trim_matches('\0');
            }
        }
        // `docker logout` and a credential store leave an entry behind that says nothing.
        let says = [shown.password, shown.identitytoken, shown.registrytoken];
        match says.iter().all(|said| said.is_empty()) {
            true => Ok(None),
            false => Ok(Credentials::of(&shown)),
        }
    }
}

/// The text of `auth`, with its colon.
fn pair(auth: &str) -> Option<Zeroizing<String>> {
    let bytes = Zeroizing::new(LENIENT.decode(auth.trim()).ok()?);
    let text = std::str::from_utf8(&bytes).ok()?;
    text.contains(':').then(|| Zeroizing::new(text.to_owned()))
}

/// Whether a registry is written like that: older versions of Docker wrote addresses.
fn is_for(written: &str, key: &str) -> bool {
    let rest = written.strip_prefix("https://");
    let rest = rest.or_else(|| written.strip_prefix("http://"));
    let host = rest.unwrap_or(written).split('/').next();
    match key {
        HUB_KEY => matches!(host, Some(HUB | "index.docker.io")),
        key => host == Some(key),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Config {
        serde_json::from_str(text).unwrap()
    }

    fn shown(config: &Config, key: &str) -> Option<String> {
        let found = config.credentials(key).unwrap()?;
        let json = base64::engine::general_purpose::URL_SAFE.decode(&*found.0);
        String::from_utf8(json.unwrap()).ok()
    }

    #[test]
    fn registries_are_found_however_docker_wrote_them() {
        // `ops:pw`, with and without its padding.
        let config = config(
            r#"{"auths": {
                "https://index.docker.io/v1/": {"auth": "b3BzOnB3"},
                "http://old.example/v1/": {"auth": "b3BzOnB3MQ"},
                "a.example:5000": {"username": "ops", "password": "pw"},
                "token.example": {"auth": "b3BzOg==", "identitytoken": "t0ken"},
                "out.example": {},
                "null.example": {"auth": null}
            }, "HttpHeaders": {"x": ["y"]}}"#,
        );
        for (key, says) in [
            (HUB_KEY, Some(r#""username":"ops","password":"pw""#)),
            ("old.example", Some(r#""password":"pw1""#)),
            (
                "a.example:5000",
                Some(r#""username":"ops","password":"pw""#),
            ),
            (
                "token.example",
                Some(r#""username":"ops","identitytoken":"t0ken""#),
            ),
            ("a.example", None),
            ("a.example:5001", None),
            ("out.example", None),
            ("null.example", None),
            ("example", None),
        ] {
            let shown = shown(&config, key);
            assert_eq!(shown.is_some(), says.is_some(), "{key}");
            let shown = shown.unwrap_or_default();
            assert!(shown.contains(says.unwrap_or_default()), "{key}: {shown}");
        }
    }

    #[test]
    fn a_program_of_its_own_goes_before_that_of_all() {
        let config = config(
            r#"{"credsStore": "pass", "credHelpers": {"a.example": "ecr-login", "b.example": ""}}"#,
        );
        assert_eq!(config.helper("a.example"), Some("ecr-login"));
        assert_eq!(config.helper("b.example"), Some("pass"));
        assert_eq!(Config::default().helper("a.example"), None);
    }

    #[test]
    fn what_is_wrong_is_said_without_what_it_says() {
        let error = |text: &str| {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("config.json");
            std::fs::write(&path, text).unwrap();
            match read(&path).and_then(|config| config.credentials("a.example").map(|_| ())) {
                Ok(()) => panic!("{text} is taken"),
                Err(why) => why,
            }
        };
        for text in [
            r#"{"auths": {"a.example": {"auth": ["s3cret"]}}}"#,
            r#"{"auths": {"a.example": "s3cret"}}"#,
            r#"{"auths": {"a.example": {"auth": "s3cret"}}}"#,
            r#"{"auths": {"a.example": {"password": "s3cret"}"#,
            "s3cret",
        ] {
            let why = error(text);
            assert!(!why.contains("s3cret"), "{why}");
        }
        let large = format!("{{\"x\": \"{}\"}}", "x".repeat(file::SMALL));
        assert_eq!(error(&large), "it is larger than 1 MiB");
    }
}

//! Which version of the API is spoken: ours against the engine's.

use std::fmt;

use serde::Deserialize;

use super::error::{Error, Result};

/// An API version, `1.41`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Api {
    /// Before the dot.
    pub major: u16,
    /// After the dot.
    pub minor: u16,
}

/// The oldest API version that we speak: Docker 20.10.
pub const OLDEST: Api = Api {
    major: 1,
    minor: 41,
};
/// The newest API version that we speak: Docker 29.
pub const NEWEST: Api = Api {
    major: 1,
    minor: 52,
};

impl fmt::Display for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl std::str::FromStr for Api {
    type Err = ();

    fn from_str(text: &str) -> std::result::Result<Self, ()> {
        let (major, minor) = text.split_once('.').ok_or(())?;
        Ok(Api {
            major: major.parse().map_err(drop)?,
            minor: minor.parse().map_err(drop)?,
        })
    }
}

/// What an engine says about itself, and the API version that we agreed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineVersion {
    /// The engine's release, `20.10.24`.
    pub version: String,
    /// The API version of every request: the lower of its newest and ours.
    pub api: Api,
    /// The engine's newest API version.
    pub server_api: Api,
    /// The engine's oldest API version.
    pub min_api: Api,
    /// Operating system of the engine.
    pub os: String,
    /// Architecture of the engine.
    pub arch: String,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(rename = "Version", default)]
    version: String,
    #[serde(rename = "ApiVersion")]
    api: String,
    #[serde(rename = "MinAPIVersion", default)]
    min_api: String,
    #[serde(rename = "Os", default)]
    os: String,
    #[serde(rename = "Arch", default)]
    arch: String,
}

/// Reads the answer to `GET /version` and picks the version to speak.
///
/// Fails with [`Error::NotDocker`] when it is not such an answer, and with [`Error::ApiTooNew`]
/// or [`Error::ApiTooOld`] when there is no version that both speak.
pub fn negotiate(address: &str, answer: &[u8]) -> Result<EngineVersion> {
    let not_docker = |what: &str| Error::NotDocker {
        address: address.to_owned(),
        what: what.to_owned(),
    };
    let answer: Answer = serde_json::from_slice(answer)
        .map_err(|_| not_docker("its answer to /version is not a Docker Engine's"))?;
    let server_api: Api = answer
        .api
        .parse()
        .map_err(|()| not_docker("its API version cannot be read"))?;
    // Engines before 1.12 had no minimum; they are too old anyway.
    let min_api: Api = answer.min_api.parse().unwrap_or(Api {
        major: 1,
        minor: 12,
    });
    if min_api > NEWEST {
        return Err(Error::ApiTooNew {
            server_min: min_api.to_string(),
            ours: NEWEST.to_string(),
        });
    }
    if server_api < OLDEST {
        return Err(Error::ApiTooOld {
            server: server_api.to_string(),
            ours_min: OLDEST.to_string(),
        });
    }
    Ok(EngineVersion {
        version: answer.version,
        api: server_api.min(NEWEST),
        server_api,
        min_api,
        os: answer.os,
        arch: answer.arch,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(api: &str, min: &str) -> Result<EngineVersion> {
        negotiate(
            "unix:///x",
            format!(r#"{{"Version":"x","ApiVersion":"{api}","MinAPIVersion":"{min}"}}"#).as_bytes(),
        )
    }

    #[test]
    fn the_lower_of_both_is_spoken() {
        assert_eq!(says("1.41", "1.12").unwrap().api.to_string(), "1.41");
        assert_eq!(says("1.52", "1.44").unwrap().api.to_string(), "1.52");
        assert_eq!(says("1.60", "1.44").unwrap().api.to_string(), "1.52");
        assert_eq!(says("1.47", "").unwrap().api.to_string(), "1.47");
    }

    #[test]
    fn no_common_version_is_said_in_one_line() {
        assert_eq!(
            says("1.70", "1.60").unwrap_err().to_string(),
            "this engine speaks API 1.60 and newer; ostler speaks up to 1.52"
        );
        assert_eq!(
            says("1.39", "1.12").unwrap_err().to_string(),
            "this engine speaks API 1.39 at most; ostler needs 1.41 (Docker 20.10) or newer"
        );
    }

    #[test]
    fn something_else_is_not_docker() {
        for answer in [
            &b"<html>"[..],
            b"{}",
            b"[]",
            b"",
            br#"{"ApiVersion":"new"}"#,
        ] {
            assert!(matches!(
                negotiate("unix:///x", answer),
                Err(Error::NotDocker { .. })
            ));
        }
    }
}

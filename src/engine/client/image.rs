//! Images: what is there, and getting more.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bollard::models::ImageInspect;
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use http::HeaderName;
use serde::Deserialize;

use super::Client;
use super::stream::json_lines;
use crate::engine::error::{Error, Result, said};
use crate::engine::model::{BuildProgress, ListedImage, PullProgress};
use crate::engine::registry::{refused, registry_of};
use crate::engine::wire::{Call, READ, UPLOAD_IDLE, plain_image};

/// Carries what a registry is shown.
const REGISTRY_AUTH: HeaderName = HeaderName::from_static("x-registry-auth");
/// How long a pull may say nothing.
const PULL_IDLE: Duration = Duration::from_secs(60);
/// How long a build may say nothing: one of its steps can be long and silent.
const BUILD_IDLE: Duration = Duration::from_secs(300);
/// How many of a build's last lines an error carries.
const LAST_LINES: usize = 12;

/// One line of the engine about a pull or a build.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Line {
    stream: Option<String>,
    status: Option<String>,
    id: Option<String>,
    error: Option<String>,
    #[serde(rename = "progressDetail")]
    detail: Option<Detail>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Detail {
    current: Option<i64>,
    total: Option<i64>,
}

impl Client {
    /// Every image of the engine that has a name or is used by nothing else.
    pub async fn images(&self) -> Result<Vec<ListedImage>> {
        self.wire
            .ask(Call::get("/images/json", "list images"), READ)
            .await?
            .parse()
    }

    /// All about one image, by name or id.
    pub async fn inspect_image(&self, name: &str) -> Result<ImageInspect> {
        let path = format!("/images/{}/json", plain_image(name)?);
        self.wire
            .ask(Call::get(path, format!("inspect image {name}")), READ)
            .await?
            .parse()
    }

    /// Pulls an image from its registry, logged in there as the operator is. The engine's own error
    /// line is the stream's last item.
    pub fn pull(
        &self,
        reference: &str,
    ) -> impl Stream<Item = Result<PullProgress>> + Send + 'static {
        let what = said(&format!("pull image {reference}"));
        let call = plain_image(reference).map(|reference| {
            let (name, tag) = split_tag(reference);
            Call::post("/images/create", what.clone())
                .query("fromImage", name)
                .query("tag", tag)
        });
        let (wire, registries) = (self.wire.clone(), self.registries.clone());
        let (image, known) = (reference.to_owned(), Arc::new(OnceLock::new()));
        let (asked, told) = (image.clone(), known.clone());
        let opening = async move {
            let call = call?;
            let login = registries.login(registry_of(&asked)).await;
            let header = login.credentials.and_then(|shown| shown.header());
            let call = match header {
                Some(header) => call.header(REGISTRY_AUTH, header),
                None => call,
            };
            let _ = told.set(login.known);
            wire.open(call, PULL_IDLE).await
        };
        let refusal = move |error| match known.get() {
            Some(known) => refused(error, &image, known),
            None => error,
        };
        json_lines(opening, Some(PULL_IDLE)).map(move |line| {
            let line: Line = parse(&what, &line.map_err(&refusal)?)?;
            if let Some(message) = line.error {
                return Err(refusal(Error::answered(500, &what, &message)));
            }
            let detail = line.detail.unwrap_or_default();
            let bytes = |count: Option<i64>| count.and_then(|count| u64::try_from(count).ok());
            Ok(PullProgress {
                id: line.id,
                text: said(&line.status.or(line.stream).unwrap_or_default()),
                current: bytes(detail.current),
                total: bytes(detail.total).filter(|total| *total > 0),
            })
        })
    }

    /// Builds an image from a context (a tar archive with a `Dockerfile`), with the engine's own
    /// builder. An error carries the last lines of the build.
    pub fn build(
        &self,
        tag: &str,
        tar: Vec<u8>,
        labels: &BTreeMap<String, String>,
        network_host: bool,
    ) -> impl Stream<Item = Result<BuildProgress>> + Send + 'static {
        let what = said(&format!("build image {tag}"));
        let labels = serde_json::to_string(labels).unwrap_or_default();
        let call = plain_image(tag).map(|tag| {
            let call = Call::post("/build", what.clone())
                .query("version", "1")
                .query("t", tag)
                .query("labels", &labels)
                .query("rm", "true")
                .query("forcerm", "true");
            let call = if network_host {
                call.query("networkmode", "host")
            } else {
                call
            };
            call.tar(tar)
        });
        let wire = self.wire.clone();
        let opening = async move { wire.upload(call?, UPLOAD_IDLE.max(BUILD_IDLE)).await };
        let mut last: Vec<String> = Vec::new();
        json_lines(opening, Some(BUILD_IDLE)).filter_map(move |line| {
            let said = line
                .and_then(|line| parse::<Line>(&what, &line))
                .and_then(|line| {
                    if let Some(error) = line.error {
                        return Err(failed(&what, &error, &last));
                    }
                    let text = line.stream.or(line.status).unwrap_or_default();
                    let text = said(&text);
                    if !text.is_empty() {
                        if last.len() == LAST_LINES {
                            last.remove(0);
                        }
                        last.push(text.clone());
                    }
                    Ok(text)
                });
            std::future::ready(match said {
                Ok(text) if text.is_empty() => None,
                Ok(text) => Some(Ok(BuildProgress { text })),
                Err(error) => Some(Err(error)),
            })
        })
    }

    /// Makes an image of one layer out of a root file system (a tar archive).
    pub async fn import_image(&self, tag: &str, tar: Vec<u8>) -> Result<()> {
        let (name, version) = split_tag(plain_image(tag)?);
        let call = Call::post("/images/create", format!("import image {tag}"))
            .query("fromSrc", "-")
            .query("repo", name)
            .query("tag", version)
            .tar(tar);
        let what = said(&format!("import image {tag}"));
        let wire = self.wire.clone();
        let opening = async move { wire.upload(call, BUILD_IDLE).await };
        let mut lines = std::pin::pin!(json_lines(opening, Some(BUILD_IDLE)));
        while let Some(line) = lines.next().await {
            if let Some(message) = parse::<Line>(&what, &line?)?.error {
                return Err(Error::answered(500, what, &message));
            }
        }
        Ok(())
    }
}

fn parse<T: serde::de::DeserializeOwned>(what: &str, line: &Bytes) -> Result<T> {
    serde_json::from_slice(line).map_err(|error| Error::nonsense(what, error))
}

/// The engine's word about a build, and below it the build's last lines.
fn failed(what: &str, error: &str, last: &[String]) -> Error {
    let mut message = said(error);
    for line in last {
        message.push_str("\n  ");
        message.push_str(line);
    }
    Error::Status {
        code: 500,
        what: what.to_owned(),
        message,
    }
}

/// `registry:5000/php:8.4` is `registry:5000/php` and `8.4`; without a tag it is `latest`, and a
/// digest takes the tag's place.
fn split_tag(reference: &str) -> (&str, &str) {
    if let Some((name, digest)) = reference.split_once('@') {
        return (name, digest);
    }
    match reference.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, tag),
        _ => (reference, "latest"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_told_from_a_port() {
        assert_eq!(split_tag("php"), ("php", "latest"));
        assert_eq!(split_tag("php:8.4-apache"), ("php", "8.4-apache"));
        assert_eq!(split_tag("reg:5000/php"), ("reg:5000/php", "latest"));
        assert_eq!(split_tag("reg:5000/php:8"), ("reg:5000/php", "8"));
        assert_eq!(split_tag("reg/php@sha256:ab"), ("reg/php", "sha256:ab"));
    }
}

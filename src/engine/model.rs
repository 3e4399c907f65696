//! What the engine's answers are reduced to. Every field may be missing in an answer: engines
//! differ by release, and a field that is not there is empty, not an error.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize};

/// Reads `null` as the default.
fn or_default<'de, D, T>(input: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::<T>::deserialize(input)?.unwrap_or_default())
}

/// One row of the list of containers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ListedContainer {
    /// Full id.
    #[serde(deserialize_with = "or_default")]
    pub id: String,
    /// Its own name, without the leading slash. The names that others know it by (`--link`), which
    /// the engine lists among them and often before it, are none of its own.
    #[serde(deserialize_with = "names")]
    pub names: Vec<String>,
    /// The image as it was named at creation; its id when the name has moved on.
    #[serde(deserialize_with = "or_default")]
    pub image: String,
    /// Id of the image, with `sha256:`.
    #[serde(rename = "ImageID", deserialize_with = "or_default")]
    pub image_id: String,
    /// Labels of the container and of its image.
    #[serde(deserialize_with = "or_default")]
    pub labels: BTreeMap<String, String>,
    /// `created`, `running`, `paused`, `restarting`, `removing`, `exited` or `dead`.
    #[serde(deserialize_with = "or_default")]
    pub state: String,
    /// In words, with health: `Up 3 minutes (unhealthy)`.
    #[serde(deserialize_with = "or_default")]
    pub status: String,
    /// Unix seconds.
    #[serde(deserialize_with = "or_default")]
    pub created: i64,
    /// Ports, published or only exposed.
    #[serde(deserialize_with = "or_default")]
    pub ports: Vec<ListedPort>,
    /// Networks by name.
    #[serde(
        rename = "NetworkSettings",
        deserialize_with = "networks",
        serialize_with = "networks_out"
    )]
    pub networks: BTreeMap<String, ListedNetwork>,
    /// The network mode: `host`, `none`, `container:ID`, or the name of a network.
    #[serde(
        rename = "HostConfig",
        deserialize_with = "network_mode",
        serialize_with = "network_mode_out"
    )]
    pub network_mode: String,
    #[serde(deserialize_with = "or_default")]
    pub mounts: Vec<ListedMount>,
}

impl ListedContainer {
    /// Its name, or the short id of a container without one.
    pub fn name(&self) -> &str {
        match self.names.first() {
            Some(name) => name,
            None => self.id.get(..12).unwrap_or(&self.id),
        }
    }
}

/// A container that another one links to is listed as `/other/alias` too.
fn names<'de, D: Deserializer<'de>>(input: D) -> Result<Vec<String>, D::Error> {
    let mut names: Vec<String> = or_default(input)?;
    for name in &mut names {
        if name.starts_with('/') {
            name.remove(0);
        }
    }
    names.retain(|name| !name.contains('/'));
    Ok(names)
}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct NetworkSettings<T: Default> {
    networks: T,
}

fn networks<'de, D: Deserializer<'de>>(
    input: D,
) -> Result<BTreeMap<String, ListedNetwork>, D::Error> {
    let settings: NetworkSettings<Option<BTreeMap<String, Option<ListedNetwork>>>> =
        or_default(input)?;
    Ok(settings
        .networks
        .unwrap_or_default()
        .into_iter()
        .map(|(name, network)| (name, network.unwrap_or_default()))
        .collect())
}

fn networks_out<S: serde::Serializer>(
    networks: &BTreeMap<String, ListedNetwork>,
    output: S,
) -> Result<S::Ok, S::Error> {
    NetworkSettings {
        networks: networks.clone(),
    }
    .serialize(output)
}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct HostConfig {
    #[serde(deserialize_with = "or_default")]
    network_mode: String,
}

fn network_mode<'de, D: Deserializer<'de>>(input: D) -> Result<String, D::Error> {
    Ok(or_default::<D, HostConfig>(input)?.network_mode)
}

fn network_mode_out<S: serde::Serializer>(mode: &str, output: S) -> Result<S::Ok, S::Error> {
    HostConfig {
        network_mode: mode.to_owned(),
    }
    .serialize(output)
}

/// A container's place in one network.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ListedNetwork {
    /// Id of the network; empty until the container was started once.
    #[serde(rename = "NetworkID", deserialize_with = "or_default")]
    pub network_id: String,
    /// The address it has now: empty when it does not run.
    #[serde(rename = "IPAddress", deserialize_with = "or_default")]
    pub ip: String,
    /// The address it was created with, whether it runs or not.
    #[serde(
        rename = "IPAMConfig",
        deserialize_with = "asked",
        serialize_with = "asked_out"
    )]
    pub asked_ip: Option<String>,
}

impl ListedNetwork {
    /// The address that this container has or will take when it starts.
    pub fn address(&self) -> Option<&str> {
        match &self.asked_ip {
            Some(ip) => Some(ip),
            None if self.ip.is_empty() => None,
            None => Some(&self.ip),
        }
    }
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct IpamConfig {
    #[serde(rename = "IPv4Address")]
    ipv4: Option<String>,
}

fn asked<'de, D: Deserializer<'de>>(input: D) -> Result<Option<String>, D::Error> {
    Ok(or_default::<D, IpamConfig>(input)?
        .ipv4
        .filter(|ip| !ip.is_empty()))
}

fn asked_out<S: serde::Serializer>(ip: &Option<String>, output: S) -> Result<S::Ok, S::Error> {
    ip.clone()
        .map(|ip| IpamConfig { ipv4: Some(ip) })
        .serialize(output)
}

/// A port of a container.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ListedPort {
    /// The host's address it is published on; empty when it is not published.
    #[serde(rename = "IP", deserialize_with = "or_default")]
    pub ip: String,
    /// Port in the container.
    #[serde(deserialize_with = "or_default")]
    pub private_port: u16,
    /// Port on the host, when published.
    pub public_port: Option<u16>,
    /// `tcp`, `udp` or `sctp`.
    #[serde(rename = "Type", deserialize_with = "or_default")]
    pub protocol: String,
}

/// Something mounted in a container.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ListedMount {
    /// `bind`, `volume` or `tmpfs`.
    #[serde(rename = "Type", deserialize_with = "or_default")]
    pub kind: String,
    /// Name, of a volume.
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    /// Path on the host.
    #[serde(deserialize_with = "or_default")]
    pub source: String,
    /// Path in the container.
    #[serde(deserialize_with = "or_default")]
    pub destination: String,
    /// Whether it can be written.
    #[serde(rename = "RW", deserialize_with = "or_default")]
    pub writable: bool,
}

/// One row of the list of images.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ListedImage {
    /// Id, with `sha256:`.
    #[serde(deserialize_with = "or_default")]
    pub id: String,
    /// `php:8.4-apache`; without `<none>:<none>`.
    #[serde(rename = "RepoTags", deserialize_with = "tags")]
    pub tags: Vec<String>,
    /// `php@sha256:…`, of images that came from a registry.
    #[serde(rename = "RepoDigests", deserialize_with = "tags")]
    pub digests: Vec<String>,
    /// Unix seconds.
    #[serde(deserialize_with = "or_default")]
    pub created: i64,
    /// Bytes.
    #[serde(deserialize_with = "or_default")]
    pub size: i64,
    #[serde(deserialize_with = "or_default")]
    pub labels: BTreeMap<String, String>,
}

fn tags<'de, D: Deserializer<'de>>(input: D) -> Result<Vec<String>, D::Error> {
    let mut tags: Vec<String> = or_default(input)?;
    tags.retain(|tag| !tag.starts_with("<none>"));
    Ok(tags)
}

/// Which of a container's outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Out {
    /// Standard output; the whole output of a container with a terminal.
    Out,
    /// Standard error.
    Err,
}

/// A piece of a container's output. A piece is one write of the container where that is short,
/// which mostly is a line; a long one comes in several pieces, cut anywhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogChunk {
    /// Where it was written.
    pub stream: Out,
    /// What was written.
    pub bytes: Bytes,
}

/// One measurement of a container. All zero when it does not run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Bytes in use, without the page cache that can be dropped at once.
    pub memory_used: u64,
    /// Bytes allowed; the machine's memory when there is no limit.
    pub memory_limit: u64,
    /// Processor time used by the container so far, nanoseconds.
    pub cpu_total_ns: u64,
    /// Processor time used by the whole machine so far, all cores, nanoseconds.
    pub system_ns: u64,
    /// Cores.
    pub online_cpus: u32,
    /// Processes and threads.
    pub pids: u64,
    /// Bytes received, all networks.
    pub net_rx: u64,
    /// Bytes sent, all networks.
    pub net_tx: u64,
    /// When it was read, on the engine's clock, unix milliseconds; 0 when the container does not run.
    pub read_at: i64,
}

impl Stats {
    /// Cores used between an earlier measurement and this one: 1.0 is one whole core. `None` when
    /// they do not follow each other (another container, a restart, the same reading twice).
    pub fn cores_since(&self, earlier: &Stats) -> Option<f64> {
        let used = self.cpu_total_ns.checked_sub(earlier.cpu_total_ns)?;
        let system = self
            .system_ns
            .checked_sub(earlier.system_ns)
            .filter(|system| *system > 0)?;
        Some(used as f64 / system as f64 * f64::from(self.online_cpus.max(1)))
    }
}

/// Something that happened on the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineEvent {
    /// Unix nanoseconds on the engine's clock.
    pub time_nano: i64,
    /// `container`, `network`, `image`, `volume`, `daemon`, …
    pub kind: String,
    /// `start`, `die`, `oom`, `exec_create: sh …`, …
    pub action: String,
    /// Id of the object.
    pub id: String,
    /// Labels of the object, and `name`, `image`, `exitCode`, … by action.
    pub attributes: BTreeMap<String, String>,
}

/// One step of a pull.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullProgress {
    /// Which layer, where the line is about one.
    pub id: Option<String>,
    /// What is happening, in the engine's words.
    pub text: String,
    /// Bytes done.
    pub current: Option<u64>,
    /// Bytes in all.
    pub total: Option<u64>,
}

/// One line of a build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildProgress {
    /// The line, without its end.
    pub text: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_without_anything_is_read() {
        let row: ListedContainer = serde_json::from_str("{}").unwrap();
        assert_eq!(row, ListedContainer::default());
        let row: ListedContainer = serde_json::from_str(
            r#"{"Id":null,"Names":null,"Labels":null,"Ports":null,"NetworkSettings":null,"HostConfig":null,"Mounts":null,"ImageManifestDescriptor":{}}"#,
        )
        .unwrap();
        assert_eq!(row, ListedContainer::default());
        let row: ListedContainer = serde_json::from_str(
            r#"{"Id":"0123456789abcdef","NetworkSettings":{"Networks":{"a":null,"b":{"IPAMConfig":null,"IPAddress":"10.0.0.2"},"c":{"IPAMConfig":{}}}}}"#,
        )
        .unwrap();
        assert_eq!(row.name(), "0123456789ab");
        assert_eq!(row.networks["a"].address(), None);
        assert_eq!(row.networks["b"].address(), Some("10.0.0.2"));
        assert_eq!(row.networks["c"].address(), None);
    }

    #[test]
    fn the_names_that_links_give_are_not_its_own() {
        for (names, own) in [
            (r#"["/adam/db","/db2","/zoe/db"]"#, "db2"),
            (r#"["/db2","/zoe/db"]"#, "db2"),
            (r#"["db2"]"#, "db2"),
            (r#"["/adam/db"]"#, "0123456789ab"),
        ] {
            let text = format!(r#"{{"Id":"0123456789abcdef","Names":{names}}}"#);
            let row: ListedContainer = serde_json::from_str(&text).unwrap();
            assert_eq!(row.name(), own, "{names}");
        }
    }

    #[test]
    fn a_row_survives_writing_and_reading() {
        let row = ListedContainer {
            id: "abc".into(),
            names: vec!["web".into()],
            network_mode: "net".into(),
            networks: BTreeMap::from([(
                "net".to_owned(),
                ListedNetwork {
                    asked_ip: Some("10.0.0.9".into()),
                    ..Default::default()
                },
            )]),
            ..Default::default()
        };
        let text = serde_json::to_string(&row).unwrap();
        assert_eq!(serde_json::from_str::<ListedContainer>(&text).unwrap(), row);
    }

    #[test]
    fn cores_come_from_two_measurements() {
        let first = Stats {
            cpu_total_ns: 1_000,
            system_ns: 10_000,
            online_cpus: 4,
            ..Stats::default()
        };
        let second = Stats {
            cpu_total_ns: 2_000,
            system_ns: 14_000,
            online_cpus: 4,
            ..Stats::default()
        };
        assert_eq!(second.cores_since(&first), Some(1.0));
        assert_eq!(first.cores_since(&second), None);
        assert_eq!(first.cores_since(&first), None);
    }
}

//! Containers: what is there, and their life.

use std::time::Duration;

use bollard::models::{ContainerCreateBody, ContainerInspectResponse, ContainerUpdateBody};
use serde::Deserialize;

use super::Client;
use crate::engine::error::Result;
use crate::engine::model::{ListedContainer, Stats};
use crate::engine::version::Api;
use crate::engine::wire::{Answer, Call, READ, START, plain};

/// From this version on an engine's list of containers may lag behind its answers.
const LIST_LAGS: Api = Api {
    major: 1,
    minor: 42,
};

impl Client {
    /// Every container of the engine, running or not, in one call.
    pub async fn containers(&self) -> Result<Vec<ListedContainer>> {
        self.list().await?.parse()
    }

    /// The same list as the engine's own bytes, not looked into.
    pub async fn containers_raw(&self) -> Result<bytes::Bytes> {
        Ok(self.list().await?.bytes)
    }

    async fn list(&self) -> Result<Answer> {
        let call = Call::get("/containers/json?all=true", "list containers");
        self.wire.ask(call, READ).await
    }

    /// All about one container.
    pub async fn inspect(&self, id: &str) -> Result<ContainerInspectResponse> {
        let path = format!("/containers/{}/json", container(id)?);
        self.wire
            .ask(Call::get(path, format!("inspect container {id}")), READ)
            .await?
            .parse()
    }

    /// Creates a container and returns its id. The name is a conflict when it is taken.
    pub async fn create(&self, name: &str, body: &ContainerCreateBody) -> Result<String> {
        #[derive(Deserialize)]
        struct Created {
            #[serde(rename = "Id")]
            id: String,
        }
        let call = Call::post("/containers/create", format!("create container {name}"))
            .query("name", plain("container", name)?)
            .json(body)?;
        Ok(self.wire.ask(call, START).await?.parse::<Created>()?.id)
    }

    /// Starts a container. One that runs already is no error.
    pub async fn start(&self, id: &str) -> Result<()> {
        let path = format!("/containers/{}/start", container(id)?);
        self.wire
            .ask(Call::post(path, format!("start container {id}")), START)
            .await
            .map(drop)
    }

    /// Stops a container: its stop signal, and after `grace` SIGKILL. One that does not run is no
    /// error.
    pub async fn stop(&self, id: &str, grace: Duration) -> Result<()> {
        let path = format!("/containers/{}/stop", container(id)?);
        let call = Call::post(path, format!("stop container {id}")).query("t", &seconds(grace));
        self.wire.ask(call, grace + READ).await?;
        self.until_listed_as_stopped(id).await
    }

    /// Newer engines answer a moment before their list knows: whoever looks next must not find the
    /// container running. Where it takes longer than that, someone started it again.
    async fn until_listed_as_stopped(&self, id: &str) -> Result<()> {
        const TRIES: u32 = 20;
        if self.version().api < LIST_LAGS {
            return Ok(());
        }
        let filters = format!(r#"{{"id":["{id}"],"status":["running"]}}"#);
        for _ in 0..TRIES {
            let call = Call::get("/containers/json", format!("see container {id} stopped"))
                .query("filters", &filters);
            let running: Vec<ListedContainer> = self.wire.ask(call, READ).await?.parse()?;
            if running.is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        Ok(())
    }

    /// Stops and starts a container.
    pub async fn restart(&self, id: &str, grace: Duration) -> Result<()> {
        let path = format!("/containers/{}/restart", container(id)?);
        let call = Call::post(path, format!("restart container {id}")).query("t", &seconds(grace));
        self.wire.ask(call, grace + READ).await.map(drop)
    }

    /// Sends a signal, `SIGHUP` say, to a container's first process. It is a conflict when the
    /// container does not run.
    pub async fn kill(&self, id: &str, signal: &str) -> Result<()> {
        let path = format!("/containers/{}/kill", container(id)?);
        let call =
            Call::post(path, format!("send {signal} to container {id}")).query("signal", signal);
        self.wire.ask(call, READ).await.map(drop)
    }

    /// Removes a container; its volumes stay, those without a name too. With `force`, also one that
    /// runs; without, that is a conflict.
    pub async fn remove(&self, id: &str, force: bool) -> Result<()> {
        let path = format!("/containers/{}", container(id)?);
        let call = Call::delete(path, format!("remove container {id}"))
            .query("force", if force { "true" } else { "false" });
        self.wire.ask(call, START).await.map(drop)
    }

    /// Gives a container another name, running or not.
    pub async fn rename(&self, id: &str, new: &str) -> Result<()> {
        let path = format!("/containers/{}/rename", container(id)?);
        let call = Call::post(path, format!("rename container {id} to {new}"))
            .query("name", plain("container", new)?);
        self.wire.ask(call, READ).await.map(drop)
    }

    /// Changes limits in place. Memory and swap go together: raising one alone is refused.
    pub async fn update(&self, id: &str, body: &ContainerUpdateBody) -> Result<()> {
        let path = format!("/containers/{}/update", container(id)?);
        let call = Call::post(path, format!("update container {id}")).json(body)?;
        self.wire.ask(call, READ).await.map(drop)
    }

    /// Waits until a container does not run, and returns its exit code; at most that long.
    pub async fn wait(&self, id: &str, at_most: Duration) -> Result<i64> {
        #[derive(Deserialize)]
        struct Ended {
            #[serde(rename = "StatusCode")]
            code: i64,
        }
        let path = format!("/containers/{}/wait", container(id)?);
        let call = Call::post(path, format!("wait for the end of container {id}"));
        Ok(self.wire.ask(call, at_most).await?.parse::<Ended>()?.code)
    }

    /// One measurement of a container, taken at once. All zero when it does not run.
    pub async fn stats_once(&self, id: &str) -> Result<Stats> {
        let path = format!(
            "/containers/{}/stats?stream=false&one-shot=true",
            container(id)?
        );
        let raw: RawStats = self
            .wire
            .ask(Call::get(path, format!("measure container {id}")), READ)
            .await?
            .parse()?;
        Ok(raw.into())
    }
}

pub(super) fn container(id: &str) -> Result<&str> {
    plain("container", id)
}

/// Whole seconds, rounded up: the engine knows no others.
fn seconds(time: Duration) -> String {
    time.as_millis().div_ceil(1000).to_string()
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawStats {
    read: String,
    memory_stats: Option<RawMemory>,
    cpu_stats: Option<RawCpu>,
    pids_stats: Option<RawPids>,
    networks: Option<std::collections::HashMap<String, RawNetwork>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawMemory {
    usage: u64,
    limit: u64,
    stats: Option<std::collections::HashMap<String, u64>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawCpu {
    cpu_usage: RawUsage,
    system_cpu_usage: u64,
    online_cpus: u32,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawUsage {
    total_usage: u64,
    percpu_usage: Option<Vec<u64>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawPids {
    current: Option<u64>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawNetwork {
    rx_bytes: u64,
    tx_bytes: u64,
}

impl From<RawStats> for Stats {
    fn from(raw: RawStats) -> Self {
        let memory = raw.memory_stats.unwrap_or_default();
        let cpu = raw.cpu_stats.unwrap_or_default();
        let networks = raw.networks.unwrap_or_default();
        let detail = memory.stats.unwrap_or_default();
        // Cgroups v1 and v2 name it differently; the docker command subtracts the same.
        let droppable = detail
            .get("total_inactive_file")
            .or_else(|| detail.get("inactive_file"))
            .copied()
            .filter(|cache| *cache < memory.usage)
            .unwrap_or(0);
        let cores = cpu.cpu_usage.percpu_usage.as_ref().map_or(0, Vec::len) as u32;
        Stats {
            memory_used: memory.usage - droppable,
            memory_limit: memory.limit,
            cpu_total_ns: cpu.cpu_usage.total_usage,
            system_ns: cpu.system_cpu_usage,
            online_cpus: if cpu.online_cpus > 0 {
                cpu.online_cpus
            } else {
                cores
            },
            pids: raw.pids_stats.and_then(|pids| pids.current).unwrap_or(0),
            net_rx: networks.values().map(|network| network.rx_bytes).sum(),
            net_tx: networks.values().map(|network| network.tx_bytes).sum(),
            // A container that does not run was read in the year 1.
            read_at: chrono::DateTime::parse_from_rfc3339(&raw.read)
                .map_or(0, |read| read.timestamp_millis().max(0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stats_of_both_cgroup_versions_and_of_nothing() {
        let read = |text: &str| Stats::from(serde_json::from_str::<RawStats>(text).unwrap());
        let v1 = read(
            r#"{"read":"2026-11-21T21:46:10.5Z","memory_stats":{"usage":100,"limit":1000,"stats":{"total_inactive_file":40,"inactive_file":1}},
                "cpu_stats":{"cpu_usage":{"total_usage":7,"percpu_usage":[3,4]},"system_cpu_usage":70},
                "pids_stats":{"current":3},"networks":{"eth0":{"rx_bytes":1,"tx_bytes":2},"eth1":{"rx_bytes":10,"tx_bytes":20}}}"#,
        );
        assert_eq!(
            v1,
            Stats {
                memory_used: 60,
                memory_limit: 1000,
                cpu_total_ns: 7,
                system_ns: 70,
                online_cpus: 2,
                pids: 3,
                net_rx: 11,
                net_tx: 22,
                read_at: 1_795_297_570_500,
            }
        );
        let v2 = read(
            r#"{"memory_stats":{"usage":100,"stats":{"inactive_file":30}},"cpu_stats":{"online_cpus":8}}"#,
        );
        assert_eq!((v2.memory_used, v2.online_cpus), (70, 8));
        let stopped = read(
            r#"{"read":"0001-01-01T00:00:00Z","pids_stats":{},"memory_stats":{},"cpu_stats":{"cpu_usage":{}}}"#,
        );
        assert_eq!(stopped, Stats::default());
    }

    #[test]
    fn a_name_is_never_more_than_a_name() {
        for name in [
            "", ".", "..", "a/b", "a b", "a%2fb", "a?b", "-a", "é", "a\n",
        ] {
            assert!(container(name).is_err(), "{name:?}");
        }
        for name in ["a", "ostler-x_y.1", "0123456789abcdef"] {
            assert!(container(name).is_ok(), "{name:?}");
        }
    }
}

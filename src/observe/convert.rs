//! From the engine's answers to observations. Pure, and nothing an answer lacks is an error.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use bollard::models::{ContainerInspectResponse, HostConfig, Network};

use super::made;
use super::model::{Inspected, ObservedContainer, ObservedNetwork, RunState};
use super::whose::of_any;
use crate::engine::{ListedContainer, ListedImage};
use crate::fleet::{Limits, Subnet};
use crate::record::{Labelled, names};

/// One row of the list.
pub fn container(row: ListedContainer) -> ObservedContainer {
    let mut addresses: BTreeMap<String, Ipv4Addr> = row
        .networks
        .iter()
        .filter_map(|(name, n)| Some((name.clone(), n.address()?.parse().ok()?)))
        .collect();
    // A container that was never started may not tell the address it was created with. That was in
    // the network of its fleet. A copy has the label too, in another network or under another name.
    let is_ours = of_any(&row.labels, row.name()).is_some();
    let fleet = row.labels.fleet().and_then(|fleet| fleet.parse().ok());
    if let (Some(asked), Some(fleet)) = (row.labels.asked_address(), fleet) {
        let network = names::network(&fleet);
        if is_ours && row.networks.len() == 1 && row.networks.contains_key(&network) {
            addresses.entry(network).or_insert(asked);
        }
    }
    let mut published: Vec<(u16, String)> = row
        .ports
        .iter()
        .filter_map(|p| Some((p.public_port?, p.protocol.clone())))
        .collect();
    published.sort();
    published.dedup();
    let mut listens: BTreeMap<u16, Option<u16>> = BTreeMap::new();
    for port in row.ports.iter().filter(|p| p.protocol == "tcp") {
        let near = matches!(port.ip.as_str(), "0.0.0.0" | "127.0.0.1");
        let here = listens.entry(port.private_port).or_default();
        *here = here.or(port.public_port.filter(|_| near));
    }
    ObservedContainer {
        name: row.name().to_owned(),
        id: row.id,
        image: row.image,
        image_id: row.image_id,
        labels: row.labels,
        run: run_state(&row.state),
        status: row.status,
        created: row.created,
        addresses,
        network_mode: row.network_mode,
        published,
        listens,
        inspected: None,
    }
}

/// The engine's word for what a container is doing. An unknown word counts as not running.
pub fn run_state(word: &str) -> RunState {
    match word {
        "running" => RunState::Running,
        "paused" => RunState::Paused,
        "restarting" => RunState::Restarting,
        "exited" | "stopping" => RunState::Exited,
        "removing" => RunState::Removing,
        "dead" => RunState::Dead,
        _ => RunState::Created,
    }
}

/// What only an inspect tells; the environment of foreign containers only.
pub fn inspected(answer: &ContainerInspectResponse, engine: &str, foreign: bool) -> Inspected {
    let host = answer.host_config.as_ref();
    let positive = |n: Option<i64>| n.and_then(|n| u64::try_from(n).ok()).filter(|n| *n > 0);
    let state = answer.state.as_ref();
    let time = |t: Option<&String>| {
        t.filter(|t| !t.is_empty() && !t.starts_with("0001-"))
            .cloned()
    };
    let env = answer.config.as_ref().and_then(|c| c.env.as_ref());
    let env = env.filter(|_| foreign);
    Inspected {
        limits: Limits {
            memory: positive(host.and_then(|h| h.memory)),
            nano_cpus: positive(host.and_then(|h| h.nano_cpus)),
            pids: positive(host.and_then(|h| h.pids_limit)).and_then(|n| u32::try_from(n).ok()),
        },
        restarts: positive(answer.restart_count).unwrap_or_default(),
        oom_killed: state.and_then(|s| s.oom_killed).unwrap_or_default(),
        exit_code: state.and_then(|s| s.exit_code),
        started_at: time(state.and_then(|s| s.started_at.as_ref())),
        finished_at: time(state.and_then(|s| s.finished_at.as_ref())),
        health: state
            .and_then(|s| s.health.as_ref())
            .and_then(|h| h.status)
            .map(|s| s.to_string())
            .filter(|s| !s.is_empty() && s != "none"),
        env: env
            .into_iter()
            .flatten()
            .filter_map(|line| line.split_once('='))
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .collect(),
        bound: bound(host.filter(|_| foreign)),
        restart: made::restart(answer),
        made: made::made(answer, engine),
    }
}

/// See [`Inspected::bound`]. A range, 0 or nothing as the host's port: Docker picks one.
fn bound(host: Option<&HostConfig>) -> BTreeMap<u16, u16> {
    let near = |ip: Option<&str>| matches!(ip.unwrap_or_default(), "" | "0.0.0.0" | "127.0.0.1");
    let mut bound = BTreeMap::new();
    for (own, bindings) in host
        .and_then(|h| h.port_bindings.as_ref())
        .into_iter()
        .flatten()
    {
        let own = match own.split_once('/') {
            Some((port, "tcp")) => port,
            Some(_) => continue,
            None => own,
        };
        let bindings = bindings.iter().flatten();
        let named = bindings
            .filter(|b| near(b.host_ip.as_deref()))
            .filter_map(|b| b.host_port.as_deref()?.parse().ok())
            .find(|port| *port > 0);
        if let (Ok(own), Some(port)) = (own.parse::<u16>(), named) {
            bound.insert(own, port);
        }
    }
    bound
}

pub fn network(answer: Network) -> ObservedNetwork {
    let options = answer.options.unwrap_or_default();
    ObservedNetwork {
        id: answer.id.unwrap_or_default(),
        name: answer.name.unwrap_or_default(),
        labels: answer.labels.unwrap_or_default().into_iter().collect(),
        subnets: answer
            .ipam
            .and_then(|i| i.config)
            .unwrap_or_default()
            .iter()
            .filter_map(|c| subnet(c.subnet.as_deref()?))
            .collect(),
        icc: options
            .get("com.docker.network.bridge.enable_icc")
            .is_none_or(|v| v != "false"),
        ipv6: answer.enable_ipv6.unwrap_or_default(),
    }
}

/// An IPv4 subnet of whatever size. A smaller one than a fleet may have is widened: what overlaps
/// it must still be seen to overlap.
fn subnet(text: &str) -> Option<Subnet> {
    let (base, prefix) = text.split_once('/')?;
    let base: Ipv4Addr = base.parse().ok()?;
    let prefix: u8 = prefix.parse::<u8>().ok()?.clamp(8, 28);
    let mask = u32::MAX << (32 - u32::from(prefix));
    Some(Subnet {
        base: Ipv4Addr::from(u32::from(base) & mask),
        prefix,
    })
}

/// Every reference that the host knows an image by.
pub fn images(list: Vec<ListedImage>) -> BTreeMap<String, String> {
    let mut known = BTreeMap::new();
    for image in list {
        for name in image.tags.into_iter().chain(image.digests) {
            known.insert(name, image.id.clone());
        }
        known.insert(image.id.clone(), image.id);
    }
    known
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::whose::is_foreign;
    use serde_json::json;

    fn row(value: serde_json::Value) -> ObservedContainer {
        container(serde_json::from_value(value).unwrap())
    }

    #[test]
    fn a_running_site() {
        let c = row(json!({
            "Id": "aa11", "Names": ["/adam/web", "/ostler-x-1234567890"], "Image": "nginx:1.28",
            "ImageID": "sha256:1", "State": "running", "Status": "Up 3 minutes",
            "Created": 1_700_000_000, "Labels": {"ostler.fleet": "x", "ostler.site": "blog"},
            "NetworkSettings": {"Networks": {"ostler-x": {
                "IPAMConfig": {"IPv4Address": "10.90.0.10"}, "IPAddress": "10.90.0.10"}}},
        }));
        assert_eq!(c.name, "ostler-x-1234567890");
        assert!(c.is_running());
        assert_eq!(c.addresses["ostler-x"], Ipv4Addr::new(10, 90, 0, 10));
    }

    #[test]
    fn a_container_that_never_ran_holds_the_address_it_asked_for() {
        let name = names::site(&"x".parse().unwrap(), "blog");
        let labels = json!({"ostler.fleet": "x", "ostler.role": "site", "ostler.site": "blog",
            "ostler.address": "10.90.0.12"});
        let c = row(json!({
            "Id": "aa", "Names": [format!("/{name}")], "State": "created",
            "Labels": labels.clone(),
            "NetworkSettings": {"Networks": {"ostler-x": {"IPAddress": ""}}},
        }));
        assert_eq!(c.addresses["ostler-x"], Ipv4Addr::new(10, 90, 0, 12));
        assert_eq!(c.run, RunState::Created);
        // A copy of it asked for none, wherever it is.
        for (called, network) in [
            ("copy", "bridge"),
            (name.as_str(), "bridge"),
            ("copy", "ostler-x"),
        ] {
            let c = row(json!({
                "Id": "bb", "Names": [format!("/{called}")], "State": "exited",
                "Labels": labels.clone(),
                "NetworkSettings": {"Networks": {network: {"IPAddress": "", "IPAMConfig": null}}},
            }));
            assert!(c.addresses.is_empty(), "{called} in {network}");
        }
    }

    #[test]
    fn published_ports_are_told_once() {
        let c = row(json!({"Ports": [
            {"IP": "0.0.0.0", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"},
            {"IP": "::", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"},
            {"PrivatePort": 9000, "Type": "tcp"}]}));
        assert_eq!(c.published, vec![(8080, "tcp".to_owned())]);
        assert!(is_foreign(&c));
    }

    #[test]
    fn an_inspect_tells_limits_and_the_end() {
        let answer: ContainerInspectResponse = serde_json::from_value(json!({
            "RestartCount": 3,
            "State": {"Status": "exited", "ExitCode": 137, "OOMKilled": true,
                "StartedAt": "2026-11-21T10:00:00Z", "FinishedAt": "0001-01-01T00:00:00Z"},
            "HostConfig": {"Memory": 134_217_728, "NanoCpus": 0, "PidsLimit": 64},
            "Config": {"Env": ["A=b=c", "odd"]},
        }))
        .unwrap();
        let found = inspected(&answer, "28.2.2", true);
        assert_eq!(found.limits.memory, Some(134_217_728));
        assert_eq!(
            (found.limits.nano_cpus, found.limits.pids),
            (None, Some(64))
        );
        assert_eq!((found.restarts, found.exit_code), (3, Some(137)));
        assert!(found.oom_killed && found.finished_at.is_none());
        assert_eq!(found.env["A"], "b=c");
        assert_eq!(
            inspected(&ContainerInspectResponse::default(), "", true)
                .env
                .len(),
            0
        );
    }

    #[test]
    fn only_ports_that_bindings_name_are_bound() {
        let answer: ContainerInspectResponse = serde_json::from_value(json!({
            "HostConfig": {"PortBindings": {
                "80/tcp": [{"HostIp": "127.0.0.1", "HostPort": ""}],
                "81/tcp": [{"HostIp": "10.0.0.1", "HostPort": "81"}, {"HostIp": "", "HostPort": "8081"}],
                "82/tcp": [{"HostIp": "0.0.0.0", "HostPort": "0"}],
                "83/tcp": [{"HostIp": "", "HostPort": "9000-9010"}],
                "84/udp": [{"HostIp": "", "HostPort": "8084"}],
                "85": [{"HostPort": "8085"}],
                "86/tcp": null,
                "87/tcp": [{"HostIp": "::1", "HostPort": "8087"}],
            }},
        }))
        .unwrap();
        let found = inspected(&answer, "28.2.2", true);
        assert_eq!(found.bound, [(81, 8081), (85, 8085)].into());
    }

    #[test]
    fn networks_of_any_size_are_seen() {
        let n = network(
            serde_json::from_value(json!({
                "Id": "1", "Name": "n", "EnableIPv6": true,
                "IPAM": {"Config": [{"Subnet": "10.90.0.8/30"}, {"Subnet": "fd00::/64"}]},
                "Options": {"com.docker.network.bridge.enable_icc": "false"},
            }))
            .unwrap(),
        );
        assert_eq!(n.subnets, vec!["10.90.0.0/28".parse().unwrap()]);
        assert!(!n.icc && n.ipv6);
        assert!(network(Network::default()).icc);
    }
}

//! What a simulated engine has besides containers: images, networks, and its machine.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::image::Image;
use super::network::{Network, Subnet};
use super::random;
use super::world::{Refusal, World, refuse};

impl World {
    /// The image of that name or id.
    pub fn image(&self, name: &str) -> Option<&Image> {
        self.images.iter().find(|image| image.is(name))
    }

    /// Adds an image; its tags are taken from those that had them.
    pub fn add_image(&mut self, now: i64, image: Image) {
        for other in &mut self.images {
            other.tags.retain(|tag| !image.tags.contains(tag));
        }
        let used: Vec<String> = self
            .containers
            .values()
            .map(|container| container.image_id.clone())
            .collect();
        self.images.retain(|other| {
            other.id != image.id && (!other.tags.is_empty() || used.contains(&other.id))
        });
        let name = image.tags.first().cloned().unwrap_or_default();
        let attributes = BTreeMap::from([("name".to_owned(), name)]);
        self.emit(now, "image", "tag", &image.id.clone(), attributes);
        self.images.push(image);
    }

    /// Creates a network and returns its id.
    pub fn create_network(&mut self, now: i64, body: &Value) -> Result<String, Refusal> {
        let name = body.get("Name").and_then(Value::as_str).unwrap_or_default();
        if name.is_empty() {
            return refuse(400, "network name cannot be empty");
        }
        if self.networks.iter().any(|network| network.name == name) {
            return refuse(409, format!("network with name {name} already exists"));
        }
        let asked = body
            .pointer("/IPAM/Config/0/Subnet")
            .and_then(Value::as_str);
        let subnet = match asked.map(|text| (text, Subnet::read(text))) {
            Some((text, None)) => {
                return refuse(
                    400,
                    format!(
                        "failed to parse pool request for address space \"LocalDefault\" pool \"{text}\""
                    ),
                );
            }
            Some((_, Some(subnet))) if self.overlaps(subnet) => {
                return refuse(403, "Pool overlaps with other one on this address space");
            }
            Some((_, subnet)) => subnet,
            None => (18..32)
                .filter_map(|second| Subnet::read(&format!("172.{second}.0.0/16")))
                .find(|subnet| !self.overlaps(*subnet)),
        };
        let object = |key: &str| {
            body.get(key)
                .and_then(Value::as_object)
                .cloned()
                .unwrap_or_default()
        };
        let serial = self.next_serial();
        let id = random::id(self.seed, "network", serial);
        self.networks.push(Network {
            id: id.clone(),
            name: name.to_owned(),
            created: now,
            driver: body
                .get("Driver")
                .and_then(Value::as_str)
                .unwrap_or("bridge")
                .to_owned(),
            subnet,
            options: object("Options"),
            labels: object("Labels"),
        });
        let attributes = BTreeMap::from([
            ("name".to_owned(), name.to_owned()),
            ("type".to_owned(), "bridge".to_owned()),
        ]);
        self.emit(now, "network", "create", &id, attributes);
        Ok(id)
    }

    fn overlaps(&self, subnet: Subnet) -> bool {
        self.networks
            .iter()
            .filter_map(|network| network.subnet)
            .any(|other| other.overlaps(subnet))
    }

    /// The network of that name or id.
    pub fn network(&self, name: &str) -> Result<&Network, Refusal> {
        let found = self
            .networks
            .iter()
            .find(|network| network.name == name || network.id.starts_with(name));
        match found {
            Some(network) => Ok(network),
            None => refuse(404, format!("network {name} not found")),
        }
    }

    pub fn remove_network(&mut self, now: i64, name: &str) -> Result<(), Refusal> {
        let network = self.network(name)?.clone();
        if matches!(network.name.as_str(), "bridge" | "host" | "none") {
            return refuse(
                403,
                format!(
                    "{} is a pre-defined network and cannot be removed",
                    network.name
                ),
            );
        }
        let busy = self.containers.values().any(|container| {
            container.is_running() && container.endpoints.contains_key(&network.name)
        });
        if busy {
            return refuse(
                403,
                format!(
                    "error while removing network: network {} id {} has active endpoints",
                    network.name, network.id
                ),
            );
        }
        self.networks.retain(|other| other.id != network.id);
        let attributes = BTreeMap::from([
            ("name".to_owned(), network.name),
            ("type".to_owned(), network.driver),
        ]);
        self.emit(now, "network", "destroy", &network.id, attributes);
        Ok(())
    }

    /// What the engine says about its machine.
    pub fn info(&self, now: i64) -> Value {
        let running = self
            .containers
            .values()
            .filter(|container| container.is_running())
            .count();
        json!({
            "ID": random::id(self.seed, "engine", 0),
            "Name": self.machine.name,
            "Containers": self.containers.len(),
            "ContainersRunning": running,
            "ContainersPaused": 0,
            "ContainersStopped": self.containers.len() - running,
            "Images": self.images.len(),
            "Driver": "overlay2",
            "MemoryLimit": true,
            "SwapLimit": true,
            "CpuCfsPeriod": true,
            "CpuCfsQuota": true,
            "PidsLimit": true,
            "IPv4Forwarding": true,
            "SystemTime": super::clock::rfc3339(now),
            "LoggingDriver": "json-file",
            "CgroupDriver": "systemd",
            "CgroupVersion": "2",
            "KernelVersion": "6.12.0",
            "OperatingSystem": "Debian GNU/Linux 13 (trixie)",
            "OSType": "linux",
            "Architecture": "x86_64",
            "NCPU": self.machine.cpus,
            "MemTotal": self.machine.memory,
            "DockerRootDir": "/var/lib/docker",
            "ServerVersion": self.machine.version,
            "LiveRestoreEnabled": true,
            "SecurityOptions": ["name=apparmor", "name=seccomp,profile=builtin", "name=cgroupns"],
            "Warnings": null,
        })
    }
}

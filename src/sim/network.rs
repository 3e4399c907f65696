//! Simulated networks and their addresses.

use std::net::Ipv4Addr;

use serde_json::{Map, Value, json};

use super::clock::rfc3339;

#[derive(Debug, Clone)]
pub struct Network {
    /// Full id.
    pub id: String,
    pub name: String,
    /// Unix nanoseconds.
    pub created: i64,
    /// `bridge`, `host` or `null`.
    pub driver: String,
    /// Its addresses.
    pub subnet: Option<Subnet>,
    /// `com.docker.network.bridge.enable_icc` and the like.
    pub options: Map<String, Value>,
    pub labels: Map<String, Value>,
}

/// A range of IPv4 addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subnet {
    base: u32,
    length: u8,
}

impl Subnet {
    /// Reads `10.0.0.0/20`.
    pub fn read(text: &str) -> Option<Self> {
        let (base, length) = text.split_once('/')?;
        let (base, length) = (base.parse::<Ipv4Addr>().ok()?, length.parse::<u8>().ok()?);
        (length <= 32).then(|| Subnet {
            base: u32::from(base) & mask(length),
            length,
        })
    }

    /// Whether an address is in it.
    pub fn has(self, ip: Ipv4Addr) -> bool {
        u32::from(ip) & mask(self.length) == self.base
    }

    /// Whether two have an address in common.
    pub fn overlaps(self, other: Subnet) -> bool {
        let mask = mask(self.length.min(other.length));
        self.base & mask == other.base & mask
    }

    /// The addresses for containers: all but the network's, the gateway's and the broadcast.
    pub fn hosts(self) -> impl Iterator<Item = Ipv4Addr> {
        let last = self.base | !mask(self.length);
        (self.base.saturating_add(2)..last).map(Ipv4Addr::from)
    }
}

impl std::fmt::Display for Subnet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", Ipv4Addr::from(self.base), self.length)
    }
}

fn mask(length: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0)
}

impl Network {
    /// The engine's answer about it.
    pub fn detail(&self) -> Value {
        let pools: Vec<Value> = self
            .subnet
            .iter()
            .map(|subnet| json!({ "Subnet": subnet.to_string() }))
            .collect();
        json!({
            "Name": self.name,
            "Id": self.id,
            "Created": rfc3339(self.created),
            "Scope": "local",
            "Driver": self.driver,
            "EnableIPv6": false,
            "IPAM": { "Driver": "default", "Options": {}, "Config": pools },
            "Internal": false,
            "Attachable": false,
            "Ingress": false,
            "ConfigOnly": false,
            "Containers": {},
            "Options": self.options,
            "Labels": self.labels,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subnets_know_their_addresses() {
        let subnet = Subnet::read("10.1.16.9/20").unwrap();
        assert_eq!(subnet.to_string(), "10.1.16.0/20");
        assert!(subnet.has("10.1.31.255".parse().unwrap()));
        assert!(!subnet.has("10.1.32.0".parse().unwrap()));
        assert!(subnet.overlaps(Subnet::read("10.1.0.0/16").unwrap()));
        assert!(!subnet.overlaps(Subnet::read("10.1.32.0/20").unwrap()));
        assert_eq!(subnet.hosts().next().unwrap().to_string(), "10.1.16.2");
        assert!(
            Subnet::read("10.0.0.0/0")
                .unwrap()
                .has("1.2.3.4".parse().unwrap())
        );
        assert!(Subnet::read("x").is_none() && Subnet::read("1.2.3.4/33").is_none());
    }
}

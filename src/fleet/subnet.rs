//! An IPv4 network, as a host's sites have one.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::name::Invalid;

/// An IPv4 network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Subnet {
    /// The network address (host bits are zero).
    pub base: Ipv4Addr,
    /// Prefix length, 8 to 28.
    pub prefix: u8,
}

impl Subnet {
    /// Where the search for a free network begins, unless the fleet file says otherwise.
    pub const FIRST: Subnet = Subnet {
        base: Ipv4Addr::new(10, 90, 0, 0),
        prefix: 20,
    };

    const LOOPBACK: Subnet = Subnet {
        base: Ipv4Addr::new(127, 0, 0, 0),
        prefix: 8,
    };
    const LINK_LOCAL: Subnet = Subnet {
        base: Ipv4Addr::new(169, 254, 0, 0),
        prefix: 16,
    };
    /// Addresses below this one are kept for what is not a site.
    pub const SITES_FROM: u32 = 10;
    /// A Linux bridge takes 1,023 ports; a few are left to others.
    pub const MEMBERS: usize = 1020;

    /// How many sites there is room for, with one place left in which they are replaced.
    pub fn room(&self) -> usize {
        // The last address is for all of them.
        let addresses = (1usize << (32 - u32::from(self.prefix))) - 1;
        let all = addresses.saturating_sub(Subnet::SITES_FROM as usize);
        all.min(Subnet::MEMBERS).saturating_sub(1)
    }

    /// The address `n` above the base; `None` outside the network (broadcast included).
    pub fn address(&self, n: u32) -> Option<Ipv4Addr> {
        let size = 1u32 << (32 - u32::from(self.prefix));
        (n > 0 && n + 1 < size).then(|| Ipv4Addr::from(u32::from(self.base) + n))
    }
    /// The gateway: the first address.
    pub fn gateway(&self) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(self.base) + 1)
    }
    /// Whether `ip` lies in it.
    pub fn contains(&self, ip: Ipv4Addr) -> bool {
        u32::from(ip) >> (32 - self.prefix) == u32::from(self.base) >> (32 - self.prefix)
    }
    /// Whether the two share an address.
    pub fn overlaps(&self, other: &Subnet) -> bool {
        let prefix = self.prefix.min(other.prefix);
        u32::from(self.base) >> (32 - prefix) == u32::from(other.base) >> (32 - prefix)
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.prefix)
    }
}

impl FromStr for Subnet {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let bad = || Invalid("a subnet is written like 10.90.0.0/20 (prefix 8 to 28)".into());
        let (base, prefix) = text.split_once('/').ok_or_else(bad)?;
        let base: Ipv4Addr = base.parse().map_err(|_| bad())?;
        let prefix: u8 = prefix.parse().map_err(|_| bad())?;
        if !(8..=28).contains(&prefix) {
            return Err(bad());
        }
        let mask = u32::MAX << (32 - u32::from(prefix));
        if u32::from(base) & !mask != 0 {
            let right = Ipv4Addr::from(u32::from(base) & mask);
            return Err(Invalid(format!(
                "host bits are set; the network is {right}/{prefix}"
            )));
        }
        let subnet = Subnet { base, prefix };
        let bounds = [base, Ipv4Addr::from(u32::from(base) | !mask)];
        // What is left of the whole is for single machines somewhere, or for those here.
        let usable = |ip: Ipv4Addr| {
            !(ip.octets()[0] == 0
                || ip.is_loopback()
                || ip.is_link_local()
                || ip.octets()[0] >= 224)
        };
        let kept = [Subnet::LOOPBACK, Subnet::LINK_LOCAL];
        if !bounds.into_iter().all(usable) || kept.iter().any(|kept| kept.overlaps(&subnet)) {
            return Err(Invalid(
                "its addresses are kept for other uses; take one of 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16".into(),
            ));
        }
        Ok(subnet)
    }
}

impl TryFrom<String> for Subnet {
    type Error = Invalid;
    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}
impl From<Subnet> for String {
    fn from(it: Subnet) -> String {
        it.to_string()
    }
}

//! Addresses that are trusted together: a network of either family, or one address.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::name::Invalid;
use super::subnet::Subnet;

/// A network, or one address, which is one of full length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Network {
    /// The network address (host bits are zero).
    base: IpAddr,
    prefix: u8,
}

impl Network {
    /// The shortest prefix of IPv4: what is wider is nobody's own.
    const LEAST_V4: u8 = 8;
    /// The same of IPv6; `fc00::/7` is what private networks are made of.
    const LEAST_V6: u8 = 7;

    /// Whether all of `other` lies in it.
    pub fn covers(&self, other: &Network) -> bool {
        self.base.is_ipv4() == other.base.is_ipv4()
            && self.prefix <= other.prefix
            && masked(other.base, self.prefix) == self.base
    }

    /// Whether it is of the host's own addresses for itself, or has some of them.
    pub fn is_loopback(&self) -> bool {
        self.base.is_loopback()
            || self.covers(&Network {
                base: Ipv6Addr::LOCALHOST.into(),
                prefix: 128,
            })
    }

    fn length(base: IpAddr) -> u8 {
        if base.is_ipv4() { 32 } else { 128 }
    }
}

/// An address without what stands behind its first bits.
fn masked(ip: IpAddr, prefix: u8) -> IpAddr {
    let prefix = u32::from(prefix);
    match ip {
        IpAddr::V4(ip) => {
            let mask = u32::MAX.checked_shl(32 - prefix).unwrap_or(0);
            Ipv4Addr::from(u32::from(ip) & mask).into()
        }
        IpAddr::V6(ip) => {
            let mask = u128::MAX.checked_shl(128 - prefix).unwrap_or(0);
            Ipv6Addr::from(u128::from(ip) & mask).into()
        }
    }
}

impl From<Subnet> for Network {
    fn from(subnet: Subnet) -> Network {
        Network {
            base: subnet.base.into(),
            prefix: subnet.prefix,
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.prefix == Network::length(self.base) {
            true => write!(f, "{}", self.base),
            false => write!(f, "{}/{}", self.base, self.prefix),
        }
    }
}

impl FromStr for Network {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let bad = || Invalid("an address or a network, such as 192.0.2.7 or 2001:db8::/32".into());
        let (base, prefix) = match text.split_once('/') {
            Some((base, prefix)) => (base, Some(prefix)),
            None => (text, None),
        };
        let base: IpAddr = base.parse().map_err(|_| bad())?;
        if let IpAddr::V6(ip) = base
            && let Some(ip) = ip.to_ipv4_mapped()
        {
            return Err(Invalid(format!("written as IPv4: {ip}")));
        }
        let length = Network::length(base);
        let prefix = match prefix {
            // No sign and no leading zero: what `u8` reads more freely.
            Some(text) => match text.parse::<u8>() {
                Ok(prefix) if prefix <= length && text == prefix.to_string() => prefix,
                _ => return Err(bad()),
            },
            None => length,
        };
        let right = masked(base, prefix);
        if right != base {
            return Err(Invalid(format!(
                "host bits are set; the network is {right}/{prefix}"
            )));
        }
        let least = match base {
            IpAddr::V4(_) => Network::LEAST_V4,
            IpAddr::V6(_) => Network::LEAST_V6,
        };
        if prefix < least {
            return Err(Invalid(format!(
                "this trusts strangers, who could then claim any address; /{least} is the widest"
            )));
        }
        Ok(Network { base, prefix })
    }
}

impl TryFrom<String> for Network {
    type Error = Invalid;
    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}
impl From<Network> for String {
    fn from(it: Network) -> String {
        it.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Network {
        text.parse().unwrap_or_else(|e| panic!("{text}: {e:?}"))
    }

    #[test]
    fn networks_are_written_in_one_way() {
        for (text, written) in [
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("192.0.2.7", "192.0.2.7"),
            ("192.0.2.7/32", "192.0.2.7"),
            ("2001:DB8:0::/32", "2001:db8::/32"),
            ("::1/128", "::1"),
            ("fc00::/7", "fc00::/7"),
        ] {
            assert_eq!(read(text).to_string(), written, "{text}");
        }
    }

    #[test]
    fn what_is_no_network_or_everybody_is_refused() {
        for (text, why) in [
            ("0.0.0.0/0", "trusts strangers"),
            ("128.0.0.0/1", "trusts strangers"),
            ("::/0", "trusts strangers"),
            ("2000::/3", "trusts strangers"),
            ("10.1.2.3/8", "the network is 10.0.0.0/8"),
            ("2001:db8::1/32", "the network is 2001:db8::/32"),
            ("::ffff:192.0.2.7", "written as IPv4: 192.0.2.7"),
            ("10.0.0.0/33", "such as"),
            ("10.0.0.0/+8", "such as"),
            ("10.0.0.0/08", "such as"),
            ("10.0.0", "such as"),
            ("proxy.example.net", "such as"),
            ("10.0.0.0/8 x", "such as"),
            ("fe80::1%eth0", "such as"),
            ("", "such as"),
        ] {
            let Err(Invalid(said)) = text.parse::<Network>() else {
                panic!("{text} was taken");
            };
            assert!(said.contains(why), "{text}: {said}");
        }
    }

    #[test]
    fn what_lies_in_what() {
        assert!(read("10.0.0.0/8").covers(&read("10.90.0.0/20")));
        assert!(read("10.90.0.5").covers(&read("10.90.0.5")));
        assert!(!read("10.90.0.0/20").covers(&read("10.0.0.0/8")));
        assert!(!read("fc00::/7").covers(&read("10.0.0.0/8")));
        assert!(read("127.0.0.1").is_loopback() && read("::1").is_loopback());
        assert!(!read("10.0.0.0/8").is_loopback());
    }
}

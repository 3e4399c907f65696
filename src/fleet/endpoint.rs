//! Where a service of another machine listens.

use std::fmt;

use serde::Serialize;

use super::name::Invalid;
use super::value::{host_and_port, invalid};

/// A machine's name or address, and a port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Endpoint {
    /// Name or address; IPv6 without brackets.
    pub host: String,
    pub port: u16,
}

impl Endpoint {
    /// Reads `host` or `host:port`; an address of IPv6 stands in brackets where a port follows.
    ///
    /// # Errors
    /// It is neither.
    pub fn parse(text: &str, usual: u16) -> Result<Self, Invalid> {
        if let Some((_, rest)) = text.split_once("://") {
            return invalid(format!("write the name or address only: {rest}"));
        }
        let (host, port) = match text.parse::<std::net::Ipv6Addr>() {
            Ok(_) => (text, None),
            Err(_) => host_and_port(text)?,
        };
        Ok(Endpoint {
            host: host.to_owned(),
            port: port.unwrap_or(usual),
        })
    }

    /// As a file has it where another port is the usual one.
    pub fn written(&self, usual: u16) -> String {
        match self.port == usual {
            true => self.host.clone(),
            false => self.to_string(),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_port_is_not_written() {
        for (text, shown, written) in [
            ("ns.example", "ns.example:53", "ns.example"),
            ("ns.example:5353", "ns.example:5353", "ns.example:5353"),
            ("2001:db8::53", "[2001:db8::53]:53", "2001:db8::53"),
            (
                "[2001:db8::53]:54",
                "[2001:db8::53]:54",
                "[2001:db8::53]:54",
            ),
        ] {
            let read = Endpoint::parse(text, 53).unwrap();
            assert_eq!(
                (read.to_string(), read.written(53)),
                (shown.into(), written.into())
            );
            assert_eq!(Endpoint::parse(&read.written(53), 53), Ok(read));
        }
        for wrong in [
            "",
            "a b",
            "ns.example:0",
            "ns.example:x",
            "udp://ns.example",
        ] {
            assert!(Endpoint::parse(wrong, 53).is_err(), "{wrong}");
        }
    }
}

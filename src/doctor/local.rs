//! What the machine itself says, where the engine runs on this one: `/proc/net` and `df`.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::process::Command;

use crate::fleet::Subnet;

/// A socket that listens for TCP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listening {
    /// Address it is bound to.
    pub address: IpAddr,
    pub port: u16,
    /// The process behind it, where this user may know: `nginx (pid 812)`.
    pub process: Option<String>,
}

/// A route of the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostRoute {
    /// Where it leads; the default route is not among them.
    pub subnet: Subnet,
    /// Network interface.
    pub interface: String,
}

/// Space of a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// Bytes in all.
    pub size: u64,
    /// Bytes that can still be written.
    pub free: u64,
    /// Inodes: all and free; `None` where the file system does not count them.
    pub inodes: Option<(u64, u64)>,
}

/// Where a cloud tells a machine about itself.
pub const METADATA_ADDRESS: &str = "169.254.169.254";

/// Whether something answers there.
pub async fn metadata() -> bool {
    let connecting = tokio::net::TcpStream::connect((METADATA_ADDRESS, 80));
    let limit = std::time::Duration::from_millis(500);
    matches!(tokio::time::timeout(limit, connecting).await, Ok(Ok(_)))
}

/// The name of this machine, as an engine on it would tell it.
pub fn hostname() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    Some(name.trim().to_owned())
}

/// All sockets that listen for TCP.
pub fn listening() -> Vec<Listening> {
    let mut found = Vec::new();
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        let text = std::fs::read_to_string(table).unwrap_or_default();
        found.extend(parse_tcp(&text));
    }
    let processes = processes();
    found
        .into_iter()
        .map(|(address, port, inode)| Listening {
            address,
            port,
            process: processes.get(&inode).cloned(),
        })
        .collect()
}

/// Rows of `/proc/net/tcp` or `tcp6` in the state LISTEN: address, port, inode.
pub fn parse_tcp(text: &str) -> Vec<(IpAddr, u16, u64)> {
    const LISTEN: &str = "0A";
    let row = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        if *fields.get(3)? != LISTEN {
            return None;
        }
        let (address, port) = fields.get(1)?.split_once(':')?;
        let port = u16::from_str_radix(port, 16).ok()?;
        let inode = fields.get(9)?.parse().ok()?;
        Some((parse_address(address)?, port, inode))
    };
    text.lines().skip(1).filter_map(row).collect()
}

/// The kernel writes addresses as 32-bit words in the machine's own byte order.
fn parse_address(hex: &str) -> Option<IpAddr> {
    let word = |at: usize| {
        let word = u32::from_str_radix(hex.get(at..at + 8)?, 16).ok()?;
        Some(word.to_ne_bytes())
    };
    match hex.len() {
        8 => Some(IpAddr::V4(Ipv4Addr::from(word(0)?))),
        32 => {
            let mut bytes = [0; 16];
            for i in 0..4 {
                bytes[i * 4..][..4].copy_from_slice(&word(i * 8)?);
            }
            Some(IpAddr::V6(Ipv6Addr::from(bytes)))
        }
        _ => None,
    }
}

/// Socket inode → process, for all processes that this user may look into.
fn processes() -> BTreeMap<u64, String> {
    let mut found = BTreeMap::new();
    for process in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let name = process.file_name();
        let Some(pid) = name.to_str().and_then(|n| n.parse::<u32>().ok()) else {
            continue;
        };
        let Ok(descriptors) = std::fs::read_dir(process.path().join("fd")) else {
            continue;
        };
        for descriptor in descriptors.flatten() {
            let Ok(target) = std::fs::read_link(descriptor.path()) else {
                continue;
            };
            let inode = target.to_str().and_then(|t| t.strip_prefix("socket:["));
            let inode = inode.and_then(|t| t.strip_suffix(']')?.parse().ok());
            if let Some(inode) = inode {
                let name = std::fs::read_to_string(process.path().join("comm"));
                let name = name.unwrap_or_default();
                found.insert(inode, format!("{} (pid {pid})", name.trim()));
            }
        }
    }
    found
}

/// Whether packets between containers of one network pass the firewall; `None` where the kernel
/// does not say.
pub fn bridged_packets_filtered() -> Option<bool> {
    let file = "/proc/sys/net/bridge/bridge-nf-call-iptables";
    parse_filtered(&std::fs::read_to_string(file).ok()?)
}

/// `0` or `1`.
pub fn parse_filtered(text: &str) -> Option<bool> {
    match text.trim() {
        "0" => Some(false),
        "1" => Some(true),
        _ => None,
    }
}

/// All IPv4 routes but the default ones.
pub fn routes() -> Vec<HostRoute> {
    parse_routes(&std::fs::read_to_string("/proc/net/route").unwrap_or_default())
}

/// Rows of `/proc/net/route`, without the default routes.
pub fn parse_routes(text: &str) -> Vec<HostRoute> {
    let row = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let word = |at: usize| u32::from_str_radix(fields.get(at)?, 16).ok();
        let mask = u32::from_be_bytes(word(7)?.to_ne_bytes());
        let prefix = mask.leading_ones() as u8;
        (prefix > 0).then_some(())?;
        let base = Ipv4Addr::from(word(1)?.to_ne_bytes());
        Some(HostRoute {
            subnet: Subnet { base, prefix },
            interface: (*fields.first()?).to_owned(),
        })
    };
    text.lines().skip(1).filter_map(row).collect()
}

/// Space of the file system that holds `path`, or its nearest parent that exists.
pub fn space(path: &Path) -> Option<Space> {
    let there = path.ancestors().find(|p| p.exists())?;
    let df = |what| {
        let df = Command::new("df").args([what, "--"]).arg(there).output();
        parse_df(&String::from_utf8_lossy(&df.ok()?.stdout))
    };
    let (size, free) = df("-Pk")?;
    Some(Space {
        size: size * 1024,
        free: free * 1024,
        inodes: df("-Pi").filter(|(all, _)| *all > 0),
    })
}

/// What there is in all, and what of it is free.
fn parse_df(text: &str) -> Option<(u64, u64)> {
    // The device's name may have blanks; the numbers are counted from the share, which is `-` where
    // there are none.
    let fields: Vec<&str> = text.lines().nth(1)?.split_whitespace().collect();
    let share = |field: &&str| field.ends_with('%') || *field == "-";
    let share = fields.iter().position(share)?;
    let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
    Some((number(share.checked_sub(3)?)?, number(share - 1)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_endian = "little")]
    #[test]
    fn listening_sockets_are_read() {
        let v4 = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
            0: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4242 1 0\n\
            1: 0100007F:1F90 0100007F:C000 01 00000000:00000000 00:00000000 00000000     0        0 4243 1 0\n";
        assert_eq!(
            parse_tcp(v4),
            [(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 80, 4242)]
        );
        let v6 = "  sl  local\n\
            0: 00000000000000000000000001000000:01BB 0:0 0A 0:0 0:0 0 0 0 7 1\n";
        assert_eq!(parse_tcp(v6), [(IpAddr::V6(Ipv6Addr::LOCALHOST), 443, 7)]);
    }

    #[cfg(target_endian = "little")]
    #[test]
    fn routes_are_read_without_the_default() {
        let text = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n\
            eth0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n\
            wg0\t0000000A\t00000000\t0001\t0\t0\t0\t000000FF\t0\t0\t0\n";
        let subnet = "10.0.0.0/8".parse().unwrap();
        let interface = "wg0".to_owned();
        assert_eq!(parse_routes(text), [HostRoute { subnet, interface }]);
    }

    #[test]
    fn free_space_is_read() {
        let text = "Filesystem 1024-blocks Used Available Capacity Mounted on\n\
            /dev/my disk 1000 400 500 45% /srv\n";
        assert_eq!(parse_df(text), Some((1000, 500)));
        let none = "Filesystem Inodes IUsed IFree IUse% Mounted on\n/dev/sda 0 0 0 - /srv\n";
        assert_eq!(parse_df(none), Some((0, 0)));
        assert!(space(Path::new("/nowhere/at/all")).is_some());
    }
}

//! The guard of a host: what it keeps sites from, as rules for nftables, and how its container runs.
//!
//! The rules are a table of their own, with chains of their own: what they reject is rejected whatever
//! Docker's chains, a firewall's or an operator's say, and none of those is touched. A packet of a
//! site is known by its source address: sites have no raw sockets to write another.

use crate::fleet::{Name, Ports, Subnet};

/// Where clouds answer for their machines, credentials among the answers: link-local addresses
/// (Amazon, Google, Azure, Hetzner, OpenStack and others), Azure's wire server, Alibaba, Oracle.
pub const METADATA: [&str; 4] = [
    "169.254.0.0/16",
    "168.63.129.16",
    "100.100.100.200",
    "192.0.0.192",
];

/// Capabilities that the guard's container gets back.
pub const CAPABILITIES: [&str; 1] = ["NET_ADMIN"];

/// The rules' table in the kernel.
pub fn table(fleet: &Name) -> String {
    format!("ostler-{fleet}")
}

/// The rules for nftables, which take the place of those before in one step. What a site answers
/// passes; what it began does not, however long ago: a connection from before the rules ends.
///
/// Of the host's own services a site may use the router, by which it reaches itself under its own
/// domain, and name servers: Docker hands a site's questions to those that the host uses, and some
/// clouds have theirs at the metadata address.
pub fn rules(table: &str, subnet: Subnet, ports: Ports) -> String {
    let metadata = METADATA.join(", ");
    let Ports { http, https } = ports;
    format!(
        "table ip {table} {{}}
delete table ip {table}
table ip {table} {{
  chain refuse {{
    meta l4proto tcp reject with tcp reset
    reject with icmp admin-prohibited
  }}
  chain input {{
    type filter hook input priority filter - 5; policy accept;
    ip saddr {subnet} jump host
  }}
  chain host {{
    ct direction reply accept
    ct state related accept
    tcp dport {{ {http}, {https} }} accept
    meta l4proto {{ tcp, udp }} th dport 53 accept
    icmp type echo-request accept
    goto refuse
  }}
  chain forward {{
    type filter hook forward priority filter - 5; policy accept;
    ip saddr {subnet} jump beyond
  }}
  chain beyond {{
    ct direction reply accept
    ct state related accept
    meta l4proto {{ tcp, udp }} th dport 53 accept
    ct status dnat goto refuse
    ip daddr {{ {metadata} }} goto refuse
  }}
}}
"
    )
}

/// The arguments of the `sh` that the guard's container runs. It puts the rules, puts them again
/// where they are gone or changed, and leaves them when it ends: the engine stops it before sites
/// that take their time. SIGUSR1 has it take them away.
pub fn command(fleet: &Name, subnet: Subnet, ports: Ports) -> Vec<String> {
    const KEEP: &str = r#"set -u
table=$1 rules=$2
now() { nft list table ip "$table" 2>/dev/null; }
put() { printf '%s' "$rules" | nft -f - && held=$(now); }
over=
trap 'over=1; nft delete table ip "$table"' USR1
trap 'exit 0' TERM INT
put || exit 1
while :; do
  sleep 10 & wait $!
  if [ -z "$over" ] && [ "$(now)" != "$held" ]; then
    echo "the rules were changed or are gone: put again"
    put || exit 1
  fi
done
"#;
    let table = table(fleet);
    let rules = rules(&table, subnet, ports);
    vec![
        "-c".into(),
        KEEP.into(),
        "ostler-guard".into(),
        table,
        rules,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_name_the_sites_subnet_and_the_routers_ports() {
        let ports = Ports {
            http: 8080,
            https: 8443,
        };
        let fleet: Name = "chatons".parse().unwrap();
        let subnet: Subnet = "10.90.16.0/20".parse().unwrap();
        let argv = command(&fleet, subnet, ports);
        assert_eq!(argv[3], "ostler-chatons");
        let rules = &argv[4];
        assert_eq!(rules.matches("ip saddr 10.90.16.0/20 jump").count(), 2);
        assert!(rules.contains("tcp dport { 8080, 8443 } accept"));
        assert!(rules.starts_with("table ip ostler-chatons {}\ndelete table ip ostler-chatons\n"));
    }
}

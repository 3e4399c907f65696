//! The host itself: its network, its folders, its ports.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bollard::models::{Ipam, IpamConfig, NetworkCreateRequest};

use crate::apply::host_work::HostWork;
use crate::apply::progress::{Answer, Failure};
use crate::fleet::Subnet;
use crate::host::script::{PORTS, TREE};
use crate::host::state;
use crate::observe::whose::{Whose, told};
use crate::record::{Labelled, StateRead};

/// Creates the sites' network, unless this very one is there.
pub async fn network(
    work: &HostWork,
    name: &str,
    subnet: Subnet,
    labels: &BTreeMap<String, String>,
) -> Answer {
    let there = work.client.networks().await?;
    if let Some(found) = there.iter().find(|n| n.name.as_deref() == Some(name)) {
        let found = crate::observe::convert::network(found.clone());
        let same = found.fleet() == labels.fleet()
            && found.subnets == [subnet]
            && !found.icc
            && !found.ipv6;
        return match same {
            true => Ok(Some("it was there already".into())),
            false => Err(Failure::new(format!("another network has the name {name}"))
                .remedy("plan again: the host has changed since")),
        };
    }
    let request = NetworkCreateRequest {
        name: name.to_owned(),
        driver: Some("bridge".into()),
        enable_ipv6: Some(false),
        ipam: Some(Ipam {
            config: Some(vec![IpamConfig {
                subnet: Some(subnet.to_string()),
                gateway: Some(subnet.gateway().to_string()),
                ..IpamConfig::default()
            }]),
            ..Ipam::default()
        }),
        options: Some(HashMap::from([(
            "com.docker.network.bridge.enable_icc".to_owned(),
            "false".to_owned(),
        )])),
        labels: Some(labels.clone().into_iter().collect()),
        ..NetworkCreateRequest::default()
    };
    work.client.create_network(&request).await?;
    Ok(None)
}

/// Makes the root folder's tree and the host's record.
pub async fn prepare(work: &HostWork, expect_empty: bool) -> Answer {
    let root = work.toolbox.layout.root();
    let found = match state::read(&work.toolbox).await? {
        StateRead::Read(found) => found,
        StateRead::Damaged { why } => return Err(Failure::new(why)),
        StateRead::NoToolbox => return Err(Failure::new("there is no toolbox")),
    };
    if let Some(record) = &found.host
        && record.fleet != work.fleet.name.as_str()
    {
        return Err(Failure::new(format!(
            "{root} on this host belongs to the fleet {}",
            record.fleet
        ))
        .remedy("give this fleet another folder: `hosts: … root:`"));
    }
    if expect_empty && (found.host.is_some() || !found.sites.is_empty()) {
        return Err(Failure::new(format!(
            "{root} holds the state of sites that could not be read when this was planned"
        ))
        .remedy("plan again: it can be read now"));
    }
    let folders = work.toolbox.layout.folders();
    let modes: Vec<String> = folders.iter().map(|f| format!("{:o}", f.mode)).collect();
    let mut args = Vec::new();
    for (folder, mode) in folders.iter().zip(&modes) {
        args.extend([mode.as_str(), "0:0", folder.path.as_str()]);
    }
    work.toolbox.run(&TREE, &args, None).await?;
    if found.host.is_none() {
        let record = state::new_host(&work.fleet.name, &work.name)?;
        state::write_host(&work.toolbox, &record, None).await?;
    }
    Ok(None)
}

/// Checks that nothing but our own router listens on its ports.
pub async fn ports(work: &HostWork, ports: &[u16]) -> Answer {
    let out = work.toolbox.run(&PORTS, &[], None).await?;
    let taken: BTreeSet<u16> = listening(&String::from_utf8_lossy(&out))
        .intersection(&ports.iter().copied().collect())
        .copied()
        .collect();
    if taken.is_empty() {
        return Ok(None);
    }
    let ours = own_ports(work).await?;
    let foreign: Vec<String> = taken
        .difference(&ours)
        .map(|port| port.to_string())
        .collect();
    if foreign.is_empty() {
        return Ok(None);
    }
    let list = foreign.join(" and ");
    Err(Failure::new(format!(
        "port {list} of the host is in use by a process outside Docker, or by a container on the \
         host's network"
    ))
    .remedy(format!(
        "`ss -ltnp 'sport = :{}'` on the host names it; stop it, or choose others: `ports: {{ http: …, https: … }}`",
        foreign.first().map(String::as_str).unwrap_or_default()
    )))
}

/// Local ports of listening sockets in the form of `/proc/net/tcp`.
fn listening(table: &str) -> BTreeSet<u16> {
    const LISTEN: &str = "0A";
    table
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace().skip(1);
            let local = words.next()?;
            let state = words.nth(1)?;
            let port = local.rsplit(':').next()?;
            (state == LISTEN)
                .then(|| u16::from_str_radix(port, 16).ok())
                .flatten()
        })
        .collect()
}

/// The ports that our own router listens on, while it runs: those of its configuration.
async fn own_ports(work: &HostWork) -> Result<BTreeSet<u16>, Failure> {
    let fleet = &work.fleet.name;
    let runs =
        work.client.containers().await?.iter().any(|c| {
            told(&c.labels, c.name(), fleet) == Some(Whose::Router) && c.state == "running"
        });
    if !runs {
        return Ok(BTreeSet::new());
    }
    let path = work.toolbox.layout.router_cfg();
    let config = work.toolbox.read(&path).await?.unwrap_or_default();
    Ok(bound(&String::from_utf8_lossy(&config)))
}

fn bound(config: &str) -> BTreeSet<u16> {
    config
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("bind "))
        .flat_map(|rest| rest.split_whitespace().next().unwrap_or("").split(','))
        .filter_map(|address| address.rsplit(':').next()?.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listening_ports_of_both_families() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue
   0: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1
   1: 0100007F:1F90 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 2 1
   0: 00000000000000000000000000000000:01BB 00000000000000000000000000000000:0000 0A 0 0 0 0 3
";
        assert_eq!(listening(table), BTreeSet::from([80, 443]));
        assert!(listening("").is_empty());
    }

    #[test]
    fn the_routers_own_ports() {
        let config =
            "frontend http\n    bind 0.0.0.0:8080\n  bind :::8443,*:8444 v6only ssl\n  # bind :1\n";
        assert_eq!(bound(config), BTreeSet::from([8080, 8443, 8444]));
    }
}

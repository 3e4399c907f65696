//! What would get in the way on a host, judged from what was found. Pure.

use std::net::IpAddr;

use bollard::models::{Network, SystemInfo};

use super::facts::{Facts, Unseen, Witness, subnets, whose};
use super::finding::{Finding, Mark, line};
use super::local::Space;
use super::reach;
use crate::engine::{EngineVersion, ListedContainer};
use crate::fleet::Subnet;
use crate::observe::whose::Whose;
use crate::record::machine::{LOW, OUT};
use crate::text::{percent, size};

/// A Linux bridge takes 1,023 ports.
const BRIDGE_PORTS: usize = 1023;

/// All checks, in the order of what depends on what.
pub fn all(facts: &Facts) -> Vec<Finding> {
    let mut found = vec![engine(&facts.version)];
    found.extend(system(&facts.info));
    found.push(storage(&facts.info));
    found.push(cgroups(&facts.info));
    found.push(users(&facts.info));
    found.push(port(facts, facts.ports.http));
    found.push(port(facts, facts.ports.https));
    found.push(addresses(facts));
    found.extend(isolation(facts));
    found.extend(bridges(facts));
    found.extend(disk(facts));
    found.push(live_restore(&facts.info));
    found.push(exposed_api(facts));
    found.extend(reach::found(facts));
    found.extend(clock(facts));
    found.extend(encryption(facts));
    found
}

impl Unseen {
    fn about(&self, check: &'static str, what: &str) -> Finding {
        line(
            check,
            Mark::Unknown,
            format!("{what} cannot be known: {}", self.why),
        )
        .remedy(self.remedy.clone())
    }
}

fn engine(version: &EngineVersion) -> Finding {
    line(
        "engine",
        Mark::Ok,
        format!(
            "Docker {} on {}/{} speaks API {} to {}; ostler uses {}",
            version.version,
            version.os,
            version.arch,
            version.min_api,
            version.server_api,
            version.api
        ),
    )
}

fn system(info: &SystemInfo) -> Option<Finding> {
    let kind = info.os_type.as_deref().filter(|kind| *kind != "linux")?;
    Some(
        line("system", Mark::Fail, format!("containers run on {kind}"))
            .remedy("sites need an engine that runs Linux containers"),
    )
}

fn storage(info: &SystemInfo) -> Finding {
    let driver = info.driver.as_deref().unwrap_or("unknown");
    let d_type = info.driver_status.iter().flatten().any(|pair| {
        matches!(pair.as_slice(), [name, value] if name.contains("d_type") && value == "false")
    });
    let said = format!("storage driver {driver}");
    match driver {
        _ if d_type => line("storage", Mark::Fail, format!("{said} without d_type"))
            .remedy("put Docker's data on ext4, or on xfs made with ftype=1"),
        "vfs" => line(
            "storage",
            Mark::Warn,
            format!("{said}: every container is a full copy of its image"),
        )
        .remedy("use overlay2: put Docker's data on ext4 or xfs"),
        "devicemapper" | "aufs" | "overlay" => line(
            "storage",
            Mark::Warn,
            format!("{said} is no longer developed"),
        )
        .remedy("move to overlay2 before the next major Docker release"),
        _ => line("storage", Mark::Ok, said),
    }
}

fn cgroups(info: &SystemInfo) -> Finding {
    let version = info
        .cgroup_version
        .as_ref()
        .map_or(String::new(), |v| format!(" v{v}"));
    let said = format!("cgroups{version}");
    let missing = |has: Option<bool>, what: &'static str| (has == Some(false)).then_some(what);
    let lacking: Vec<&str> = [
        missing(info.memory_limit, "memory"),
        missing(info.cpu_cfs_quota, "cpu"),
        missing(info.pids_limit, "pids"),
    ]
    .into_iter()
    .flatten()
    .collect();
    if !lacking.is_empty() {
        let list = lacking.join(", ");
        return line("limits", Mark::Fail, format!("{said} without limits of {list}")).remedy(
            "enable the controllers: `cgroup_enable=memory` on the kernel's command line; for a rootless Docker, delegate them in systemd",
        );
    }
    if info.swap_limit == Some(false) {
        return line(
            "limits",
            Mark::Warn,
            format!("{said}; swap is not limited with memory"),
        )
        .remedy("boot with `cgroup_enable=memory swapaccount=1`, or do without swap");
    }
    line(
        "limits",
        Mark::Ok,
        format!("{said}; memory, cpu and pids can be limited"),
    )
}

fn users(info: &SystemInfo) -> Finding {
    let option = |name: &str| {
        let mut options = info.security_options.iter().flatten();
        options.any(|o| o.split(',').any(|part| part == format!("name={name}")))
    };
    if option("rootless") {
        line("users", Mark::Fail, "Docker runs rootless: sites cannot have user ids of their own, nor the router ports below 1024")
            .remedy("use the machine's own Docker for sites")
    } else if option("userns") {
        line(
            "users",
            Mark::Fail,
            "Docker remaps users: user ids from 200000 up do not exist in its containers",
        )
        .remedy("remove userns-remap from /etc/docker/daemon.json, or use another engine for sites")
    } else {
        line("users", Mark::Ok, "user ids are the machine's own")
    }
}

fn port(facts: &Facts, port: u16) -> Finding {
    let name = "ports";
    let remedy = |found: Finding| {
        found.remedy("stop it, or give this host other ports: `ports: { http: 8080, https: 8443 }`")
    };
    let publishes = |c: &&ListedContainer| {
        let mut ports = c.ports.iter();
        ports.any(|p| p.public_port == Some(port) && p.protocol != "udp")
    };
    if let Some(holder) = facts.containers.iter().find(publishes) {
        let text = format!("{port} is held by the container {}", holder.name());
        return remedy(line(name, Mark::Fail, text));
    }
    let router = facts
        .containers
        .iter()
        .find(|c| c.state == "running" && whose(c, facts.fleet.as_deref()) == Some(Whose::Router));
    let local = match (&facts.local, router) {
        (Ok(local), _) => local,
        (Err(_), Some(router)) => {
            let text = format!("{port}: the router {} runs", router.name());
            return line(name, Mark::Ok, text);
        }
        (Err(unseen), None) => {
            let what =
                format!("{port} is published by no container; whether another process holds it");
            return unseen.about(name, &what);
        }
    };
    let holder = local
        .listening
        .iter()
        .find(|l| l.port == port && !l.address.is_loopback());
    match (holder, router) {
        (None, _) => line(name, Mark::Ok, format!("{port} is free")),
        (Some(l), Some(router)) if l.process.as_ref().is_none_or(|p| p.starts_with("haproxy")) => {
            line(
                name,
                Mark::Ok,
                format!("{port} is held by the router {}", router.name()),
            )
        }
        (Some(l), _) => {
            let nameless = match local.by {
                Witness::Here => "a process of another user",
                Witness::Toolbox => "a process outside Docker (`ss -ltnp` on the host names it)",
            };
            let who = l.process.as_deref().unwrap_or(nameless);
            remedy(line(name, Mark::Fail, format!("{port} is held by {who}")))
        }
    }
}

/// Networks of Docker and routes of the machine that claim the same addresses.
fn addresses(facts: &Facts) -> Finding {
    let name = "addresses";
    let local = match &facts.local {
        Ok(local) => local,
        Err(unseen) => {
            return unseen.about(name, "whether a network covers a route of the machine");
        }
    };
    let docker_made = |interface: &str| {
        interface.starts_with("br-")
            || interface.starts_with("docker")
            || interface.starts_with("veth")
    };
    let bridges: Vec<&str> = facts
        .networks
        .iter()
        .filter_map(|n| {
            n.options
                .as_ref()?
                .get("com.docker.network.bridge.name")
                .map(String::as_str)
        })
        .collect();
    let routes = || {
        let mut routes = local.routes.iter();
        std::iter::from_fn(move || routes.next())
            .filter(|r| !docker_made(&r.interface) && !bridges.contains(&r.interface.as_str()))
    };
    for network in &facts.networks {
        for subnet in subnets(network) {
            if let Some(route) = routes().find(|r| r.subnet.overlaps(&subnet)) {
                let of = network.name.as_deref().unwrap_or("?");
                return line(
                    name,
                    Mark::Warn,
                    format!(
                        "the network {of} ({subnet}) covers the route {} of {}",
                        route.subnet, route.interface
                    ),
                )
                .remedy("what lies behind that route cannot be reached from this host; make the network anew with another subnet");
            }
        }
    }
    let wanted = facts.subnet.unwrap_or(Subnet::FIRST);
    if let Some(route) = routes().find(|r| r.subnet.overlaps(&wanted)) {
        return line(
            name,
            Mark::Warn,
            format!(
                "sites would get addresses in {wanted}, which the route {} of {} claims",
                route.subnet, route.interface
            ),
        )
        .remedy("give this host a free network of its own, such as `subnet: 172.29.0.0/20`");
    }
    line(name, Mark::Ok, "no network covers a route of the machine")
}

/// `icc=false` is enforced by the firewall only where bridged packets pass it.
fn isolation(facts: &Facts) -> Option<Finding> {
    let apart = facts.networks.iter().find(|n| {
        let icc = n
            .options
            .as_ref()
            .and_then(|o| o.get("com.docker.network.bridge.enable_icc"));
        icc.is_some_and(|v| v == "false")
    });
    let network = apart.and_then(|n| n.name.as_deref())?;
    let filtered = facts.local.as_ref().ok()?.bridged_packets_filtered;
    (filtered == Some(false)).then(|| {
        line(
            "isolation",
            Mark::Fail,
            format!(
                "containers in {network} can reach each other: bridged packets pass no firewall"
            ),
        )
        .remedy("sysctl net.bridge.bridge-nf-call-iptables=1")
    })
}

fn bridges(facts: &Facts) -> Option<Finding> {
    let count = |name: &str| {
        let containers = facts.containers.iter();
        containers.filter(|c| c.networks.contains_key(name)).count()
    };
    let bridge = |n: &&Network| n.driver.as_deref() == Some("bridge");
    let names = facts
        .networks
        .iter()
        .filter(bridge)
        .filter_map(|n| n.name.as_deref());
    let (name, used) = names.map(|n| (n, count(n))).max_by_key(|(_, used)| *used)?;
    (used > BRIDGE_PORTS * 9 / 10).then(|| {
        line(
            "network",
            Mark::Warn,
            format!("{used} containers in {name}; a Linux bridge takes {BRIDGE_PORTS}"),
        )
        .remedy("put further sites on another host")
    })
}

fn disk(facts: &Facts) -> Vec<Finding> {
    let local = match &facts.local {
        Ok(local) => local,
        Err(unseen) => return vec![unseen.about("disk", "free space")],
    };
    local.space.iter().map(room).collect()
}

/// What is left on one file system.
fn room((path, space): &(String, Space)) -> Finding {
    const GIB: u64 = 1 << 30;
    let share = |free: u64, all: u64| free as f64 / all.max(1) as f64;
    let left = share(space.free, space.size);
    let inodes = space.inodes.map(|(all, free)| (free, share(free, all)));
    let least = inodes.map_or(left, |(_, share)| share.min(left));
    let mut text = format!("{} ({}) ", size(space.free), percent(left));
    if let Some((free, share)) = inodes {
        text.push_str(&format!("and {free} inodes ({}) ", percent(share)));
    }
    text.push_str(&format!("free below {path}"));
    let mark = match space.free {
        ..GIB => Mark::Fail,
        _ if least <= OUT => Mark::Fail,
        free if free < 5 * GIB || least <= LOW => Mark::Warn,
        _ => Mark::Ok,
    };
    let remedy = match inodes {
        _ if mark == Mark::Ok => return line("disk", mark, text),
        Some((_, share)) if share <= LOW => format!(
            "remove small files: `find {path} -xdev -printf '%h\\n' | sort | uniq -c | sort -n | tail` says where most of them are"
        ),
        _ => "make room: `docker system df` says what Docker keeps, `docker builder prune` and `docker image prune` remove what nothing uses; `du -xsh` of the sites' folders says who has most".to_owned(),
    };
    line("disk", mark, text).remedy(remedy)
}

fn live_restore(info: &SystemInfo) -> Finding {
    match info.live_restore_enabled {
        Some(true) => line("restart", Mark::Ok, "containers keep running while Docker restarts"),
        _ => line("restart", Mark::Warn, "a restart of Docker stops every site until it is back")
            .remedy("set `\"live-restore\": true` in /etc/docker/daemon.json, then `systemctl reload docker`"),
    }
}

/// A Docker API without TLS is root for whoever reaches it: every container reaches the host.
fn exposed_api(facts: &Facts) -> Finding {
    let name = "api";
    let remedy = "remove `-H tcp://…` and `hosts` from Docker's configuration, or demand certificates with --tlsverify";
    let mut warnings = facts.info.warnings.iter().flatten();
    if let Some(warning) = warnings.find(|w| w.to_lowercase().contains("api is accessible on")) {
        let text = warning.split(" Access to").next().unwrap_or(warning);
        let text = text
            .trim_start_matches("WARNING: ")
            .trim_start_matches("[DEPRECATION NOTICE]: ");
        return line(name, Mark::Fail, text.trim().to_owned()).remedy(remedy);
    }
    let Ok(local) = &facts.local else {
        return line(
            name,
            Mark::Ok,
            "the engine does not say that its API is open on the network",
        );
    };
    let reachable = |a: &IpAddr| !a.is_loopback();
    let open = local
        .listening
        .iter()
        .find(|l| l.port == 2375 && reachable(&l.address));
    match open {
        Some(l) => line(name, Mark::Fail, format!("something listens on {}:2375, the port of a Docker API without TLS; every container reaches it", l.address))
            .remedy(remedy),
        None => line(name, Mark::Ok, "no Docker API without TLS is open on the network"),
    }
}

fn clock(facts: &Facts) -> Option<Finding> {
    let skew = facts.skew.filter(|s| s.abs() > 5)?;
    let which = if skew > 0 { "ahead" } else { "behind" };
    Some(
        line(
            "clock",
            Mark::Warn,
            format!("the host's clock is {} s {which}", skew.abs()),
        )
        .remedy("let the host keep time: `timedatectl set-ntp true`"),
    )
}

/// Days before its end from which on a certificate is worth a word.
const SOON: i64 = 30;

/// How the connection is secured, and for how long.
fn encryption(facts: &Facts) -> Vec<Finding> {
    let name = "tls";
    if facts.plain {
        return vec![
            line(
                name,
                Mark::Warn,
                "spoken to without TLS: whoever reaches this port is root on the host",
            )
            .remedy("start dockerd with --tlsverify and say `tls: FOLDER`, or use ssh://"),
        ];
    }
    let Some(certificates) = facts.certificates else {
        return Vec::new();
    };
    let judge = |whose: &str, until: i64, remedy: &str| {
        let days = (until - facts.now).div_euclid(86_400);
        if until < facts.now {
            line(name, Mark::Fail, format!("{whose} certificate has expired")).remedy(remedy)
        } else if days < SOON {
            let days = if days == 1 {
                "1 day".into()
            } else {
                format!("{days} days")
            };
            line(
                name,
                Mark::Warn,
                format!("{whose} certificate ends in {days}"),
            )
            .remedy(remedy)
        } else {
            let text = format!("{whose} certificate is good for {days} days");
            line(name, Mark::Ok, text)
        }
    };
    vec![
        judge(
            "the engine's",
            certificates.server_until,
            "issue a new one (dockerd's --tlscert) and restart Docker",
        ),
        judge(
            "our",
            certificates.client_until,
            "issue a new cert.pem with the CA of the engine's --tlscacert",
        ),
    ]
}

/// A private key that everyone on this machine can read.
pub fn open_key(key: &std::path::Path) -> Finding {
    let key = key.display();
    line(
        "tls",
        Mark::Warn,
        format!("everyone on this machine can read {key}, and be root on the host with it"),
    )
    .remedy(format!("chmod 600 {key}"))
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;

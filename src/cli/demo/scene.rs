//! The demo's three hosts: brought up by the same apply as real ones, then given a past: visitors,
//! a site that is short of memory, one changed by hand, and a host that comes and goes.

use std::collections::BTreeMap;
use std::net::SocketAddrV4;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bollard::models::{ContainerCreateBody, ContainerUpdateBody};

use super::certificates;
use crate::cli::Failure;
use crate::cli::simulated::{self, Hosts};
use crate::engine::Client;
use crate::fleet::{Fleet, Name, ProxyTarget, Recipe, SiteState};
use crate::record::labels;
use crate::sim::clock::Clock;
use crate::sim::image::Image;
use crate::sim::program::Server;
use crate::sim::{self, Sim};
use crate::walk::FleetFile;

const DAY: Duration = Duration::from_secs(86_400);
/// For how long the fleet has been running when the console opens.
const AGE: Duration = Duration::from_secs(61 * 86_400);
/// The site that is short of memory, and for how long it has been.
const FAILING: &str = "bob-shop";
const FAILING_FOR: Duration = Duration::from_secs(14 * 60);
/// The site whose limits were changed by hand.
const DRIFTED: &str = "alice-blog";
/// The host that comes and goes.
const RESTLESS: &str = "web3";

/// Brings the hosts up.
pub async fn build(file: &FleetFile, folder: &Path) -> Result<Hosts, Failure> {
    let now = chrono::Utc::now().timestamp();
    let then = now - AGE.as_secs() as i64;
    let mut hosts = Hosts::new();
    for (seed, name) in file.fleet.hosts.keys().enumerate() {
        let sim = Sim::named(name.as_str(), seed as u64 + 1, Clock::at(then));
        stock(&sim, file);
        hosts.insert(name.clone(), sim);
    }
    let clients = simulated::clients(&hosts).await?;
    for (host, client) in &clients {
        strangers(host, client).await?;
    }
    // Nobody in the world issues certificates for these names.
    let fleet = Fleet {
        acme: None,
        ..Fleet::clone(&file.fleet)
    };
    let without = FleetFile {
        fleet: Arc::new(fleet),
        ..file.clone()
    };
    simulated::apply(&without, folder, &hosts, then).await?;
    visitors(file, &hosts);
    for sim in hosts.values() {
        sim.advance(AGE - 2 * DAY);
    }
    by_hand(file, &clients).await?;
    for sim in hosts.values() {
        sim.advance(2 * DAY - FAILING_FOR);
    }
    restart(file, &clients).await?;
    for sim in hosts.values() {
        sim.behave(labels::SITE, FAILING, "memory", &(420u64 << 20).to_string());
        sim.behave(labels::SITE, FAILING, "status", "502");
        sim.advance(FAILING_FOR);
    }
    certificates::give(&file.fleet, &clients, now, folder).await?;
    for sim in hosts.values() {
        // From here on things take as long as on a small server.
        sim.set_pace(sim::Pace {
            call: Duration::from_millis(2),
            create: Duration::from_millis(60),
            start: Duration::from_millis(400),
            pull: Duration::from_secs(4),
            build: Duration::from_secs(5),
        });
    }
    Ok(hosts)
}

/// What happens while the console is open: a host goes away for a while, again and again.
pub async fn play(hosts: Hosts) {
    let Some(sim) = hosts.get(RESTLESS) else {
        return;
    };
    loop {
        tokio::time::sleep(Duration::from_secs(45)).await;
        sim.set_down(true);
        tokio::time::sleep(Duration::from_secs(25)).await;
        sim.set_down(false);
        tokio::time::sleep(Duration::from_secs(110)).await;
    }
}

/// The images that the fleet's sites run, in the simulated registry's stead.
fn stock(sim: &Sim, file: &FleetFile) {
    let mut ports = BTreeMap::from([("forge:9".to_owned(), 3000), ("parts:1".to_owned(), 8080)]);
    for site in file.fleet.sites.values() {
        if let Recipe::Image { image, port, .. } = &site.recipe {
            ports.insert(image.clone(), *port);
        }
    }
    // What sites lead to that ostler does not own, and that is well.
    let others = file.fleet.sites.values().filter_map(|site| {
        let Recipe::Proxy { to } = &site.recipe else {
            return None;
        };
        match to {
            ProxyTarget::Http { host, port } => Some(SocketAddrV4::new(host.parse().ok()?, *port)),
            ProxyTarget::Container { .. } => None,
        }
    });
    let others: Vec<SocketAddrV4> = others.collect();
    sim.change(|world, now| {
        world.machine.neighbours.extend(others);
        for (tag, port) in ports {
            let mut image = Image::new(&tag, 1, Some(Server::Web));
            image.env.push(format!("PORT={port}"));
            world.add_image(now, image);
        }
    });
}

/// Containers that are not ours, on the host where two sites are proxies to them.
async fn strangers(host: &Name, client: &Client) -> Result<(), Failure> {
    if host.as_str() != RESTLESS {
        return Ok(());
    }
    for (name, image, project) in [
        ("parts-legacy", "parts:1", "parts"),
        ("forge", "forge:9", "forge"),
    ] {
        let body = ContainerCreateBody {
            image: Some(image.to_owned()),
            labels: Some([("com.docker.compose.project".to_owned(), project.to_owned())].into()),
            ..Default::default()
        };
        let id = client.create(name, &body).await?;
        client.start(&id).await?;
    }
    Ok(())
}

/// Each site has visitors of its own: some many, most few.
fn visitors(file: &FleetFile, hosts: &Hosts) {
    for (n, site) in file.fleet.sites.values().enumerate() {
        let Some(sim) = hosts.get(&site.host) else {
            continue;
        };
        if site.state != SiteState::Running {
            continue;
        }
        let rate = [0.4, 2.5, 0.1, 7.0, 1.2, 0.05, 12.0, 0.8][n % 8];
        let name = site.name.as_str();
        let rate = if name == FAILING { 31.0 } else { rate };
        sim.behave(labels::SITE, name, "rate", &rate.to_string());
        let limit = site.limits.memory.unwrap_or(256 << 20);
        let share = [0.35, 0.6, 0.2, 0.75, 0.5][n % 5];
        let used = (limit as f64 * share) as u64;
        sim.behave(labels::SITE, name, "memory", &used.to_string());
        sim.behave(labels::SITE, name, "latency-ms", &(8 + n % 40).to_string());
    }
}

/// Somebody ran `docker update`.
async fn by_hand(file: &FleetFile, clients: &BTreeMap<Name, Client>) -> Result<(), Failure> {
    let Some((client, container)) = container(file, clients, DRIFTED).await? else {
        return Ok(());
    };
    let memory = Some(512 << 20);
    let body = ContainerUpdateBody {
        memory,
        memory_swap: memory,
        ..Default::default()
    };
    Ok(client.update(&container, &body).await?)
}

/// Somebody tried whether a restart helps.
async fn restart(file: &FleetFile, clients: &BTreeMap<Name, Client>) -> Result<(), Failure> {
    let Some((client, container)) = container(file, clients, FAILING).await? else {
        return Ok(());
    };
    Ok(client.restart(&container, Duration::from_secs(10)).await?)
}

async fn container<'a>(
    file: &FleetFile,
    clients: &'a BTreeMap<Name, Client>,
    site: &str,
) -> Result<Option<(&'a Client, String)>, Failure> {
    let host = file.fleet.sites.get(site).map(|site| &site.host);
    let Some(client) = host.and_then(|host| clients.get(host)) else {
        return Ok(None);
    };
    let containers = client.containers().await?;
    let found = containers
        .into_iter()
        .find(|c| c.labels.get(labels::SITE).is_some_and(|s| s == site));
    Ok(found.map(|container| (client, container.id)))
}

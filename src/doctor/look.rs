//! Looking at a host for the checks.

use std::path::Path;

use bollard::models::SystemInfo;

use super::facts::{Facts, Local, Patient, Witness};
use super::{local, remote};
use crate::engine::{Client, Error, Gate, Mode, Network};
use crate::fleet::EngineAddress;

/// Asks the engine, and the machine under it as far as that can be asked.
pub async fn look(network: &Network, mode: Mode, patient: &Patient) -> Result<Facts, Error> {
    // It looks and changes nothing, whatever the mode; but what only a command in the toolbox can
    // tell is asked for only where commands may be run at all.
    let mode = match patient.fleet {
        Some(_) => mode,
        None => Mode::OnCall,
    };
    let client = Client::connect_by(network, &patient.engine, Gate::new(mode)).await?;
    let (info, containers, networks) =
        futures_util::try_join!(client.info(), client.containers(), client.networks())?;
    let machine = match is_local(&patient.engine, &info) {
        true => Ok(Local {
            listening: local::listening(),
            routes: local::routes(),
            space: space(&info, &patient.root),
            bridged_packets_filtered: local::bridged_packets_filtered(),
            metadata: Some(local::metadata().await),
            by: Witness::Here,
        }),
        false => remote::ask(&client, mode, patient, &containers, &info).await,
    };
    let now = chrono::Utc::now().timestamp();
    Ok(Facts {
        version: client.version().clone(),
        skew: client.daemon_now().map(|there| there - now),
        plain: matches!(patient.engine, EngineAddress::Tcp { insecure: true, .. }),
        certificates: client.certificates(),
        now,
        info,
        containers,
        networks,
        local: machine,
        fleet: patient.fleet.clone(),
        ports: patient.ports,
        subnet: patient.subnet,
        isolate: patient.isolate,
    })
}

/// TCP ports of the host that are taken, and by whom, as far as can be known from here.
pub async fn taken_ports(
    client: &Client,
    engine: &EngineAddress,
) -> Result<Vec<(u16, String)>, Error> {
    let (info, containers) = futures_util::try_join!(client.info(), client.containers())?;
    let mut taken = Vec::new();
    for container in &containers {
        for port in container.ports.iter().filter(|p| p.protocol != "udp") {
            if let Some(port) = port.public_port {
                taken.push((port, format!("the container {}", container.name())));
            }
        }
    }
    if is_local(engine, &info) {
        for socket in local::listening()
            .into_iter()
            .filter(|l| !l.address.is_loopback())
        {
            let who = socket.process.unwrap_or_else(|| "another process".into());
            taken.push((socket.port, who));
        }
    }
    Ok(taken)
}

/// Whether what this machine says is true of the engine's.
fn is_local(engine: &EngineAddress, info: &SystemInfo) -> bool {
    matches!(engine, EngineAddress::Unix { .. })
        && info.name.is_some()
        && info.name == local::hostname()
}

/// The folders that are written to, each file system once.
fn space(info: &SystemInfo, root: &str) -> Vec<(String, local::Space)> {
    let mut found: Vec<(String, local::Space)> = Vec::new();
    let docker = info.docker_root_dir.as_deref().unwrap_or("/var/lib/docker");
    for path in [docker, root] {
        if let Some(space) = local::space(Path::new(path))
            && found.iter().all(|(_, other)| *other != space)
        {
            found.push((path.to_owned(), space));
        }
    }
    found
}

//! `ostler doctor`: what would get in the way on a host, one line each, with the remedy.

mod check;
mod local;
mod remote;
#[cfg(test)]
mod tests;

use std::path::Path;

use bollard::models::SystemInfo;
use serde::Serialize;

use check::{Facts, Finding, Local, Mark, Witness};

use super::args::EngineArg;
use super::context::{Context, DEFAULT_ROOT};
use super::out::{Out, Style};
use super::{Exit, Failure, text};
use crate::engine::{Client, Error, Gate, Mode};
use crate::fleet::{EngineAddress, Ports, Subnet};

/// A host to look at.
#[derive(Debug, Clone)]
pub struct Patient {
    /// What it is called.
    pub name: String,
    /// Where its engine is.
    pub engine: EngineAddress,
    /// The fleet it is a host of, if any.
    pub fleet: Option<String>,
    /// Ports that the router is to have.
    pub ports: Ports,
    /// The folder on the host that is written to.
    pub root: String,
    /// The sites' network, where set.
    pub subnet: Option<Subnet>,
}

#[derive(Debug, Serialize)]
struct Report {
    host: String,
    engine: String,
    findings: Vec<Finding>,
}

/// The one engine that was named; else the hosts of the fleet file; else the engine found here.
pub fn patients(context: &Context, engine: &EngineArg) -> Result<Vec<Patient>, Failure> {
    if engine.address.is_none() && context.find_fleet().is_ok() {
        engine.only_fleet()?;
        let fleet = context.load()?.fleet;
        let name = fleet.name.to_string();
        return Ok(fleet
            .hosts
            .values()
            .map(|host| Patient {
                fleet: Some(name.clone()),
                name: host.name.to_string(),
                engine: host.engine.clone(),
                ports: host.ports,
                root: host.root.clone(),
                subnet: host.subnet,
            })
            .collect());
    }
    let found = super::engine::here(engine)?;
    let name = found.context.as_deref().unwrap_or("this engine");
    Ok(vec![Patient {
        name: name.to_owned(),
        engine: found.address,
        fleet: None,
        ports: Ports::default(),
        root: DEFAULT_ROOT.into(),
        subnet: None,
    }])
}

/// Examines the hosts, all at once, and ends with 1 when anything fails.
pub async fn run(context: &Context, patients: Vec<Patient>, json: bool) -> Result<Exit, Failure> {
    let out = &context.out;
    let reports = patients.into_iter().map(|patient| report(context, patient));
    let reports = futures_util::future::join_all(reports).await;
    if json {
        out.json(&reports)?;
    } else {
        for (i, report) in reports.iter().enumerate() {
            if i > 0 {
                out.line("")?;
            }
            show(out, report)?;
        }
    }
    let worst = reports
        .iter()
        .flat_map(|r| &r.findings)
        .map(|f| f.mark)
        .max();
    Ok(match worst {
        Some(Mark::Fail) => Exit::Error,
        _ => Exit::Done,
    })
}

async fn report(context: &Context, patient: Patient) -> Report {
    let mut findings = match examine(context, &patient).await {
        Ok(facts) => check::all(&facts),
        Err(error) => vec![Finding {
            check: "engine",
            mark: Mark::Fail,
            text: error.to_string(),
            remedy: error.remedy(),
        }],
    };
    let key = context.network.open_key(&patient.engine);
    findings.extend(key.map(|key| check::open_key(&key)));
    Report {
        host: patient.name,
        engine: patient.engine.to_string(),
        findings,
    }
}

async fn examine(context: &Context, patient: &Patient) -> Result<Facts, Error> {
    // It looks and changes nothing, whatever the mode; but what only a command in the toolbox can
    // tell is asked for only where commands may be run at all.
    let mode = match patient.fleet {
        Some(_) => context.mode,
        None => Mode::OnCall,
    };
    let client = Client::connect_by(&context.network, &patient.engine, Gate::new(mode)).await?;
    let (info, containers, networks) =
        futures_util::try_join!(client.info(), client.containers(), client.networks())?;
    let machine = match is_local(&patient.engine, &info) {
        true => Ok(Local {
            listening: local::listening(),
            routes: local::routes(),
            space: space(&info, &patient.root),
            bridged_packets_filtered: local::bridged_packets_filtered(),
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

fn show(out: &Out, report: &Report) -> Result<(), Failure> {
    let title = Style::Strong.paint(&text::line(&report.host), out.colour);
    out.line(&format!("{title}  {}", text::line(&report.engine)))?;
    for finding in &report.findings {
        let (mark, style) = match finding.mark {
            Mark::Ok => ("✔ ok  ", Style::Good),
            Mark::Unknown => ("· ?   ", Style::Dim),
            Mark::Warn => ("▲ warn", Style::Warn),
            Mark::Fail => ("✖ fail", Style::Bad),
        };
        let mark = style.paint(mark, out.colour);
        let remedy = match &finding.remedy {
            Some(remedy) => format!(" → {}", text::line(remedy)),
            None => String::new(),
        };
        out.line(&format!(
            " {mark}  {:9}  {}{remedy}",
            finding.check,
            text::line(&finding.text)
        ))?;
    }
    Ok(())
}

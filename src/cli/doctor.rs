//! `ostler doctor`: what would get in the way on a host, one line each, with the remedy.

use super::args::EngineArg;
use super::context::Context;
use super::out::Out;
use super::style::Style;
use super::{Exit, Failure};
use crate::doctor::facts::Patient;
use crate::doctor::finding::Mark;
use crate::doctor::{Report, examine};
use crate::fleet::{Host, Isolate, Ports};
use crate::text;

/// The one engine that was named; else the hosts of the fleet file; else the engine found here.
pub fn patients(context: &Context, engine: &EngineArg) -> Result<Vec<Patient>, Failure> {
    if engine.address.is_none() && context.find_fleet().is_ok() {
        engine.only_fleet()?;
        let fleet = context.load()?.fleet;
        let selection = context.select()?;
        let known = selection.check(&fleet, &[]);
        known.map_err(|unknown| Failure::of(&unknown))?;
        let name = fleet.name.to_string();
        return Ok(fleet
            .hosts
            .values()
            .filter(|host| selection.reaches_host(&fleet, host.name.as_str()))
            .map(|host| Patient {
                fleet: Some(name.clone()),
                name: host.name.to_string(),
                engine: host.engine.clone(),
                ports: host.ports,
                root: host.root.clone(),
                subnet: host.subnet,
                isolate: host.isolate,
            })
            .collect());
    }
    if !context.global.only.is_empty() {
        return Err(
            Failure::new("--only picks hosts of a fleet file, and there is none")
                .help("leave it out, or name the file: --fleet FILE"),
        );
    }
    let found = super::engine::here(engine)?;
    let name = found.context.as_deref().unwrap_or("this engine");
    Ok(vec![Patient {
        name: name.to_owned(),
        engine: found.address,
        fleet: None,
        ports: Ports::default(),
        root: Host::ROOT.into(),
        subnet: None,
        isolate: Isolate::default(),
    }])
}

/// Examines the hosts, all at once, and ends with 1 when anything fails.
pub async fn run(context: &Context, patients: Vec<Patient>, json: bool) -> Result<Exit, Failure> {
    let out = &context.out;
    let (network, mode) = (&context.network, context.mode);
    let reports = patients
        .iter()
        .map(|patient| examine(network, mode, patient));
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

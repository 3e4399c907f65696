//! `ostler check`

use serde::Serialize;

use super::context::Context;
use super::{Exit, Failure};
use crate::fleet::{Finding, Level};
use crate::text;
use crate::walk::trust::refuse_exposed;
use crate::walk::{FleetFile, FleetFileError};

#[derive(Serialize)]
struct Report<'a> {
    file: String,
    errors: usize,
    warnings: usize,
    findings: &'a [Finding],
}

/// Says all that is wrong or doubtful in the fleet file. Looks at no host.
pub fn run(context: &Context, json: bool) -> Result<Exit, Failure> {
    let path = context.find_fleet()?;
    let source = FleetFile::read(&path)?;
    let loaded = FleetFile::of(&path, source.clone());
    let findings = match &loaded {
        Ok((_, findings)) | Err(FleetFileError::Broken { findings, .. }) => &findings[..],
        Err(_) => &[],
    };
    let count = |level| findings.iter().filter(|f| f.level == level).count();
    let warnings = count(Level::Warning);
    if json {
        context.out.json(&Report {
            file: path.display().to_string(),
            errors: count(Level::Error),
            warnings,
            findings,
        })?;
    } else {
        context.show_findings(findings, &source, &path);
    }
    let fleet = match loaded {
        Ok((file, _)) => file.fleet,
        Err(_) if json => return Ok(Exit::Error),
        Err(error) => return Err(error.into()),
    };
    // Of this machine, not of the file: elsewhere it may be well.
    let secrets = fleet.sites.values().any(|site| !site.secrets.is_empty());
    if secrets && let Err(distrust) = refuse_exposed(&path) {
        let (what, remedy) = (&distrust, distrust.help());
        context.out.warn(&format!(
            "{what}, so that `plan` and `apply` refuse: {remedy}"
        ));
    }
    if !json {
        let warnings = match warnings {
            0 => String::new(),
            n => format!(", {}", text::count(n, "warning")),
        };
        context.out.line(&format!(
            "{}: fleet {}, {}, {}{warnings}",
            path.display(),
            fleet.name,
            text::count(fleet.hosts.len(), "host"),
            text::count(fleet.sites.len(), "site"),
        ))?;
    }
    Ok(Exit::Done)
}

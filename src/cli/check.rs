//! `ostler check`

use serde::Serialize;

use super::context::{self, Context};
use super::{Exit, Failure, text};
use crate::fleet::{self, Finding, Level};

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
    let source = context::read(&path)?;
    let (findings, fleet) = match fleet::load(&source, &path) {
        Ok(loaded) => (loaded.warnings, Some(loaded.fleet)),
        Err(findings) => (findings, None),
    };
    let count = |level| findings.iter().filter(|f| f.level == level).count();
    let warnings = count(Level::Warning);
    if json {
        context.out.json(&Report {
            file: path.display().to_string(),
            errors: count(Level::Error),
            warnings,
            findings: &findings,
        })?;
    } else {
        context.show_findings(&findings, &source, &path);
    }
    let Some(fleet) = fleet else {
        return match json {
            true => Ok(Exit::Error),
            false => Err(context::broken(&findings, &path)),
        };
    };
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

//! `ostler check`

use std::path::Path;

use serde::Serialize;

use super::context::Context;
use super::{Exit, Failure};
use crate::fleet::{Finding, Fleet, Level, SecretSpec, Site};
use crate::text;
use crate::walk::trust::refuse_exposed;
use crate::walk::{FleetFile, FleetFileError};

#[derive(Serialize)]
struct Report<'a> {
    file: String,
    errors: usize,
    warnings: usize,
    findings: &'a [Finding],
    /// What is neither wrong nor doubtful, and should be known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notices: Vec<&'static str>,
}

/// Says all that is wrong or doubtful in the fleet file. Looks at no host.
pub fn run(context: &Context, json: bool) -> Result<Exit, Failure> {
    let path = context.find_fleet()?;
    let source = FleetFile::read(&path)?;
    let loaded = FleetFile::of(&path, source.clone());
    let mut findings = match &loaded {
        Ok((_, findings)) | Err(FleetFileError::Broken { findings, .. }) => findings.clone(),
        Err(_) => Vec::new(),
    };
    if let Ok((file, _)) = &loaded {
        findings.extend(refused(&file.fleet, &path));
    }
    let count = |level| findings.iter().filter(|f| f.level == level).count();
    let warnings = count(Level::Warning);
    let unsaid = loaded.as_ref().ok();
    let unsaid = unsaid.and_then(|(file, _)| file.fleet.acme_unsaid());
    if json {
        context.out.json(&Report {
            file: path.display().to_string(),
            errors: count(Level::Error),
            warnings,
            findings: &findings,
            notices: unsaid.into_iter().collect(),
        })?;
    } else {
        context.show_findings(&findings, &source, &path);
    }
    let fleet = match loaded {
        Ok((file, _)) => file.fleet,
        Err(_) if json => return Ok(Exit::Error),
        Err(error) => return Err(error.into()),
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
        if let Some(unsaid) = unsaid {
            context.out.say(unsaid);
        }
    }
    Ok(Exit::Done)
}

/// That no secret is read for the file. That is of this machine: elsewhere the file may be well.
fn refused(fleet: &Fleet, path: &Path) -> Option<Finding> {
    let sites = fleet.sites.values().flat_map(Site::sources);
    let mut sources = sites.chain(fleet.sources());
    let distrust = match sources.any(|source| *source.spec != SecretSpec::Kept) {
        true => refuse_exposed(path).err()?,
        false => return None,
    };
    Some(Finding {
        level: Level::Warning,
        file: path.to_owned(),
        line: 1,
        column: 1,
        span: 0..0,
        message: format!("{distrust}, so that `plan` and `apply` refuse"),
        label: None,
        also: Vec::new(),
        help: Some(distrust.help()),
    })
}

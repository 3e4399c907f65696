//! `ostler import HOST`: foreign containers as sites. Looks, and changes no host.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use super::args::ImportArgs;
use super::confirm::{Ask, confirm};
use super::context::Context;
use super::{Exit, Failure, walk};
use crate::fleet::{Edit, Name, Selection, apply_edits, diff, nearest, site_block, site_fields};
use crate::observe::import::{Found, Imported, Left, import};
use crate::observe::model::ObservedHost;
use crate::observe::scan::Inspect;
use crate::observe::whose::is_foreign;
use crate::text;
use crate::walk::FleetFile;
use crate::walk::fleet_file;
use crate::walk::look::Closely;

/// Prints what was found as YAML, or adds it to the fleet file.
pub async fn run(context: &Context, args: &ImportArgs) -> Result<Exit, Failure> {
    if args.write {
        context.may_change("writing the fleet file")?;
    }
    let file = context.load()?;
    let name = known(&file, &args.host)?;
    let seen = look(context, &file, &name).await?;
    let only: BTreeSet<String> = args.containers.iter().cloned().collect();
    for wanted in &only {
        let container = seen.containers.iter().find(|c| c.name == *wanted);
        match container {
            None => {
                let names = seen.containers.iter().map(|c| c.name.as_str());
                let failure = Failure::new(format!("there is no container {wanted} on {name}"));
                return Err(match nearest(wanted, names) {
                    Some(near) => failure.help(format!("did you mean {near}?")),
                    None => failure.help("`docker ps -a` there lists them"),
                });
            }
            Some(container) if !is_foreign(container) => {
                return Err(Failure::new(format!("{wanted} is ostler's own already")));
            }
            Some(_) => {}
        }
    }
    let mut imported = import(&file.fleet, &name, &seen, &only);
    let fitting = fit(&file, &mut imported);
    if args.json {
        context.out.json(&answer(&name, &imported))?;
        return Ok(Exit::Done);
    }
    if args.write {
        return write(context, &file, &name, &imported, &fitting, args.yes).await;
    }
    context.out.text(&yaml(&name, &imported))?;
    if !imported.sites.is_empty() {
        let path = file.path.display();
        context.out.say(&format!(
            "nothing was changed; `ostler import {name} --write` adds this to {path}"
        ));
    }
    Ok(Exit::Done)
}

fn known(file: &FleetFile, host: &str) -> Result<Name, Failure> {
    if let Some((name, _)) = file.fleet.hosts.get_key_value(host) {
        return Ok(name.clone());
    }
    let names: Vec<&str> = file.fleet.hosts.keys().map(|n| n.as_str()).collect();
    Err(
        Failure::new(format!("no host {host} in {}", file.path.display()))
            .help(format!("one of {}", names.join(", "))),
    )
}

/// Twice: which containers there are, then all of them closely.
async fn look(context: &Context, file: &FleetFile, name: &Name) -> Result<ObservedHost, Failure> {
    let mut file = file.clone();
    Arc::make_mut(&mut file.fleet)
        .hosts
        .retain(|host, _| host == name);
    let mut inspect = Inspect::Needed;
    loop {
        let all = Selection::default();
        let mut seen = context.look(&file, &all, Closely::at(&inspect)).await?;
        let found = seen.observed.hosts.remove(name);
        let host = found
            .as_ref()
            .and_then(|host| host.reached())
            .ok_or_else(|| match &found {
                Some(crate::observe::model::HostObservation::Unreachable { why }) => {
                    Failure::new(format!("{name}: {why}"))
                }
                _ => Failure::new(format!("{name} was not looked at")),
            })?;
        if matches!(inspect, Inspect::And(_)) {
            return Ok(host.clone());
        }
        inspect = Inspect::And(host.containers.iter().map(|c| c.id.clone()).collect());
    }
}

/// The fleet file with what was found in it.
struct Fitting {
    text: String,
    /// How many of the sites found the file cannot have.
    refused: usize,
}

/// Writes what was found into the text of the fleet file. What cannot stand in it is left out, with
/// the reason, and keeps nothing else out.
fn fit(file: &FleetFile, imported: &mut Imported) -> Fitting {
    let found = std::mem::take(&mut imported.sites);
    let before = imported.left.len();
    let text = fit_in(file.source.clone(), &file.path, &found, imported);
    imported.left[before..].sort_by(|a, b| a.container.cmp(&b.container));
    Fitting {
        text,
        refused: imported.left.len() - before,
    }
}

/// All at once, as nearly always; else by halves, down to the one that is refused.
fn fit_in(text: String, path: &Path, found: &[Found], imported: &mut Imported) -> String {
    let edits: Vec<Edit> = found
        .iter()
        .map(|found| Edit::CreateSite {
            name: found.site.name.to_string(),
            fields: site_fields(&found.site),
        })
        .collect();
    match (apply_edits(&text, path, &edits), found) {
        (_, []) => text,
        (Ok(edited), _) => {
            imported.sites.extend_from_slice(found);
            edited.text
        }
        (Err(error), [one]) => {
            imported.left.push(Left {
                container: one.container.clone(),
                why: format!("the fleet file cannot have it: {error}"),
            });
            text
        }
        (Err(_), _) => {
            let (first, second) = found.split_at(found.len() / 2);
            let text = fit_in(text, path, first, imported);
            fit_in(text, path, second, imported)
        }
    }
}

/// Lines of the file, and as comments what they come from and what was left out.
fn yaml(host: &Name, imported: &Imported) -> String {
    let mut out = String::new();
    if imported.sites.is_empty() {
        out.push_str(&format!(
            "# no foreign container on {host} can be written as a site\n"
        ));
    } else {
        out.push_str("sites:\n");
    }
    for found in &imported.sites {
        out.push_str(&format!("  # {}\n", comment(&origin(found))));
        for note in &found.notes {
            out.push_str(&format!("  # {}\n", comment(note)));
        }
        out.push_str(&site_block(&found.site));
    }
    for left in &imported.left {
        let line = format!("left out: {}: {}", left.container, left.why);
        out.push_str(&format!("# {}\n", comment(&line)));
    }
    out
}

fn origin(found: &Found) -> String {
    let project = found.project.as_ref();
    let project = project.map_or(String::new(), |project| format!(", project {project}"));
    format!(
        "container {}, image {}{project}",
        found.container, found.image
    )
}

/// Text from a container stays on its line and in its comment.
fn comment(text: &str) -> String {
    text::line(text)
}

async fn write(
    context: &Context,
    file: &FleetFile,
    host: &Name,
    imported: &Imported,
    fitting: &Fitting,
    yes: bool,
) -> Result<Exit, Failure> {
    for left in &imported.left {
        let line = format!("left out: {}: {}", left.container, left.why);
        context.out.say(&text::line(&line));
    }
    if imported.sites.is_empty() {
        context.out.say(&format!(
            "no foreign container on {host} can be written as a site; nothing was written"
        ));
        return Ok(match fitting.refused {
            0 => Exit::Done,
            _ => Exit::Error,
        });
    }
    let path = file.path.display();
    let lines = walk::render_diff(&diff(&file.source, &fitting.text), context.out.colour);
    context.out.text(&format!("{path}:\n{lines}\n"))?;
    for found in &imported.sites {
        for note in &found.notes {
            let line = format!("{}: {note}", found.site.name);
            context.out.say(&text::line(&line));
        }
    }
    if !confirm(&context.out, "Add this to the fleet file?", Ask::Yes, yes).await? {
        return Ok(Exit::Error);
    }
    fleet_file::write(&file.path, file.source.as_bytes(), fitting.text.as_bytes())?;
    context.out.say(&format!(
        "written: {path}; no host was changed: `ostler plan` shows what `ostler apply` would do"
    ));
    if fitting.refused > 0 {
        let refused = text::count(fitting.refused, "site");
        context
            .out
            .say(&format!("{refused} could not be written, as said above"));
        return Ok(Exit::Partial);
    }
    Ok(Exit::Done)
}

#[derive(Serialize)]
struct Answer<'a> {
    host: &'a Name,
    sites: Vec<SiteAnswer<'a>>,
    left: Vec<LeftAnswer<'a>>,
}

#[derive(Serialize)]
struct SiteAnswer<'a> {
    container: &'a str,
    image: &'a str,
    project: Option<&'a str>,
    notes: &'a [String],
    #[serde(flatten)]
    site: &'a crate::fleet::Site,
}

#[derive(Serialize)]
struct LeftAnswer<'a> {
    container: &'a str,
    why: &'a str,
}

fn answer<'a>(host: &'a Name, imported: &'a Imported) -> Answer<'a> {
    let sites = imported.sites.iter().map(|found| SiteAnswer {
        container: &found.container,
        image: &found.image,
        project: found.project.as_deref(),
        notes: &found.notes,
        site: &found.site,
    });
    let left = imported.left.iter().map(|left| LeftAnswer {
        container: &left.container,
        why: &left.why,
    });
    Answer {
        host,
        sites: sites.collect(),
        left: left.collect(),
    }
}

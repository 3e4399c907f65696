//! From the text of a fleet file to the model, saying all that is wrong at once.

use std::ops::Range;
use std::path::Path;

use indexmap::{IndexMap, IndexSet};

use super::at::{At, Known, NOTHING};
use super::bounds::{NODES, TEXT};
use super::draft::{Claims, Draft};
use super::fields::Fields;
use super::finding::{Finding, Level, Report};
use super::keys;
use super::model::{Account, Fleet};
use super::name::Name;
use super::tree::{self, Node};

mod certificate;
mod check;
mod host;
mod lead;
mod site;

/// A fleet file that can be used.
#[derive(Debug, Clone)]
pub struct Loaded {
    pub fleet: Fleet,
    /// What is doubtful about it.
    pub warnings: Vec<Finding>,
}

/// Reads a fleet file. `path` is where it came from, for messages: nothing is opened.
///
/// # Errors
/// Everything that is wrong with the file, in its order, warnings included; at least one finding is
/// an error.
pub fn load(source: &str, path: &Path) -> Result<Loaded, Vec<Finding>> {
    let mut report = Report::new(source, path);
    let tree = tree::parse(source, &mut report).filter(|_| !report.has_errors());
    finish(tree.as_ref(), report)
}

/// The same for a file that was read without errors already.
pub(super) fn load_tree(tree: &Node, source: &str, path: &Path) -> Result<Loaded, Vec<Finding>> {
    finish(Some(tree), Report::new(source, path))
}

/// What would be wrong with this text behind a key of a site, and what would be right; for whoever
/// asks for the one value.
pub fn wrong(key: &str, text: &str) -> Option<String> {
    let row = keys::SITE_ROWS.iter().find(|row| row.key.name == key)?;
    let mut report = Report::new(text, Path::new(""));
    let node = Node::of_text(text);
    let mut at = At::new(&node, format!("`{key}`"), &mut report);
    at.kind = row.key.kind;
    (row.read)(&mut Draft::new(Claims::default()), &mut at);
    let first = report.finish().into_iter().next()?;
    Some(first.label.unwrap_or(first.message))
}

fn finish(tree: Option<&Node>, mut report: Report) -> Result<Loaded, Vec<Finding>> {
    let fleet = tree.and_then(|tree| fleet(tree, &mut report));
    let has_errors = report.has_errors();
    let findings = report.finish();
    match fleet {
        Some(fleet) if !has_errors => Ok(Loaded {
            fleet,
            warnings: findings,
        }),
        _ => {
            debug_assert!(findings.iter().any(|f| f.level == Level::Error));
            Err(findings)
        }
    }
}

/// The places that checks across entries point at.
#[derive(Default)]
struct Places {
    /// Where each host says its engine.
    engines: IndexMap<Name, Range<usize>>,
    /// Every domain a site claims.
    sites: Vec<Claims>,
}

fn fleet(tree: &Node, report: &mut Report) -> Option<Fleet> {
    let top = 0..0;
    let fields = Fields::read(tree, &keys::FILE, keys::FILE.of.into(), top, report);
    fields.require(report, |_| true);
    let name = fields
        .get("fleet")
        .and_then(|node| fleet_name(node, report));
    let mut top = Fleet::default();
    for row in keys::FILE_ROWS {
        row.take(&fields, "", &NOTHING, &mut top, report);
    }
    let mut places = Places::default();
    let hosts = named(
        &fields,
        "hosts",
        "host",
        report,
        |name, node, at, report| {
            let (host, place) = host::host(name, node, at, report)?;
            places.engines.insert(host.name.clone(), place);
            Some(host)
        },
    );
    let accounts = named(&fields, "accounts", "account", report, account);
    let known = Known {
        hosts: written(&fields, "hosts"),
        accounts: written(&fields, "accounts"),
    };
    spread(&fields, report)?;
    let common = site::Common::read(fields.get("defaults"), known, &accounts, report);
    let sites = named(
        &fields,
        "sites",
        "site",
        report,
        |name, node, at, report| {
            let (site, claims) = site::site(name, node, at, &common, report);
            places.sites.push(claims);
            site
        },
    );
    check::across(&hosts, &sites, &places, report);
    certificate::across(&top, &sites, &places, report);
    if hosts.is_empty() && fields.entry("hosts").is_none() {
        let at = fields
            .entry("fleet")
            .map_or(0..0, |entry| entry.key.span.clone());
        report
            .warning(at, "the fleet has no hosts")
            .help("add `hosts: { web1: { engine: \"ssh://ops@web1.example.net\" } }`");
    }
    Some(Fleet {
        name: name?,
        hosts,
        accounts,
        sites,
        ..top
    })
}

/// What `defaults` say is read into every site: that counts as if it were written there.
fn spread(fields: &Fields<'_>, report: &mut Report) -> Option<()> {
    let Some(entry) = fields.entry("defaults") else {
        return Some(());
    };
    let sites = fields.get("sites").map_or(0, |node| node.entries().len());
    let (nodes, text) = entry.value.size();
    if nodes.saturating_mul(sites) <= NODES && text.saturating_mul(sites) <= TEXT {
        return Some(());
    }
    let message = format!("`defaults` say too much for {sites} sites");
    report
        .error(entry.key.span.clone(), message)
        .help("they hold for every site: say there what a few sites share");
    None
}

fn fleet_name(node: &Node, report: &mut Report) -> Option<Name> {
    let name = At::new(node, "the name of the fleet", report).name()?;
    if name.as_str().len() > keys::FLEET_NAME_MAX {
        report
            .error(node.span.clone(), "the name of the fleet is too long")
            .label(format!("at most {} characters", keys::FLEET_NAME_MAX))
            .help("containers and networks carry it");
        return None;
    }
    Some(name)
}

/// The words written as names under a top-level key, right or wrong: a reference to an entry that
/// has errors of its own is not a second error.
fn written<'n>(fields: &Fields<'n>, key: &str) -> IndexSet<&'n str> {
    let entries = fields.get(key).map_or(&[][..], |node| node.entries());
    entries
        .iter()
        .filter_map(|entry| entry.key.text())
        .collect()
}

/// Reads a mapping from names to `T`.
fn named<T>(
    fields: &Fields<'_>,
    key: &str,
    noun: &str,
    report: &mut Report,
    mut read: impl FnMut(Option<Name>, &Node, Range<usize>, &mut Report) -> Option<T>,
) -> IndexMap<Name, T> {
    let mut all = IndexMap::new();
    let Some(node) = fields.get(key) else {
        return all;
    };
    let what = format!("`{key}`");
    for (_, entry) in At::new(node, what, report).entries().unwrap_or_default() {
        let name = At::new(&entry.key, format!("the name of a {noun}"), report).name();
        if entry.value.is_null() && noun != "account" {
            report
                .error(
                    entry.key.span.clone(),
                    format!("nothing is said about this {noun}"),
                )
                .help(format!(
                    "add its keys, indented below it, or remove the {noun}"
                ));
            continue;
        }
        let value = read(name.clone(), &entry.value, entry.key.span.clone(), report);
        if let (Some(name), Some(value)) = (name, value) {
            all.insert(name, value);
        }
    }
    all
}

fn account(
    name: Option<Name>,
    node: &Node,
    at: Range<usize>,
    report: &mut Report,
) -> Option<Account> {
    let what = title("account", &name);
    let fields = Fields::read(node, &keys::ACCOUNT, what, at, report);
    let mut account = Account {
        name: name.unwrap_or_default(),
        email: None,
        certificate: None,
    };
    for row in keys::ACCOUNT_ROWS {
        row.take(&fields, "", &NOTHING, &mut account, report);
    }
    Some(account)
}

/// "site `bob`", or "this site" when its name is wrong.
fn title(noun: &str, name: &Option<Name>) -> String {
    match name {
        Some(name) => format!("{noun} `{name}`"),
        None => format!("this {noun}"),
    }
}

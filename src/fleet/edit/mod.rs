//! Changes to a fleet file that keep every comment and every byte they do not mean.
//!
//! An edit becomes changes of single entries; each is spliced into the text in the manner of its
//! neighbours; then the result is read again and has to be exactly what was meant, or the edit is
//! refused.

use std::path::Path;

use super::finding::{Finding, Report};
use super::key::Kind;
use super::keys;
use super::load::{Loaded, load, load_tree};
use super::model::{Fleet, SiteState};
use super::nearest;
use super::tree::{self, Node};
use super::yaml::{self, Value};

mod prove;
mod splice;
#[cfg(test)]
mod tests;

/// What an operator wants changed in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// A new site, with its keys in this order.
    CreateSite {
        name: String,
        /// Its keys.
        fields: Vec<(String, Value)>,
    },
    /// The site's entry goes; what stands on the host is not this function's business.
    RemoveSite {
        /// Its name.
        site: String,
    },
    /// One key of a site gets a value. A key inside another is written `env.NAME`.
    SetSite {
        /// The site's name.
        site: String,
        key: String,
        /// The new value.
        value: Value,
    },
    /// One key of a site goes, so that the default holds again. Nothing to do when it is not there.
    UnsetSite {
        /// The site's name.
        site: String,
        /// The key, as in `SetSite`.
        key: String,
    },
    /// `state:` of a site.
    SetState {
        /// The site's name.
        site: String,
        /// What it should be.
        state: SiteState,
    },
    /// One more domain.
    AddDomain {
        /// The site's name.
        site: String,
        /// The domain, as it is to be written.
        domain: String,
    },
    /// One domain less.
    RemoveDomain {
        /// The site's name.
        site: String,
        /// The domain; also found when the file spells it differently (upper case, umlauts).
        domain: String,
    },
}

impl Edit {
    /// A new site of which this is said, in whatever order.
    pub fn create_site(name: &str, said: Vec<(&'static str, Value)>) -> Self {
        let place = |key: &str| keys::creating().position(|known| known.name == key);
        let mut said = said;
        said.sort_by_key(|(key, _)| place(key));
        let fields = said.into_iter().map(|(key, value)| (key.to_owned(), value));
        Edit::CreateSite {
            name: name.to_owned(),
            fields: fields.collect(),
        }
    }
}

/// A fleet file after edits.
#[derive(Debug, Clone)]
pub struct Edited {
    /// The new text.
    pub text: String,
    pub fleet: Fleet,
    /// What is doubtful about it.
    pub warnings: Vec<Finding>,
}

/// Why an edit was not made.
#[derive(Debug, Clone, thiserror::Error)]
pub enum EditError {
    /// The file is broken already.
    #[error("the fleet file has errors of its own; `ostler check` shows them")]
    Broken(Vec<Finding>),
    /// What should change is not in the file.
    #[error("there is no {what}{}", .near.as_ref().map_or(String::new(), |n| format!("; did you mean `{n}`?")))]
    Missing {
        /// What was looked for.
        what: String,
        /// The nearest that is there.
        near: Option<String>,
    },
    /// What should be new is there already.
    #[error("there is a {0} already")]
    Exists(String),
    /// The new file would have errors.
    #[error("{}", invalid(.findings))]
    Invalid {
        /// What is wrong with it.
        findings: Vec<Finding>,
        /// The text they were found in.
        text: String,
    },
    /// The change cannot be made without touching something else.
    #[error("{0}; change the fleet file by hand")]
    Refused(String),
}

fn invalid(findings: &[Finding]) -> String {
    let first = findings.iter().find(|f| f.level == super::Level::Error);
    let Some(first) = first else {
        return "the fleet file would have errors".into();
    };
    match first.label.as_ref().or(first.help.as_ref()) {
        Some(more) => format!("{}: {more}", first.message),
        None => first.message.clone(),
    }
}

/// A change of one entry. Paths are keys from the top.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Change {
    Put {
        path: Vec<String>,
        value: Value,
    },
    Delete {
        path: Vec<String>,
    },
    Append {
        path: Vec<String>,
        item: String,
    },
    /// Removes the item at this place of a list.
    Take {
        path: Vec<String>,
        index: usize,
    },
}

impl Change {
    fn path(&self) -> &[String] {
        match self {
            Change::Put { path, .. }
            | Change::Delete { path }
            | Change::Append { path, .. }
            | Change::Take { path, .. } => path,
        }
    }
}

/// Makes `edits`, in order, all or none. `path` is where the source came from, for messages.
///
/// # Errors
/// [`EditError`]: nothing is changed then.
pub fn apply_edits(source: &str, path: &Path, edits: &[Edit]) -> Result<Edited, EditError> {
    let mut text = source.to_owned();
    let mut tree = read(&text, path)?;
    for edit in edits {
        for change in changes(edit, &tree)? {
            (text, tree) = step(&text, &tree, path, &change)?;
        }
    }
    match load_tree(&tree, &text, path) {
        Ok(Loaded { fleet, warnings }) => Ok(Edited {
            text,
            fleet,
            warnings,
        }),
        Err(findings) => match load(source, path) {
            Err(already) => Err(EditError::Broken(already)),
            Ok(_) => Err(EditError::Invalid { findings, text }),
        },
    }
}

/// Makes one change and proves it.
fn step(
    text: &str,
    tree: &Node,
    path: &Path,
    change: &Change,
) -> Result<(String, Node), EditError> {
    let splices = splice::splices(text, tree, change)?;
    let edited = splice::apply(text, splices.clone());
    let unproved = || {
        let path = change.path().join(".");
        EditError::Refused(format!(
            "{path} cannot be changed alone, the way this file is written"
        ))
    };
    let after = read(&edited, path).map_err(|_| unproved())?;
    match prove::holds(text, tree, &edited, &after, change, &splices) {
        true => Ok((edited, after)),
        false => Err(unproved()),
    }
}

fn read(text: &str, path: &Path) -> Result<Node, EditError> {
    let mut report = Report::new(text, path);
    let tree = tree::parse(text, &mut report);
    match tree {
        Some(tree) if !report.has_errors() => Ok(tree),
        _ => Err(EditError::Broken(report.finish())),
    }
}

/// What an edit means for the entries of this file.
fn changes(edit: &Edit, tree: &Node) -> Result<Vec<Change>, EditError> {
    let words = |words: &[&str]| {
        words
            .iter()
            .map(|word| (*word).to_owned())
            .collect::<Vec<_>>()
    };
    Ok(match edit {
        Edit::CreateSite { name, fields } => {
            vec![create(tree, "site", name, fields)?]
        }
        Edit::RemoveSite { site } => {
            find(tree, site)?;
            vec![Change::Delete {
                path: words(&["sites", site]),
            }]
        }
        Edit::SetSite { site, key, value } => {
            let node = find(tree, site)?;
            let path = key_path(site, key);
            let value = fitting(&path[2], value);
            match (inner(node, &path[2..]), &value) {
                (Some(old), Value::List(new)) => relist(old, new, &path, &value),
                _ => vec![Change::Put { path, value }],
            }
        }
        Edit::UnsetSite { site, key } => {
            let path = key_path(site, key);
            match inner(find(tree, site)?, &path[2..]) {
                Some(_) => vec![Change::Delete { path }],
                None => Vec::new(),
            }
        }
        Edit::SetState { site, state } => {
            let old = find(tree, site)?
                .entry("state")
                .and_then(|entry| entry.value.text());
            if old.unwrap_or(SiteState::default().word()) == state.word() {
                return Ok(Vec::new());
            }
            let path = words(&["sites", site, "state"]);
            vec![Change::Put {
                path,
                value: state.word().into(),
            }]
        }
        Edit::AddDomain { site, domain } => {
            find(tree, site)?;
            let path = words(&["sites", site, "domains"]);
            vec![Change::Append {
                path,
                item: domain.clone(),
            }]
        }
        Edit::RemoveDomain { site, domain } => {
            let entry = find(tree, site)?.entry("domains");
            let items = entry.map(|entry| items(&entry.value)).unwrap_or_default();
            let same = |text: &str| {
                text == domain
                    || matches!((super::value::parse_site_domain(text), super::value::parse_site_domain(domain)),
                        (Ok(a), Ok(b)) if a == b)
            };
            let Some(index) = items.iter().position(|item| item.is_some_and(same)) else {
                let near = nearest(domain, items.iter().flatten().copied()).map(str::to_owned);
                return Err(EditError::Missing {
                    what: format!("domain `{domain}` in `{site}`"),
                    near,
                });
            };
            vec![Change::Take {
                path: words(&["sites", site, "domains"]),
                index,
            }]
        }
    })
}

fn create(
    tree: &Node,
    noun: &str,
    name: &str,
    fields: &[(String, Value)],
) -> Result<Change, EditError> {
    let under = format!("{noun}s");
    let known = tree.entry(&under).map(|entry| &entry.value);
    if known.is_some_and(|entries| entries.entry(name).is_some()) {
        return Err(EditError::Exists(format!("{noun} `{name}`")));
    }
    let fields = fields
        .iter()
        .map(|(key, value)| (key.clone(), fitting(key, value)));
    let value = Value::Mapping(fields.collect());
    Ok(Change::Put {
        path: vec![under, name.to_owned()],
        value,
    })
}

fn find<'t>(tree: &'t Node, site: &str) -> Result<&'t Node, EditError> {
    let sites = tree
        .entry("sites")
        .map_or(&[][..], |entry| entry.value.entries());
    if let Some(entry) = sites.iter().find(|entry| entry.key.text() == Some(site)) {
        return Ok(&entry.value);
    }
    let near = nearest(site, sites.iter().filter_map(|entry| entry.key.text()));
    Err(EditError::Missing {
        what: format!("site `{site}`"),
        near: near.map(str::to_owned),
    })
}

/// `env.NAME` of a site, as a path from the top. Only the first dot parts: names may have dots.
fn key_path(site: &str, key: &str) -> Vec<String> {
    let mut path = vec!["sites".to_owned(), site.to_owned()];
    match key.split_once('.') {
        Some((outer, inner)) => path.extend([outer.to_owned(), inner.to_owned()]),
        None => path.push(key.to_owned()),
    }
    path
}

fn inner<'t>(node: &'t Node, path: &[String]) -> Option<&'t Node> {
    path.iter()
        .try_fold(node, |node, key| node.entry(key).map(|entry| &entry.value))
}

fn items(node: &Node) -> Vec<Option<&str>> {
    match &node.kind {
        tree::Kind::Sequence { items, .. } => items.iter().map(Node::text).collect(),
        _ => Vec::new(),
    }
}

/// A new list as removals and additions, where that gives the same: comments beside items stay.
fn relist(old: &Node, new: &[Value], path: &[String], value: &Value) -> Vec<Change> {
    let whole = || {
        vec![Change::Put {
            path: path.to_vec(),
            value: value.clone(),
        }]
    };
    let old: Option<Vec<&str>> = items(old).into_iter().collect();
    let texts = new.iter().map(|item| match item {
        Value::Text(text) => Some(text.as_str()),
        _ => None,
    });
    let (Some(old), Some(new)) = (old, texts.collect::<Option<Vec<_>>>()) else {
        return whole();
    };
    let kept: Vec<&str> = old
        .iter()
        .filter(|item| new.contains(item))
        .copied()
        .collect();
    if kept.is_empty() || !new.starts_with(&kept) {
        return whole();
    }
    let taken = old
        .iter()
        .enumerate()
        .rev()
        .filter(|(_, item)| !new.contains(item));
    let mut changes: Vec<Change> = taken
        .map(|(index, _)| Change::Take {
            path: path.to_vec(),
            index,
        })
        .collect();
    changes.extend(new[kept.len()..].iter().map(|item| Change::Append {
        path: path.to_vec(),
        item: (*item).to_owned(),
    }));
    changes
}

/// Numbers come out of forms as texts; behind a key that wants a number they are written as one.
fn fitting(key: &str, value: &Value) -> Value {
    let kind = keys::SITE.key(key).map(|key| key.kind);
    match (value, kind) {
        (
            Value::Text(text),
            Some(Kind::Count(..) | Kind::CountLimit(..) | Kind::Cpus | Kind::Flag),
        ) if yaml::is_bare(text) => Value::Bare(text.clone()),
        _ => value.clone(),
    }
}

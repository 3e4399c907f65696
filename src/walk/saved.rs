//! Plans kept in a file: `plan --out FILE`, `apply FILE`. Such a file says what was reviewed and is
//! never run: it is compared, whole and in order, with the plan that is made when it is applied.

mod compare;
mod file;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::fleet::{Fleet, Name};
use crate::observe::model::Observed;
use crate::plan::basis::{self, Facts};
use crate::plan::{Operation, Plan};
use crate::record::spec::short_hash;
use crate::text::{plain_line, short};

/// Version of the form.
const FORM: u32 = 4;
/// The largest file that is written and read, bytes: some 50,000 operations.
pub const LARGEST: usize = 64 << 20;

/// A plan as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saved {
    /// Version of the form.
    pub ostler_plan: u32,
    /// When it was made, RFC 3339.
    pub made_at: String,
    /// Restrictions it was made with (`--only`), to make it again in the same way.
    #[serde(default)]
    pub only: Vec<String>,
    /// Made with `--stop-unknown`.
    #[serde(default)]
    pub stop_unknown: bool,
    /// What it was made from, to name what moved since.
    #[serde(default)]
    pub made_from: MadeFrom,
    /// The plan, with the hash of its fleet file and what it was based on.
    pub plan: Plan,
}

/// How many lines tell what moved.
const TOLD: usize = 12;

/// What a plan is made from, as far as it takes to say later what moved. Holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct MadeFrom {
    /// What was found on each host.
    pub hosts: BTreeMap<Name, Facts>,
    /// A digest of each entry of the fleet file, such as `site blog`.
    pub file: BTreeMap<String, String>,
}

impl MadeFrom {
    /// Of a plan that is made right now.
    pub fn of(fleet: &Fleet, observed: &Observed) -> MadeFrom {
        let hosts = observed.hosts.iter().filter_map(|(name, host)| {
            Some((name.clone(), basis::facts(host.reached()?, fleet, name)))
        });
        let digest = |value: &dyn std::fmt::Debug| short_hash(format!("{value:?}").as_bytes());
        let mut file = BTreeMap::new();
        for (name, site) in &fleet.sites {
            file.insert(format!("site {name}"), digest(site));
        }
        for (name, host) in &fleet.hosts {
            file.insert(format!("host {name}"), digest(host));
        }
        for (name, account) in &fleet.accounts {
            file.insert(format!("account {name}"), digest(account));
        }
        MadeFrom {
            hosts: hosts.collect(),
            file,
        }
    }

    fn entries_moved(&self, now: &MadeFrom) -> Vec<String> {
        let all: BTreeSet<&String> = self.file.keys().chain(now.file.keys()).collect();
        let word = |entry: &&String| match (self.file.get(*entry), now.file.get(*entry)) {
            (Some(a), Some(b)) if a == b => None,
            (Some(_), Some(_)) => Some(format!("{entry} changed")),
            (Some(_), None) => Some(format!("{entry} removed")),
            (None, _) => Some(format!("{entry} added")),
        };
        all.iter().filter_map(word).collect()
    }
}

/// Why a kept plan cannot be read, or not be kept.
#[derive(Debug, thiserror::Error)]
pub enum SavedError {
    /// Not a plan at all.
    #[error("this is not a plan made by `ostler plan --out`: {}", short(&.0.to_string(), 200))]
    NotAPlan(serde_json::Error),
    /// Made by another version.
    #[error("this plan has the form {0}; this ostler reads form {FORM}: plan again")]
    OtherForm(u32),
    /// More than is read.
    #[error("it is larger than {} MiB; plan fewer sites at a time with --only", LARGEST >> 20)]
    TooLarge,
    /// Something that `plan --out` does not write, or not like that.
    #[error(
        "it was changed since it was written: line {line} is not as `ostler plan --out` writes it: {text}"
    )]
    Changed {
        /// From 1.
        line: usize,
        /// What stands there.
        text: String,
    },
    /// It contradicts itself.
    #[error("it was changed since it was written: {0}")]
    Wrong(String),
    /// Others than its owner may have written what is in it.
    #[error(
        "others than its owner may write it (mode {0:04o}), so nobody knows whose plan it is; `chmod go-w` it once you have looked at it, or plan again"
    )]
    Writable(u32),
    /// The operating system refused.
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

impl Saved {
    /// To be kept. `now` is RFC 3339.
    pub fn new(plan: Plan, made_from: MadeFrom, only: Vec<String>, now: String) -> Saved {
        Saved {
            ostler_plan: FORM,
            made_at: now,
            only,
            stop_unknown: false,
            made_from,
            plan,
        }
    }

    /// Whether it says that it was made after `now`: no clock is off by more than five minutes.
    pub fn is_of_the_future(&self, now: chrono::DateTime<chrono::Utc>) -> bool {
        let made = chrono::DateTime::parse_from_rfc3339(&self.made_at);
        made.is_ok_and(|made| made > now + chrono::TimeDelta::minutes(5))
    }

    /// The file's bytes.
    ///
    /// # Errors
    /// It cannot be written as JSON.
    pub fn to_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        // It is looked at before it is applied.
        let mut text = crate::text::escaped(&serde_json::to_string_pretty(self)?);
        text.push('\n');
        Ok(text.into_bytes())
    }

    /// Reads a file's bytes. It has to be, byte for byte, what [`Saved::to_bytes`] writes: what this
    /// program would read past, a reviewer may have gone by.
    ///
    /// # Errors
    /// It is too large, no plan, of another form, or was changed since.
    pub fn from_bytes(bytes: &[u8]) -> Result<Saved, SavedError> {
        #[derive(Deserialize)]
        struct Form {
            ostler_plan: u32,
        }
        if bytes.len() > LARGEST {
            return Err(SavedError::TooLarge);
        }
        let form: Form = serde_json::from_slice(bytes).map_err(SavedError::NotAPlan)?;
        if form.ostler_plan != FORM {
            return Err(SavedError::OtherForm(form.ostler_plan));
        }
        let saved: Saved = serde_json::from_slice(bytes).map_err(SavedError::NotAPlan)?;
        let again = saved.to_bytes().map_err(SavedError::NotAPlan)?;
        if again != bytes {
            return Err(changed(bytes, &again));
        }
        saved.check().map_err(SavedError::Wrong)?;
        Ok(saved)
    }

    /// Whether it says of each operation once where it is done, and what comes before it.
    fn check(&self) -> Result<(), String> {
        if chrono::DateTime::parse_from_rfc3339(&self.made_at).is_err() {
            return Err("`made_at` is no time".into());
        }
        let mut seen = BTreeSet::new();
        for operation in &self.plan.operations {
            let id = operation.id.0.as_str();
            let shown = short(id, 100);
            if !belongs(operation) {
                let at = match &operation.site {
                    Some(site) => format!("{site} on {}", operation.host),
                    None => operation.host.to_string(),
                };
                return Err(format!("the operation {shown} is not one of {at}"));
            }
            if let Some(later) = operation
                .after
                .iter()
                .find(|id| !seen.contains(id.0.as_str()))
            {
                let later = short(&later.0, 100);
                return Err(format!(
                    "the operation {shown} is to be done after {later}, which does not come before it"
                ));
            }
            if !seen.insert(id) {
                return Err(format!("there are two operations {shown}"));
            }
        }
        Ok(())
    }

    /// What has moved since, compared with a plan made right now from the fleet file and the hosts
    /// as they are, one line each; empty: it may be applied.
    pub fn moved(&self, now: &Plan, from: &MadeFrom) -> Vec<String> {
        let mut moved = Vec::new();
        if self.plan.fleet_hash != now.fleet_hash {
            let entries = match self.made_from.file.is_empty() {
                true => Vec::new(),
                false => self.made_from.entries_moved(from),
            };
            match entries.is_empty() {
                true => moved.push("the fleet file was changed".to_owned()),
                false => moved.extend(entries.iter().map(|e| format!("the fleet file: {e}"))),
            }
        }
        for (host, basis) in &self.plan.basis {
            match now.basis.get(host) {
                Some(then) if then == basis => {}
                Some(_) => moved.extend(self.host_moved(host, from)),
                None => moved.push(format!("host {host} cannot be looked at now")),
            }
        }
        for host in now.basis.keys() {
            if !self.plan.basis.contains_key(host) {
                moved.push(format!("host {host} could not be looked at then"));
            }
        }
        // What the hosts' digests do not cover: files, secrets, images, what somebody else holds;
        // and what somebody wrote into the file.
        if moved.is_empty() {
            moved = compare::plans(&self.plan, now);
        }
        if moved.len() > TOLD {
            let more = moved.len() - TOLD;
            moved.truncate(TOLD);
            moved.push(format!("and {more} more"));
        }
        moved.iter().map(|line| plain_line(line)).collect()
    }

    fn host_moved(&self, host: &Name, now: &MadeFrom) -> Vec<String> {
        let lines = match (self.made_from.hosts.get(host), now.hosts.get(host)) {
            (Some(then), Some(now)) => basis::moved(then, now),
            _ => Vec::new(),
        };
        match lines.is_empty() {
            true => vec![format!("host {host}: what runs there changed")],
            false => lines.iter().map(|l| format!("{host}: {l}")).collect(),
        }
    }
}

/// Whether its id is one that a plan gives to an operation of its host and site.
fn belongs(operation: &Operation) -> bool {
    let rest = operation.id.0.strip_prefix(operation.host.as_str());
    let rest = rest.and_then(|rest| rest.strip_prefix('/'));
    let rest = match &operation.site {
        Some(site) => rest
            .and_then(|rest| rest.strip_prefix(site.as_str()))
            .and_then(|rest| rest.strip_prefix('/')),
        None => rest,
    };
    rest.is_some_and(|rest| !rest.is_empty())
}

/// The first line that is not as it would be written.
fn changed(bytes: &[u8], again: &[u8]) -> SavedError {
    let same = bytes.iter().zip(again).take_while(|(a, b)| a == b).count();
    let start = bytes[..same].iter().rposition(|b| *b == b'\n');
    let start = start.map_or(0, |at| at + 1);
    let line = bytes[start..].split(|b| *b == b'\n').next();
    SavedError::Changed {
        line: bytes[..start].iter().filter(|b| **b == b'\n').count() + 1,
        text: short(&String::from_utf8_lossy(line.unwrap_or_default()), 100),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Class, Interruption, OperationId, OperationKind, Undo};
    use std::collections::BTreeMap;

    fn plan(hash: &str, basis: &[(&str, &str)]) -> Plan {
        Plan {
            fleet_hash: hash.into(),
            basis: basis
                .iter()
                .map(|(h, b)| (h.parse().unwrap(), (*b).to_owned()))
                .collect::<BTreeMap<_, _>>(),
            ..Plan::default()
        }
    }

    fn now() -> String {
        "2026-11-29T20:00:00Z".into()
    }

    #[test]
    fn what_moved_is_named() {
        let made = plan("1", &[("a", "x"), ("b", "y")]);
        let from = MadeFrom::default();
        let saved = Saved::new(made, from.clone(), vec![], now());
        let back = Saved::from_bytes(&saved.to_bytes().unwrap()).unwrap();
        assert_eq!(back, saved);
        assert!(back.moved(&saved.plan, &from).is_empty());
        assert_eq!(
            back.moved(&plan("2", &[("a", "z"), ("c", "y")]), &from),
            [
                "the fleet file was changed",
                "host a: what runs there changed",
                "host b cannot be looked at now",
                "host c could not be looked at then",
            ]
        );
    }

    #[test]
    fn other_operations_than_now_are_named() {
        let pull = |id: &str, image: &str| Operation {
            id: OperationId(id.into()),
            host: "a".parse().unwrap(),
            site: None,
            kind: OperationKind::PullImage {
                image: image.into(),
                anew: false,
            },
            class: Class::Write,
            cause: vec![image.into()],
            interrupts: Interruption::None,
            undo: Undo::Nothing,
            after: vec![],
        };
        let with = |operations: Vec<Operation>| Plan {
            operations,
            ..plan("1", &[("a", "x")])
        };
        let from = MadeFrom::default();
        let then = with(vec![pull("a/1", "x"), pull("a/2", "x"), pull("a/3", "x")]);
        let saved = Saved::new(then.clone(), from.clone(), vec![], now());
        let mut now = then;
        now.operations[0].cause = vec!["later".into()];
        assert_eq!(
            saved.moved(&now, &from),
            ["a/1: cause.0: \"x\" in it, \"later\" now"]
        );
        let now = with(vec![pull("a/1", "x"), pull("a/2", "y"), pull("a/4", "x")]);
        assert_eq!(
            saved.moved(&now, &from),
            [
                "a/2: cause.0: \"x\" in it, \"y\" now",
                "a/3: is not to be done any more",
                "a/4: is to be done too now",
            ]
        );
    }

    #[test]
    fn the_entries_and_fields_that_moved_are_named() {
        let facts = |memory: &str| -> Facts {
            let fields = [("memory".to_owned(), memory.to_owned())];
            [("blog".to_owned(), fields.into())].into()
        };
        let from = |memory: &str, entries: &[(&str, &str)]| MadeFrom {
            hosts: [("a".parse().unwrap(), facts(memory))].into(),
            file: entries
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect(),
        };
        let then = from("128M", &[("site blog", "1"), ("site old", "1")]);
        let saved = Saved::new(plan("1", &[("a", "x")]), then, vec![], now());
        let now = from("256M", &[("site blog", "2"), ("site shop", "1")]);
        assert_eq!(
            saved.moved(&plan("2", &[("a", "z")]), &now),
            [
                "the fleet file: site blog changed",
                "the fleet file: site old removed",
                "the fleet file: site shop added",
                "a: blog: memory: 128M → 256M",
            ]
        );
    }

    #[test]
    fn other_files_are_refused() {
        assert!(Saved::from_bytes(b"fleet: x").is_err());
        let other = Saved::from_bytes(br#"{"ostler_plan": 7}"#).unwrap_err();
        assert!(other.to_string().contains("form 7"));
    }
}

//! Plans kept in a file: `plan --out FILE`, `apply FILE`.

use serde::{Deserialize, Serialize};

use crate::plan::Plan;

/// Version of the form.
const FORM: u32 = 1;

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
    /// The plan, with the hash of its fleet file and what it was based on.
    pub plan: Plan,
}

/// Why a kept plan cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SavedError {
    /// Not a plan at all.
    #[error("this is not a plan made by `ostler plan --out`: {0}")]
    NotAPlan(serde_json::Error),
    /// Made by another version.
    #[error("this plan has the form {0}; this ostler reads form {FORM}: plan again")]
    OtherForm(u32),
}

impl Saved {
    /// To be kept. `now` is RFC 3339.
    pub fn new(plan: Plan, only: Vec<String>, now: String) -> Saved {
        Saved {
            ostler_plan: FORM,
            made_at: now,
            only,
            plan,
        }
    }

    /// The file's bytes.
    pub fn to_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut bytes = serde_json::to_vec_pretty(self)?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Reads a file's bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Saved, SavedError> {
        #[derive(Deserialize)]
        struct Form {
            ostler_plan: u32,
        }
        let form: Form = serde_json::from_slice(bytes).map_err(SavedError::NotAPlan)?;
        if form.ostler_plan != FORM {
            return Err(SavedError::OtherForm(form.ostler_plan));
        }
        serde_json::from_slice(bytes).map_err(SavedError::NotAPlan)
    }

    /// What has moved since, compared with a plan made right now from the fleet file and the hosts
    /// as they are; empty: it may be applied.
    pub fn moved(&self, now: &Plan) -> Vec<String> {
        let mut moved = Vec::new();
        if self.plan.fleet_hash != now.fleet_hash {
            moved.push("the fleet file was changed".to_owned());
        }
        for (host, basis) in &self.plan.basis {
            match now.basis.get(host) {
                Some(then) if then == basis => {}
                Some(_) => moved.push(format!("host {host}: what runs there changed")),
                None => moved.push(format!("host {host} cannot be looked at now")),
            }
        }
        for host in now.basis.keys() {
            if !self.plan.basis.contains_key(host) {
                moved.push(format!("host {host} could not be looked at then"));
            }
        }
        moved
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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

    #[test]
    fn what_moved_is_named() {
        let saved = Saved::new(plan("1", &[("a", "x"), ("b", "y")]), vec![], "now".into());
        let back = Saved::from_bytes(&saved.to_bytes().unwrap()).unwrap();
        assert_eq!(back, saved);
        assert!(back.moved(&saved.plan).is_empty());
        assert_eq!(
            back.moved(&plan("2", &[("a", "z"), ("c", "y")])),
            [
                "the fleet file was changed",
                "host a: what runs there changed",
                "host b cannot be looked at now",
                "host c could not be looked at then",
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

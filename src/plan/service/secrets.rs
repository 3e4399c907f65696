//! Secrets: which digests they should have, and when they are written. A site that does not run
//! keeps them.

pub mod operation;

use std::collections::BTreeMap;

use super::operation::ServiceOperation;
use super::seam::Service;
use crate::fleet::{Recipe, Site, SiteState};
use crate::plan::cause;
use crate::plan::draft::Step;
use crate::plan::drift::raw::{Found, Look};
use crate::plan::operation::OperationKind;
use crate::plan::recipe::base::Setting;
use crate::plan::site::stage::{Refused, Stage};
use crate::record::SiteRecord;
use crate::record::spec::{Bind, ContainerSpec};
use operation::SecretsOperation;

/// Name → digest.
type Digests = BTreeMap<String, String>;

/// Why writing secrets cannot be taken back.
const LOST: &str = "the former values are not kept";

pub(super) struct Secrets;

impl Service for Secrets {
    fn name(&self) -> &'static str {
        "secrets"
    }

    fn mounts(&self, site: &Site, setting: &Setting, spec: &mut ContainerSpec) {
        if !site.secrets.is_empty() {
            spec.binds.push(Bind {
                host: setting.layout.secrets(&site.name),
                inside: "/run/secrets".into(),
                read_only: true,
            });
        }
    }

    /// Writes what is new or changed. What the file knows no more may still be read by the container
    /// that serves: it goes when nothing of the old is left.
    fn before(&self, site: &Site, stage: &mut Stage) -> Result<(), Refused> {
        if is_without(site) {
            return Ok(());
        }
        let digests = digests(site, stage)?;
        stage.record.secrets.clone_from(&digests);
        let recorded = recorded(stage);
        // Where they cannot be read here they stay as they are.
        let seen = stage.ground.seen;
        let edited = stage
            .ground
            .differs(stage.name)
            .filter(|_| !seen.secret_errors.contains_key(stage.name))
            .map_or(&[][..], |d| d.service(self.name()));
        let mut written = digests.iter();
        if edited.is_empty() && written.all(|(name, digest)| recorded.get(name) == Some(digest)) {
            return Ok(());
        }
        let keep = no_more(&recorded, &digests);
        let mut then = digests.clone();
        for name in &keep {
            let kept = recorded.get_key_value(name);
            then.extend(kept.map(|(name, digest)| (name.clone(), digest.clone())));
        }
        let mut causes = cause::of_secrets(&recorded, &then);
        let by_hand = |path: &str| format!("secrets: {path} changed by hand");
        causes.extend(edited.iter().map(|one| by_hand(&one.path)));
        let mut step = Step::new("secrets", write(stage, digests, keep), &causes);
        if !recorded.is_empty() {
            step = step.no_way_back(LOST);
        }
        stage.push_service(self.name(), step);
        Ok(())
    }

    /// Takes away what the file knows no more.
    fn after(&self, _site: &Site, stage: &mut Stage) {
        let digests = stage.record.secrets.clone();
        let gone = no_more(&recorded(stage), &digests);
        if gone.is_empty() {
            return;
        }
        let mut before = digests.clone();
        before.extend(gone.into_iter().map(|name| (name, String::new())));
        let causes = cause::of_secrets(&before, &digests);
        let kind = write(stage, digests, Vec::new());
        let step = Step::new("secrets-gone", kind, &causes).no_way_back(LOST);
        stage.push_service(self.name(), step);
    }

    /// Whether secrets changed at their sources, or on the host. Their values are in none of the
    /// three.
    fn differs(&self, look: &Look, site: &Site, record: &SiteRecord, found: &mut Found) {
        if site.state == SiteState::Running && !is_without(site) {
            at_their_sources(look, site, record, found);
        }
        if let Some(differs) = look.differs(&site.name) {
            found.differences("secrets", differs.service(self.name()));
        }
    }
}

fn at_their_sources(look: &Look, site: &Site, record: &SiteRecord, found: &mut Found) {
    let known = look.seen.secret_digests.get(&site.name);
    for name in site.secrets.keys() {
        let now = known.and_then(|known| known.get(name));
        let path = format!("secrets.{name}");
        match (record.secrets.get(name), now) {
            (None, _) => found.by_file(path, None, Some("new")),
            (Some(was), Some(now)) if was != now && !now.is_empty() => {
                found.by_file(path, Some("written"), Some("changed"));
            }
            _ => {}
        }
    }
    for name in no_more(&record.secrets, &site.secrets) {
        found.by_file(format!("secrets.{name}"), Some("written"), None);
    }
}

/// Whether nothing of ours could read them.
fn is_without(site: &Site) -> bool {
    matches!(site.recipe, Recipe::Proxy { .. })
}

/// The digests the site's secrets should have.
fn digests(site: &Site, stage: &mut Stage) -> Result<Digests, Refused> {
    let seen = stage.ground.seen;
    let known = seen.secret_digests.get(&site.name);
    let why = seen.secret_errors.get(&site.name);
    let recorded = recorded(stage);
    let mut digests = BTreeMap::new();
    let mut unread = Vec::new();
    for name in site.secrets.keys() {
        let now = known.and_then(|known| known.get(name));
        let then = recorded.get(name);
        if now.is_none() && why.is_some() {
            unread.push(then.is_some());
        }
        // Empty: the host has no key yet, so apply computes it.
        let digest = now.or(then).cloned().unwrap_or_default();
        digests.insert(name.clone(), digest);
    }
    for what in seen.secrets_withheld.get(&site.name).into_iter().flatten() {
        stage.uncompared(format!("not compared: {what}"));
    }
    let Some(why) = why.filter(|_| !unread.is_empty()) else {
        return Ok(digests);
    };
    if unread.into_iter().all(|written| written) {
        stage.uncompared(format!(
            "its secrets could not be read here and stay as they are on the host: {why}"
        ));
        // Those that the file knows no more as well: taking them away would write the others.
        return Ok(recorded);
    }
    Err(stage.refuse(
        format!("a secret cannot be read: {why}"),
        "mend its `file:` or `command:` under `secrets:`, or let it be read",
    ))
}

fn recorded(stage: &Stage) -> Digests {
    let record = stage.view.record;
    record.map(|r| r.secrets.clone()).unwrap_or_default()
}

fn no_more<T>(recorded: &Digests, now: &BTreeMap<String, T>) -> Vec<String> {
    let gone = recorded.keys().filter(|name| !now.contains_key(*name));
    gone.cloned().collect()
}

fn write(stage: &Stage, digests: Digests, keep: Vec<String>) -> OperationKind {
    let operation = SecretsOperation::WriteSecrets {
        site: stage.name.clone(),
        uid: stage.uid,
        digests,
        keep,
    };
    OperationKind::Service(ServiceOperation::Secrets(operation))
}

//! Secrets: which digests they should have, and when they are written.

use std::collections::BTreeMap;

use super::super::View;
use crate::fleet::{Name, Site};
use crate::plan::cause;
use crate::plan::draft::{Chain, Draft, Step};
use crate::plan::ground::Ground;
use crate::plan::operation::OperationKind;

/// The digests the site's secrets should have; an error means that the site cannot be planned.
pub(super) fn secrets(
    ground: &Ground,
    draft: &mut Draft,
    site: &Site,
    view: &View,
) -> Result<BTreeMap<String, String>, ()> {
    let known = ground.seen.secret_digests.get(&site.name);
    let recorded = view.record.map(|record| &record.secrets);
    let mut digests = BTreeMap::new();
    let mut unread = Vec::new();
    for name in site.secrets.keys() {
        let now = known.and_then(|known| known.get(name));
        let then = recorded.and_then(|recorded| recorded.get(name));
        if now.is_none() && ground.seen.secret_errors.contains_key(&site.name) {
            unread.push((name, then.is_some()));
        }
        // Empty: the host has no key yet, so apply computes it.
        let digest = now.or(then).cloned().unwrap_or_default();
        digests.insert(name.clone(), digest);
    }
    if unread.is_empty() {
        return Ok(digests);
    }
    let why = ground
        .seen
        .secret_errors
        .get(&site.name)
        .cloned()
        .unwrap_or_default();
    if unread.iter().all(|(_, written)| *written) {
        draft.notice(
            Some(&site.name),
            format!("its secrets could not be read here and stay as they are on the host: {why}"),
        );
        return Ok(digests);
    }
    draft.problem(
        Some(&site.name),
        format!("a secret cannot be read: {why}"),
        "mend its `file:` or `command:` under `secrets:`",
    );
    Err(())
}

pub(super) fn write_secrets(
    chain: &mut Chain,
    view: &View,
    site: &Name,
    uid: u32,
    digests: &BTreeMap<String, String>,
    ground: &Ground,
) {
    let none = BTreeMap::new();
    let recorded = view.record.map_or(&none, |record| &record.secrets);
    if recorded == digests {
        return;
    }
    let kind = OperationKind::WriteSecrets {
        site: site.clone(),
        uid,
        digests: digests.clone(),
    };
    let causes = cause::of_secrets(recorded, digests);
    let mut step = Step::new("secrets", kind, &causes);
    if !recorded.is_empty() {
        step = step.no_way_back("the former values are not kept");
    }
    chain.push(step, &[ground.prepared.as_ref()]);
}

/// Whether all of these are recorded just so, and more.
pub(super) fn is_part(secrets: &BTreeMap<String, String>, view: &View) -> bool {
    view.record.is_some_and(|record| {
        secrets.len() < record.secrets.len()
            && secrets
                .iter()
                .all(|(name, digest)| record.secrets.get(name) == Some(digest))
    })
}

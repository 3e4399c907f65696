//! Secrets: which digests they should have, and when they are written.

use std::collections::BTreeMap;

use super::super::view::View;
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
        // Those that the file knows no more as well: taking them away would write the others.
        return Ok(recorded.cloned().unwrap_or_default());
    }
    draft.problem(
        Some(&site.name),
        format!("a secret cannot be read: {why}"),
        "mend its `file:` or `command:` under `secrets:`",
    );
    Err(())
}

/// Why writing secrets cannot be taken back.
const LOST: &str = "the former values are not kept";

/// Writes what is new or changed. What the file knows no more may still be read by the container
/// that serves: it goes with [`remove_secrets`], when nothing of the old is left.
pub(super) fn write_secrets(
    chain: &mut Chain,
    view: &View,
    site: &Name,
    uid: u32,
    digests: &BTreeMap<String, String>,
    ground: &Ground,
) {
    let recorded = recorded(view);
    // Where they cannot be read here they stay as they are.
    let edited = ground
        .differs(site)
        .filter(|_| !ground.seen.secret_errors.contains_key(site))
        .map_or(&[][..], |d| &d.secrets);
    if edited.is_empty()
        && digests
            .iter()
            .all(|(name, digest)| recorded.get(name) == Some(digest))
    {
        return;
    }
    let keep = no_more(&recorded, digests);
    let mut then = digests.clone();
    for name in &keep {
        then.extend(
            recorded
                .get_key_value(name)
                .map(|(n, d)| (n.clone(), d.clone())),
        );
    }
    let mut causes = cause::of_secrets(&recorded, &then);
    causes.extend(
        edited
            .iter()
            .map(|one| format!("secrets: {} changed by hand", one.path)),
    );
    let kind = kind(site, uid, digests, keep);
    let mut step = Step::new("secrets", kind, &causes);
    if !recorded.is_empty() {
        step = step.no_way_back(LOST);
    }
    chain.push(step, &[ground.prepared.as_ref()]);
}

/// Takes away what the file knows no more.
pub(super) fn remove_secrets(
    chain: &mut Chain,
    view: &View,
    site: &Name,
    uid: u32,
    digests: &BTreeMap<String, String>,
    ground: &Ground,
) {
    let recorded = recorded(view);
    let gone = no_more(&recorded, digests);
    if gone.is_empty() {
        return;
    }
    let mut before = digests.clone();
    before.extend(gone.iter().map(|name| (name.clone(), String::new())));
    let causes = cause::of_secrets(&before, digests);
    let kind = kind(site, uid, digests, Vec::new());
    let step = Step::new("secrets-gone", kind, &causes).no_way_back(LOST);
    chain.push(step, &[ground.prepared.as_ref()]);
}

fn recorded(view: &View) -> BTreeMap<String, String> {
    view.record
        .map(|record| record.secrets.clone())
        .unwrap_or_default()
}

fn no_more(recorded: &BTreeMap<String, String>, digests: &BTreeMap<String, String>) -> Vec<String> {
    let gone = recorded.keys().filter(|name| !digests.contains_key(*name));
    gone.cloned().collect()
}

fn kind(
    site: &Name,
    uid: u32,
    digests: &BTreeMap<String, String>,
    keep: Vec<String>,
) -> OperationKind {
    OperationKind::WriteSecrets {
        site: site.clone(),
        uid,
        digests: digests.clone(),
        keep,
    }
}

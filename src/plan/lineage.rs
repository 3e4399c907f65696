//! Whether this operator's fleet file knows what a colleague did since.

use super::draft::Draft;
use crate::fleet::Name;
use crate::observe::model::Lineage;
use crate::record::HostState;

/// Says first when the host was last applied from a file that ours does not descend from.
pub(crate) fn check(lineage: &Lineage, state: &HostState, draft: &mut Draft) {
    let Some(record) = &state.host else { return };
    if record.fleet_hash.is_empty()
        || lineage.ancestors.contains(&record.fleet_hash)
        || record
            .commit
            .as_ref()
            .is_some_and(|commit| lineage.commits.contains(commit))
    {
        return;
    }
    let commit = record
        .commit
        .as_deref()
        .map(|commit| format!(", commit {}", commit.get(..10).unwrap_or(commit)))
        .unwrap_or_default();
    let by = record
        .applied_by
        .as_deref()
        .map(|by| format!(" by {by}"))
        .unwrap_or_default();
    draft.notice(
        None,
        format!(
            "last applied{by} from a fleet file that yours does not descend from{commit}; \
             get that version first, or this plan undoes its changes"
        ),
    );
}

/// Whether stopping `site` is refused because no file in our history ever named it.
pub(crate) fn refuses(lineage: &Lineage, site: &Name) -> bool {
    !lineage.known_sites.contains(site)
}

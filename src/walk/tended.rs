//! Hosts note when a pass last came by, so that everybody sees where none does any more.

use std::collections::BTreeMap;

use futures_util::future::join_all;

use crate::engine::Client;
use crate::fleet::{Acme, Fleet, Name};
use crate::host::state;
use crate::host::toolbox::Toolbox;
use crate::observe::model::Observed;
use crate::observe::whose;
use crate::record::Layout;

/// Seconds for which a note is good enough: passes that follow each other change nothing.
const FRESH: i64 = 3600;

/// Has each host that answers, and that was applied to, note that a pass came by at `now`, where its
/// note is old. The answer: where that failed, a line each.
pub async fn note(
    fleet: &Fleet,
    observed: &Observed,
    clients: &BTreeMap<Name, Client>,
    now: i64,
) -> Vec<String> {
    if !matches!(fleet.acme, Some(Acme::On(_))) {
        return Vec::new();
    }
    let noting = observed.hosts.iter().filter_map(|(name, found)| {
        let (seen, host) = (found.reached()?, fleet.hosts.get(name)?);
        let state = seen.state.read().filter(|state| state.host.is_some())?;
        let is_old = |at: i64| now.abs_diff(at) > FRESH.unsigned_abs();
        if !state.tended.is_none_or(is_old) {
            return None;
        }
        let toolbox = whose::toolbox(&seen.containers, &fleet.name)?;
        let toolbox = Toolbox {
            client: clients.get(name).filter(|_| toolbox.is_running())?.clone(),
            id: toolbox.id.clone(),
            layout: Layout::new(&host.root),
        };
        Some(async move {
            let noted = state::write_tended(&toolbox, now).await;
            noted
                .err()
                .map(|error| format!("{name}: cannot note the pass: {error}"))
        })
    });
    join_all(noting).await.into_iter().flatten().collect()
}

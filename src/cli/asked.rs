//! Asking the sites, for `sites` and `status`: one that hangs or answers 500 is not well.

use std::collections::HashMap;
use std::time::Duration;

use crate::fleet::{Fleet, Name};
use crate::observe::ask::{Questions, ask_all};
use crate::verdict::{Probe, Road, SiteAnswer};
use crate::walk::look::Seen;

/// How long all sites together have to answer.
const ASKING: Duration = Duration::from_secs(8);

/// What came of asking every site that should answer: of those for which there was no time, that.
pub async fn asked(fleet: &Fleet, seen: &Seen) -> HashMap<Name, Probe> {
    let mut probes = ask_all(fleet, &seen.observed, &seen.clients, ASKING).await;
    let now = chrono::Utc::now().timestamp();
    for (host, found) in &seen.observed.hosts {
        let Some(found) = found.reached() else {
            continue;
        };
        for question in Questions::of(fleet, host, found).all {
            probes.entry(question.site).or_insert_with(|| {
                let late = SiteAnswer::NotAsked("there was no time to".into());
                Probe::new(now, late, Road::Connection, ASKING, None)
            });
        }
    }
    probes
}

//! Asking the sites, for `sites` and `status`: one that hangs or answers 500 is not well.

use std::collections::HashMap;
use std::time::Duration;

use crate::fleet::{Fleet, Name};
use crate::observe::ask::{Questions, ask_all};
use crate::verdict::{Probe, Road, SiteAnswer};
use crate::walk::look::Seen;

/// How long all sites together have to answer, where they are few.
const ASKING: Duration = Duration::from_secs(8);
/// So much more for each site of the host that has the most, up to a minute in all.
const EACH: Duration = Duration::from_millis(20);
const AT_MOST: Duration = Duration::from_secs(60);

/// How long the sites have to answer, by how many there are on the host that has the most.
fn time_for(sites: usize) -> Duration {
    let more = EACH.saturating_mul(u32::try_from(sites).unwrap_or(u32::MAX));
    ASKING.saturating_add(more).min(AT_MOST)
}

/// What came of asking every site that should answer: of those for which there was no time, that.
pub async fn asked(fleet: &Fleet, seen: &Seen) -> HashMap<Name, Probe> {
    let most = seen.observed.hosts.keys();
    let most = most.map(|host| fleet.sites_on(host).count()).max();
    let within = time_for(most.unwrap_or_default());
    let mut probes = ask_all(fleet, &seen.observed, &seen.clients, within).await;
    let now = chrono::Utc::now().timestamp();
    for (host, found) in &seen.observed.hosts {
        let Some(found) = found.reached() else {
            continue;
        };
        for question in Questions::of(fleet, host, found).all {
            probes.entry(question.site).or_insert_with(|| {
                let late = SiteAnswer::NotAsked(format!(
                    "there was no time to, in {} s",
                    within.as_secs()
                ));
                Probe::new(now, late, Road::Connection, within, None)
            });
        }
    }
    probes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_sites_have_longer_and_a_monitor_does_not_wait_for_ever() {
        assert_eq!(time_for(0), ASKING);
        assert_eq!(time_for(1_000).as_secs(), 28);
        assert_eq!(time_for(usize::MAX), AT_MOST);
    }
}

//! Certificates on a host: whether the files are those that are recorded, and the router's lists too.

use super::{BySite, Kept};
use crate::host::router::tls::on_disk;
use crate::host::{Toolbox, ToolboxError};
use crate::record::{Different, HostState};

/// What certificates have on a host.
pub(super) const KEPT: Kept = Kept {
    name: "certificate",
    scripts: &[],
    compare: |toolbox, state| Box::pin(compare(toolbox, state)),
};

/// Their public parts as they lie on the host, against what is recorded.
async fn compare(toolbox: &Toolbox, state: &HostState) -> Result<BySite, ToolboxError> {
    let all = state.certificates.values();
    let stored: Vec<_> = all.filter(|record| record.stored.is_some()).collect();
    let sites: Vec<_> = stored.iter().map(|record| &record.site).collect();
    let found = on_disk(toolbox, &sites).await?;
    let mut differ = BySite::new();
    for record in stored {
        let Some(stored) = &record.stored else {
            continue;
        };
        let live = match found.get(&record.site) {
            Some(Ok(live)) if live.fingerprint == stored.facts.fingerprint => continue,
            Some(Ok(_)) => Some("another one".to_owned()),
            Some(Err(why)) => Some(why.clone()),
            None => None,
        };
        let different = Different {
            path: "certificate".to_owned(),
            applied: Some("as it was stored".to_owned()),
            live,
        };
        differ.insert(record.site.clone(), vec![different]);
    }
    Ok(differ)
}

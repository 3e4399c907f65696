//! Markers on a host: a service that only tests know.

use super::{BySite, Kept};
use crate::host::script::{SHORT, Script};
use crate::host::{Toolbox, ToolboxError};
use crate::record::{Different, HostState};

pub(super) const KEPT: Kept = Kept {
    name: "marker",
    scripts: &[MARKERS],
    compare: |toolbox, state| Box::pin(compare(toolbox, state)),
};

/// The markers of all sites.
///
/// Arguments: `DIR`, the folder of all sites. Prints lines `./SITE/private/marker/text TEXT`. Exit 0.
const MARKERS: Script = Script {
    tag: "markers",
    text: r#"cd -- "$1" || exit 1
for file in ./*/private/marker/text; do
  [ ! -f "$file" ] || echo "$file $(cat -- "$file")"
done
"#,
    deadline: SHORT,
};

async fn compare(toolbox: &Toolbox, state: &HostState) -> Result<BySite, ToolboxError> {
    let kept = state.sites.values().filter_map(|record| {
        let text = record.services.get("marker")?.as_str()?;
        Some((&record.site, text))
    });
    let kept: Vec<_> = kept.collect();
    let mut differ = BySite::new();
    if kept.is_empty() {
        return Ok(differ);
    }
    let sites = toolbox.layout.sites();
    let out = toolbox.run(&MARKERS, &[&sites], None).await?;
    let out = String::from_utf8_lossy(&out);
    for (site, text) in kept {
        let path = format!("./{site}/private/marker/text ");
        let live = out.lines().find_map(|line| line.strip_prefix(&path));
        if live != Some(text) {
            let different = Different {
                path: "marker".into(),
                applied: Some(text.to_owned()),
                live: live.map(str::to_owned),
            };
            differ.insert(site.clone(), vec![different]);
        }
    }
    Ok(differ)
}

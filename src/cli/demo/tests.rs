use std::collections::HashMap;

use super::*;
use crate::observe::scan::{Inspect, scan_fleet};

#[tokio::test]
async fn the_fleet_comes_up_with_a_failing_and_a_drifted_site() {
    let folder = Folder::new().unwrap();
    let file = folder.fleet().unwrap();
    let hosts = scene::build(&file, &folder.path)
        .await
        .unwrap_or_else(|failure| panic!("{failure:#?}"));
    let connect = |host: &crate::fleet::Host| {
        let sim = hosts.get(&host.name).cloned();
        async move { simulated::connect(sim, String::new(), Mode::OnCall).await }
    };
    let (observed, _) = scan_fleet(&file.fleet, connect, None, &Inspect::Ours).await;
    let rows = super::super::rows::judged(&file.fleet, &observed, None, &HashMap::new(), |_| true);
    assert_eq!(rows.len(), 41);
    let bad: Vec<_> = rows
        .iter()
        .filter(|r| !r.is_ok())
        .map(|r| (&r.name, &r.why))
        .collect();
    assert!(bad.is_empty(), "{bad:?}");
    let drifted: Vec<_> = rows.iter().filter(|r| !r.drift.is_empty()).collect();
    assert_eq!(drifted.len(), 1, "{drifted:?}");
    assert_eq!(drifted[0].name.as_str(), "alice-blog");
}

#[test]
fn the_folder_is_gone_at_the_end() {
    let folder = Folder::new().unwrap();
    let path = folder.path.clone();
    assert!(path.join("fleet.yml").exists());
    drop(folder);
    assert!(!path.exists());
}

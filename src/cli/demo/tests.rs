use std::collections::HashMap;

use super::*;
use crate::observe::scan::{Inspect, scan_fleet};
use crate::verdict::certificates::LoadedIs;
use crate::verdict::site::rows_of_host;
use crate::verdict::{Due, Facts, Fault, HostData, Stand};
use crate::walk::certificates::Rounds;
use crate::walk::look::{Closely, Reach, Sites, look};

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
    let stands = |wanted: Stand| -> Vec<&str> {
        let rows = rows.iter().filter_map(|row| row.certificate.as_ref());
        let these = rows.filter(|row| row.stand == wanted);
        these.map(|row| row.name.as_str()).collect()
    };
    assert_eq!(stands(Stand::Failing), ["erin-portfolio"]);
    assert_eq!(stands(Stand::Expiring), ["ivan-chess"]);
    assert!(stands(Stand::Ok).len() > 25, "{:?}", stands(Stand::Ok));
    let drifted: Vec<_> = rows.iter().filter(|r| !r.drift.is_empty()).collect();
    assert_eq!(drifted.len(), 1, "{drifted:?}");
    assert_eq!(drifted[0].name.as_str(), "alice-blog");
}

#[tokio::test]
async fn one_certificate_is_on_disk_and_not_loaded_as_a_handshake_shows() {
    let folder = Folder::new().unwrap();
    let file = folder.fleet().unwrap();
    let hosts = scene::build(&file, &folder.path).await.unwrap();
    let connect: crate::walk::look::Connect = Arc::new(move |host| {
        let sim = hosts.get(&host.name).cloned();
        Box::pin(async move { simulated::connect(sim, String::new(), Mode::Full).await })
    });
    let (all, closely) = (Sites::default(), Closely::at(&Inspect::Needed));
    let looking = look(&file.fleet, &all, None, closely, Reach::Anew(connect));
    let seen = looking.await.unwrap();
    let secrets = file.secrets(&crate::walk::Trust::always());
    let round = Rounds::of(secrets).round(&file.fleet).await;
    let watched = round.of_all(&file.fleet, &seen).await;
    let now = chrono::Utc::now().timestamp();
    let (due, mut found) = (Due::default(), Vec::new());
    for (host, watched) in watched {
        let data = HostData {
            certificates: Arc::new(watched),
            ..HostData::of(seen.observed.hosts.get(&host), HashMap::new(), now)
        };
        let facts = Facts {
            fleet: Some(&file.fleet),
            due: &due,
            probes: &HashMap::new(),
            now,
        };
        let rows = rows_of_host(&facts, &host, &data).into_iter();
        found.extend(rows.filter_map(|row| row.certificate));
    }
    let bad: Vec<_> = found.iter().filter(|row| row.fault.is_some()).collect();
    assert_eq!(bad.len(), 1, "{bad:#?}");
    assert_eq!(
        (bad[0].name.as_str(), bad[0].fault),
        ("frank-bakery", Some(Fault::NotLoaded))
    );
    // The files and the process were asked, and a handshake shows the same.
    assert!(matches!(&bad[0].loaded, LoadedIs::One(loaded) if loaded.listed));
    let router = bad[0].names[0].showings.router.as_ref().unwrap();
    assert!(
        router
            .shown
            .facts()
            .is_some_and(|shown| shown.not_after < now + 25 * 86_400)
    );
}

#[test]
fn the_folder_is_gone_at_the_end() {
    let folder = Folder::new().unwrap();
    let path = folder.path.clone();
    assert!(path.join("fleet.yml").exists());
    drop(folder);
    assert!(!path.exists());
}

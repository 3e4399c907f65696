//! What is there, and how it is asked for.

use std::sync::Arc;
use std::time::Duration;

use ostler::engine::{Client, Error, Gate};

use crate::common::bed::{Bed, IMAGE, LABEL};

pub async fn a_row_tells_what_is_needed(bed: Arc<Bed>) {
    let (network, _, address) = bed.network("net").await;
    let mut body = bed.at(bed.idle(), &network, address(40));
    body.host_config.get_or_insert_default().binds = Some(vec!["/etc:/host-etc:ro".to_owned()]);
    body.labels
        .get_or_insert_default()
        .insert("a.b/c".to_owned(), "caf\u{e9} \"x\"".to_owned());
    let id = bed.client.create(&bed.name("row"), &body).await.unwrap();
    let row = async || {
        let all = bed.client.containers().await.unwrap();
        all.into_iter().find(|row| row.id == id).unwrap()
    };
    let created = row().await;
    assert_eq!(
        (created.state.as_str(), created.status.as_str()),
        ("created", "Created")
    );
    assert_eq!(
        created.networks[&network].address(),
        Some(address(40).to_string().as_str())
    );
    bed.client.start(&id).await.unwrap();
    let row = row().await;
    assert_eq!(row.names, [bed.name("row")]);
    assert_eq!(
        (row.name(), row.state.as_str()),
        (bed.name("row").as_str(), "running")
    );
    assert!(row.status.starts_with("Up "), "{}", row.status);
    assert_eq!(row.image, IMAGE);
    assert!(row.image_id.starts_with("sha256:"));
    assert_eq!(row.labels["a.b/c"], "caf\u{e9} \"x\"");
    assert!(bed.label().ends_with(&row.labels[LABEL]));
    assert!((row.created - bed.client.daemon_now().unwrap()).abs() < 60);
    assert_eq!(row.networks[&network].ip, address(40).to_string());
    assert!(!row.networks[&network].network_id.is_empty());
    assert_eq!(row.network_mode, network);
    let mount = &row.mounts[0];
    assert_eq!(
        (mount.kind.as_str(), mount.source.as_str()),
        ("bind", "/etc")
    );
    assert_eq!(
        (mount.destination.as_str(), mount.writable),
        ("/host-etc", false)
    );
}

pub async fn links_add_names_that_are_not_its_own(bed: Arc<Bed>) {
    let mut body = bed.idle();
    body.host_config.get_or_insert_default().network_mode = Some("bridge".to_owned());
    let db = bed.client.create(&bed.name("db2"), &body).await.unwrap();
    let links = vec![format!("{}:db", bed.name("db2"))];
    body.host_config.get_or_insert_default().links = Some(links);
    // One name that comes before its own, and one that comes after.
    for other in ["adam", "zoe"] {
        bed.client.create(&bed.name(other), &body).await.unwrap();
    }
    let raw = bed.client.containers_raw().await.unwrap();
    let rows: serde_json::Value = serde_json::from_slice(&raw).unwrap();
    let rows = rows.as_array().unwrap();
    let row = rows.iter().find(|row| row["Id"] == db.as_str()).unwrap();
    let names = ["adam/db", "db2", "zoe/db"].map(|name| format!("/{}", bed.name(name)));
    let mut told: Vec<&str> = row["Names"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|n| n.as_str())
        .collect();
    told.sort_unstable();
    assert_eq!(told, names);
    let all = bed.client.containers().await.unwrap();
    let row = all.iter().find(|row| row.id == db).unwrap();
    assert_eq!(row.names, [bed.name("db2")]);
}

pub async fn a_port_that_was_not_named_is_picked_anew(bed: Arc<Bed>) {
    use bollard::models::PortBinding;
    let mut body = bed.idle();
    let binding = PortBinding {
        host_ip: Some("127.0.0.1".to_owned()),
        host_port: Some(String::new()),
    };
    body.exposed_ports = Some(vec!["80/tcp".to_owned()]);
    let host = body.host_config.get_or_insert_default();
    host.network_mode = Some("bridge".to_owned());
    host.port_bindings = Some([("80/tcp".to_owned(), Some(vec![binding]))].into());
    let id = bed.started("picked", &body).await;
    let port = async || {
        let all = bed.client.containers().await.unwrap();
        let row = all.into_iter().find(|row| row.id == id).unwrap();
        let port = row.ports.iter().find_map(|port| port.public_port);
        (port.unwrap(), row.ports[0].private_port)
    };
    let before = port().await;
    assert_eq!(before.1, 80);
    bed.client
        .restart(&id, Duration::from_secs(1))
        .await
        .unwrap();
    let after = port().await;
    assert_ne!(before.0, after.0);
    let bindings = bed.client.inspect(&id).await.unwrap().host_config.unwrap();
    let bindings = bindings.port_bindings.unwrap();
    let named = bindings["80/tcp"].as_ref().unwrap()[0].host_port.clone();
    assert_eq!(named.unwrap_or_default(), "");
}

pub async fn an_inspect_tells_limits_and_times(bed: Arc<Bed>) {
    let mut body = bed.idle();
    body.user = Some("200001:200001".to_owned());
    body.env = Some(vec!["A=b c".to_owned()]);
    let host = body.host_config.get_or_insert_default();
    host.cap_drop = Some(vec!["ALL".to_owned()]);
    host.memory = Some(64 << 20);
    host.pids_limit = Some(77);
    let id = bed.started("inspect", &body).await;
    let found = bed.client.inspect(&id).await.unwrap();
    let (state, host) = (found.state.unwrap(), found.host_config.unwrap());
    assert_eq!((state.running, state.oom_killed), (Some(true), Some(false)));
    let started =
        chrono::DateTime::parse_from_rfc3339(&state.started_at.unwrap().to_string()).unwrap();
    assert!((started.timestamp() - bed.client.daemon_now().unwrap()).abs() < 60);
    assert_eq!((host.memory, host.pids_limit), (Some(64 << 20), Some(77)));
    // Without a wish of ours, swap may be as much again.
    assert_eq!(host.memory_swap, Some(128 << 20));
    assert_eq!(host.cap_drop, Some(vec!["ALL".to_owned()]));
    let config = found.config.unwrap();
    assert_eq!(config.user.as_deref(), Some("200001:200001"));
    assert!(config.env.unwrap().contains(&"A=b c".to_owned()));
    assert_eq!(
        found.name.as_deref(),
        Some(format!("/{}", bed.name("inspect")).as_str())
    );
    assert_eq!(found.restart_count, Some(0));
}

pub async fn images_are_listed_and_inspected(bed: Arc<Bed>) {
    let images = bed.client.images().await.unwrap();
    let image = images
        .iter()
        .find(|image| image.tags.iter().any(|tag| tag == IMAGE))
        .unwrap();
    assert!(
        image.id.starts_with("sha256:") && image.size > 1_000_000 && image.created > 1_000_000_000
    );
    let found = bed.client.inspect_image(IMAGE).await.unwrap();
    assert_eq!(found.id.as_deref(), Some(image.id.as_str()));
    assert_eq!(
        bed.client.inspect_image(&image.id).await.unwrap().id,
        found.id
    );
    assert!(
        bed.client
            .inspect_image("ostler-no-such/image:1")
            .await
            .unwrap_err()
            .is_not_found()
    );
}

pub async fn the_engine_says_what_it_is(bed: Arc<Bed>) {
    let version = bed.client.version();
    assert!(
        version.api.minor >= 41 && version.api.minor <= 52,
        "{version:?}"
    );
    assert_eq!(version.os, "linux");
    let info = bed.client.info().await.unwrap();
    assert_eq!(
        info.server_version.as_deref(),
        Some(version.version.as_str())
    );
    assert!(info.ncpu.unwrap() > 0 && info.mem_total.unwrap() > 0);
    bed.client.ping().await.unwrap();
    let clock = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs() as i64;
    assert!((bed.client.daemon_now().unwrap() - clock).abs() < 60);
}

pub async fn requests_are_counted_and_connections_kept(bed: Arc<Bed>) {
    let gate = bed.client.gate();
    let before = (gate.reading(), gate.changing(), gate.exec());
    let id = bed
        .client
        .create(&bed.name("count"), &bed.idle())
        .await
        .unwrap();
    bed.client.start(&id).await.unwrap();
    for _ in 0..50 {
        bed.client.inspect(&id).await.unwrap();
    }
    bed.client
        .exec(&id, &["true"], None, Duration::from_secs(20))
        .await
        .unwrap();
    assert_eq!(gate.changing() - before.1, 2);
    assert_eq!(gate.exec() - before.2, 2);
    assert!(gate.reading() - before.0 >= 51);
    if let Some(sim) = &bed.sim {
        assert_eq!(sim.changing_calls(), 4);
        // One was upgraded; and one may be begun while another is not yet back.
        assert!(sim.connections() <= 8, "{}", sim.connections());
    }
}

/// A second client of the same engine.
async fn other(bed: &Bed, gate: Gate) -> Client {
    Client::over(bed.connector(), bed.client.address(), gate)
        .await
        .unwrap()
}

pub async fn the_on_call_gate_reads_all_and_changes_nothing(bed: Arc<Bed>) {
    let id = bed
        .started("oncall", &bed.script("echo hello; sleep 1000"))
        .await;
    let client = other(&bed, Gate::on_call()).await;
    client.ping().await.unwrap();
    client.info().await.unwrap();
    client.containers().await.unwrap();
    client.inspect(&id).await.unwrap();
    client.images().await.unwrap();
    client.inspect_image(IMAGE).await.unwrap();
    client.networks().await.unwrap();
    client.stats_once(&id).await.unwrap();
    client.archive_get(&id, "/etc/hostname").await.unwrap();
    let refused = client.gate().refused();
    assert_eq!(refused, 0);
    let second = Duration::from_secs(1);
    let results = [
        client.start(&id).await,
        client.stop(&id, second).await,
        client.restart(&id, second).await,
        client.kill(&id, "SIGKILL").await,
        client.remove(&id, true).await,
        client.rename(&id, "x1").await,
        client.update(&id, &Default::default()).await,
        client.archive_put(&id, "/tmp", vec![0; 1024]).await,
        client.create("x1", &bed.idle()).await.map(drop),
        client.exec(&id, &["true"], None, second).await.map(drop),
        client.wait(&id, second).await.map(drop),
        client
            .create_network(&bed.network_request("n", "10.1.2.0/24"))
            .await
            .map(drop),
        client.remove_network("bridge").await,
        client.import_image("x:1", vec![0; 1024]).await,
    ];
    for result in &results {
        assert!(result.as_ref().is_err_and(Error::is_gate), "{result:?}");
    }
    assert_eq!(client.gate().refused(), results.len() as u64);
    assert_eq!((client.gate().changing(), client.gate().exec()), (0, 0));
    assert_eq!(
        bed.client
            .inspect(&id)
            .await
            .unwrap()
            .state
            .unwrap()
            .running,
        Some(true)
    );
    // Bollard meets the same gate.
    let options: Option<bollard::query_parameters::StopContainerOptions> = None;
    assert!(client.docker().stop_container(&id, options).await.is_err());
    assert_eq!(client.gate().refused(), results.len() as u64 + 1);
}

pub async fn bollard_goes_the_same_way(bed: Arc<Bed>) {
    let before = bed.client.gate().reading();
    let version = bed.client.docker().version().await.unwrap();
    assert_eq!(
        version.version.as_deref(),
        Some(bed.client.version().version.as_str())
    );
    let networks = bed
        .client
        .docker()
        .list_networks(None::<bollard::query_parameters::ListNetworksOptions>)
        .await
        .unwrap();
    assert!(
        networks
            .iter()
            .any(|network| network.name.as_deref() == Some("bridge"))
    );
    assert_eq!(bed.client.gate().reading(), before + 2);
    let missing = bed
        .client
        .docker()
        .inspect_container(
            "nosuchcontainer",
            None::<bollard::query_parameters::InspectContainerOptions>,
        )
        .await;
    assert!(matches!(
        missing,
        Err(bollard::errors::Error::DockerResponseServerError {
            status_code: 404,
            ..
        })
    ));
}

pub async fn measurements_are_of_running_containers(bed: Arc<Bed>) {
    let mut body = bed.idle();
    body.host_config.get_or_insert_default().memory = Some(64 << 20);
    let id = bed.client.create(&bed.name("stats"), &body).await.unwrap();
    assert_eq!(
        bed.client.stats_once(&id).await.unwrap(),
        Default::default()
    );
    bed.client.start(&id).await.unwrap();
    let first = bed.client.stats_once(&id).await.unwrap();
    assert_eq!(first.memory_limit, 64 << 20);
    assert!(first.memory_used > 0 && first.memory_used <= 64 << 20);
    assert!(first.online_cpus > 0 && first.pids > 0 && first.read_at > 1_700_000_000_000);
    tokio::time::sleep(Duration::from_millis(200)).await;
    let second = bed.client.stats_once(&id).await.unwrap();
    assert!(second.read_at > first.read_at && second.cpu_total_ns >= first.cpu_total_ns);
    let cores = second.cores_since(&first).unwrap();
    assert!(
        (0.0..=f64::from(second.online_cpus)).contains(&cores),
        "{cores}"
    );
}

//! What apply takes care of on a real engine: files that belong to somebody, ports in use, routes
//! under load, an operator who changes his mind.

#[path = "common/load.rs"]
mod load;
#[path = "common/tier.rs"]
mod tier;
#[path = "apply/world.rs"]
mod world;

use std::os::unix::fs::{MetadataExt, symlink};
use std::time::Duration;

use load::{Clients, Load};
use ostler::apply::{self, OperationOutcome, Progress};
use ostler::host::Entry;
use ostler::observe::model::HostObservation;
use ostler::plan::OperationKind;
use ostler::record::{Labelled, Layout, Role};
use ostler::walk::saved::{MadeFrom, Saved};
use tokio_util::sync::CancellationToken;
use world::World;

const STATIC: &str = "recipe: static\ndomains: [plain.test]\nmemory: 64M";
const IMAGE: &str = "recipe: image\nimage: ostler-test/web:1\nport: 8080\ndomains: [web.test]\nmemory: 64M\nenv: { GRACE: \"1\" }";

fn failure(outcome: &apply::Outcome) -> String {
    let texts: Vec<String> = outcome
        .operations
        .iter()
        .filter_map(|(id, ended)| match &ended.outcome {
            OperationOutcome::Failed { failure } => Some(format!("{id}: {}", failure.why)),
            _ => None,
        })
        .collect();
    texts.join("; ")
}

/// Files that were there before the site was: nobody's page is overwritten, their owner changes
/// only by an operation that says so, and links among them lead nowhere.
#[tokio::test]
async fn files_that_are_there_already_are_kept() {
    let Some(engine) = tier::engine() else { return };
    let mut world = World::new(&engine).await;
    world.site("web", IMAGE);
    world.apply().await;
    let outside = world.folder.path().join("outside");
    std::fs::write(&outside, "mine").unwrap();
    let before = std::fs::metadata(&outside).unwrap();
    let toolbox = world.toolbox();
    let site = "plain".parse().unwrap();
    let entries = [
        Entry::folder("plain", 0o711, 0),
        Entry::folder("plain/www", 0o755, 1234),
        Entry::file("plain/www/index.html", 0o644, 1234, "an old page"),
    ];
    toolbox
        .put(&toolbox.layout.sites(), &entries)
        .await
        .unwrap();
    symlink(&outside, format!("{}/link", toolbox.layout.www(&site))).unwrap();
    world.site("plain", STATIC);
    let plan = world.apply().await;
    assert!(
        plan.operations.iter().any(
            |o| matches!(&o.kind, OperationKind::TakeOwnership { from, .. } if from.uid == 1234)
        ),
        "{plan:#?}"
    );
    assert_eq!(world.ask("plain.test", "/").await.text(), "an old page");
    let page = format!("{}/index.html", toolbox.layout.www(&site));
    assert!(toolbox.head(&page).await.unwrap().unwrap().uid >= 200_000);
    let after = std::fs::metadata(&outside).unwrap();
    assert_eq!((after.uid(), after.gid()), (before.uid(), before.gid()));
}

/// A port of the router that a process outside Docker holds is found before anything changes for
/// visitors.
#[tokio::test]
async fn a_port_in_use_is_named() {
    let Some(engine) = tier::engine() else { return };
    let mut world = World::new(&engine).await;
    world.site("plain", STATIC);
    let held = std::net::TcpListener::bind(("0.0.0.0", world.front.port())).unwrap();
    let plan = world.plan().await;
    let ran = world.run(&plan, None).await;
    assert_ne!(ran.outcome.exit_code(), 0);
    let why = failure(&ran.outcome);
    assert!(
        why.contains(&format!("port {}", world.front.port())),
        "{why}"
    );
    assert!(
        world
            .ours()
            .await
            .iter()
            .all(|c| c.role() == Some(Role::Toolbox))
    );
    drop(held);
    world.apply().await;
    assert_eq!(world.ask("plain.test", "/").await.status, 200);
}

#[tokio::test]
async fn domains_come_and_go_under_load() {
    let Some(engine) = tier::engine() else { return };
    let mut world = World::new(&engine).await;
    world.site("web", IMAGE);
    world.site("plain", STATIC);
    world.apply().await;
    let web = world.container("web").await.id;
    let load = Load::expecting_200(
        world.front,
        &[
            Clients::new("web.test", "/", 3, true),
            Clients::new("plain.test", "/", 2, false),
        ],
    );
    for round in 0..3 {
        world.site("web", &IMAGE.replace("[web.test]", "[web.test, more.test]"));
        world.apply().await;
        assert_eq!(world.ask("more.test", "/").await.status, 200, "{round}");
        world.site("web", IMAGE);
        world.apply().await;
        assert_eq!(world.ask("more.test", "/").await.status, 404, "{round}");
    }
    load.stop().await.assert_no_failure();
    assert_eq!(world.container("web").await.id, web);
}

/// An operator who stops an apply gets back what was there.
#[tokio::test]
async fn a_cancelled_replacement_leaves_the_old_container_serving() {
    let Some(engine) = tier::engine() else { return };
    let mut world = World::new(&engine).await;
    world.site("web", IMAGE);
    world.apply().await;
    let old = world.container("web").await.id;
    // It listens where nobody asks: it will never be ready.
    world.site("web", &IMAGE.replace("GRACE: \"1\"", "PORT: \"9999\""));
    let plan = world.plan().await;
    let cancel = CancellationToken::new();
    let (to, mut from) = tokio::sync::mpsc::unbounded_channel();
    let context = world.context();
    let stop = cancel.clone();
    let watch = async {
        while let Some(progress) = from.recv().await {
            if let Progress::Started { id } = &progress
                && id.to_string().ends_with("/ready")
            {
                stop.cancel();
            }
        }
    };
    let (outcome, ()) = tokio::join!(apply::run(&plan, &context, to, cancel), watch);
    assert!(outcome.cancelled);
    assert_eq!(outcome.word(), "cancelled");
    assert_eq!(
        world.container("web").await.id,
        old,
        "and only that one is there"
    );
    assert_eq!(world.ask("web.test", "/").await.status, 200);
    world.site("web", IMAGE);
    world.assert_settled().await;
}

/// A plan that was kept is refused once the host or the file has moved on.
/// What a plan that is made now is made from.
async fn from(world: &World) -> MadeFrom {
    let mut observed = ostler::observe::model::Observed::default();
    let host = HostObservation::Reached(std::sync::Arc::new(world.look().await));
    observed.hosts.insert("here".parse().unwrap(), host);
    MadeFrom::of(&world.fleet(), &observed)
}

#[tokio::test]
async fn a_kept_plan_goes_stale() {
    let Some(engine) = tier::engine() else { return };
    let mut world = World::new(&engine).await;
    world.site("plain", STATIC);
    world.apply().await;
    world.site("web", IMAGE);
    let kept = world.plan().await;
    let kept = Saved::from_bytes(
        &Saved::new(
            kept,
            from(&world).await,
            vec![],
            "2026-11-29T20:00:00Z".into(),
        )
        .to_bytes()
        .unwrap(),
    );
    let kept = kept.unwrap();
    assert!(
        kept.moved(&world.plan().await, &from(&world).await)
            .is_empty()
    );
    // Even where nobody compared, the executor does, under the lock.
    let plain = world.container("plain").await;
    world
        .client
        .stop(&plain.id, Duration::from_secs(1))
        .await
        .unwrap();
    let moved = kept.moved(&world.plan().await, &from(&world).await);
    assert_eq!(moved.len(), 1, "{moved:?}");
    assert!(moved[0].starts_with("here: plain: container "), "{moved:?}");
    assert!(moved[0].contains("running") && moved[0].contains("→ not running"));
    let ran = world.run(&kept.plan, None).await;
    assert_eq!(ran.outcome.exit_code(), 1, "{:#?}", ran.outcome);
    assert!(world.ours().await.iter().all(|c| c.site() != Some("web")));
    world.apply().await;
}

/// Nobody else's folder becomes a fleet's root.
#[tokio::test]
async fn a_root_of_another_fleet_is_refused() {
    let Some(engine) = tier::engine() else { return };
    let mut world = World::new(&engine).await;
    world.site("plain", STATIC);
    world.apply().await;
    let mut other = World::new(&engine).await;
    let own_root = std::mem::replace(&mut other.root, world.root.clone());
    other.site("web", IMAGE);
    let plan = other.plan().await;
    let ran = other.run(&plan, None).await;
    let why = failure(&ran.outcome);
    assert!(
        why.contains(&format!("belongs to the fleet {}", world.name)),
        "{why}"
    );
    let layout = Layout::new(&world.root);
    let record = ostler::host::state::read_host(&world.toolbox())
        .await
        .unwrap();
    assert_eq!(record.unwrap().fleet, world.name.to_string());
    assert!(
        world
            .toolbox()
            .head(&layout.state())
            .await
            .unwrap()
            .is_some()
    );
    // Its clean-up is not to empty the other one's root.
    let toolbox = ostler::record::names::toolbox(&other.name);
    other.client.remove(&toolbox, true).await.unwrap();
    other.root = own_root;
    assert_eq!(world.ask("plain.test", "/").await.status, 200);
}

/// A name that goes to somebody else between plan and apply: what has it is never touched.
#[tokio::test]
async fn a_container_that_took_our_name_is_left_alone() {
    let Some(engine) = tier::engine() else { return };
    let mut world = World::new(&engine).await;
    world.site("plain", STATIC);
    world.apply().await;
    world.site("web", IMAGE);
    let plan = world.plan().await;
    let planned = plan.operations.iter().find_map(|o| match &o.kind {
        OperationKind::CreateContainer { container } => Some(container.name.clone()),
        _ => None,
    });
    let name = planned.unwrap();
    let body = bollard::models::ContainerCreateBody {
        image: Some("debian:trixie-slim".into()),
        ..Default::default()
    };
    let id = world.client.create(&name, &body).await.unwrap();
    let ran = world.run(&plan, None).await;
    let still = world.client.inspect(&id).await;
    let removed = world.client.remove(&id, true).await;
    assert_eq!(ran.outcome.exit_code(), 3, "{:#?}", ran.outcome);
    assert!(still.is_ok(), "{:#?}", ran.said);
    removed.unwrap();
    world.apply().await;
    assert_eq!(world.ask("web.test", "/").await.status, 200);
}

/// What an image keeps in a volume of its own outlives the container.
#[tokio::test]
async fn volumes_outlive_their_container() {
    let Some(engine) = tier::engine() else { return };
    let world = World::new(&engine).await;
    let body = bollard::models::ContainerCreateBody {
        image: Some("debian:trixie-slim".into()),
        volumes: Some(vec!["/data".into()]),
        ..Default::default()
    };
    let name = format!("ostler-{}-volume", world.name);
    let id = world.client.create(&name, &body).await.unwrap();
    let found = world.client.inspect(&id).await.unwrap();
    let volume = found.mounts.unwrap()[0].name.clone().unwrap();
    world.client.remove(&id, true).await.unwrap();
    let docker = world.client.docker();
    assert!(docker.inspect_volume(&volume).await.is_ok());
    let none = None::<bollard::query_parameters::RemoveVolumeOptions>;
    docker.remove_volume(&volume, none).await.unwrap();
}

//! The whole walk on a real engine: fleet file, look, plan, apply, answers.

#[path = "common/load.rs"]
mod load;
#[path = "common/own.rs"]
mod own;
#[path = "common/tier.rs"]
mod tier;
#[path = "apply/world.rs"]
mod world;

use std::time::Duration;

use load::{Clients, Load};
use ostler::apply::{OperationOutcome, journal};
use ostler::plan::service::operation::ServiceOperation;
use ostler::plan::{Intent, OperationKind};
use ostler::record::{Labelled, Role};
use world::World;

const STATIC: &str = "recipe: static\ndomains: [plain.test]\nmemory: 64M";
const PHP: &str = "recipe: php\ndomains: [php.test]\nmemory: 128M";
const IMAGE: &str = "recipe: image\nimage: ostler-test/web:1\nport: 8080\ndomains: [web.test]\nmemory: 64M\nenv: { BODY: first, GRACE: \"10\" }";

#[tokio::test]
async fn three_sites_answer_and_nothing_is_left_to_do() {
    let Some(engine) = tier::engine() else { return };
    let mut world = World::new(&engine).await;
    world.site("plain", STATIC);
    world.site("php", PHP);
    world.site("web", IMAGE);
    world.apply().await;
    for (host, part) in [
        ("plain.test", "waiting for its first page"),
        ("php.test", "waiting"),
        ("web.test", "first"),
    ] {
        let reply = world.ask(host, "/").await;
        assert_eq!(reply.status, 200, "{host}: {}", reply.text());
        assert!(reply.text().contains(part), "{host}: {}", reply.text());
    }
    assert_eq!(world.ask("unknown.test", "/").await.status, 404);
}

#[tokio::test]
async fn nothing_to_do_makes_no_changing_call() {
    let Some(engine) = tier::engine() else { return };
    let mut world = World::new(&engine).await;
    world.site("plain", STATIC);
    world.apply().await;
    let before = world.client.gate().changing();
    let plan = world.plan().await;
    assert!(world.run(&plan, None).await.outcome.is_complete());
    assert_eq!(world.client.gate().changing(), before);
}

#[tokio::test]
async fn limits_change_in_place() {
    let Some(engine) = tier::engine() else { return };
    let mut world = World::new(&engine).await;
    world.site("web", IMAGE);
    world.site("plain", STATIC);
    world.apply().await;
    let (web, plain) = (world.container("web").await, world.container("plain").await);
    world.site("web", &IMAGE.replace("64M", "96M"));
    let plan = world.apply().await;
    assert!(
        plan.operations
            .iter()
            .all(|o| o.site.as_ref().is_none_or(|s| s.as_str() == "web")),
        "{plan:#?}"
    );
    assert_eq!(world.container("web").await.id, web.id);
    assert_eq!(world.container("plain").await.id, plain.id);
    let facts = world.client.inspect(&web.id).await.unwrap();
    let host = facts.host_config.unwrap();
    assert_eq!(
        (host.memory, host.memory_swap),
        (Some(96 << 20), Some(96 << 20))
    );
}

#[tokio::test]
async fn a_replacement_fails_no_request() {
    let Some(engine) = tier::engine() else { return };
    let mut world = World::new(&engine).await;
    world.site("web", IMAGE);
    world.site("plain", STATIC);
    world.apply().await;
    let (web, plain) = (world.container("web").await, world.container("plain").await);
    let load = Load::expecting_200(
        world.front,
        &[
            Clients::new("web.test", "/", 3, true),
            Clients::new("web.test", "/", 1, false),
            Clients::new("web.test", "/slow?s=4", 3, true),
            Clients::new("plain.test", "/", 1, true),
        ],
    );
    tokio::time::sleep(Duration::from_secs(1)).await;
    world.site("web", &IMAGE.replace("first", "second"));
    world.apply().await;
    let report = load.stop().await;
    report.assert_no_failure();
    assert!(report.count() > 100, "{}", report.count());
    assert_ne!(world.container("web").await.id, web.id);
    assert_eq!(world.container("web").await.name, web.name);
    assert_eq!(world.container("plain").await.id, plain.id);
    assert!(world.ask("web.test", "/").await.text().contains("second"));
}

#[tokio::test]
async fn a_site_is_stopped_archived_brought_back_and_removed() {
    let Some(engine) = tier::engine() else { return };
    let mut world = World::new(&engine).await;
    world.site("web", IMAGE);
    world.site("plain", STATIC);
    world.apply().await;
    let www = world.toolbox().layout.www(&"plain".parse().unwrap());
    let owner = world.toolbox().head(&www).await.unwrap().unwrap().uid;

    world.site("plain", &format!("{STATIC}\nstate: stopped"));
    world.apply().await;
    let stopped = world.ask("plain.test", "/").await;
    assert_eq!(stopped.status, 503, "{}", stopped.text());
    assert!(!world.container("plain").await.is_running());

    world.site("plain", &format!("{STATIC}\nstate: archived"));
    world.apply().await;
    assert_eq!(world.ask("plain.test", "/").await.status, 404);
    assert!(world.ours().await.iter().all(|c| c.site() != Some("plain")));

    world.site("plain", STATIC);
    world.apply().await;
    assert_eq!(world.ask("plain.test", "/").await.status, 200);
    assert_eq!(
        world.toolbox().head(&www).await.unwrap().unwrap().uid,
        owner
    );

    world.without("plain");
    world.apply().await;
    assert_eq!(world.ask("plain.test", "/").await.status, 404);
    assert!(
        !world.container("plain").await.is_running(),
        "kept, and stopped"
    );
    assert!(world.toolbox().head(&www).await.unwrap().is_some());
    assert_eq!(world.ask("web.test", "/").await.status, 200);
}

#[tokio::test]
async fn the_router_is_replaced_and_one_that_does_not_start_never_takes_over() {
    let Some(engine) = tier::engine() else { return };
    let mut world = World::new(&engine).await;
    world.site("web", IMAGE);
    world.apply().await;
    let routers = async |world: &World| -> Vec<(String, String, bool)> {
        let ours = world.ours().await.into_iter();
        ours.filter(|c| c.role() == Some(Role::Router))
            .map(|c| (c.name.clone(), c.id.clone(), c.is_running()))
            .collect()
    };
    let first = routers(&world).await;
    let load = Load::expecting_200(
        world.front,
        &[
            Clients::new("web.test", "/", 4, true),
            Clients::new("web.test", "/", 1, false),
            Clients::new("web.test", "/slow?s=4", 2, false),
        ],
    );

    // An image without HAProxy.
    world.host = "    images: { router: \"ostler-test/web:1\" }\n".into();
    let plan = world.plan().await;
    let ran = world.run(&plan, None).await;
    assert_ne!(ran.outcome.exit_code(), 0, "{:#?}", ran.outcome);
    assert!(routers(&world).await.contains(&first[0]), "{:#?}", ran.said);
    assert_eq!(world.ask("web.test", "/").await.status, 200);

    // The same image under another name.
    let docker = world.client.docker();
    let tag = world.name.to_string();
    let options = bollard::query_parameters::TagImageOptions {
        repo: Some("ostler-test/haproxy".into()),
        tag: Some(tag.clone()),
    };
    let tagged = docker.tag_image("haproxy:3.0", Some(options)).await;
    tagged.unwrap();
    let image = format!("ostler-test/haproxy:{tag}");
    world.host = format!("    images: {{ router: \"{image}\" }}\n");
    world.apply().await;
    let second = routers(&world).await;
    load.stop().await.assert_no_failure();
    assert_eq!(second.len(), 1);
    assert_eq!((&second[0].0, second[0].2), (&first[0].0, true));
    assert_ne!(second[0].1, first[0].1);

    // And back, so that the name can go.
    world.host.clear();
    world.apply().await;
    let docker = world.client.docker();
    let none = None::<bollard::query_parameters::RemoveImageOptions>;
    docker.remove_image(&image, none, None).await.unwrap();
}

#[tokio::test]
async fn a_site_that_does_not_start_is_taken_back_and_the_others_go_on() {
    let Some(engine) = tier::engine() else { return };
    let mut world = World::new(&engine).await;
    world.site("web", IMAGE);
    world.apply().await;
    let web = world.container("web").await;

    world.site("web", &IMAGE.replace("BODY: first", "FAIL_START: \"1\""));
    world.site("plain", STATIC);
    let plan = world.plan().await;
    let ran = world.run(&plan, None).await;
    assert_eq!(ran.outcome.exit_code(), 3, "{:#?}", ran.outcome);
    let failures: Vec<_> = ran
        .outcome
        .operations
        .values()
        .filter_map(|e| match &e.outcome {
            OperationOutcome::Failed { failure } => Some(failure),
            _ => None,
        })
        .collect();
    assert_eq!(failures.len(), 1, "{:#?}", ran.outcome);
    assert!(
        failures[0]
            .lines
            .iter()
            .any(|l| l.contains("cannot read /etc/serve/settings")),
        "{failures:#?}"
    );
    assert_eq!(world.container("web").await.id, web.id, "the old one stays");
    assert!(world.ask("web.test", "/").await.text().contains("first"));
    assert_eq!(world.ask("plain.test", "/").await.status, 200);

    world.site("web", IMAGE);
    world.apply().await;
    assert_eq!(world.container("web").await.id, web.id);
}

#[tokio::test]
async fn a_new_site_that_does_not_start_leaves_no_container() {
    let Some(engine) = tier::engine() else { return };
    let mut world = World::new(&engine).await;
    world.site("web", &IMAGE.replace("BODY: first", "FAIL_START: \"1\""));
    let plan = world.plan().await;
    let ran = world.run(&plan, None).await;
    assert_eq!(ran.outcome.exit_code(), 3);
    assert!(
        world
            .ours()
            .await
            .iter()
            .all(|c| c.role() != Some(Role::Site))
    );
    world.site("web", IMAGE);
    world.apply().await;
    assert_eq!(world.ask("web.test", "/").await.status, 200);
}

#[tokio::test]
async fn secrets_reach_the_site_as_files_and_nobody_else() {
    let Some(engine) = tier::engine() else { return };
    let mut world = World::new(&engine).await;
    let value = "hunter2-of-the-test";
    own::write(world.folder.path().join("pw"), value);
    let lines = format!("{IMAGE}\nsecrets: {{ DB_PASSWORD: {{ file: pw }} }}");
    world.site("web", &lines);
    world.apply().await;
    let id = world.container("web").await.id;
    let read = async |world: &World| {
        let id = world.container("web").await.id;
        let argv = ["cat", "/run/secrets/DB_PASSWORD"];
        let out = world.client.exec(&id, &argv, None, Duration::from_secs(10));
        String::from_utf8(out.await.unwrap().stdout).unwrap()
    };
    assert_eq!(read(&world).await, value);
    let inspected = serde_json::to_string(&world.client.inspect(&id).await.unwrap()).unwrap();
    assert!(!inspected.contains(value));
    let state = world
        .toolbox()
        .get(&world.toolbox().layout.state())
        .await
        .unwrap();
    let journals = world
        .toolbox()
        .get(&world.toolbox().layout.journal())
        .await
        .unwrap();
    for entry in state.iter().chain(&journals) {
        let text = String::from_utf8_lossy(&entry.bytes);
        assert!(!text.contains(value), "{}", entry.path);
    }
    // Another value is a change; the same value is none.
    own::write(world.folder.path().join("pw"), "another");
    let plan = world.apply().await;
    assert!(
        plan.operations
            .iter()
            .any(|o| matches!(o.kind, OperationKind::Service(ServiceOperation::Secrets(_)))),
        "{plan:#?}"
    );
    assert_eq!(read(&world).await, "another");
}

#[tokio::test]
async fn a_restart_by_hand_and_what_the_journals_say() {
    let Some(engine) = tier::engine() else { return };
    let mut world = World::new(&engine).await;
    world.site("web", IMAGE);
    world.apply().await;
    let before = world.container("web").await;
    let site = "web".parse().unwrap();
    let plan = world.plan_with(&[Intent::Restart { site }]).await;
    assert!(!plan.operations.is_empty());
    assert!(world.run(&plan, None).await.outcome.is_complete());
    assert_eq!(world.container("web").await.id, before.id);
    world.assert_settled().await;

    let mine = journal::read_folder(&world.journal(), &world.name).unwrap();
    let theirs = journal::read_host(&world.toolbox()).await.unwrap();
    assert_eq!((mine.len(), theirs.len()), (2, 2));
    for (mine, theirs) in mine.iter().zip(&theirs) {
        assert_eq!(mine.started, theirs.started);
        assert_eq!(mine.operations, theirs.operations);
        assert_eq!(theirs.ended.as_ref().unwrap().word, "done");
    }
}

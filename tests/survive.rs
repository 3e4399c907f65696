//! What an operator expects of a host that went down and came back: every site answers again, at
//! its own name, without ostler.

#[path = "common/load.rs"]
mod load;
#[path = "common/testhost.rs"]
mod testhost;
#[path = "common/tier.rs"]
mod tier;
#[path = "apply/world.rs"]
mod world;

use std::time::{Duration, Instant};

use ostler::engine::{Client, Gate};
use testhost::TestHost;
use world::World;

const IMAGES: [&str; 4] = [
    "nginx:1.28",
    "php:8.4-apache",
    "haproxy:3.0",
    "ostler/toolbox:1",
];

/// A world on a host of its own. The toolbox's image is built on the machine's engine first: a
/// test host cannot reach any package server.
async fn world_on_own_host() -> Option<(World, TestHost)> {
    let engine = tier::fleet()?;
    let client = Client::connect(&engine.address.parse().unwrap(), Gate::full())
        .await
        .unwrap();
    if client.inspect_image("ostler/toolbox:1").await.is_err() {
        let mut builder = World::new(&engine).await;
        builder.site("any", "recipe: static\ndomains: [any.test]");
        builder.apply().await;
    }
    let host = TestHost::up("one", &IMAGES);
    let mut world = World::new(&host.engine).await;
    world.front.set_ip(host.address.into());
    world.site(
        "plain",
        "recipe: static\ndomains: [plain.test]\nmemory: 64M",
    );
    world.site("php", "recipe: php\ndomains: [php.test]\nmemory: 128M");
    world.site(
        "idle",
        "recipe: static\ndomains: [idle.test]\nmemory: 64M\nstate: stopped",
    );
    world.apply().await;
    for (site, page) in [
        ("plain", "plain page"),
        ("php", "<?php echo 'php ', 'page';"),
    ] {
        let name = if site == "php" {
            "index.php"
        } else {
            "index.html"
        };
        world.put_page(site, name, page).await;
    }
    world
        .put_page("php", ".htaccess", "DirectoryIndex index.php\n")
        .await;
    Some((world, host))
}

/// Waits until every site gives the answer it should; the daemon starts them in its own time.
async fn assert_all_answer(world: &World, what: &str) {
    let wanted = [
        ("plain.test", 200, "plain page"),
        ("php.test", 200, "php page"),
        ("idle.test", 503, ""),
    ];
    let end = Instant::now() + Duration::from_secs(60);
    for (host, status, text) in wanted {
        loop {
            let reply = load::ask(world.front, host, "/").await;
            match &reply {
                Ok(reply) if reply.status == status && reply.text().contains(text) => break,
                _ if Instant::now() > end => panic!("{what}: {host}: {reply:?}"),
                _ => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }
}

#[tokio::test]
async fn sites_answer_again_without_ostler() {
    let Some((world, host)) = world_on_own_host().await else {
        return;
    };
    assert_all_answer(&world, "at first").await;

    host.restart_dockerd();
    assert_all_answer(&world, "after a restart of the daemon").await;

    host.kill_dockerd();
    host.start_dockerd();
    assert_all_answer(&world, "after the daemon was killed").await;

    // All stopped and started by Docker alone, in an order of its own.
    let mut ids: Vec<String> = world
        .ours()
        .await
        .into_iter()
        .filter(|c| c.is_running())
        .map(|c| c.id)
        .collect();
    assert_eq!(ids.len(), 4, "toolbox, router and two sites");
    for id in &ids {
        world.client.stop(id, Duration::from_secs(5)).await.unwrap();
    }
    ids.reverse();
    for id in &ids {
        world.client.start(id).await.unwrap();
    }
    assert_all_answer(&world, "after a stop and start by hand").await;
    world.assert_settled().await;
    // The world's own objects go with the host.
}

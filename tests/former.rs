//! A host as an earlier version left it is brought to what this one makes, and no visitor notices.

#[path = "common/load.rs"]
mod load;
#[path = "common/tier.rs"]
mod tier;
#[path = "apply/world.rs"]
mod world;

use std::time::{Duration, Instant};

use bollard::models::{ContainerCreateBody, HostConfig, RestartPolicy, RestartPolicyNameEnum};
use load::{Clients, Load};
use ostler::fleet::{Ports, Subnet};
use ostler::host::{NewFile, router, state};
use ostler::record::route::{CAPABILITIES, OPEN_FILES, RouterConfig};
use ostler::record::{Layout, names};
use world::World;

/// What version 1 of the configuration was.
const CONFIG: &str = include_str!("../fixtures/former/haproxy-1.cfg");
/// How its router was started.
const START: &str =
    "[ ! -e /proc/net/if_inet6 ] || export OSTLER_IPV6=1\nexec haproxy -W -db -f \"$1\"";

async fn exec(world: &World, text: &str) {
    let argv = ["sh", "-ec", text, "test", &world.root];
    let deadline = Duration::from_secs(20);
    let id = world.toolbox().id;
    let done = world.client.exec(&id, &argv, None, deadline).await.unwrap();
    assert_eq!(done.code, 0, "{}", String::from_utf8_lossy(&done.stderr));
}

async fn write(world: &World, path: String, bytes: Vec<u8>) {
    let file = NewFile::new(path, 0o644, bytes);
    world.toolbox().replace(&[file]).await.unwrap();
}

/// Puts a container in the place of a helper's, with its labels but for the hash.
async fn instead(world: &World, name: &str, mut body: ContainerCreateBody, host: HostConfig) {
    let was = world.client.inspect(name).await.unwrap();
    let config = was.config.unwrap();
    let mut labels = config.labels.unwrap();
    labels.insert("ostler.hash".into(), "0".repeat(32));
    body.image = config.image;
    body.labels = Some(labels);
    body.user = Some("0:0".into());
    body.host_config = Some(HostConfig {
        network_mode: Some("host".into()),
        restart_policy: Some(RestartPolicy {
            name: Some(RestartPolicyNameEnum::ALWAYS),
            maximum_retry_count: None,
        }),
        cap_drop: Some(vec!["ALL".into()]),
        security_opt: Some(vec!["no-new-privileges".into()]),
        ..host
    });
    world.client.remove(name, true).await.unwrap();
    let id = world.client.create(name, &body).await.unwrap();
    world.client.start(&id).await.unwrap();
}

async fn answers(world: &World, what: &str) {
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        let reply = load::ask(world.front, "one.test", "/").await;
        match &reply {
            Ok(reply) if reply.status == 200 => return,
            _ if Instant::now() > until => panic!("{what}: {reply:?}"),
            _ => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

/// Makes the host one of the earlier version.
async fn make_former(world: &World) {
    let layout = Layout::new(&world.root);
    let text = CONFIG
        .replace("{root}", &world.root)
        .replace("{http}", &world.front.port().to_string())
        .replace("{https}", &world.https().to_string());
    write(world, layout.router_cfg(), text.into_bytes()).await;
    let tidy = "mkdir -p \"$1/run\"; chmod 770 \"$1/run\"\n\
        rm \"$1/router/shares.map\" \"$1/router/pages/too-many.html\"";
    exec(world, tidy).await;
    let found = state::read(&world.toolbox()).await.unwrap();
    let mut record = found.read().unwrap().router.clone();
    record.config_hash = "0".repeat(32);
    let bytes = serde_json::to_vec(&record).unwrap();
    write(world, layout.router_record(), bytes).await;

    let root = &world.root;
    let config = layout.router_cfg();
    let command = ["sh", "-c", START, "ostler-router", &config];
    let body = ContainerCreateBody {
        cmd: Some(command.map(str::to_owned).into()),
        stop_signal: Some("SIGUSR1".into()),
        ..ContainerCreateBody::default()
    };
    let host = HostConfig {
        binds: Some(vec![
            format!("{root}/router:{root}/router:ro"),
            format!("{root}/run:{root}/run"),
            format!("{root}/certs:{root}/certs:ro"),
        ]),
        cap_add: Some(CAPABILITIES.map(str::to_owned).into()),
        ..HostConfig::default()
    };
    instead(world, &names::router(&world.name), body, host).await;

    let body = ContainerCreateBody {
        entrypoint: Some(vec!["sleep".into(), "infinity".into()]),
        cmd: Some(Vec::new()),
        stop_signal: Some("SIGKILL".into()),
        ..ContainerCreateBody::default()
    };
    let caps = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID"];
    let host = HostConfig {
        binds: Some(vec![format!("{root}:{root}")]),
        cap_add: Some(caps.map(str::to_owned).into()),
        ..HostConfig::default()
    };
    instead(world, &names::toolbox(&world.name), body, host).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_router_moves_its_socket_and_loses_no_request() {
    let Some(engine) = tier::engine() else { return };
    let mut world = World::new(&engine).await;
    let web =
        "recipe: image\nimage: ostler-test/web:1\nport: 8080\nmemory: 64M\ndomains: [one.test]";
    world.site("one", web);
    world.apply().await;
    make_former(&world).await;
    answers(&world, "the router of before").await;
    let name = names::router(&world.name);
    // Its socket is found where it is, before anything was applied.
    let info = router::info(&world.toolbox()).await;
    assert!(!info.unwrap().stopping);

    // An apply that ends once the new configuration is written leaves a router that starts with it.
    let found = state::read(&world.toolbox()).await.unwrap();
    let routes = found.read().unwrap().router.routes.clone();
    let [a, b, c, _] = world.gateway().await.octets();
    let ports = Ports {
        http: world.front.port(),
        https: world.https(),
    };
    let sites = Subnet {
        base: [a, b, c, 0].into(),
        prefix: 24,
    };
    let config = RouterConfig::new(ports, sites);
    let key = &found.read().unwrap().host.as_ref().unwrap().digest_key;
    router::write(&world.toolbox(), &config, key, &routes, &Default::default())
        .await
        .unwrap();
    let restarted = world.client.restart(&name, Duration::from_secs(2)).await;
    restarted.unwrap();
    answers(&world, "the router of before with the new configuration").await;
    make_former(&world).await;
    answers(&world, "the router of before again").await;

    let load = Load::expecting_200(
        world.front,
        &[
            Clients::new("one.test", "/", 8, true),
            Clients::new("one.test", "/", 2, false),
        ],
    );
    world.apply().await;
    let report = load.stop().await;
    report.assert_no_failure();
    assert!(report.count() > 100, "{}", report.count());
    world.assert_settled().await;
    let info = router::info(&world.toolbox()).await.unwrap();
    assert_eq!(info.max_connections, 8000, "{info:?}");
    let made = world.client.inspect(&name).await.unwrap();
    let made = made.host_config.unwrap();
    assert_eq!(made.ulimits.unwrap()[0].hard, Some(OPEN_FILES.into()));
    assert_eq!(made.cpu_shares, Some(10_240));
}

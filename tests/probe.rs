//! Asking sites ourselves: through a real router on a real engine, and by the ways there are to it.

#[path = "common/load.rs"]
mod load;
#[path = "common/sshd.rs"]
mod sshd;
#[path = "common/standin.rs"]
mod standin;
#[path = "common/tier.rs"]
mod tier;
#[path = "apply/world.rs"]
mod world;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use ostler::console::effect::Watch;
use ostler::console::feed::Feed;
use ostler::console::message::{HostNews, Message};
use ostler::engine::{Client, Gate, Heard, LogOptions, Visited};
use ostler::fleet::{Fleet, Host, Name};
use ostler::host::router::{self, log::Access};
use ostler::observe::ask::ask_all;
use ostler::observe::model::{HostObservation, Observed};
use ostler::verdict::{Probe, Road, SiteAnswer};
use ostler::walk::certificates::Rounds;
use rustix::process::{Pid, Signal, kill_process};
use sshd::Sshd;
use standin::Standin;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::{Instant, timeout};
use world::World;

const STATIC: &str = "recipe: static\nmemory: 64M\ndomains: ";

/// Every site asked once.
async fn ask(world: &World) -> HashMap<Name, Probe> {
    let seen = HostObservation::Reached(Arc::new(world.look().await));
    let observed = Observed {
        hosts: BTreeMap::from([("here".parse().unwrap(), seen)]),
        ..Observed::default()
    };
    let clients = BTreeMap::from([("here".parse().unwrap(), world.client.clone())]);
    let before = (world.client.gate().reading(), world.client.gate().exec());
    let found = ask_all(&world.fleet(), &observed, &clients, Duration::from_secs(5)).await;
    let after = (world.client.gate().reading(), world.client.gate().exec());
    assert_eq!(before, after, "the engine was asked for something");
    found
}

/// What the router wrote of a site's visitors.
async fn visitors(world: &World, site: &str) -> Vec<Access> {
    let name = ostler::record::names::router(&world.name);
    let mut bytes = Vec::new();
    let mut chunks = std::pin::pin!(world.client.logs(&name, LogOptions::default()));
    while let Some(chunk) = chunks.next().await {
        bytes.extend_from_slice(&chunk.unwrap().bytes);
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let lines = text.lines().filter_map(Access::parse);
    lines
        .filter(|line| line.site.as_deref() == Some(site))
        .collect()
}

/// Stops all processes of a site's container, or lets them go on.
async fn signal(world: &World, site: &str, signal: Signal) {
    let id = world.container(site).await.id;
    let mut count = 0;
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let pid = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok());
        let Some(pid) = pid.and_then(Pid::from_raw) else {
            continue;
        };
        let groups = std::fs::read_to_string(entry.path().join("cgroup")).unwrap_or_default();
        if groups.contains(&id) {
            kill_process(pid, signal).unwrap();
            count += 1;
        }
    }
    assert!(count > 0, "{id} runs nothing");
}

/// Those who came, once the engine's log has them.
async fn some_visitors(world: &World, site: &str) -> Vec<Access> {
    let start = Instant::now();
    loop {
        let lines = visitors(world, site).await;
        if !lines.is_empty() || start.elapsed() > Duration::from_secs(5) {
            return lines;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_we_ask_is_nobodys_visit_and_a_site_that_hangs_is_told_from_one_that_answers() {
    let Some(engine) = tier::engine() else { return };
    let mut world = World::new(&engine).await;
    world.site("well", &format!("{STATIC}[well.test]"));
    world.site("hung", &format!("{STATIC}[hung.test]"));
    world.apply().await;
    // Neither are the requests by which an apply sees that its routes are right.
    assert_eq!(visitors(&world, "well").await, []);
    for _ in 0..3 {
        let found = ask(&world).await;
        for site in ["well", "hung"] {
            let probe = &found[site];
            assert_eq!(
                (&probe.answer, &probe.road),
                (&SiteAnswer::Site(200), &Road::Connection)
            );
        }
    }
    signal(&world, "hung", Signal::STOP).await;
    let start = Instant::now();
    let found = ask(&world).await;
    assert!(start.elapsed() < Duration::from_secs(6));
    assert_eq!(found["hung"].answer, SiteAnswer::Silent(4));
    assert_eq!(found["hung"].failing_since, Some(found["hung"].at));
    assert_eq!(found["well"].answer, SiteAnswer::Site(200));
    assert!(found["well"].took < Duration::from_secs(2));
    // What was broken off is nobody's either.
    assert_eq!(
        router::traffic(&world.toolbox()).await.unwrap(),
        BTreeMap::new()
    );
    for site in ["well", "hung"] {
        assert_eq!(visitors(&world, site).await, []);
    }
    assert_eq!(world.ask("well.test", "/").await.status, 200);
    assert_eq!(some_visitors(&world, "well").await.len(), 1);
    let counted = router::traffic(&world.toolbox()).await.unwrap();
    assert_eq!(counted["well"].requests, 1);

    // A visitor who gives up is one.
    let left = timeout(Duration::from_secs(5), world.ask("hung.test", "/")).await;
    assert!(left.is_err());
    let lines = some_visitors(&world, "hung").await;
    assert_eq!(lines.len(), 1);
    assert!(lines[0].was_left() && lines[0].was_asked(), "{lines:?}");
    assert!(lines[0].total_ms >= 4_500, "{lines:?}");
    signal(&world, "hung", Signal::CONT).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_console_knows_within_ten_seconds_that_a_site_hangs_and_that_it_is_back() {
    let Some(engine) = tier::engine() else { return };
    let mut world = World::new(&engine).await;
    world.site("hung", &format!("{STATIC}[hung.test]"));
    world.site("well", &format!("{STATIC}[well.test]"));
    world.apply().await;
    signal(&world, "hung", Signal::STOP).await;
    let address = engine.address.parse().unwrap();
    let gate = Gate::on_call();
    let (address, its): (ostler::fleet::EngineAddress, _) = (address, gate.clone());
    let connect: ostler::walk::look::Connect = Arc::new(move |_| {
        let (address, gate) = (address.clone(), its.clone());
        Box::pin(async move { Client::connect(&address, gate).await })
    });
    let (to, mut inbox) = tokio::sync::mpsc::unbounded_channel();
    let fleet = Arc::new(world.fleet());
    let start = Instant::now();
    let feed = Feed::new(
        fleet,
        false,
        true,
        connect,
        Arc::default(),
        Rounds::default(),
        to,
    );
    let on_screen = ["hung", "well"].map(|site| ("here".to_owned(), site.to_owned()));
    feed.watch(Watch {
        sites: on_screen.to_vec(),
        ..Watch::default()
    });
    let mut next = async |site: &str, wanted: SiteAnswer| {
        let waiting = async {
            loop {
                let message = inbox.recv().await.unwrap();
                if let Message::Host(_, HostNews::Probed(found)) = message {
                    let of = |(name, _): &&(Name, Probe)| name.as_str() == site;
                    if let Some((_, probe)) = found.iter().find(of)
                        && probe.answer == wanted
                    {
                        return probe.clone();
                    }
                }
            }
        };
        timeout(Duration::from_secs(30), waiting)
            .await
            .expect("it is known")
    };
    // The site beside it waits for nobody.
    next("well", SiteAnswer::Site(200)).await;
    let early = start.elapsed();
    let hung = next("hung", SiteAnswer::Silent(4)).await;
    assert!(early < Duration::from_secs(4), "{early:?}");
    assert!(
        start.elapsed() < Duration::from_secs(10),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(hung.failing_since, Some(hung.at));
    signal(&world, "hung", Signal::CONT).await;
    let back = next("hung", SiteAnswer::Site(200)).await;
    assert_eq!((back.failing_since, back.last_ok), (None, Some(back.at)));
    // And so while somebody looks.
    next("well", SiteAnswer::Site(200)).await;
    signal(&world, "well", Signal::STOP).await;
    let start = Instant::now();
    let hung = next("well", SiteAnswer::Silent(4)).await;
    assert!(
        start.elapsed() < Duration::from_secs(10),
        "{:?}",
        start.elapsed()
    );
    assert!(hung.last_ok.is_some());
    assert_eq!(gate.refused(), 0);
    assert!(gate.visits() > 4);
    signal(&world, "well", Signal::CONT).await;
}

/// A web server that says only this, at the port where a host's router would be.
async fn says(answer: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut asked = [0; 4096];
                let _ = stream.read(&mut asked).await;
                let _ = stream.write_all(answer.as_bytes()).await;
            });
        }
    });
    port
}

fn host(engine: &str, via: &str, port: u16) -> (Fleet, Host) {
    let text = format!(
        "fleet: x\nhosts: {{ a: {{ engine: \"{engine}\"{via}, ports: {{ http: {port} }} }} }}\nsites: {{}}\n"
    );
    let fleet = ostler::fleet::load(&text, Path::new("fleet.yml"))
        .unwrap()
        .fleet;
    let host = fleet.hosts[0].clone();
    (fleet, host)
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";

async fn visit(client: &Client, host: &Host) -> Visited {
    let domain = "shop.test".parse().unwrap();
    let within = Duration::from_secs(4);
    client
        .visit(host, (&domain, "/"), None, within)
        .await
        .unwrap()
}

fn ok() -> Heard {
    Heard::Answer {
        status: 200,
        page: None,
    }
}

/// By our own SSH and by the system's: through the connection where sshd lets us; from here where it
/// does not, at the address that ssh_config has for the name.
async fn by_ssh(via: &str) {
    let (mut sshd, engine) = (Sshd::up("far", ""), Standin::up());
    let network = sshd.network(&[sshd.block("")]);
    let port = says(OK).await;
    let address = sshd.address(&engine.socket).to_string();
    let (_fleet, host) = host(&address, via, port);
    let connect = async || {
        Client::connect_by(&network, &host.engine, Gate::on_call())
            .await
            .unwrap()
    };
    let client = connect().await;
    let through = visit(&client, &host).await;
    assert_eq!((through.from_here, through.heard), (None, ok()), "{via}");
    let gone = self::host(&address, via, 1).1;
    let refused = visit(&client, &gone).await;
    assert!(
        refused.from_here.is_none() && matches!(&refused.heard, Heard::Nobody(_)),
        "{via}: {refused:?}"
    );
    // All of it on the one connection.
    assert_eq!(sshd.connections(), 1, "{via}");
    drop(client);

    // The system's ssh then forwards no socket either: the engine itself is out of reach.
    if !via.is_empty() {
        return;
    }
    sshd.reconfigure("AllowTcpForwarding no\nAllowStreamLocalForwarding yes");
    let client = connect().await;
    let from_here = visit(&client, &host).await;
    // The name itself leads nowhere.
    let here = Some("127.0.0.1".to_owned());
    assert_eq!(
        (from_here.from_here, from_here.heard),
        (here, ok()),
        "{via}"
    );
    let refused = visit(&client, &gone).await;
    assert!(
        matches!(&refused.heard, Heard::NoWay(why) if why.contains("forwards no connections")),
        "{via}: {refused:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_router_behind_ssh_is_asked_through_the_connection_or_from_here() {
    if tier::fleet().is_none() {
        return;
    }
    by_ssh("").await;
    by_ssh(", via: openssh").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_back_is_told_apart() {
    let engine = Standin::up();
    let address = format!("unix://{}", engine.socket.display());
    let client = Client::connect(&address.parse().unwrap(), Gate::on_call())
        .await
        .unwrap();
    let heard = async |answer| {
        let port = says(answer).await;
        visit(&client, &host(&address, "", port).1).await.heard
    };
    assert_eq!(heard(OK).await, ok());
    let page = "HTTP/1.1 503 Service Unavailable\r\nX-Ostler: limit\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(
        heard(page).await,
        Heard::Answer {
            status: 503,
            page: Some("limit".into())
        }
    );
    // What announces more is no answer yet.
    let hints = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
    assert!(matches!(
        heard(hints).await,
        Heard::Answer { status: 404, .. }
    ));
    for (other, why) in [
        ("", "closes"),
        ("SSH-2.0-OpenSSH_10\r\n", "does not speak HTTP"),
    ] {
        let heard = heard(other).await;
        assert!(
            matches!(&heard, Heard::Nobody(said) if said.contains(why)),
            "{heard:?}"
        );
    }
    assert_eq!(client.gate().visits(), 5);
}

/// A web server at a port where a router might be: what it says of a name that no site has, and
/// what of all others.
async fn says_of(nobodys: &'static str, others: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut asked = [0; 4096];
                let n = stream.read(&mut asked).await.unwrap_or(0);
                let asked = String::from_utf8_lossy(&asked[..n]).into_owned();
                assert!(!asked.contains("x-ostler-probe"), "{asked}");
                let answer = match asked.contains("host: shop.test") {
                    true => others,
                    false => nobodys,
                };
                let _ = stream.write_all(answer.as_bytes()).await;
            });
        }
    });
    port
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_answers_in_the_routers_place_is_not_believed() {
    use ostler::fleet::Ports;
    use ostler::observe::model::ObservedHost;
    use ostler::record::route::{RouteEntry, RouteTarget};
    use ostler::record::{HostRecord, HostState, RouterRecord, StateRead};

    const OURS: &str =
        "HTTP/1.1 404 Not Found\r\nX-Ostler: unknown-domain\r\nContent-Length: 0\r\n\r\n";
    let engine = Standin::up();
    let address = format!("unix://{}", engine.socket.display());
    let text = format!(
        "fleet: x\nhosts: {{ a: {{ engine: \"{address}\", ports: {{ http: 1 }} }} }}\nsites: {{ shop: {{ host: a, recipe: static, memory: 64M, domains: [shop.test] }} }}\n"
    );
    let fleet = ostler::fleet::load(&text, Path::new("fleet.yml"))
        .unwrap()
        .fleet;
    let client = Client::connect(&address.parse().unwrap(), Gate::on_call())
        .await
        .unwrap();
    let clients = BTreeMap::from([("a".parse().unwrap(), client)]);
    let answer = async |http: u16, machine: &str| {
        let entry = RouteEntry {
            site: "shop".parse().unwrap(),
            domains: vec!["shop.test".parse().unwrap()],
            target: RouteTarget::Address {
                ip: "10.90.0.5".parse().unwrap(),
                port: 80,
                https: None,
            },
            connections: 10,
            timeout_s: 60,
            redirects: BTreeMap::new(),
            headers: BTreeMap::new(),
        };
        // The router listens where it was told to last, whatever the file says by now.
        let router = RouterRecord {
            ports: Some(Ports { http, https: 443 }),
            routes: BTreeMap::from([(entry.site.clone(), entry)]),
            ..RouterRecord::default()
        };
        let state = HostState {
            host: Some(HostRecord::default()),
            router,
            ..HostState::default()
        };
        let mut seen = ObservedHost {
            state: StateRead::Read(Arc::new(state)),
            ..ObservedHost::default()
        };
        seen.engine.machine = machine.to_owned();
        let observed = Observed {
            hosts: BTreeMap::from([(
                "a".parse().unwrap(),
                HostObservation::Reached(Arc::new(seen)),
            )]),
            ..Observed::default()
        };
        let found = ask_all(&fleet, &observed, &clients, Duration::from_secs(9)).await;
        found["shop"].answer.clone()
    };
    let not_asked = |answer: &SiteAnswer| matches!(answer, SiteAnswer::NotAsked(_));
    // The engine's machine is another one: 127.0.0.1 here is not its own.
    let stranger = answer(says_of(OK, OK).await, "elsewhere").await;
    assert!(
        matches!(&stranger, SiteAnswer::NotAsked(why) if why.contains("no router of ostler's")),
        "{stranger:?}"
    );
    let nobody = answer(1, "elsewhere").await;
    assert!(not_asked(&nobody), "{nobody:?}");
    let another = answer(says_of(OURS, OURS).await, "elsewhere").await;
    assert!(not_asked(&another), "{another:?}");
    assert_eq!(
        answer(says_of(OURS, OK).await, "elsewhere").await,
        SiteAnswer::Site(200)
    );
}

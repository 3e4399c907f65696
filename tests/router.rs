//! The router against the real HAProxy image: what visitors see, before, during and after changes.

#[path = "router/backend.rs"]
mod backend;
#[path = "router/front.rs"]
mod front;
#[path = "router/limits.rs"]
mod limits;
#[path = "common/load.rs"]
mod load;
#[path = "router/names.rs"]
mod names;
#[path = "router/stage.rs"]
mod stage;
#[path = "common/tier.rs"]
mod tier;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use backend::Backend;
use load::{Clients, Load};
use ostler::host::router::{self, log::Access, put};
use ostler::host::script::Script;
use ostler::record::route::RouteTarget;
use stage::{KEY, Stage, site, table};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, MutexGuard};

/// Tests that measure must not share two cores with others.
async fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::const_new(());
    ONE.lock().await
}

macro_rules! engine {
    () => {
        match tier::engine() {
            Some(engine) => engine,
            None => return,
        }
    };
}

/// Sends bytes and reads until the router closes.
async fn raw(to: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(to).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    let _ = tokio::time::timeout(Duration::from_secs(20), read).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// `curl` in the toolbox.
async fn curl(stage: &Stage, args: &[&str]) -> String {
    const CURL: Script = Script {
        tag: "test-curl",
        text: "exec curl -sS -m 10 \"$@\"",
        deadline: Duration::from_secs(15),
    };
    let out = stage.toolbox.run(&CURL, args, None).await.unwrap();
    String::from_utf8_lossy(&out).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_visitors_see() {
    let engine = engine!();
    let _alone = alone().await;
    let (a, b) = (
        Backend::start("site a").await,
        Backend::start("site b").await,
    );
    let mut first = site("a", &["a.example", "www.a.example"], a.at);
    for (domain, url) in [
        ("www.a.example", "https://a.example"),
        ("old.example", "https://a.example/new;x,y?z=1"),
    ] {
        let domain = domain.parse().unwrap();
        first.redirects.insert(domain, url.into());
    }
    let mut closed = site("closed", &["closed.example"], b.at);
    closed.target = RouteTarget::Stopped;
    let mut named = site("named", &["named.example"], b.at);
    named.target = RouteTarget::Resolve {
        host: b.at.ip().to_string(),
        port: b.at.port(),
    };
    let mut lost = site("lost", &["lost.example"], b.at);
    lost.target = RouteTarget::Resolve {
        host: "no-such-host.invalid".into(),
        port: 80,
    };
    let stage = Stage::set(
        &engine,
        &table([first, closed, named, lost, site("b", &["b.example"], b.at)]),
    )
    .await;

    for host in [
        "a.example",
        "A.Example",
        "a.example.",
        "a.example:8080",
        "A.EXAMPLE.:80",
    ] {
        let reply = stage.ask(host, "/").await;
        assert_eq!(
            (reply.status, reply.text().as_str()),
            (200, "site a"),
            "{host}"
        );
        assert_eq!(reply.header("x-ostler"), "", "{host}");
    }
    assert_eq!(stage.ask("named.example", "/").await.text(), "site b");

    for host in ["a.example:x", "a.example:1:2", "a.example:<b>"] {
        let reply = stage.ask(host, "/").await;
        assert_ne!(reply.status, 200, "{host}");
    }

    let unknown = stage.ask("nobody.example", "/").await;
    assert_eq!(
        (unknown.status, unknown.header("x-ostler")),
        (404, "unknown-domain")
    );
    assert!(unknown.text().contains("no site of this name"));
    let closed = stage.ask("closed.example", "/any").await;
    assert_eq!((closed.status, closed.header("x-ostler")), (503, "stopped"));
    assert_eq!(closed.header("retry-after"), "300");
    let lost = stage.ask("lost.example", "/").await;
    assert_eq!((lost.status, lost.header("x-ostler")), (503, "unresolved"));

    let kept = stage.ask("www.a.example", "/p/q?r=%20s").await;
    assert_eq!(
        (kept.status, kept.header("location")),
        (301, "https://a.example/p/q?r=%20s")
    );
    let there = stage.ask("old.example", "/p/q?r").await;
    assert_eq!(
        (there.status, there.header("location")),
        (301, "https://a.example/new;x,y?z=1")
    );
    let posted = raw(
        stage.front,
        b"POST //evil.example/ HTTP/1.1\r\nHost: www.a.example\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    )
    .await;
    assert!(posted.starts_with("HTTP/1.1 308"), "{posted}");
    assert!(
        posted.contains("location: https://a.example//evil.example/\r\n"),
        "{posted}"
    );

    // A site cannot pretend to be the router, nor a client to have come another way.
    assert_eq!(stage.ask("a.example", "/mark").await.header("x-ostler"), "");
    let seen = raw(
        stage.front,
        b"GET /headers HTTP/1.1\r\nHost: a.example:81\r\nX-Forwarded-For: 6.6.6.6\r\nX_Forwarded_For: 6.6.6.6\r\n\
          X-Real-IP: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Server: x\r\n\
          Proxy: x\r\nConnection: close\r\n\r\n",
    )
    .await;
    assert!(
        !seen.contains("6.6.6.6") && !seen.contains("proxy:"),
        "{seen}"
    );
    for line in [
        "x-forwarded-for: 127.0.0.1\n",
        "x-real-ip: 127.0.0.1\n",
        "x-forwarded-proto: http\n",
        "x-forwarded-host: a.example:81\n",
        "x-forwarded-port: 81\n",
    ] {
        assert!(seen.contains(line), "{line}{seen}");
    }
    assert!(!seen.contains("x-forwarded-server"), "{seen}");

    // TLS, with the certificate that names nobody; HTTP/2 on it.
    let https = stage.config.ports.https;
    let to = format!("a.example:{https}:127.0.0.1");
    let url = format!("https://a.example:{https}/headers");
    let seen = curl(
        &stage,
        &[
            "-k",
            "--http2",
            "-w",
            "%{http_version}",
            "--resolve",
            &to,
            &url,
        ],
    )
    .await;
    assert!(seen.contains("x-forwarded-proto: https\n"), "{seen}");
    assert!(seen.ends_with('2'), "{seen}");

    // IPv6, where this machine has it.
    if tokio::net::TcpListener::bind("[::1]:0").await.is_ok() {
        let to = SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], stage.config.ports.http));
        let seen = load::ask(to, "a.example", "/headers").await.unwrap();
        assert!(
            seen.text().contains("x-forwarded-for: ::1\n"),
            "{}",
            seen.text()
        );
    }

    // A web socket.
    let mut socket = TcpStream::connect(stage.front).await.unwrap();
    let upgrade = "GET /echo HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\n\
        Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    socket.write_all(upgrade.as_bytes()).await.unwrap();
    let mut seen = String::new();
    for (send, until) in [("", "\r\n\r\n"), ("hello", "hello"), ("again", "again")] {
        socket.write_all(send.as_bytes()).await.unwrap();
        while !seen.ends_with(until) {
            let mut bytes = [0; 1024];
            let n = socket.read(&mut bytes).await.unwrap();
            assert!(n > 0, "closed after {seen:?}");
            seen.push_str(std::str::from_utf8(&bytes[..n]).unwrap());
        }
    }
    assert!(seen.starts_with("HTTP/1.1 101"), "{seen}");
    let ip = a.at.ip();
    assert_eq!(router::in_flight(&stage.toolbox, ip).await.unwrap(), 1);
    drop(socket);
    assert_eq!(
        router::drain(&stage.toolbox, ip, Duration::from_secs(5))
            .await
            .unwrap(),
        0
    );

    // The same from disk after a restart.
    let maps = |loaded: router::Loaded| {
        router::table::Map::ALL.map(|map| {
            let entries = loaded.get(map).iter().cloned();
            entries.collect::<BTreeMap<String, String>>()
        })
    };
    let before = maps(router::loaded(&stage.toolbox).await.unwrap());
    assert!(before[1]["a"].starts_with(&format!("ip|{ip}|")));
    stage
        .client
        .restart(&stage.router(), Duration::from_secs(2))
        .await
        .unwrap();
    stage.await_router().await;
    assert_eq!(maps(router::loaded(&stage.toolbox).await.unwrap()), before);
    assert_eq!(stage.ask("a.example", "/").await.text(), "site a");
}

#[tokio::test(flavor = "multi_thread")]
async fn domains_come_and_go_under_load() {
    let engine = engine!();
    let _alone = alone().await;
    let (a, b) = (Backend::start("a").await, Backend::start("b").await);
    let mut all = table([
        site("a", &["a.example"], a.at),
        site("b", &["b.example"], b.at),
    ]);
    let stage = Stage::set(&engine, &all).await;
    let load = Load::start(
        stage.front,
        &[
            Clients::new("a.example", "/", 4, true),
            Clients::new("a.example", "/", 2, false),
            Clients::new("b.example", "/", 4, true),
            Clients::new("b.example", "/", 2, false),
        ],
        Arc::new(|clients, reply| {
            let right = clients.host.split('.').next() == Some(reply.text().as_str());
            right
                .then_some(())
                .ok_or_else(|| format!("{} {}", reply.status, reply.text()))
        }),
    );
    for round in 0..5 {
        let domain = format!("new{round}.example");
        put(&mut all, site("a", &["a.example", &domain], a.at));
        stage.route(&all).await;
        assert_eq!(stage.ask(&domain, "/").await.text(), "a");
        // It moves to another site,
        put(&mut all, site("b", &["b.example", &domain], b.at));
        stage.route(&all).await;
        assert_eq!(stage.ask(&domain, "/").await.text(), "b");
        // becomes a redirect,
        let mut redirecting = site("b", &["b.example"], b.at);
        redirecting
            .redirects
            .insert(domain.parse().unwrap(), "https://b.example".into());
        put(&mut all, redirecting);
        stage.route(&all).await;
        assert_eq!(stage.ask(&domain, "/").await.status, 301);
        // and goes, with a site of its own between.
        put(&mut all, site("b", &["b.example"], b.at));
        put(&mut all, site("c", &["c.example"], b.at));
        stage.route(&all).await;
        all.remove("c");
        stage.route(&all).await;
        for gone in [domain.as_str(), "c.example"] {
            assert_eq!(
                stage.ask(gone, "/").await.header("x-ostler"),
                "unknown-domain"
            );
        }
        let changed = stage.client.gate().changing();
        stage.route(&all).await;
        assert!(
            stage.client.gate().changing() > changed,
            "files are written again"
        );
    }
    let report = load.stop().await;
    println!("{} requests", report.count());
    report.assert_no_failure();
    assert!(report.count() > 1000, "{}", report.count());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_is_replaced_under_load() {
    let engine = engine!();
    let _alone = alone().await;
    let mut stage = Stage::set(&engine, &table([])).await;
    let (network, [x, y, z]) = stage.network().await;
    let ip = |n| Ipv4Addr::new(x, y, z, n);
    let at = |n| SocketAddr::from((ip(n), 8080));
    let mut current = stage.web(&network, ip(10), "round 0").await;
    let mut all = table([site("a", &["a.example"], at(10))]);
    stage.route(&all).await;
    let load = Load::expecting_200(
        stage.front,
        &[
            Clients::new("a.example", "/", 4, true),
            Clients::new("a.example", "/", 2, false),
            Clients::new("a.example", "/slow?s=4", 4, true),
            Clients::new("a.example", "/slow?s=4", 2, false),
        ],
    );
    for round in 1..=3u8 {
        let next = stage
            .web(&network, ip(10 + round), &format!("round {round}"))
            .await;
        put(&mut all, site("a", &["a.example"], at(10 + round)));
        stage.route(&all).await;
        let left = router::drain(
            &stage.toolbox,
            ip(9 + round).into(),
            Duration::from_secs(30),
        )
        .await
        .unwrap();
        assert_eq!(left, 0);
        // What is stopped now has nothing left to finish: this server cuts everything at once.
        stage
            .client
            .stop(&current, Duration::from_secs(5))
            .await
            .unwrap();
        let reply = stage.ask("a.example", "/").await;
        assert!(
            reply.text().contains(&format!("round {round}")),
            "{}",
            reply.text()
        );
        current = next;
    }
    let report = load.stop().await;
    println!(
        "{} requests, {} of them slow",
        report.count(),
        report.answered["a.example /slow?s=4"].len()
    );
    report.assert_no_failure();
    assert!(report.answered["a.example /slow?s=4"].len() >= 12);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_that_hangs_takes_no_other_down() {
    let engine = engine!();
    let _alone = alone().await;
    let (a, b) = (Backend::start("a").await, Backend::start("b").await);
    let mut hanging = site("a", &["a.example"], a.at);
    hanging.connections = 100;
    let stage = Stage::set(&engine, &table([hanging, site("b", &["b.example"], b.at)])).await;
    let others = [Clients::new("b.example", "/", 4, true)];
    let measure = async || {
        let load = Load::expecting_200(stage.front, &others);
        tokio::time::sleep(Duration::from_secs(2)).await;
        let report = load.stop().await;
        report.assert_no_failure();
        (
            report.quantile("b.example /", 0.5),
            report.quantile("b.example /", 0.99),
        )
    };
    let before = measure().await;

    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..300 {
        let front = stage.front;
        waiting.spawn(async move { load::ask(front, "a.example", "/hang").await });
    }
    for _ in 0..200 {
        let reply = waiting.join_next().await.unwrap().unwrap().unwrap();
        assert_eq!((reply.status, reply.header("x-ostler")), (503, "limit"));
    }
    assert_eq!(a.busy(), 100);
    let traffic = router::traffic(&stage.toolbox).await.unwrap();
    assert_eq!(traffic["a"].connections, 100);
    assert_eq!(traffic["a"].server_errors, 200);

    let during = measure().await;
    println!("p50, p99 before {before:?}, with 300 clients on the other site {during:?}");
    assert!(
        during.0 < before.0 * 2 + Duration::from_millis(5),
        "{before:?} {during:?}"
    );
    assert!(
        during.1 < before.1 * 3 + Duration::from_millis(25),
        "{before:?} {during:?}"
    );

    // Clients that give up free their places.
    waiting.shutdown().await;
    router::drain(&stage.toolbox, a.at.ip(), Duration::from_secs(5))
        .await
        .unwrap();
    assert_eq!(stage.ask("a.example", "/").await.text(), "a");

    // A limit is changed while it runs.
    let mut tight = site("a", &["a.example"], a.at);
    tight.connections = 1;
    stage
        .route(&table([tight, site("b", &["b.example"], b.at)]))
        .await;
    let front = stage.front;
    let first = tokio::spawn(async move { load::ask(front, "a.example", "/slow").await });
    while a.busy() == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let second = stage.ask("a.example", "/").await;
    assert_eq!((second.status, second.header("x-ostler")), (503, "limit"));
    assert_eq!(first.await.unwrap().unwrap().status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_and_log_lines() {
    let engine = engine!();
    let _alone = alone().await;
    let a = Backend::start("a").await;
    let stage = Stage::set(
        &engine,
        &table([
            site("a", &["a.example"], a.at),
            site(
                "down",
                &["down.example"],
                SocketAddr::from(([127, 0, 0, 1], 1)),
            ),
        ]),
    )
    .await;
    for path in [
        "/",
        "/status/404",
        "/status/500",
        "/status/503",
        "/x?token=secret",
    ] {
        stage.ask("a.example", path).await;
    }
    assert_eq!(
        stage.ask("down.example", "/").await.header("x-ostler"),
        "unreachable"
    );
    let traffic = router::traffic(&stage.toolbox).await.unwrap();
    let (a_, down) = (traffic["a"], traffic["down"]);
    assert_eq!((a_.requests, a_.client_errors, a_.server_errors), (5, 1, 2));
    assert_eq!((a_.client_errors_minute, a_.server_errors_minute), (1, 2));
    assert_eq!(a_.request_rate, 0.5);
    assert_eq!((down.requests, down.server_errors), (1, 1));
    let info = router::info(&stage.toolbox).await.unwrap();
    assert!(info.max_connections > 1000 && !info.stopping, "{info:?}");

    let long = "\"\\".repeat(3000);
    let hostile = [
        "GET /\"},{\"status\":200,\"x\":\"%0a%22\\ HTTP/1.1\r\nHost: a.example\r\nUser-Agent: \"\\\u{e9}\t}\u{1f600}\r\n",
        &format!("GET /{long} HTTP/1.1\r\nHost: a.example\r\nUser-Agent: {long}\r\n"),
        "GET / HTTP/1.1\r\nHost: a\"b\\.example\r\n",
        "GET / HTTP/1.1\r\nHost: -\r\n",
        "G\"T / HTTP/1.1\r\nHost: a.example\r\n",
        "GET /\u{7f}\u{e9} HTTP/1.1\r\nHost: a.example\r\n",
        "CONNECT a.example:80 HTTP/1.1\r\nHost: a.example:80\r\n",
        "GET .evil.example/ HTTP/1.1\r\nHost: a.example\r\n",
        "\x16\x03\x01",
    ];
    for request in hostile {
        raw(
            stage.front,
            format!("{request}Connection: close\r\n\r\n").as_bytes(),
        )
        .await;
    }
    stage.ask("a.example", "/last").await;
    let text = stage.log(&stage.router()).await;
    assert!(!text.contains("secret"));
    let objects: Vec<&str> = text.lines().filter(|l| l.starts_with('{')).collect();
    let lines: Vec<Access> = objects
        .iter()
        .map(|line| Access::parse(line).unwrap_or_else(|| panic!("not JSON: {line}")))
        .collect();
    assert!(lines.len() >= 6 + hostile.len(), "{text}");
    let find = |start: &str| {
        let found = lines
            .iter()
            .find(|l| l.path.as_deref().is_some_and(|p| p.starts_with(start)));
        found.unwrap_or_else(|| panic!("no line for {start}\n{text}"))
    };
    let spoof = find("/\"},{");
    assert_eq!(
        spoof.path.as_deref(),
        Some("/\"},{\"status\":200,\"x\":\"%0a%22\\")
    );
    assert_eq!(
        (spoof.site.as_deref(), spoof.client.as_str()),
        (Some("a"), "127.0.0.1")
    );
    assert!(find("/\"\\").path.as_ref().unwrap().len() == 512);
    let last = find("/last");
    assert_eq!(
        (last.status, last.end.as_str(), last.domain.as_deref()),
        (200, "--", Some("a.example"))
    );
    assert!(
        last.answer_ms >= 0 && last.bytes > 0 && last.time > 1.7e9,
        "{last:?}"
    );
    for other in text.lines().filter(|l| !l.starts_with('{')) {
        assert!(other.starts_with('['), "neither JSON nor a notice: {other}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_router_itself_is_replaced_under_load() {
    let engine = engine!();
    let _alone = alone().await;
    let a = Backend::start("a").await;
    let all = table([site("a", &["a.example"], a.at)]);
    let mut stage = Stage::set(&engine, &all).await;
    let load = Load::expecting_200(
        stage.front,
        &[
            Clients::new("a.example", "/", 24, true),
            Clients::new("a.example", "/", 2, false),
            Clients::new("a.example", "/slow", 2, false),
        ],
    );
    let old = stage.router();
    router::write(
        &stage.toolbox,
        &stage.config,
        KEY,
        &all,
        &Default::default(),
    )
    .await
    .unwrap();
    // Long enough that their ages cannot be confused.
    let age = async || router::info(&stage.toolbox).await.unwrap().uptime_s;
    while age().await < 3 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(router::serves(&stage.toolbox, &old).await.unwrap());
    let next = stage.start_router("router-next").await;
    let until = Instant::now() + Duration::from_secs(10);
    while !router::serves(&stage.toolbox, &next).await.unwrap() {
        assert!(Instant::now() < until, "the new router does not come up");
    }
    stage
        .client
        .stop(&old, Duration::from_secs(15))
        .await
        .unwrap();
    let mut more = all.clone();
    put(&mut more, site("b", &["b.example"], a.at));
    stage.route(&more).await;
    let report = load.stop().await;
    println!("{} requests", report.count());
    report.assert_no_failure();
    assert!(!router::info(&stage.toolbox).await.unwrap().stopping);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_that_closes_idle_connections_fails_no_request() {
    let engine = engine!();
    let _alone = alone().await;
    let a = Backend::impatient().await;
    let stage = Stage::set(&engine, &table([site("a", &["a.example"], a.at)])).await;
    let mut clients = Vec::new();
    for pause in [9, 10, 11] {
        let mut some = Clients::new("a.example", "/", 8, true);
        some.pause = Duration::from_millis(pause);
        clients.push(some);
    }
    let load = Load::expecting_200(stage.front, &clients);
    tokio::time::sleep(Duration::from_secs(4)).await;
    let report = load.stop().await;
    println!("{} requests", report.count());
    report.assert_no_failure();
    assert!(report.count() > 1000);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_more_among_two_thousand() {
    let engine = engine!();
    let _alone = alone().await;
    let a = Backend::start("a").await;
    let stage = Stage::set(&engine, &table([])).await;
    let many = (0..2000).map(|n| {
        let domains = [format!("www{n}.example"), format!("site{n}.example")];
        let domains = domains.each_ref().map(String::as_str);
        site(&format!("site-{n}"), &domains, a.at)
    });
    let mut all = table(many);
    let begun = Instant::now();
    stage.route(&all).await;
    println!("2000 sites at once: {:?}", begun.elapsed());
    assert_eq!(stage.ask("www1999.example", "/").await.text(), "a");
    put(&mut all, site("one-more", &["one-more.example"], a.at));
    let begun = Instant::now();
    stage.route(&all).await;
    let took = begun.elapsed();
    println!("one more: {took:?}");
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert_eq!(stage.ask("one-more.example", "/").await.text(), "a");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_hosts_own_mark_makes_a_question_nobodys_visit() {
    let engine = engine!();
    let a = Backend::start("a").await;
    let mut entry = site("a", &["a.example"], a.at);
    entry.connections = 1;
    let stage = Stage::set(&engine, &table([entry])).await;
    let ask = async |mark: &str, path: &str| {
        let mut request = load::get("a.example", path);
        let mark = mark.parse().unwrap();
        request.headers_mut().insert("X-Ostler-Probe", mark);
        load::Connection::new(stage.front)
            .ask(request)
            .await
            .unwrap()
    };
    let counted = async || {
        let all = router::traffic(&stage.toolbox).await.unwrap();
        all.get("a").map_or(0, |site| site.requests)
    };
    let lines = async || {
        let log = stage.log(&stage.router()).await;
        let lines = log.lines().filter_map(Access::parse);
        lines.filter(|line| line.site.is_some()).count()
    };
    let ours = router::probe::mark(KEY);
    for path in ["/", "/status/404", "/status/500"] {
        ask(&ours, path).await;
    }
    assert_eq!((counted().await, lines().await), (0, 0));
    // A site never sees it, and whoever reads the router's files cannot make it.
    let seen = ask(&ours, "/headers").await;
    assert!(!seen.text().contains("probe"), "{}", seen.text());
    let list = format!("{}/router/probe.list", stage.toolbox.layout.root());
    let list = String::from_utf8(stage.toolbox.read(&list).await.unwrap().unwrap()).unwrap();
    for forged in [list.trim(), "1", &router::probe::mark("another")] {
        let seen = ask(forged, "/headers").await;
        assert!(!seen.text().contains("probe"), "{}", seen.text());
    }
    assert_eq!((counted().await, lines().await), (3, 3));
    // What changes something is no question, nor is what comes from elsewhere.
    let mut post = load::get("a.example", "/");
    *post.method_mut() = http::Method::POST;
    post.headers_mut()
        .insert("X-Ostler-Probe", ours.parse().unwrap());
    load::Connection::new(stage.front).ask(post).await.unwrap();
    assert_eq!((counted().await, lines().await), (4, 4));
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
    if socket.connect("192.0.2.1:9").is_ok() {
        let mut elsewhere = socket.local_addr().unwrap();
        elsewhere.set_port(stage.front.port());
        let mut request = load::get("a.example", "/");
        request
            .headers_mut()
            .insert("X-Ostler-Probe", ours.parse().unwrap());
        load::Connection::new(elsewhere).ask(request).await.unwrap();
        assert_eq!((counted().await, lines().await), (5, 5));
    }
    // At its limit it is what the next visitor would find, and takes nobody's place.
    let front = stage.front;
    let hanging = tokio::spawn(async move { load::ask(front, "a.example", "/hang").await });
    while a.busy() == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let full = ask(&ours, "/").await;
    assert_eq!((full.status, full.header("x-ostler")), (503, "limit"));
    let visitor = stage.ask("a.example", "/").await;
    assert_eq!((visitor.status, visitor.header("x-ostler")), (503, "limit"));
    hanging.abort();
    while a.busy() > 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let waits = [(); 8].map(|()| {
        let request = {
            let mut request = load::get("a.example", "/hang");
            request
                .headers_mut()
                .insert("X-Ostler-Probe", ours.parse().unwrap());
            request
        };
        tokio::spawn(async move { load::Connection::new(front).ask(request).await })
    });
    while a.busy() < 8 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(stage.ask("a.example", "/").await.status, 200);
    // The mark lifts no limit: so many at once, and no more.
    let ninth = ask(&ours, "/").await;
    assert_eq!((ninth.status, ninth.header("x-ostler")), (429, "too-many"));
    for waits in waits {
        waits.abort();
    }
    // Whoever asks for the router itself is told, and nobody is asked.
    let before = (counted().await, lines().await);
    let here = stage.ask("a.example", router::probe::HERE).await;
    assert_eq!((here.status, here.header("x-ostler")), (204, "here"));
    assert_eq!((counted().await, lines().await), before);
}

//! Behind another proxy: whom the router believes, and what a site is then told.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use ostler::host::router::{self, log::Access};
use ostler::record::route::{RouteTarget, Trust};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;

use crate::backend::Backend;
use crate::load::{Clients, Load};
use crate::names::bridge;
use crate::stage::{Stage, free_port, site, table};
use crate::{alone, curl, tier};

/// A proxy that is trusted, a visitor, and a stranger who claims to be one.
const PROXY: Ipv4Addr = Ipv4Addr::new(127, 9, 0, 1);
const VISITOR: Ipv4Addr = Ipv4Addr::new(127, 3, 3, 3);
const STRANGER: Ipv4Addr = Ipv4Addr::new(127, 7, 7, 7);

/// Sends bytes from an address and reads until the other side closes.
async fn from(source: Ipv4Addr, to: SocketAddr, bytes: &[u8]) -> String {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((source, 0).into()).unwrap();
    let mut stream = socket.connect(to).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    let _ = tokio::time::timeout(Duration::from_secs(20), read).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// A request with these header lines, the first of them Host.
fn get(path: &str, lines: &[&str]) -> Vec<u8> {
    let lines = lines.join("\r\n");
    format!("GET {path} HTTP/1.1\r\n{lines}\r\nConnection: close\r\n\r\n").into_bytes()
}

/// What a visitor of a trusted proxy asks.
async fn visit(at: SocketAddr, visitor: &'static str, path: &'static str) -> String {
    let line = format!("X-Forwarded-For: {visitor}");
    from(PROXY, at, &get(path, &["Host: a.example", &line])).await
}

/// What a site was told: client, scheme, port and host.
fn told(seen: &str) -> [&str; 4] {
    let line = |name: &str| {
        let mut lines = seen.lines().filter_map(|l| l.split_once(": "));
        let value = lines.find(|(key, _)| *key == name);
        value.unwrap_or_else(|| panic!("no {name} in {seen}")).1
    };
    assert_eq!(line("x-real-ip"), line("x-forwarded-for"), "{seen}");
    assert_eq!(line("host"), line("x-forwarded-host"), "{seen}");
    ["for", "proto", "port", "host"].map(|what| line(&format!("x-forwarded-{what}")))
}

fn location(answer: &str) -> &str {
    let mut lines = answer.lines().filter_map(|l| l.split_once(": "));
    lines
        .find(|(key, _)| *key == "location")
        .map_or("", |l| l.1)
}

async fn trust(stage: &mut Stage, networks: &[(&str, Trust)], routes: &router::Table) {
    stage.config.proxies = networks
        .iter()
        .map(|(network, trust)| (network.parse().unwrap(), *trust))
        .collect();
    stage.route(routes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_trusted_proxy_says_is_kept() {
    let Some(engine) = tier::engine() else { return };
    let _alone = alone().await;
    let a = Backend::start("a").await;
    let all = table([site("a", &["a.example"], a.at)]);
    let mut stage = Stage::set(&engine, &all).await;
    let began = router::info(&stage.toolbox).await.unwrap().started;
    let networks = [
        ("127.9.0.0/16", Trust::Headers),
        ("192.0.2.0/24", Trust::Headers),
        ("2001:db8:1::/48", Trust::Headers),
        // The narrower one holds.
        ("127.9.7.0/24", Trust::Site),
    ];
    trust(&mut stage, &networks, &all).await;
    let http = stage.config.ports.http.to_string();
    let many = format!("X-Forwarded-For: 6.6.6.6{}", ", 192.0.2.9".repeat(400));
    let proxy = PROXY.to_string();
    // Headers, and the client, scheme, port and host that they come to.
    for (lines, wanted) in [
        (vec![], [proxy.as_str(), "http", "80", "a.example"]),
        (
            vec!["X-Forwarded-For: 6.6.6.6", "X-Forwarded-Proto: https"],
            ["6.6.6.6", "https", "443", "a.example"],
        ),
        // The last that is no trusted proxy; what a visitor wrote before it is dropped.
        (
            vec![
                "X-Forwarded-For: 1.1.1.1, 6.6.6.6, 192.0.2.9",
                "X-Forwarded-For: 192.0.2.8",
                "X-Forwarded-Proto: https, http",
                "X-Forwarded-Port: 8443",
            ],
            ["6.6.6.6", "https", "8443", "a.example:8443"],
        ),
        // What a visitor wrote before a proxy that adds to it.
        (
            vec!["X-Forwarded-For: 6.6.6.6", "X-Forwarded-Proto: https, http"],
            ["6.6.6.6", "http", "80", "a.example"],
        ),
        // What cannot be read ends the way.
        (
            vec![
                "X-Forwarded-For: 6.6.6.6, nonsense\t\"<x>",
                "X-Forwarded-Proto: gopher",
            ],
            [proxy.as_str(), "http", "80", "a.example"],
        ),
        (
            vec![
                "X-Forwarded-For: 6.6.6.6, nonsense, 192.0.2.9",
                "X-Forwarded-Port: 84430",
            ],
            ["192.0.2.9", "http", "80", "a.example"],
        ),
        (
            vec![many.as_str()],
            ["192.0.2.9", "http", "80", "a.example"],
        ),
        // A container of the sites' network is none, whatever is around it.
        (
            vec!["X-Forwarded-For: 6.6.6.6, 127.9.7.3"],
            ["127.9.7.3", "http", "80", "a.example"],
        ),
        (
            vec!["X-Forwarded-For: 6.6.6.6:4711", "X-Forwarded-Proto: WSS"],
            ["6.6.6.6", "https", "443", "a.example"],
        ),
        (
            vec!["X-Forwarded-For: 6.6.6.6, [2001:db8:1::2]:80"],
            ["6.6.6.6", "http", "80", "a.example"],
        ),
        (
            vec!["Forwarded: For=\"[2001:db8::7]:80\";Proto=HTTPS, for=192.0.2.9;proto=http"],
            ["2001:db8::7", "https", "443", "a.example"],
        ),
        (
            vec!["Forwarded: for=6.6.6.6, for=unknown;proto=https"],
            [proxy.as_str(), "https", "443", "a.example"],
        ),
        (
            vec![
                "Forwarded: for=1.1.1.1;proto=http",
                "X-Forwarded-For: 6.6.6.6",
                "X-Forwarded-Proto: https",
            ],
            ["6.6.6.6", "https", "443", "a.example"],
        ),
    ] {
        let lines = [vec!["Host: a.example"], lines].concat();
        let seen = from(PROXY, stage.front, &get("/headers", &lines)).await;
        assert_eq!(told(&seen), wanted, "{lines:?}");
        assert!(!seen.contains("forwarded:"), "{seen}");
        // The same from others is dropped.
        for source in [STRANGER, Ipv4Addr::new(127, 9, 7, 3)] {
            let seen = from(source, stage.front, &get("/headers", &lines)).await;
            let wanted = [&source.to_string(), "http", "80", "a.example"];
            assert_eq!(told(&seen), wanted, "{lines:?}");
        }
    }
    // The port in Host is the visitor's, unless a trusted proxy names one.
    let host = format!("Host: A.example:{http}");
    let lines = [
        host.as_str(),
        "X-Forwarded-Port: 443",
        "X-Forwarded-Proto: https",
    ];
    let seen = from(PROXY, stage.front, &get("/headers", &lines)).await;
    assert_eq!(told(&seen), [proxy.as_str(), "https", "443", "a.example"]);
    let seen = from(STRANGER, stage.front, &get("/headers", &lines)).await;
    let own = format!("A.example:{http}");
    assert_eq!(told(&seen), [&STRANGER.to_string(), "http", &http, &own]);

    // All of it was told to one process, which reads the same at its next start.
    assert_eq!(router::info(&stage.toolbox).await.unwrap().started, began);
    let router = stage.router();
    let restarted = stage.client.restart(&router, Duration::from_secs(2)).await;
    restarted.unwrap();
    stage.await_router().await;
    let lines = ["Host: a.example", "X-Forwarded-For: 6.6.6.6"];
    let seen = from(PROXY, stage.front, &get("/headers", &lines)).await;
    assert_eq!(told(&seen)[0], "6.6.6.6");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_in_front_ends_in_no_loop_and_counts_as_many() {
    let Some(engine) = tier::engine() else { return };
    let _alone = alone().await;
    let a = Backend::start("a").await;
    let all = table([site("a", &["a.example"], a.at)]);
    let mut stage = Stage::set(&engine, &all).await;
    let port = free_port();
    let http = stage.config.ports.http;
    let config = format!(
        "frontend web\n bind 127.0.0.1:{port}\n option forwardfor\n \
         http-request set-header X-Forwarded-Proto https\n default_backend router\n\
         backend router\n server router 127.0.0.1:{http} source {PROXY}\n"
    );
    stage.start_front(&config).await;
    let front = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    // The site wants https, which its visitor has.
    let secure = get("/secure", &["Host: a.example", "X-Forwarded-For: 6.6.6.6"]);
    let seen = from(VISITOR, front, &secure).await;
    assert_eq!(location(&seen), "https://a.example/secure", "{seen}");
    let load = Load::expecting_200(stage.front, &[Clients::new("a.example", "/", 4, true)]);
    trust(&mut stage, &[("127.9.0.1", Trust::Headers)], &all).await;
    load.stop().await.assert_no_failure();
    let seen = from(VISITOR, front, &secure).await;
    assert!(seen.starts_with("HTTP/1.1 200"), "{seen}");
    let lines = ["Host: a.example", "X-Forwarded-For: 6.6.6.6"];
    let seen = from(VISITOR, front, &get("/headers", &lines)).await;
    let visitor = VISITOR.to_string();
    assert_eq!(told(&seen), [visitor.as_str(), "https", "443", "a.example"]);

    // Of two visitors of one proxy the one with too much under way is refused, the other is not.
    let (busy, other) = ("203.0.113.5", "203.0.113.6");
    let shares = format!("{}/shares.map", stage.toolbox.layout.router());
    let tell = format!("add map {shares} {busy} 2");
    router::ask(&stage.toolbox, &[tell]).await.unwrap();
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..2 {
        waiting.spawn(visit(stage.front, busy, "/hang"));
    }
    while a.busy() < 2 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let seen = visit(stage.front, busy, "/").await;
    assert!(seen.starts_with("HTTP/1.1 429"), "{seen}");
    let seen = visit(stage.front, other, "/").await;
    assert!(seen.starts_with("HTTP/1.1 200"), "{seen}");
    waiting.shutdown().await;

    let log = stage.log(&stage.router()).await;
    let mut lines = log.lines().filter_map(Access::parse);
    let logged = lines.find(|line| line.path.as_deref() == Some("/headers"));
    assert_eq!(logged.unwrap().client, visitor, "{log}");
    assert!(log.contains(&format!("\"client\":\"{other}\"")), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_with_a_header_of_the_proxy_protocol() {
    let Some(engine) = tier::engine() else { return };
    let _alone = alone().await;
    let a = Backend::start("a").await;
    let all = table([site("a", &["a.example"], a.at)]);
    let mut stage = Stage::set(&engine, &all).await;
    let http = stage.config.ports.http;
    let (v1, v2) = (free_port(), free_port());
    // Nothing is expected from the host's own loopback addresses.
    let here = bridge(&engine).await;
    let config = format!(
        "listen v1\n mode tcp\n bind 127.0.0.1:{v1}\n server router {here}:{http} send-proxy\n\
         listen v2\n mode tcp\n bind 127.0.0.1:{v2}\n server router {here}:{http} send-proxy-v2\n"
    );
    stage.start_front(&config).await;
    let local = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let headers = get("/headers", &["Host: a.example", "X-Forwarded-For: 6.6.6.6"]);
    // As the router sees it: Docker changes addresses on the way.
    let to = SocketAddr::from((here, http));
    let mut stream = tokio::net::TcpStream::connect(to).await.unwrap();
    stream.write_all(&headers).await.unwrap();
    let mut seen = String::new();
    stream.read_to_string(&mut seen).await.unwrap();
    let proxy = told(&seen)[0].to_owned();

    let seen = from(VISITOR, local(v1), &headers).await;
    assert!(!seen.contains("200 OK"), "believed a stranger: {seen}");
    let networks = [(proxy.as_str(), Trust::Protocol)];
    trust(&mut stage, &networks, &all).await;
    let visitor = VISITOR.to_string();
    for port in [v1, v2] {
        let seen = from(VISITOR, local(port), &headers).await;
        assert_eq!(told(&seen)[0], visitor, "{seen}");
    }
    // Visitors count by themselves, from the connection on.
    let stranger = "203.0.113.5";
    let head = format!("PROXY TCP4 {stranger} 203.0.113.1 4711 443\r\n");
    let slow = [head.into_bytes(), get("/slow", &["Host: a.example"])].concat();
    let mut held = tokio::net::TcpStream::connect(to).await.unwrap();
    held.write_all(&slow).await.unwrap();
    while a.busy() == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let tables = ["sources", "nets", "requesters"].map(|table| format!("show table {table}"));
    for answer in router::ask(&stage.toolbox, &tables).await.unwrap() {
        let held = answer.lines().filter(|line| line.ends_with("conn_cur=1"));
        let held: Vec<&str> = held.collect();
        assert_eq!(held.len(), 1, "{answer}");
        assert!(held[0].contains("key=::ffff:203.0.113."), "{answer}");
    }
    let mut seen = String::new();
    held.read_to_string(&mut seen).await.unwrap();
    assert!(seen.starts_with("HTTP/1.1 200"), "{seen}");
    // TLS comes behind the header.
    let https = stage.config.ports.https;
    let url = format!("https://a.example:{https}/headers");
    let resolve = format!("a.example:{https}:{here}");
    let args = ["-k", "--haproxy-protocol", "--resolve", &resolve, &url];
    assert!(
        curl(&stage, &args)
            .await
            .contains("x-forwarded-proto: https")
    );
    // Who is not one of them speaks as ever; who is one has to begin with it.
    assert_eq!(stage.ask("a.example", "/").await.text(), "a");
    let mut stream = tokio::net::TcpStream::connect(to).await.unwrap();
    stream.write_all(&headers).await.unwrap();
    let mut seen = String::new();
    let _ = stream.read_to_string(&mut seen).await;
    assert_eq!(seen, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn redirects_lead_back_to_the_visitors_scheme_and_port() {
    let Some(engine) = tier::engine() else { return };
    let _alone = alone().await;
    let a = Backend::start("plain").await;
    let b = Backend::start_at("by tls", a.at.ip()).await;
    let mut first = site("a", &["a.example"], a.at);
    let RouteTarget::Address { https, .. } = &mut first.target else {
        unreachable!()
    };
    *https = Some(b.at.port());
    for (from, to) in [
        ("www.a.example", "//a.example"),
        ("old.example", "//new.example/x;y?z#f"),
        ("other.example", "//new.example:81/x"),
        ("fixed.example", "https://new.example"),
    ] {
        first.redirects.insert(from.parse().unwrap(), to.into());
    }
    let all = table([first]);
    let mut stage = Stage::set(&engine, &all).await;
    trust(&mut stage, &[("127.9.0.1", Trust::Headers)], &all).await;
    let (http, https) = (stage.config.ports.http, stage.config.ports.https);
    for (domain, to) in [
        ("www.a.example", "SCHEME://a.examplePORT/p/q?r=1"),
        ("old.example", "SCHEME://new.examplePORT/x;y?z#f"),
        ("other.example", "SCHEME://new.example:81/x"),
        ("fixed.example", "https://new.example/p/q?r=1"),
    ] {
        let wanted = |scheme: &str, port: &str| to.replace("SCHEME", scheme).replace("PORT", port);
        let path = "/p/q?r=1";
        let own = format!(":{http}");
        let reply = stage.ask(&format!("{domain}{own}"), path).await;
        assert_eq!(reply.header("location"), wanted("http", &own));
        // A port that something in between translates is not the visitor's.
        let reply = stage.ask(domain, path).await;
        assert_eq!(reply.header("location"), wanted("http", ""));
        let url = format!("https://{domain}:{https}{path}");
        let resolve = format!("{domain}:{https}:127.0.0.1");
        let args = [
            "-k",
            "-o",
            "/dev/null",
            "-w",
            "%{redirect_url}",
            "--resolve",
            &resolve,
            &url,
        ];
        assert_eq!(
            curl(&stage, &args).await,
            wanted("https", &format!(":{https}"))
        );
        for (port, shown) in [("443", ""), ("8443", ":8443")] {
            let host = format!("Host: {domain}");
            let port = format!("X-Forwarded-Port: {port}");
            let lines = [host.as_str(), "X-Forwarded-Proto: https", &port];
            let seen = from(PROXY, stage.front, &get(path, &lines)).await;
            assert_eq!(location(&seen), wanted("https", shown));
        }
    }
    // A server that takes its scheme from its port is asked at the right one.
    let lines = ["Host: a.example", "X-Forwarded-Proto: https"];
    let seen = from(PROXY, stage.front, &get("/", &lines)).await;
    assert!(seen.ends_with("by tls"), "{seen}");
    assert_eq!(stage.ask("a.example", "/").await.text(), "plain");
}

//! What the router takes and for how long it waits: times, heads of requests, and requests that come
//! back.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use ostler::host::router;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::backend::Backend;
use crate::stage::{Stage, site, table};
use crate::{alone, curl, load, raw, tier};

/// Sends a word, so often, each after so long; then nothing, and never closes by itself.
async fn ticking(every: Duration, times: usize) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = [0; 4096];
                let _ = stream.read(&mut request).await;
                let head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";
                let _ = stream.write_all(head).await;
                for _ in 0..times {
                    tokio::time::sleep(every).await;
                    if stream.write_all(b"data: tick\n\n").await.is_err() {
                        return;
                    }
                }
                let _ = stream.read(&mut request).await;
            });
        }
    });
    at
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_has_as_long_as_it_was_given() {
    let Some(engine) = tier::engine() else { return };
    let _alone = alone().await;
    let a = Backend::start("a").await;
    let mut short = site("short", &["short.example"], a.at);
    short.timeout_s = 2;
    let every = Duration::from_millis(500);
    let mut events = site("events", &["events.example"], ticking(every, 10).await);
    events.timeout_s = 2;
    let other = site("other", &["other.example"], a.at);
    let all = table([short.clone(), events, other.clone()]);
    let stage = Stage::set(&engine, &all).await;
    let begun = Instant::now();
    let (short_, slow, streamed) = tokio::join!(
        stage.ask("short.example", "/hang"),
        stage.ask("other.example", "/slow"),
        raw(
            stage.front,
            b"GET / HTTP/1.1\r\nHost: events.example\r\n\r\n"
        ),
    );
    assert_eq!(
        (short_.status, short_.header("x-ostler")),
        (504, "no-answer")
    );
    assert!(short_.took >= Duration::from_secs(2), "{:?}", short_.took);
    assert!(short_.took < Duration::from_secs(4), "{:?}", short_.took);
    assert_eq!(slow.status, 200, "another site has its own time");
    // Ten words in five seconds, more than twice as long as it may be silent; then it is cut.
    assert_eq!(streamed.matches("tick").count(), 10, "{streamed}");
    let took = begun.elapsed();
    assert!(
        took >= Duration::from_secs(7) && took < Duration::from_secs(12),
        "{took:?}"
    );

    // More time is given while the router runs.
    assert_eq!(stage.ask("short.example", "/slow").await.status, 504);
    let before = router::info(&stage.toolbox).await.unwrap().started;
    short.timeout_s = 7200;
    stage.route(&table([short, other])).await;
    assert_eq!(stage.ask("short.example", "/slow").await.status, 200);
    assert_eq!(router::info(&stage.toolbox).await.unwrap().started, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_slowly_is_not_cut_by_the_time_to_answer() {
    let Some(engine) = tier::engine() else { return };
    let _alone = alone().await;
    let a = Backend::start("a").await;
    let mut short = site("short", &["short.example"], a.at);
    short.timeout_s = 2;
    let stage = Stage::set(&engine, &table([short])).await;
    let mut stream = TcpStream::connect(stage.front).await.unwrap();
    let head = b"POST / HTTP/1.1\r\nHost: short.example\r\nContent-Length: 12\r\n\
        Connection: close\r\n\r\n";
    stream.write_all(head).await.unwrap();
    for _ in 0..12 {
        tokio::time::sleep(Duration::from_millis(400)).await;
        stream.write_all(b"x").await.unwrap();
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_is_too_large_is_told_so() {
    let Some(engine) = tier::engine() else { return };
    let _alone = alone().await;
    // Tells how much it was sent, and takes any number of headers.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap_or(b'\n'));
                if head.len() > 1 << 20 {
                    return;
                }
            }
            let lines = head.iter().filter(|b| **b == b'\n').count();
            let body = format!("{} bytes, {lines} lines", head.len());
            let answer = format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    let stage = Stage::set(&engine, &table([site("a", &["a.example"], at)])).await;
    let ask = async |path: &str, headers: &str| {
        let head =
            format!("GET {path} HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n{headers}\r\n");
        raw(stage.front, head.as_bytes()).await
    };
    let cookie = |bytes: usize| format!("Cookie: {}\r\n", "c".repeat(bytes));
    let many = |count: usize| "X-One: 1\r\n".repeat(count);
    let answer = ask("/", &cookie(23 << 10)).await;
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.contains("bytes"),
        "{answer}"
    );
    let answer = ask(&format!("/{}", "u".repeat(20 << 10)), &cookie(3 << 10)).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(ask("/", &many(98)).await.starts_with("HTTP/1.1 200"));

    for answer in [
        ask("/", &cookie(25 << 10)).await,
        ask(&format!("/{}", "u".repeat(20 << 10)), &cookie(5 << 10)).await,
        ask("/", &many(120)).await,
        ask("/", &many(230)).await,
    ] {
        assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
        assert!(answer.contains("x-ostler: too-large"), "{answer}");
        assert!(
            answer.contains("24 KiB together, in up to 100 headers"),
            "{answer}"
        );
    }
    // What the router itself has no room for is no request any more.
    for headers in [cookie(60 << 10), many(400)] {
        let answer = ask("/", &headers).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    }

    let https = stage.config.ports.https;
    let (to, url) = (
        format!("a.example:{https}:127.0.0.1"),
        format!("https://a.example:{https}/"),
    );
    let large = format!("X-Large: {}", "x".repeat(25 << 10));
    for (header, status) in [("X-Large: x", "200"), (large.as_str(), "431")] {
        let args = [
            "-k",
            "--http2",
            "-o",
            "/dev/null",
            "-w",
            "%{http_code}",
            "-H",
            header,
        ];
        let args = [&args[..], &["--resolve", &to, &url]].concat();
        assert_eq!(curl(&stage, &args).await, status);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_comes_back_is_turned_away_after_one_turn() {
    let Some(engine) = tier::engine() else { return };
    let _alone = alone().await;
    let a = Backend::start("a").await;
    let sites = [
        site("a", &["a.example"], a.at),
        site("b", &["b.example"], a.at),
    ];
    let mut all = table(sites);
    let stage = Stage::set(&engine, &all).await;
    // A site that leads to its own router.
    router::put(&mut all, site("round", &["round.example"], stage.front));
    let port = stage.config.ports.http;
    let silent = router::apply_table(&stage.toolbox, port, None, &all, &stage.config.proxies)
        .await
        .unwrap();
    assert_eq!(silent.len(), 1, "{silent:?}");
    assert_eq!(silent[0].why, "what it leads to sends requests back here");
    let before = router::info(&stage.toolbox).await.unwrap().requests;
    let reply = stage.ask("round.example", "/").await;
    assert_eq!(reply.status, 508, "{}", reply.text());
    assert!(reply.text().contains("round for ever"), "{}", reply.text());
    assert_eq!(reply.header("cache-control"), "no-store");
    let turns = router::info(&stage.toolbox).await.unwrap().requests - before;
    assert!((2..=4).contains(&turns), "{turns} requests");

    // One that came by way of another site of the same router is no loop; the own mark is one, and
    // nobody else has it refused.
    let with = async |mark: &str, host: &str| {
        let head = format!(
            "GET /headers HTTP/1.1\r\nHost: {host}\r\nX-Ostler-Via: {mark}\r\nConnection: close\r\n\r\n"
        );
        raw(stage.front, head.as_bytes()).await
    };
    let seen = stage.ask("a.example", "/headers").await.text();
    let own = seen
        .lines()
        .find_map(|line| line.strip_prefix("x-ostler-via: "));
    let own = own.expect("the mark is sent on").to_owned();
    assert!(with(&own, "b.example").await.starts_with("HTTP/1.1 200"));
    for mark in [own.clone(), format!("x, {own}"), format!("{own}, x")] {
        let answer = with(&mark, "a.example").await;
        assert!(answer.starts_with("HTTP/1.1 508"), "{mark}: {answer}");
    }
    assert_eq!(
        load::ask(stage.front, "a.example", "/")
            .await
            .unwrap()
            .status,
        200
    );
}

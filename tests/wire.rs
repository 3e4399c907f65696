//! The client against engines that misbehave: servers that never answer, answer in single bytes,
//! close in the middle, or are no engines at all; and the simulated engine with faults.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use ostler::engine::{Client, Connector, Error, Gate, LogOptions, Out};
use ostler::fleet::EngineAddress;
use ostler::sim::{Fault, Sim, When};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::UnixListener;

const VERSION: &str = r#"{"Version":"20.10.24","ApiVersion":"1.41","MinAPIVersion":"1.12","Os":"linux","Arch":"amd64"}"#;

/// Reads the head of one request; its first line.
async fn request(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        head.push(byte[0]);
    }
    Ok(String::from_utf8_lossy(&head)
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned())
}

fn whole(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// What a server does with a request: writes something; whether the connection goes on.
type Handler = Arc<dyn Fn(String, usize) -> (Vec<u8>, After) + Send + Sync>;

#[derive(Clone, Copy, PartialEq)]
enum After {
    GoOn,
    Close,
    Hang,
}

async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    connection: usize,
    handler: Handler,
    bytes_at_once: usize,
) {
    while let Ok(line) = request(&mut stream).await {
        let (answer, after) = if line.starts_with("GET /version ") {
            (whole(VERSION).into_bytes(), After::GoOn)
        } else {
            handler(line, connection)
        };
        for piece in answer.chunks(bytes_at_once) {
            if stream.write_all(piece).await.is_err() {
                return;
            }
            tokio::task::yield_now().await;
        }
        match after {
            After::GoOn => {}
            After::Close => return,
            After::Hang => std::future::pending().await,
        }
    }
}

/// A client of a server made of a function, and the count of its connections.
async fn client(
    bytes_at_once: usize,
    handler: impl Fn(String, usize) -> (Vec<u8>, After) + Send + Sync + 'static,
) -> (Client, Arc<AtomicUsize>) {
    let handler: Handler = Arc::new(handler);
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    let connector = Connector::new(move || {
        let connection = counted.fetch_add(1, Ordering::SeqCst);
        let handler = handler.clone();
        async move {
            let (near, far) = tokio::io::duplex(4096);
            tokio::spawn(serve(far, connection, handler, bytes_at_once));
            Ok(near)
        }
    });
    (
        Client::over(connector, "test://server", Gate::full())
            .await
            .unwrap(),
        count,
    )
}

fn socket(dir: &tempfile::TempDir) -> (PathBuf, EngineAddress) {
    let path = dir.path().join("docker.sock");
    let address = EngineAddress::Unix {
        path: path.to_str().unwrap().to_owned(),
    };
    (path, address)
}

#[tokio::test]
async fn a_wrong_socket_is_named_as_what_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let (path, address) = socket(&dir);
    let connect = || Client::connect(&address, Gate::full());

    let error = connect().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("no Docker socket at {}", path.display())
    );
    assert!(error.remedy().unwrap().contains("systemctl start docker") && error.is_unreachable());

    std::fs::write(&path, "").unwrap();
    let error = connect().await.unwrap_err();
    assert!(
        matches!(&error, Error::NotDocker { what, .. } if what.contains("a file")),
        "{error}"
    );
    std::fs::remove_file(&path).unwrap();

    std::fs::create_dir(&path).unwrap();
    let error = connect().await.unwrap_err();
    assert!(
        matches!(&error, Error::NotDocker { what, .. } if what.contains("folder")),
        "{error}"
    );
    std::fs::remove_dir(&path).unwrap();

    // A socket that someone left behind.
    drop(UnixListener::bind(&path).unwrap());
    let error = connect().await.unwrap_err();
    assert!(matches!(error, Error::NotListening { .. }), "{error}");
    assert!(error.remedy().unwrap().contains("systemctl start docker"));
}

#[tokio::test]
async fn other_servers_are_no_engines() {
    for (answer, says) in [
        ("SSH-2.0-OpenSSH_10.0\r\n", "does not speak HTTP"),
        (
            "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
            "status 404",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>",
            "not a Docker Engine's",
        ),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let (path, address) = socket(&dir);
        let listener = UnixListener::bind(&path).unwrap();
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let _ = request(&mut stream).await;
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        let error = Client::connect(&address, Gate::full()).await.unwrap_err();
        assert!(matches!(error, Error::NotDocker { .. }), "{error:?}");
        assert!(error.to_string().contains(says), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn silence_ends_with_a_deadline() {
    // Accepts and never says a word.
    let connector = Connector::new(|| async {
        let (near, far) = tokio::io::duplex(64);
        std::mem::forget(far);
        Ok(near)
    });
    let error = Client::over(connector, "test://silent", Gate::full())
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "no answer within 8 s: ask for its version at test://silent"
    );
    assert!(error.is_unreachable());

    // Sends the head of its answer, and half of the body: the deadline covers that too.
    let half = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[{\"Id\":";
    let (client, _) = client(1000, move |_, _| (half.into(), After::Hang)).await;
    let before = tokio::time::Instant::now();
    let error = client.containers().await.unwrap_err();
    assert!(matches!(error, Error::Deadline { .. }), "{error}");
    assert_eq!(before.elapsed().as_secs(), 8);
    // A stop may take its grace, and no more.
    let before = tokio::time::Instant::now();
    assert!(client.stop("abc", Duration::from_secs(20)).await.is_err());
    assert_eq!(before.elapsed().as_secs(), 28);
    let before = tokio::time::Instant::now();
    assert!(client.start("abc").await.is_err());
    assert_eq!(before.elapsed().as_secs(), 60);
    // An upload that nobody takes.
    let before = tokio::time::Instant::now();
    assert!(
        client
            .archive_put("abc", "/srv", vec![0; 10 << 20])
            .await
            .is_err()
    );
    assert!(
        (30..=90).contains(&before.elapsed().as_secs()),
        "{:?}",
        before.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_another_waits_for_is_no_excuse() {
    // One connection, which says its version and then nothing; further ones are never made.
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    let handler: Handler = Arc::new(|_, _| (Vec::new(), After::Hang));
    let connector = Connector::new(move || {
        let (number, handler) = (counted.fetch_add(1, Ordering::SeqCst), handler.clone());
        async move {
            if number > 0 {
                std::future::pending::<()>().await;
            }
            let (near, far) = tokio::io::duplex(4096);
            tokio::spawn(serve(far, number, handler, 1000));
            Ok(near)
        }
    });
    let client = Client::over(connector, "test://server", Gate::full())
        .await
        .unwrap();
    let before = tokio::time::Instant::now();
    let waits = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        client.containers().await
    };
    tokio::select! {
        first = client.containers() => assert!(matches!(first, Err(Error::Deadline { .. }))),
        second = waits => panic!("{second:?}"),
        () = tokio::time::sleep(Duration::from_secs(60)) => panic!("its deadline is not kept"),
    }
    assert_eq!(before.elapsed().as_secs(), 8);
    assert_eq!(count.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn answers_in_single_bytes_read_the_same() {
    let frame = |kind: u8, text: &str| {
        let mut bytes = vec![kind, 0, 0, 0];
        bytes.extend((text.len() as u32).to_be_bytes());
        bytes.extend(text.as_bytes());
        bytes
    };
    let chunked = |parts: &[Vec<u8>]| {
        let mut bytes = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        // Every byte in a chunk of its own.
        for byte in parts.concat() {
            bytes.extend(b"1\r\n");
            bytes.push(byte);
            bytes.extend(b"\r\n");
        }
        bytes.extend(b"0\r\n\r\n");
        bytes
    };
    let logs = chunked(&[frame(1, "é日\n"), frame(2, "no\n"), frame(1, "last")]);
    let events = chunked(&[
        br#"{"Type":"container","Action":"start","Actor":{"ID":"a","Attributes":{"name":"caf\u00e9"}},"timeNano":1}"#.to_vec(),
        b"\n\n".to_vec(),
        "{\"Type\":\"container\",\"Action\":\"é\",\"Actor\":{\"ID\":\"b\"},\"time\":2}".as_bytes().to_vec(),
    ]);
    let pull = chunked(&[
        b"{\"status\":\"Downloading\",\"id\":\"l\",\"progressDetail\":{\"current\":5,\"total\":9}}\r\n{\"status\":\"x\",\"progressDetail\":{}}\r\n{\"errorDetail\":{\"message\":\"no\"},\"error\":\"no space\"}\r\n".to_vec(),
    ]);
    let (client, _) = client(1, move |line, _| {
        let answer = if line.contains("/logs?") {
            logs.clone()
        } else if line.contains("/events") {
            events.clone()
        } else {
            pull.clone()
        };
        (answer, After::GoOn)
    })
    .await;
    let chunks: Vec<_> = client
        .logs("a", LogOptions::default())
        .map(|chunk| chunk.unwrap())
        .collect()
        .await;
    let texts: Vec<(Out, &str)> = chunks
        .iter()
        .map(|chunk| (chunk.stream, std::str::from_utf8(&chunk.bytes).unwrap()))
        .collect();
    assert_eq!(
        texts,
        [(Out::Out, "é日\n"), (Out::Err, "no\n"), (Out::Out, "last")]
    );
    let events: Vec<_> = client
        .events(&[], None)
        .map(|event| event.unwrap())
        .collect()
        .await;
    assert_eq!(
        (
            events[0].action.as_str(),
            events[0].attributes["name"].as_str()
        ),
        ("start", "café")
    );
    assert_eq!(
        (events[1].action.as_str(), events[1].time_nano),
        ("é", 2_000_000_000)
    );
    let pull: Vec<_> = client.pull("x").collect().await;
    let first = pull[0].as_ref().unwrap();
    assert_eq!(
        (first.id.as_deref(), first.current, first.total),
        (Some("l"), Some(5), Some(9))
    );
    assert_eq!(pull[1].as_ref().unwrap().current, None);
    assert_eq!(
        pull[2].as_ref().unwrap_err().to_string(),
        "pull image x: no space (500)"
    );
    assert_eq!(pull.len(), 3);
}

#[tokio::test]
async fn streams_that_are_cut_say_so() {
    let cut =
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nc\r\n\x01\0\0\0\0\0\0\x04one\n\r\n"
            .to_vec();
    let (client, _) = client(1000, move |_, _| (cut.clone(), After::Close)).await;
    let chunks: Vec<_> = client.logs("a", LogOptions::default()).collect().await;
    assert_eq!(chunks[0].as_ref().unwrap().bytes, "one\n");
    assert!(matches!(chunks[1], Err(Error::Cut { .. })), "{chunks:?}");
    assert_eq!(chunks.len(), 2);
    // In the middle of a frame, with the stream itself ended properly.
    let half = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n\x01\0\0\0\0\0\0\x04on".to_vec();
    let (client, _) = self::client(1000, move |_, _| (half.clone(), After::GoOn)).await;
    let chunks: Vec<_> = client.logs("a", LogOptions::default()).collect().await;
    assert!(
        matches!(chunks.as_slice(), [Err(Error::Cut { .. })]),
        "{chunks:?}"
    );
}

#[tokio::test]
async fn what_an_engine_leaves_out_is_no_error() {
    let (client, _) = client(1000, |line, _| {
        let body = match line.split(' ').nth(1).unwrap() {
            "/v1.41/containers/json?all=true" => r#"[{"Id":"a","Names":null,"Surprise":[1]},{}]"#,
            "/v1.41/images/json" => r#"[{"Id":"sha256:a","RepoTags":["<none>:<none>"]}]"#,
            "/v1.41/info" => "{}",
            "/v1.41/networks" => "[{}]",
            "/v1.41/containers/a/json" => {
                r#"{"State":{"Status":"running"},"HostConfig":{"RestartPolicy":{"Name":""}}}"#
            }
            "/v1.41/containers/a/stats?stream=false&one-shot=true" => "{}",
            path => panic!("{path}"),
        };
        (whole(body).into_bytes(), After::GoOn)
    })
    .await;
    assert_eq!(client.containers().await.unwrap().len(), 2);
    assert!(client.images().await.unwrap()[0].tags.is_empty());
    client.info().await.unwrap();
    client.networks().await.unwrap();
    client.inspect("a").await.unwrap();
    assert_eq!(client.stats_once("a").await.unwrap(), Default::default());
}

#[tokio::test]
async fn words_that_nobody_knows_are_no_error() {
    let (client, _) = client(1000, |_, _| {
        let body = r#"{"Id":"a","RestartCount":2,"State":{"Status":"hibernating","Running":true,
            "Health":{"Status":"poorly"}},"HostConfig":{"RestartPolicy":{"Name":"sometimes"}}}"#;
        (whole(body).into_bytes(), After::GoOn)
    })
    .await;
    let read = client.inspect("a").await.unwrap();
    assert_eq!(read.restart_count, Some(2));
    assert_eq!(read.state.unwrap().running, Some(true));
}

/// A line of its own that looks like ours, escape sequences, and no end.
fn loud() -> String {
    format!(
        "no\\n\u{202e}error: all is lost\\r\\u001b[2J {}",
        "x".repeat(3 << 20)
    )
}

#[tokio::test]
async fn what_an_engine_says_of_an_error_is_one_short_line() {
    let (client, _) = client(100_000, |line, _| {
        let loud = loud();
        let (status, body) = match line.split(' ').nth(1).unwrap() {
            "/v1.41/containers/a/start" => ("500 No", format!(r#"{{"message":"{loud}"}}"#)),
            "/v1.41/containers/b/start" => ("500 No", loud),
            "/v1.41/images/json" => ("200 OK", format!(r#"[{{"Id":{{"{loud}":1}}}}]"#)),
            path if path.starts_with("/v1.41/images/create") => {
                ("200 OK", format!("{{\"error\":\"{loud}\"}}\n"))
            }
            path if path.starts_with("/v1.41/build") => (
                "200 OK",
                format!("{{\"stream\":\"{loud}\"}}\n{{\"error\":\"{loud}\"}}\n"),
            ),
            path => panic!("{path}"),
        };
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        (format!("{head}{body}").into_bytes(), After::GoOn)
    })
    .await;
    let harmless = |error: Error, lines: usize| {
        let text = error.to_string();
        assert!(text.len() < 2500, "{} bytes", text.len());
        assert_eq!(text.lines().count(), lines, "{text}");
        let seen = |c: char| c == '\n' || !c.is_control() && c != '\u{202e}';
        assert!(text.chars().all(seen), "{text:?}");
    };
    harmless(client.start("a").await.unwrap_err(), 1);
    harmless(client.start("b").await.unwrap_err(), 1);
    harmless(client.images().await.unwrap_err(), 1);
    harmless(client.start(&loud()).await.unwrap_err(), 1);
    let mut pull = std::pin::pin!(client.pull("a:1"));
    harmless(pull.next().await.unwrap().unwrap_err(), 1);
    let labels = Default::default();
    let mut build = std::pin::pin!(client.build("a:1", Vec::new(), &labels, false));
    let first = build.next().await.unwrap().unwrap();
    assert!(first.text.len() < 1000 && !first.text.contains(['\n', '\u{1b}']));
    // The build's own last lines stand below.
    harmless(build.next().await.unwrap().unwrap_err(), 2);
}

#[tokio::test]
async fn one_connection_serves_what_comes_one_after_another() {
    let (client, connections) = client(1000, |_, _| (whole("[]").into_bytes(), After::GoOn)).await;
    for _ in 0..100 {
        client.containers().await.unwrap();
    }
    let made = connections.load(Ordering::SeqCst);
    // Another one may be begun while one is not yet back.
    assert!(made <= 8, "{made} connections");
}

#[tokio::test]
async fn a_connection_that_the_engine_closed_meanwhile_is_replaced() {
    // Every connection is closed after one answer to us, without a word.
    let (client, _) = client(1000, |_, _| (whole("[]").into_bytes(), After::Close)).await;
    for _ in 0..50 {
        client.containers().await.unwrap();
    }
    // A changing request that was sent is not sent again: nobody knows what became of it.
    let (client, connections) = self::client(1000, |line, _| {
        let answer = if line.starts_with("GET") {
            whole("[]").into_bytes()
        } else {
            Vec::new()
        };
        (answer, After::Close)
    })
    .await;
    let before = connections.load(Ordering::SeqCst);
    let error = client.remove("abc", true).await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
    assert!(
        error
            .to_string()
            .contains("closed the connection without an answer"),
        "{error}"
    );
    assert!(connections.load(Ordering::SeqCst) <= before + 1);
}

#[tokio::test]
async fn names_cannot_leave_their_place() {
    let (client, _) = client(1000, |line, _| panic!("{line} was sent")).await;
    for name in [
        "", "..", "a/../b", "a/b", "a?x=1", "a b", "a#", "%2e%2e", "-x", "é",
    ] {
        assert!(
            matches!(client.inspect(name).await, Err(Error::BadName { .. })),
            "{name:?}"
        );
        assert!(
            matches!(client.remove(name, true).await, Err(Error::BadName { .. })),
            "{name:?}"
        );
        assert!(
            matches!(
                client.create(name, &Default::default()).await,
                Err(Error::BadName { .. })
            ),
            "{name:?}"
        );
    }
    for name in ["", "..", "a/../b", "a//b", "/a", "a?x=1", "a b"] {
        assert!(
            matches!(client.inspect_image(name).await, Err(Error::BadName { .. })),
            "{name:?}"
        );
    }
    let mut logs = Box::pin(client.logs("a/b", LogOptions::default()));
    assert!(logs.next().await.unwrap().is_err());
}

async fn simulated() -> (Sim, Client) {
    let sim = Sim::new(3);
    let client = Client::over(sim.connector(), sim.address(), Gate::full())
        .await
        .unwrap();
    (sim, client)
}

fn web() -> bollard::models::ContainerCreateBody {
    bollard::models::ContainerCreateBody {
        image: Some("ostler-test/web:1".into()),
        ..Default::default()
    }
}

#[tokio::test(start_paused = true)]
async fn faults_meet_the_calls_they_are_meant_for() {
    let (sim, client) = simulated().await;
    sim.faults()
        .at(When::Next("POST", "/create".into()), Fault::Fail(500));
    let error = client.create("a1", &web()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "create container a1: failed on purpose (500)"
    );

    // Nothing done, nothing answered.
    sim.faults().at(When::Change(1), Fault::Drop);
    assert!(matches!(
        client.create("a1", &web()).await,
        Err(Error::Unreachable { .. })
    ));
    assert!(client.inspect("a1").await.unwrap_err().is_not_found());

    // Done, but nobody says so.
    sim.faults().at(When::Change(1), Fault::Lose);
    assert!(matches!(
        client.create("a1", &web()).await,
        Err(Error::Unreachable { .. })
    ));
    client.inspect("a1").await.unwrap();

    sim.faults().at(
        When::Next("GET", "/containers/json".into()),
        Fault::CutAfter(10),
    );
    assert!(matches!(client.containers().await, Err(Error::Cut { .. })));
    sim.faults()
        .at(When::Next("POST", "/start".into()), Fault::Hang);
    assert!(matches!(
        client.start("a1").await,
        Err(Error::Deadline { .. })
    ));
    client.start("a1").await.unwrap();

    // The process ends after two more changes.
    sim.faults().kill_client_after(2);
    client.stop("a1", Duration::from_secs(1)).await.unwrap();
    client.containers().await.unwrap();
    client.remove("a1", false).await.unwrap();
    assert!(client.containers().await.unwrap_err().is_unreachable());
    assert!(client.create("a2", &web()).await.is_err());
    // It stays dead; another one finds what it left.
    sim.faults().clear();
    assert!(client.containers().await.is_err());
    let next = Client::over(sim.connector(), sim.address(), Gate::full())
        .await
        .unwrap();
    assert!(next.containers().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_host_goes_away_and_comes_back() {
    let (sim, client) = simulated().await;
    let id = client.create("a1", &web()).await.unwrap();
    client.start(&id).await.unwrap();
    let mut events = Box::pin(client.events(&[], None));
    let mut logs = Box::pin(client.logs(
        &id,
        LogOptions {
            follow: true,
            ..Default::default()
        },
    ));
    let (event, line) = tokio::join!(
        tokio::time::timeout(Duration::from_millis(200), events.next()),
        tokio::time::timeout(Duration::from_millis(200), logs.next())
    );
    assert!(event.is_err() && line.is_err(), "both wait");
    sim.set_down(true);
    assert!(events.next().await.unwrap().is_err());
    assert!(logs.next().await.unwrap().is_err());
    let error = client.containers().await.unwrap_err();
    assert!(error.is_unreachable(), "{error}");
    sim.set_down(false);
    assert_eq!(client.containers().await.unwrap()[0].state, "running");
}

#[tokio::test]
async fn a_stream_that_nobody_reads_any_more_is_let_go() {
    let (sim, client) = simulated().await;
    let id = client.create("a1", &web()).await.unwrap();
    client.start(&id).await.unwrap();
    let follow = LogOptions {
        follow: true,
        ..Default::default()
    };
    let mut streams = Vec::new();
    for _ in 0..20 {
        let mut logs = Box::pin(client.logs(&id, follow));
        let mut events = Box::pin(client.events(&[], None));
        let wait = Duration::from_millis(20);
        let (log, event) = tokio::join!(
            tokio::time::timeout(wait, logs.next()),
            tokio::time::timeout(wait, events.next())
        );
        assert!(log.is_err() && event.is_err(), "both wait");
        streams.push((logs, events));
    }
    assert!(sim.open_connections() >= 40);
    drop(streams);
    let until = Instant::now() + Duration::from_secs(10);
    // What is kept for the next request is all that may stay.
    while sim.open_connections() > 8 {
        assert!(
            Instant::now() < until,
            "{} connections",
            sim.open_connections()
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_site_without_enough_memory_dies_of_it_until_it_has_more() {
    let (sim, client) = simulated().await;
    let mut body = web();
    body.labels = Some([("site".to_owned(), "bob".to_owned())].into());
    body.host_config = Some(bollard::models::HostConfig {
        memory: Some(64 << 20),
        ..Default::default()
    });
    let id = client.create("bob", &body).await.unwrap();
    client.start(&id).await.unwrap();
    let mut events = Box::pin(client.events(&[("event", "oom"), ("label", "site=bob")], None));
    sim.behave("site", "bob", "memory", "100000000");
    for _ in 0..3 {
        assert_eq!(events.next().await.unwrap().unwrap().id, id);
    }
    let limits = bollard::models::ContainerUpdateBody {
        memory: Some(256 << 20),
        memory_swap: Some(256 << 20),
        ..Default::default()
    };
    client.update(&id, &limits).await.unwrap();
    let more = tokio::time::timeout(Duration::from_secs(600), events.next()).await;
    assert!(more.is_err(), "{more:?}");
}

#[tokio::test(start_paused = true)]
async fn visitors_leave_lines_that_are_the_same_each_time() {
    let (sim, client) = simulated().await;
    let mut body = web();
    body.labels = Some([("sim.rate".to_owned(), "5".to_owned())].into());
    let id = client.create("site", &body).await.unwrap();
    client.start(&id).await.unwrap();
    sim.advance(Duration::from_secs(3600));
    let read = async |options: LogOptions| {
        let chunks: Vec<_> = client.logs(&id, options).collect().await;
        chunks
            .into_iter()
            .flat_map(|chunk| chunk.unwrap().bytes.to_vec())
            .collect::<Vec<u8>>()
    };
    let tail = LogOptions {
        tail: Some(50),
        timestamps: true,
        ..Default::default()
    };
    let first = String::from_utf8(read(tail).await).unwrap();
    assert_eq!(first.lines().count(), 50);
    assert!(first.lines().all(|line| line.contains("GET /")));
    let all = String::from_utf8(
        read(LogOptions {
            timestamps: true,
            ..Default::default()
        })
        .await,
    )
    .unwrap();
    assert!(
        (14_000..=20_000).contains(&all.lines().count()),
        "{}",
        all.lines().count()
    );
    assert!(
        all.contains(first.lines().next().unwrap()),
        "the same lines in the whole"
    );
    // Followed, they go on coming.
    let mut follow = Box::pin(client.logs(
        &id,
        LogOptions {
            follow: true,
            tail: Some(0),
            ..Default::default()
        },
    ));
    for _ in 0..20 {
        assert!(follow.next().await.unwrap().unwrap().bytes.ends_with(b"\n"));
    }
}

#[tokio::test]
async fn thousands_of_containers_cost_nothing_while_nobody_asks() {
    let sim = Sim::new(5);
    let before = Instant::now();
    sim.change(|world, now| {
        for number in 0..5000 {
            let body = serde_json::json!({
                "Image": "php:8.4-apache",
                "Labels": { "site": format!("site-{number}"), "sim.rate": "3" },
                "HostConfig": { "NetworkMode": "none" },
            });
            world
                .preload(now - 86_400_000_000_000, &format!("site-{number}"), &body)
                .unwrap();
        }
    });
    let client = Client::over(sim.connector(), sim.address(), Gate::full())
        .await
        .unwrap();
    let rows = client.containers().await.unwrap();
    assert_eq!(rows.len(), 5000);
    assert!(
        rows.iter().all(|row| row.status == "Up 24 hours"),
        "{}",
        rows[0].status
    );
    assert!(
        before.elapsed() < Duration::from_secs(20),
        "{:?}",
        before.elapsed()
    );
}

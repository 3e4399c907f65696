//! Engines behind SSH, with a real sshd: one connection for everything, however much goes over it.

mod common;

#[path = "common/sshd.rs"]
mod sshd;
#[path = "common/standin.rs"]
mod standin;

use std::time::Duration;

use common::tier;
use futures_util::StreamExt;
use futures_util::future::{join_all, try_join_all};
use hyper_util::rt::TokioIo;
use ostler::engine::{Client, Connector, Error, Gate, LogOptions, Network};
use ostler::fleet::EngineAddress;
use sshd::Sshd;
use standin::{ROWS, Standin, byte, runs, upgrade};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tower_service::Service;

/// Longer than any of these tests takes.
const LIMIT: Duration = Duration::from_secs(120);

fn run(test: impl Future<Output = ()>) {
    if tier::fleet().is_none() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        tokio::time::timeout(LIMIT, test)
            .await
            .expect("the test ends in time");
    });
}

async fn connect(network: &Network, address: &EngineAddress) -> Result<Client, Error> {
    Client::connect_by(network, address, Gate::full()).await
}

/// One stream to the engine.
async fn dial(connector: &Connector) -> impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin {
    let uri = "http://docker/".parse().unwrap();
    TokioIo::new(connector.clone().call(uri).await.unwrap())
}

/// What goes in at one end of `/echo` comes out whole; its end too.
async fn echo(connector: &Connector, size: u64) {
    let mut stream = dial(connector).await;
    upgrade(&mut stream).await.unwrap();
    let (mut from, mut to) = tokio::io::split(stream);
    let writing = async {
        let all: Vec<u8> = (0..size).map(byte).collect();
        to.write_all(&all).await.unwrap();
        to.shutdown().await.unwrap();
    };
    let reading = async {
        let mut all = Vec::new();
        from.read_to_end(&mut all).await.unwrap();
        assert_eq!(all.len() as u64, size);
        let wrong = all.iter().zip(0..).find(|(seen, at)| **seen != byte(*at));
        assert_eq!(wrong, None);
    };
    tokio::join!(writing, reading);
}

/// Reads `size` bytes of answer and compares each.
async fn download(connector: &Connector, size: u64) {
    let mut stream = dial(connector).await;
    let request = format!("GET /bytes/{size} HTTP/1.1\r\nHost: docker\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let (mut at, mut piece) = (0, vec![0; 65_536]);
    while at < size {
        let n = stream.read(&mut piece).await.unwrap();
        assert!(n > 0, "ended after {at} bytes");
        let wrong = (at..)
            .zip(&piece[..n])
            .find(|(at, seen)| byte(*at) != **seen);
        assert_eq!(wrong, None);
        at += n as u64;
    }
}

/// Lists, follows, uploads and downloads, all at once, and leaves nothing behind.
async fn everything_at_once(network: &Network, address: &EngineAddress, engine: &Standin) {
    let client = connect(network, address).await.unwrap();
    let lists = join_all((0..50).map(|_| client.containers())).await;
    for list in lists {
        assert_eq!(list.unwrap().len(), ROWS);
    }
    let options = LogOptions {
        follow: true,
        ..LogOptions::default()
    };
    let mut followers = Vec::new();
    for n in 0..24 {
        let mut logs = Box::pin(client.logs(&format!("c{n}"), options));
        let first = logs.next().await.unwrap().unwrap();
        assert_eq!(first.bytes.as_ref(), b"hello\n");
        followers.push(logs);
    }
    let connector = network.connector(address).unwrap();
    let echoes = join_all((0..8).map(|_| echo(&connector, 3_000_000)));
    let downloads = join_all((0..4).map(|_| download(&connector, 5_000_000)));
    let lists = try_join_all((0..20).map(|_| client.containers()));
    let (_, _, lists) = tokio::join!(echoes, downloads, lists);
    assert!(lists.unwrap().iter().all(|list| list.len() == ROWS));
    // Followers that are dropped are gone on the other side too; idle connections may stay.
    let before = engine.open();
    assert!(before >= 24, "{before} connections");
    drop(followers);
    engine.until_open(|open| open <= before - 24).await;
}

#[test]
fn all_goes_over_one_connection() {
    run(async {
        let (sshd, engine) = (Sshd::up("web1", ""), Standin::up());
        let network = sshd.network(&[sshd.block("")]);
        let address = sshd.address(&engine.socket);
        let client = connect(&network, &address).await.unwrap();
        assert_eq!(sshd.connections(), 1);
        everything_at_once(&network, &address, &engine).await;
        assert_eq!(client.containers().await.unwrap().len(), ROWS);
        assert_eq!(sshd.connections(), 1);
        assert!(!runs(&engine.socket, "dial-stdio"));
        // Without a client the host is left alone.
        drop(client);
        engine.until_open(|open| open == 0).await;
    });
}

#[test]
fn a_host_that_forwards_no_sockets_is_served_by_commands() {
    run(async {
        let sshd = Sshd::up("web1", "AllowStreamLocalForwarding no");
        let engine = Standin::up();
        let network = sshd.network(&[sshd.block("")]);
        let address = sshd.address(&engine.socket);
        everything_at_once(&network, &address, &engine).await;
        until(|| !runs(&engine.socket, "dial-stdio"), "no command is left").await;
    });
}

/// Waits for what only looking shows.
async fn until(mut holds: impl FnMut() -> bool, what: &str) {
    let end = tokio::time::Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(tokio::time::Instant::now() < end, "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[test]
fn keys_are_exchanged_anew_under_load() {
    run(async {
        let (sshd, engine) = (Sshd::up("web1", "RekeyLimit 256K"), Standin::up());
        let network = sshd.network(&[sshd.block("")]);
        let connector = network.connector(&sshd.address(&engine.socket)).unwrap();
        let downloads = join_all((0..3).map(|_| download(&connector, 30_000_000)));
        let echoes = join_all((0..4).map(|_| echo(&connector, 5_000_000)));
        tokio::join!(downloads, echoes);
        assert_eq!(sshd.connections(), 1);
    });
}

#[test]
fn two_bastions_lead_to_a_host_and_are_shared() {
    run(async {
        let (outer, inner) = (Sshd::up("outer", ""), Sshd::up("inner", ""));
        let (one, two) = (Sshd::up("one", ""), Sshd::up("two", ""));
        let (first, second) = (Standin::up(), Standin::up());
        let network = one.network(&[
            outer.block(""),
            inner.block("ProxyJump outer"),
            one.block("ProxyJump inner"),
            two.block("ProxyJump inner"),
        ]);
        let addresses = [one.address(&first.socket), two.address(&second.socket)];
        let clients = addresses
            .each_ref()
            .map(|address| connect(&network, address));
        let clients = try_join_all(clients).await.unwrap();
        for client in &clients {
            assert_eq!(client.containers().await.unwrap().len(), ROWS);
        }
        // One from here, and each bastion made one to the next.
        let seen = [&outer, &inner, &one, &two].map(Sshd::connections);
        assert_eq!(seen, [1, 1, 1, 1]);
        everything_at_once(&network, &addresses[0], &first).await;
    });
}

/// A port that answers no connection, not even by refusing it; and what keeps it so.
async fn black_hole() -> (u16, impl Sized) {
    let listener = tokio::net::TcpSocket::new_v4().unwrap();
    listener.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = listener.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    // Its queue is full when one more has to wait.
    let mut queued = Vec::new();
    let full = Duration::from_millis(300);
    while let Ok(Ok(stream)) =
        tokio::time::timeout(full, tokio::net::TcpStream::connect(address)).await
    {
        queued.push(stream);
    }
    (address.port(), (listener, queued))
}

#[test]
fn a_dead_host_behind_a_bastion_holds_up_nobody_else() {
    run(async {
        let (bastion, one, engine) = (Sshd::up("bastion", ""), Sshd::up("one", ""), Standin::up());
        let (port, _full) = black_hole().await;
        let network = one.network(&[
            bastion.block(""),
            one.block("ProxyJump bastion"),
            format!(
                "Host dead\n HostName 127.0.0.1\n Port {port}\n User root\n ProxyJump bastion\n"
            ),
        ]);
        let dead: EngineAddress = "ssh://dead".parse().unwrap();
        let address = one.address(&engine.socket);
        let begun = tokio::time::Instant::now();
        let (lost, found) = tokio::join!(connect(&network, &dead), async {
            let client = connect(&network, &address).await.unwrap();
            (client, begun.elapsed())
        });
        let lost = lost.unwrap_err();
        assert!(
            lost.to_string().contains("no connection from bastion"),
            "{lost}"
        );
        let (client, took) = found;
        assert!(took < begun.elapsed(), "{took:?}");
        // The bastion still tries: that is not begun once more.
        let again = connect(&network, &dead).await.unwrap_err();
        assert!(again.to_string().contains("still waits"), "{again}");
        assert_eq!(client.containers().await.unwrap().len(), ROWS);
        assert!(bastion.connections() <= 2);
    });
}

#[test]
fn a_bastion_that_waits_for_a_dead_host_keeps_its_session() {
    run(async {
        let (bastion, one, engine) = (Sshd::up("bastion", ""), Sshd::up("one", ""), Standin::up());
        let (port, _full) = black_hole().await;
        let network = one.network(&[
            // Less than the wait for the dead host takes.
            bastion.block("ServerAliveInterval 2\n ServerAliveCountMax 2"),
            one.block("ProxyJump bastion"),
            format!(
                "Host dead\n HostName 127.0.0.1\n Port {port}\n User root\n ProxyJump bastion\n"
            ),
        ]);
        let client = connect(&network, &one.address(&engine.socket))
            .await
            .unwrap();
        let options = LogOptions {
            follow: true,
            ..LogOptions::default()
        };
        let mut logs = Box::pin(client.logs("c", options));
        logs.next().await.unwrap().unwrap();
        let dead: EngineAddress = "ssh://dead".parse().unwrap();
        connect(&network, &dead).await.unwrap_err();
        // libssh2 gives an open up after 60 s, sshd after two minutes.
        let quiet = tokio::time::timeout(Duration::from_secs(59), logs.next()).await;
        assert!(quiet.is_err(), "{quiet:?}");
        assert_eq!(client.containers().await.unwrap().len(), ROWS);
        // The same one, and it is not held up any longer.
        assert_eq!((bastion.connections(), one.connections()), (1, 1));
        let again = connect(&network, &dead).await.unwrap_err();
        assert!(
            again.to_string().contains("no connection from bastion"),
            "{again}"
        );
    });
}

/// The processes that hold a connection to this port of this machine.
fn holders(port: u16) -> String {
    let filter = format!("dport = :{port}");
    let out = std::process::Command::new("ss")
        .args(["-Htnp", &filter])
        .output()
        .unwrap();
    String::from_utf8(out.stdout).unwrap()
}

#[test]
fn a_silent_host_behind_a_bastion_is_let_go() {
    run(async {
        let bastion = Sshd::up("bastion", "");
        // It accepts, and says nothing for ever.
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = silent.local_addr().unwrap().port();
        let network = bastion.network(&[
            bastion.block(""),
            format!(
                "Host silent\n HostName 127.0.0.1\n Port {port}\n User root\n ConnectTimeout 1\n ProxyJump bastion\n"
            ),
        ]);
        let address: EngineAddress = "ssh://silent".parse().unwrap();
        let (lost, held) = tokio::join!(connect(&network, &address), async {
            let (stream, _) = silent.accept().await.unwrap();
            assert!(holders(port).contains("sshd"), "{}", holders(port));
            stream
        });
        let lost = lost.unwrap_err();
        assert!(lost.to_string().contains("no answer within"), "{lost}");
        until(|| !holders(port).contains("sshd"), "the bastion let it go").await;
        drop(held);
        assert_eq!(bastion.connections(), 1);
    });
}

#[test]
fn a_host_that_falls_silent_is_given_up() {
    run(async {
        let (sshd, engine) = (Sshd::up("web1", ""), Standin::up());
        let alive = "ServerAliveInterval 1\n ServerAliveCountMax 2";
        let network = sshd.network(&[sshd.block(alive)]);
        let client = connect(&network, &sshd.address(&engine.socket))
            .await
            .unwrap();
        let options = LogOptions {
            follow: true,
            ..LogOptions::default()
        };
        let mut logs = Box::pin(client.logs("c", options));
        logs.next().await.unwrap().unwrap();
        // Longer than its patience: answers are signs of life.
        let quiet = tokio::time::timeout(Duration::from_secs(5), logs.next()).await;
        assert!(quiet.is_err(), "{quiet:?}");
        sshd.signal_sessions("-STOP");
        let silent = tokio::time::timeout(Duration::from_secs(10), logs.next()).await;
        assert!(silent.expect("it is given up").unwrap().is_err());
        sshd.signal_sessions("-CONT");
        assert_eq!(client.containers().await.unwrap().len(), ROWS);
    });
}

#[test]
fn a_session_that_died_is_begun_anew_once_for_all() {
    run(async {
        let (mut sshd, engine) = (Sshd::up("web1", ""), Standin::up());
        let network = sshd.network(&[sshd.block("")]);
        let address = sshd.address(&engine.socket);
        let client = connect(&network, &address).await.unwrap();
        let options = LogOptions {
            follow: true,
            ..LogOptions::default()
        };
        let mut logs = Box::pin(client.logs("c", options));
        logs.next().await.unwrap().unwrap();
        sshd.kill();
        // What was under way fails, and says so.
        let failed = logs.next().await.unwrap().unwrap_err();
        assert!(failed.is_unreachable(), "{failed}");
        let refused = client.containers().await.unwrap_err();
        assert!(refused.is_unreachable(), "{refused}");
        assert!(refused.to_string().contains("refused"), "{refused}");
        sshd.restart();
        let lists = join_all((0..20).map(|_| client.containers())).await;
        assert!(lists.iter().all(Result::is_ok), "{lists:?}");
        assert_eq!(sshd.connections(), 1);
    });
}

#[test]
fn what_is_wrong_with_a_socket_is_named() {
    run(async {
        for lines in ["", "AllowStreamLocalForwarding no"] {
            let sshd = Sshd::up("web1", lines);
            let network = sshd.network(&[sshd.block("")]);
            let folder = tempfile::tempdir().unwrap();
            let at = |file: &str| sshd.address(&folder.path().join(file));
            let error = connect(&network, &at("missing")).await.unwrap_err();
            assert!(matches!(error, Error::NoSocketThere { .. }), "{error}");
            assert!(error.is_unreachable() && error.remedy().is_some());
            std::fs::write(folder.path().join("file"), "").unwrap();
            let error = connect(&network, &at("file")).await.unwrap_err();
            assert!(matches!(error, Error::NotDocker { .. }), "{error}");
            let deserted = folder.path().join("deserted");
            drop(std::os::unix::net::UnixListener::bind(&deserted).unwrap());
            let error = connect(&network, &at("deserted")).await.unwrap_err();
            assert!(matches!(error, Error::NotListening { .. }), "{error}");
            // And all of that on one connection.
            assert_eq!(sshd.connections(), 1);
        }
    });
}

#[test]
fn a_host_that_stops_forwarding_sockets_is_served_by_commands_from_then_on() {
    run(async {
        let (mut sshd, engine) = (Sshd::up("web1", ""), Standin::up());
        let network = sshd.network(&[sshd.block("")]);
        let connector = network.connector(&sshd.address(&engine.socket)).unwrap();
        download(&connector, 10).await;
        sshd.reconfigure("AllowStreamLocalForwarding no");
        download(&connector, 10).await;
        // And is not tried the other way each time.
        download(&connector, 10).await;
        assert_eq!(sshd.connections(), 1);
    });
}

#[test]
fn an_engine_that_stops_and_starts_needs_no_new_login() {
    run(async {
        let sshd = Sshd::up("web1", "");
        let network = sshd.network(&[sshd.block("")]);
        let engine = Standin::up();
        let client = connect(&network, &sshd.address(&engine.socket))
            .await
            .unwrap();
        let connector = network.connector(&sshd.address(&engine.socket)).unwrap();
        download(&connector, 10).await;
        std::fs::remove_file(&engine.socket).unwrap();
        // The connection that is there still serves.
        client.ping().await.unwrap();
        let uri = "http://docker/".parse().unwrap();
        let error = connector.clone().call(uri).await.map(drop).unwrap_err();
        assert!(error.to_string().contains("no Docker socket"), "{error}");
        assert_eq!(sshd.connections(), 1);
    });
}

#[test]
fn a_host_that_allows_few_commands_gets_more_connections() {
    run(async {
        let sshd = Sshd::up("web1", "AllowStreamLocalForwarding no\nMaxSessions 3");
        let engine = Standin::up();
        let network = sshd.network(&[sshd.block("")]);
        let connector = network.connector(&sshd.address(&engine.socket)).unwrap();
        let mut streams = Vec::new();
        for _ in 0..7 {
            let mut stream = dial(&connector).await;
            upgrade(&mut stream).await.unwrap();
            streams.push(stream);
        }
        assert_eq!(sshd.connections(), 3);
        drop(streams);
        engine.until_open(|open| open == 0).await;
        until(|| !runs(&engine.socket, "dial-stdio"), "no command is left").await;
    });
}

//! Engines behind TLS: what works, and every way in which it does not, told apart.

#[path = "common/testhost.rs"]
mod testhost;
#[path = "common/tier.rs"]
mod tier;
#[path = "common/tls.rs"]
mod tls;

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use ostler::engine::{Client, Error, Gate, Network, TlsProblem};
use ostler::fleet::EngineAddress;
use rcgen::{ExtendedKeyUsagePurpose, KeyPair};
use tls::{Authority, TlsEngine, Wish, config, unix_now, write_folder};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

fn address(host: &str, port: u16, folder: &Path) -> EngineAddress {
    EngineAddress::Tcp {
        host: host.into(),
        port,
        tls: Some(folder.to_string_lossy().into_owned()),
        insecure: false,
    }
}

fn plain(at: SocketAddr) -> EngineAddress {
    EngineAddress::Tcp {
        host: at.ip().to_string(),
        port: at.port(),
        tls: None,
        insecure: true,
    }
}

async fn connect(address: &EngineAddress) -> Result<Client, Error> {
    Client::connect_by(&Network::headless(), address, Gate::full()).await
}

/// What is wrong; every such error has a remedy and counts as a host that is not reached.
async fn problem(address: &EngineAddress) -> TlsProblem {
    match connect(address).await {
        Err(error @ Error::Tls { .. }) => {
            assert!(error.remedy().is_some() && error.is_unreachable());
            let Error::Tls { problem, .. } = error else {
                unreachable!()
            };
            *problem
        }
        other => panic!("not an error of TLS: {other:?}"),
    }
}

/// Connects as the client that `wish` makes to a server with the certificate that `server` makes.
async fn meet(server: Wish, client: Wish) -> Result<Client, Error> {
    let authority = Authority::new("test ca");
    let engine = TlsEngine::up(config(&authority.issue(server), Some(&authority), false)).await;
    let folder = authority.folder(&authority.issue(client));
    connect(&address("127.0.0.1", engine.at.port(), folder.path())).await
}

async fn meet_and_fail(server: Wish, client: Wish) -> TlsProblem {
    match meet(server, client).await {
        Err(Error::Tls { problem, .. }) => *problem,
        other => panic!("not an error of TLS: {other:?}"),
    }
}

fn here() -> Wish {
    Wish::server(&["127.0.0.1"])
}

#[tokio::test]
async fn both_sides_are_verified_by_address_and_by_name_and_their_ends_are_known() {
    let authority = Authority::new("test ca");
    for old in [false, true] {
        let server = authority.issue(Wish::server(&["127.0.0.1", "localhost"]).years(2020, 3000));
        let engine = TlsEngine::up(config(&server, Some(&authority), old)).await;
        let folder = authority.folder(&authority.issue(Wish::client().years(2020, 2999)));
        for host in ["127.0.0.1", "localhost"] {
            let client = connect(&address(host, engine.at.port(), folder.path())).await;
            let client = client.unwrap();
            client.containers().await.unwrap();
            let certificates = client.certificates().unwrap();
            assert_eq!(certificates.server_until, 32_503_680_000);
            assert_eq!(certificates.client_until, 32_503_680_000 - 365 * 86_400);
            assert_eq!(certificates.until(), certificates.client_until);
        }
    }
}

#[tokio::test]
async fn further_connections_resume_the_first_one_s_session() {
    let authority = Authority::new("test ca");
    for old in [false, true] {
        let engine = TlsEngine::up(config(&authority.issue(here()), Some(&authority), old)).await;
        let folder = authority.folder(&authority.issue(Wish::client()));
        let client = connect(&address("127.0.0.1", engine.at.port(), folder.path())).await;
        let client = client.unwrap();
        // Which requests wait for a new connection, and which for the one that is there, is the
        // pool's own business: asked until there was one more.
        let more = async {
            while engine.handshakes().1 == 0 {
                let asking = (0..3).map(|_| client.containers());
                for asked in futures_util::future::join_all(asking).await {
                    asked.unwrap();
                }
            }
        };
        let limit = Duration::from_secs(30);
        tokio::time::timeout(limit, more)
            .await
            .expect("one resumed");
    }
}

#[tokio::test]
async fn keys_are_read_in_each_of_their_forms() {
    let authority = Authority::new("test ca");
    let engine = TlsEngine::up(config(&authority.issue(here()), Some(&authority), false)).await;
    // Made for this test and good for nothing else.
    let rsa = include_str!("../fixtures/tls/rsa.pem");
    // What PKCS#8 wraps is the older form itself: after the version and the kind of key.
    for (key, from, name) in [
        (KeyPair::generate().unwrap(), 29, "EC"),
        (KeyPair::from_pem(rsa).unwrap(), 26, "RSA"),
    ] {
        let inner = key.serialize_der()[from..].to_vec();
        assert_eq!(inner[0], 0x30, "a sequence");
        let client = authority.issue(Wish::client().key(key));
        let folder = authority.folder(&client);
        let at = address("127.0.0.1", engine.at.port(), folder.path());
        connect(&at).await.unwrap();
        let kind = format!("{name} PRIVATE KEY");
        let older = pem(&kind, &inner);
        std::fs::write(folder.path().join("key.pem"), older).unwrap();
        connect(&at).await.unwrap();
    }
}

fn pem(kind: &str, der: &[u8]) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in der.chunks(3) {
        let word = three
            .iter()
            .chain(&[0; 2])
            .take(3)
            .fold(0u32, |word, byte| word << 8 | u32::from(*byte));
        for at in 0..4usize {
            match at <= three.len() {
                true => text.push(LETTERS[(word >> (18 - 6 * at)) as usize & 63] as char),
                false => text.push('='),
            }
        }
        if text.len() % 65 == 64 {
            text.push('\n');
        }
    }
    format!(
        "-----BEGIN {kind}-----\n{}\n-----END {kind}-----\n",
        text.trim()
    )
}

#[tokio::test]
async fn a_server_certificate_that_does_not_hold_is_told_with_its_time() {
    let found = meet_and_fail(here().years(2000, 2001), Wish::client()).await;
    assert_eq!(found, TlsProblem::ServerExpired { until: 978_307_200 });
    assert_eq!(
        found.to_string(),
        "the engine's certificate expired on 2001-01-01 00:00 UTC"
    );
    let found = meet_and_fail(here().years(3000, 3001), Wish::client()).await;
    assert!(
        matches!(
            found,
            TlsProblem::ServerTooEarly {
                from: 32_503_680_000
            }
        ),
        "{found:?}"
    );
    let usage = ExtendedKeyUsagePurpose::ClientAuth;
    let found = meet_and_fail(here().usage(usage), Wish::client()).await;
    assert!(
        found.to_string().contains("not issued for servers"),
        "{found}"
    );
}

#[tokio::test]
async fn a_server_certificate_for_others_is_told_with_the_names_it_has() {
    let found = meet_and_fail(
        Wish::server(&["web2.example.net", "10.9.9.9"]),
        Wish::client(),
    )
    .await;
    assert_eq!(
        found.to_string(),
        "the engine's certificate is not for 127.0.0.1: it is for web2.example.net, 10.9.9.9"
    );
    let remedy = found.remedy();
    assert!(remedy.contains("web2.example.net"), "{remedy}");
    assert!(remedy.contains("subjectAltName=IP:127.0.0.1"), "{remedy}");
    // As it was done for years: a common name and nothing else.
    let found = meet_and_fail(Wish::server(&[]), Wish::client()).await;
    assert!(
        found
            .to_string()
            .contains("no subjectAltName at all, and its common name web2 does not count"),
        "{found}"
    );
}

/// A certificate made by openssl, which makes weak ones too: `NAME.key`, `NAME.pem`.
fn issue(folder: &Path, name: &str, bits: u32, ca: Option<&str>, more: &str) {
    let script = format!(
        "openssl req -newkey rsa:{bits} -nodes -keyout {name}.key -subj /CN={name} -out {name}.csr \
         && printf '{more}' > {name}.ext \
         && openssl x509 -req -in {name}.csr -days 9 -extfile {name}.ext -out {name}.pem {}",
        match ca {
            Some(ca) => format!("-CA {ca}.pem -CAkey {ca}.key -CAcreateserial"),
            None => format!("-signkey {name}.key"),
        }
    );
    let mut sh = std::process::Command::new("sh");
    let made = sh
        .arg("-c")
        .arg(script)
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
}

/// An `openssl s_server` that shows `server.pem`, until it is dropped.
struct Shows(std::process::Child, u16);

impl Shows {
    fn up(folder: &Path, version: &str) -> Shows {
        use std::io::BufRead;
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let mut child = std::process::Command::new("openssl")
            .args([
                "s_server",
                "-cert",
                "server.pem",
                "-key",
                "server.key",
                version,
            ])
            .args([
                "-CAfile",
                "ca.pem",
                "-Verify",
                "1",
                "-cipher",
                "DEFAULT:@SECLEVEL=0",
            ])
            .args(["-accept", &format!("127.0.0.1:{port}")])
            .current_dir(folder)
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let lines = std::io::BufReader::new(child.stdout.take().unwrap()).lines();
        let mut lines = lines.map_while(Result::ok);
        assert!(
            lines.any(|line| line == "ACCEPT"),
            "openssl does not listen"
        );
        Shows(child, port)
    }
}

impl Drop for Shows {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn keys_that_can_be_forged_are_refused_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    issue(at, "ca", 2048, None, "basicConstraints=critical,CA:TRUE");
    issue(
        at,
        "client",
        2048,
        Some("ca"),
        "extendedKeyUsage=clientAuth",
    );
    std::fs::rename(at.join("client.pem"), at.join("cert.pem")).unwrap();
    std::fs::rename(at.join("client.key"), at.join("key.pem")).unwrap();
    let server = "extendedKeyUsage=serverAuth\\nsubjectAltName=IP:127.0.0.1";
    for version in ["-tls1_2", "-tls1_3"] {
        issue(at, "server", 1024, Some("ca"), server);
        let weak = Shows::up(at, version);
        let problem = problem(&address("127.0.0.1", weak.1, at)).await;
        assert!(
            matches!(&problem, TlsProblem::ServerCertificate { why } if why.contains("has 1024 bits")),
            "{version}: {problem:?}"
        );
    }
    // With a good one it is no engine, and nothing is wrong with its certificate.
    issue(at, "server", 2048, Some("ca"), server);
    let good = Shows::up(at, "-tls1_3");
    let error = connect(&address("127.0.0.1", good.1, at))
        .await
        .unwrap_err();
    let of_certificate = |error: &Error| matches!(error, Error::Tls { problem, .. } if matches!(**problem, TlsProblem::ServerCertificate { .. }));
    assert!(!of_certificate(&error), "{error:?}");
    issue(at, "ca", 1024, None, "basicConstraints=critical,CA:TRUE");
    let problem = problem(&address("127.0.0.1", good.1, at)).await;
    assert!(problem.to_string().contains("has 1024 bits"), "{problem}");
}

#[tokio::test]
async fn a_ca_that_is_not_mine_is_told_by_name() {
    let (mine, other) = (Authority::new("my ca"), Authority::new("their ca"));
    let engine = TlsEngine::up(config(&other.issue(here()), Some(&mine), false)).await;
    let folder = mine.folder(&mine.issue(Wish::client()));
    let at = address("127.0.0.1", engine.at.port(), folder.path());
    let found = problem(&at).await;
    assert!(
        matches!(&found, TlsProblem::UnknownCa { issuer, namesake: false, .. } if issuer.contains("their ca")),
        "{found:?}"
    );
    // The CA was made anew under the same name.
    let namesake = Authority::new("their ca");
    std::fs::write(folder.path().join("ca.pem"), &namesake.pem).unwrap();
    let found = problem(&at).await;
    assert!(
        matches!(found, TlsProblem::UnknownCa { namesake: true, .. }),
        "{found:?}"
    );
    // With the right one the next attempt works: the files are read again.
    std::fs::write(folder.path().join("ca.pem"), &other.pem).unwrap();
    connect(&at).await.unwrap();
}

#[tokio::test]
async fn a_client_certificate_that_does_not_hold_is_told_before_the_engine_is_asked() {
    let found = meet_and_fail(here(), Wish::client().years(2000, 2001)).await;
    assert!(
        matches!(&found, TlsProblem::ClientExpired { until: 978_307_200, path } if path.ends_with("cert.pem")),
        "{found:?}"
    );
    let found = meet_and_fail(here(), Wish::client().years(3000, 3001)).await;
    assert!(
        matches!(found, TlsProblem::ClientTooEarly { .. }),
        "{found:?}"
    );
    let usage = ExtendedKeyUsagePurpose::ServerAuth;
    let found = meet_and_fail(here(), Wish::client().usage(usage)).await;
    assert!(
        matches!(found, TlsProblem::ClientPurpose { .. }),
        "{found:?}"
    );
}

#[tokio::test]
async fn a_client_that_the_engine_does_not_know_is_told_so() {
    let (mine, other) = (Authority::new("engine ca"), Authority::new("other ca"));
    for old in [false, true] {
        let engine = TlsEngine::up(config(&mine.issue(here()), Some(&mine), old)).await;
        let folder = tempfile::tempdir().unwrap();
        write_folder(folder.path(), &mine.pem, &other.issue(Wish::client()));
        let at = address("127.0.0.1", engine.at.port(), folder.path());
        for _ in 0..20 {
            let found = problem(&at).await;
            assert!(
                matches!(&found, TlsProblem::ClientRefused { why, .. } if why.contains("CA that signed it")),
                "{found:?}"
            );
        }
    }
}

#[tokio::test]
async fn an_engine_that_asks_nobody_is_refused() {
    let authority = Authority::new("test ca");
    for old in [false, true] {
        let engine = TlsEngine::up(config(&authority.issue(here()), None, old)).await;
        let folder = authority.folder(&authority.issue(Wish::client()));
        let at = address("127.0.0.1", engine.at.port(), folder.path());
        let found = problem(&at).await;
        assert_eq!(found, TlsProblem::NobodyAsked);
        assert!(found.remedy().contains("--tlsverify"));
    }
}

#[tokio::test]
async fn what_is_wrong_with_the_files_is_told_with_the_file() {
    let authority = Authority::new("test ca");
    let engine = TlsEngine::up(config(&authority.issue(here()), Some(&authority), false)).await;
    let folder = authority.folder(&authority.issue(Wish::client()));
    let file = |name: &str| folder.path().join(name);
    let at = address("127.0.0.1", engine.at.port(), folder.path());

    let found = problem(&address("127.0.0.1", 1, Path::new("/nowhere/tls"))).await;
    assert_eq!(found.to_string(), "there is no /nowhere/tls");

    let key = std::fs::read(file("key.pem")).unwrap();
    let stranger = KeyPair::generate().unwrap();
    std::fs::write(file("key.pem"), stranger.serialize_pem()).unwrap();
    let found = problem(&at).await;
    assert!(
        matches!(found, TlsProblem::KeyOfAnother { .. }),
        "{found:?}"
    );

    for (text, wanted) in [
        (
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
            "is locked with a passphrase",
        ),
        ("", "there is no private key in it"),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n", "damaged"),
        (
            "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
            "a key of this kind cannot be used",
        ),
    ] {
        std::fs::write(file("key.pem"), text).unwrap();
        let found = problem(&at).await.to_string();
        assert!(
            found.contains(wanted) && found.contains("key.pem"),
            "{found}"
        );
    }

    // Unreadable to root, too.
    std::fs::remove_file(file("key.pem")).unwrap();
    std::fs::create_dir(file("key.pem")).unwrap();
    let found = problem(&at).await;
    assert!(
        matches!(&found, TlsProblem::Unreadable { path, .. } if *path == file("key.pem")),
        "{found:?}"
    );
    std::fs::remove_dir(file("key.pem")).unwrap();
    let found = problem(&at).await;
    assert!(
        matches!(&found, TlsProblem::Missing { path } if *path == file("key.pem")),
        "{found:?}"
    );
    std::fs::write(file("key.pem"), key).unwrap();

    std::fs::write(file("ca.pem"), "no certificate").unwrap();
    let found = problem(&at).await.to_string();
    assert!(
        found.contains("ca.pem: there is no certificate in it"),
        "{found}"
    );
    std::fs::write(file("ca.pem"), &authority.pem).unwrap();
    connect(&at).await.unwrap();
}

#[tokio::test]
async fn a_renewed_certificate_is_used_by_the_next_connection() {
    let authority = Authority::new("test ca");
    let engine = TlsEngine::up(config(&authority.issue(here()), Some(&authority), false)).await;
    let folder = authority.folder(&authority.issue(Wish::client().years(2020, 2999)));
    let at = address("127.0.0.1", engine.at.port(), folder.path());
    let client = connect(&at).await.unwrap();
    let before = client.certificates().unwrap().client_until;
    write_folder(
        folder.path(),
        &authority.pem,
        &authority.issue(Wish::client().years(2020, 3000)),
    );
    // More than one at a time, until the one kept connection does not do for them.
    let renewed = async {
        while client.certificates().unwrap().client_until == before {
            let asking = (0..6).map(|_| client.containers());
            futures_util::future::join_all(asking).await;
        }
    };
    let limit = Duration::from_secs(30);
    tokio::time::timeout(limit, renewed)
        .await
        .expect("it is used");
    assert!(client.certificates().unwrap().client_until > before);
    assert!(before > unix_now());
}

/// Something that says `words` to whoever connects, whatever they say, and hangs up.
async fn talker(words: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut heard = [0; 4096];
            let _ = stream.read(&mut heard).await;
            let _ = stream.write_all(words).await;
            let _ = stream.shutdown().await;
        }
    });
    at
}

#[tokio::test]
async fn what_does_not_speak_tls_is_told_by_what_it_speaks() {
    let authority = Authority::new("test ca");
    let folder = authority.folder(&authority.issue(Wish::client()));
    for (words, wanted) in [
        (
            &b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"[..],
            "it answers in plain HTTP",
        ),
        (b"SSH-2.0-OpenSSH_10.0\r\n", "it is an SSH server"),
        (
            b"+PONG and more of it\r\n",
            "it answers with something else",
        ),
        (b"", "it closed the connection without an answer"),
    ] {
        let at = talker(words).await;
        let found = problem(&address("127.0.0.1", at.port(), folder.path())).await;
        assert_eq!(
            found,
            TlsProblem::NotTls {
                what: wanted.into()
            }
        );
    }
}

#[tokio::test]
async fn what_speaks_nothing_but_tls_is_told_to_do_so() {
    let authority = Authority::new("test ca");
    let engine = TlsEngine::up(config(&authority.issue(here()), Some(&authority), false)).await;
    assert_eq!(problem(&plain(engine.at)).await, TlsProblem::OnlyTls);
    // dockerd says it in words.
    let at = talker(
        b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n",
    )
    .await;
    assert_eq!(problem(&plain(at)).await, TlsProblem::OnlyTls);
}

#[tokio::test]
async fn plain_tcp_is_spoken_only_when_told_to_and_only_nearby() {
    let tcp = |host: &str, insecure| EngineAddress::Tcp {
        host: host.into(),
        port: 2375,
        tls: None,
        insecure,
    };
    assert_eq!(problem(&tcp("127.0.0.1", false)).await, TlsProblem::NotSaid);
    assert_eq!(
        problem(&tcp("203.0.113.7", true)).await,
        TlsProblem::Exposed
    );
    assert_eq!(
        problem(&tcp("web1.example.net", true)).await,
        TlsProblem::Exposed
    );
    let at = talker(
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"Version\":\"x\",\"ApiVersion\":\"1.41\"}",
    )
    .await;
    let client = connect(&plain(at)).await.unwrap();
    assert_eq!(client.certificates(), None);
}

#[tokio::test]
async fn a_port_where_nothing_listens_and_a_name_that_nobody_knows_are_told() {
    let authority = Authority::new("test ca");
    let folder = authority.folder(&authority.issue(Wish::client()));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let error = connect(&address("127.0.0.1", port, folder.path()))
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("nothing listens at tcp://127.0.0.1:{port}")
    );
    assert!(error.remedy().unwrap().contains("--tlsverify"));
    let error = connect(&address("no-such-host.invalid", 1, folder.path()))
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("no address is known for no-such-host.invalid"),
        "{error}"
    );
}

#[tokio::test]
async fn a_handshake_that_does_not_come_is_given_up_after_its_own_time() {
    let authority = Authority::new("test ca");
    let folder = authority.folder(&authority.issue(Wish::client()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let silent = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut hello = [0; 1];
        stream.read_exact(&mut hello).await.unwrap();
        // Connected, and waiting: from here on the clock jumps to whatever is waited for.
        tokio::time::pause();
        std::future::pending::<()>().await;
    });
    let error = connect(&address("127.0.0.1", port, folder.path()))
        .await
        .unwrap_err();
    let after = Duration::from_secs(10);
    assert!(
        matches!(&error, Error::Deadline { what, after: a } if what.contains("TLS handshake") && *a == after),
        "{error}"
    );
    silent.abort();
}

#[tokio::test]
async fn paths_start_at_home_and_at_the_fleet_file() {
    let network = Network::headless();
    let home = std::path::PathBuf::from(std::env::var_os("HOME").unwrap());
    assert_eq!(network.path("~/.ostler/web2"), home.join(".ostler/web2"));
    assert_eq!(network.path("~"), home);
    assert_eq!(network.path("tls/web2"), Path::new("tls/web2"));
    let same = network.clone();
    same.start_paths_at(Path::new("/srv/chatons"));
    assert_eq!(network.path("tls/web2"), Path::new("/srv/chatons/tls/web2"));
    assert_eq!(network.path("/etc/tls"), Path::new("/etc/tls"));
}

#[tokio::test]
async fn a_real_engine_is_reached_and_found_again_after_it_was_away() {
    let Some(_) = tier::fleet() else { return };
    let host = testhost::TestHost::up_with("far", &["--tls"]);
    let at = host.tls();
    let client = connect(&at).await.unwrap();
    client.info().await.unwrap();
    let certificates = client.certificates().unwrap();
    let days = (certificates.until() - unix_now()) / 86_400;
    assert!((28..=30).contains(&days), "{days} days");

    // The connection that was kept is dead, by no word of farewell.
    host.kill_dockerd();
    host.start_dockerd();
    client.info().await.unwrap();
    host.restart_dockerd();
    client.info().await.unwrap();

    // dockerd says nothing of a client that it does not know but an alert.
    let EngineAddress::Tcp {
        tls: Some(operator),
        ..
    } = &at
    else {
        unreachable!()
    };
    let ca = std::fs::read_to_string(Path::new(operator).join("ca.pem")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let stranger = Authority::new("another").issue(Wish::client());
    write_folder(folder.path(), &ca, &stranger);
    let stranger = address(&host.address.to_string(), 2376, folder.path());
    for _ in 0..10 {
        let found = problem(&stranger).await;
        assert!(
            matches!(found, TlsProblem::ClientRefused { .. }),
            "{found:?}"
        );
    }

    host.link(false);
    let error = connect(&at).await.unwrap_err();
    assert!(
        error.is_unreachable() && error.remedy().is_some(),
        "{error}"
    );
    host.link(true);
    client.ping().await.unwrap();
}

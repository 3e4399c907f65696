//! Against real listeners.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use super::stream::Line;
use super::*;
use crate::fleet::{Endpoint, Login, SecretSpec, Tls};

fn messages(n: usize) -> Vec<Message> {
    let one = |n: usize| Message {
        title: format!("site s{n} on web1: 502 — ütt"),
        lines: vec![".".into()],
        json: serde_json::json!({ "key": n }),
    };
    (0..n).map(one).collect()
}

fn nobody() -> Roots {
    Roots::of(b"")
}

/// A server's side of TLS for `localhost`, and who believes it.
fn tls() -> (TlsAcceptor, Roots) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let roots = Roots::of(made.cert.pem().as_bytes());
    (TlsAcceptor::from(Arc::new(config)), roots)
}

#[tokio::test]
async fn a_program_reads_it() {
    let folder = tempfile::tempdir().unwrap();
    let script = |text: &str| {
        let words = ["sh", "-c", text].map(str::to_owned).to_vec();
        Way::Program(words, folder.path().to_owned())
    };
    let sent = send(&script("cat >> out; echo >> out"), &messages(2), &nobody()).await;
    assert_eq!((sent.told, sent.failed), (2, None));
    let out = std::fs::read_to_string(folder.path().join("out")).unwrap();
    assert_eq!(out, "{\"key\":0}\n{\"key\":1}\n");
    // What goes wrong in the middle has the rest told another time.
    let twice = script("test ! -e once && touch once");
    let sent = send(&twice, &messages(3), &nobody()).await;
    assert_eq!(sent.told, 1);
    assert!(sent.failed.unwrap().contains("exit status: 1"));
}

/// Answers each connection with the next of the answers, and tells what it was asked.
async fn web(answers: Vec<&'static str>) -> (u16, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = tokio::spawn(async move {
        let mut asked = Vec::new();
        for answer in answers {
            let (stream, _) = listener.accept().await.unwrap();
            let mut stream = BufReader::new(stream);
            let (mut head, mut length) = (String::new(), 0);
            while stream.read_line(&mut head).await.unwrap() > 2 {
                let last = head.lines().last().unwrap().to_ascii_lowercase();
                if let Some(n) = last.strip_prefix("content-length: ") {
                    length = n.parse().unwrap();
                }
            }
            let mut body = vec![0; length];
            stream.read_exact(&mut body).await.unwrap();
            asked.push(head + std::str::from_utf8(&body).unwrap());
            stream.get_mut().write_all(answer.as_bytes()).await.unwrap();
        }
        asked
    });
    (port, serving)
}

#[tokio::test]
async fn a_webhook_is_posted_to() {
    let (port, serving) = web(vec![
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n",
        "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n",
        "",
    ])
    .await;
    let url = format!("http://127.0.0.1:{port}/geheim?x=1\n");
    let way = Way::Web(Zeroizing::new(url));
    let sent = send(&way, &messages(3), &nobody()).await;
    assert_eq!(sent.told, 2);
    let mut failures = vec![sent.failed.unwrap()];
    for _ in 0..2 {
        let sent = send(&way, &messages(1), &nobody()).await;
        assert_eq!(sent.told, 0);
        failures.push(sent.failed.unwrap());
    }
    assert!(
        failures[0].contains("302") && failures[1].contains("500"),
        "{failures:?}"
    );
    assert!(
        failures.iter().all(|it| !it.contains("geheim")),
        "{failures:?}"
    );
    let asked = serving.await.unwrap();
    assert!(
        asked[0].starts_with("POST /geheim?x=1 HTTP/1.1\r\n"),
        "{}",
        asked[0]
    );
    assert!(asked[0].ends_with("\r\n\r\n{\"key\":0}"), "{}", asked[0]);
    assert!(asked[1].ends_with("{\"key\":1}"), "{}", asked[1]);
    // Others than this machine are spoken to by TLS, whatever a secret says.
    let way = Way::Web(Zeroizing::new("http://alerts.example.net/geheim".into()));
    let failed = send(&way, &messages(1), &nobody()).await.failed.unwrap();
    assert!(!failed.contains("geheim"), "{failed}");
}

#[tokio::test]
async fn a_webhook_shows_who_it_is() {
    let (acceptor, roots) = tls();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            let mut some = [0; 4096];
            let read = stream.read(&mut some).await.unwrap();
            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
            stream.write_all(answer).await.unwrap();
            stream.shutdown().await.unwrap();
            return String::from_utf8_lossy(&some[..read]).into_owned();
        }
    });
    let way = Way::Web(Zeroizing::new(format!("https://localhost:{port}/x")));
    let sent = send(&way, &messages(1), &nobody()).await;
    assert!(sent.failed.unwrap().contains("certificate") && sent.told == 0);
    let sent = send(&way, &messages(1), &roots).await;
    assert_eq!((sent.told, sent.failed), (1, None));
    assert!(serving.await.unwrap().starts_with("POST /x HTTP/1.1"));
}

/// A mail server that offers some things, and tells what it was told.
struct Server {
    tls: Option<TlsAcceptor>,
    at_once: bool,
    offers: &'static str,
    /// What it says behind its answer to STARTTLS.
    more: &'static str,
}

async fn smtp(server: Server) -> (u16, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut line: Line = Box::new(stream);
        if let Some(acceptor) = server.tls.as_ref().filter(|_| server.at_once) {
            line = Box::new(acceptor.accept(line).await.unwrap());
        }
        let mut stream = BufReader::new(line);
        stream.write_all(b"220 here\r\n").await.unwrap();
        let mut said = Vec::new();
        let mut data = false;
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
                return said;
            }
            let line = line.trim_end_matches("\r\n").to_owned();
            said.push(line.clone());
            let answer = match line.split([' ', ':']).next().unwrap() {
                _ if data && line != "." => continue,
                "." => {
                    data = false;
                    "250 taken\r\n".to_owned()
                }
                "EHLO" => format!("250-me\r\n250-SIZE 1\r\n250 {}\r\n", server.offers),
                "STARTTLS" => format!("220 go\r\n{}", server.more),
                "AUTH" if line.ends_with(&STANDARD.encode("\0ops\0geheim")) => "235 yes\r\n".into(),
                "AUTH" => format!("535 {line}\r\n"),
                "RCPT" if line.contains("<no@") => "550 nobody\u{1b}[31m here\r\n".into(),
                "DATA" => {
                    data = true;
                    "354 go on\r\n".into()
                }
                "QUIT" => "221 bye\r\n".into(),
                _ => "250 ok\r\n".into(),
            };
            stream.write_all(answer.as_bytes()).await.unwrap();
            if let (Some(acceptor), "STARTTLS") = (&server.tls, line.as_str()) {
                match acceptor.accept(stream.into_inner()).await {
                    Ok(line) => stream = BufReader::new(Box::new(line)),
                    Err(_) => return said,
                }
            }
        }
    });
    (port, serving)
}

fn by_mail(port: u16, tls: Tls, to: &[&str], password: Option<&str>) -> Way {
    let smtp = Smtp {
        server: Endpoint {
            host: "localhost".into(),
            port,
        },
        tls,
        from: "ostler@example.net".into(),
        to: to.iter().map(|to| (*to).to_owned()).collect(),
        login: password.map(|_| Login {
            user: "ops".into(),
            password: SecretSpec::File("x".into()),
        }),
    };
    let password = password.map(|it| Zeroizing::new(it.to_owned()));
    Way::Mail(Box::new(smtp), password)
}

#[tokio::test]
async fn a_mail_goes_out_in_the_clear() {
    let (port, serving) = smtp(Server {
        tls: None,
        at_once: false,
        offers: "AUTH LOGIN PLAIN",
        more: "",
    })
    .await;
    let to = ["a@example.net", "no@example.net"];
    let way = by_mail(port, Tls::Off, &to, Some("geheim"));
    let sent = send(&way, &messages(3), &nobody()).await;
    // All are told, and who is not is said.
    assert_eq!(sent.told, 3);
    let failed = sent.failed.unwrap();
    assert!(failed.contains("<no@example.net>: 550 nobody") && !failed.contains('\u{1b}'));
    drop(way);
    let said = serving.await.unwrap();
    assert!(said[0].starts_with("EHLO [127.0.0.1]"), "{said:?}");
    assert_eq!(said[2], "MAIL FROM:<ostler@example.net>");
    assert_eq!(said.last().unwrap(), "QUIT");
    let subject = said.iter().find(|it| it.starts_with("Subject: ")).unwrap();
    assert!(subject.starts_with("Subject: =?UTF-8?B?"), "{subject}");
    let body = said.iter().skip_while(|it| !it.is_empty()).skip(1);
    let body: String = body.take_while(|it| *it != ".").cloned().collect();
    let body = String::from_utf8(STANDARD.decode(body).unwrap()).unwrap();
    assert!(
        body.contains("site s2 on web1: 502 — ütt\r\n  .\r\n"),
        "{body}"
    );
    assert!(body.lines().count() > 6);
}

#[tokio::test]
async fn a_mail_goes_out_by_tls() {
    for (way, at_once, offers) in [(Tls::Starttls, false, "STARTTLS"), (Tls::Tls, true, "X")] {
        let (acceptor, roots) = tls();
        let server = || Server {
            tls: Some(acceptor.clone()),
            at_once,
            offers,
            more: "",
        };
        let (port, serving) = smtp(server()).await;
        let way_there = by_mail(port, way, &["a@example.net"], None);
        let sent = send(&way_there, &messages(1), &roots).await;
        assert_eq!((sent.told, sent.failed), (1, None), "{way:?}");
        let said = serving.await.unwrap();
        assert!(said.contains(&"DATA".to_owned()), "{said:?}");
        // One that nobody believes is told nothing.
        let (port, _serving) = smtp(server()).await;
        let way_there = by_mail(port, way, &["a@example.net"], None);
        let sent = send(&way_there, &messages(1), &nobody()).await;
        assert!(sent.failed.unwrap().contains("certificate"));
    }
}

#[tokio::test]
async fn what_is_not_safe_is_not_sent() {
    let refused = [
        ("X", "", None, "offers no STARTTLS"),
        ("STARTTLS", "250 injected\r\n", None, "before TLS"),
    ];
    for (offers, more, password, why) in refused {
        let (port, serving) = smtp(Server {
            tls: None,
            at_once: false,
            offers,
            more,
        })
        .await;
        let way = by_mail(port, Tls::Starttls, &["a@example.net"], password);
        let failed = send(&way, &messages(1), &nobody()).await.failed.unwrap();
        assert!(failed.contains(why), "{failed}");
        assert!(
            !serving
                .await
                .unwrap()
                .iter()
                .any(|it| it.starts_with("MAIL"))
        );
    }
    // A server that sends a login back does not have it told.
    let (port, _serving) = smtp(Server {
        tls: None,
        at_once: false,
        offers: "AUTH PLAIN",
        more: "",
    })
    .await;
    let way = by_mail(port, Tls::Off, &["a@example.net"], Some("falsch"));
    let failed = send(&way, &messages(1), &nobody()).await.failed.unwrap();
    assert_eq!(failed, "it refuses the login: 535");
}

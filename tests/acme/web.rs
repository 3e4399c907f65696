//! Whoever answers for names by HTTP: a web server that tells what it was given, and that counts.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

use ostler::acme::{Answer, Answers, Doing};

/// Its thread ends with the process.
pub struct Web {
    pub port: u16,
    given: Arc<Mutex<BTreeMap<String, String>>>,
    /// Host names that get no answer.
    deaf: Arc<Mutex<Vec<String>>>,
    /// How often something was put in its place, and taken away.
    pub counts: Mutex<(usize, usize)>,
    /// What is said instead of putting something in its place.
    pub broken: Mutex<Option<String>>,
}

impl Web {
    pub fn start() -> Web {
        Web::at("127.0.0.1".parse().unwrap(), super::pebble::free_port())
    }

    pub fn at(ip: IpAddr, port: u16) -> Web {
        let listener = TcpListener::bind(SocketAddr::new(ip, port)).unwrap();
        let web = Web {
            port,
            given: Arc::default(),
            deaf: Arc::default(),
            counts: Mutex::default(),
            broken: Mutex::default(),
        };
        let (given, deaf) = (web.given.clone(), web.deaf.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (given, deaf) = (given.clone(), deaf.clone());
                std::thread::spawn(move || {
                    let mut lines = BufReader::new(&stream).lines().map_while(Result::ok);
                    let first = lines.next().unwrap_or_default();
                    let headers: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
                    let host = headers.iter().find_map(|line| {
                        let (name, value) = line.split_once(':')?;
                        name.eq_ignore_ascii_case("host")
                            .then(|| value.trim().to_owned())
                    });
                    let host = host.unwrap_or_default();
                    let host = host.split(':').next().unwrap_or_default();
                    let path = first.split(' ').nth(1).unwrap_or_default();
                    let token = path.strip_prefix("/.well-known/acme-challenge/");
                    let deaf = deaf.lock().unwrap().iter().any(|it| it == host);
                    let body = match token {
                        _ if deaf => None,
                        Some(token) => given.lock().unwrap().get(token).cloned(),
                        None => None,
                    };
                    let (status, body) = match body {
                        Some(body) => ("200 OK", body),
                        None => ("404 Not Found", "nothing here".to_owned()),
                    };
                    let _ = write!(
                        &stream,
                        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                        body.len()
                    );
                });
            }
        });
        web
    }

    pub fn deaf_for(&self, name: &str) {
        self.deaf.lock().unwrap().push(name.to_owned());
    }

    pub fn give(&self, answer: &Answer) {
        let mut given = self.given.lock().unwrap();
        given.insert(answer.token.clone(), answer.body.clone());
    }

    /// How much it would answer now.
    pub fn left(&self) -> usize {
        self.given.lock().unwrap().len()
    }
}

impl Answers for Web {
    fn present<'a>(&'a self, answers: &'a [Answer]) -> Doing<'a> {
        Box::pin(async move {
            self.counts.lock().unwrap().0 += 1;
            answers.iter().for_each(|answer| self.give(answer));
            match self.broken.lock().unwrap().clone() {
                Some(why) => Err(why),
                None => Ok(()),
            }
        })
    }

    fn withdraw<'a>(&'a self, answers: &'a [Answer]) -> Doing<'a> {
        Box::pin(async move {
            self.counts.lock().unwrap().1 += 1;
            let mut given = self.given.lock().unwrap();
            answers
                .iter()
                .for_each(|answer| drop(given.remove(&answer.token)));
            Ok(())
        })
    }
}

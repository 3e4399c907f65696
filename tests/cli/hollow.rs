//! An engine in this process that answers what reading needs, and remembers what it was asked for.

#![allow(dead_code)] // every test binary takes what it needs of this

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

/// An engine with nothing on it, and what it was asked for.
pub struct Engine {
    asked: Arc<Mutex<Vec<String>>>,
}

impl Engine {
    pub fn start(socket: &Path) -> Engine {
        let listener = UnixListener::bind(socket).unwrap();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let all = asked.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let all = all.clone();
                std::thread::spawn(move || answer(stream, &all));
            }
        });
        Engine { asked }
    }

    /// What was asked since the last time.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

/// Answers one request; the connection ends with it.
fn answer(mut stream: UnixStream, all: &Mutex<Vec<String>>) {
    let mut first = String::new();
    let mut lines = BufReader::new(stream.try_clone().unwrap());
    if lines.read_line(&mut first).unwrap_or(0) == 0 {
        return;
    }
    let mut line = String::new();
    while lines.read_line(&mut line).unwrap_or(0) > 2 {
        line.clear();
    }
    all.lock().unwrap().push(first.trim_end().to_owned());
    let path = first.split(' ').nth(1).unwrap_or_default();
    let (code, body) = match path {
        "/_ping" => ("200 OK", "OK"),
        path if path.ends_with("/version") => (
            "200 OK",
            r#"{"Version":"26.1.5","ApiVersion":"1.45","MinAPIVersion":"1.24","Os":"linux","Arch":"amd64"}"#,
        ),
        path if path.ends_with("/info") => {
            ("200 OK", r#"{"ID":"x","NCPU":2,"MemTotal":4000000000}"#)
        }
        path if path.contains("/containers/json") => ("200 OK", "[]"),
        path if path.contains("/images/json") => ("200 OK", "[]"),
        path if path.ends_with("/networks") => ("200 OK", "[]"),
        _ => ("404 Not Found", r#"{"message":"no such thing"}"#),
    };
    let length = body.len();
    let _ = write!(
        stream,
        "HTTP/1.1 {code}\r\nApi-Version: 1.45\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
}

//! Something that answers like a Docker Engine on a Unix socket, with answers of any size, and
//! that knows who is connected.

#![allow(dead_code)] // every test binary takes what it needs of this

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;

/// Containers in its list.
pub const ROWS: usize = 300;

/// It answers `/version`, `/_ping`, `/containers/json` (ROWS of them), `/bytes/N` (N bytes that
/// [`byte`] tells), `/containers/ID/logs` (a line when it begins, then silence until the client
/// goes), and `/echo` (an upgrade; gives back what comes in until its end, and then ends).
pub struct Standin {
    _folder: tempfile::TempDir,
    pub socket: PathBuf,
    open: watch::Sender<usize>,
}

/// The byte at a place of any long answer.
pub fn byte(at: u64) -> u8 {
    ((at * 31) % 251) as u8
}

impl Standin {
    pub fn up() -> Standin {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("engine.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let open = watch::Sender::new(0);
        let (count, list) = (open.clone(), Arc::new(list()));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (count, list) = (count.clone(), list.clone());
                count.send_modify(|open| *open += 1);
                tokio::spawn(async move {
                    // A client that goes in the middle is nothing special.
                    let _ = serve(stream, &list).await;
                    count.send_modify(|open| *open -= 1);
                });
            }
        });
        Standin {
            _folder: folder,
            socket,
            open,
        }
    }

    /// Waits until so many connections are open.
    pub async fn until_open(&self, fits: impl Fn(usize) -> bool) {
        let mut open = self.open.subscribe();
        let waiting = open.wait_for(|open| fits(*open));
        let waited = tokio::time::timeout(Duration::from_secs(20), waiting).await;
        let now = *self.open.borrow();
        assert!(waited.is_ok(), "{now} connections are open");
    }

    /// Connections that are open.
    pub fn open(&self) -> usize {
        *self.open.borrow()
    }
}

fn list() -> String {
    let row = |n: usize| {
        format!(
            r#"{{"Id":"{n:064x}","Names":["/ostler-x-{n}"],"Image":"debian:trixie-slim","ImageID":"sha256:0","Command":"x","Created":1,"Ports":[],"Labels":{{"ostler.fleet":"x","ostler.site":"site-{n}"}},"State":"running","Status":"Up 3 days","HostConfig":{{"NetworkMode":"none"}},"NetworkSettings":{{"Networks":{{}}}},"Mounts":[]}}"#
        )
    };
    let rows: Vec<String> = (0..ROWS).map(row).collect();
    format!("[{}]", rows.join(","))
}

async fn serve(mut stream: UnixStream, list: &str) -> std::io::Result<()> {
    let mut held = Vec::new();
    loop {
        let end = loop {
            if let Some(at) = held.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            if stream.read_buf(&mut held).await? == 0 {
                return Ok(());
            }
        };
        let head = String::from_utf8_lossy(&held[..end]).into_owned();
        held.drain(..end);
        let mut words = head.split(' ');
        let (method, target) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        let path = target.split('?').next().unwrap_or("");
        // Without the version.
        let path = match path.strip_prefix("/v1.") {
            Some(rest) => &rest[rest.find('/').unwrap_or(0)..],
            None => path,
        };
        let answer = |body: &str| {
            let body = if method == "HEAD" { "" } else { body };
            format!(
                "HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            )
        };
        if path == "/version" {
            let body = r#"{"Version":"20.10.24","ApiVersion":"1.41","MinAPIVersion":"1.12","Os":"linux","Arch":"amd64"}"#;
            stream.write_all(answer(body).as_bytes()).await?;
        } else if path == "/_ping" {
            stream.write_all(answer("OK").as_bytes()).await?;
        } else if path == "/containers/json" {
            stream.write_all(answer(list).as_bytes()).await?;
        } else if let Some(size) = path.strip_prefix("/bytes/") {
            let size: u64 = size.parse().unwrap_or(0);
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n");
            stream.write_all(head.as_bytes()).await?;
            let mut at = 0;
            while at < size {
                let piece = (at..size.min(at + 65_536)).map(byte).collect::<Vec<_>>();
                stream.write_all(&piece).await?;
                at += piece.len() as u64;
            }
        } else if path.ends_with("/logs") {
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
            stream.write_all(head.as_bytes()).await?;
            let line = b"\x01\0\0\0\0\0\0\x06hello\n";
            stream
                .write_all(format!("{:x}\r\n", line.len()).as_bytes())
                .await?;
            stream.write_all(line).await?;
            stream.write_all(b"\r\n").await?;
            // Until the client goes.
            while stream.read_buf(&mut held).await? > 0 {}
            return Ok(());
        } else if path == "/echo" {
            let head = "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n";
            stream.write_all(head.as_bytes()).await?;
            stream.write_all(&held).await?;
            let (mut from, mut to) = stream.split();
            tokio::io::copy(&mut from, &mut to).await?;
            return to.shutdown().await;
        } else {
            let body = r#"{"message":"no such thing"}"#;
            let head = format!(
                "HTTP/1.1 404 Not Found\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
            stream.write_all(head.as_bytes()).await?;
        }
    }
}

/// Says hello to `/echo` over a stream and reads the answer's head.
pub async fn upgrade<S>(stream: &mut S) -> std::io::Result<()>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let head =
        "POST /v1.41/echo HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n";
    stream.write_all(head.as_bytes()).await?;
    let mut seen = Vec::new();
    while !seen.ends_with(b"\r\n\r\n") {
        seen.push(stream.read_u8().await?);
    }
    assert!(seen.starts_with(b"HTTP/1.1 101"));
    Ok(())
}

/// Whether a process on this machine has this in its command line.
pub fn runs(what: &Path, words: &str) -> bool {
    let what = what.to_string_lossy().into_owned();
    let Ok(processes) = std::fs::read_dir("/proc") else {
        return false;
    };
    processes.flatten().any(|process| {
        let line = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        line.contains(&what) && line.contains(words)
    })
}

//! Sites for the router to lead to: small servers inside the test, each on a loopback address of
//! its own.

#![allow(dead_code)] // every test binary takes what it needs of this

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A server; ends with the test.
pub struct Backend {
    pub at: SocketAddr,
    /// Requests under way.
    pub busy: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Backend {
    /// `/` answers with `name`; `/slow` too, four seconds later; `/hang` never answers; `/headers`
    /// shows the request; `/framed` has a header of its own; `/secure` sends everybody to `https://` who is not there; `/mark` claims to be one of the router's own pages; `/status/N`; `/echo`
    /// sends back what comes after an upgrade.
    pub async fn start(name: &str) -> Backend {
        Backend::start_at(name, loopback().into()).await
    }

    /// The same, at an address of this machine.
    pub async fn start_at(name: &str, ip: IpAddr) -> Backend {
        let listener = TcpListener::bind((ip, 0)).await.unwrap();
        let at = listener.local_addr().unwrap();
        let busy = Arc::new(AtomicUsize::new(0));
        let (name, count) = (Arc::<str>::from(name), busy.clone());
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (name, count) = (name.clone(), count.clone());
                let service = service_fn(move |request| {
                    let (name, count) = (name.clone(), count.clone());
                    async move {
                        let _one = One::more(&count);
                        Ok::<_, Infallible>(answer(&name, request).await)
                    }
                });
                let server = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .with_upgrades();
                tokio::spawn(server);
            }
        });
        Backend { at, busy, task }
    }

    /// A server that closes every connection without a word 10 ms after its third answer.
    pub async fn impatient() -> Backend {
        let listener = TcpListener::bind((loopback(), 0)).await.unwrap();
        let at = listener.local_addr().unwrap();
        let busy = Arc::new(AtomicUsize::new(0));
        let task = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    for _ in 0..3 {
                        let mut request = Vec::new();
                        while !request.ends_with(b"\r\n\r\n") {
                            let Ok(byte) = stream.read_u8().await else {
                                return;
                            };
                            request.push(byte);
                        }
                        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
                        if stream.write_all(answer).await.is_err() {
                            return;
                        }
                    }
                    tokio::time::sleep(Duration::from_millis(10)).await;
                });
            }
        });
        Backend { at, busy, task }
    }

    pub fn busy(&self) -> usize {
        self.busy.load(Ordering::SeqCst)
    }
}

/// An address of its own on this machine.
fn loopback() -> Ipv4Addr {
    let [a, b, c, _] = crate::stage::random().to_be_bytes();
    Ipv4Addr::new(127, 1 + a % 250, b, 1 + c % 250)
}

struct One(Arc<AtomicUsize>);

impl One {
    fn more(count: &Arc<AtomicUsize>) -> One {
        count.fetch_add(1, Ordering::SeqCst);
        One(count.clone())
    }
}

impl Drop for One {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn answer(name: &str, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let path = request.uri().path().to_owned();
    let mut response = Response::new(Full::from(name.to_owned()));
    match path.as_str() {
        "/framed" => {
            let value = "DENY".parse().unwrap();
            response.headers_mut().insert("x-frame-options", value);
        }
        "/slow" => tokio::time::sleep(Duration::from_secs(4)).await,
        "/hang" => std::future::pending().await,
        "/headers" => {
            let mut text = String::new();
            for (name, value) in request.headers() {
                text += &format!("{name}: {}\n", String::from_utf8_lossy(value.as_bytes()));
            }
            *response.body_mut() = Full::from(text);
        }
        "/secure"
            if request
                .headers()
                .get("x-forwarded-proto")
                .is_none_or(|it| it != "https") =>
        {
            let host = request.headers()["host"].to_str().unwrap();
            let to = format!("https://{host}/secure").parse().unwrap();
            response.headers_mut().insert("Location", to);
            *response.status_mut() = http::StatusCode::MOVED_PERMANENTLY;
        }
        "/mark" => {
            let mark = http::HeaderValue::from_static("stopped");
            response.headers_mut().insert("X-Ostler", mark);
        }
        "/echo" => {
            tokio::spawn(async move {
                let Ok(upgraded) = hyper::upgrade::on(request).await else {
                    return;
                };
                let mut stream = TokioIo::new(upgraded);
                let mut bytes = [0; 64];
                while let Ok(n) = stream.read(&mut bytes).await
                    && n > 0
                    && stream.write_all(&bytes[..n]).await.is_ok()
                {}
            });
            *response.status_mut() = http::StatusCode::SWITCHING_PROTOCOLS;
            *response.body_mut() = Full::default();
            let headers = response.headers_mut();
            headers.insert("Upgrade", http::HeaderValue::from_static("websocket"));
            headers.insert("Connection", http::HeaderValue::from_static("Upgrade"));
            // The answer to the key that RFC 6455 takes as its example, and the test too.
            let accept = http::HeaderValue::from_static("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
            headers.insert("Sec-WebSocket-Accept", accept);
        }
        _ => {
            if let Some(status) = path.strip_prefix("/status/") {
                *response.status_mut() = status.parse().unwrap();
            }
        }
    }
    response
}

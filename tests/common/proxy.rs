//! A recording proxy in front of an engine: a unix socket that passes on every request and remembers
//! it, and knows nothing of what ostler thinks that it sends.

#![allow(dead_code)] // every test binary takes what it needs of this

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Either, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{UnixListener, UnixStream};

/// A request, as it arrived.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Seen {
    pub method: String,
    /// Without its query.
    pub path: String,
    pub query: String,
    /// It asked to speak something else than HTTP afterwards.
    pub upgrade: bool,
    /// It came with a body.
    pub body: bool,
}

/// Stops listening when it goes out of scope.
pub struct Proxy {
    /// Where it listens.
    pub socket: PathBuf,
    seen: Arc<Mutex<Vec<Seen>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Proxy {
    /// In front of the engine at `engine`, in a folder.
    pub fn start(engine: &Path, folder: &Path) -> Proxy {
        let socket = folder.join("proxy.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let (record, engine) = (seen.clone(), engine.to_owned());
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (record, engine) = (record.clone(), engine.clone());
                tokio::spawn(async move {
                    let service = service_fn(move |request| {
                        note(&record, &request);
                        pass(engine.clone(), request)
                    });
                    // A client that leaves in the middle is its own business.
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        Proxy { socket, seen, task }
    }

    /// Everything so far, in order.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn note(record: &Mutex<Vec<Seen>>, request: &Request<Incoming>) {
    use hyper::body::Body;
    let has = |name| request.headers().contains_key(name);
    let connection = request
        .headers()
        .get_all(header::CONNECTION)
        .iter()
        .any(|v| v.to_str().unwrap_or("").to_lowercase().contains("upgrade"));
    record.lock().unwrap().push(Seen {
        method: request.method().to_string(),
        path: request.uri().path().to_owned(),
        query: request.uri().query().unwrap_or("").to_owned(),
        upgrade: has(header::UPGRADE) || connection,
        body: !request.body().is_end_stream(),
    });
}

type Answer = Response<Either<Incoming, Full<Bytes>>>;

/// One connection to the engine per request: a stream that is left must not hold up the next.
async fn pass(engine: PathBuf, request: Request<Incoming>) -> Result<Answer, hyper::Error> {
    let Ok(stream) = UnixStream::connect(&engine).await else {
        let mut away = Response::new(Either::Right(Full::new(Bytes::new())));
        *away.status_mut() = StatusCode::BAD_GATEWAY;
        return Ok(away);
    };
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let answer = sender.send_request(request.map(BodyExt::boxed)).await?;
    Ok(answer.map(Either::Left))
}

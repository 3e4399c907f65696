//! A socket in front of an engine that counts the requests passing through.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinHandle;

use ostler::cli::Failure;

/// The first lines of the requests seen.
type Seen = Arc<Mutex<Vec<String>>>;

/// Listens until it is dropped.
pub struct Proxy {
    seen: Seen,
    task: JoinHandle<()>,
}

impl Proxy {
    /// Listens at `path` for an engine at `engine`.
    pub fn new(path: &Path, engine: &str) -> Result<Proxy, Failure> {
        let listener = UnixListener::bind(path)
            .map_err(|e| Failure::caused(format!("cannot listen at {}", path.display()), &e))?;
        let seen = Seen::default();
        let (counting, engine) = (seen.clone(), PathBuf::from(engine));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(pass(stream, engine.clone(), counting.clone()));
            }
        });
        Ok(Proxy { seen, task })
    }

    /// How many requests passed so far.
    pub fn count(&self) -> usize {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .len()
    }

    /// The first lines of those after the first `skip`.
    pub fn after(&self, skip: usize) -> Vec<String> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.iter().skip(skip).cloned().collect()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass(client: UnixStream, engine: PathBuf, seen: Seen) {
    let Ok(engine) = UnixStream::connect(engine).await else {
        return;
    };
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_engine, mut to_engine) = engine.into_split();
    let asking = async {
        let mut buffer = vec![0u8; 64 * 1024];
        while let Ok(n @ 1..) = from_client.read(&mut buffer).await {
            if let Some(line) = request_line(&buffer[..n]) {
                seen.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(line);
            }
            if to_engine.write_all(&buffer[..n]).await.is_err() {
                break;
            }
        }
        let _ = to_engine.shutdown().await;
    };
    let answering = async {
        let _ = tokio::io::copy(&mut from_engine, &mut to_client).await;
        let _ = to_client.shutdown().await;
    };
    tokio::join!(asking, answering);
}

/// A client writes the head of a request at once, at the start of what it sends.
pub fn request_line(bytes: &[u8]) -> Option<String> {
    let line = bytes.split(|b| *b == b'\r').next()?;
    let line = std::str::from_utf8(line).ok()?;
    let method = line.split(' ').next()?;
    let known = ["GET", "HEAD", "POST", "PUT", "DELETE"].contains(&method);
    (known && line.ends_with(" HTTP/1.1")).then(|| line.to_owned())
}

//! The engine's side of a connection: HTTP/1.1, faults, and which path leads where.

use std::convert::Infallible;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::{Frame, Incoming};
use hyper_util::rt::TokioIo;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use tokio::io::DuplexStream;

use super::Sim;
use super::clock::SECOND;
use super::fault::{Fault, Verdict};
use super::world::{Refusal, refuse};

mod container;
mod exec;
mod image;
mod stream;
mod system;

/// Body of an answer.
type Body = UnsyncBoxBody<Bytes, std::io::Error>;
/// An answer, or the engine's refusal.
type Reply = Result<Response<Body>, Refusal>;

/// The connection is to be closed without an answer.
#[derive(Debug, thiserror::Error)]
#[error("closed on purpose")]
struct Closed;

/// Serves one connection until it or the host goes.
pub(super) async fn connection(sim: Sim, connector: u64, stream: DuplexStream) {
    let mut down = sim.shared.down.subscribe();
    let host = sim.clone();
    let service = hyper::service::service_fn(move |request| {
        let sim = sim.clone();
        async move { answer(sim, connector, request).await }
    });
    let serving = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    host.shared.open.fetch_add(1, Ordering::Relaxed);
    tokio::select! {
        // How a connection ends is the client's matter.
        _ = serving => {}
        _ = down.wait_for(|down| *down) => {}
    }
    host.shared.open.fetch_sub(1, Ordering::Relaxed);
}

/// A call, taken apart.
struct Call {
    parts: Vec<String>,
    query: Vec<(String, String)>,
    body: Bytes,
}

impl Call {
    fn text(&self, name: &str) -> &str {
        self.query
            .iter()
            .find(|(key, _)| key == name)
            .map_or("", |(_, value)| value)
    }

    fn flag(&self, name: &str) -> bool {
        matches!(self.text(name), "1" | "true" | "True" | "yes")
    }

    fn json(&self) -> Result<Value, Refusal> {
        if self.body.is_empty() {
            return Ok(json!({}));
        }
        serde_json::from_slice(&self.body)
            .or_else(|error| refuse(400, format!("invalid JSON: {error}")))
    }

    /// A filter's values, in either of its two forms.
    fn filter(&self, name: &str) -> Vec<String> {
        let filters: Value = serde_json::from_str(self.text("filters")).unwrap_or_default();
        match filters.get(name) {
            Some(Value::Array(values)) => values
                .iter()
                .filter_map(|value| value.as_str().map(str::to_owned))
                .collect(),
            Some(Value::Object(values)) => values.keys().cloned().collect(),
            _ => Vec::new(),
        }
    }
}

async fn answer(
    sim: Sim,
    connector: u64,
    mut request: Request<Incoming>,
) -> Result<Response<Body>, Closed> {
    let path = request.uri().path().to_owned();
    let bare = path
        .strip_prefix("/v")
        .and_then(|rest| rest.split_once('/'))
        .filter(|(version, _)| version.starts_with(|digit: char| digit.is_ascii_digit()));
    let (version, bare) = match bare {
        Some((version, rest)) => (Some(version.to_owned()), format!("/{rest}")),
        None => (None, path.clone()),
    };
    let method = request.method().clone();
    let waits = method == Method::POST && bare.ends_with("/wait");
    let changing = method != Method::GET && method != Method::HEAD && !waits;
    let fault = match sim
        .shared
        .faults
        .judge(connector, method.as_str(), &bare, changing)
    {
        Verdict::Dead => return Err(Closed),
        Verdict::Serve => None,
        Verdict::Faulty(fault) => Some(fault),
    };
    match fault {
        Some(Fault::Hang) => std::future::pending().await,
        Some(Fault::Drop) => return Err(Closed),
        Some(Fault::Fail(status)) => {
            return Ok(finish(
                &sim,
                Err(Refusal {
                    status,
                    message: "failed on purpose".to_owned(),
                }),
            ));
        }
        _ => pause(sim.pace().call).await,
    }
    let upgrade = request
        .headers()
        .contains_key(header::UPGRADE)
        .then(|| hyper::upgrade::on(&mut request));
    let query = pairs(request.uri().query().unwrap_or_default());
    // A body that breaks off is a client that went away.
    let body = request
        .into_body()
        .collect()
        .await
        .map_err(|_| Closed)?
        .to_bytes();
    let parts = bare.split('/').skip(1).map(unescape).collect();
    let call = Call { parts, query, body };
    let reply = match too_new(&sim, version.as_deref()) {
        Some(refusal) => Err(refusal),
        None => route(&sim, &method, call, upgrade).await,
    };
    let response = finish(&sim, reply);
    match fault {
        Some(Fault::Lose) => Err(Closed),
        Some(Fault::CutAfter(length)) => Ok(response.map(|body| cut(body, length))),
        Some(Fault::Nonsense) => Ok(response.map(|_| full("[1]"))),
        _ => Ok(response),
    }
}

fn too_new(sim: &Sim, version: Option<&str>) -> Option<Refusal> {
    let asked: crate::engine::Api = version?.parse().ok()?;
    let (newest, oldest) =
        sim.look(|world, _| (world.machine.api.clone(), world.machine.min_api.clone()));
    let message = if newest.parse().is_ok_and(|newest| asked > newest) {
        format!("client version {asked} is too new. Maximum supported API version is {newest}")
    } else if oldest.parse().is_ok_and(|oldest| asked < oldest) {
        format!("client version {asked} is too old. Minimum supported API version is {oldest}")
    } else {
        return None;
    };
    Some(Refusal {
        status: 400,
        message,
    })
}

async fn route(
    sim: &Sim,
    method: &Method,
    call: Call,
    upgrade: Option<hyper::upgrade::OnUpgrade>,
) -> Reply {
    let parts: Vec<String> = call.parts.clone();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    match (method.as_str(), parts.as_slice()) {
        ("GET" | "HEAD", ["_ping"]) => Ok(plain(StatusCode::OK, "OK")),
        ("GET", ["version"]) => system::version(sim),
        ("GET", ["info"]) => Ok(json_reply(200, &sim.look(|world, now| world.info(now)))),
        ("GET", ["events"]) => stream::events(sim, &call),
        ("GET", ["system", "df"]) => system::disk_use(sim),
        ("GET", ["volumes"]) => Ok(json_reply(200, &json!({ "Volumes": [], "Warnings": null }))),

        ("GET", ["containers", "json"]) => container::list(sim, &call),
        ("POST", ["containers", "create"]) => container::create(sim, &call).await,
        ("GET", ["containers", id, "json"]) => container::inspect(sim, id),
        ("GET", ["containers", id, "logs"]) => stream::logs(sim, id, &call),
        ("GET", ["containers", id, "stats"]) => container::stats(sim, id, &call),
        ("GET", ["containers", id, "top"]) => container::top(sim, id),
        ("GET" | "HEAD", ["containers", id, "archive"]) => container::archive_get(sim, id, &call),
        ("PUT", ["containers", id, "archive"]) => container::archive_put(sim, id, &call),
        ("POST", ["containers", id, "start"]) => container::start(sim, id).await,
        ("POST", ["containers", id, "stop"]) => container::stop(sim, id, &call).await,
        ("POST", ["containers", id, "restart"]) => container::restart(sim, id, &call).await,
        ("POST", ["containers", id, "kill"]) => container::kill(sim, id, &call),
        ("POST", ["containers", id, "rename"]) => container::rename(sim, id, &call),
        ("POST", ["containers", id, "update"]) => container::update(sim, id, &call),
        ("POST", ["containers", id, "wait"]) => container::wait(sim, id, &call).await,
        ("DELETE", ["containers", id]) => container::remove(sim, id, &call).await,
        ("POST", ["containers", id, "exec"]) => exec::create(sim, id, &call),
        ("POST", ["exec", id, "start"]) => exec::start(sim, id, upgrade),
        ("GET", ["exec", id, "json"]) => exec::inspect(sim, id),

        ("GET", ["networks"]) => system::networks(sim),
        ("GET", ["networks", id]) => system::network(sim, id),
        ("POST", ["networks", "create"]) => system::create_network(sim, &call),
        ("DELETE", ["networks", id]) => system::remove_network(sim, id),

        ("GET", ["images", "json"]) => image::list(sim),
        ("GET", ["images", name @ .., "json"]) => image::inspect(sim, &name.join("/")),
        ("POST", ["images", "create"]) => image::create(sim, &call),
        ("POST", ["images", name @ .., "tag"]) => image::tag(sim, &name.join("/"), &call),
        ("DELETE", ["images", name @ ..]) => image::remove(sim, &name.join("/")),
        ("POST", ["build"]) => image::build(sim, &call),
        _ => refuse(404, "page not found"),
    }
}

/// Puts the headers on that every answer of the engine has.
fn finish(sim: &Sim, reply: Reply) -> Response<Body> {
    let mut response = reply.unwrap_or_else(|refusal| {
        json_reply(refusal.status, &json!({ "message": refusal.message }))
    });
    let (version, api, now) = sim.look(|world, now| {
        (
            world.machine.version.clone(),
            world.machine.api.clone(),
            now,
        )
    });
    let date = chrono::DateTime::from_timestamp_nanos(now).format("%a, %d %b %Y %H:%M:%S GMT");
    for (name, value) in [
        (header::DATE, date.to_string()),
        (header::SERVER, format!("Docker/{version} (linux)")),
        (header::HeaderName::from_static("api-version"), api),
        (
            header::HeaderName::from_static("ostype"),
            "linux".to_owned(),
        ),
    ] {
        if let Ok(value) = HeaderValue::try_from(value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into())
        .map_err(|never: Infallible| match never {})
        .boxed_unsync()
}

fn with_kind(status: StatusCode, kind: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
    with_kind(status, "text/plain; charset=utf-8", full(text))
}

fn json_reply(status: u16, value: &Value) -> Response<Body> {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    with_kind(status, "application/json", full(value.to_string()))
}

fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(full(""));
    *response.status_mut() = status;
    response
}

/// An answer in pieces.
fn streamed(
    kind: &'static str,
    pieces: impl futures_util::Stream<Item = Bytes> + Send + 'static,
) -> Response<Body> {
    use futures_util::StreamExt;
    let body = StreamBody::new(pieces.map(|piece| Ok(Frame::data(piece))));
    with_kind(StatusCode::OK, kind, body.boxed_unsync())
}

/// A body that breaks off.
fn cut(body: Body, length: usize) -> Body {
    let state = Some((body, length));
    let pieces = futures_util::stream::unfold(state, |state| async move {
        let (mut body, left) = state?;
        if left > 0
            && let Some(Ok(frame)) = body.frame().await
            && let Ok(mut bytes) = frame.into_data()
        {
            bytes.truncate(left);
            let left = left - bytes.len();
            return Some((Ok(Frame::data(bytes)), Some((body, left))));
        }
        // What was written so far goes out first.
        tokio::time::sleep(Duration::from_millis(5)).await;
        Some((Err(std::io::Error::other(Closed)), None))
    });
    StreamBody::new(pieces).boxed_unsync()
}

async fn pause(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}

/// Unix nanoseconds of a parameter in seconds, with or without a fraction.
fn nanos(text: &str) -> Option<i64> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits: String = fraction
        .chars()
        .chain("000000000".chars())
        .take(9)
        .collect();
    Some(seconds.parse::<i64>().ok()? * SECOND + digits.parse::<i64>().ok()?)
}

fn pairs(query: &str) -> Vec<(String, String)> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (unescape(name), unescape(&value.replace('+', " ")))
        })
        .collect()
}

fn unescape(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

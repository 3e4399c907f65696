//! A webhook: one POST over HTTP/1.1. Redirects are not followed: they would take what is told to where
//! nobody said that it may go.

use std::pin::pin;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, USER_AGENT};
use http::{Request, Uri};
use http_body_util::Full;
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;

use super::stream::{Line, Roots, connect, secure};
use crate::fleet::parse_hook;

/// Posts JSON to a URL.
///
/// # Errors
/// It is no URL that is allowed, or its answer is no success. The URL is not told.
pub(super) async fn post(url: &str, body: String, roots: &Roots) -> Result<(), String> {
    let url = parse_hook(url.trim()).map_err(|_| "what it is told is no URL of a webhook")?;
    let uri: Uri = url.parse().map_err(|_| "its URL cannot be read")?;
    let whom = uri.authority().map_or("", |it| it.as_str());
    let away = |why: String| format!("{whom}: {why}");
    let host = uri.host().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let is_secure = uri.scheme_str() == Some("https");
    let port = uri.port_u16().unwrap_or(if is_secure { 443 } else { 80 });
    let mut line: Line = Box::new(connect(host, port).await.map_err(away)?);
    if is_secure {
        line = secure(line, host, roots).await.map_err(away)?;
    }
    let path = uri.path_and_query().map_or("/", |it| it.as_str());
    let request = Request::post(path)
        .header(HOST, whom)
        .header(CONTENT_TYPE, "application/json")
        .header(USER_AGENT, concat!("ostler/", env!("CARGO_PKG_VERSION")))
        .body(Full::new(Bytes::from(body)));
    let request = request.map_err(|_| "its URL cannot be asked")?;
    let failed = |error: hyper::Error| away(error.to_string());
    let (mut sender, connection) = handshake(TokioIo::new(line)).await.map_err(failed)?;
    let mut answer = pin!(sender.send_request(request));
    let answer = tokio::select! {
        biased;
        answer = &mut answer => answer,
        ended = connection => match ended {
            Ok(()) => answer.await,
            Err(error) => Err(error),
        },
    };
    let status = answer.map_err(failed)?.status();
    match status.is_success() {
        true => Ok(()),
        false if status.is_redirection() => {
            Err(away(format!("{status}: redirects are not followed")))
        }
        false => Err(away(status.to_string())),
    }
}

//! The gate: what a request must be to leave the process.
//!
//! It judges the final request, after every layer above had its say, so that on-call mode does
//! not depend on which keys are bound. In on-call mode only a list of reading routes passes, read
//! strictly: a path with anything in it that a server might read in another way is refused. In
//! full mode the gate only counts.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http::{HeaderMap, Method, header};

use super::error::{Error, Result};
use super::hello::Hello;
use super::visit::Visit;
use crate::fleet::{Domain, Host};

#[cfg(test)]
mod tests;

/// What may leave the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Everything.
    Full,
    /// Reading only.
    OnCall,
}

/// What a request does, as far as its method and route tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Changes nothing.
    Reading,
    /// Changes something on the host.
    Changing,
    /// Creates or starts a command in a container, which may read or change.
    Exec,
}

#[derive(Debug, Default)]
struct Counts {
    reading: AtomicU64,
    changing: AtomicU64,
    exec: AtomicU64,
    visits: AtomicU64,
    hellos: AtomicU64,
    refused: AtomicU64,
}

/// Judges and counts requests. Clones share their counts.
#[derive(Debug, Clone)]
pub struct Gate {
    mode: Mode,
    counts: Arc<Counts>,
}

impl Gate {
    /// A gate in that mode, with all counts at zero.
    pub fn new(mode: Mode) -> Self {
        Gate {
            mode,
            counts: Arc::default(),
        }
    }

    /// A gate that lets everything pass and counts.
    pub fn full() -> Self {
        Self::new(Mode::Full)
    }

    /// A gate that lets only its list of reading routes pass.
    pub fn on_call() -> Self {
        Self::new(Mode::OnCall)
    }

    /// What this gate lets pass.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Reading requests that passed.
    pub fn reading(&self) -> u64 {
        self.counts.reading.load(Ordering::Relaxed)
    }

    /// Changing requests that passed, commands in containers not counted.
    pub fn changing(&self) -> u64 {
        self.counts.changing.load(Ordering::Relaxed)
    }

    /// Requests that passed and that create or start a command in a container.
    pub fn exec(&self) -> u64 {
        self.counts.exec.load(Ordering::Relaxed)
    }

    /// Questions to sites that passed: no requests to the engine.
    pub fn visits(&self) -> u64 {
        self.counts.visits.load(Ordering::Relaxed)
    }

    /// Handshakes with routers that passed: no requests to the engine, nor to a site.
    pub fn hellos(&self) -> u64 {
        self.counts.hellos.load(Ordering::Relaxed)
    }

    /// Requests that did not pass.
    pub fn refused(&self) -> u64 {
        self.counts.refused.load(Ordering::Relaxed)
    }

    /// A question to a site, in every mode: what it may be is settled by its own rule
    /// ([`Visit::new`]), and nothing can be changed of it afterwards. Counts it.
    pub(super) fn visit(
        &self,
        host: &Host,
        domain: &Domain,
        path: &str,
        mark: Option<&str>,
    ) -> Result<Visit> {
        let made = Visit::new(host, domain, path, mark);
        let count = match &made {
            Ok(_) => &self.counts.visits,
            Err(_) => &self.counts.refused,
        };
        count.fetch_add(1, Ordering::Relaxed);
        made.map_err(|why| Error::Gate {
            method: Method::GET.to_string(),
            path: format!("{domain}{path}"),
            why: why.to_owned(),
        })
    }

    /// A handshake with a router, in every mode: what it may be is settled by its own rule
    /// ([`Hello::new`]). Counts it.
    pub(super) fn hello(&self, host: &Host, domain: &Domain) -> Result<Hello> {
        let made = Hello::new(host, domain);
        let count = match &made {
            Ok(_) => &self.counts.hellos,
            Err(_) => &self.counts.refused,
        };
        count.fetch_add(1, Ordering::Relaxed);
        made.map_err(|why| Error::Gate {
            method: "a handshake".to_owned(),
            path: format!("for {domain}"),
            why: why.to_owned(),
        })
    }

    /// Lets a request pass and counts it, or says why not. `path` is without its query.
    pub fn judge(&self, method: &Method, path: &str, headers: &HeaderMap) -> Result<Kind> {
        if self.mode == Mode::OnCall
            && let Err(why) = on_call(method, path, headers)
        {
            self.counts.refused.fetch_add(1, Ordering::Relaxed);
            return Err(Error::Gate {
                method: method.to_string(),
                path: path.to_owned(),
                why: why.to_owned(),
            });
        }
        let kind = classify(method, path);
        let count = match kind {
            Kind::Reading => &self.counts.reading,
            Kind::Changing => &self.counts.changing,
            Kind::Exec => &self.counts.exec,
        };
        count.fetch_add(1, Ordering::Relaxed);
        Ok(kind)
    }
}

/// What a request does. Whatever is not plainly reading or plainly exec counts as changing.
fn classify(method: &Method, path: &str) -> Kind {
    let parts = parts(path);
    if *method == Method::GET || *method == Method::HEAD {
        // The WebSocket attach is a GET that writes into a container.
        return match parts.as_slice() {
            ["containers", _, "attach", ..] => Kind::Changing,
            _ => Kind::Reading,
        };
    }
    match parts.as_slice() {
        // Waiting for a container's end is asked for by POST, and changes nothing.
        ["containers", _, "wait"] if *method == Method::POST => Kind::Reading,
        ["containers", _, "exec"] | ["exec", _, "start" | "resize"] if *method == Method::POST => {
            Kind::Exec
        }
        _ => Kind::Changing,
    }
}

/// The parts of a path, without the version prefix.
fn parts(path: &str) -> Vec<&str> {
    let mut parts: Vec<&str> = path.strip_prefix('/').unwrap_or(path).split('/').collect();
    if parts.first().is_some_and(|first| is_version(first)) {
        parts.remove(0);
    }
    parts
}

/// `v1.41`, and nothing else.
fn is_version(part: &str) -> bool {
    let digits = |text: &str| {
        !text.is_empty() && text.len() <= 3 && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    part.strip_prefix('v')
        .and_then(|rest| rest.split_once('.'))
        .is_some_and(|(major, minor)| digits(major) && digits(minor))
}

/// The rules of on-call mode.
fn on_call(
    method: &Method,
    path: &str,
    headers: &HeaderMap,
) -> std::result::Result<(), &'static str> {
    if *method != Method::GET && *method != Method::HEAD {
        return Err("only GET and HEAD read");
    }
    if headers.contains_key(header::UPGRADE) {
        return Err("an upgraded connection can write");
    }
    let upgrades = |value: &http::HeaderValue| {
        value
            .to_str()
            .map_or(true, |text| text.to_ascii_lowercase().contains("upgrade"))
    };
    if headers.get_all(header::CONNECTION).iter().any(upgrades) {
        return Err("an upgraded connection can write");
    }
    if !path.starts_with('/') {
        return Err("the path does not start with a slash");
    }
    // No percent signs, backslashes, semicolons, control characters or letters beyond ASCII:
    // whatever two servers could read in two ways.
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/_.:@+-".contains(&byte);
    if !path.bytes().all(plain) {
        return Err("the path has characters that no route on the list has");
    }
    let parts = parts(path);
    if parts.iter().any(|part| matches!(*part, "" | "." | "..")) {
        return Err("the path has an empty or a dotted part");
    }
    let allowed = match parts.as_slice() {
        ["_ping" | "version" | "info" | "events"] => true,
        ["containers" | "images", "json"] => true,
        [
            "containers",
            id,
            "json" | "logs" | "stats" | "top" | "archive",
        ] => is_name(id),
        // An image's name has slashes of its own; its first part is still no route.
        ["images", name @ .., "json"] => {
            !name.is_empty() && name.iter().all(|part| is_image_part(part))
        }
        ["networks"] | ["volumes"] => true,
        ["networks" | "volumes", id] => is_name(id),
        ["system", "df"] => true,
        _ => false,
    };
    if !allowed {
        return Err("the route is not on the list of reading routes");
    }
    Ok(())
}

/// The names and ids of containers, networks and volumes.
fn is_name(part: &str) -> bool {
    part.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
}

/// One part of an image's name, with tag or digest.
fn is_image_part(part: &str) -> bool {
    part.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"_.:@+-".contains(&byte))
}

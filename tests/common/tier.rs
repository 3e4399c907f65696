//! Which tiers of tests this machine can run.
//!
//! A test of a tier begins with `let Some(engine) = tier::engine() else { return };`. What is left
//! out is said there and then, and once more at the end of `cargo test` by `tests/zz_tiers.rs`. With
//! `OSTLER_REQUIRE=engine,terminal` a tier that cannot run fails instead.

#![allow(dead_code)] // every test binary takes what it needs of this

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

/// Images that the tests against an engine need; `fixtures/images/build` makes them.
pub const IMAGES: [&str; 5] = [
    "debian:trixie-slim",
    "haproxy:3.0",
    "nginx:1.28",
    "ostler-test/web:1",
    "php:8.4-apache",
];

/// The engine that tests may use.
#[derive(Debug, Clone)]
pub struct Engine {
    /// Its socket.
    pub socket: PathBuf,
    /// `unix://…`
    pub address: String,
}

/// Why a tier cannot run, in words that say what would change it.
pub type LeftOut = String;

/// Tiers that must run, from `OSTLER_REQUIRE`.
pub fn required() -> Vec<String> {
    let list = std::env::var("OSTLER_REQUIRE").unwrap_or_default();
    let names = list.split(',').map(str::trim).filter(|n| !n.is_empty());
    names.map(str::to_owned).collect()
}

/// The engine, or `None` after saying that the test is left out.
pub fn engine() -> Option<Engine> {
    ask("engine", find_engine())
}

/// The machine's engine, where hosts of a test's own can be brought up beside it.
pub fn fleet() -> Option<Engine> {
    ask("fleet", find_fleet())
}

/// The engine, where a registry of a test's own can be brought up beside it.
pub fn registry() -> Option<Engine> {
    ask("engine", find_registry())
}

/// The folder of `pebble` and its DNS server, where a certificate authority of a test's own, and a DNS
/// server whose zones can be changed, can be started.
pub fn acme() -> Option<PathBuf> {
    ask("acme", find_acme())
}

/// Whether terminals can be opened; says so when not.
pub fn terminal() -> Option<()> {
    ask("terminal", find_terminal())
}

fn ask<T>(tier: &str, found: Result<T, LeftOut>) -> Option<T> {
    match found {
        Ok(it) => Some(it),
        Err(why) if required().iter().any(|r| r == tier) => {
            panic!("the tier {tier} is required and cannot run: {why}")
        }
        Err(why) => {
            println!("left out: {tier} tier: {why}");
            None
        }
    }
}

/// A Docker Engine with the images of the tests, behind a unix socket.
pub fn find_engine() -> Result<Engine, LeftOut> {
    if std::env::var_os("OSTLER_NO_ENGINE").is_some_and(|v| !v.is_empty()) {
        return Err("OSTLER_NO_ENGINE is set".into());
    }
    let socket = match std::env::var("DOCKER_HOST") {
        Ok(host) => match host.strip_prefix("unix://") {
            Some(path) => PathBuf::from(path),
            None => return Err(format!("DOCKER_HOST is {host}, not a unix socket")),
        },
        Err(_) => PathBuf::from("/var/run/docker.sock"),
    };
    let images = get(&socket, "/images/json").map_err(|e| format!("{}: {e}", socket.display()))?;
    let missing: Vec<&str> = IMAGES
        .into_iter()
        .filter(|image| !images.contains(&format!("\"{image}\"")))
        .collect();
    if !missing.is_empty() {
        let list = missing.join(", ");
        return Err(format!("no image {list}; run fixtures/images/build"));
    }
    let address = format!("unix://{}", socket.display());
    Ok(Engine { socket, address })
}

/// One GET in HTTP/1.0, so that the engine closes the connection at the end of its answer.
fn get(socket: &PathBuf, path: &str) -> Result<String, String> {
    let limit = Some(Duration::from_secs(10));
    let answer = || -> std::io::Result<Vec<u8>> {
        let mut stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(limit)?;
        stream.write_all(format!("GET {path} HTTP/1.0\r\nHost: docker\r\n\r\n").as_bytes())?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(answer)
    };
    let answer = answer().map_err(|e| e.to_string())?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    match answer.split_whitespace().nth(1) {
        Some("200") => Ok(answer),
        _ => Err("it does not answer like a Docker Engine".into()),
    }
}

/// A registry is a program of Debian's.
pub fn find_registry() -> Result<Engine, LeftOut> {
    let engine = find_engine()?;
    let path = path();
    let there = |program: &str| {
        let mut folders = std::env::split_paths(&path);
        folders.any(|folder| folder.join(program).is_file())
    };
    for (program, package) in [
        ("docker-registry", "docker-registry"),
        ("docker", "docker.io"),
    ] {
        if !there(program) {
            return Err(format!("no {program}; install {package}"));
        }
    }
    Ok(engine)
}

/// What `tests/fleet/host` needs: root, network namespaces, a dockerd to start.
pub fn find_fleet() -> Result<Engine, LeftOut> {
    let engine = find_engine()?;
    let run = |program: &str, arguments: &[&str]| {
        std::process::Command::new(program)
            .args(arguments)
            .env("PATH", path())
            .output()
            .ok()
            .filter(|out| out.status.success())
    };
    match run("id", &["-u"]) {
        Some(out) if out.stdout == b"0\n" => {}
        _ => return Err("hosts in network namespaces need root".into()),
    }
    for (program, package) in [
        ("ip", "iproute2"),
        ("nsenter", "util-linux"),
        ("dockerd", "docker.io"),
    ] {
        if run(program, &["--version"])
            .or_else(|| run(program, &["-V"]))
            .is_none()
        {
            return Err(format!("no {program}; install {package}"));
        }
    }
    for (program, package) in [
        ("sshd", "openssh-server"),
        ("ssh-keygen", "openssh-client"),
        ("openssl", "openssl"),
        ("ss", "iproute2"),
        ("setsid", "util-linux"),
        ("pgrep", "procps"),
        ("curl", "curl"),
    ] {
        if run("sh", &["-c", "command -v \"$1\"", "sh", program]).is_none() {
            return Err(format!("no {program}; install {package}"));
        }
    }
    // Tests of one process probe at the same time.
    static PROBES: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let probe = PROBES.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let name = format!("ostler-probe-{}-{probe}", std::process::id());
    if run("ip", &["netns", "add", &name]).is_none() {
        return Err("network namespaces cannot be made here".into());
    }
    run("ip", &["netns", "del", &name]);
    Ok(engine)
}

/// `pebble` is fetched where it is not yet; The rest has to be there.
pub fn find_acme() -> Result<PathBuf, LeftOut> {
    static FOUND: std::sync::OnceLock<Result<PathBuf, LeftOut>> = std::sync::OnceLock::new();
    let find = || {
        let path = path();
        for (program, package) in [
            ("named", "bind9"),
            ("dig", "bind9-dnsutils"),
            ("nsupdate", "bind9-dnsutils"),
            ("curl", "curl"),
        ] {
            let mut folders = std::env::split_paths(&path);
            if !folders.any(|folder| folder.join(program).is_file()) {
                return Err(format!("no {program}; install {package}"));
            }
        }
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fleet/pebble");
        let out = std::process::Command::new(script).output();
        let out = out.map_err(|e| format!("{script}: {e}"))?;
        let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        match out.status.success() {
            true => Ok(PathBuf::from(said(&out.stdout))),
            false => Err(said(&out.stderr)),
        }
    };
    FOUND.get_or_init(find).clone()
}

fn path() -> String {
    let path = std::env::var("PATH").unwrap_or_default();
    format!("{path}:/usr/sbin:/sbin")
}

/// A pseudo-terminal.
pub fn find_terminal() -> Result<(), LeftOut> {
    portable_pty::native_pty_system()
        .openpty(portable_pty::PtySize::default())
        .map(drop)
        .map_err(|e| format!("no pseudo-terminal: {e}"))
}

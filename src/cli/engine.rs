//! Which engine is meant when no fleet file says so: as Docker's own client would choose it, and
//! never with less care.

mod contexts;

use std::env;
use std::path::PathBuf;

pub use contexts::{Docker, DockerContext};

use super::Failure;
use super::args::EngineArg;
use crate::fleet::{self, EngineAddress, Name};

/// Where Docker listens unless told otherwise.
const DEFAULT_SOCKET: &str = "/var/run/docker.sock";

/// An engine, and who says that it is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub address: EngineAddress,
    /// Who says so: `--host`, `DOCKER_HOST`, `the Docker context prod (DOCKER_CONTEXT)`.
    pub by: String,
    /// The Docker context it comes from.
    pub context: Option<String>,
}

impl Found {
    /// The context's name, as far as it is a name of ours.
    pub fn name(&self) -> Option<Name> {
        self.context.as_deref()?.to_lowercase().parse().ok()
    }
}

/// What of the environment has a say.
#[derive(Debug, Clone)]
struct Environment {
    host: Option<String>,
    verify: bool,
    certificates: Option<PathBuf>,
    context: Option<String>,
    docker: Docker,
    sockets: Vec<PathBuf>,
}

impl Environment {
    fn read() -> Self {
        let text = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        let home = || env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
        let folder = text("DOCKER_CONFIG").map(PathBuf::from);
        Environment {
            host: text("DOCKER_HOST"),
            verify: text("DOCKER_TLS_VERIFY").is_some(),
            certificates: text("DOCKER_CERT_PATH").map(PathBuf::from),
            context: text("DOCKER_CONTEXT"),
            docker: Docker {
                folder: folder.unwrap_or_else(|| home().join(".docker")),
            },
            sockets: sockets(),
        }
    }
}

/// The engine that `--host` names, an address or a Docker context; else `DOCKER_HOST`; else the
/// context of `DOCKER_CONTEXT`; else the one that `docker context use` chose; else the first socket
/// found where a Docker usually has it.
///
/// # Errors
/// What says which engine is meant cannot be understood, or asks for what is not done: TLS without
/// verification. Nothing is connected to yet.
pub fn here(arg: &EngineArg) -> Result<Found, Failure> {
    find(arg, &Environment::read())
}

/// The Docker contexts of this operator, for mentioning them.
pub fn contexts() -> Vec<DockerContext> {
    Environment::read().docker.all()
}

fn find(arg: &EngineArg, around: &Environment) -> Result<Found, Failure> {
    if let Some(asked) = arg.address.as_deref() {
        if asked != "default" && Docker::is_name(asked) {
            if let Some(context) = around.docker.context(asked)? {
                return of_context(arg, around, context, "--host");
            }
            return Err(no_context(asked, "--host", around));
        }
        if asked != "default" {
            return of_address(arg, around, asked, "--host");
        }
    } else if let Some(address) = &around.host {
        return of_address(arg, around, address, "DOCKER_HOST");
    } else if let Some(name) = &around.context {
        return named(arg, around, name, "DOCKER_CONTEXT");
    } else if let Some(name) = around.docker.current()? {
        let file = around.docker.config();
        return named(arg, around, &name, &file.display().to_string());
    }
    let path = around.sockets.iter().find(|path| path.exists());
    let path = path.map_or(DEFAULT_SOCKET.into(), |path| path.to_string_lossy());
    let address = EngineAddress::Unix { path: path.into() };
    Ok(Found {
        address: with_tls(arg, address, None)?,
        by: "the machine's own socket".into(),
        context: None,
    })
}

fn named(arg: &EngineArg, around: &Environment, name: &str, by: &str) -> Result<Found, Failure> {
    if name == "default" {
        let arg = EngineArg {
            address: Some("default".into()),
            ..arg.clone()
        };
        return find(&arg, around);
    }
    match around.docker.context(name)? {
        Some(context) => of_context(arg, around, context, by),
        None => Err(no_context(name, by, around)),
    }
}

fn no_context(name: &str, by: &str, around: &Environment) -> Failure {
    let all = around.docker.all();
    let names: Vec<&str> = all.iter().map(|context| context.name.as_str()).collect();
    let known = match names.as_slice() {
        [] => "there are no Docker contexts here".to_owned(),
        names => format!("the Docker contexts here are {}", names.join(", ")),
    };
    let failure = Failure::new(format!(
        "{by}: {name:?} is neither a Docker context nor the address of an engine"
    ));
    match fleet::nearest(name, names.iter().copied()) {
        Some(near) => failure.help(format!("did you mean {near}? {known}")),
        None => failure.help(format!(
            "{known}; an address is unix:///var/run/docker.sock, ssh://user@host or tcp://host:2376"
        )),
    }
}

fn of_context(
    arg: &EngineArg,
    around: &Environment,
    context: DockerContext,
    by: &str,
) -> Result<Found, Failure> {
    let DockerContext {
        name,
        host,
        tls,
        skips_verification,
    } = context;
    let by = format!("the Docker context {name} ({by})");
    let address = match host.as_str() {
        "" => around
            .sockets
            .iter()
            .find(|path| path.exists())
            .map_or_else(
                || format!("unix://{DEFAULT_SOCKET}"),
                |path| format!("unix://{}", path.display()),
            ),
        host => host.to_owned(),
    };
    let address = parse(&by, &address)?;
    if skips_verification && matches!(address, EngineAddress::Tcp { .. }) && arg.tls.is_none() {
        return Err(Failure::new(format!(
            "{by} says SkipTLSVerify: whoever stands in between could be the engine, and ostler does not connect so"
        ))
        .help(format!(
            "name the engine's CA: `docker context update {name} --docker host={host},ca=ca.pem,cert=cert.pem,key=key.pem`, or `--tls FOLDER` with these three"
        )));
    }
    Ok(Found {
        address: with_tls(arg, address, tls)?,
        by,
        context: Some(name),
    })
}

fn of_address(
    arg: &EngineArg,
    around: &Environment,
    address: &str,
    by: &str,
) -> Result<Found, Failure> {
    let asked = by == "--host";
    // The folder that Docker's own client takes when it is told to verify.
    let usual = || Some(around.docker.folder.clone());
    let usual_if_there = || usual().filter(|folder| folder.join("key.pem").exists());
    let tls = match &around.certificates {
        Some(folder) => Some(folder.clone()),
        None if around.verify => usual(),
        None if asked => usual_if_there(),
        None => None,
    };
    Ok(Found {
        address: with_tls(arg, parse(by, address)?, tls)?,
        by: by.to_owned(),
        context: None,
    })
}

/// How an engine over TCP is spoken to: as the arguments say, else with the files found.
fn with_tls(
    arg: &EngineArg,
    address: EngineAddress,
    found: Option<PathBuf>,
) -> Result<EngineAddress, Failure> {
    let EngineAddress::Tcp { host, port, .. } = address else {
        return match arg.tls.is_some() || arg.insecure {
            true => Err(Failure::new(format!(
                "--tls and --insecure belong to tcp:// engines; this one is {address}"
            ))),
            false => Ok(address),
        };
    };
    if arg.tls.is_some() && arg.insecure {
        return Err(Failure::new(
            "an engine is reached with --tls or --insecure, not both",
        ));
    }
    let folder = match arg.insecure {
        true => None,
        false => arg.tls.clone().or(found),
    };
    Ok(EngineAddress::Tcp {
        host,
        port,
        tls: folder.map(written),
        insecure: arg.insecure,
    })
}

/// A folder as a fleet file would name it: from the operator's home, else from the root.
fn written(folder: PathBuf) -> String {
    if folder.starts_with("~") {
        return folder.to_string_lossy().into_owned();
    }
    let folder = std::path::absolute(&folder).unwrap_or(folder);
    let home = env::var_os("HOME").map(PathBuf::from);
    let home = home.filter(|home| home.is_absolute() && home.parent().is_some());
    match home.and_then(|home| Some(folder.strip_prefix(home).ok()?.to_owned())) {
        Some(rest) => format!("~/{}", rest.display()),
        None => folder.to_string_lossy().into_owned(),
    }
}

fn parse(from: &str, address: &str) -> Result<EngineAddress, Failure> {
    address
        .parse()
        .map_err(|invalid| Failure::new(format!("{from}: {address:?} is no engine: {invalid}")))
}

/// Sockets in the order they are tried: the machine's own Docker, a rootless one, a desktop's.
fn sockets() -> Vec<PathBuf> {
    let mut paths = vec![PathBuf::from(DEFAULT_SOCKET)];
    if let Some(runtime) = env::var_os("XDG_RUNTIME_DIR") {
        paths.push(PathBuf::from(runtime).join("docker.sock"));
    }
    if let Some(home) = env::var_os("HOME") {
        let home = PathBuf::from(home);
        paths.push(home.join(".docker/run/docker.sock"));
        paths.push(home.join(".docker/desktop/docker.sock"));
    }
    paths
}

#[cfg(test)]
#[path = "engine/tests.rs"]
mod tests;

//! Which engine is meant when no fleet file says so.

use std::env;
use std::path::PathBuf;

use super::Failure;
use crate::fleet::EngineAddress;

/// Where Docker listens unless told otherwise.
const DEFAULT_SOCKET: &str = "/var/run/docker.sock";

/// The engine that `--host` names; else `DOCKER_HOST`; else the first socket found where a Docker
/// usually has it.
pub fn here(address: Option<&str>) -> Result<EngineAddress, Failure> {
    if let Some(address) = address {
        return parse("--host", address);
    }
    if let Ok(address) = env::var("DOCKER_HOST")
        && !address.is_empty()
    {
        return parse("DOCKER_HOST", &address);
    }
    let found = sockets().into_iter().find(|path| path.exists());
    let path = found.unwrap_or_else(|| DEFAULT_SOCKET.into());
    Ok(EngineAddress::Unix {
        path: path.to_string_lossy().into_owned(),
    })
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

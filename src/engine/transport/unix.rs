//! Unix sockets, with the reasons why one cannot be opened told apart.

use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::os::unix::fs::FileTypeExt;
use std::sync::Arc;

use tokio::net::{TcpStream, UnixStream};

use super::connector::{Connector, NoPort, Reached};
use crate::engine::error::{Error, Result};

impl Connector {
    /// Connections to a Unix socket on this machine.
    pub fn unix(path: &str) -> Self {
        let path: Arc<str> = path.into();
        Self::new(move || dial(path.clone())).with_ports(own_port)
    }
}

/// Opens one connection.
async fn dial(path: Arc<str>) -> Result<UnixStream> {
    UnixStream::connect(&*path)
        .await
        .map_err(|error| explain(&path, &error))
}

/// A port of this machine, which is the engine's.
async fn own_port(port: u16) -> std::result::Result<Reached, NoPort> {
    match TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await {
        Ok(stream) => Ok(Reached::on_host(stream)),
        Err(error) => Err(NoPort::Refused(format!("127.0.0.1:{port}: {error}"))),
    }
}

fn explain(path: &str, error: &std::io::Error) -> Error {
    let address = || format!("unix://{path}");
    match error.kind() {
        ErrorKind::NotFound => Error::NoSocket { path: path.to_owned() },
        ErrorKind::PermissionDenied => Error::PermissionDenied {
            path: path.to_owned(),
            remedy: "run it with sudo, or join the group that owns the socket: `sudo usermod -aG docker $USER`, then log in again (that group is as good as root)".to_owned(),
        },
        // A plain file and a directory refuse connections just as a deserted socket does.
        ErrorKind::ConnectionRefused => match std::fs::metadata(path) {
            Ok(meta) if !meta.file_type().is_socket() => Error::NotDocker {
                address: address(),
                what: if meta.is_dir() { "it is a folder" } else { "it is a file, not a socket" }.to_owned(),
            },
            _ => Error::NotListening { address: address() },
        },
        _ => Error::Unreachable { address: address(), why: error.to_string() },
    }
}

//! The calls that the rest of the program makes, and no others.

use std::sync::Arc;

use bollard::models::SystemInfo;

use super::error::{Error, Result, TlsProblem};
use super::gate::Gate;
use super::hello::Greeted;
use super::registry::Registries;
use super::transport::{Certificates, Connector, Network};
use super::version::{self, EngineVersion};
use super::visit::Visited;
use super::wire::{Call, READ, Wire};
use crate::fleet::{Domain, EngineAddress, Host};

mod archive;
mod container;
mod exec;
mod image;
mod network;
mod stream;

pub use archive::Pieces;
pub use exec::ExecOutput;
pub use stream::LogOptions;

/// A connection to one engine. Cheap to clone; clones share connections, counts and clock.
///
/// Deadlines: making a connection has its own, and none while the operator is being asked; reading
/// calls 8 s, the body included; stop and restart their grace and 8 s; create
/// and start 60 s; uploads, pulls and builds a time without any progress (30 s, 60 s and 300 s: a
/// step of a build may well say nothing for minutes) and none in all; logs and events none, once
/// they have begun.
#[derive(Clone)]
pub struct Client {
    wire: Arc<Wire>,
    docker: bollard::Docker,
    version: Arc<EngineVersion>,
    registries: Registries,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Client({})", self.wire.address)
    }
}

impl Client {
    /// Connects to the engine at an address of the fleet file, with nobody to answer questions.
    pub async fn connect(address: &EngineAddress, gate: Gate) -> Result<Client> {
        Self::connect_by(&Network::headless(), address, gate).await
    }

    /// Connects to the engine at an address of the fleet file, the way that `network` knows.
    pub async fn connect_by(
        network: &Network,
        address: &EngineAddress,
        gate: Gate,
    ) -> Result<Client> {
        let connector = network.connector(address)?;
        let client = Self::over(connector, &address.to_string(), gate).await?;
        Ok(Client {
            registries: network.registries().clone(),
            ..client
        })
    }

    /// Connects over any connector; no registry is logged in at. `address` is what messages call the
    /// engine.
    ///
    /// Asks the engine once which versions of the API it speaks; every request after that carries
    /// the lower of its newest and ours.
    pub async fn over(connector: Connector, address: &str, gate: Gate) -> Result<Client> {
        let mut wire = Wire::new(connector, address, gate);
        let answer = match wire
            .ask(Call::get("/version", "ask for its version"), READ)
            .await
        {
            Ok(answer) => answer,
            // dockerd with TLS has words for whoever asks without, and an address may say either.
            Err(Error::Status { message, .. })
                if message.contains("request to an HTTPS server") =>
            {
                return Err(Error::Tls {
                    address: address.to_owned(),
                    problem: Box::new(TlsProblem::OnlyTls),
                });
            }
            // A web server answers too, with its own idea of this path.
            Err(Error::Status { code, .. }) if code < 500 => {
                return Err(Error::NotDocker {
                    address: address.to_owned(),
                    what: format!("it answers /version with status {code}"),
                });
            }
            Err(error) => return Err(error),
        };
        let version = version::negotiate(address, &answer.bytes)?;
        wire.speak(version.api);
        let wire = Arc::new(wire);
        let docker = docker(wire.clone(), &version)?;
        Ok(Client {
            wire,
            docker,
            version: Arc::new(version),
            registries: Registries::default(),
        })
    }

    /// The gate that every request of this client passes.
    pub fn gate(&self) -> &Gate {
        &self.wire.gate
    }

    /// What messages call this engine: `unix:///var/run/docker.sock`.
    pub fn address(&self) -> &str {
        &self.wire.address
    }

    /// What the engine said about itself when we connected.
    pub fn version(&self) -> &EngineVersion {
        &self.version
    }

    /// Waits `after` for something that consists of several calls. While a connection is being
    /// made, and the operator may be asked, it waits on.
    ///
    /// # Errors
    /// Those of `doing`, or [`Error::Deadline`] with `what`.
    pub async fn within<T>(
        &self,
        after: std::time::Duration,
        what: &str,
        doing: std::pin::Pin<Box<impl Future<Output = Result<T>>>>,
    ) -> Result<T> {
        self.wire.within(after, what, doing).await
    }

    /// Bollard, over the same connections, prefix and gate. Its calls have no deadlines of ours.
    pub fn docker(&self) -> &bollard::Docker {
        &self.docker
    }

    /// The engine's clock, unix seconds, from its newest answer and the time since.
    pub fn daemon_now(&self) -> Option<i64> {
        self.wire.daemon_now()
    }

    /// How long the certificates of the connection are good for; `None` where it has none.
    pub fn certificates(&self) -> Option<Certificates> {
        self.wire.shown.certificates()
    }

    /// Whether the engine answers at all.
    pub async fn ping(&self) -> Result<()> {
        self.wire
            .ask(Call::get("/_ping", "ping"), READ)
            .await
            .map(drop)
    }

    /// Whether the engine is still the release, speaking the API, that was found when we
    /// connected: it may have been updated while it was away.
    ///
    /// # Errors
    /// It does not answer, or not as an engine does.
    pub async fn is_as_before(&self) -> Result<bool> {
        let answer = self
            .wire
            .ask(Call::get("/version", "ask for its version"), READ)
            .await?;
        let now = version::negotiate(&self.wire.address, &answer.bytes)?;
        Ok(now == *self.version)
    }

    /// Asks a site on the engine's host as a visitor would, through the router there. That is no
    /// request to the engine. Getting there and waiting for the answer may take `within` each.
    ///
    /// # Errors
    /// The gate refuses it: domain, path or mark are none.
    pub async fn visit(
        &self,
        host: &Host,
        (domain, path): (&Domain, &str),
        mark: Option<&str>,
        within: std::time::Duration,
    ) -> Result<Visited> {
        let visit = self.wire.gate.visit(host, domain, path, mark)?;
        Ok(self.wire.visit(visit, within).await)
    }

    /// Asks the router on the engine's host which certificates it shows for a domain, by a handshake and
    /// nothing more. That is no request to the engine. Getting there and the handshake may take `within`
    /// each.
    ///
    /// # Errors
    /// The gate refuses it: the domain is none.
    pub async fn hello(
        &self,
        host: &Host,
        domain: &Domain,
        within: std::time::Duration,
    ) -> Result<Greeted> {
        let hello = self.wire.gate.hello(host, domain)?;
        Ok(self.wire.hello(hello, within).await)
    }

    /// What the engine says about its machine.
    pub async fn info(&self) -> Result<SystemInfo> {
        self.wire
            .ask(Call::get("/info", "ask about the machine"), READ)
            .await?
            .parse()
    }
}

/// Bollard over our wire.
fn docker(wire: Arc<Wire>, version: &EngineVersion) -> Result<bollard::Docker> {
    use http_body_util::BodyExt;
    let address = wire.address.clone();
    let transport = move |request: bollard::BollardRequest| {
        let wire = wire.clone();
        async move {
            let request = request.map(|body| body.map_err(std::io::Error::other).boxed_unsync());
            wire.send_foreign(request)
                .await
                .map_err(|error| bollard::errors::Error::IOError {
                    err: std::io::Error::other(error),
                })
        }
    };
    let speaks = bollard::ClientVersion {
        major_version: usize::from(version.api.major),
        minor_version: usize::from(version.api.minor),
    };
    bollard::Docker::connect_with_custom_transport(transport, Some("http://docker"), 120, &speaks)
        .map_err(|error| Error::Unreachable {
            address,
            why: error.to_string(),
        })
}

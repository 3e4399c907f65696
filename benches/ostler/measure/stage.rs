//! A place on an engine for one benchmark: names, a root folder and ports of its own, and a way to
//! remove all of it.

use std::net::TcpListener;
use std::path::PathBuf;
use std::time::Duration;

use bollard::models::{ContainerCreateBody, HostConfig};
use futures_util::stream::{self, StreamExt};
use ostler::cli::Failure;
use ostler::engine::{Client, Gate};
use ostler::fleet::EngineAddress;

use super::program::{self, say};

/// The label that everything carries that is no site's; its value is the fleet's name.
pub const LABEL: &str = "ostler.bench";
/// Changing calls at the same time.
pub const AT_ONCE: usize = 4;
/// Folders of benchmarks on the engine's host lie here.
const PARENT: &str = "/srv";

/// Where one benchmark works.
pub struct Stage {
    /// A connection that may change things.
    pub client: Client,
    /// The engine's address.
    pub address: EngineAddress,
    /// Name of the fleet, unlike any other.
    pub fleet: String,
    /// The folder on this machine, with the fleet file.
    pub folder: PathBuf,
    ports: (u16, u16),
}

impl Stage {
    /// Chooses names and ports; puts nothing on the engine yet.
    pub async fn new(address: &EngineAddress) -> Result<Stage, Failure> {
        let client = Client::connect(address, Gate::full()).await?;
        let mut bytes = [0u8; 4];
        getrandom::fill(&mut bytes)
            .map_err(|e| Failure::new(format!("there is no randomness: {e}")))?;
        let fleet = format!("bench-{:08x}", u32::from_be_bytes(bytes));
        let folder = std::env::temp_dir().join(format!("ostler-{fleet}"));
        std::fs::create_dir(&folder)
            .map_err(|e| Failure::caused(format!("cannot make {}", folder.display()), &e))?;
        Ok(Stage {
            client,
            address: address.clone(),
            fleet,
            folder,
            ports: (free_port()?, free_port()?),
        })
    }

    /// The root folder on the host.
    pub fn root(&self) -> String {
        format!("{PARENT}/ostler-{}", self.fleet)
    }

    /// The fleet file.
    pub fn file(&self) -> PathBuf {
        self.folder.join("fleet.yml")
    }

    /// Writes the fleet file: that many sites, the first of which runs, the others in `state`.
    pub fn write(&self, sites: usize, state: &str) -> Result<String, Failure> {
        use std::fmt::Write;
        let (fleet, root, (http, https)) = (&self.fleet, self.root(), self.ports);
        let mut text = format!(
            "fleet: {fleet}\ndefaults:\n  memory: 64M\nhosts:\n  here:\n    engine: \"{}\"\n    root: {root}\n    ports: {{ http: {http}, https: {https} }}\nsites:\n",
            self.address
        );
        for site in 0..sites {
            let state = if site == 0 { "running" } else { state };
            // Writing to a string cannot fail.
            let _ = write!(
                text,
                "  site-{site:04}:\n    host: here\n    recipe: static\n    domains: [site-{site:04}.{fleet}.localhost]\n    state: {state}\n"
            );
        }
        std::fs::write(self.file(), &text)
            .map_err(|e| Failure::caused("cannot write a fleet file", &e))?;
        Ok(text)
    }

    /// Runs the program on the stage's fleet file; how long that took.
    pub async fn ostler(&self, arguments: &[&str]) -> Result<Duration, Failure> {
        program::ostler(&self.folder, arguments).await
    }

    /// Creates containers, a few at a time.
    pub async fn create(
        &self,
        containers: Vec<(String, ContainerCreateBody)>,
    ) -> Result<Vec<String>, Failure> {
        let asking: Vec<_> = containers
            .iter()
            .map(|(name, body)| self.client.create(name, body))
            .collect();
        let created: Vec<_> = stream::iter(asking).buffered(AT_ONCE).collect().await;
        created
            .into_iter()
            .collect::<Result<_, _>>()
            .map_err(Failure::from)
    }

    /// Removes everything, on the engine and here.
    pub async fn clear(self) -> Result<(), Failure> {
        say("removing everything again");
        let cleared = self.clear_engine().await;
        let _ = std::fs::remove_dir_all(&self.folder);
        cleared.map_err(|failure| {
            let root = self.root();
            failure.help(format!(
                "what is left on the engine is named after {}, and its folder is {root}",
                self.fleet
            ))
        })
    }

    async fn clear_engine(&self) -> Result<(), Failure> {
        let mut toolbox = None;
        let mut removing = Vec::new();
        for container in self.client.containers().await? {
            let label = |key: &str| container.labels.get(key) == Some(&self.fleet);
            if !label("ostler.fleet") && !label(LABEL) {
                continue;
            }
            if container
                .labels
                .get("ostler.role")
                .is_some_and(|role| role == "toolbox")
            {
                toolbox = Some(container.image.clone());
            }
            removing.push(async move { self.client.remove(&container.id, true).await });
        }
        let removed: Vec<_> = stream::iter(removing)
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        for result in removed {
            match result {
                Err(e) if !e.is_not_found() => return Err(e.into()),
                _ => {}
            }
        }
        // Without a toolbox nothing was written below the root folder.
        if let Some(image) = toolbox {
            self.remove_root(&image).await?;
        }
        for network in self.client.networks().await? {
            let labels = network.labels.unwrap_or_default();
            let ours = ["ostler.fleet", LABEL]
                .into_iter()
                .any(|key| labels.get(key) == Some(&self.fleet));
            if let (true, Some(id)) = (ours, network.id) {
                self.client.remove_network(&id).await?;
            }
        }
        Ok(())
    }

    /// Removes the root folder and the one for sockets on the host, from a container that sees the
    /// folders they lie in.
    async fn remove_root(&self, image: &str) -> Result<(), Failure> {
        let folder = format!("ostler-{}", self.fleet);
        let inside = ["/parent", "/run-of-host"].map(|parent| format!("{parent}/{folder}"));
        let words = ["rm", "-rf", "--"].map(str::to_owned);
        let words = words.into_iter().chain(inside);
        let body = ContainerCreateBody {
            image: Some(image.to_owned()),
            entrypoint: Some(words.collect()),
            cmd: Some(Vec::new()),
            user: Some("0:0".into()),
            host_config: Some(HostConfig {
                binds: Some(vec![
                    format!("{PARENT}:/parent"),
                    "/run:/run-of-host".into(),
                ]),
                network_mode: Some("none".into()),
                ..HostConfig::default()
            }),
            ..ContainerCreateBody::default()
        };
        let name = format!("ostler-{}-clear", self.fleet);
        let id = self.client.create(&name, &body).await?;
        let ran = async {
            self.client.start(&id).await?;
            self.client.wait(&id, Duration::from_secs(60)).await
        };
        let code = ran.await;
        self.client.remove(&id, true).await?;
        match code? {
            0 => Ok(()),
            code => Err(Failure::new(format!(
                "the folder {} could not be removed ({code})",
                self.root()
            ))),
        }
    }
}

/// A TCP port that nobody listens on.
pub fn free_port() -> Result<u16, Failure> {
    let bound = TcpListener::bind("0.0.0.0:0").and_then(|listener| listener.local_addr());
    bound
        .map(|address| address.port())
        .map_err(|e| Failure::caused("there is no free port", &e))
}

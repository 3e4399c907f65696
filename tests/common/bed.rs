//! A place for a test's own objects on an engine: names that nobody else has, and everything gone
//! at the end, however the test ends.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bollard::models::{
    ContainerCreateBody, EndpointIpamConfig, EndpointSettings, HostConfig, Ipam, IpamConfig,
    NetworkCreateRequest, NetworkingConfig,
};
use ostler::engine::{Client, Connector, Gate};
use ostler::sim::Sim;

use super::tier;

/// The label that everything of a test carries; its value is the test's own.
pub const LABEL: &str = "ostler.test";
/// The image of the tests' containers; both kinds of engine have it.
pub const IMAGE: &str = "debian:trixie-slim";

static COUNT: AtomicU32 = AtomicU32::new(0);

/// A client, and names for what a test creates with it.
pub struct Bed {
    /// Connected, with a gate that lets all pass.
    pub client: Client,
    /// The simulation behind it, if it is one.
    pub sim: Option<Sim>,
    connector: Connector,
    socket: Option<String>,
    run: String,
}

/// The real engine; `None` after saying that it is left out.
pub async fn engine() -> Option<Bed> {
    let found = tier::engine()?;
    let socket = found.socket.to_string_lossy().into_owned();
    let connector = Connector::unix(&socket);
    let client = Client::over(connector.clone(), &found.address, Gate::full())
        .await
        .expect("the engine answers");
    Some(Bed {
        client,
        connector,
        sim: None,
        socket: Some(socket),
        run: unique(),
    })
}

/// An engine by any address; `socket` is its own, through which is removed what a test leaves.
pub async fn at(address: &ostler::fleet::EngineAddress, socket: &std::path::Path) -> Bed {
    let connector = ostler::engine::Network::headless()
        .connector(address)
        .expect("an address that can be reached");
    let client = Client::over(connector.clone(), &address.to_string(), Gate::full())
        .await
        .expect("the engine answers");
    Bed {
        client,
        connector,
        sim: None,
        socket: Some(socket.to_string_lossy().into_owned()),
        run: unique(),
    }
}

/// A fresh simulation.
pub async fn sim() -> Bed {
    let sim = Sim::new(7);
    let client = Client::over(sim.connector(), sim.address(), Gate::full())
        .await
        .expect("the simulation answers");
    Bed {
        client,
        connector: sim.connector(),
        sim: Some(sim),
        socket: None,
        run: unique(),
    }
}

fn unique() -> String {
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("a clock after 1970");
    format!(
        "ost{:x}-{:x}-{count}",
        std::process::id(),
        now.subsec_nanos()
    )
}

impl Bed {
    /// The way to the engine, for another client of it.
    pub fn connector(&self) -> Connector {
        match &self.sim {
            Some(sim) => sim.connector(),
            None => self.connector.clone(),
        }
    }

    /// A name for a container or a network of this test.
    pub fn name(&self, what: &str) -> String {
        format!("{}-{what}", self.run)
    }

    /// The label of this test, as a filter wants it.
    pub fn label(&self) -> String {
        format!("{LABEL}={}", self.run)
    }

    fn labels(&self) -> HashMap<String, String> {
        HashMap::from([(LABEL.to_owned(), self.run.clone())])
    }

    /// A container that runs a shell script.
    pub fn script(&self, text: &str) -> ContainerCreateBody {
        self.command(&["sh", "-c", text])
    }

    /// A container that runs a command.
    pub fn command(&self, argv: &[&str]) -> ContainerCreateBody {
        ContainerCreateBody {
            image: Some(IMAGE.to_owned()),
            cmd: Some(argv.iter().map(|word| (*word).to_owned()).collect()),
            labels: Some(self.labels()),
            host_config: Some(HostConfig {
                network_mode: Some("none".to_owned()),
                ..Default::default()
            }),
            ..Default::default()
        }
    }

    /// A container that runs for long and ends at once when asked.
    pub fn idle(&self) -> ContainerCreateBody {
        self.script("trap 'exit 3' TERM; sleep 1000 & wait")
    }

    /// The same container, on a network, with an address of its own.
    pub fn at(
        &self,
        mut body: ContainerCreateBody,
        network: &str,
        ip: Ipv4Addr,
    ) -> ContainerCreateBody {
        let ipam = EndpointIpamConfig {
            ipv4_address: Some(ip.to_string()),
            ..Default::default()
        };
        let endpoint = EndpointSettings {
            ipam_config: Some(ipam),
            ..Default::default()
        };
        body.host_config.get_or_insert_default().network_mode = Some(network.to_owned());
        body.networking_config = Some(NetworkingConfig {
            endpoints_config: Some(HashMap::from([(network.to_owned(), endpoint)])),
        });
        body
    }

    /// Creates and starts a container. Its id.
    pub async fn started(&self, what: &str, body: &ContainerCreateBody) -> String {
        let id = self
            .client
            .create(&self.name(what), body)
            .await
            .expect("created");
        self.client.start(&id).await.expect("started");
        id
    }

    /// What asks for a network of this test.
    pub fn network_request(&self, what: &str, subnet: &str) -> NetworkCreateRequest {
        let pool = IpamConfig {
            subnet: Some(subnet.to_owned()),
            ..Default::default()
        };
        NetworkCreateRequest {
            name: self.name(what),
            driver: Some("bridge".to_owned()),
            ipam: Some(Ipam {
                config: Some(vec![pool]),
                ..Default::default()
            }),
            options: Some(HashMap::from([(
                "com.docker.network.bridge.enable_icc".to_owned(),
                "false".to_owned(),
            )])),
            labels: Some(self.labels()),
            ..Default::default()
        }
    }

    /// A network with a subnet that nothing else has: its name, its subnet, and the address in it
    /// that ends with that number.
    pub async fn network(&self, what: &str) -> (String, String, impl Fn(u8) -> Ipv4Addr) {
        let first = std::process::id() as u8;
        for step in 0..200u8 {
            let third = first
                .wrapping_add(step.wrapping_mul(7))
                .wrapping_add(COUNT.load(Ordering::Relaxed) as u8);
            let subnet = format!("10.233.{third}.0/24");
            match self
                .client
                .create_network(&self.network_request(what, &subnet))
                .await
            {
                Ok(_) => {
                    return (self.name(what), subnet, move |last| {
                        Ipv4Addr::new(10, 233, third, last)
                    });
                }
                // Someone has it, or an address in it.
                Err(error) => assert!(error.to_string().contains("403"), "{error}"),
            }
        }
        panic!("no free subnet below 10.233.0.0/16");
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        let Some(socket) = self.socket.take() else {
            return;
        };
        let run = self.run.clone();
        // The test's own runtime may be going down: this needs one of its own.
        let tidying = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async move {
                let tidy = tidy(&socket, &run);
                if tokio::time::timeout(Duration::from_secs(60), tidy)
                    .await
                    .is_err()
                {
                    eprintln!("what carries the label {LABEL}={run} could not be removed in time");
                }
            });
        });
        let _ = tidying.join();
    }
}

async fn tidy(socket: &str, run: &str) {
    let Ok(client) = Client::over(Connector::unix(socket), socket, Gate::full()).await else {
        return;
    };
    for container in client.containers().await.unwrap_or_default() {
        if container
            .labels
            .get(LABEL)
            .is_some_and(|label| label == run)
        {
            let _ = client.remove(&container.id, true).await;
        }
    }
    for network in client.networks().await.unwrap_or_default() {
        let ours = network
            .labels
            .as_ref()
            .and_then(|labels| labels.get(LABEL))
            .is_some_and(|label| label == run);
        if let (true, Some(id)) = (ours, &network.id) {
            let _ = client.remove_network(id).await;
        }
    }
}

//! A router with its toolbox on a real engine, on ports and in a folder of its own.

#![allow(dead_code)] // every test binary takes what it needs of this

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bollard::models::{
    ContainerCreateBody, EndpointIpamConfig, EndpointSettings, HostConfig, Ipam, IpamConfig,
    NetworkCreateRequest, NetworkingConfig, ResourcesUlimits,
};
use futures_util::StreamExt;
use ostler::engine::{Client, Gate, LogOptions};
use ostler::fleet::{EngineAddress, Images, Ports, Subnet};
use ostler::host::router::{self, Table};
use ostler::host::{Entry, Toolbox, archive, script, toolbox};
use ostler::record::Layout;
use ostler::record::layout::RUN;
use ostler::record::route as plan;
use ostler::record::route::{RouteEntry, RouteTarget, RouterConfig};

use crate::load;
use crate::tier::Engine;

/// The host's key, from which the mark of our own questions is made.
pub const KEY: &str = "of a test";
const TOOLBOX: &str = "ostler-test/toolbox:1";
static NUMBER: AtomicU32 = AtomicU32::new(0);

/// Everything that one test made; removed when it goes out of scope.
pub struct Stage {
    pub client: Client,
    pub toolbox: Toolbox,
    pub config: RouterConfig,
    /// Where visitors connect.
    pub front: SocketAddr,
    pub unique: String,
    dns: Option<Vec<String>>,
    made: Made,
}

struct Made {
    address: EngineAddress,
    root: String,
    /// The host's folder for sockets.
    run: String,
    containers: Vec<String>,
    networks: Vec<String>,
    toolbox: String,
}

impl Stage {
    /// A toolbox, the router's files for `table`, and a router that answers.
    pub async fn set(engine: &Engine, table: &Table) -> Stage {
        Stage::set_with(engine, table, None).await
    }

    /// The same, where the router asks a name server of the test's own.
    pub async fn set_with(engine: &Engine, table: &Table, dns: Option<Ipv4Addr>) -> Stage {
        let address: EngineAddress = engine.address.parse().unwrap();
        let client = Client::connect(&address, Gate::full()).await.unwrap();
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let unique = format!("{}-{number}-{:04x}", std::process::id(), random() & 0xffff);
        let root = format!("/tmp/ostler-test-router-{unique}");
        let run = format!("/run/ostler-test-{unique}");
        let ports = Ports {
            http: free_port(),
            https: free_port(),
        };
        build_toolbox(&client).await;
        let toolbox_name = format!("ostler-test-{unique}-toolbox");
        let made = Made {
            address,
            root: root.clone(),
            run: run.clone(),
            containers: vec![toolbox_name.clone()],
            networks: Vec::new(),
            toolbox: toolbox_name.clone(),
        };
        let body = ContainerCreateBody {
            image: Some(TOOLBOX.into()),
            host_config: Some(HostConfig {
                network_mode: Some("host".into()),
                binds: Some(vec![format!("{root}:{root}"), format!("{run}:{RUN}")]),
                cap_drop: Some(vec!["ALL".into()]),
                cap_add: Some(
                    ["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID"]
                        .map(Into::into)
                        .into(),
                ),
                ..HostConfig::default()
            }),
            ..ContainerCreateBody::default()
        };
        let id = client.create(&toolbox_name, &body).await.unwrap();
        client.start(&id).await.unwrap();
        let mut stage = Stage {
            toolbox: Toolbox {
                client: client.clone(),
                id,
                layout: Layout::new(&root),
            },
            client,
            config: RouterConfig {
                mark: "0123456789abcdef".into(),
                ..RouterConfig::new(ports, Subnet::FIRST)
            },
            front: SocketAddr::from((Ipv4Addr::LOCALHOST, ports.http)),
            unique,
            dns: dns.map(|at| vec![at.to_string()]),
            made,
        };
        stage.make_folders().await;
        router::write(
            &stage.toolbox,
            &stage.config,
            KEY,
            table,
            &Default::default(),
        )
        .await
        .unwrap();
        stage.start_router("router").await;
        stage.await_router().await;
        stage
    }

    async fn make_folders(&self) {
        let folders = self.toolbox.layout.folders();
        let modes: Vec<String> = folders.iter().map(|f| format!("{:o}", f.mode)).collect();
        let mut args = Vec::new();
        for (folder, mode) in folders.iter().zip(&modes) {
            args.extend([mode.as_str(), "0:0", folder.path.as_str()]);
        }
        self.toolbox.run(&script::TREE, &args, None).await.unwrap();
    }

    /// A router as the plan describes it; gives its name.
    pub async fn start_router(&mut self, suffix: &str) -> String {
        let name = format!("ostler-test-{}-{suffix}", self.unique);
        self.made.containers.push(name.clone());
        let layout = &self.toolbox.layout;
        let (files, certs) = (layout.router(), layout.certs());
        let run = &self.made.run;
        let body = ContainerCreateBody {
            image: Some("haproxy:3.0".into()),
            user: Some("0:0".into()),
            cmd: Some(plan::command(layout.root())),
            host_config: Some(HostConfig {
                network_mode: Some("host".into()),
                dns: self.dns.clone(),
                binds: Some(vec![
                    format!("{files}:{files}:ro"),
                    format!("{certs}:{certs}:ro"),
                    format!("{run}:{RUN}"),
                ]),
                cap_drop: Some(vec!["ALL".into()]),
                cap_add: Some(plan::CAPABILITIES.map(Into::into).into()),
                security_opt: Some(vec!["no-new-privileges".into()]),
                ulimits: Some(vec![ResourcesUlimits {
                    name: Some("nofile".into()),
                    soft: Some(plan::OPEN_FILES.into()),
                    hard: Some(plan::OPEN_FILES.into()),
                }]),
                ..HostConfig::default()
            }),
            ..ContainerCreateBody::default()
        };
        self.client.create(&name, &body).await.unwrap();
        self.client.start(&name).await.unwrap();
        name
    }

    /// Another HAProxy on the host's network, with these sections; answers when it is there.
    pub async fn start_front(&mut self, sections: &str) {
        const START: &str =
            "printf %s \"$1\" >/tmp/front.cfg && exec haproxy -db -f /tmp/front.cfg";
        let defaults =
            "defaults\n mode http\n timeout connect 2s\n timeout client 30s\n timeout server 30s\n";
        let config = format!("{defaults}{sections}");
        let name = format!("ostler-test-{}-front", self.unique);
        self.made.containers.push(name.clone());
        let command = ["sh", "-c", START, "front", &config].map(str::to_owned);
        let body = ContainerCreateBody {
            image: Some("haproxy:3.0".into()),
            cmd: Some(command.into()),
            host_config: Some(HostConfig {
                network_mode: Some("host".into()),
                ..HostConfig::default()
            }),
            ..ContainerCreateBody::default()
        };
        self.client.create(&name, &body).await.unwrap();
        self.client.start(&name).await.unwrap();
        for bind in sections
            .lines()
            .filter_map(|l| l.trim().strip_prefix("bind "))
        {
            for tries in 0.. {
                if tokio::net::TcpStream::connect(bind).await.is_ok() {
                    break;
                }
                assert!(tries < 200, "{}", self.log(&name).await);
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }

    pub fn router(&self) -> String {
        format!("ostler-test-{}-router", self.unique)
    }

    /// Until it answers, with its log when it does not.
    pub async fn await_router(&self) {
        let port = self.config.ports.http.to_string();
        let args = ["127.0.0.1", &port, "/", "nobody.invalid", "10", "499"];
        if let Err(e) = self.toolbox.run(&script::AWAIT_HTTP, &args, None).await {
            panic!("{e}\n{}", self.log(&self.router()).await);
        }
    }

    /// A container's whole output.
    pub async fn log(&self, name: &str) -> String {
        let options = LogOptions {
            follow: false,
            tail: None,
            timestamps: false,
            ..LogOptions::default()
        };
        let mut bytes = Vec::new();
        let mut chunks = std::pin::pin!(self.client.logs(name, options));
        while let Some(chunk) = chunks.next().await {
            bytes.extend_from_slice(&chunk.unwrap().bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Brings the router to a table; every site must answer.
    pub async fn route(&self, table: &Table) {
        let (port, proxies) = (self.config.ports.http, &self.config.proxies);
        let silent = router::apply_table(&self.toolbox, port, None, table, proxies)
            .await
            .unwrap();
        assert_eq!(silent, [], "sites that do not answer");
    }

    pub async fn ask(&self, host: &str, path: &str) -> load::Reply {
        load::ask(self.front, host, path).await.unwrap()
    }

    /// A network as sites have it, with room for addresses from .10 on; gives its name and its
    /// first three bytes.
    pub async fn network(&mut self) -> (String, [u8; 3]) {
        let name = format!("ostler-test-{}", self.unique);
        for _ in 0..20 {
            let [a, b, ..] = random().to_be_bytes();
            let prefix = [10, 200 + a % 50, b];
            let [x, y, z] = prefix;
            let request = NetworkCreateRequest {
                name: name.clone(),
                driver: Some("bridge".into()),
                ipam: Some(Ipam {
                    config: Some(vec![IpamConfig {
                        subnet: Some(format!("{x}.{y}.{z}.0/24")),
                        ..IpamConfig::default()
                    }]),
                    ..Ipam::default()
                }),
                options: Some(
                    [(
                        "com.docker.network.bridge.enable_icc".into(),
                        "false".into(),
                    )]
                    .into(),
                ),
                ..NetworkCreateRequest::default()
            };
            if self.client.create_network(&request).await.is_ok() {
                self.made.networks.push(name.clone());
                return (name, prefix);
            }
        }
        panic!("no free subnet was found");
    }

    /// A site's container at an address of its own, ready.
    pub async fn web(&mut self, network: &str, ip: Ipv4Addr, body: &str) -> String {
        let name = format!("ostler-test-{}-{}", self.unique, self.made.containers.len());
        self.made.containers.push(name.clone());
        let endpoint = EndpointSettings {
            ipam_config: Some(EndpointIpamConfig {
                ipv4_address: Some(ip.to_string()),
                ..EndpointIpamConfig::default()
            }),
            ..EndpointSettings::default()
        };
        let create = ContainerCreateBody {
            image: Some("ostler-test/web:1".into()),
            user: Some("200000:200000".into()),
            env: Some(vec![format!("BODY={body}"), "GRACE=0".into()]),
            host_config: Some(HostConfig {
                network_mode: Some(network.into()),
                cap_drop: Some(vec!["ALL".into()]),
                ..HostConfig::default()
            }),
            networking_config: Some(NetworkingConfig {
                endpoints_config: Some([(network.to_owned(), endpoint)].into()),
            }),
            ..ContainerCreateBody::default()
        };
        self.client.create(&name, &create).await.unwrap();
        self.client.start(&name).await.unwrap();
        let args = [&ip.to_string(), "8080", "/", "x.invalid", "20", "499"];
        self.toolbox
            .run(&script::AWAIT_HTTP, &args, None)
            .await
            .unwrap();
        name
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let Made {
            address,
            root,
            run,
            containers,
            networks,
            toolbox,
        } = &self.made;
        let clean = || async move {
            let client = Client::connect(address, Gate::full()).await?;
            let rm = ["sh", "-c", "rm -rf -- \"$1\"/*", "clean", root];
            client
                .exec(toolbox, &rm, None, Duration::from_secs(20))
                .await?;
            for name in containers {
                client.remove(name, true).await?;
            }
            for name in networks {
                client.remove_network(name).await?;
            }
            Ok::<_, ostler::engine::Error>(())
        };
        // The test's own runtime may be on its way out.
        std::thread::scope(|scope| {
            let cleaned = scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .unwrap();
                runtime.block_on(clean())
            });
            if let Ok(Err(e)) = cleaned.join() {
                eprintln!("left behind, {}: {e}", self.unique);
            }
        });
        let _ = std::fs::remove_dir(root);
        let _ = std::fs::remove_dir_all(run);
    }
}

/// A site whose route leads to an address.
pub fn site(name: &str, domains: &[&str], to: SocketAddr) -> RouteEntry {
    let SocketAddr::V4(to) = to else {
        panic!("{to} is not IPv4")
    };
    RouteEntry {
        site: name.parse().unwrap(),
        domains: domains.iter().map(|d| d.parse().unwrap()).collect(),
        target: RouteTarget::Address {
            ip: *to.ip(),
            port: to.port(),
            https: None,
        },
        connections: 200,
        timeout_s: 60,
        redirects: Default::default(),
        headers: Default::default(),
    }
}

pub fn table(entries: impl IntoIterator<Item = RouteEntry>) -> Table {
    entries.into_iter().map(|e| (e.site.clone(), e)).collect()
}

pub fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    listener.local_addr().unwrap().port()
}

pub fn random() -> u32 {
    getrandom::u32().unwrap()
}

async fn build_toolbox(client: &Client) {
    if client.inspect_image(TOOLBOX).await.is_ok() {
        return;
    }
    let recipe = toolbox::recipe(&Images::default().toolbox)
        .unwrap()
        .text
        .replace("{base}", "debian:trixie-slim");
    let tar = archive::pack(&[Entry::file("Dockerfile", 0o644, 0, recipe.into_bytes())]).unwrap();
    let labels = Default::default();
    let mut lines = std::pin::pin!(client.build(TOOLBOX, tar, &labels, true));
    while let Some(line) = lines.next().await {
        line.unwrap();
    }
}

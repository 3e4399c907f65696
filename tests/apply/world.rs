//! A fleet of one host on a real engine, under a folder and on ports of its own.

#![allow(dead_code)] // every test binary takes what it needs of this

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use ostler::apply::{self, Context, Operator, Outcome, Pace, Progress};
use ostler::engine::{Client, Gate};
use ostler::fleet::{EngineAddress, Fleet, Name, file_hash, load};
use ostler::host::Toolbox;
use ostler::observe::model::{HostObservation, Lineage, Observed, ObservedContainer, ObservedHost};
use ostler::observe::scan::{Inspect, scan};
use ostler::plan::{Intent, OperationKind, Plan, plan};
use ostler::record::{Labelled, Layout, Role};
use ostler::walk::secret::Sources;
use tokio_util::sync::CancellationToken;

use crate::load as requests;
use crate::tier::Engine;

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// A fleet, its host, and all that it leaves on the engine; removed when it goes out of scope.
pub struct World {
    pub client: Client,
    pub name: Name,
    pub root: String,
    /// Where visitors connect.
    pub front: SocketAddr,
    pub folder: tempfile::TempDir,
    address: EngineAddress,
    ports: (u16, u16),
    /// More lines of the host.
    pub host: String,
    /// Of its own: tests run at the same time would choose the same free one.
    subnet: String,
    sites: BTreeMap<String, String>,
    /// Fleet files applied so far: what this operator's copy descends from.
    ancestors: Vec<(String, Vec<Name>)>,
    pub pace: Pace,
    /// How closely it is looked at.
    pub inspect: Inspect,
}

/// What a run answered, with all it said.
pub struct Ran {
    pub outcome: Outcome,
    pub said: Vec<Progress>,
}

impl Ran {
    /// Nothing was done: the host had changed since the plan was made.
    fn moved(&self) -> bool {
        let why = self.outcome.hosts.values().next();
        self.outcome.tally().done == 0 && why.is_some_and(|f| f.why.contains("changed since"))
    }
}

impl World {
    pub async fn new(engine: &Engine) -> World {
        let address: EngineAddress = engine.address.parse().unwrap();
        let client = Client::connect(&address, Gate::full()).await.unwrap();
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let unique = format!(
            "t{}-{number}-{:04x}",
            std::process::id(),
            getrandom::u32().unwrap() & 0xffff
        );
        let ports = (free_port(), free_port());
        World {
            client,
            name: unique.parse().unwrap(),
            root: format!("/tmp/ostler-test-{unique}"),
            front: SocketAddr::from((Ipv4Addr::LOCALHOST, ports.0)),
            folder: tempfile::tempdir().unwrap(),
            address,
            ports,
            host: String::new(),
            subnet: subnet(),
            sites: BTreeMap::new(),
            ancestors: Vec::new(),
            pace: Pace {
                heartbeat: Duration::from_secs(1),
                stale: Duration::from_secs(2),
                retry: Duration::from_millis(200),
                ..Pace::default()
            },
            inspect: Inspect::Needed,
        }
    }

    /// Sets a site: the lines below its name, without indentation.
    pub fn site(&mut self, name: &str, lines: &str) {
        self.sites.insert(name.to_owned(), lines.to_owned());
    }
    /// Takes a site out of the file.
    pub fn without(&mut self, name: &str) {
        self.sites.remove(name);
    }

    /// The fleet file.
    pub fn text(&self) -> String {
        let (http, https) = self.ports;
        let mut text = format!(
            "fleet: {}\nhosts:\n  here:\n    engine: \"{}\"\n    ports: {{ http: {http}, https: {https} }}\n    root: {}\n    subnet: {}\n{}sites:\n",
            self.name, self.address, self.root, self.subnet, self.host
        );
        for (name, lines) in &self.sites {
            text.push_str(&format!("  {name}:\n    host: here\n"));
            for line in lines.lines() {
                text.push_str(&format!("    {line}\n"));
            }
        }
        if self.sites.is_empty() {
            text = text.replace("sites:\n", "sites: {}\n");
        }
        text
    }

    pub fn fleet(&self) -> Fleet {
        let text = self.text();
        match load(&text, Path::new("fleet.yml")) {
            Ok(loaded) => loaded.fleet,
            Err(findings) => panic!("{findings:#?}\n{text}"),
        }
    }

    fn sources(&self) -> Sources {
        Sources {
            folder: self.folder.path().to_owned(),
            file: None,
            trust: ostler::walk::Trust::always(),
        }
    }

    pub async fn look(&self) -> ObservedHost {
        let fleet = self.fleet();
        let host = &fleet.hosts["here"];
        let sources = self.sources();
        scan(&self.client, host, &fleet, Some(&sources), &self.inspect)
            .await
            .unwrap()
    }

    pub async fn plan(&self) -> Plan {
        self.plan_with(&[]).await
    }

    pub async fn plan_with(&self, intents: &[Intent]) -> Plan {
        let fleet = self.fleet();
        let hash = file_hash(self.text().as_bytes());
        let mut lineage = Lineage {
            ancestors: [hash.clone()].into(),
            known_sites: fleet.sites.keys().cloned().collect(),
            ..Lineage::default()
        };
        for (hash, sites) in &self.ancestors {
            lineage.ancestors.insert(hash.clone());
            lineage.known_sites.extend(sites.iter().cloned());
        }
        let mut observed = Observed {
            lineage,
            ..Observed::default()
        };
        observed.hosts.insert(
            "here".parse().unwrap(),
            HostObservation::Reached(std::sync::Arc::new(self.look().await)),
        );
        plan(&fleet, &hash, &observed, intents, 1_800_000_000)
    }

    pub fn context(&self) -> Context {
        Context {
            fleet: Arc::new(self.fleet()),
            fleet_bytes: Arc::new(self.text().into_bytes()),
            commit: None,
            clients: [("here".parse().unwrap(), self.client.clone())].into(),
            secrets: Arc::new(self.sources()),
            operator: Operator::current(),
            pace: self.pace.clone(),
            wait_for_lock: Duration::from_secs(20),
            journal: Some(self.journal()),
            stop_after: None,
        }
    }

    pub fn journal(&self) -> PathBuf {
        self.folder.path().join("journal")
    }

    pub async fn run(&mut self, plan: &Plan, stop_after: Option<usize>) -> Ran {
        let context = Context {
            stop_after,
            ..self.context()
        };
        let sites = context.fleet.sites.keys().cloned().collect();
        self.ancestors.push((plan.fleet_hash.clone(), sites));
        let (to, mut from) = tokio::sync::mpsc::unbounded_channel();
        let outcome = apply::run(plan, &context, to, CancellationToken::new()).await;
        let mut said = Vec::new();
        while let Ok(progress) = from.try_recv() {
            said.push(progress);
        }
        Ran { outcome, said }
    }

    /// Plans and applies; everything must go well, and a second plan must be empty.
    pub async fn apply(&mut self) -> Plan {
        // A call of a process that was killed may still come to its end in the engine; the plan is
        // refused then, with nothing done, and made again.
        for _ in 0..20 {
            let plan = self.plan().await;
            assert!(plan.problems.is_empty(), "{:#?}", plan.problems);
            let ran = self.run(&plan, None).await;
            if ran.moved() {
                continue;
            }
            // So may the note that the killed process wrote: it is settled by the next one.
            let again = self.plan().await;
            let only_settles = |o: &ostler::plan::Operation| {
                matches!(
                    o.kind,
                    OperationKind::SettleRun { .. } | OperationKind::RecordFleet { .. }
                )
            };
            let settles = again.operations.iter().all(only_settles);
            if ran.outcome.is_complete() && !again.is_empty() && settles {
                continue;
            }
            assert!(
                ran.outcome.is_complete(),
                "{:#?}\n{:#?}",
                ran.outcome,
                ran.said
            );
            self.assert_settled().await;
            return plan;
        }
        panic!("the host never came to rest");
    }

    /// Nothing is left to do, and nothing of ours is there that does not belong.
    pub async fn assert_settled(&self) {
        let again = self.plan().await;
        assert!(again.is_empty(), "{again:#?}");
        let ours = self.ours().await;
        let strays: Vec<_> = ours
            .iter()
            .filter(|c| {
                c.name.ends_with("-next")
                    || !matches!(
                        c.role(),
                        Some(Role::Site | Role::Router | Role::Toolbox | Role::Guard)
                    )
            })
            .map(|c| &c.name)
            .collect();
        assert!(strays.is_empty(), "{strays:?}");
        for role in [Role::Router, Role::Toolbox, Role::Guard] {
            let count = ours.iter().filter(|c| c.role() == Some(role)).count();
            assert!(count <= 1, "{count} containers for the {role:?}");
        }
        for site in self.sites.keys() {
            let count = ours.iter().filter(|c| c.site() == Some(site)).count();
            assert!(count <= 1, "{count} containers for {site}");
        }
    }

    /// Containers of this fleet.
    pub async fn ours(&self) -> Vec<ObservedContainer> {
        self.look()
            .await
            .containers
            .into_iter()
            .filter(|c| c.is_of(&self.name))
            .collect()
    }

    /// The container of a site.
    pub async fn container(&self, site: &str) -> ObservedContainer {
        let ours = self.ours().await;
        let found = ours.into_iter().find(|c| c.site() == Some(site));
        found.unwrap_or_else(|| panic!("no container for {site}"))
    }

    /// The address of a site's container on the sites' network.
    pub async fn address_of(&self, site: &str) -> Ipv4Addr {
        let network = format!("ostler-{}", self.name);
        self.container(site).await.addresses[&network]
    }

    /// Puts a file into a site's `www`, as its owner would.
    pub async fn put_page(&self, site: &str, name: &str, text: &str) {
        let at = format!("{}/sites/{site}/www/{name}", self.root);
        let argv = ["sh", "-c", "cat > \"$1\"", "put", &at];
        let deadline = Duration::from_secs(20);
        let put = self
            .client
            .exec(&self.toolbox().id, &argv, Some(text.into()), deadline)
            .await
            .unwrap();
        assert_eq!(put.code, 0, "{}", String::from_utf8_lossy(&put.stderr));
    }

    /// Makes the host forget a site: no container, no route, no record; its files stay.
    pub async fn forget(&mut self, site: &str) {
        let lines = self.sites.get(site).cloned().unwrap_or_default();
        self.site(
            site,
            &format!("{lines}\nstate: archived").replace("state: running\n", ""),
        );
        self.apply().await;
        let record = self.toolbox().layout.state() + &format!("/sites/{site}.json");
        let argv = ["rm", "--", &record];
        let deadline = Duration::from_secs(20);
        let done = self
            .client
            .exec(&self.toolbox().id, &argv, None, deadline)
            .await
            .unwrap();
        assert_eq!(done.code, 0);
    }

    pub fn toolbox(&self) -> Toolbox {
        Toolbox {
            client: self.client.clone(),
            id: ostler::record::names::toolbox(&self.name),
            layout: Layout::new(&self.root),
        }
    }

    /// Where the sites reach the host.
    pub async fn gateway(&self) -> Ipv4Addr {
        let name = ostler::record::names::network(&self.name);
        let seen = self.look().await;
        let network = seen.networks.iter().find(|network| network.name == name);
        network.unwrap().subnets[0].gateway()
    }

    /// The port of the router's that speaks TLS.
    pub fn https(&self) -> u16 {
        self.ports.1
    }

    pub async fn ask(&self, host: &str, path: &str) -> requests::Reply {
        requests::ask(self.front, host, path).await.unwrap()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let (address, name, root) = (&self.address, &self.name, &self.root);
        let clean = || async move {
            let client = Client::connect(address, Gate::full()).await?;
            let toolbox = ostler::record::names::toolbox(name);
            let rm = ["sh", "-c", "rm -rf -- \"$1\"/*", "clean", root];
            let emptied = client
                .exec(&toolbox, &rm, None, Duration::from_secs(20))
                .await;
            if let Err(e) = emptied
                && !e.is_not_found()
            {
                eprintln!("left behind in {root}: {e}");
            }
            for container in client.containers().await? {
                if container.labels.get("ostler.fleet").map(String::as_str) == Some(name.as_str()) {
                    client.remove(&container.id, true).await?;
                }
            }
            for network in client.networks().await? {
                if network.name == Some(format!("ostler-{name}")) {
                    client
                        .remove_network(&network.id.unwrap_or_default())
                        .await?;
                }
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
                eprintln!("left behind, {name}: {e}");
            }
        });
        let _ = std::fs::remove_dir_all(root);
        let _ = std::fs::remove_dir_all(ostler::record::layout::run_on_host(name));
    }
}

fn subnet() -> String {
    let [a, b, ..] = getrandom::u32().unwrap().to_be_bytes();
    format!("10.{}.{b}.0/24", 100 + a % 100)
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    listener.local_addr().unwrap().port()
}

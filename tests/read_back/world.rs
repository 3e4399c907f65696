//! A fleet of one simulated host, and an operator with a fleet file and a state folder.

use std::path::PathBuf;
use std::sync::Arc;

use ostler::engine::{Client, Gate};
use ostler::host::{Entry, Toolbox};
use ostler::plan::Plan;
use ostler::record::{Layout, names};
use ostler::sim::Sim;
use ostler::walk::carry::carry;
use ostler::walk::look::Reach;
use ostler::walk::{Ask, FleetFile, Outset, Proposal, Refusal, Trust, Wish};
use tokio_util::sync::CancellationToken;

/// Before any clock of those who run this.
pub const NOW: i64 = 1_700_000_000;

pub struct World {
    pub sim: Sim,
    pub folder: tempfile::TempDir,
}

impl World {
    pub fn new() -> World {
        let sim = Sim::named("here", 7, ostler::sim::clock::Clock::at(NOW));
        let folder = tempfile::tempdir().unwrap();
        World { sim, folder }
    }

    /// With the sites of `text` applied.
    pub async fn applied(text: &str) -> World {
        let world = World::new();
        world.write(text);
        let proposal = world.propose(Ask::Apply).await.unwrap();
        world.carry(&proposal).await;
        let again = world.propose(Ask::Apply).await.unwrap();
        assert_eq!(again.plan().operations, []);
        world
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("fleet.yml")
    }

    pub fn write(&self, text: &str) {
        std::fs::write(self.path(), text).unwrap();
    }

    /// What is proposed; that changes nothing on the host.
    pub async fn propose(&self, ask: Ask) -> Result<Proposal, Refusal> {
        let sim = self.sim.clone();
        let connect = move |_: &ostler::fleet::Host| {
            let (connector, address) = (sim.connector(), sim.address().to_owned());
            let connecting = async move { Client::over(connector, &address, Gate::full()).await };
            Box::pin(connecting) as futures_util::future::BoxFuture<'static, _>
        };
        let outset = Outset {
            file: FleetFile::load(&self.path()).unwrap().0,
            state: Some(self.folder.path().join("state")),
            reach: Reach::Anew(Arc::new(connect)),
            trust: Trust::always(),
        };
        let wish = Wish {
            ask,
            ..Wish::default()
        };
        let before = self.sim.faults().trace().len();
        let proposed = Box::pin(outset.propose(wish)).await;
        let after = self.sim.faults().trace();
        // Looking closely runs scripts in the toolbox that only read.
        let reads = |call: &&String| !call.contains("/exec");
        let changing: Vec<_> = after.iter().skip(before).filter(reads).collect();
        assert!(changing.is_empty(), "{changing:?}");
        proposed
    }

    pub async fn plan(&self) -> Plan {
        let proposal = self.propose(Ask::Apply).await.unwrap();
        Plan::clone(&proposal.plan())
    }

    pub async fn carry(&self, proposal: &Proposal) {
        let (tell, _told) = tokio::sync::mpsc::unbounded_channel();
        let carried = carry(proposal, false, tell, CancellationToken::new()).await;
        assert_eq!(carried.unwrap().exit, 0);
    }

    pub async fn toolbox(&self) -> Toolbox {
        let client = Client::over(self.sim.connector(), self.sim.address(), Gate::full()).await;
        Toolbox {
            client: client.unwrap(),
            id: names::toolbox(&"x".parse().unwrap()),
            layout: Layout::new("/srv/ostler"),
        }
    }

    /// A file of `state/`.
    pub async fn kept(&self, path: &str) -> String {
        let toolbox = self.toolbox().await;
        let read = toolbox.read(&format!("/srv/ostler/state/{path}")).await;
        String::from_utf8(read.unwrap().unwrap()).unwrap()
    }

    /// Whoever rules the host writes a file of `state/`.
    pub async fn keep(&self, path: &str, text: &str) {
        let entry = Entry::file(&format!("state/{path}"), 0o600, 0, text);
        let toolbox = self.toolbox().await;
        toolbox.put("/srv/ostler", &[entry]).await.unwrap();
    }
}

impl World {
    /// And takes one away.
    pub async fn remove(&self, path: &str) {
        let path = format!("/srv/ostler/state/{path}");
        self.sim.change(|host, _| host.files.remove(&path)).unwrap();
    }
}

/// A fleet file with these sites.
pub fn text(sites: &[&str]) -> String {
    let mut text = "fleet: x\nhosts:\n  here: { engine: \"unix:///here\" }\nsites:\n".to_owned();
    for name in sites {
        text.push_str(&format!(
            "  {name}: {{ host: here, recipe: image, image: \"ostler-test/web:1\", port: 8080, \
             domains: [{name}.test], memory: 64M }}\n"
        ));
    }
    text
}

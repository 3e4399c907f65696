//! Certificates on a simulated host, as on a real one: `tests/router_tls.rs` asks the same of HAProxy.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use bollard::models::{ContainerCreateBody, HostConfig};
use ostler::engine::{Client, Gate, Shown};
use ostler::fleet::{Domain, Host, Name, Ports, Subnet, load};
use ostler::host::router::{self, Table, probe, tls};
use ostler::host::{Toolbox, script};
use ostler::record::Layout;
use ostler::record::certificate::{self, Served};
use ostler::record::layout::RUN;
use ostler::record::route::{self, RouteEntry, RouteTarget, RouterConfig};
use ostler::sim::Sim;

const ROOT: &str = "/srv/ostler";

struct Stage {
    sim: Sim,
    toolbox: Toolbox,
    all: tls::Certificates,
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn pem(names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    format!("{}{}", made.cert.pem(), made.signing_key.serialize_pem())
}

fn routes() -> Table {
    let entry = RouteEntry {
        site: name("shop"),
        domains: ["shop.example", "*.shop.example"]
            .map(|it| it.parse().unwrap())
            .into(),
        target: RouteTarget::Stopped,
        connections: 5,
        timeout_s: 60,
        redirects: Default::default(),
        headers: Default::default(),
    };
    Table::from([(entry.site.clone(), entry)])
}

impl Stage {
    async fn set() -> Stage {
        let sim = Sim::new(7);
        let client = Client::over(sim.connector(), sim.address(), Gate::full())
            .await
            .unwrap();
        let binds = vec![format!("{ROOT}:{ROOT}"), format!("/run/ostler-x:{RUN}")];
        let make = async |container: &str, command: Vec<String>| {
            let body = ContainerCreateBody {
                image: Some("haproxy:3.0".into()),
                cmd: Some(command),
                host_config: Some(HostConfig {
                    network_mode: Some("host".into()),
                    binds: Some(binds.clone()),
                    ..HostConfig::default()
                }),
                ..ContainerCreateBody::default()
            };
            client.create(container, &body).await.unwrap()
        };
        let id = make(
            "toolbox",
            ["tail", "-f", "/dev/null"].map(str::to_owned).into(),
        )
        .await;
        client.start(&id).await.unwrap();
        let router = make("router", route::command(ROOT)).await;
        let toolbox = Toolbox {
            client,
            id,
            layout: Layout::new(ROOT),
        };
        for folder in toolbox.layout.folders() {
            let mode = format!("{:o}", folder.mode);
            let args = [mode.as_str(), "0:0", folder.path.as_str()];
            toolbox.run(&script::TREE, &args, None).await.unwrap();
        }
        let config = RouterConfig::new(Ports::default(), Subnet::FIRST);
        let all = tls::Certificates::new();
        router::write(&toolbox, &config, "key", &routes(), &all)
            .await
            .unwrap();
        toolbox.client.start(&router).await.unwrap();
        Stage { sim, toolbox, all }
    }

    async fn store(&mut self, site: &str, pem: &str, redirected: &[&str]) {
        tls::store(&self.toolbox, &name(site), pem.as_bytes())
            .await
            .unwrap();
        let served = Served {
            fingerprint: certificate::facts(pem.as_bytes()).unwrap().fingerprint,
            redirected: redirected.iter().map(|it| (*it).to_owned()).collect(),
        };
        self.all.insert(name(site), served);
    }

    async fn serve(&self, changed: &[&str]) -> tls::Told {
        let changed: BTreeSet<Name> = changed.iter().map(|site| name(site)).collect();
        tls::serve(&self.toolbox, &self.all, &changed)
            .await
            .unwrap()
    }

    /// The certificate that a visitor sees, by a handshake.
    async fn shown(&self, domain: &str) -> Vec<u8> {
        let domain: Domain = domain.parse().unwrap();
        let text = "fleet: x\nhosts:\n  a: { engine: \"unix:///a\" }\nsites: {}\n";
        let loaded = load(text, Path::new("fleet.yml")).unwrap();
        let host: &Host = loaded.fleet.hosts.values().next().unwrap();
        let within = Duration::from_secs(5);
        let greeted = self.toolbox.client.hello(host, &domain, within).await;
        match greeted.unwrap().shown {
            Shown::Certificates { chain, cut_off } => {
                assert_eq!(cut_off, None);
                chain[0].clone()
            }
            other => panic!("{other:?}"),
        }
    }

    async fn restart(&self) {
        let grace = Duration::from_secs(1);
        self.toolbox.client.restart("router", grace).await.unwrap();
    }
}

fn der(pem: &str) -> Vec<u8> {
    certificate::chain(pem.as_bytes()).unwrap().remove(0)
}

#[tokio::test(start_paused = true)]
async fn certificates_come_change_and_go() {
    let mut stage = Stage::set().await;
    let first = pem(&["shop.example", "*.shop.example"]);
    stage
        .store("shop", &first, &["shop.example", "*.shop.example"])
        .await;
    assert_eq!(stage.sim.visit(80, "x.shop.example", "/").status, 503);
    assert_eq!(stage.serve(&["shop"]).await.loaded, [name("shop")]);
    assert_eq!(stage.serve(&["shop"]).await, tls::Told::default());
    assert_eq!(stage.sim.visit(80, "x.shop.example", "/").status, 301);
    assert_eq!(
        stage.sim.visit(80, "x.shop.example", probe::HERE).status,
        204
    );
    assert_eq!(stage.sim.visit(443, "x.shop.example", "/").status, 503);
    assert_eq!(stage.shown("x.shop.example").await, der(&first));
    let second = pem(&["shop.example"]);
    stage.store("shop", &second, &[]).await;
    let loaded = tls::loaded(&stage.toolbox).await.unwrap();
    assert!(!loaded[1].is(&certificate::facts(second.as_bytes()).unwrap()));
    stage.serve(&["shop"]).await;
    let loaded = tls::loaded(&stage.toolbox).await.unwrap();
    assert!(
        loaded[1].is(&certificate::facts(second.as_bytes()).unwrap()),
        "{loaded:#?}"
    );
    assert_eq!(stage.shown("shop.example").await, der(&second));
    assert_eq!(stage.sim.visit(80, "shop.example", "/").status, 503);
    stage.restart().await;
    assert_eq!(tls::loaded(&stage.toolbox).await.unwrap(), loaded);
    stage.all.clear();
    stage.serve(&[]).await;
    assert_eq!(tls::loaded(&stage.toolbox).await.unwrap().len(), 1);
    let answers = [("token".to_owned(), "token.digest".to_owned())].into();
    tls::challenge(&stage.toolbox, &answers).await.unwrap();
    let path = "/.well-known/acme-challenge/token";
    assert_eq!(stage.sim.visit(80, "any.example", path).status, 200);
    tls::no_challenge(&stage.toolbox, ["token", "other"])
        .await
        .unwrap();
    assert_eq!(tls::challenges(&stage.toolbox).await.unwrap(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_is_left_out_and_told() {
    let mut stage = Stage::set().await;
    let (good, other) = (pem(&["shop.example"]), pem(&["shop.example"]));
    let key = |pem: &str| pem.find("-----BEGIN PRIVATE").unwrap();
    let mixed = format!("{}{}", &good[..key(&good)], &other[key(&other)..]);
    stage.store("shop", &good, &[]).await;
    stage.store("bad", &mixed, &[]).await;
    let told = stage.serve(&["shop", "bad"]).await;
    assert_eq!(told.loaded, [name("shop")]);
    assert!(
        told.refused[0].words.contains("inconsistencies"),
        "{told:?}"
    );
    assert_eq!(tls::loaded(&stage.toolbox).await.unwrap().len(), 2);
    stage.restart().await;
    let left_out = tls::left_out(&stage.toolbox).await.unwrap();
    assert_eq!(left_out.len(), 1);
    assert_eq!(left_out[0].site, Some(name("bad")));
    assert_eq!(stage.shown("shop.example").await, der(&good));
}

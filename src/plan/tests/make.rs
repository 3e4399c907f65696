//! Fleets and hosts from small numbers, so that proptest can shrink them.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use proptest::prelude::*;

use super::interpret::{World, WorldHost};
use crate::fleet::*;
use crate::observe::model::*;

pub fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub fn domain(text: &str) -> Domain {
    text.parse().unwrap()
}

/// One site in numbers.
#[derive(Debug, Clone, Copy)]
pub struct Draw {
    pub host: u8,
    pub recipe: u8,
    pub domains: u8,
    pub memory: u8,
    pub cpus: u8,
    pub env: u8,
    pub secrets: u8,
    pub www: u8,
    pub state: u8,
}

pub fn draw() -> impl Strategy<Value = Draw> {
    (
        (0u8..2, 0u8..7, 0u8..3, 0u8..3, 0u8..2),
        (0u8..2, 0u8..2, 0u8..3, 0u8..6),
    )
        .prop_map(
            |((host, recipe, domains, memory, cpus), (env, secrets, www, state))| Draw {
                host,
                recipe,
                domains,
                memory,
                cpus,
                env,
                secrets,
                www,
                state,
            },
        )
}

/// Up to five sites: `None` leaves the name out.
pub fn draws() -> impl Strategy<Value = Vec<Option<Draw>>> {
    proptest::collection::vec(proptest::option::weighted(0.8, draw()), 1..6)
}

pub fn host(text: &str) -> Host {
    Host {
        name: name(text),
        engine: EngineAddress::Sim { host: text.into() },
        ports: Ports::default(),
        trusted_proxies: Vec::new(),
        proxy_protocol: false,
        root: "/srv/ostler".into(),
        subnet: None,
        isolate: Isolate::default(),
        images: Images::default(),
    }
}

pub fn site(text: &str, draw: &Draw) -> Site {
    let recipe = match draw.recipe {
        0 | 1 => Recipe::Static,
        2 => Recipe::Php {
            php: "8.4".into(),
            ini: BTreeMap::new(),
        },
        3 => Recipe::Php {
            php: "8.4".into(),
            ini: [("memory_limit".to_owned(), "64M".to_owned())].into(),
        },
        4 => Recipe::Proxy {
            to: ProxyTarget::Http {
                host: "192.168.7.7".into(),
                port: 8080,
            },
        },
        5 => Recipe::Image {
            image: "example/app:1".into(),
            port: 8080,
            root: false,
            mount: None,
        },
        _ => Recipe::Image {
            image: "example/app:2".into(),
            port: 8080,
            root: true,
            mount: Some("/data".into()),
        },
    };
    let mut domains = vec![domain(&format!("{text}.example"))];
    if draw.domains > 0 {
        domains.push(domain(&format!("www.{text}.example")));
    }
    if draw.domains > 1 {
        domains.push(domain(&format!("{text}.example.net")));
    }
    Site {
        name: name(text),
        account: None,
        host: name(["one", "two"][usize::from(draw.host)]),
        recipe,
        domains,
        limits: Limits {
            memory: [None, Some(128 << 20), Some(256 << 20)][usize::from(draw.memory)],
            nano_cpus: [None, Some(500_000_000)][usize::from(draw.cpus)],
            pids: Some(100 + u32::from(draw.cpus)),
        },
        connections: 200 + u32::from(draw.cpus),
        timeout_s: 60 + u32::from(draw.cpus) * 600,
        serve_source: draw.recipe < 4 && draw.env == 1,
        env: match draw.env {
            0 => BTreeMap::new(),
            _ => [("MODE".to_owned(), "live".to_owned())].into(),
        },
        secrets: match draw.secrets {
            0 => BTreeMap::new(),
            _ => [("KEY".to_owned(), SecretSpec::File("key".into()))].into(),
        },
        health: Health::default(),
        redirect_www: [None, Some(RedirectWww::ToWww), Some(RedirectWww::ToBare)]
            [usize::from(draw.www)],
        redirects: BTreeMap::new(),
        certificate: None,
        https: None,
        hsts: None,
        headers: None,
        state: match draw.state {
            0..4 => SiteState::Running,
            4 => SiteState::Stopped,
            _ => SiteState::Archived,
        },
    }
}

pub fn fleet(draws: &[Option<Draw>]) -> Fleet {
    let mut fleet = Fleet {
        name: name("test"),
        ..Fleet::default()
    };
    for text in ["one", "two"] {
        fleet.hosts.insert(name(text), host(text));
    }
    let named = draws
        .iter()
        .zip(["ash", "birch", "cedar", "dogwood", "elm"]);
    let sites: IndexMap<Name, Site> = named
        .filter_map(|(draw, text)| draw.map(|draw| (name(text), site(text, &draw))))
        .collect();
    fleet.sites = sites;
    fleet
}

/// [`fleet`] with one domain that goes from hand to hand, and hosts that are guarded or not.
pub fn sharing(draws: &[Option<Draw>]) -> Fleet {
    let mut fleet = fleet(draws);
    let cpus: u8 = draws.iter().flatten().map(|draw| draw.cpus).sum();
    if cpus % 2 == 1 {
        fleet.hosts[0].isolate = Isolate::Strict;
    }
    let owner: usize = draws
        .iter()
        .flatten()
        .map(|draw| usize::from(draw.domains) + 1)
        .sum();
    let count = fleet.sites.len().max(1);
    if let Some((_, site)) = fleet.sites.get_index_mut(owner % count) {
        site.domains.push(domain("shared.example"));
    }
    fleet
}

/// Hosts with what others keep there; every site's name is known.
pub fn world(foreign: u8) -> World {
    let mut world = World {
        fleet: name("test"),
        ..World::default()
    };
    for text in ["one", "two"] {
        let mut host = WorldHost::default();
        host.networks.push(ObservedNetwork {
            id: "bridge".into(),
            name: "bridge".into(),
            subnets: vec!["172.17.0.0/16".parse().unwrap()],
            icc: true,
            ..ObservedNetwork::default()
        });
        if foreign & 1 != 0 {
            host.networks.push(ObservedNetwork {
                id: "other".into(),
                name: "shop_default".into(),
                subnets: vec!["10.90.0.0/18".parse().unwrap()],
                icc: true,
                ..ObservedNetwork::default()
            });
            host.images.insert("nginx:1.28".into(), "some".into());
        }
        for at in 0..(foreign >> 1) % 4 {
            let net = if at == 0 { "ostler-test" } else { "bridge" };
            host.containers.push(ObservedContainer {
                id: format!("f{at:063x}"),
                name: format!("shop_web_{at}"),
                image: "shop".into(),
                run: [RunState::Running, RunState::Exited][usize::from(at % 2)],
                labels: match at {
                    2 => [("ostler.fleet".to_owned(), "another".to_owned())].into(),
                    _ => BTreeMap::new(),
                },
                // Where our first site would go, if nobody looked.
                addresses: [(
                    net.to_owned(),
                    format!("10.90.0.{}", 10 + at).parse().unwrap(),
                )]
                .into(),
                published: vec![(8000 + u16::from(at), "tcp".into())],
                ..ObservedContainer::default()
            });
        }
        world.hosts.insert(name(text), host);
    }
    for text in ["ash", "birch", "cedar", "dogwood", "elm"] {
        world.lineage.known_sites.insert(name(text));
    }
    world
}

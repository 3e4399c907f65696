use std::net::Ipv4Addr;

use bollard::models::{Ipam, IpamConfig, Network, SystemInfo};

use super::{Finding, Mark, all};
use crate::doctor::facts::{Facts, Local, Unseen, Witness};
use crate::doctor::local::{HostRoute, Listening, Space};
use crate::engine::{Certificates, EngineVersion, ListedContainer, ListedPort};
use crate::fleet::{Isolate, Ports};

fn facts() -> Facts {
    let api = |minor| crate::engine::Api { major: 1, minor };
    Facts {
        version: EngineVersion {
            version: "28.2.2".into(),
            api: api(50),
            server_api: api(50),
            min_api: api(24),
            os: "linux".into(),
            arch: "amd64".into(),
        },
        info: SystemInfo {
            driver: Some("overlay2".into()),
            live_restore_enabled: Some(true),
            ..Default::default()
        },
        containers: Vec::new(),
        networks: Vec::new(),
        local: Ok(Local::default()),
        now: 0,
        plain: false,
        certificates: None,
        skew: Some(1),
        fleet: Some("x".into()),
        ports: Ports::default(),
        subnet: None,
        isolate: Isolate::default(),
    }
}

fn one(facts: &Facts, check: &str) -> Finding {
    let mut found = all(facts);
    found.sort_by_key(|f| std::cmp::Reverse(f.mark));
    let found = found.into_iter().find(|f| f.check == check);
    found.unwrap_or_else(|| panic!("nothing said about {check}"))
}

fn listening(port: u16, process: &str) -> Listening {
    Listening {
        address: Ipv4Addr::UNSPECIFIED.into(),
        port,
        process: Some(process.into()),
    }
}

#[test]
fn a_sound_host_has_nothing_to_mend() {
    for finding in all(&facts()) {
        assert_eq!(finding.mark, Mark::Ok, "{finding:?}");
    }
}

#[test]
fn every_finding_that_is_not_well_has_a_remedy() {
    let mut facts = facts();
    facts.info.security_options = Some(vec!["name=rootless".into()]);
    facts.info.memory_limit = Some(false);
    facts.info.driver = Some("vfs".into());
    facts.info.live_restore_enabled = Some(false);
    facts.info.os_type = Some("windows".into());
    facts.skew = Some(-90);
    facts.local = Ok(Local {
        listening: vec![
            listening(80, "nginx (pid 1)"),
            listening(2375, "dockerd (pid 2)"),
        ],
        routes: vec![HostRoute {
            subnet: "10.0.0.0/8".parse().unwrap(),
            interface: "wg0".into(),
        }],
        space: vec![(
            "/srv".into(),
            Space {
                size: 1 << 40,
                free: 1 << 20,
                inodes: None,
            },
        )],
        ..Local::default()
    });
    let bad = all(&facts).into_iter().filter(|f| f.mark >= Mark::Warn);
    let bad: Vec<Finding> = bad.collect();
    assert_eq!(bad.len(), 10, "{bad:#?}");
    assert!(bad.iter().all(|f| f.remedy.is_some()), "{bad:#?}");
}

#[test]
fn a_container_on_the_port_is_named() {
    let mut facts = facts();
    facts.containers = vec![ListedContainer {
        names: vec!["nginx-proxy".into()],
        ports: vec![ListedPort {
            public_port: Some(80),
            protocol: "tcp".into(),
            ..Default::default()
        }],
        ..Default::default()
    }];
    let found = one(&facts, "ports");
    assert_eq!(found.mark, Mark::Fail);
    assert!(
        found
            .text
            .contains("80 is held by the container nginx-proxy"),
        "{}",
        found.text
    );
}

#[test]
fn our_own_router_may_hold_the_ports() {
    let mut facts = facts();
    facts.containers = vec![ListedContainer {
        names: vec!["ostler-x-router".into()],
        state: "running".into(),
        labels: [("ostler.role", "router"), ("ostler.fleet", "x")]
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .into(),
        ..Default::default()
    }];
    let local = facts.local.as_mut().unwrap();
    local.listening = vec![
        listening(80, "haproxy (pid 9)"),
        listening(443, "haproxy (pid 9)"),
    ];
    assert_eq!(one(&facts, "ports").mark, Mark::Ok);
    // A copy with its labels is none, and holds nothing that ours may hold.
    facts.containers[0].names = vec!["quirky_hopper".into()];
    assert_eq!(one(&facts, "ports").mark, Mark::Fail);
    facts.containers[0].names = vec!["ostler-x-router".into()];
    facts.fleet = Some("another".into());
    assert_eq!(
        one(&facts, "ports").mark,
        Mark::Fail,
        "another fleet's router"
    );
    facts.fleet = None;
    assert_eq!(one(&facts, "ports").mark, Mark::Ok, "any fleet's");
    facts.local.as_mut().unwrap().listening = vec![listening(80, "apache2 (pid 9)")];
    assert_eq!(one(&facts, "ports").mark, Mark::Fail);
}

#[test]
fn from_afar_what_cannot_be_known_is_said_to_be_unknown() {
    let mut facts = facts();
    facts.local = Err(Unseen {
        why: "no toolbox runs".into(),
        remedy: "apply".into(),
    });
    for check in ["ports", "disk", "addresses"] {
        let found = one(&facts, check);
        assert_eq!(found.mark, Mark::Unknown);
        assert!(
            found.text.ends_with("cannot be known: no toolbox runs"),
            "{found:?}"
        );
        assert!(found.remedy.is_some());
    }
}

#[test]
fn a_process_seen_from_the_toolbox_has_no_name() {
    let mut facts = facts();
    let local = facts.local.as_mut().unwrap();
    local.by = Witness::Toolbox;
    local.listening = vec![Listening {
        process: None,
        ..listening(80, "")
    }];
    let found = one(&facts, "ports");
    assert_eq!(found.mark, Mark::Fail);
    assert!(found.text.contains("ss -ltnp"), "{found:?}");
}

#[test]
fn certificates_are_warned_of_thirty_days_before_their_end() {
    let mut facts = facts();
    let day = 86_400;
    facts.now = 1_000 * day;
    let mut with = |client: i64, server: i64| {
        facts.certificates = Some(Certificates {
            client_until: facts.now + client,
            server_until: facts.now + server,
        });
        one(&facts, "tls")
    };
    assert_eq!(with(30 * day, 400 * day).mark, Mark::Ok);
    let soon = with(30 * day - 1, 400 * day);
    assert_eq!(soon.mark, Mark::Warn);
    assert_eq!(soon.text, "our certificate ends in 29 days");
    let soon = with(300 * day, day);
    assert_eq!(soon.text, "the engine's certificate ends in 1 day");
    let over = with(300 * day, -1);
    assert_eq!(over.mark, Mark::Fail);
    assert!(over.remedy.is_some());
}

#[test]
fn plain_tcp_is_warned_of() {
    let mut facts = facts();
    facts.plain = true;
    assert_eq!(one(&facts, "tls").mark, Mark::Warn);
}

#[test]
fn a_network_over_a_vpn_is_found() {
    let mut facts = facts();
    facts.networks = vec![Network {
        name: Some("shop_default".into()),
        ipam: Some(Ipam {
            config: Some(vec![IpamConfig {
                subnet: Some("172.20.0.0/16".into()),
                ..Default::default()
            }]),
            ..Default::default()
        }),
        ..Default::default()
    }];
    let route = |interface: &str| HostRoute {
        subnet: "172.20.0.0/16".parse().unwrap(),
        interface: interface.into(),
    };
    facts.local.as_mut().unwrap().routes = vec![route("br-0123456789ab")];
    assert_eq!(one(&facts, "addresses").mark, Mark::Ok);
    facts.local.as_mut().unwrap().routes = vec![route("tun0")];
    let found = one(&facts, "addresses");
    assert_eq!(found.mark, Mark::Warn);
    assert!(found.text.contains("shop_default"), "{}", found.text);
}

#[test]
fn an_api_that_the_engine_itself_warns_of_is_shown() {
    let mut facts = facts();
    facts.info.warnings = Some(vec![
        "WARNING: API is accessible on http://0.0.0.0:2375 without encryption.\n         Access to the remote API is equivalent to root access on the host.".into(),
    ]);
    assert_eq!(one(&facts, "api").mark, Mark::Fail);
}

#[test]
fn what_sites_reach_is_named_with_the_rule_that_shuts_it() {
    let mut facts = facts();
    facts.networks = vec![Network {
        name: Some("ostler-x".into()),
        ipam: Some(Ipam {
            config: Some(vec![IpamConfig {
                subnet: Some("10.91.0.0/20".into()),
                ..IpamConfig::default()
            }]),
            ..Ipam::default()
        }),
        ..Network::default()
    }];
    facts.local = Ok(Local {
        listening: vec![
            listening(80, "haproxy (pid 1)"),
            listening(22, "sshd (pid 2)"),
        ],
        ..Local::default()
    });
    assert!(all(&facts).iter().all(|f| f.check != "reach"));
    facts.local = Ok(Local {
        listening: vec![listening(3306, "mariadbd (pid 3)")],
        metadata: Some(true),
        ..Local::default()
    });
    let found = all(&facts);
    let found: Vec<&Finding> = found.iter().filter(|f| f.check == "reach").collect();
    let said = |n: usize| format!("{} {}", found[n].text, found[n].remedy.as_deref().unwrap());
    assert!(said(0).contains("-I DOCKER-USER -s 10.91.0.0/20 -d 169.254.0.0/16 -p tcp"));
    assert!(said(1).contains("3306 (mariadbd)") && said(1).contains("-I INPUT -s 10.91.0.0/20"));
    assert!(found.iter().all(|f| f.mark == Mark::Warn));

    // With the guard none of it is open; without the guard that was asked for, all of it is.
    facts.isolate = Isolate::Strict;
    assert_eq!(one(&facts, "reach").mark, Mark::Fail);
    let label = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    facts.containers = vec![ListedContainer {
        names: vec!["ostler-x-guard".into()],
        labels: [label("ostler.fleet", "x"), label("ostler.role", "guard")].into(),
        state: "running".into(),
        ..ListedContainer::default()
    }];
    assert_eq!(one(&facts, "reach").mark, Mark::Ok);
    // A copy with its labels guards nothing.
    facts.containers[0].names = vec!["quirky_hopper".into()];
    assert_eq!(one(&facts, "reach").mark, Mark::Fail);
}

#[test]
fn inodes_count_like_bytes() {
    let mut facts = facts();
    let mut with = |free: u64, inodes: Option<(u64, u64)>| {
        let space = Space {
            size: 1000 << 30,
            free: free << 30,
            inodes,
        };
        facts.local.as_mut().unwrap().space = vec![("/srv".into(), space)];
        one(&facts, "disk")
    };
    assert_eq!(with(500, None).mark, Mark::Ok);
    assert_eq!(with(500, Some((1000, 101))).mark, Mark::Ok);
    assert_eq!(with(99, Some((1000, 500))).mark, Mark::Warn);
    assert_eq!(with(19, Some((1000, 500))).mark, Mark::Fail);
    let few = with(500, Some((1000, 99)));
    assert_eq!(few.mark, Mark::Warn);
    assert!(few.text.contains("99 inodes (10%)"), "{few:?}");
    let out = with(500, Some((1000, 0)));
    assert_eq!(out.mark, Mark::Fail);
    assert!(out.remedy.unwrap().contains("find /srv -xdev"));
}

//! Fleets and hosts to look at.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::console::harness::{App, NOW, Setup};
use crate::console::message::{ContainerEvent, HostNews, Message, Seen};
use crate::console::planned::Planned;
use crate::fleet::{Fleet, Limits, Name, SiteState};
use crate::observe::model::{EngineFacts, Inspected, ObservedContainer, ObservedHost, RunState};
use crate::plan::{Class, Interruption, Operation, OperationId, OperationKind, Plan, Undo};
use crate::record::{
    HostRecord, HostState, Labelled, Machine, RecordedState, SiteRecord, StateRead,
};
use crate::verdict::{Link, Probe, Pulse, Road, Run, SiteAnswer, Traffic, Usage};

pub const THREE: &str = "\
fleet: chatons
defaults: { memory: 256M }
hosts:
  web1: { engine: 'ssh://ops@web1.example.net' }
  web2: { engine: 'ssh://ops@web2.example.net' }
  web3: { engine: 'ssh://ops@web3.example.net' }
accounts:
  alice: { email: alice@example.net }
  bob: {}
sites:
  alice-blog: { account: alice, host: web1, recipe: php, domains: [blog.alice.example, www.blog.alice.example], memory: 128M }
  bob-shop: { account: bob, host: web2, recipe: php, domains: [shop.bob.example] }
  carol: { host: web1, recipe: static, domains: [carol.example] }
";

pub fn fleet(text: &str) -> Fleet {
    crate::fleet::load(text, Path::new("fleet.yml"))
        .unwrap_or_else(|e| panic!("{e:?}"))
        .fleet
}

pub fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// A site's container, up for `up` seconds.
pub fn container(fleet: &str, site: &str, up: i64) -> ObservedContainer {
    let id = format!("{:0<64}", crate::record::spec::short_hash(site.as_bytes()));
    let label = |k: &str, v: &str| (format!("ostler.{k}"), v.to_owned());
    ObservedContainer {
        name: crate::record::names::site(&name(fleet), site),
        id,
        image: "php:8.4-apache".into(),
        labels: BTreeMap::from([
            label("fleet", fleet),
            label("site", site),
            label("role", "site"),
            label("hash", "h"),
        ]),
        run: RunState::Running,
        status: "Up 3 hours".into(),
        created: NOW - up,
        addresses: BTreeMap::from([("ostler-x".to_owned(), "10.90.0.10".parse().unwrap())]),
        inspected: Some(Inspected {
            limits: Limits {
                memory: Some(256 << 20),
                ..Limits::default()
            },
            started_at: chrono::DateTime::from_timestamp(NOW - up, 0).map(|t| t.to_rfc3339()),
            ..Inspected::default()
        }),
        ..ObservedContainer::default()
    }
}

pub fn record(site: &str) -> SiteRecord {
    SiteRecord {
        schema: 1,
        site: name(site),
        uid: 200_000,
        spec: None,
        hash: Some("h".into()),
        // As its container was found, but for the one that was changed by hand.
        limits: Limits {
            memory: Some(if site == "alice-blog" { 128 } else { 256 } << 20),
            ..Limits::default()
        },
        route: None,
        secrets: BTreeMap::new(),
        services: Default::default(),
        state: RecordedState::Wanted(SiteState::Running),
        image_id: None,
        ..blank_record(site)
    }
}

fn blank_record(site: &str) -> SiteRecord {
    serde_json::from_value(serde_json::json!({
        "schema": 1, "site": site, "uid": 200000, "spec": null, "hash": "h",
        "limits": {"memory": null, "nano_cpus": null, "pids": null},
        "route": null, "secrets": {}, "state": {"wanted": "running"}, "image_id": null,
        "address": null,
    }))
    .unwrap()
}

/// A host with these containers, all of ours recorded as applied.
pub fn host(containers: Vec<ObservedContainer>) -> ObservedHost {
    let sites = containers
        .iter()
        .filter_map(|c| c.site())
        .map(|site| (name(site), record(site).into()))
        .collect();
    ObservedHost {
        engine: EngineFacts {
            machine: "one".into(),
            version: "28.2.2".into(),
            api: "1.44".into(),
            os: "Debian GNU/Linux 13 (trixie)".into(),
            cpus: 4,
            memory: 8 << 30,
            remapped_users: false,
            certificates: None,
        },
        containers,
        state: StateRead::Read(Arc::new(HostState {
            host: Some(HostRecord {
                applied_by: Some("root@ops, 2026-11-20T17:02:11Z".into()),
                ..HostRecord::default()
            }),
            sites,
            ..HostState::default()
        })),
        ..ObservedHost::default()
    }
}

pub fn ready(app: &mut App, host_name: &str, observed: ObservedHost) {
    let host_name = name(host_name);
    let link = HostNews::Link {
        link: Link::Ready,
        why: String::new(),
        retry_at: None,
    };
    app.send(Message::Host(host_name.clone(), link));
    let fleet = app.model.fleet.as_deref();
    let observed = HostNews::Observed(Seen::of(fleet, &host_name, Arc::new(observed)));
    app.send(Message::Host(host_name, observed));
}

pub fn traffic(app: &mut App, host: &str, numbers: &[(&str, f64, f64, u16)]) {
    let asked = numbers.iter().map(|(site, _, _, status)| {
        let (answer, took) = (SiteAnswer::Site(*status), Duration::from_millis(9));
        let probe = Probe::new(NOW - 3, answer, Road::Connection, took, None);
        (name(site), probe)
    });
    let asked = HostNews::Probed(asked.collect());
    app.send(Message::Host(name(host), asked));
    let numbers = numbers
        .iter()
        .map(|(site, requests, errors, status)| {
            let bad = Run {
                count: 9,
                first: NOW - 14 * 60,
                last: NOW - 3,
            };
            let traffic = Traffic {
                at: NOW - 3,
                requests: *requests,
                errors: Some(*errors),
                connections: 4,
                status: Some((*status, NOW - 3)),
                good: Some(NOW - 14 * 60 - 20),
                bad: (*status >= 500).then_some(bad),
                ..Traffic::default()
            };
            (name(site), traffic)
        })
        .collect();
    app.send(Message::Host(name(host), HostNews::Traffic(numbers)));
}

/// An operation as plans make them.
pub fn operation(host: &str, site: &str, kind: OperationKind, cause: &str) -> Operation {
    Operation {
        id: OperationId(format!("{host}/{site}/{}", kind.facts().word)),
        host: name(host),
        site: Some(name(site)),
        kind,
        class: Class::Write,
        cause: vec![cause.into()],
        interrupts: Interruption::None,
        undo: Undo::Nothing,
        after: Vec::new(),
    }
}

/// The plan that takes back what was done to alice's memory by hand.
pub fn drift_plan() -> Plan {
    let container = crate::plan::ContainerRef {
        name: "ostler-chatons-0a1b2c3d4e".into(),
        id: Some("0a1b".into()),
    };
    let limits = |m: u64| Limits {
        memory: Some(m << 20),
        ..Limits::default()
    };
    let mut set = operation(
        "web1",
        "alice-blog",
        OperationKind::SetLimits {
            container: container.clone(),
            limits: limits(128),
            was: limits(256),
        },
        "memory 128M→256M by hand",
    );
    set.undo = Undo::By(Box::new(OperationKind::SetLimits {
        container,
        limits: limits(256),
        was: limits(128),
    }));
    let record = operation(
        "web1",
        "alice-blog",
        OperationKind::WriteRecord {
            record: Box::new(record("alice-blog")),
        },
        "memory 128M→256M by hand",
    );
    Plan {
        fleet: "chatons".into(),
        operations: vec![set, record],
        ..Plan::default()
    }
}

/// The fleet of three sites: one failing for memory, one changed by hand, one well, one host away.
pub fn three(setup: Setup) -> App {
    let mut app = App::new(Setup {
        fleet: Some(fleet(THREE)),
        ..setup
    });
    ready(
        &mut app,
        "web1",
        host(vec![
            container("chatons", "alice-blog", 2 * 86_400),
            container("chatons", "carol", 61 * 86_400),
        ]),
    );
    // On its host's clock, which is behind.
    let shop = container("chatons", "bob-shop", 14 * 60 + 190);
    let shop_id = shop.id.clone();
    ready(&mut app, "web2", host(vec![shop]));
    // Away for longer than bob's shop is broken.
    if let Some(data) = app.model.data.get_mut(&name("web3")) {
        data.link_since = NOW - 7_300;
    }
    app.send(Message::Host(
        name("web3"),
        HostNews::Link {
            link: Link::BackingOff,
            why: "no route to host".into(),
            retry_at: Some(NOW + 20),
        },
    ));
    traffic(
        &mut app,
        "web1",
        &[("alice-blog", 1.0, 0.0, 200), ("carol", 0.0, 0.0, 200)],
    );
    traffic(&mut app, "web2", &[("bob-shop", 31.0, 840.0, 502)]);
    for n in 0..38 {
        let event = ContainerEvent {
            at: NOW - 40 + n,
            container: shop_id.clone(),
            name: "ostler-chatons-x".into(),
            site: Some("bob-shop".into()),
            action: "oom".into(),
            detail: String::new(),
        };
        app.send(Message::Host(name("web2"), HostNews::Event(event)));
    }
    let usage = Usage {
        at: NOW - 2,
        memory: 251 << 20,
        memory_limit: 256 << 20,
        cpu: Some(0.42),
        cpu_total_ns: 0,
    };
    app.send(Message::Host(name("web2"), HostNews::Usage(shop_id, usage)));
    for (host, ms, skew, load) in [("web1", 12, 0, 0.4), ("web2", 95, -190, 7.2)] {
        let pulse = Pulse {
            round_trip: Duration::from_millis(ms),
            skew_s: Some(skew),
        };
        app.send(Message::Host(name(host), HostNews::Pulse(pulse)));
        let machine = Machine {
            disk: (100 << 30, if skew == 0 { 60 << 30 } else { 12 << 30 }),
            inodes: (1000, 900),
            engine_disk: (200 << 30, 100 << 30),
            engine_inodes: (2000, 1900),
            memory: (8 << 30, 3 << 30),
            swap: (1 << 30, 1 << 30),
            load: [load, load / 2.0, load / 3.0],
            uptime_s: 61 * 86_400,
        };
        app.send(Message::Host(name(host), HostNews::Machine(Ok(machine))));
    }
    app.send(Message::Planned(Ok(Arc::new(Planned::of(drift_plan())))));
    app.wait(12);
    app
}

/// A fleet of `count` sites on three hosts, a few of them in trouble.
pub fn many(count: usize, setup: Setup) -> App {
    let mut text = String::from("fleet: big\nhosts:\n");
    for n in 1..=3 {
        text += &format!("  web{n}: {{ engine: 'ssh://ops@web{n}.example.net' }}\n");
    }
    text += "accounts: { alice: {}, bob: {} }\nsites:\n";
    let site = |n: usize| format!("site-{n:05}");
    for n in 0..count {
        let host = n % 3 + 1;
        let site = site(n);
        text +=
            &format!("  {site}: {{ host: web{host}, recipe: php, domains: [{site}.example] }}\n");
    }
    let mut app = App::new(Setup {
        fleet: Some(fleet(&text)),
        ..setup
    });
    for host_at in 1..=3 {
        let containers = (0..count)
            .filter(|n| n % 3 + 1 == host_at)
            .map(|n| {
                let mut c = container("big", &site(n), 3600 + n as i64 * 60);
                if n % 500 == 7 {
                    c.run = RunState::Exited;
                    c.status = "Exited (137) 5 minutes ago".into();
                    c.inspected = None;
                }
                c
            })
            .collect();
        ready(&mut app, &format!("web{host_at}"), host(containers));
    }
    app.wait(3);
    app
}

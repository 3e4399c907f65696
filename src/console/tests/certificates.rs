//! Certificates: what comes first, and why, in two keys.

use std::collections::BTreeMap;
use std::sync::Arc;

use insta::assert_snapshot;

use super::fixture::{THREE, container, fleet, host, name, ready};
use crate::console::effect::Effect;
use crate::console::harness::{App, NOW, Setup, styled};
use crate::console::message::{HostNews, Message};
use crate::engine::Certificates;
use crate::observe::asked::Road;
use crate::observe::model::ObservedHost;
use crate::observe::served::{Found, Inside, Issued, Loaded, Showing, Showings, Shown, Watched};
use crate::record::StateRead;
use crate::record::certificate::{
    Attempt, CertificateFacts, CertificateRecord, Ending, Served, Source, Stored,
};

const DAY: i64 = 86_400;
const SIZES: [(u16, u16); 3] = [(80, 24), (120, 35), (200, 50)];

fn facts(nr: usize, left: i64, names: &[&str]) -> CertificateFacts {
    CertificateFacts {
        names: names.iter().map(|it| (*it).to_owned()).collect(),
        issuer: "Let's Encrypt E7".into(),
        serial: format!("0{nr}5a9c3e7b1d"),
        fingerprint: format!("{nr}").repeat(64),
        not_before: NOW + left - 90 * DAY,
        not_after: NOW + left,
        chain: 2,
    }
}

fn stored(site: &str, facts: &CertificateFacts) -> CertificateRecord {
    let mut record = CertificateRecord::new(&name(site));
    record.served = Some(Served {
        fingerprint: facts.fingerprint.clone(),
        ..Served::default()
    });
    record.stored = Some(Stored {
        facts: facts.clone(),
        from: Source::Acme {
            directory: "https://acme-v02.api.letsencrypt.org/directory".into(),
        },
        ari: None,
        at: facts.not_before,
    });
    record
}

fn keep(host: &mut ObservedHost, record: CertificateRecord) {
    let StateRead::Read(state) = &mut host.state else {
        panic!("no state");
    };
    let certificates = &mut Arc::make_mut(state).certificates;
    certificates.insert(record.site.clone(), Arc::new(record));
}

fn shown(facts: &CertificateFacts, issued: Issued, road: Road) -> Option<Showing> {
    let shown = Shown::Certificate {
        facts: Arc::new(facts.clone()),
        issued,
        cut_off: None,
    };
    Some(Showing {
        at: NOW,
        road,
        shown,
    })
}

/// One that ends soon and cannot be renewed, one that is not loaded, one that is well.
fn app(setup: Setup) -> App {
    let text = THREE.replace(
        "hosts:\n",
        "acme: { terms: agreed, contact: [ops@chatons.example] }\nhosts:\n",
    );
    let mut app = App::new(Setup {
        fleet: Some(fleet(&text)),
        ..setup
    });
    let blog = facts(
        1,
        5 * DAY,
        &["blog.alice.example", "www.blog.alice.example"],
    );
    let mut failing = stored("alice-blog", &blog);
    failing.attempt = Some(Attempt {
        at: NOW - 4 * 3600,
        ended: Ending::Failed,
        names: Vec::new(),
        failures: 3,
        not_before: NOW + 20 * 3600,
        words: [
            (
                "blog.alice.example",
                "DNS problem: query timed out looking up CAA for alice.example",
            ),
            ("www.blog.alice.example", "no valid A records found"),
        ]
        .map(|(name, words)| (name.to_owned(), words.to_owned()))
        .into(),
    });
    let carol = facts(2, 71 * DAY, &["carol.example"]);
    let (old, new) = (
        facts(3, 20 * DAY, &["shop.bob.example"]),
        facts(4, 89 * DAY, &["shop.bob.example"]),
    );
    let mut web1 = host(vec![
        container("chatons", "alice-blog", 2 * DAY),
        container("chatons", "carol", 61 * DAY),
    ]);
    keep(&mut web1, failing);
    keep(&mut web1, stored("carol", &carol));
    let mut web2 = host(vec![container("chatons", "bob-shop", 3600)]);
    keep(&mut web2, stored("bob-shop", &new));
    web2.engine.certificates = Some(Certificates {
        client_until: NOW + 20 * DAY,
        server_until: NOW + 200 * DAY,
    });
    ready(&mut app, "web1", web1);
    ready(&mut app, "web2", web2);
    let here = || Road::Here("192.0.2.7".into());
    let names = |name: &str, router, visitors| -> BTreeMap<String, Showings> {
        [(name.to_owned(), Showings { router, visitors })].into()
    };
    let inside = |site: &str, file: &CertificateFacts, loaded: &CertificateFacts| Inside {
        at: NOW,
        found: Ok(Found {
            files: [(name(site), Ok(file.clone()))].into(),
            loaded: [(
                name(site),
                Loaded {
                    listed: true,
                    serial: loaded.serial.clone(),
                    not_before: loaded.not_before,
                    not_after: loaded.not_after,
                    chain: 2,
                },
            )]
            .into(),
            ..Found::default()
        }),
    };
    let on_web1 = Watched {
        inside: Some(inside("carol", &carol, &carol)),
        names: [(
            name("carol"),
            names("carol.example", None, shown(&carol, Issued::Known, here())),
        )]
        .into(),
    };
    let on_web2 = Watched {
        inside: Some(inside("bob-shop", &new, &old)),
        names: [(
            name("bob-shop"),
            names(
                "shop.bob.example",
                shown(&old, Issued::Known, Road::Connection),
                shown(&old, Issued::Known, here()),
            ),
        )]
        .into(),
    };
    for (host, found) in [("web1", on_web1), ("web2", on_web2)] {
        app.send(Message::Host(name(host), HostNews::Certificates(found)));
    }
    app.wait(3);
    app
}

#[test]
fn certificates_and_one_s_page() {
    for size in SIZES {
        let mut app = app(Setup {
            size,
            ..Setup::default()
        });
        let at = format!("{}x{}", size.0, size.1);
        assert_snapshot!(format!("certificate_sites_{at}"), styled(&app.frame()));
        app.press("3");
        assert_snapshot!(format!("certificates_{at}"), styled(&app.frame()));
        app.press("enter");
        assert_snapshot!(format!("certificate_{at}"), styled(&app.frame()));
        app.press("q j j enter");
        assert_snapshot!(format!("certificate_mismatch_{at}"), styled(&app.frame()));
    }
}

#[test]
fn what_ends_first_and_why_it_is_not_renewed_takes_two_keys() {
    let mut app = app(Setup::default());
    app.press("3");
    let text = app.text();
    let first = text.lines().position(|line| line.contains("alice-blog"));
    let rows = text.lines().position(|line| line.contains("bob-shop"));
    assert!(first < rows, "{text}");
    app.press("enter");
    let text = app.text();
    for part in [
        "alice-blog",
        "ends in 5 d",
        "DNS problem: query timed out looking up CAA",
        "no valid A records found",
        "tried again in 19 h",
    ] {
        assert!(text.contains(part), "{part}:\n{text}");
    }
    // Back, and the site that it is of.
    app.press("enter");
    assert!(app.text().contains("certificate"), "{}", app.text());
    assert!(app.model.shows::<crate::console::screen::site::SitePage>());
}

#[test]
fn what_is_looked_at_is_asked_for() {
    let mut app = app(Setup::default());
    let asks = |app: &App| {
        let watches = app.effects.iter().rev().find_map(|effect| match effect {
            Effect::Watch(watch) => Some(watch.clone()),
            _ => None,
        });
        let watch = watches.unwrap_or_default();
        (watch.certificates, watch.certificate)
    };
    assert_eq!(asks(&app), (false, None));
    app.press("3");
    assert_eq!(asks(&app), (true, None));
    app.press("enter");
    let site = ("web1".to_owned(), "alice-blog".to_owned());
    assert_eq!(asks(&app), (false, Some(site)));
    app.press("q /").type_text("carol").press("enter");
    let text = app.text();
    assert!(
        text.contains("carol") && !text.contains("bob-shop"),
        "{text}"
    );
    assert!(text.contains("1 of 6"), "{text}");
    app.press("esc");
    assert!(app.text().contains("bob-shop"));
    // The cursor goes from one that is not well to the next.
    app.press("g n n");
    assert_eq!(app.model.certificates.here().unwrap().name, "bob-shop");
    app.press("n");
    assert_eq!(app.model.certificates.here().unwrap().name, "alice-blog");
}

#[test]
fn in_a_fleet_without_certificates_it_says_where_they_come_from() {
    let mut app = App::new(Setup {
        fleet: Some(fleet(THREE)),
        ..Setup::default()
    });
    app.press("3");
    assert!(
        app.text().contains("`acme:` says who issues them"),
        "{}",
        app.text()
    );
}

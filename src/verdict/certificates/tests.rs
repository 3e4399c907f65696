use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::fleet::{Fleet, Name};
use crate::observe::asked::Road;
use crate::observe::model::{HostObservation, ObservedHost};
use crate::observe::served::{Found, Inside, Issued, Loaded, Showing, Showings, Shown, Watched};
use crate::record::certificate::{
    Attempt, CertificateFacts, CertificateRecord, Ending, NOBODYS, Served, Source, Stored,
};
use crate::record::{HostState, StateRead};
use crate::verdict::State;
use crate::verdict::due::DriftBySite;
use crate::verdict::evidence::HostData;

const DAY: i64 = 86_400;
const NOW: i64 = 1_800_000_000;

/// A certificate with so much of ninety days left.
fn facts(print: char, left: i64, names: &[&str]) -> CertificateFacts {
    CertificateFacts {
        names: names.iter().map(|it| (*it).to_owned()).collect(),
        issuer: "Good CA".into(),
        serial: format!("0{print}"),
        fingerprint: print.to_string().repeat(64),
        not_before: NOW + left - 90 * DAY,
        not_after: NOW + left,
        chain: 2,
    }
}

fn stored(facts: CertificateFacts) -> CertificateRecord {
    let mut record = CertificateRecord::new(&"shop".parse().unwrap());
    record.served = Some(Served {
        fingerprint: facts.fingerprint.clone(),
        ..Served::default()
    });
    record.stored = Some(Stored {
        facts,
        from: Source::Acme {
            directory: "https://ca.test/dir".into(),
        },
        ari: None,
        at: NOW - DAY,
    });
    record
}

fn failed(words: &[(&str, &str)]) -> Option<Attempt> {
    let words = words
        .iter()
        .map(|(name, words)| ((*name).into(), (*words).into()));
    Some(Attempt {
        at: NOW - 60,
        ended: Ending::Failed,
        names: Vec::new(),
        failures: 3,
        not_before: NOW + 3600,
        words: words.collect(),
    })
}

fn fleet(more: &str) -> Fleet {
    let text = format!(
        "fleet: x\nacme: {{ terms: agreed, directory: \"https://ca.test/dir\" }}\nhosts: {{ a: {{ engine: \"ssh://a\" }} }}\nsites:\n  shop: {{ host: a, recipe: static, domains: [shop.example]{more} }}\n"
    );
    crate::fleet::load(&text, Path::new("fleet.yml"))
        .unwrap()
        .fleet
}

fn data(record: Option<CertificateRecord>, watched: Watched) -> HostData {
    let records = record.map(|it| (it.site.clone(), Arc::new(it)));
    let state = HostState {
        certificates: records.into_iter().collect(),
        ..HostState::default()
    };
    let seen = ObservedHost {
        state: StateRead::Read(Arc::new(state)),
        ..ObservedHost::default()
    };
    let found = HostObservation::Reached(Arc::new(seen));
    HostData {
        certificates: Arc::new(watched),
        ..HostData::of(Some(&found), DriftBySite::new(), NOW)
    }
}

fn judged(record: Option<CertificateRecord>, watched: Watched) -> CertificateRow {
    let fleet = fleet("");
    of_site(&fleet, &fleet.sites[0], &data(record, watched), NOW).unwrap()
}

fn shown(facts: CertificateFacts, issued: Issued, road: Road) -> Showing {
    let shown = Shown::Certificate {
        facts: Arc::new(facts),
        issued,
        cut_off: None,
    };
    let at = NOW;
    Showing { at, road, shown }
}

fn watched(router: Option<Showing>, visitors: Option<Showing>) -> Watched {
    let showings = Showings { router, visitors };
    let names = [("shop.example".to_owned(), showings)].into();
    Watched {
        inside: None,
        names: [("shop".parse::<Name>().unwrap(), names)].into(),
    }
}

fn router(facts: CertificateFacts, issued: Issued) -> Watched {
    watched(Some(shown(facts, issued, Road::Connection)), None)
}

fn visitors(facts: CertificateFacts, issued: Issued) -> Watched {
    let here = Road::Here("192.0.2.7".into());
    let own = self::facts('a', 60 * DAY, &["shop.example"]);
    watched(
        Some(shown(own, Issued::Known, Road::Connection)),
        Some(shown(facts, issued, here)),
    )
}

#[test]
fn what_is_served_ends_also_where_the_file_wants_none() {
    let ways = [
        ("acme: off", ""),
        ("", ""),
        ("acme: { terms: agreed }", ", https: \"off\""),
        ("acme: { terms: agreed }", ", certificate: none"),
    ];
    for (acme, more) in ways {
        let text = format!(
            "fleet: x\n{acme}\nhosts: {{ a: {{ engine: \"ssh://a\" }} }}\nsites:\n  shop: {{ host: a, recipe: static, domains: [shop.example]{more} }}\n"
        );
        let loaded = crate::fleet::load(&text, Path::new("fleet.yml")).unwrap();
        for (left, stand, state, words) in [
            (
                -DAY,
                Stand::Expired,
                State::Failing,
                "ended 24 h ago; served, and renewed by nobody",
            ),
            (
                3 * DAY,
                Stand::Expiring,
                State::Failing,
                "ends in 3 d; served, and renewed by nobody",
            ),
            (60 * DAY, Stand::Unused, State::Stopped, "renewed by nobody"),
        ] {
            let mut record = stored(facts('a', left, &["shop.example"]));
            let judge = |record: CertificateRecord| {
                let data = data(Some(record), Watched::default());
                of_site(&loaded.fleet, &loaded.fleet.sites[0], &data, NOW).unwrap()
            };
            let row = judge(record.clone());
            assert_eq!((row.stand, row.state), (stand, state), "{acme}{more}");
            assert!(row.why.contains(words), "{}", row.why);
            assert_eq!(row.next.is_empty(), stand == Stand::Unused, "{}", row.next);
            // Of no concern to visitors.
            record.served = None;
            assert_eq!(judge(record).stand, Stand::Unused);
        }
    }
}

fn inside(file: Result<CertificateFacts, &str>, loaded: Option<&CertificateFacts>) -> Watched {
    let site: Name = "shop".parse().unwrap();
    let loaded = loaded.map(|facts| Loaded {
        listed: true,
        serial: facts.serial.to_uppercase(),
        not_before: facts.not_before,
        not_after: facts.not_after,
        chain: facts.chain,
    });
    Watched {
        inside: Some(Inside {
            at: NOW,
            found: Ok(Found {
                files: [(site.clone(), file.map_err(str::to_owned))].into(),
                loaded: loaded.map(|it| (site.clone(), it)).into_iter().collect(),
                left_out: [(site, "no start line".to_owned())].into(),
            }),
        }),
        names: BTreeMap::new(),
    }
}

#[test]
fn each_mismatch_is_named_as_what_it_is() {
    let good = || facts('a', 60 * DAY, &["shop.example"]);
    let other = |left| facts('b', left, &["shop.example"]);
    let strange = facts('c', 60 * DAY, &["parked.example"]);
    let default = facts('d', 600 * DAY, &[NOBODYS]);
    let nothing = Showing {
        at: NOW,
        road: Road::Connection,
        shown: Shown::Nothing("connection refused".into()),
    };
    for (watched, fault, state, part) in [
        (router(good(), Issued::Known), None, State::Ok, ""),
        (visitors(good(), Issued::NotJudged), None, State::Ok, ""),
        (
            router(other(DAY), Issued::Known),
            Some(Fault::NotLoaded),
            State::Warning,
            "shows another one, ends in 24 h",
        ),
        (
            router(other(-DAY), Issued::Known),
            Some(Fault::Expired),
            State::Failing,
            "ended 24 h ago",
        ),
        (
            router(strange.clone(), Issued::Known),
            Some(Fault::WrongName),
            State::Failing,
            "is for parked.example",
        ),
        (
            router(good(), Issued::Incomplete),
            Some(Fault::IntermediateMissing),
            State::Failing,
            "of Good CA is not shown",
        ),
        (
            router(good(), Issued::Nobody),
            Some(Fault::Untrusted),
            State::Warning,
            "known to nobody",
        ),
        (
            router(default, Issued::Itself),
            Some(Fault::NotShown),
            State::Failing,
            "has none for it",
        ),
        (
            watched(Some(nothing), None),
            Some(Fault::NotShown),
            State::Failing,
            "connection refused",
        ),
        (
            visitors(other(20 * DAY), Issued::Known),
            Some(Fault::SomebodyElse),
            State::Ok,
            "at 192.0.2.7 shows another one, of Good CA",
        ),
        (
            visitors(strange, Issued::Known),
            Some(Fault::WrongName),
            State::Failing,
            "at 192.0.2.7: what is shown is for parked.example",
        ),
        (inside(Ok(good()), Some(&good())), None, State::Ok, ""),
        (
            inside(Ok(other(80 * DAY)), Some(&good())),
            Some(Fault::NotLoaded),
            State::Warning,
            "the router has another one, which ends in 60 d",
        ),
        (
            inside(Ok(good()), None),
            Some(Fault::NotLoaded),
            State::Warning,
            "left out: no start line",
        ),
        (
            inside(Err("its file is missing"), Some(&good())),
            Some(Fault::NotOnDisk),
            State::Warning,
            "its file is missing; the next start",
        ),
    ] {
        let row = judged(Some(stored(good())), watched);
        assert_eq!((row.fault, row.state), (fault, state), "{row:?}");
        assert!(row.why.contains(part), "{fault:?}: {}", row.why);
        let mismatch = fault.is_some_and(Fault::matters);
        assert_eq!(row.stand == Stand::Mismatch, mismatch, "{row:?}");
        assert_eq!(row.is_well(), !mismatch);
    }
}

#[test]
fn what_comes_of_life_and_tries_is_said() {
    let words: &[(&str, &str)] = &[("shop.example", "DNS problem: NXDOMAIN")];
    let with = |left: i64, attempt: Option<Attempt>| {
        let mut record = stored(facts('a', left, &["shop.example"]));
        record.attempt = attempt;
        judged(Some(record), Watched::default())
    };
    let waiting = failed(words).map(|it| Attempt {
        ended: Ending::Waiting,
        ..it
    });
    let none = CertificateRecord::new(&"shop".parse().unwrap());
    let without = |attempt: Option<Attempt>| {
        let mut record = none.clone();
        record.attempt = attempt;
        judged(Some(record), Watched::default())
    };
    for (row, stand, state, part) in [
        (with(60 * DAY, None), Stand::Ok, State::Ok, ""),
        (
            with(29 * DAY, None),
            Stand::Due,
            State::Pending,
            "to be renewed, since",
        ),
        (
            with(20 * DAY, None),
            Stand::Expiring,
            State::Warning,
            "ends in 20 d",
        ),
        (
            with(5 * DAY, None),
            Stand::Expiring,
            State::Failing,
            "ends in 5 d",
        ),
        (
            with(-DAY, None),
            Stand::Expired,
            State::Failing,
            "ended 24 h ago",
        ),
        (
            with(29 * DAY, failed(words)),
            Stand::Failing,
            State::Warning,
            "DNS problem: NXDOMAIN (shop.example; 3 tries failed)",
        ),
        (
            with(20 * DAY, failed(words)),
            Stand::Failing,
            State::Failing,
            "DNS problem: NXDOMAIN (shop.example; 3 tries failed); ends in 20 d",
        ),
        (
            with(-DAY, failed(words)),
            Stand::Expired,
            State::Failing,
            "ended 24 h ago; DNS problem: NXDOMAIN",
        ),
        (
            without(None),
            Stand::Missing,
            State::Pending,
            "none was asked for yet",
        ),
        (
            without(failed(&[("", "rate limited")])),
            Stand::Failing,
            State::Failing,
            "rate limited",
        ),
        (without(waiting), Stand::Waiting, State::Pending, "NXDOMAIN"),
    ] {
        assert_eq!((row.stand, row.state), (stand, state), "{row:?}");
        assert!(row.why.contains(part), "{stand:?}: {}", row.why);
        assert_eq!(row.next.is_empty(), stand == Stand::Ok, "{row:?}");
    }
    let row = with(29 * DAY, failed(words));
    assert_eq!(row.next_try, Some(NOW + 3600));
    assert!(row.renew_at < Some(NOW));
    assert_eq!(row.names[0].words.as_deref(), Some("DNS problem: NXDOMAIN"));
}

#[test]
fn what_is_not_wanted_or_not_known_is_said_too() {
    let record = || stored(facts('a', -DAY, &["shop.example"]));
    let of = |more: &str, data: &HostData| {
        let fleet = fleet(more);
        of_site(&fleet, &fleet.sites[0], data, NOW)
    };
    // The router was told of none.
    let unserved = || CertificateRecord {
        served: None,
        ..record()
    };
    let seen = || data(Some(unserved()), Watched::default());
    for more in [
        ", state: stopped",
        ", state: archived",
        ", certificate: none",
        ", https: off",
    ] {
        let row = of(more, &seen()).unwrap();
        assert_eq!(row.stand, Stand::Unused, "{more}");
        assert!(row.is_well());
    }
    let empty = data(None, Watched::default());
    assert_eq!(of(", certificate: none", &empty), None);
    assert_eq!(of(", state: stopped", &empty), None);
    let row = of("", &HostData::connecting(NOW)).unwrap();
    assert!(row.is_unknown() && row.stand == Stand::Unknown);
    // A name that is not in it yet.
    let fleet = fleet(", redirects: { www.shop.example: \"https://shop.example\" }");
    let fresh = stored(facts('a', 60 * DAY, &["shop.example"]));
    let with = data(Some(fresh.clone()), Watched::default());
    let row = of_site(&fleet, &fleet.sites[0], &with, NOW).unwrap();
    assert_eq!(row.stand, Stand::Due);
    assert!(
        row.why.contains("www.shop.example is not in it yet"),
        "{}",
        row.why
    );
    // One that a host keeps of a site that has gone.
    let mut old = fresh;
    old.site = "gone".parse().unwrap();
    let rows = kept(
        &fleet,
        &fleet.hosts[0].name,
        &data(Some(old), Watched::default()),
        NOW,
    );
    assert_eq!((rows.len(), rows[0].stand), (1, Stand::Unused));
    assert!(kept(&fleet, &fleet.hosts[0].name, &with, NOW).is_empty());
}

#[test]
fn what_comes_first_stands_first_and_a_week_is_counted() {
    let row = |name: &str, stand, state, left: i64| CertificateRow {
        name: name.into(),
        stand,
        state,
        until: Some(NOW + left),
        renew_at: Some(NOW + left - 30 * DAY),
        ..CertificateRow::default()
    };
    let mut rows = vec![
        row("unused", Stand::Unused, State::Stopped, -DAY),
        row("fresh", Stand::Ok, State::Ok, 80 * DAY),
        row("due", Stand::Due, State::Pending, 29 * DAY),
        row("warned", Stand::Failing, State::Warning, 29 * DAY),
        row("waiting", Stand::Waiting, State::Pending, 85 * DAY),
        row("soon", Stand::Failing, State::Failing, 2 * DAY),
        row("gone", Stand::Expired, State::Failing, -3 * DAY),
    ];
    rows.sort_by_key(CertificateRow::order);
    let names: Vec<&str> = rows.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "gone", "soon", "warned", "waiting", "due", "fresh", "unused"
        ]
    );
    let days = week(&rows, NOW - 100);
    assert_eq!(days.map(|day| day.ends), [1, 0, 1, 0, 0, 0, 0]);
    assert_eq!(days.map(|day| day.renewals), [4, 0, 0, 0, 0, 0, 0]);
    assert_eq!(days[6].at, NOW - 100 + 6 * DAY);
}

#[test]
fn connections_and_the_account_are_in_the_list() {
    let fleet = fleet("");
    let mut seen = ObservedHost::default();
    seen.engine.certificates = Some(crate::engine::Certificates {
        client_until: NOW + 5 * DAY,
        server_until: NOW + 300 * DAY,
    });
    let found = HostObservation::Reached(Arc::new(seen));
    let data = HostData::of(Some(&found), DriftBySite::new(), NOW);
    let hosts = [(fleet.hosts[0].name.clone(), data)].into();
    let rows = others(&fleet, &hosts, NOW);
    let stands: Vec<_> = rows.iter().map(|it| (it.holder, it.stand)).collect();
    assert_eq!(
        stands,
        [
            (Holder::Operator, Stand::Expiring),
            (Holder::Engine, Stand::Ok),
            (Holder::Account, Stand::Ok),
        ]
    );
}

#[test]
fn a_site_says_what_matters_of_its_certificate() {
    let fleet = fleet("");
    let mut record = stored(facts('a', 10 * DAY, &["shop.example"]));
    record.attempt = failed(&[("shop.example", "no \u{1b}[2Jsuch name")]);
    let data = data(Some(record), Watched::default());
    let due = crate::verdict::Due::default();
    let facts = crate::verdict::Facts {
        fleet: Some(&fleet),
        due: &due,
        probes: &Default::default(),
        now: NOW,
    };
    let rows = crate::verdict::site::rows_of_host(&facts, &fleet.hosts[0].name, &data);
    assert_eq!(rows[0].state, State::Warning);
    assert!(
        rows[0].why.starts_with("certificate: no "),
        "{}",
        rows[0].why
    );
    assert!(!rows[0].why.contains('\u{1b}'));
    assert!(rows[0].why.ends_with("not applied yet"), "{}", rows[0].why);
}

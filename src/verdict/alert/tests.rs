use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use super::found::key;
use super::*;
use crate::observe::model::{HostObservation, Observed, ObservedHost};
use crate::verdict::{CertificateRow, SiteRow, Stand, State};

fn alert(name: &str, level: u8, since: i64) -> Alert {
    Alert {
        key: key(Kind::Site, &format!("web1/{name}")),
        kind: Kind::Site,
        host: "web1".into(),
        site: Some(name.into()),
        what: "502".into(),
        since,
        next: "look".into(),
        level,
    }
}

fn news(book: &Book, way: &str) -> Vec<(News, String)> {
    let changes = book.to_tell(way).into_iter();
    changes.map(|it| (it.news, it.alert.key)).collect()
}

fn tell(book: &mut Book, way: &str) {
    for change in book.to_tell(way) {
        book.told(way, &change);
    }
}

#[test]
fn each_change_is_told_once_by_each_way() {
    let ways = BTreeSet::from(["a", "b"]);
    let key = "site/web1/shop".to_owned();
    let mut book = Book::default();
    book.update(vec![alert("shop", 1, 10)], |_| true, 10);
    assert_eq!(news(&book, "a"), [(News::New, key.clone())]);
    tell(&mut book, "a");
    // The one that failed has it still to be told, also by the next process.
    let kept = serde_json::to_vec(&book).unwrap();
    let mut book: Book = serde_json::from_slice(&kept).unwrap();
    book.update(vec![alert("shop", 1, 20)], |_| true, 20);
    assert_eq!(news(&book, "a"), []);
    assert_eq!(news(&book, "b"), [(News::New, key.clone())]);
    assert_eq!(book.standing().next().unwrap().since, 10);
    tell(&mut book, "b");
    // Worse is told, less bad is not.
    book.update(vec![alert("shop", 0, 30)], |_| true, 30);
    assert_eq!(news(&book, "a"), [(News::Worse, key.clone())]);
    tell(&mut book, "a");
    book.update(vec![alert("shop", 1, 40)], |_| true, 40);
    assert_eq!(news(&book, "a"), []);
    // Not looked at is not gone.
    book.update(Vec::new(), |_| false, 50);
    assert_eq!((news(&book, "a"), book.standing().count()), (vec![], 1));
    book.update(Vec::new(), |_| true, 60);
    book.tidy(&ways);
    assert_eq!(book.standing().count(), 0);
    assert_eq!(news(&book, "a"), [(News::Well, key.clone())]);
    assert_eq!(book.to_tell("a")[0].ended, Some(60));
    tell(&mut book, "a");
    // There again before the other heard of it: for that one nothing changed.
    book.update(vec![alert("shop", 1, 70)], |_| true, 70);
    assert_eq!(news(&book, "a"), [(News::New, key)]);
    assert_eq!(news(&book, "b"), []);
    assert_eq!(book.standing().next().unwrap().since, 70);
    book.update(Vec::new(), |_| true, 80);
    tell(&mut book, "b");
    book.tidy(&ways);
    assert_eq!(book, Book::default());
}

#[test]
fn what_was_not_looked_at_is_neither_there_nor_gone() {
    let text = "fleet: x\nhosts: { web1: { engine: \"unix:///x\" }, web2: { engine: \"unix:///y\" } }\nsites: {}\n";
    let fleet = crate::fleet::load(text, Path::new("fleet.yml"))
        .unwrap()
        .fleet;
    let mut observed = Observed::default();
    let lost = HostObservation::Unreachable {
        why: "no route\u{202e}\nto it".into(),
    };
    observed.hosts.insert("web1".parse().unwrap(), lost);
    let row = SiteRow {
        key: "web2/shop".into(),
        name: "shop".into(),
        host: "web2".into(),
        in_file: true,
        state: State::Failing,
        ..SiteRow::default()
    };
    let certificate = CertificateRow {
        key: "web2/shop".into(),
        name: "shop".into(),
        host: "web2".into(),
        stand: Stand::Expired,
        state: State::Failing,
        until: Some(7),
        ..CertificateRow::default()
    };
    let unknown = CertificateRow {
        key: "web2/blog".into(),
        name: "blog".into(),
        host: "web2".into(),
        ..CertificateRow::default()
    };
    let (rows, certificates) = ([row], [certificate, unknown]);
    let looked = |whole, observed| Looked {
        fleet: &fleet,
        observed,
        rows: &rows,
        certificates: &certificates,
        whole,
        now: 100,
    };
    let it = looked(true, &observed);
    let alerts = it.alerts();
    let told: Vec<_> = alerts
        .iter()
        .map(|it| (it.key.as_str(), it.since))
        .collect();
    let expected = [
        ("certificate/web2/shop", 7),
        ("host/web1", 100),
        ("site/web2/shop", 100),
    ];
    assert_eq!(told, expected);
    assert!(
        !alerts[1].what.contains(['\n', '\u{202e}']),
        "{:?}",
        alerts[1]
    );
    assert_eq!(alerts[0].about(), "certificate shop on web2");
    // Sites of a host that is lost are not known, nor is a host that was not asked.
    assert!(!it.knows(&alert("shop", 0, 0)) && it.knows(&alerts[1]));
    assert!(!it.knows(&alerts[0]));
    let away = Alert {
        host: "gone".into(),
        ..alert("shop", 0, 0)
    };
    assert!(it.knows(&away) && !looked(false, &observed).knows(&away));
    let reached = HostObservation::Reached(Arc::new(ObservedHost::default()));
    let mut observed = observed.clone();
    observed.hosts.insert("web2".parse().unwrap(), reached);
    let it = looked(false, &observed);
    assert!(it.knows(&alerts[0]) && it.knows(&alerts[2]));
    let of = |name: &str| Alert {
        key: key(Kind::Certificate, &format!("web2/{name}")),
        ..alerts[0].clone()
    };
    assert!(!it.knows(&of("blog")) && !it.knows(&of("other")));
    assert!(looked(true, &observed).knows(&of("other")));
}

//! A host in trouble is one line among the sites.

use super::fixture;
use crate::console::model::order;
use crate::console::model::sites_list::{SitesList, Sort};
use crate::fleet::Name;
use crate::record::Machine;
use crate::verdict::host::{alert, host_line};
use crate::verdict::tally::tally;
use crate::verdict::{HostData, Link, Since, SiteRow, State};

const NOW: i64 = 1_795_230_000;

fn data(link: Link) -> HostData {
    HostData {
        link,
        link_since: NOW - 720,
        why: "no route to host\u{1b}[2J".into(),
        observed_at: Some(NOW - 700),
        ..HostData::default()
    }
}

fn site(host: &str, name: &str, state: State, link: Link) -> SiteRow {
    let host: Name = host.parse().unwrap();
    SiteRow {
        name: name.into(),
        key: format!("{host}/{name}").into(),
        is_host: false,
        in_file: true,
        state,
        since: Some(Since::exactly(NOW - 60)),
        stale: !matches!(link, Link::Ready | Link::Degraded),
        ..host_line(&host, &data(link))
    }
}

fn list() -> SitesList {
    let text = "fleet: f\nhosts: { web1: { engine: 'unix:///x' } }\n";
    let fleet = fixture::fleet(text);
    let app = crate::console::harness::App::new(crate::console::harness::Setup {
        fleet: Some(fleet),
        ..Default::default()
    });
    app.model.sites
}

/// A host with forty sites that is lost, one that is well, with one site that fails.
fn rows() -> Vec<SiteRow> {
    let mut rows: Vec<SiteRow> = (0..40)
        .map(|n| {
            let state = if n == 3 { State::Failing } else { State::Ok };
            site("web3", &format!("site-{n:02}"), state, Link::BackingOff)
        })
        .collect();
    let host: Name = "web3".parse().unwrap();
    rows.insert(
        0,
        alert(&host, &data(Link::BackingOff), &rows, NOW).unwrap(),
    );
    rows.push(site("web1", "shop", State::Failing, Link::Ready));
    rows.push(site("web1", "blog", State::Ok, Link::Ready));
    rows
}

#[test]
fn a_host_whose_disk_is_nearly_full_is_one_line_too() {
    let host: Name = "web1".parse().unwrap();
    let rows = [site("web1", "blog", State::Ok, Link::Ready)];
    let with = |inodes, engine_disk| {
        let machine = Machine {
            disk: (1000, 500),
            inodes: (1000, inodes),
            engine_disk: (2000, engine_disk),
            ..Machine::default()
        };
        let data = HostData {
            machine: Some((machine, NOW - 5)),
            ..data(Link::Ready)
        };
        alert(&host, &data, &rows, NOW).map(|row| (row.state, row.why))
    };
    assert_eq!(with(101, 201), None);
    let few = "9% of the inodes of the sites' disk left";
    assert_eq!(with(90, 400), Some((State::Warning, few.into())));
    let none = "0% of the bytes of Docker's disk left, 9% of the inodes of the sites' disk left";
    assert_eq!(with(90, 0), Some((State::Failing, none.into())));
}

#[test]
fn a_lost_host_is_one_line_that_says_what_since_when_and_why() {
    let host: Name = "web3".parse().unwrap();
    let rows = rows();
    let row = &rows[0];
    assert!(row.is_host && !row.stale);
    assert_eq!((row.name.as_str(), row.host.as_str()), ("web3", "web3"));
    assert_eq!(row.since, Some(Since::at_least(NOW - 720)));
    assert_eq!(row.why, "no route to host␛[2J; 40 sites not known");
    assert!(alert(&host, &data(Link::Ready), &rows, NOW).is_none());
    assert!(alert(&host, &data(Link::Connecting), &rows, NOW).is_none());
    let slow = alert(&host, &data(Link::Degraded), &rows, NOW).unwrap();
    assert_eq!(slow.state, State::Degraded);
    // One that answers and was not read for twelve minutes, or could not be, is in trouble too.
    let old = alert(&host, &data(Link::Ready), &rows, NOW + 20).unwrap();
    assert_eq!(
        (old.state, old.since),
        (State::Degraded, Some(Since::exactly(NOW - 700)))
    );
    assert!(old.why.ends_with("not read for long; 42 sites not known"));
    let unread = HostData {
        unread_since: Some(NOW - 4),
        why: "it cannot be read: no answer within 8 s".into(),
        ..data(Link::Degraded)
    };
    let unread = alert(&host, &unread, &rows, NOW).unwrap();
    assert_eq!(unread.since, Some(Since::exactly(NOW - 4)));
    assert!(unread.why.contains("cannot be read") && unread.why.contains("42 sites not known"));
    // No site can have the key.
    assert!(rows[1..].iter().all(|r| r.key != row.key));
    let namesake = site("web3", "web3", State::Ok, Link::Ready);
    assert_ne!(namesake.key, row.key);
}

#[test]
fn the_sites_of_a_lost_host_are_below_all_that_is_known_to_be_broken() {
    let rows = rows();
    let shown = |list: &SitesList| -> Vec<String> {
        let order = order::order(list, &rows, &[]);
        let names = order.iter().map(|i| rows[*i as usize].name.clone());
        names.collect()
    };
    let mut list = list();
    let all = shown(&list);
    assert_eq!(all[..3], ["shop", "web3", "site-03"]);
    assert_eq!(all.len(), 43);
    assert_eq!(all[42], "blog");
    list.broken = true;
    assert_eq!(shown(&list), ["shop", "web3"]);
    list.sort = Sort::Host;
    list.broken = false;
    assert_eq!(shown(&list)[2..4], ["web3", "site-00"]);
}

#[test]
fn the_line_of_a_lost_host_stands_for_its_sites_until_one_looks_for_them() {
    let rows = rows();
    let shown = |list: &SitesList| -> Vec<String> {
        let order = order::order(list, &rows, &[]);
        let names = order.iter().map(|i| rows[*i as usize].name.clone());
        names.collect()
    };
    let mut list = list();
    list.folded.insert("web3".into());
    assert_eq!(shown(&list), ["shop", "web3", "blog"]);
    list.sort = Sort::Name;
    assert_eq!(shown(&list), ["blog", "shop", "web3"]);
    list.filter = "site-03".into();
    assert_eq!(shown(&list), ["site-03"]);
    list.filter = "web3".into();
    assert_eq!(shown(&list).len(), 41);
    // Nothing goes under the fingers: they are folded with the next order.
    list.filter.clear();
    let before: Vec<u32> = (0..rows.len() as u32).collect();
    assert_eq!(order::order_kept(&list, &rows, &before).len(), rows.len());
}

#[test]
fn sites_of_a_lost_host_are_counted_as_not_known() {
    let tally = tally(&rows(), false);
    assert_eq!((tally.all, tally.failing, tally.unknown), (42, 1, 40));
}

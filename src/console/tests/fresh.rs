//! What is on screen is of now, or says its age.

use std::time::Duration;

use super::fixture::{container, host, name, ready, three};
use crate::console::effect::Effect;
use crate::console::harness::{App, NOW, Setup};
use crate::console::message::{ContainerEvent, HostNews, Message};
use crate::console::settle::due_ms;
use crate::verdict::{Link, Probe, Road, SiteAnswer};

/// A question of ours to carol's site, and what came of it.
fn asked(app: &mut App, at: i64, answer: SiteAnswer) {
    let carol = name("carol");
    let before = app.model.probes.get(&carol);
    let took = Duration::from_secs(4);
    let probe = Probe::new(at, answer, Road::Connection, took, before);
    let news = HostNews::Probed(vec![(carol, probe)]);
    app.send(Message::Host(name("web1"), news));
}

fn line<'a>(text: &'a str, of: &str) -> (usize, &'a str) {
    let mut lines = text.lines().enumerate();
    lines.find(|(_, line)| line.contains(of)).unwrap()
}

#[test]
fn a_site_that_hangs_is_on_top_with_reason_and_age() {
    for on_call in [false, true] {
        let mut app = three(Setup {
            on_call,
            ..Setup::default()
        });
        let now = app.model.now();
        asked(&mut app, now - 14, SiteAnswer::Site(200));
        asked(&mut app, now - 4, SiteAnswer::Silent(4));
        app.wait(3);
        let text = app.text();
        // Below the head and the titles.
        let (at, carol) = line(&text, "carol");
        assert_eq!(at, 2, "{text}");
        let words: Vec<&str> = carol.split_whitespace().collect();
        let told = &words[1..];
        let head = [
            "web1", "✖", "failing", "none", "7s", "0", "does", "not", "answer",
        ];
        assert_eq!(&told[..head.len()], &head, "{text}");
        // It came back, and is well since then.
        asked(&mut app, now + 2, SiteAnswer::Site(200));
        app.wait(5);
        let text = app.text();
        let (at, carol) = line(&text, "carol");
        assert!(
            at > 2 && carol.contains("● ok") && carol.contains(" 200 "),
            "{text}"
        );
    }
}

#[test]
fn the_column_stands_still_whatever_visitors_get() {
    let mut app = three(Setup::default());
    let shown = |app: &App| {
        let text = app.text();
        line(&text, "carol").1.to_owned()
    };
    let before = shown(&app);
    for status in [304, 404, 200, 403] {
        let data = app.model.data.get_mut(&name("web1")).unwrap();
        let mut traffic = data.traffic[&name("carol")];
        traffic.status = Some((status, NOW));
        let news = HostNews::Traffic(vec![(name("carol"), traffic)]);
        app.send(Message::Host(name("web1"), news));
        assert_eq!(shown(&app), before);
    }
}

fn tails(app: &mut App) -> usize {
    let tails = app.take().into_iter();
    tails.filter(|e| matches!(e, Effect::Tail { .. })).count()
}

#[test]
fn the_last_lines_on_a_page_are_read_again_and_say_their_age_when_they_cannot_be() {
    let mut app = three(Setup {
        on_call: true,
        ..Setup::default()
    });
    app.press("enter");
    assert_eq!(tails(&mut app), 1);
    let row = app.model.subject().unwrap();
    let (key, container) = (row.key.clone(), row.container.clone().unwrap());
    let came = |app: &mut App, line: &str| {
        let lines = Ok(vec![line.to_owned()]);
        app.send(Message::Tail(key.clone(), container.clone(), lines));
    };
    // Not asked again while they are under way.
    app.wait(7);
    assert_eq!(tails(&mut app), 0);
    came(&mut app, "ready");
    app.wait(1);
    assert_eq!(tails(&mut app), 1);
    came(&mut app, "ready");
    // It wakes up for them.
    assert!(due_ms(&app.model).is_some_and(|at| at <= app.model.now_ms + 5_000));
    app.wait(3);
    assert_eq!(tails(&mut app), 0);
    let container = app.model.subject().unwrap().container.clone().unwrap();
    let event = ContainerEvent {
        at: app.model.now(),
        container,
        name: String::new(),
        site: Some("bob-shop".into()),
        action: "oom".into(),
        detail: String::new(),
    };
    app.send(Message::Host(name("web2"), HostNews::Event(event)));
    assert_eq!(tails(&mut app), 1, "something happened to it");
    came(&mut app, "PHP Fatal error: it crashed");
    assert!(app.text().contains("it crashed"), "{}", app.text());
    let away = HostNews::Link {
        link: Link::BackingOff,
        why: "no route to host".into(),
        retry_at: None,
    };
    app.send(Message::Host(name("web2"), away));
    app.wait(180);
    assert_eq!(tails(&mut app), 0);
    let text = app.text();
    let (_, title) = line(&text, "Last error lines");
    assert!(title.contains("(3m ago)"), "{text}");
}

#[test]
fn a_container_that_took_the_place_of_another_has_its_own_last_lines() {
    let mut app = three(Setup::default());
    app.press("enter");
    tails(&mut app);
    let mut other = container("chatons", "bob-shop", 5);
    other.id = "f".repeat(64);
    ready(&mut app, "web2", host(vec![other.clone()]));
    let asked = app.take().into_iter().find_map(|e| match e {
        Effect::Tail { container, .. } => Some(container),
        _ => None,
    });
    assert_eq!(asked, Some(other.id));
}

#[test]
fn a_host_shows_the_worst_of_its_sites_by_that_states_own_mark() {
    let mut app = three(Setup::default());
    app.press("2");
    let text = app.text();
    for (host, sites) in [("web1", "2 ◐1"), ("web2", "1 ✖1")] {
        let mut lines = text.lines().skip(2);
        let line = lines.find(|line| line.contains(host)).unwrap();
        assert!(line.contains(sites), "{text}");
    }
}

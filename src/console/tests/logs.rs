//! The log of a site, through the whole console.

use bytes::Bytes;
use insta::assert_snapshot;

use super::fixture::{container, host, ready, three};
use crate::console::effect::{Effect, Followed};
use crate::console::harness::{App, Setup, styled};
use crate::console::log::Stream;
use crate::console::message::{LogNews, Message};
use crate::observe::model::{ObservedContainer, RunState};

fn followed(app: &mut App) -> u64 {
    let follow = app.take().into_iter().find_map(|effect| match effect {
        Effect::Follow(id, of) => Some((id, of.len())),
        _ => None,
    });
    let (id, containers) = follow.expect("a log is asked for");
    assert!(containers > 0);
    id
}

fn feed(app: &mut App, id: u64, at: usize, stream: Stream, text: &str) {
    let bytes = Bytes::copy_from_slice(text.as_bytes());
    app.send(Message::Log(id, LogNews::Bytes(at, stream, bytes)));
}

/// What a PHP site with a memory problem, and an attacker among its visitors, write.
fn php(app: &mut App, id: u64) {
    for n in 0..40 {
        let status = if n % 7 == 0 { 500 } else { 200 };
        let line = format!(
            "2026-11-21T02:5{}:{:02}.000000000Z 203.0.113.{n} - - [21/Nov/2026:02:50:00 +0000] \"GET /item?id={n} HTTP/1.1\" {status} 5120 \"-\" \"Mozilla/5.0\"\n",
            n / 30,
            n * 2 % 60,
        );
        feed(app, id, 0, Stream::Stdout, &line);
    }
    let stamp = "2026-11-21T02:59:58.123456789Z ";
    for text in [
        "PHP Fatal error:  Allowed memory size of 134217728 bytes exhausted in /var/www/html/item.php on line 7\n",
        "PHP Warning:  Undefined variable $cart in /var/www/html/cart.php on line 12\n",
        "user agent was \x1b]52;c;ZXZpbA==\x07\x1b[2J\u{202e}moz\x1b[31mred\x1b[0m\n",
    ] {
        feed(app, id, 0, Stream::Stderr, &format!("{stamp}{text}"));
    }
}

#[test]
fn a_log_is_followed_searched_filtered_and_left() {
    for (theme, size) in [("dark", (80, 24)), ("mono", (80, 24)), ("dark", (200, 50))] {
        let mut app = three(Setup {
            size,
            theme,
            ..Setup::default()
        });
        app.press("l");
        let id = followed(&mut app);
        php(&mut app, id);
        let name = |what: &str| format!("logs_{what}_{theme}_{}x{}", size.0, size.1);
        assert_snapshot!(name("followed"), styled(&app.frame()));
        app.press("o").type_text("id=1").press("enter t w /");
        app.type_text("memory size").press("enter");
        feed(&mut app, id, 0, Stream::Stdout, "one\ntwo\n");
        assert_snapshot!(name("searched"), styled(&app.frame()));
        app.take();
        app.press("q");
        assert_eq!(app.take().first(), Some(&Effect::Unfollow(id)));
        // What still arrives belongs to nobody.
        feed(&mut app, id, 0, Stream::Stdout, "late\n");
    }
}

#[test]
fn marked_sites_are_read_together_in_order_of_time() {
    let mut app = three(Setup::default());
    app.press("space space space l");
    let id = followed(&mut app);
    let line =
        |second: u32, text: &str| format!("2026-11-21T02:50:{second:02}.000000000Z {text}\n");
    feed(
        &mut app,
        id,
        0,
        Stream::Stdout,
        &(line(1, "one") + &line(3, "three")),
    );
    feed(
        &mut app,
        id,
        1,
        Stream::Stdout,
        &(line(2, "two") + &line(4, "four")),
    );
    let text = app.text();
    let at = |word: &str| {
        text.find(word)
            .unwrap_or_else(|| panic!("{word} in {text}"))
    };
    assert!(at("one") < at("two") && at("two") < at("three") && at("three") < at("four"));
}

fn next_follow(app: &mut App) -> Option<Vec<Followed>> {
    app.take().into_iter().find_map(|effect| match effect {
        Effect::Follow(_, of) => Some(of),
        _ => None,
    })
}

fn observe(app: &mut App, container: ObservedContainer) {
    ready(app, "web2", host(vec![container]));
}

#[test]
fn a_log_goes_on_when_its_container_was_restarted_or_replaced() {
    let mut app = three(Setup::default());
    app.press("l");
    let id = followed(&mut app);
    let line = |n: u32| format!("2026-11-21T02:50:{n:02}.000000000Z line {n}\n");
    feed(&mut app, id, 0, Stream::Stdout, &(line(1) + &line(2)));
    let ended = |app: &mut App, at| {
        app.send(Message::Log(
            id,
            LogNews::Ended(at, "the container has stopped".into()),
        ));
    };
    let shop = container("chatons", "bob-shop", 14 * 60);
    // Stopped: nothing to follow. Running again: on it goes, without what was there already.
    ended(&mut app, 0);
    let stopped = ObservedContainer {
        run: RunState::Exited,
        ..shop.clone()
    };
    app.wait(5);
    observe(&mut app, stopped);
    assert_eq!(next_follow(&mut app), None);
    app.wait(5);
    observe(&mut app, shop.clone());
    let again = next_follow(&mut app).unwrap();
    assert_eq!((again[0].at, &again[0].container), (0, &shop.id));
    feed(
        &mut app,
        id,
        0,
        Stream::Stdout,
        &(line(1) + &line(2) + &line(3)),
    );
    assert_eq!(app.text().matches("line 2").count(), 1);
    // A log that ends at once each time is asked for less and less often.
    let mut asked = 0;
    for _ in 0..60 {
        ended(&mut app, 0);
        app.wait(1);
        observe(&mut app, shop.clone());
        asked += next_follow(&mut app).map_or(0, |f| f.len());
    }
    assert!(asked <= 6, "{asked}");
    // Another container in its place, even while the old one's stream has not ended.
    let new = ObservedContainer {
        id: "f".repeat(64),
        ..shop
    };
    observe(&mut app, new.clone());
    let replaced = next_follow(&mut app).unwrap();
    assert_eq!(
        (replaced.len(), replaced[0].at, &replaced[0].container),
        (1, 1, &new.id)
    );
    feed(&mut app, id, 1, Stream::Stdout, &line(4));
    let text = app.text();
    assert!(
        text.contains("another container") && text.contains("line 4"),
        "{text}"
    );
    observe(&mut app, new);
    assert_eq!(next_follow(&mut app), None);
}

#[test]
fn what_keeps_a_log_from_being_read_is_said_once() {
    let mut app = three(Setup::default());
    app.press("l");
    let id = followed(&mut app);
    let shop = container("chatons", "bob-shop", 14 * 60);
    let why = "the engine is busy";
    for _ in 0..60 {
        app.send(Message::Log(id, LogNews::Ended(0, why.into())));
        app.wait(5);
        observe(&mut app, shop.clone());
    }
    assert_eq!(app.text().matches(why).count(), 1, "{}", app.text());
    assert!(!app.text().contains("goes on"));
    feed(
        &mut app,
        id,
        0,
        Stream::Stdout,
        "2026-11-21T02:50:00.000000000Z back\n",
    );
    assert_eq!(app.text().matches("the log goes on").count(), 1);
    // It may happen again, and then it is news.
    app.send(Message::Log(id, LogNews::Ended(0, why.into())));
    assert_eq!(app.text().matches(why).count(), 2);
    // What an engine never keeps is not asked for again, until another container is there.
    let never = "Docker keeps no log of this container";
    app.send(Message::Log(id, LogNews::Never(0, never.into())));
    app.take();
    for _ in 0..60 {
        app.wait(5);
        observe(&mut app, shop.clone());
    }
    assert_eq!(next_follow(&mut app), None);
    assert_eq!(app.text().matches(never).count(), 1);
    let new = ObservedContainer {
        id: "f".repeat(64),
        ..shop
    };
    observe(&mut app, new);
    assert!(next_follow(&mut app).is_some());
}

#[test]
fn one_key_leaves_errors_only() {
    let mut app = three(Setup::default());
    app.press("l");
    let id = followed(&mut app);
    php(&mut app, id);
    app.press("!");
    let text = app.text();
    assert!(
        text.contains("errors only") && text.contains("7 of 43 lines"),
        "{text}"
    );
    assert!(text.contains("✖ 02:50:00 500 GET  /item?id=7 "), "{text}");
    assert!(
        text.contains("✖ 02:59:58 error  Allowed memory size of"),
        "{text}"
    );
    assert!(!text.contains("▲") && !text.contains(" 200 "), "{text}");
    app.press("k k !");
    let text = app.text();
    assert!(
        text.contains("43 lines") && !text.contains("errors only"),
        "{text}"
    );
    // All around the error is there again, with the line where it was.
    assert!(text.contains("▌✖ 02:50:00 500 GET  /item?id=28"), "{text}");
    app.press("! u");
    assert!(!app.text().contains("errors only"));
    // The line as it came.
    app.press("v");
    assert!(app.text().contains("[21/Nov/2026:02:50:00 +0000]"));
}

#[test]
fn keys_typed_into_a_search_do_nothing_else() {
    let mut app = three(Setup::default());
    app.press("l");
    followed(&mut app);
    app.press("/").type_text("RqAC:");
    assert!(app.take().is_empty());
    let text = app.text();
    assert!(text.contains("search (text): RqAC:"), "{text}");
    app.press("esc q");
    assert!(app.text().contains("SITE"));
}

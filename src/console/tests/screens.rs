//! Every screen at three sizes, with styles.

use insta::assert_snapshot;

use std::sync::Arc;

use super::fixture::{THREE, container, drift_plan, fleet, host, many, name, ready, three};
use crate::console::activity::{End, Outcome, Step};
use crate::console::effect::Effect;
use crate::console::harness::{App, Setup, styled};
use crate::console::log::Stream;
use crate::console::message::{HostNews, LogNews, Message};
use crate::console::planned::Planned;
use crate::console::proposal::Proposal;
use crate::fleet::DiffLine;
use crate::plan::{Class, Interruption};
use crate::verdict::{Link, Outside, Probe, Road, SiteAnswer};

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 35), (200, 50)];

fn each_size(name: &str, open: impl Fn(&mut App)) {
    for size in SIZES {
        let mut app = three(Setup {
            size,
            ..Setup::default()
        });
        open(&mut app);
        assert_snapshot!(
            format!("{name}_{}x{}", size.0, size.1),
            styled(&app.frame())
        );
    }
}

#[test]
fn sites() {
    each_size("sites", |_| {});
}

#[test]
fn three_thousand_sites() {
    for size in SIZES {
        let app = many(
            3000,
            Setup {
                size,
                ..Setup::default()
            },
        );
        assert_snapshot!(
            format!("sites_3000_{}x{}", size.0, size.1),
            styled(&app.frame())
        );
    }
}

#[test]
fn hosts() {
    each_size("hosts", |app| {
        app.press("2");
    });
}

/// web1 stops answering.
fn lose(app: &mut App) {
    let link = HostNews::Link {
        link: Link::BackingOff,
        why: "cannot reach ssh://ops@web1.example.net: no route to host".into(),
        retry_at: Some(app.model.now() + 35),
    };
    app.send(Message::Host(name("web1"), link));
    // web2 is read meanwhile.
    let then = app.model.now() + 14 * 60;
    app.model.data.get_mut(&name("web2")).unwrap().observed_at = Some(then);
    app.wait(14 * 60);
    let link = HostNews::Link {
        link: Link::BackingOff,
        why: "cannot reach ssh://ops@web1.example.net: no route to host".into(),
        retry_at: Some(app.model.now() + 35),
    };
    app.send(Message::Host(name("web1"), link));
    let slow = HostNews::Link {
        link: Link::Degraded,
        why: "slow: a ping takes 2.4 s".into(),
        retry_at: None,
    };
    app.send(Message::Host(name("web2"), slow));
    app.wait(3);
}

#[test]
fn sites_of_a_lost_host() {
    each_size("lost_sites", lose);
}

#[test]
fn hosts_with_a_lost_one() {
    each_size("lost_hosts", |app| {
        lose(app);
        app.press("2");
    });
}

#[test]
fn host_page() {
    each_size("host", |app| {
        app.press("2 j enter");
    });
    each_size("host_lost", |app| {
        lose(app);
        app.press("j h");
    });
}

#[test]
fn a_site_of_a_lost_host() {
    let mut app = three(Setup::default());
    lose(&mut app);
    app.press("/").type_text("alice").press("enter enter");
    assert_snapshot!(app.text());
}

#[test]
fn site_page() {
    each_size("site", |app| {
        app.press("enter");
    });
}

#[test]
fn plan() {
    each_size("plan", |app| {
        app.press("p");
    });
}

#[test]
fn help() {
    each_size("help", |app| {
        app.press("?");
    });
}

#[test]
fn palette() {
    each_size("palette", |app| {
        app.press(": a r");
    });
}

#[test]
fn form() {
    each_size("form", |app| {
        app.press("C").type_text("Shop").press("tab");
    });
}

#[test]
fn other_themes() {
    for theme in ["light", "ansi16", "mono"] {
        let app = three(Setup {
            theme,
            on_call: true,
            ..Setup::default()
        });
        assert_snapshot!(format!("theme_{theme}"), styled(&app.frame()));
    }
}

/// A host without a fleet file: compose projects, nginx-proxy and Traefik.
fn looked_at(size: (u16, u16)) -> App {
    let host_here = fleet(THREE).hosts.values().next().unwrap().clone();
    let mut app = App::new(Setup {
        host: Some(host_here),
        on_call: true,
        size,
        ..Setup::default()
    });
    let foreign = |name: &str, project: &str, status: &str, more: &[(&str, &str)]| {
        let mut c = container("x", name, 86_400);
        c.name = name.into();
        c.labels = [("com.docker.compose.project".to_owned(), project.to_owned())].into();
        c.labels
            .extend(more.iter().map(|(k, v)| (k.to_string(), v.to_string())));
        c.status = status.into();
        c
    };
    let rule = [("traefik.http.routers.wiki.rule", "Host(`wiki.example`)")];
    let mut blog = foreign("blog-web-1", "blog", "Up 2 days", &[]);
    if let Some(inspected) = &mut blog.inspected {
        inspected.env.insert(
            "VIRTUAL_HOST".into(),
            "blog.example,www.blog.example".into(),
        );
        inspected.restarts = 3;
    }
    let mut worker = foreign("wiki-worker-1", "wiki", "Exited (1) 3 minutes ago", &[]);
    worker.run = crate::observe::model::RunState::Exited;
    worker.inspected = None;
    let wiki = foreign("wiki-web-1", "wiki", "Up 2 days (unhealthy)", &rule);
    ready(&mut app, "web1", host(vec![blog, worker, wiki]));
    app.wait(3);
    app
}

#[test]
fn a_look_without_a_fleet_file() {
    for size in SIZES {
        let app = looked_at(size);
        assert_snapshot!(format!("look_{}x{}", size.0, size.1), styled(&app.frame()));
    }
}

/// The archive of bob's shop, worked out.
fn proposed(app: &mut App) -> u64 {
    app.take();
    app.press(":").type_text("archive").press("enter");
    let (id, request) = app
        .take()
        .into_iter()
        .find_map(|e| match e {
            Effect::Propose(id, request) => Some((id, request)),
            _ => None,
        })
        .unwrap();
    let mut plan = drift_plan();
    for operation in &mut plan.operations {
        operation.class = Class::Destructive;
        operation.interrupts = Interruption::Lasting;
        operation.cause = vec!["state: running → archived".into()];
    }
    let proposal = Proposal {
        uncommitted: None,
        left: Vec::new(),
        request,
        diff: vec![
            DiffLine::Skipped(3),
            DiffLine::Context("  bob-shop:".into()),
            DiffLine::Removed("    state: running".into()),
            DiffLine::Added("    state: archived".into()),
        ],
        planned: Arc::new(Planned::of(plan)),
    };
    app.send(Message::Proposed(id, Ok(Box::new(proposal))));
    id
}

#[test]
fn proposal() {
    each_size("proposal", |app| {
        proposed(app);
        app.type_text("alice");
    });
}

#[test]
fn activity() {
    each_size("activity", |app| {
        let id = proposed(app);
        app.type_text("alice-blog").press("enter");
        let ids: Vec<String> = drift_plan()
            .operations
            .iter()
            .map(|o| o.id.0.clone())
            .collect();
        app.send(Message::Step(id, Step::Started(ids[0].clone())));
        app.wait(3);
        let failed =
            End::Failed("the engine refused: memory is too small\nlast line\u{1b}[2J".into());
        app.send(Message::Step(id, Step::Finished(ids[0].clone(), failed)));
        let skipped = End::Skipped("an earlier step failed".into());
        app.send(Message::Step(id, Step::Finished(ids[1].clone(), skipped)));
        let outcome = Outcome {
            exit: 3,
            text: "in part: 0 of 2 operations done, 1 failed".into(),
            next: vec!["p shows what is left; applying again goes on from there".into()],
        };
        app.send(Message::Step(id, Step::Ended(outcome)));
    });
}

#[test]
fn logs() {
    each_size("logs", |app| {
        app.press("l");
        let id = app.model.following.as_ref().unwrap().id;
        let text = "2026-11-21T02:59:58.000000000Z ready\n\
            2026-11-21T02:59:59.000000000Z \u{1b}[31mPHP Fatal error\u{1b}[0m: out of memory\u{1b}[2J\n";
        let news = LogNews::Bytes(0, Stream::Stderr, text.into());
        app.send(Message::Log(id, news));
    });
}

#[test]
fn site_page_with_everything_known() {
    each_size("site_full", |app| {
        app.press("enter");
        let row = app.model.subject().unwrap();
        let (key, container) = (row.key.clone(), row.container.clone().unwrap());
        let lines = [
            "GET / 200",
            "[Mon Nov 30 05:27:20.401302 2026] [php:error] [pid 16:tid 16] [client 127.0.0.1:0] PHP Fatal error:  Allowed memory size of 4194304 bytes exhausted (tried to allocate 100003840 bytes) in /var/www/html/index.php on line 6",
            "GET /x 502",
        ];
        let lines = lines.map(str::to_owned).to_vec();
        app.send(Message::Tail(key, container, Ok(lines)));
        let at = app.model.now() - 1;
        let took = std::time::Duration::from_millis(9);
        let probe = Probe::new(at, SiteAnswer::Site(502), Road::Connection, took, None);
        let outside = Outside {
            at,
            dns: Ok(vec!["203.0.113.7".into()]),
            http: Ok(204),
            router: Some(true),
        };
        app.send(Message::Outside(name("bob-shop"), outside));
        let news = HostNews::Probed(vec![(name("bob-shop"), probe)]);
        app.send(Message::Host(name("web2"), news));
    });
}

#[test]
fn events() {
    each_size("events", |app| {
        app.press("e");
    });
}

#[test]
fn help_in_on_call_mode_says_what_is_not_bound() {
    let mut app = three(Setup {
        on_call: true,
        ..Setup::default()
    });
    app.press("? G");
    assert_snapshot!(app.text());
}

#[test]
fn rows_of_many_hosts_are_made_over_several_frames_each_host_in_its_turn() {
    let mut app = super::fixture::many(3000, Setup::default());
    let hosts: Vec<_> = app.model.data.keys().cloned().collect();
    app.model.stale_hosts.extend(hosts.iter().cloned());
    let mut left = Vec::new();
    while !app.model.stale_hosts.is_empty() {
        // One sends more and more; the others get their turn all the same.
        app.model.stale_hosts.insert(hosts[0].clone());
        crate::console::update::before_frame(&mut app.model);
        left.push(app.model.stale_hosts.len());
        assert!(left.len() < 10, "{left:?}");
        if app.model.stale_hosts.len() == 1 && app.model.stale_hosts.contains(&hosts[0]) {
            break;
        }
    }
    assert_eq!(
        left[0],
        hosts.len() - 1,
        "a thousand rows are enough for one frame"
    );
}

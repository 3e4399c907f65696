//! What keys do, and what they never do.

use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use proptest::prelude::*;

use super::fixture::{
    THREE, container, drift_plan, fleet, host, many, name, operation, ready, three, traffic,
};
use crate::console::activity::{End, Outcome, Step};
use crate::console::effect::{Effect, Wish};
use crate::console::harness::{App, Setup};
use crate::console::message::{HostNews, Message};
use crate::console::model::Overlay;
use crate::console::planned::Planned;
use crate::console::proposal::Proposal;
use crate::console::screen::activity::Activity;
use crate::console::tone::Tone;
use crate::fleet::{DiffLine, SiteState};
use crate::plan::{Class, Interruption, OperationKind, Plan};
use crate::verdict::Link;

/// Answers the last wish for a proposal with a plan.
fn answer(app: &mut App, plan: Plan) -> u64 {
    let (id, request) = app
        .take()
        .into_iter()
        .find_map(|e| match e {
            Effect::Propose(id, request) => Some((id, request)),
            _ => None,
        })
        .expect("a change was asked for");
    let proposal = Proposal {
        uncommitted: None,
        left: Vec::new(),
        request,
        diff: vec![DiffLine::Added("    state: stopped".into())],
        planned: Arc::new(Planned::of(plan)),
    };
    app.send(Message::Proposed(id, Ok(Box::new(proposal))));
    id
}

fn stopping_plan(site: &str) -> Plan {
    let container = crate::plan::ContainerRef {
        name: "c".into(),
        id: Some("i".into()),
    };
    let mut stop = operation(
        "web2",
        site,
        OperationKind::StopContainer {
            container,
            grace_s: 10,
        },
        "state: running → stopped",
    );
    stop.class = Class::Destructive;
    stop.interrupts = Interruption::Lasting;
    Plan {
        operations: vec![stop],
        ..Plan::default()
    }
}

#[test]
fn q_goes_back_and_then_leaves() {
    let mut app = three(Setup::default());
    app.take();
    app.press("enter q");
    assert!(!app.take().contains(&Effect::Quit));
    // A list that is narrowed is widened first.
    app.press("! q");
    assert!(!app.take().contains(&Effect::Quit));
    // One q too many does not leave; two do, one after the other.
    for keys in ["q", "esc esc esc", "q esc", "esc q", "q j q"] {
        app.press(keys);
        assert!(!app.take().contains(&Effect::Quit), "{keys}");
        let text = app.text();
        assert!(text.contains("q again or :quit leaves"), "{text}");
        app.press("j");
    }
    // Nor do two that are far apart.
    app.press("q").wait(9).press("q");
    assert!(!app.take().contains(&Effect::Quit));
    app.press("q");
    assert!(app.take().contains(&Effect::Quit));
    app.press(":").type_text("quit").press("enter");
    assert!(app.take().contains(&Effect::Quit));
}

/// In a log the prompt stands on the line of messages.
#[test]
fn a_message_never_covers_a_prompt() {
    let mut app = three(Setup::default());
    for keys in ["l /", "l i", "/", ":"] {
        app.press(keys).type_text("abc");
        let before = app.text();
        let prompt = before.lines().rfind(|line| line.contains("abc")).unwrap();
        app.model.say(Tone::Bad, "it has come to pass");
        let text = app.text();
        assert!(text.contains(prompt), "{keys}: {text}");
        if keys != ":" {
            assert!(text.contains("it has come to pass"), "{keys}: {text}");
        }
        app.model.note = None;
        app.press("esc q");
    }
}

#[test]
fn hosts_and_sites_are_sorted_and_the_head_says_so() {
    let mut app = three(Setup {
        size: (120, 35),
        ..Setup::default()
    });
    for head in ["STATE▾", "SITE▾", "HOST▾", "REQ/s▾", "MEMORY▾", "STATE▾"] {
        assert!(app.text().contains(head), "{head}: {}", app.text());
        app.press("s");
    }
    app.press("2");
    let first = |app: &mut App| {
        let text = app.text();
        let row = text.lines().nth(2).unwrap().to_owned();
        row.trim_start_matches('▌')
            .split(' ')
            .next()
            .unwrap()
            .to_owned()
    };
    for (head, host) in [
        ("STATE▾", "web3"),
        ("HOST▾", "web1"),
        ("SITES▾", "web1"),
        ("DISK▾", "web2"),
        ("MEM▾", "web1"),
        ("LOAD▾", "web2"),
        ("TRIP▾", "web2"),
    ] {
        app.press("g");
        assert!(app.text().contains(head), "{head}: {}", app.text());
        assert_eq!(first(&mut app), host, "{head}");
        app.press("s");
    }
    // Without measurements there is nothing to sort by.
    for data in app.model.data.values_mut() {
        data.machine = None;
    }
    let all = app.model.data.keys().cloned();
    app.model.stale_hosts = all.collect();
    app.wait(3).press("s s s");
    assert!(app.text().contains("TRIP▾"), "{}", app.text());
}

#[test]
fn q_asks_while_something_is_applied() {
    let mut app = three(Setup::default());
    app.take();
    app.press("R");
    let id = answer(&mut app, drift_plan());
    app.wait(1).press("A");
    assert!(app.take().contains(&Effect::Apply(id)));
    for key in ["q q q", "ctrl-c", "q"] {
        app.press(key);
        assert!(!app.take().contains(&Effect::Quit), "{key}");
        if matches!(app.model.overlay, Some(Overlay::Leave)) {
            assert!(app.text().contains("leave all the same"), "{}", app.text());
            app.press("n");
        }
    }
    app.press("ctrl-c Q");
    assert!(app.take().contains(&Effect::Quit));
    // Once it has ended nothing is asked.
    let outcome = Outcome {
        exit: 0,
        text: "done".into(),
        next: vec![],
    };
    app.send(Message::Step(id, Step::Ended(outcome)));
    app.press("ctrl-c");
    assert!(app.take().contains(&Effect::Quit));
}

#[test]
fn a_change_is_shown_and_asked_before_it_is_made() {
    let mut app = three(Setup::default());
    app.take();
    app.press("R");
    let text = app.text();
    assert!(
        text.contains("restart bob-shop on web2: working out"),
        "{text}"
    );
    let id = answer(&mut app, drift_plan());
    let text = app.text();
    assert!(text.contains("restart bob-shop on web2?"), "{text}");
    assert!(text.contains("nothing has been changed yet"), "{text}");
    // No lower-case key confirms, nor does Enter.
    app.press("a enter y space");
    assert!(!app.take().iter().any(Effect::changes));
    app.wait(1).press("A");
    assert_eq!(app.take().iter().filter(|e| e.changes()).count(), 1);
    assert!(app.model.shows::<Activity>());
    let first = drift_plan().operations[0].id.0.clone();
    app.send(Message::Step(id, Step::Started(first.clone())));
    app.send(Message::Step(
        id,
        Step::Finished(first, End::Failed("no\nlast line".into())),
    ));
    let text = app.text();
    assert!(
        text.contains("0 of 2 operations done, 1 failed") && text.contains("last line"),
        "{text}"
    );
}

/// The key that asks is the key that confirms: held, or pressed again because nothing seemed to
/// happen, it must not confirm what nobody has read.
#[test]
fn a_key_that_is_held_or_pressed_again_confirms_nothing() {
    let mut app = three(Setup::default());
    let later = |app: &mut App, ms: i64| {
        let then = app.model.now_ms + ms;
        app.send(Message::Clock(then));
    };
    let changes = |app: &mut App| app.take().iter().filter(|e| e.changes()).count();
    app.take();
    app.press("A A");
    let id = answer(&mut app, drift_plan());
    let asks = "apply bob-shop on web2?";
    assert!(app.text().contains(asks), "{}", app.text());
    assert!(!app.text().contains("A applies it"), "{}", app.text());
    // A terminal says of a key that is held that it is pressed, again and again, after a while.
    for pause in [0, 660, 30, 30, 790] {
        later(&mut app, pause);
        app.press("A");
    }
    assert_eq!(changes(&mut app), 0);
    // Whoever reads scrolls; that alone does not make it listen.
    later(&mut app, 700);
    app.press("down");
    later(&mut app, 700);
    app.press("A");
    assert_eq!(changes(&mut app), 0);
    // The frame that says so is drawn by itself.
    let due = crate::console::settle::due_ms(&app.model).unwrap();
    assert_eq!(due - app.model.now_ms, 800);
    later(&mut app, 800);
    assert!(
        app.text().contains(&format!("{asks} A applies it")),
        "{}",
        app.text()
    );
    // Some terminals tell a held key from one that is pressed.
    let mut held = KeyEvent::new(KeyCode::Char('A'), KeyModifiers::SHIFT);
    held.kind = KeyEventKind::Repeat;
    app.send(Message::Key(held));
    assert_eq!(changes(&mut app), 0);
    app.press("A");
    assert!(app.take().contains(&Effect::Apply(id)));
}

#[test]
fn a_proposal_that_was_not_drawn_is_not_confirmed() {
    let mut app = three(Setup::default());
    app.take();
    app.press("R");
    let id = answer(&mut app, drift_plan());
    app.wait(1);
    app.send(Message::Resize(39, 24)).press("A");
    assert!(!app.take().iter().any(Effect::changes));
    app.send(Message::Resize(80, 24)).press("A");
    assert!(app.take().contains(&Effect::Apply(id)));
    // Nor is anything asked for that could not be shown.
    let mut app = three(Setup {
        size: (80, 9),
        ..Setup::default()
    });
    app.take();
    app.press("A R S C");
    assert!(app.take().is_empty() && app.model.overlay.is_none());
}

#[test]
fn what_stops_asks_for_the_name() {
    let mut app = three(Setup::default());
    app.take();
    app.press(":").type_text("archive").press("enter");
    let id = answer(&mut app, stopping_plan("bob-shop"));
    assert!(
        app.text().contains("type bob-shop to confirm"),
        "{}",
        app.text()
    );
    app.press("A enter");
    app.type_text("bob");
    app.press("enter");
    assert!(!app.take().iter().any(Effect::changes));
    app.press("ctrl-u");
    app.type_text("bob-shop").press("enter");
    assert!(app.take().contains(&Effect::Apply(id)));
}

#[test]
fn more_than_five_marked_asks_for_the_number() {
    let mut app = many(30, Setup::default());
    app.take();
    app.press("space space space space space space R");
    let (id, request) = app
        .take()
        .into_iter()
        .find_map(|e| match e {
            Effect::Propose(id, r) => Some((id, r)),
            _ => None,
        })
        .unwrap();
    assert_eq!(request.named().len(), 6);
    let operations = request
        .named()
        .iter()
        .map(|s| {
            let container = crate::plan::ContainerRef {
                name: "c".into(),
                id: None,
            };
            let kind = OperationKind::RestartContainer {
                container,
                grace_s: 10,
            };
            operation("web1", s.as_str(), kind, "asked for")
        })
        .collect();
    let plan = Plan {
        operations,
        ..Plan::default()
    };
    let proposal = Proposal {
        uncommitted: None,
        left: Vec::new(),
        request,
        diff: vec![],
        planned: Arc::new(Planned::of(plan)),
    };
    app.send(Message::Proposed(id, Ok(Box::new(proposal))));
    app.press("A enter");
    assert!(!app.take().iter().any(Effect::changes));
    assert!(
        app.text().contains("type the number of sites"),
        "{}",
        app.text()
    );
    // "A" was typed into the field.
    app.press("ctrl-u 6 enter");
    assert!(app.take().contains(&Effect::Apply(id)));
}

#[test]
fn an_answer_that_nobody_waits_for_is_not_shown() {
    let mut app = three(Setup::default());
    app.take();
    app.press("R esc");
    let wishes = app.effects.clone();
    assert!(wishes.iter().any(|e| matches!(e, Effect::Forget(_))));
    answer(&mut app, drift_plan());
    assert!(app.model.overlay.is_none());
}

#[test]
fn rows_stay_while_keys_come_and_the_cursor_stays_on_its_site() {
    let mut app = three(Setup::default());
    app.press("j j j");
    let subject = |app: &App| app.model.subject().unwrap().name.clone();
    let names = |app: &App| -> Vec<String> {
        let rows = &app.model.view.sites;
        app.model
            .sites
            .list
            .order
            .iter()
            .map(|i| rows[*i as usize].name.clone())
            .collect()
    };
    assert_eq!(subject(&app), "carol");
    let before = names(&app);
    traffic(
        &mut app,
        "web1",
        &[("carol", 9.0, 60.0, 503), ("alice-blog", 1.0, 0.0, 200)],
    );
    assert_eq!(names(&app), before, "moved under the fingers");
    app.wait(1);
    assert_eq!(names(&app), before);
    app.wait(2);
    // carol fails for as long as bob's shop, and web3 is away for longer: newest first, then by name.
    assert_eq!(names(&app), ["bob-shop", "carol", "web3", "alice-blog"]);
    assert_eq!(subject(&app), "carol");
    app.press("k");
    traffic(&mut app, "web1", &[("carol", 9.0, 0.0, 200)]);
    assert_eq!(names(&app), ["bob-shop", "carol", "web3", "alice-blog"]);
}

#[test]
fn an_action_is_bound_to_the_site_it_was_asked_for() {
    let mut app = three(Setup::default());
    app.take();
    app.press("R");
    // While it is worked out everything else becomes worse, and rows may move.
    traffic(&mut app, "web1", &[("carol", 9.0, 60.0, 503)]);
    app.wait(5);
    let asked: Vec<_> = app
        .effects
        .iter()
        .filter_map(|e| match e {
            Effect::Propose(_, r) => Some((r.title.clone(), r.sites.clone())),
            _ => None,
        })
        .collect();
    assert_eq!(
        asked,
        [(
            "restart bob-shop on web2".to_owned(),
            Some(vec![name("bob-shop")])
        )]
    );
    answer(&mut app, drift_plan());
    assert!(app.text().contains("restart bob-shop on web2?"));
}

#[test]
fn a_host_that_is_away_dims_its_rows_and_refuses_changes() {
    let mut app = three(Setup::default());
    let link = HostNews::Link {
        link: Link::BackingOff,
        why: "no route to host".into(),
        retry_at: None,
    };
    app.send(Message::Host(name("web2"), link));
    app.wait(3);
    // Its line stands for its sites, above none that live, until one looks for them.
    let text = app.text();
    assert!(!text.contains("bob-shop"), "{text}");
    assert!(text.contains("no route to host; 1 site not"), "{text}");
    app.take();
    app.press("/").type_text("bob-shop").press("enter");
    let text = app.text();
    assert!(text.contains("◌ failing"), "{text}");
    assert!(text.contains("web2 does not answer: no"), "{text}");
    app.press("R");
    assert!(!app.take().iter().any(|e| matches!(e, Effect::Propose(..))));
    assert!(
        app.text()
            .contains("restart bob-shop: web2 does not answer"),
        "{}",
        app.text()
    );
    // The cursor goes to the line that stands for its row; opened, that leads to the sites.
    app.press("esc");
    assert_eq!(app.model.subject().unwrap().name, "web2");
    app.press("enter enter");
    let text = app.text();
    assert!(
        text.contains("◌ failing") && text.contains("bob-shop"),
        "{text}"
    );
}

/// A daemon that hangs answers pings and no lists: what it did before that is no news.
#[test]
fn a_host_that_cannot_be_read_shows_its_age_and_refuses_changes() {
    let mut app = three(Setup::default());
    let web2 = || name("web2");
    let link = HostNews::Link {
        link: Link::Degraded,
        why: "it cannot be read: no answer within 8 s".into(),
        retry_at: None,
    };
    app.send(Message::Host(web2(), HostNews::Unread));
    app.send(Message::Host(web2(), link)).wait(300);
    let refuses = |app: &mut App| {
        app.take();
        app.press("R");
        let asked = app.take().iter().any(|e| matches!(e, Effect::Propose(..)));
        if asked {
            app.press("esc");
        }
        !asked
    };
    app.press("/").type_text("bob-shop").press("enter");
    let text = app.text();
    assert!(text.contains("◌ failing") && text.contains("5m"), "{text}");
    assert!(text.contains("◌1"), "it counts as not known: {text}");
    assert!(refuses(&mut app));
    assert!(app.text().contains("it cannot be read"), "{}", app.text());
    // It is read again.
    let shop = host(vec![container("chatons", "bob-shop", 60)]);
    ready(&mut app, "web2", shop);
    assert!(!refuses(&mut app));
    // And then no more, though nobody says so: its worker hangs. The frame comes by itself.
    app.wait(3);
    let due = crate::console::settle::due_ms(&app.model).unwrap();
    assert!(due <= app.model.now_ms + 720_000);
    app.wait(717);
    assert!(app.text().contains("▲web2"), "{}", app.text());
    assert!(refuses(&mut app));
}

/// The name stays, the machine does not: nothing of the old one is shown as the new one's.
#[test]
fn a_host_that_is_reached_elsewhere_now_is_another_machine() {
    for text in [
        THREE.replace("ssh://ops@web2", "ssh://ops@new2"),
        THREE.replace("web2.example.net' }", "web2.example.net', root: /data }"),
    ] {
        let mut app = three(Setup::default());
        assert!(app.text().contains("●web2"));
        app.send(Message::Fleet(Arc::new(fleet(&text)))).wait(3);
        let shown = app.text();
        assert!(
            shown.contains("◔web2") && shown.contains("●web1"),
            "{shown}"
        );
        let data = &app.model.data[&name("web2")];
        assert!(data.observed.is_none() && data.machine.is_none() && data.stats.is_empty());
        assert!(app.model.data[&name("web1")].observed.is_some());
        app.press("/").type_text("bob-shop").press("enter").take();
        app.press("R");
        assert!(!app.take().iter().any(|e| matches!(e, Effect::Propose(..))));
        // What the old one's worker had on its way before the new one began counts for nothing.
        let old = host(vec![container("chatons", "bob-shop", 60)]);
        ready(&mut app, "web2", old);
        app.send(Message::Host(name("web2"), HostNews::Replaced));
        assert!(app.model.data[&name("web2")].observed.is_none());
        assert!(app.text().contains("◔web2"), "{}", app.text());
    }
}

#[test]
fn paste_goes_only_into_a_focused_field() {
    let mut app = three(Setup::default());
    app.take();
    app.send(Message::Paste("R\rq:quit\r".into()));
    assert!(app.take().is_empty());
    app.press("/");
    app.send(Message::Paste("carol\n\x1b[31m".into()));
    assert_eq!(app.model.sites.filter, "carol ␛[31m");
    app.press("esc C");
    app.send(Message::Paste("new-site".into()));
    assert!(app.text().contains("new-site"));
}

#[test]
fn a_site_is_created_by_keys_only() {
    let mut app = three(Setup::default());
    app.take();
    app.press("C").type_text("dora").press("tab");
    // account: the one under the cursor; host likewise; recipe: static.
    app.press("tab left tab");
    app.press("s");
    app.press("tab").type_text("dora.example www.dora.example");
    app.press("tab").type_text("96M");
    assert!(app.text().contains("create a site"), "{}", app.text());
    app.press("ctrl-s");
    let wishes = app.take();
    let request = wishes
        .iter()
        .find_map(|e| match e {
            Effect::Propose(_, r) => Some(r.clone()),
            _ => None,
        })
        .unwrap_or_else(|| panic!("{wishes:?}\n{}", app.text()));
    assert_eq!(request.title, "create dora on web1");
    let Wish::Create(site) = request.wish else {
        panic!()
    };
    let said = [
        ("account", "bob".into()),
        ("host", "web1".into()),
        ("recipe", "static".into()),
        ("domains", vec!["dora.example", "www.dora.example"].into()),
        ("memory", "96M".into()),
    ];
    assert_eq!(site.said, said);
}

/// Fills in what a new site needs, and asks for its plan. The number it was asked under.
fn describe_dora(app: &mut App) -> u64 {
    app.press("C").type_text("dora");
    while !app.text().contains("dora.example") {
        app.press("tab");
        if focus(app) == "domains" {
            app.type_text("dora.example");
        }
    }
    app.press("ctrl-s");
    let asked = app.take().into_iter().find_map(|e| match e {
        Effect::Propose(id, _) => Some(id),
        _ => None,
    });
    asked.expect("the plan was asked for")
}

/// The field that is typed into.
fn focus(app: &App) -> &str {
    match &app.model.overlay {
        Some(Overlay::Form(form)) => form.fields[form.focus].label,
        other => panic!("no form: {other:?}"),
    }
}

#[test]
fn what_was_typed_of_a_new_site_outlives_a_conflict() {
    let mut app = three(Setup::default());
    app.take();
    let id = describe_dora(&mut app);
    let why = "fleet.yml was changed meanwhile".to_owned();
    app.send(Message::Proposed(id, Err(why)));
    let text = app.text();
    assert!(text.contains("dora.example"), "{text}");
    assert!(text.contains("was changed meanwhile"), "{text}");
    // Left from the plan it is there again, and left once more it is gone.
    app.press("ctrl-s");
    answer(&mut app, stopping_plan("dora"));
    app.press("esc");
    assert!(app.text().contains("dora.example"), "{}", app.text());
    app.press("esc C");
    assert!(!app.text().contains("dora.example"), "{}", app.text());
    app.press("esc");
    // An apply that failed before the file was written leaves it for the next time.
    describe_dora(&mut app);
    app.model.overlay = None;
    app.press("C");
    assert!(app.text().contains("dora.example"), "{}", app.text());
    // In the file there is nothing more to describe.
    app.press("ctrl-s");
    app.model.overlay = None;
    let with_dora = THREE.replace(
        "sites:\n",
        "sites:\n  dora: { host: web1, recipe: static, domains: [dora.example] }\n",
    );
    app.send(Message::Fleet(Arc::new(fleet(&with_dora))));
    app.press("C");
    assert!(!app.text().contains("dora.example"), "{}", app.text());
}

#[test]
fn a_new_site_says_what_it_has_from_the_one_under_the_cursor() {
    let mut app = three(Setup::default());
    app.press("C");
    let text = app.text();
    assert_eq!(text.matches("as bob-shop").count(), 3, "{text}");
    // Another choice is the operator's own.
    app.press("tab right");
    assert_eq!(
        app.text().matches("as bob-shop").count(),
        2,
        "{}",
        app.text()
    );
}

#[test]
fn the_palette_says_that_it_knows_no_such_word_and_keeps_it() {
    let mut app = three(Setup::default());
    app.press(":").type_text("zzzz").press("enter");
    let text = app.text();
    assert!(text.contains("nothing here is called “zzzz”"), "{text}");
    app.press("ctrl-u").type_text("web2").press("enter");
    assert_eq!(app.model.place(), crate::console::action::Place::Host);
    app.press(":").type_text("theme light").press("enter");
    assert_eq!(app.model.theme.name, "light");
}

#[test]
fn a_form_says_what_is_wrong_and_does_not_go_on() {
    let mut app = three(Setup::default());
    app.take();
    app.press("C").type_text("carol").press("ctrl-s");
    assert!(!app.take().iter().any(|e| matches!(e, Effect::Propose(..))));
    let text = app.text();
    assert!(text.contains("there is a site carol already"), "{text}");
    app.press("ctrl-u")
        .type_text("dora")
        .press("tab tab tab tab tab");
    app.type_text("carol.example");
    let text = app.text();
    assert!(text.contains("belongs to carol already"), "{text}");
    app.press("esc");
    assert!(app.model.overlay.is_none());
}

#[test]
fn start_asks_for_a_state_and_a_foreign_container_is_never_changed() {
    let mut app = three(Setup::default());
    app.take();
    app.press("S");
    let asked = app.take();
    assert!(
        asked.iter().any(
            |e| matches!(e, Effect::Propose(_, r) if r.wish == Wish::State(SiteState::Running))
        )
    );
    app.press("esc");
    let mut foreign = container("chatons", "x", 60);
    foreign.labels.clear();
    foreign.name = "mailcow-mailserver-nginx-1".into();
    ready(&mut app, "web2", host(vec![foreign]));
    // What is not listed takes no room from the reasons.
    app.frame();
    let narrow = app.model.sites.name_width;
    app.press("f");
    app.frame();
    assert!(app.model.sites.name_width > narrow, "{}", app.text());
    app.press("/").type_text("mailcow").press("enter");
    app.take();
    app.press("R");
    assert!(!app.take().iter().any(|e| matches!(e, Effect::Propose(..))));
    assert!(app.text().contains("is not ostler's"), "{}", app.text());
}

fn any_key() -> impl Strategy<Value = KeyEvent> {
    let code = prop_oneof![
        8 => prop::char::range(' ', '~').prop_map(KeyCode::Char),
        1 => Just(KeyCode::Enter),
        1 => Just(KeyCode::Esc),
        1 => Just(KeyCode::Tab),
        1 => Just(KeyCode::Up),
        1 => Just(KeyCode::Down),
        1 => Just(KeyCode::PageDown),
        1 => Just(KeyCode::Backspace),
    ];
    let modifiers = prop_oneof![
        9 => Just(KeyModifiers::NONE),
        1 => Just(KeyModifiers::CONTROL),
    ];
    (code, modifiers).prop_map(|(c, m)| KeyEvent::new(c, m))
}

/// Presses keys; every wish for a change is answered, as the runtime would.
fn hour_of_keys(app: &mut App, keys: Vec<KeyEvent>) -> Vec<Effect> {
    let mut wishes = Vec::new();
    for key in keys {
        app.send(Message::Key(key));
        for wish in app.take() {
            if let Effect::Propose(id, request) = &wish {
                let proposal = Proposal {
                    uncommitted: None,
                    left: Vec::new(),
                    request: request.clone(),
                    diff: vec![],
                    planned: Arc::new(Planned::of(stopping_plan("bob-shop"))),
                };
                app.send(Message::Proposed(*id, Ok(Box::new(proposal))));
            }
            wishes.push(wish);
        }
        app.frame();
    }
    wishes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn no_keys_ever_panic(
        keys in prop::collection::vec(any_key(), 1..60),
        columns in 10u16..220,
        lines in 3u16..60,
    ) {
        let mut app = three(Setup { size: (columns, lines), ..Setup::default() });
        hour_of_keys(&mut app, keys);
    }

    #[test]
    fn in_on_call_mode_no_keys_ever_change_anything(
        keys in prop::collection::vec(any_key(), 1..80),
    ) {
        let mut app = three(Setup { on_call: true, ..Setup::default() });
        let wishes = hour_of_keys(&mut app, keys);
        let asked = |e: &Effect| e.changes() || matches!(e, Effect::Propose(..));
        prop_assert!(!wishes.iter().any(asked));
    }
}

#[test]
fn only_the_last_applies_are_kept() {
    let mut app = three(Setup::default());
    for n in 0..25 {
        app.take();
        app.press("2 1 R");
        let id = answer(&mut app, drift_plan());
        app.wait(1).press("A");
        let outcome = Outcome {
            exit: 0,
            text: format!("done {n}"),
            next: vec![],
        };
        app.send(Message::Step(id, Step::Ended(outcome)));
    }
    assert_eq!(app.model.runs.len(), 20);
    let last = app.model.runs.last().and_then(|run| run.outcome.as_ref());
    assert_eq!(last.map(|it| it.text.as_str()), Some("done 24"));
}

//! The fleet file is wrong, or gone, while the console is open.

use super::fixture::{drift_plan, three};
use crate::console::effect::Effect;
use crate::console::harness::{App, Setup};
use crate::console::message::{Broken, Message};
use crate::console::model::Overlay;
use crate::console::planned::Planned;
use crate::walk::FleetFile;
use std::path::Path;
use std::sync::Arc;

/// What is wrong with a text, as the file is looked at beside the interface.
fn broken(text: &str) -> Broken {
    let error = FleetFile::of(Path::new("/etc/ostler/fleet.yml"), text.to_owned());
    Broken::of(&error.unwrap_err())
}

fn wrong() -> Broken {
    broken(&super::fixture::THREE.replace("memory: 128M", "memroy: 128M"))
}

fn planned(app: &mut App) {
    app.send(Message::Planned(Ok(Arc::new(Planned::of(Arc::new(
        drift_plan(),
    ))))));
}

#[test]
fn the_error_is_shown_with_its_line_and_no_plan() {
    let mut app = three(Setup::default());
    planned(&mut app);
    app.take();
    app.send(Message::FleetBroken(wrong()));
    let text = app.text();
    let head = text.lines().next().unwrap();
    assert!(head.contains("fleet.yml:11: "), "{text}");
    assert!(
        text.contains("memroy") && text.contains("p shows it"),
        "{text}"
    );
    app.press("p");
    let text = app.text();
    for part in [
        "No plan",
        "memroy: 128M",
        "^^^^^^",
        "fleet.yml:11",
        "did you mean",
    ] {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
    for part in ["nothing to do", "operation"] {
        assert!(!text.contains(part), "{part:?} is in\n{text}");
    }
    // Nothing is planned, nor changed, by a file that is no more.
    app.model.plan_old = true;
    app.wait(3);
    app.press("q");
    for keys in ["A", "R", "C", "p A"] {
        app.press(keys);
        assert!(app.model.overlay.is_none(), "{keys}");
        assert!(
            app.text().contains("fleet.yml:11: "),
            "{keys}\n{}",
            app.text()
        );
    }
    let asked = app.take();
    let plans = |effect: &&Effect| {
        matches!(
            effect,
            Effect::Plan | Effect::Propose(..) | Effect::Apply(_)
        )
    };
    assert_eq!(asked.iter().find(plans), None);
    // It is right again, and all goes on.
    let fleet = app.model.fleet.clone().unwrap();
    app.send(Message::Fleet(fleet));
    assert!(app.take().contains(&Effect::Plan));
    planned(&mut app);
    let text = app.text();
    assert!(
        text.contains("right again") && !text.contains("fleet.yml:11"),
        "{text}"
    );
    app.press("A");
    assert!(matches!(app.model.overlay, Some(Overlay::Working(..))));
}

#[test]
fn a_file_that_is_gone_is_said_to_be() {
    let mut app = three(Setup::default());
    let gone = FleetFile::read(Path::new("/nowhere/fleet.yml")).unwrap_err();
    app.send(Message::FleetBroken(Broken::of(&gone)));
    app.press("p");
    let text = app.text();
    assert!(
        text.contains("No such file") && text.contains("No plan"),
        "{text}"
    );
}

#[test]
fn what_is_about_to_be_done_by_it_is_left_and_what_is_typed_stays() {
    let mut app = three(Setup::default());
    planned(&mut app);
    app.press("A");
    let Some(Overlay::Working(id, _)) = app.model.overlay else {
        panic!("{:?}", app.model.overlay);
    };
    app.take();
    app.send(Message::FleetBroken(wrong()));
    assert!(app.model.overlay.is_none());
    assert!(app.take().contains(&Effect::Forget(id)));
    let fleet = app.model.fleet.clone().unwrap();
    app.send(Message::Fleet(fleet));
    app.press("C");
    app.type_text("shop2");
    app.send(Message::FleetBroken(wrong()));
    assert!(matches!(app.model.overlay, Some(Overlay::Form(_))));
    assert!(app.text().contains("shop2"), "{}", app.text());
}

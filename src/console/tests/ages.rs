//! What was read gets old by itself: nothing of it is judged for ever.

use super::fixture::{three, traffic};
use crate::console::harness::{App, NOW, Setup};
use crate::console::settle::due_ms;
use crate::verdict::State;

fn state(app: &App, site: &str) -> (State, bool) {
    let rows = &app.model.view.sites;
    let row = rows.iter().find(|r| r.name == site).unwrap();
    (row.state, row.requests.is_some())
}

#[test]
fn errors_of_a_minute_ago_are_no_warning_though_nothing_came_since() {
    let mut app = three(Setup::default());
    traffic(&mut app, "web1", &[("carol", 1.0, 30.0, 200)]);
    assert_eq!(state(&app, "carol"), (State::Warning, true));
    // It wakes up for it.
    let old_at = (NOW - 3 + 60) * 1000;
    assert!(due_ms(&app.model).is_some_and(|at| at <= old_at));
    app.wait(60);
    assert_eq!(state(&app, "carol"), (State::Ok, false));
    assert!(due_ms(&app.model).is_none_or(|at| at > app.model.now_ms));
}

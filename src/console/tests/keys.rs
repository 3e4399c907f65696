//! What keys do, and what they never do.

use super::fixture::three;
use crate::console::effect::Effect;
use crate::console::harness::Setup;

#[test]
fn q_on_the_first_screen_leaves() {
    let mut app = three(Setup::default());
    app.take();
    app.press("enter q");
    assert!(!app.take().contains(&Effect::Quit));
    app.press("q");
    assert!(app.take().contains(&Effect::Quit));
}

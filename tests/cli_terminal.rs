//! The real binary in a pseudo-terminal: what is seen, and that the terminal is given back.

#[path = "cli/pty.rs"]
mod pty;
#[path = "common/tier.rs"]
mod tier;

use pty::Pty;

#[test]
fn the_demo_opens_is_marked_and_leaves_a_sane_terminal() {
    let Some(()) = tier::terminal() else { return };
    let mut demo = Pty::start(&["demo"], 80, 24);
    demo.wait_for("DEMO");
    demo.wait_for("bob-shop");
    demo.keys("?");
    demo.wait_for("WHAT IT DOES");
    demo.keys("q");
    demo.wait_for("bob-shop");
    demo.keys("q");
    let ended = demo.end();
    assert_eq!(ended.code, 0, "{}", ended.screen);
    ended.assert_sane();
}

#[test]
fn sigterm_leaves_a_sane_terminal() {
    let Some(()) = tier::terminal() else { return };
    let mut demo = Pty::start(&["demo"], 120, 40);
    demo.wait_for("DEMO");
    demo.wait_for("bob-shop");
    demo.signal("TERM");
    let ended = demo.end();
    ended.assert_sane();
}

#[test]
fn without_colour_no_colour_is_sent() {
    let Some(()) = tier::terminal() else { return };
    let mut demo = Pty::start(&["--no-color", "demo"], 80, 24);
    demo.wait_for("DEMO");
    demo.wait_for("bob-shop");
    demo.keys("q");
    let ended = demo.end();
    assert!(!ended.has_colours(), "{:?}", ended.bytes());
    ended.assert_sane();
}

#[test]
fn a_resized_terminal_is_filled() {
    let Some(()) = tier::terminal() else { return };
    let mut demo = Pty::start(&["demo"], 80, 24);
    demo.wait_for("bob-shop");
    demo.resize(200, 50);
    demo.wait_for("ACCOUNT");
    demo.keys("q");
    demo.end().assert_sane();
}

#[test]
fn apply_asks_on_a_terminal_and_takes_no_for_an_answer() {
    let Some(engine) = tier::engine() else { return };
    let Some(()) = tier::terminal() else { return };
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "fleet: asked-{pid}\nhosts:\n  here: {{ engine: \"{}\", root: /tmp/ostler-asked-{pid}, ports: {{ http: 18081, https: 18444 }} }}\nsites:\n  blog: {{ host: here, recipe: static, domains: [blog.localhost] }}\n",
        engine.address,
        pid = std::process::id(),
    );
    std::fs::write(folder.path().join("fleet.yml"), text).unwrap();
    let mut apply = Pty::start_in(folder.path(), &["apply"], 100, 50);
    apply.wait_for("[y/N]");
    apply.keys("n\r");
    let ended = apply.end();
    assert_eq!(ended.code, 1, "{}", ended.screen);
    assert!(
        ended.screen.contains("nothing was changed"),
        "{}",
        ended.screen
    );
    let mut archive = Pty::start_in(folder.path(), &["site", "archive", "blog"], 100, 50);
    archive.wait_for("type blog to confirm");
    archive.keys("y\r");
    assert_eq!(archive.end().code, 1);
    let file = std::fs::read_to_string(folder.path().join("fleet.yml")).unwrap();
    assert!(!file.contains("state:"), "{file}");
}

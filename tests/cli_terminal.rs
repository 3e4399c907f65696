//! The real binary in a pseudo-terminal: what is seen, and that the terminal is given back.

mod cli;
#[path = "cli/pty.rs"]
mod pty;
#[path = "cli/stage.rs"]
mod stage;
#[path = "common/tier.rs"]
mod tier;

use pty::Pty;
use stage::Stage;

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
    // One key too many does not leave, nor does any number of escapes.
    demo.keys("\x1b");
    demo.wait_for("q again or :quit leaves");
    demo.keys("\x1b");
    demo.keys("q");
    demo.keys("j");
    demo.keys("?");
    demo.wait_for("WHAT IT DOES");
    demo.keys("q");
    demo.wait_for("bob-shop");
    demo.keys("qq");
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
fn ctrl_z_gives_the_terminal_back_until_the_shell_continues_it() {
    let Some(()) = tier::terminal() else { return };
    let mut demo = Pty::start(&["demo"], 80, 24);
    demo.wait_for("bob-shop");
    demo.keys("\x1a");
    demo.wait_for_alternate(false);
    demo.wait_until_stopped();
    demo.signal("CONT");
    demo.wait_for_alternate(true);
    demo.wait_for("bob-shop");
    demo.keys("qq");
    let ended = demo.end();
    assert_eq!(ended.code, 0, "{}", ended.screen);
    ended.assert_sane();
}

/// Takes the terminal as the console does, and panics; on its own in a pseudo-terminal only.
#[test]
fn panics_on_its_own() {
    if std::env::var_os("OSTLER_TEST_PANIC").is_none() {
        return;
    }
    let _guard = ostler::console::run::terminal::Guard::take().unwrap();
    panic!("on purpose");
}

#[test]
fn a_panic_leaves_a_sane_terminal_and_is_told() {
    let Some(()) = tier::terminal() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut command = portable_pty::CommandBuilder::new(std::env::current_exe().unwrap());
    command.args(["--exact", "panics_on_its_own", "--nocapture"]);
    command.env("OSTLER_TEST_PANIC", "1");
    let ended = Pty::spawn(folder.path(), command, 80, 24).end();
    ended.assert_sane();
    assert!(
        ended.bytes().contains("\x1b[?1049h"),
        "it took the terminal"
    );
    let told = ended.bytes();
    let (_, after) = told.rsplit_once("\x1b[?1049l").unwrap();
    assert!(after.contains("on purpose"), "{told}");
}

#[test]
fn without_colour_no_colour_is_sent() {
    let Some(()) = tier::terminal() else { return };
    let mut demo = Pty::start(&["--no-color", "demo"], 80, 24);
    demo.wait_for("DEMO");
    demo.wait_for("bob-shop");
    demo.keys("qq");
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
    demo.keys("qq");
    demo.end().assert_sane();
}

#[test]
fn init_asks_whether_certificates_are_wanted() {
    let Some(engine) = tier::engine() else { return };
    let Some(()) = tier::terminal() else { return };
    for (answers, says) in [
        (&["\r"][..], "acme: off\n"),
        (&["yes\r", "\r"], "acme:\n  terms: agreed\n"),
        (
            &["y\r", "ops\r", "ops@example.net\r"],
            "acme:\n  contact: [ops@example.net]\n  terms: agreed\n",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let words = ["init", "--host", &engine.address];
        let mut init = Pty::start_in(folder.path(), &words, 100, 30);
        for (number, answer) in answers.iter().enumerate() {
            init.wait_for(match number {
                0 => "https://letsencrypt.org/repository/ ? [y/N]",
                1 => "a mail address that it may write to",
                _ => "alice@example.net; or nothing: ",
            });
            init.keys(answer);
        }
        let ended = init.end();
        assert_eq!(ended.code, 0, "{}", ended.screen);
        ended.assert_sane();
        let text = std::fs::read_to_string(folder.path().join("fleet.yml")).unwrap();
        assert!(text.contains(says), "{text}");
    }
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
    // What was typed before the plan was seen is no answer to it.
    let binary = env!("CARGO_BIN_EXE_ostler");
    let mut command = portable_pty::CommandBuilder::new("sh");
    let script = "until [ -e go ]; do sleep 0.05; done; exec \"$1\" site archive blog";
    command.args(["-c", script, "sh", binary]);
    let mut archive = Pty::spawn(folder.path(), command, 100, 50);
    archive.keys("blog\r");
    archive.wait_for("blog");
    std::fs::write(folder.path().join("go"), "").unwrap();
    archive.wait_for("type blog to confirm");
    archive.keys("y\r");
    assert_eq!(archive.end().code, 1);
    let file = std::fs::read_to_string(folder.path().join("fleet.yml")).unwrap();
    assert!(!file.contains("state:"), "{file}");
}

#[test]
fn a_terminal_that_goes_away_stops_an_apply_between_two_operations() {
    let Some(engine) = tier::engine() else { return };
    let Some(()) = tier::terminal() else { return };
    let sites: String = (1..=4)
        .map(|n| format!("  s{n}: {{ host: here, recipe: static, domains: [s{n}.localhost] }}\n"))
        .collect();
    let stage = Stage::new(&engine, &sites);
    let mut console = Pty::start_in(stage.folder.path(), &[], 120, 50);
    console.wait_for("to apply");
    console.keys(":apply-all\r");
    console.wait_for("applies it");
    console.keys("A");
    console.wait_for("✔");
    let ended = console.hang_up();
    assert_eq!(ended.signal(), None, "{ended:?}");
    let applies = stage.done(&["journal", "--json"]).json();
    assert_eq!(applies["applies"][0]["state"], "cancelled", "{applies:#}");

    // On the command line it is the same; but what was told to outlive its terminal does.
    let mut apply = Pty::start_in(stage.folder.path(), &["apply", "--yes"], 120, 50);
    apply.wait_for("✔");
    let ended = apply.hang_up();
    assert_eq!(ended.signal(), None, "{ended:?}");
    let applies = stage.done(&["journal", "--json"]).json();
    assert_eq!(applies["applies"][0]["state"], "cancelled", "{applies:#}");
    let mut command = portable_pty::CommandBuilder::new("sh");
    let script = "trap '' HUP; exec \"$1\" apply --yes";
    command.args(["-c", script, "sh", env!("CARGO_BIN_EXE_ostler")]);
    let mut apply = Pty::spawn(stage.folder.path(), command, 120, 50);
    apply.wait_for("✔");
    let ended = apply.hang_up();
    assert_eq!(ended.signal(), None, "{ended:?}");
    let applies = stage.done(&["journal", "--json"]).json();
    assert_eq!(applies["applies"][0]["state"], "done", "{applies:#}");
}

//! What a login asks, asked on a real terminal by the real program.

use portable_pty::CommandBuilder;

#[path = "cli/pty.rs"]
mod pty;
#[path = "ssh/stage.rs"]
mod stage;
#[path = "common/tier.rs"]
mod tier;

use pty::{Ended, Pty};
use stage::{Sshd, fingerprint, keygen};

/// `ostler hosts` on a host that it does not know, with a key that is locked.
fn hosts(sshd: &Sshd, socket: &str) -> Pty {
    let pty = waiting(sshd, socket);
    sshd.write("go", "");
    pty
}

/// The same, once there is a file `go`.
fn waiting(sshd: &Sshd, socket: &str) -> Pty {
    let text = format!("fleet: f1\nhosts:\n  web1: {{ engine: \"ssh://root@web1{socket}\" }}\n");
    sshd.write("fleet.yml", &text);
    // The terminal's own account of itself follows.
    let script = "until [ -e go ]; do sleep 0.05; done; \"$1\" hosts; echo code $?; stty -a | tr ' ;' '\\n\\n' | grep -x -e echo -e -echo -e isig -e -isig -e icanon -e -icanon | tr '\\n' ' '";
    let mut command = CommandBuilder::new("sh");
    command.args(["-c", script, "sh", env!("CARGO_BIN_EXE_ostler")]);
    command.env("OSTLER_SSH_CONFIG", sshd.path("ssh_config"));
    Pty::spawn(sshd.folder.path(), command, 160, 40)
}

fn is_as_before(ended: &Ended) {
    for mode in ["echo", "isig", "icanon"] {
        assert!(ended.screen.contains(mode), "{}", ended.screen);
        assert!(
            !ended.screen.contains(&format!("-{mode}")),
            "{}",
            ended.screen
        );
    }
    ended.assert_sane();
}

fn stage() -> Sshd {
    let sshd = Sshd::start(&["ed25519"]);
    sshd.write("known_hosts", "");
    keygen(&sshd.path("locked"), "ed25519", "open sesame");
    sshd.write("authorized", &sshd.read("locked.pub"));
    sshd.config("IdentityFile DIR/locked");
    sshd
}

#[test]
fn the_operator_is_asked_on_the_terminal() {
    let (Some(engine), Some(())) = (tier::fleet(), tier::terminal()) else {
        return;
    };
    let sshd = stage();
    let mut ostler = hosts(&sshd, engine.socket.to_str().unwrap());
    ostler.wait_for(&fingerprint(&sshd.path("host_ed25519.pub")));
    ostler.wait_for("Type yes, no or the fingerprint:");
    ostler.keys("y\r");
    ostler.wait_for("Please type yes or no in full");
    assert_eq!(sshd.read("known_hosts"), "");
    ostler.keys("yes\r");
    ostler.wait_for("web1: passphrase of ");
    ostler.keys("open says me\r");
    ostler.wait_for("That was wrong.");
    ostler.keys("open sesamy\x7fe\r");
    ostler.wait_for("● ready");
    let ended = ostler.end();
    assert!(ended.screen.contains("code 0"), "{}", ended.screen);
    is_as_before(&ended);
    for typed in ["sesam", "says me"] {
        assert!(!ended.bytes().contains(typed), "{}", ended.screen);
    }
    let line = sshd.known_line("ed25519");
    assert_eq!(sshd.read("known_hosts"), format!("{line}\n"));
}

#[test]
fn ctrl_c_at_a_hidden_question_gives_the_terminal_back() {
    let (Some(engine), Some(())) = (tier::fleet(), tier::terminal()) else {
        return;
    };
    let sshd = stage();
    sshd.write("known_hosts", &(sshd.known_line("ed25519") + "\n"));
    let mut ostler = hosts(&sshd, engine.socket.to_str().unwrap());
    ostler.wait_for("web1: passphrase of ");
    ostler.keys("open\x03");
    ostler.wait_for("code ");
    let ended = ostler.end();
    assert!(ended.screen.contains("nobody gave"), "{}", ended.screen);
    is_as_before(&ended);
}

#[test]
fn what_was_typed_before_a_question_is_no_answer_to_it() {
    let (Some(engine), Some(())) = (tier::fleet(), tier::terminal()) else {
        return;
    };
    let sshd = stage();
    let mut ostler = waiting(&sshd, engine.socket.to_str().unwrap());
    ostler.keys("yes\r");
    // The terminal has it.
    ostler.wait_for("yes");
    sshd.write("go", "");
    ostler.wait_for("Type yes, no or the fingerprint:");
    ostler.keys("no\r");
    let ended = ostler.end();
    assert!(ended.screen.contains("code 3"), "{}", ended.screen);
    assert!(!ended.screen.contains("ready"), "{}", ended.screen);
    assert_eq!(sshd.read("known_hosts"), "");
    is_as_before(&ended);
}

#[test]
fn apply_asks_nothing_of_its_own_while_a_login_asks() {
    let (Some(engine), Some(())) = (tier::fleet(), tier::terminal()) else {
        return;
    };
    let sshd = stage();
    let socket = engine.socket.display();
    let name = format!("asks-{}", std::process::id());
    // The second host is there at once: it alone would be worth an "Apply this?".
    let text = format!(
        "fleet: {name}\nhosts:\n  web1: {{ engine: \"ssh://root@web1{socket}\", root: /tmp/ostler-{name} }}\n  here: {{ engine: \"unix://{socket}\", root: /tmp/ostler-{name} }}\nsites:\n  blog: {{ host: here, recipe: static, domains: [blog.localhost] }}\n"
    );
    sshd.write("fleet.yml", &text);
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_ostler"));
    command.arg("apply");
    command.env("OSTLER_SSH_CONFIG", sshd.path("ssh_config"));
    let mut ostler = Pty::spawn(sshd.folder.path(), command, 160, 80);
    ostler.wait_for("Type yes, no or the fingerprint:");
    // Longer than a host has for its answers.
    std::thread::sleep(std::time::Duration::from_secs(27));
    ostler.keys("no\r");
    ostler.wait_for("Apply this?");
    ostler.keys("n\r");
    let ended = ostler.end();
    let at = |text: &str| {
        ended
            .screen
            .find(text)
            .unwrap_or_else(|| panic!("{}", ended.screen))
    };
    assert!(at("Type yes, no") < at("blog"), "{}", ended.screen);
    let late = ended.screen.contains("no complete answer");
    assert!(!late, "it was given up: {}", ended.screen);
    assert_eq!(ended.code, 1, "{}", ended.screen);
    assert_eq!(sshd.read("known_hosts"), "");
}

//! Programs that a fleet file names run on the operator's machine after a yes, and never by looking in
//! on-call mode.

mod cli;
#[path = "cli/hollow.rs"]
mod hollow;
#[path = "common/own.rs"]
mod own;
#[path = "cli/pty.rs"]
mod pty;
#[path = "cli/stage.rs"]
mod stage;
#[path = "common/tier.rs"]
mod tier;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use cli::{Ran, ostler_in};
use hollow::Engine;
use pty::Pty;
use stage::Stage;

/// A fleet with a secret from a command, which leaves a mark where it runs.
struct Fleet {
    folder: tempfile::TempDir,
    _engine: Engine,
}

const COMMAND: &str = "[sh, -c, \"touch ran; echo sesame\"]";

impl Fleet {
    fn new() -> Fleet {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("engine.sock");
        let engine = Engine::start(&socket);
        let text = format!(
            "fleet: trust\nhosts:\n  here: {{ engine: \"unix://{}\" }}\nsites:\n  blog: {{ host: here, recipe: static, domains: [blog.localhost], secrets: {{ DB: {{ command: {COMMAND} }} }} }}\n",
            socket.display()
        );
        fs::write(folder.path().join("fleet.yml"), text).unwrap();
        cli::keep_to_us(folder.path());
        Fleet {
            folder,
            _engine: engine,
        }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn file(&self) -> PathBuf {
        self.path().join("fleet.yml")
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        ostler_in(self.path(), arguments)
    }

    /// Without a terminal, with what was said at the one before.
    fn after_terminal(&self, arguments: &[&str]) -> std::process::Command {
        let mut command = cli::command(self.path());
        command.env("XDG_STATE_HOME", self.path().join("STATE"));
        command.args(arguments);
        command
    }

    /// Whether the command ran since the last time.
    fn ran(&self) -> bool {
        fs::remove_file(self.path().join("ran")).is_ok()
    }
}

#[test]
fn on_call_mode_runs_none_and_says_what_it_did_not_compare() {
    let fleet = Fleet::new();
    let not = "not compared: secret DB of blog, its command is not run in on-call mode";
    for command in ["plan", "drift"] {
        let ran = fleet.run(&["--read-only", command]);
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.out.contains(not), "{command}: {}", ran.out);
        assert!(!fleet.ran(), "{command}");
    }
    let told = fleet.run(&["--read-only", "drift", "--json"]).json();
    let told = &told["hosts"][0]["uncompared"][0];
    assert!(told.as_str().unwrap().contains("DB of blog"), "{told}");
    assert!(!fleet.ran());
}

#[test]
fn without_a_terminal_what_was_never_said_yes_to_is_refused() {
    let fleet = Fleet::new();
    for arguments in [&["plan"][..], &["drift"], &["apply", "--yes"]] {
        let ran = fleet.run(arguments);
        assert_eq!(ran.code, 1, "{ran:?}");
        for part in [
            "secret DB of blog: `sh -c 'touch ran; echo sesame'`",
            "--trust-commands",
        ] {
            assert!(ran.err.contains(part), "{part}: {}", ran.err);
        }
        assert!(!fleet.ran(), "{arguments:?}");
    }
    let ran = fleet.run(&["plan", "--trust-commands"]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(fleet.ran());
    // That was for that run.
    assert_eq!(fleet.run(&["plan"]).code, 1);
    assert!(!fleet.ran());
    // What does not read secrets is not stopped by them.
    for command in ["check", "sites", "status", "hosts", "doctor", "journal"] {
        let ran = fleet.run(&[command]);
        assert!(!ran.err.contains("--trust-commands"), "{command}: {ran:?}");
        assert!(!fleet.ran(), "{command}");
    }
}

#[test]
fn a_yes_at_the_terminal_counts_for_these_words() {
    let fleet = Fleet::new();
    // Its own folder for its state, as the others have.
    let start = |answer: &str| {
        let mut pty = Pty::start_in(fleet.path(), &["plan"], 200, 60);
        pty.wait_for("secret DB of blog: leave to run `sh -c 'touch ran; echo sesame'`");
        pty.wait_for("Type yes");
        assert!(!fleet.ran());
        pty.keys(&format!("{answer}\r"));
        pty.end()
    };
    let no = start("no");
    assert!(
        no.screen.contains("its command was never said yes to"),
        "{}",
        no.screen
    );
    assert!(!fleet.ran());
    // A y is typed too easily.
    let yes = start("y\ryes");
    assert!(
        yes.screen.contains("type yes or no in full"),
        "{}",
        yes.screen
    );
    assert_eq!(yes.code, 2, "{}", yes.screen);
    assert!(fleet.ran());
    let again = || Pty::start_in(fleet.path(), &["plan"], 200, 60).end();
    assert_eq!(again().code, 2, "it is not asked again");
    assert!(fleet.ran());
    // Out of a pipe it is the same file, for the same folder.
    let mut piped = fleet.after_terminal(&["--fleet", "/dev/stdin", "plan"]);
    let (read, mut write) = std::io::pipe().unwrap();
    let text = fs::read_to_string(fleet.file()).unwrap();
    std::io::Write::write_all(&mut write, text.as_bytes()).unwrap();
    drop(write);
    let ran = cli::run(piped.stdin(read));
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(fleet.ran());
    fs::write(fleet.file(), text.replace("echo sesame", "echo opened")).unwrap();
    let mut pty = Pty::start_in(fleet.path(), &["plan"], 200, 60);
    pty.wait_for("echo opened'`");
    pty.wait_for("Type yes");
    pty.keys("\r");
    let edited = pty.end().screen;
    assert!(edited.contains("never said yes to"), "{edited}");
    assert!(!fleet.ran(), "an edited command asks again");
}

#[test]
fn a_fleet_file_that_others_can_write_names_nothing() {
    let fleet = Fleet::new();
    let mode = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    let refused = |arguments: &[&str], path: &Path| {
        let ran = fleet.run(arguments);
        assert_eq!(ran.code, 1, "{arguments:?}: {ran:?}");
        let shown = path.file_name().unwrap().to_str().unwrap();
        assert!(ran.err.contains(shown), "{arguments:?}: {}", ran.err);
        assert!(
            ran.err.contains("`chmod go-w "),
            "{arguments:?}: {}",
            ran.err
        );
        assert!(!fleet.ran(), "{arguments:?}");
    };
    let all: [&[&str]; 3] = [
        &["plan", "--trust-commands"],
        &["drift", "--trust-commands"],
        &["apply", "--yes", "--trust-commands"],
    ];
    for arguments in all {
        mode(&fleet.file(), 0o666);
        refused(arguments, &fleet.file());
        mode(&fleet.file(), 0o644);
        // The folder is where another file could take its place.
        mode(fleet.path(), 0o777);
        refused(arguments, fleet.path());
        mode(fleet.path(), 0o700);
    }
    mode(&fleet.file(), 0o666);
    let checked = fleet.run(&["check"]);
    assert_eq!(checked.code, 0, "{checked:?}");
    assert!(checked.err.contains("`chmod go-w "), "{checked:?}");
    let checked = fleet.run(&["check", "--json"]);
    assert_eq!(checked.code, 0, "{checked:?}");
    let told = checked.json();
    assert_eq!(told["warnings"], 1, "{told}");
    let told = &told["findings"][0];
    assert_eq!(told["level"], "warning", "{told}");
    assert!(
        told["help"].as_str().unwrap().contains("`chmod go-w "),
        "{told}"
    );
    mode(&fleet.file(), 0o644);
    let checked = fleet.run(&["check"]);
    assert!(!checked.err.contains("warning"), "{checked:?}");
    // Nor are files read, in on-call mode neither: they may be anybody's.
    let text = fs::read_to_string(fleet.file()).unwrap();
    fs::write(
        fleet.file(),
        text.replace(COMMAND, "x")
            .replace("command: x", "file: fleet.yml"),
    )
    .unwrap();
    mode(&fleet.file(), 0o666);
    refused(&["plan"], &fleet.file());
    let ran = fleet.run(&["--read-only", "plan"]);
    assert!(
        ran.out
            .contains("not compared: secret DB of blog, others can write"),
        "{ran:?}"
    );
    mode(&fleet.file(), 0o644);
    assert_eq!(fleet.run(&["plan"]).code, 2);
}

#[test]
fn a_file_of_the_operators_own_goes_to_no_site_without_a_yes() {
    let fleet = Fleet::new();
    let home = tempfile::tempdir().unwrap();
    let key = home.path().join("id_ed25519");
    own::write(&key, "private");
    let text = fs::read_to_string(fleet.file()).unwrap();
    let source = format!("{{ file: '{}' }}", key.display());
    let text = text.replace(&format!("{{ command: {COMMAND} }}"), &source);
    fs::write(fleet.file(), text).unwrap();
    let leave = format!("leave to read {} for site blog", key.display());
    let refused = fleet.run(&["plan"]);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.err.contains("id_ed25519"), "{refused:?}");
    assert!(refused.err.contains("--trust-commands"), "{refused:?}");
    let on_call = fleet.run(&["--read-only", "plan"]);
    let not = "not compared: secret DB of blog, its file is outside of the fleet file's folder";
    assert!(on_call.out.contains(not), "{on_call:?}");
    assert_eq!(fleet.run(&["plan", "--trust-commands"]).code, 2);
    let mut pty = Pty::start_in(fleet.path(), &["plan"], 200, 60);
    pty.wait_for(&leave);
    pty.wait_for("Type yes");
    pty.keys("yes\r");
    assert_eq!(pty.end().code, 2);
    let later = |arguments| cli::run(&mut fleet.after_terminal(arguments));
    assert_eq!(later(&["plan"]).code, 2);
    let on_call = later(&["--read-only", "plan"]);
    assert!(!on_call.out.contains("not compared"), "{on_call:?}");
}

#[test]
fn a_program_is_looked_at_where_path_finds_it_before_anything_is_asked() {
    let fleet = Fleet::new();
    let folder = fleet.path().join("bin");
    fs::create_dir(&folder).unwrap();
    let program = folder.join("tell");
    own::write(&program, "#!/bin/sh\ntouch ran; echo sesame\n");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o757)).unwrap();
    let text = fs::read_to_string(fleet.file()).unwrap();
    fs::write(fleet.file(), text.replace(COMMAND, "[tell]")).unwrap();
    let path = std::env::var("PATH").unwrap();
    for arguments in [&["plan"][..], &["plan", "--trust-commands"]] {
        let mut command = cli::command(fleet.path());
        command.env("PATH", format!("{}:{path}", folder.display()));
        let ran = cli::run(command.args(arguments));
        assert!(!ran.err.contains("never said yes to"), "{ran:?}");
        for part in ["bin/tell (mode 0757)", "`chmod go-w "] {
            assert!(ran.out.contains(part), "{part}: {ran:?}");
        }
        assert!(!fleet.ran(), "{arguments:?}");
    }
}

#[test]
fn what_is_not_compared_is_never_well() {
    let Some(engine) = tier::engine() else { return };
    let site = "  blog: { host: here, recipe: static, domains: [blog.localhost], memory: 64M, secrets: { DB: { command: [cat, db] }, FILE: { file: more } } }\n";
    let stage = Stage::new(&engine, site);
    let folder = stage.folder.path();
    for name in ["db", "more"] {
        own::write(folder.join(name), "sesame");
    }
    stage.done(&["apply", "--yes", "--trust-commands"]);
    stage.done(&["drift", "--trust-commands"]);
    for (command, well) in [
        ("plan", "the hosts are as the fleet file says"),
        (
            "drift",
            "what is live was applied, and is what the file says",
        ),
    ] {
        let trusted = stage.done(&[command, "--trust-commands"]);
        assert!(trusted.out.contains(well), "{}", trusted.out);
        let ran = stage.done(&["--read-only", command]);
        assert!(
            ran.out
                .contains("not compared: secret DB of blog, its command"),
            "{}",
            ran.out
        );
        assert!(!ran.out.contains("FILE"), "{}", ran.out);
        assert!(!ran.out.contains(well), "{}", ran.out);
    }
    // The other one is compared all the same.
    fs::write(folder.join("more"), "other").unwrap();
    let ran = stage.run(&["--read-only", "drift"]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.out.contains("secrets.FILE"), "{}", ran.out);
    // A source that fails is not well either, and here it is a failure.
    fs::remove_file(folder.join("more")).unwrap();
    for (command, code) in [("plan", 1), ("drift", 3), ("apply", 1)] {
        let ran = stage.run(&[command, "--trust-commands"]);
        assert_eq!(ran.code, code, "{ran:?}");
        assert!(!ran.out.contains("the hosts are as"), "{}", ran.out);
        assert!(ran.out.contains("FILE of blog"), "{}", ran.out);
    }
}

//! Every option that a command can be given is honoured, or refused with a sentence. Commands and
//! options are those of the program's own tree of arguments: a new one is met without being named
//! here, and a new option fails until it is said how its being honoured shows.

mod cli;
#[path = "cli/hollow.rs"]
mod hollow;
#[path = "cli/pty.rs"]
mod pty;

use std::fs;
use std::path::{Path, PathBuf};

use clap::Command;
use cli::{Ran, ostler_in};
use hollow::Engine;
use pty::Pty;

/// A leaf of the tree.
struct Leaf {
    words: Vec<String>,
    command: Command,
}

impl Leaf {
    fn name(&self) -> String {
        self.words.join(" ")
    }

    /// What it cannot be called without.
    fn required(&self) -> Vec<String> {
        let mut words = Vec::new();
        for argument in self.command.get_arguments() {
            if !argument.is_required_set() {
                continue;
            }
            let given: &[&str] = match argument.get_id().as_str() {
                "site" if self.name() == "site create" => &["new"],
                "site" | "sites" => &["blog"],
                "host" => &["here"],
                "shell" => &["bash"],
                "domains" => &["--domain", "new.localhost"],
                other => panic!("{}: say here what {other} may be", self.name()),
            };
            words.extend(given.iter().map(|word| (*word).to_owned()));
        }
        words
    }

    fn has(&self, id: &str) -> bool {
        self.command.get_arguments().any(|a| a.get_id() == id)
    }

    /// The same with options before the command, and after it.
    fn calls(&self, options: &[&str], after: bool) -> Vec<Vec<String>> {
        let options = || options.iter().map(|word| (*word).to_owned());
        // Where `init` is to write is told by a name, or by the option.
        let named = self.name() == "init" && !options().any(|word| word == "--fleet");
        let file = named.then(|| "new.yml".to_owned());
        let required = || self.required().into_iter().chain(file.clone());
        let whole = || self.words.iter().cloned().chain(required());
        let mut calls = vec![options().chain(whole()).collect()];
        if after && !self.words.is_empty() {
            calls.push(whole().chain(options()).collect());
        }
        calls
    }
}

fn leaves(command: &Command, words: &[String], found: &mut Vec<Leaf>) {
    let below: Vec<&Command> = command.get_subcommands().collect();
    if below.is_empty() || !command.is_subcommand_required_set() {
        found.push(Leaf {
            words: words.to_vec(),
            command: command.clone(),
        });
    }
    for sub in below {
        let mut words = words.to_vec();
        words.push(sub.get_name().to_owned());
        leaves(sub, &words, found);
    }
}

fn all() -> Vec<Leaf> {
    let mut found = Vec::new();
    leaves(&ostler::cli::command(), &[], &mut found);
    assert!(found.len() > 24, "{}", found.len());
    found
}

struct World {
    folder: tempfile::TempDir,
    engine: Engine,
}

impl World {
    fn new(secrets: &str) -> World {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("engine.sock");
        let engine = Engine::start(&socket);
        let text = format!(
            "fleet: options\nhosts:\n  here: {{ engine: \"unix://{}\" }}\nsites:\n  blog: {{ host: here, recipe: static, domains: [blog.localhost]{secrets} }}\n",
            socket.display()
        );
        fs::write(folder.path().join("fleet.yml"), text).unwrap();
        cli::keep_to_us(folder.path());
        fs::write(folder.path().join("other.yml"), "fleet: [\n").unwrap();
        World { folder, engine }
    }

    fn run(&self, words: &[String]) -> Ran {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        ostler_in(self.folder.path(), &words)
    }

    /// With a terminal, which the console asks for.
    fn run_there(&self, words: &[String]) -> Ran {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let ended = Pty::start_in(self.folder.path(), &words, 200, 50).end();
        Ran {
            code: ended.code as i32,
            out: String::new(),
            err: ended.screen,
        }
    }
}

/// How it shows that an option is honoured. True: it does.
fn shows(world: &World, leaf: &Leaf, option: &str, call: &[&str], after: bool) -> bool {
    let calls = leaf.calls(call, after);
    let run = |words: &Vec<String>| match leaf.words.is_empty() {
        true => world.run_there(words),
        false => world.run(words),
    };
    let says = |text: &str| {
        calls.iter().all(|words| {
            let ran = run(words);
            let told = ran.err.contains(text) || ran.out.contains(text);
            if !told {
                eprintln!("{words:?} does not say {text}: {ran:?}");
            }
            told
        })
    };
    match option {
        "fleet" => says("other.yml"),
        "only" => says("nobody"),
        "engine" => says("/nowhere/else.sock"),
        "tls" => says("certificates"),
        "insecure" => {
            // Without it the engine's certificates are missed before anything is connected to.
            let without = run(&leaf.calls(&call[..2], false)[0]);
            let told = |ran: Ran| (ran.out, ran.err);
            let without = told(without);
            calls.iter().all(|words| told(run(words)) != without)
        }
        other => panic!("how does it show that --{other} is honoured?"),
    }
}

#[test]
fn every_option_is_honoured_by_every_command_or_refused_with_a_sentence() {
    let world = World::new("");
    let root = ostler::cli::command();
    let mut wrong = Vec::new();
    for leaf in all() {
        for option in root.get_arguments() {
            let id = option.get_id().as_str();
            let long = option.get_long().unwrap();
            let call: &[&str] = match id {
                "fleet" => &["--fleet", "other.yml"],
                "only" => &["--only", "site=nobody"],
                "engine" => &["--host", "unix:///nowhere/else.sock"],
                "tls" => &["--host", "tcp://127.0.0.1:1", "--tls", "certificates"],
                "insecure" => &["--host", "tcp://127.0.0.1:1", "--insecure"],
                // By the mode, by whoever shows errors, and by the fleet's own test below.
                "read_only" | "verbose" | "no_color" => continue,
                "trust_commands" => &["--trust-commands"],
                other => panic!("--{other} is new: say here how it is called, and how it shows"),
            };
            let own = |arg: &&clap::Arg| arg.get_long() == Some(long);
            let here = leaf.command.get_arguments().find(own).unwrap();
            // The host of `site create` is another option.
            let after = here.get_id() == option.get_id();
            let claims = after && !here.is_hide_set();
            if claims && id == "trust_commands" {
                continue; // below
            }
            let right = match claims {
                true => shows(&world, &leaf, id, call, after),
                false => leaf.calls(call, after).iter().all(|words| {
                    let ran = world.run(words);
                    let mut options = call.iter().filter(|word| word.starts_with("--"));
                    let said = options.any(|it| ran.err.contains(&format!("takes no {it}: ")));
                    ran.code == 1 && said && ran.out.is_empty()
                }),
            };
            if !right {
                wrong.push(format!("ostler {} and --{long}", leaf.name()));
            }
        }
    }
    assert!(wrong.is_empty(), "neither honoured nor refused: {wrong:#?}");
}

#[test]
fn with_read_only_no_command_asks_an_engine_to_change_anything() {
    let world = World::new("");
    let changing = |asked: &[String]| {
        let reading = |line: &&String| line.starts_with("GET ") || line.starts_with("HEAD ");
        asked.iter().filter(|line| !reading(line)).count()
    };
    // The engine is asked to change something where it may be.
    let apply = ["apply", "--yes"].map(str::to_owned);
    world.run(&apply);
    assert!(changing(&world.engine.asked()) > 0);
    let file = world.folder.path().join("fleet.yml");
    let before = fs::read_to_string(&file).unwrap();
    for leaf in all() {
        // They need a terminal, and have tests of their own.
        if leaf.words.is_empty() || leaf.name() == "demo" {
            continue;
        }
        for mut words in leaf.calls(&["--read-only"], true) {
            for option in ["write", "yes"].iter().filter(|id| leaf.has(id)) {
                words.push(format!("--{option}"));
            }
            let ran = world.run(&words);
            assert_eq!(changing(&world.engine.asked()), 0, "{words:?}: {ran:?}");
            assert_eq!(fs::read_to_string(&file).unwrap(), before, "{words:?}");
            let refused = ran.err.contains("on-call mode");
            assert_eq!(
                refused,
                leaf.has("yes") || ["init", "tend"].contains(&leaf.name().as_str()),
                "{words:?}: {ran:?}"
            );
        }
    }
}

#[test]
fn host_looks_in_on_call_mode() {
    let world = World::new("");
    let host = format!(
        "unix://{}",
        world.folder.path().join("engine.sock").display()
    );
    // The very example of what went wrong: it changed the fleet's own host.
    let ran = ostler_in(
        world.folder.path(),
        &["--host", "unix:///nonexistent", "apply", "-y"],
    );
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(
        ran.err.contains("`ostler apply` takes no --host"),
        "{}",
        ran.err
    );
    assert_eq!(world.engine.asked(), Vec::<String>::new());
    // With both, it would not be known which is meant.
    for option in [["--fleet", "fleet.yml"], ["--only", "site=blog"]] {
        let ran = ostler_in(
            world.folder.path(),
            &["status", "--host", &host, option[0], option[1]],
        );
        assert_eq!(ran.code, 1, "{ran:?}");
        assert!(
            ran.err.contains(&format!("leave {} out", option[0])),
            "{}",
            ran.err
        );
    }
    // A variable that is empty says nothing, where one is taken and where none is.
    for words in [&["keys"][..], &["check"]] {
        let mut command = cli::command(world.folder.path());
        let command = command.envs([("OSTLER_FLEET", ""), ("OSTLER_READ_ONLY", "")]);
        let ran = cli::run(command.args(words));
        assert_eq!(ran.code, 0, "{words:?}: {ran:?}");
    }
    // What is only in the environment is about other runs.
    let mut command = cli::command(world.folder.path());
    let ran = cli::run(
        command
            .env("OSTLER_FLEET", "other.yml")
            .args(["status", "--host", &host]),
    );
    assert_eq!(ran.code, 0, "{ran:?}");
}

#[test]
fn options_are_taken_before_the_command_and_after_it_and_not_twice() {
    let world = World::new("");
    let folder = world.folder.path();
    for (option, values) in [
        ("--fleet", ["fleet.yml", "other.yml"]),
        ("--host", ["unix:///nowhere/a", "unix:///nowhere/b"]),
        ("--tls", ["a", "b"]),
    ] {
        let words = [option, values[0], "status", option, values[1]];
        let ran = ostler_in(folder, &words);
        assert_eq!(ran.code, 1, "{words:?}: {ran:?}");
        assert!(ran.err.contains("given twice"), "{words:?}: {}", ran.err);
    }
    // Those that widen each other count from both sides.
    let words = ["--only", "site=nobody", "plan", "--only", "site=blog"];
    let ran = ostler_in(folder, &words);
    assert!(ran.err.contains("nobody"), "{ran:?}");
    for words in [
        &["init", "a.yml", "--fleet", "b.yml"][..],
        &["journal", "20261129", "--since", "2h"],
        &["journal", "20261129", "-n", "3"],
    ] {
        let ran = ostler_in(folder, words);
        assert_eq!(ran.code, 1, "{words:?}: {ran:?}");
        assert!(!folder.join("a.yml").exists() && !folder.join("b.yml").exists());
    }
    let ran = ostler_in(folder, &["journal", "--only", "site=blgo"]);
    assert!(ran.err.contains("did you mean blog?"), "{ran:?}");
    let ran = ostler_in(folder, &["doctor", "--only", "host=there"]);
    assert!(ran.err.contains("did you mean here?"), "{ran:?}");
}

#[test]
fn verbose_and_no_color_are_honoured_by_every_command() {
    let world = World::new("");
    let folder = world.folder.path();
    // A configuration that cannot be read: an error that each of them has, with a cause.
    for place in ["config", "CONFIG"] {
        fs::create_dir_all(folder.join(place).join("ostler/config.yml")).unwrap();
    }
    for leaf in all() {
        for words in leaf.calls(&["--verbose"], true) {
            let ran = world.run(&words);
            assert_eq!(ran.code, 1, "{words:?}: {ran:?}");
            assert!(ran.err.contains("caused by: "), "{words:?}: {ran:?}");
        }
        for words in leaf.calls(&["--no-color"], true) {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let ended = Pty::start_in(folder, &words, 100, 30).end();
            assert!(ended.screen.contains("config.yml"), "{words:?}");
            assert!(!ended.has(b"\x1b["), "{words:?}: {}", ended.screen);
        }
    }
    let coloured = Pty::start_in(folder, &["check"], 100, 30).end();
    assert!(coloured.has(b"\x1b["));
    // What is not understood otherwise is said without colours too.
    for words in [
        &["--no-color", "bogus"][..],
        &["plan", "--no-color", "--help"],
    ] {
        let ended = Pty::start_in(folder, words, 100, 30).end();
        assert!(!ended.has(b"\x1b["), "{words:?}: {}", ended.screen);
    }
}

/// A file that a secret's command leaves where it runs.
fn mark(folder: &Path) -> PathBuf {
    folder.join("ran")
}

#[test]
fn trust_commands_is_honoured_where_commands_are_run() {
    let world = World::new(", secrets: { DB: { command: [sh, -c, \"touch ran; echo x\"] } }");
    let folder = world.folder.path();
    let mut ran_at_all = false;
    for leaf in all() {
        let hidden = |arg: &clap::Arg| arg.get_id() == "trust_commands" && arg.is_hide_set();
        let refuses = leaf.command.get_arguments().any(hidden);
        // The console asks on its screen; undo runs what the file before it says: each has tests of
        // its own. What tends reads none of the sites' secrets.
        let asks_nobody = ["undo", "tend", "certs renew"].contains(&leaf.name().as_str());
        if refuses || leaf.words.is_empty() || asks_nobody {
            continue;
        }
        let without = world.run(&leaf.calls(&[], false)[0]);
        assert_eq!(without.code, 1, "{}: {without:?}", leaf.name());
        // A restart goes on without; `tests/cli_secrets.rs` sees it through.
        let refused = without.err.contains("--trust-commands");
        assert!(refused || leaf.name() == "site restart", "{without:?}");
        assert!(!mark(folder).exists(), "{}", leaf.name());
        for words in leaf.calls(&["--trust-commands"], true) {
            let ran = world.run(&words);
            assert!(!ran.err.contains("--trust-commands"), "{words:?}: {ran:?}");
        }
        ran_at_all |= fs::remove_file(mark(folder)).is_ok();
    }
    assert!(ran_at_all, "a plan reads secrets");
    let ran = ostler_in(folder, &["--read-only", "--trust-commands", "plan"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(
        ran.err.contains("on-call mode runs no commands"),
        "{}",
        ran.err
    );
}

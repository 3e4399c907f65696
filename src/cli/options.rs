//! The options that every command can be given, before its name and after it, and what each command
//! does with them. An option is honoured, or refused with a sentence; none is read and forgotten:
//! whatever has no row in [`row`] refuses them all.

use std::ffi::OsString;

use clap::builder::Resettable;
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Args, CommandFactory, FromArgMatches};

use super::Failure;
use super::args::{Cli, Command, EngineArg, Global};

/// What one command does with the options. `--read-only`, `--verbose` and `--no-color` are honoured
/// for all of them at once: by the mode, by whoever shows errors, and by [`super::out::Out`].
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// `--fleet`.
    fleet: Takes,
    /// `--only`.
    only: Takes,
    /// `--host`, with `--tls` and `--insecure`.
    engine: Engine,
    /// `--trust-commands`.
    trust: Takes,
    /// What on-call mode refuses; none: it looks, and changes nothing.
    pub changes: Option<&'static str>,
}

/// Whether an option is taken.
#[derive(Debug, Clone, Copy)]
enum Takes {
    Yes,
    No(Why),
}

/// What a command does with the engine that is named.
#[derive(Debug, Clone, Copy)]
enum Engine {
    /// Looks at it, in on-call mode, without a fleet file.
    Looks,
    /// Writes of it; `--tls` and `--insecure` may be about the engine that is found here.
    Names,
    /// Takes none.
    No(Why),
}

/// Why an option is not taken, and what would be right.
#[derive(Debug, Clone, Copy)]
struct Why(&'static str, &'static str);

const ALONE: Why = Why("it looks at neither fleet nor host", "leave it out");
const FLEET: Why = Why(
    "it goes by the fleet file",
    "`--only host=NAME` picks a host of the fleet file; `ostler status --host ADDRESS` looks at one engine",
);
const RUNS_NONE: Why = Why("it runs none of the fleet file's commands", "leave it out");
const SITE: Why = Why("SITE says which one is meant", "leave it out");

/// What a command does with the options, by the words that call it.
fn row(path: &str) -> Row {
    use Takes::{No, Yes};
    // What no command is given to without a word about it here.
    let none = Row {
        fleet: No(ALONE),
        only: No(ALONE),
        engine: Engine::No(ALONE),
        trust: No(RUNS_NONE),
        changes: None,
    };
    let fleet = Row {
        fleet: Yes,
        only: Yes,
        engine: Engine::No(FLEET),
        ..none
    };
    let plans = Row {
        trust: Yes,
        ..fleet
    };
    let looks = Row {
        engine: Engine::Looks,
        ..fleet
    };
    match path {
        "" => Row {
            only: No(Why(
                "the console shows the whole fleet",
                "its filter narrows the list: `ostler keys`",
            )),
            trust: No(Why("the console asks on its screen", "leave it out")),
            ..looks
        },
        "check" => Row {
            only: No(Why("it reads the whole file", "leave it out")),
            ..fleet
        },
        "plan" | "drift" => plans,
        "apply" => Row {
            changes: Some("apply"),
            ..plans
        },
        "update" | "tend" => Row {
            changes: Some(if path == "tend" { "tend" } else { "update" }),
            ..plans
        },
        "adopt" | "certs renew" => Row {
            only: No(SITE),
            changes: Some(if path == "adopt" {
                "adopt"
            } else {
                "certs renew"
            }),
            ..plans
        },
        "site" | "site create" | "site archive" | "site start" | "site stop" | "site restart" => {
            Row {
                // A site that is created has no secrets yet; one that is not to run needs none.
                trust: match path {
                    "site create" | "site archive" | "site stop" => No(RUNS_NONE),
                    _ => Yes,
                },
                only: No(SITE),
                engine: Engine::No(Why(
                    "it looks at an engine and changes no site",
                    "name the fleet's host after the command: `ostler site create … --host NAME`",
                )),
                changes: Some("changing a site"),
                ..plans
            }
        }
        "undo" => Row {
            only: No(Why(
                "an apply is taken back as a whole",
                "`ostler apply --only …` brings some of its sites to what the file says",
            )),
            changes: Some("undo"),
            ..plans
        },
        "status" | "hosts" | "doctor" => looks,
        "logs" => Row {
            only: No(SITE),
            ..looks
        },
        "sites" => Row {
            engine: Engine::No(Why(
                "sites are the fleet file's",
                "`ostler status --host ADDRESS` lists what runs on an engine",
            )),
            ..fleet
        },
        "journal" | "certs" => fleet,
        "import" => Row {
            only: No(Why("HOST and CONTAINER say what is meant", "leave it out")),
            engine: Engine::No(Why(
                "HOST is one of the fleet file's",
                "`ostler init --host ADDRESS FILE` writes a fleet file for an engine first",
            )),
            ..fleet
        },
        "init" => Row {
            fleet: Yes,
            only: No(Why("there is no fleet file yet", "leave it out")),
            engine: Engine::Names,
            changes: Some("writing a fleet file"),
            ..none
        },
        "demo" => {
            let own = Why("it has a fleet of its own", "leave it out");
            Row {
                fleet: No(own),
                only: No(own),
                engine: Engine::No(own),
                ..none
            }
        }
        _ => none,
    }
}

impl Row {
    /// Why it does not take an option, by the option's id; none: it is honoured.
    fn refuses(&self, option: &str) -> Option<Why> {
        let of = |takes: Takes| match takes {
            Takes::Yes => None,
            Takes::No(why) => Some(why),
        };
        match option {
            "read_only" | "verbose" | "no_color" => None,
            "fleet" => of(self.fleet),
            "only" => of(self.only),
            "trust_commands" => of(self.trust),
            "engine" | "tls" | "insecure" => match self.engine {
                Engine::Looks | Engine::Names => None,
                Engine::No(why) => Some(why),
            },
            _ => Some(ALONE),
        }
    }
}

/// Every command with the options; those it refuses are read there, for the sentence, and not shown.
pub fn command() -> clap::Command {
    let options = clap::Command::new("options");
    let options = EngineArg::augment_args(Global::augment_args(options));
    let options: Vec<Arg> = options.get_arguments().cloned().map(heard).collect();
    spread(Cli::command(), "", &options)
}

/// A variable that is empty says nothing.
fn heard(option: Arg) -> Arg {
    let said = option.get_env().and_then(std::env::var_os);
    match said.is_some_and(|said| said.is_empty()) {
        true => option.env(Resettable::Reset),
        false => option,
    }
}

fn spread(mut command: clap::Command, path: &str, options: &[Arg]) -> clap::Command {
    let names = command.get_subcommands().map(|sub| sub.get_name());
    let names: Vec<String> = names.map(str::to_owned).collect();
    for name in names {
        let below = below(path, &name);
        command = command.mut_subcommand(name, |sub| spread(sub, &below, options));
    }
    // The host of `site create` is one of the fleet file's.
    let own = |option: &Arg| {
        let mut there = command.get_arguments();
        there.any(|arg| arg.get_long() == option.get_long())
    };
    let (mut added, row) = (Vec::new(), row(path));
    for option in options.iter().filter(|option| !own(option)) {
        let refused = row.refuses(option.get_id().as_str()).is_some();
        added.push(option.clone().hide(refused));
    }
    command.args(added)
}

fn below(path: &str, name: &str) -> String {
    match path {
        "" => name.to_owned(),
        path => format!("{path} {name}"),
    }
}

/// What the program was called with.
#[derive(Debug)]
pub struct Called {
    /// What to do; the console when absent.
    pub command: Option<Command>,
    /// The options, wherever they were given.
    pub global: Global,
    /// The engine that is named.
    pub engine: EngineArg,
    /// Whether it is looked at, in on-call mode.
    pub looks: bool,
    /// What the command does with them.
    pub row: Row,
}

/// Why arguments are not taken.
pub enum Misread {
    /// They are not understood, or help was asked for.
    Usage(clap::Error),
    /// They are, and this command has no use for them.
    Refused(Failure),
}

/// Whether colours are refused, also where the arguments cannot be understood otherwise.
pub fn without_colour(arguments: &[OsString]) -> bool {
    let mut ours = arguments.iter().take_while(|argument| *argument != "--");
    ours.any(|argument| argument == "--no-color")
}

/// Reads the arguments.
///
/// # Errors
/// They are not understood, or there is an option among them that the command would not honour.
pub fn read(arguments: &[OsString]) -> Result<Called, Misread> {
    let mut command = command();
    if without_colour(arguments) {
        command = command.color(clap::ColorChoice::Never);
    }
    let matches = command.try_get_matches_from(arguments);
    let matches = matches.map_err(Misread::Usage)?;
    let cli = Cli::from_arg_matches(&matches).map_err(Misread::Usage)?;
    called(cli, &matches).map_err(Misread::Refused)
}

fn called(cli: Cli, matches: &ArgMatches) -> Result<Called, Failure> {
    let (mut path, mut levels) = (String::new(), vec![matches]);
    let mut at = matches;
    while let Some((name, deeper)) = at.subcommand() {
        path = below(&path, name);
        levels.push(deeper);
        at = deeper;
    }
    let row = row(&path);
    let given = Given { levels };
    let title = format!("ostler {path}");
    for option in command().get_arguments() {
        let id = option.get_id().as_str();
        if let Some(Why(why, instead)) = row.refuses(id)
            && given.is_given(id)
        {
            let option = option.get_long().unwrap_or(id);
            let message = format!("`{}` takes no --{option}: {why}", title.trim());
            return Err(Failure::new(message).help(instead));
        }
    }
    let fleet = given.one("fleet", "fleet")?;
    let engine = EngineArg {
        address: given.one("engine", "host")?,
        tls: given.one("tls", "tls")?,
        insecure: given.any("insecure"),
    };
    let named = engine.address.is_some();
    let looks = named && matches!(row.engine, Engine::Looks);
    for option in ["fleet", "only"] {
        if looks && given.is_given(option) {
            let message =
                format!("--host ADDRESS looks without a fleet file: leave --{option} out");
            return Err(Failure::new(message));
        }
    }
    Ok(Called {
        command: cli.command,
        global: Global {
            fleet,
            fleet_by_option: given.is_given("fleet"),
            read_only: given.any("read_only"),
            only: given.all("only"),
            trust_commands: given.any("trust_commands"),
            verbose: given.sum("verbose"),
            no_color: given.any("no_color"),
        },
        engine,
        looks,
        row,
    })
}

/// What was given, to the program and to the commands below it. A command may have another option of
/// the same name: that is told by its id.
struct Given<'a> {
    levels: Vec<&'a ArgMatches>,
}

impl Given<'_> {
    /// On how many levels an option was given.
    fn times(&self, id: &str) -> usize {
        let mut levels = self.levels.clone();
        levels.retain(|level| {
            let known = level.ids().any(|known| known == id);
            known && level.value_source(id) == Some(ValueSource::CommandLine)
        });
        levels.len()
    }

    fn is_given(&self, id: &str) -> bool {
        self.times(id) > 0
    }

    fn values<T: Clone + Send + Sync + 'static>(&self, id: &str) -> Vec<(ValueSource, Vec<T>)> {
        let of = |level: &&ArgMatches| {
            let values = level.try_get_many::<T>(id).ok().flatten()?;
            Some((level.value_source(id)?, values.cloned().collect()))
        };
        self.levels.iter().filter_map(of).collect()
    }

    /// The one value of an option that has one; the environment's where it was not given.
    fn one<T: Clone + Send + Sync + 'static>(
        &self,
        id: &str,
        long: &str,
    ) -> Result<Option<T>, Failure> {
        if self.times(id) > 1 {
            return Err(Failure::new(format!("--{long} is given twice"))
                .help("once, before the command or after it"));
        }
        let values = self.values::<T>(id).into_iter();
        let best = values.max_by_key(|(source, _)| *source);
        Ok(best.and_then(|(_, values)| values.into_iter().next()))
    }

    fn all(&self, id: &str) -> Vec<String> {
        let values = self.values::<String>(id).into_iter();
        values.flat_map(|(_, values)| values).collect()
    }

    fn any(&self, id: &str) -> bool {
        let mut values = self.values::<bool>(id).into_iter();
        values.any(|(_, values)| values.contains(&true))
    }

    fn sum(&self, id: &str) -> u8 {
        let values = self.values::<u8>(id).into_iter();
        values.fold(0, |sum, (_, values)| {
            values.into_iter().fold(sum, u8::saturating_add)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(command: &clap::Command, path: &str, found: &mut Vec<String>) {
        for sub in command.get_subcommands() {
            let below = below(path, sub.get_name());
            paths(sub, &below, found);
            found.push(below);
        }
    }

    #[test]
    fn arguments_do_not_contradict_each_other() {
        command().debug_assert();
    }

    #[test]
    fn options_are_the_same_before_the_command_and_after_it() {
        let read = |line: &str| {
            let words = line.split(' ').map(OsString::from);
            match read(&words.collect::<Vec<_>>()) {
                Ok(called) => called,
                Err(Misread::Usage(error)) => panic!("{line}: {error}"),
                Err(Misread::Refused(failure)) => panic!("{line}: {failure:?}"),
            }
        };
        for line in [
            "ostler --fleet f.yml --only site=a --read-only -v --only host=b -v hosts",
            "ostler hosts --fleet f.yml --only site=a --read-only -vv --only host=b",
            "ostler --only site=a -v hosts --only host=b --fleet f.yml --read-only -v",
        ] {
            let global = read(line).global;
            assert_eq!(global.fleet.as_deref(), Some("f.yml".as_ref()), "{line}");
            assert_eq!(global.only, ["site=a", "host=b"], "{line}");
            assert!(global.read_only && global.fleet_by_option, "{line}");
            assert_eq!(global.verbose, 2, "{line}");
        }
        let looks = read("ostler --host unix:///x.sock logs a");
        assert!(looks.looks && looks.engine.address.is_some());
        let create = read("ostler site create a -d a.example --host web1");
        assert!(!create.looks && create.engine.address.is_none());
    }

    #[test]
    fn every_command_says_what_it_does_with_the_options() {
        let mut found = Vec::new();
        paths(&command(), "", &mut found);
        assert!(found.len() > 20, "{found:?}");
        // These are known to have no use for any of them.
        let none = ["schema", "completions", "man", "keys"];
        for path in found {
            let refuses_all = ["fleet", "only", "engine", "trust_commands"]
                .iter()
                .all(|option| row(&path).refuses(option).is_some());
            let known = none.contains(&path.as_str()) || path == "demo";
            assert_eq!(refuses_all, known, "{path}: has it a row?");
        }
    }
}

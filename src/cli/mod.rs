//! The command line: one file per command, each a thin face on the same walk that the console
//! takes (see [`context`]).

mod args;
pub mod config;
pub mod exit;
pub mod out;
pub mod style;
pub mod table;
pub mod walk;

mod adopt;
mod apply;
mod ask;
mod check;
mod completions;
mod confirm;
mod console;
pub mod context;
mod demo;
mod doctor;
mod drift;
pub mod engine;
mod hosts;
mod import;
mod init;
mod journal;
mod keys;
mod logs;
mod man;
mod plan;
mod planned;
mod progress;
pub mod rows;
mod schema;
mod signals;
mod simulated;
mod site;
mod sites;
mod status;
mod undo;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};
use context::{Context, block_on};
pub use exit::{Exit, Failure};
use out::Out;

/// Runs the program and says how it ended.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    // A second installation is refused; then the first one's hook stays, which is as good.
    let _ = color_eyre::install();
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => return usage(&error).into(),
    };
    let out = Out::new(cli.global.no_color);
    let verbose = cli.global.verbose > 0;
    match run(cli, &out) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            out.failure(&failure, verbose);
            failure.exit.into()
        }
    }
}

/// `--help` and `--version` are answers; everything else clap has to say is an error of usage.
fn usage(error: &clap::Error) -> Exit {
    let wrong = error.use_stderr();
    // Nothing is left to be done when the terminal is gone.
    let _ = error.print();
    if wrong { Exit::Error } else { Exit::Done }
}

fn run(cli: Cli, out: &Out) -> Result<Exit, Failure> {
    let _terminal = ask::GiveBack;
    let context = Context::new(cli.global, *out)?;
    let above = cli.engine;
    match cli.command {
        Some(Command::Check { json }) => check::run(&context, json.json),
        Some(Command::Plan(args)) => block_on(plan::run(&context, &args))?,
        Some(Command::Apply(args)) => block_on(apply::run(&context, &args))?,
        Some(Command::Drift { json }) => block_on(drift::run(&context, json.json))?,
        Some(Command::Adopt(args)) => block_on(adopt::run(&context, &args))?,
        Some(Command::Site { command }) => {
            if above.address.is_some() {
                return Err(Failure::new("--host ADDRESS looks at an engine; it changes no site")
                    .help("name the fleet's host after the command: `ostler site create … --host NAME`"));
            }
            block_on(site::run(&context, &command))?
        }
        Some(Command::Import(args)) => block_on(import::run(&context, &args))?,
        Some(Command::Init(mut args)) => {
            args.engine = args.engine.or(above);
            block_on(init::run(&context, &args))?
        }
        Some(Command::Schema) => schema::run(out),
        Some(Command::Status { engine, json }) => {
            block_on(status::run(&context, &engine.or(above), json.json))?
        }
        Some(Command::Sites { json }) => block_on(sites::run(&context, json.json))?,
        Some(Command::Hosts { engine, json }) => {
            block_on(hosts::run(&context, &engine.or(above), json.json))?
        }
        Some(Command::Undo(args)) => block_on(undo::run(&context, &args))?,
        Some(Command::Journal(args)) => block_on(journal::run(&context, &args))?,
        Some(Command::Logs(args)) => {
            let engine = args.engine.clone().or(above);
            block_on(logs::run(&context, &engine, &args))?
        }
        Some(Command::Doctor { engine, json }) => {
            let patients = doctor::patients(&context, &engine.or(above))?;
            block_on(doctor::run(&context, patients, json.json))?
        }
        Some(Command::Completions { shell }) => completions::run(out, shell),
        Some(Command::Keys) => keys::run(out),
        Some(Command::Man) => man::run(out),
        Some(Command::Demo(args)) => block_on(demo::run(&context, &args))?,
        None => block_on(console::run(&context, &above))?,
    }
}

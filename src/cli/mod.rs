//! The command line: one file per command, each a thin face on the same walk that the console
//! takes (see [`context`]).

mod args;
mod asked;
pub mod config;
pub mod exit;
pub mod out;
pub mod style;
pub mod table;
pub mod walk;

mod adopt;
mod apply;
mod ask;
mod certs;
mod check;
mod completions;
mod confirm;
mod console;
pub mod context;
mod demo;
mod doctor;
mod drift;
mod dumps;
pub mod engine;
mod hosts;
mod import;
mod init;
mod journal;
mod keys;
mod logs;
mod man;
mod options;
mod plan;
mod planned;
mod progress;
pub mod rows;
mod schema;
mod signals;
mod simulated;
mod since;
mod site;
mod sites;
mod status;
mod tend;
mod undo;
mod update;

use std::ffi::OsString;
use std::process::ExitCode;

use args::Command;
use context::{Context, block_on};
pub use exit::{Exit, Failure};
pub use options::command;
use options::{Called, Misread};
use out::Out;

/// Runs the program and says how it ended.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    dumps::off();
    // A second installation is refused; then the first one's hook stays, which is as good.
    let _ = color_eyre::install();
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let out = Out::new(options::without_colour(&arguments));
    let called = match options::read(&arguments) {
        Ok(called) => called,
        Err(Misread::Usage(error)) => return usage(&error).into(),
        Err(Misread::Refused(failure)) => {
            out.failure(&failure, false);
            return failure.exit.into();
        }
    };
    let verbose = called.global.verbose > 0;
    match run(called, &out) {
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

fn run(called: Called, out: &Out) -> Result<Exit, Failure> {
    let _terminal = ask::GiveBack;
    let Called {
        command,
        global,
        engine,
        looks,
        row,
    } = called;
    let context = Context::new(global, looks, *out)?;
    if let Some(what) = row.changes {
        context.may_change(what)?;
    }
    match command {
        Some(Command::Check { json }) => check::run(&context, json.json),
        Some(Command::Plan(args)) => block_on(plan::run(&context, &args))?,
        Some(Command::Apply(args)) => block_on(apply::run(&context, &args))?,
        Some(Command::Update(args)) => block_on(update::run(&context, &args))?,
        Some(Command::Tend(args)) => block_on(tend::run(&context, &args))?,
        Some(Command::Drift { json }) => block_on(drift::run(&context, json.json))?,
        Some(Command::Adopt(args)) => block_on(adopt::run(&context, &args))?,
        Some(Command::Site { command }) => block_on(site::run(&context, &command))?,
        Some(Command::Import(args)) => block_on(import::run(&context, &args))?,
        Some(Command::Init(args)) => block_on(init::run(&context, &engine, &args))?,
        Some(Command::Schema) => schema::run(out),
        Some(Command::Status { json }) => block_on(status::run(&context, &engine, json.json))?,
        Some(Command::Sites { json }) => block_on(sites::run(&context, json.json))?,
        Some(Command::Hosts { json }) => block_on(hosts::run(&context, &engine, json.json))?,
        Some(Command::Certs(args)) => block_on(certs::run(&context, &args))?,
        Some(Command::Undo(args)) => block_on(undo::run(&context, &args))?,
        Some(Command::Journal(args)) => block_on(journal::run(&context, &args))?,
        Some(Command::Logs(args)) => block_on(logs::run(&context, &engine, &args))?,
        Some(Command::Doctor { json }) => {
            let patients = doctor::patients(&context, &engine)?;
            block_on(doctor::run(&context, patients, json.json))?
        }
        Some(Command::Completions { shell }) => completions::run(out, shell),
        Some(Command::Keys) => keys::run(out),
        Some(Command::Man) => man::run(out),
        Some(Command::Demo(args)) => block_on(demo::run(&context, &args))?,
        None => block_on(console::run(&context, &engine))?,
    }
}

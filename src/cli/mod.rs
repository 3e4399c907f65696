//! The command line: one file per command, each a thin face on the same walk that the console
//! takes (see [`context`]).

pub mod args;
pub mod config;
pub mod exit;
pub mod out;
pub mod table;
pub mod text;

mod completions;
mod doctor;
mod man;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};
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
    match cli.command {
        Some(Command::Completions { shell }) => completions::run(out, shell),
        Some(Command::Man) => man::run(out),
        None => Err(Failure::new("which command?").help("see `ostler --help`")),
    }
}

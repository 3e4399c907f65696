//! The arguments, as clap reads them. Their doc comments are the help texts.

use std::path::PathBuf;

use clap::builder::FalseyValueParser;
use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

/// Web hosting on Docker hosts: one fleet file, one plan, one apply.
///
/// Without a command the console opens.
#[derive(Debug, Parser)]
#[command(
    name = "ostler",
    version,
    subcommand_value_name = "COMMAND",
    arg_required_else_help = true
)]
pub struct Cli {
    /// What every command understands.
    #[command(flatten)]
    pub global: Global,
    /// One engine to look at.
    #[command(flatten)]
    pub engine: EngineArg,
    /// What to do; the console when absent.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What every command understands.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// The fleet file; else ./fleet.yml, else fleet.yml in the configuration directory
    #[arg(
        long,
        global = true,
        env = "OSTLER_FLEET",
        hide_env_values = true,
        value_name = "FILE"
    )]
    pub fleet: Option<PathBuf>,
    /// On-call mode: nothing that changes a host leaves this process
    #[arg(long, global = true, env = "OSTLER_READ_ONLY", hide_env_values = true,
          value_parser = FalseyValueParser::new())]
    pub read_only: bool,
    /// Only these sites: site=GLOB, host=GLOB, account=GLOB (repeatable)
    #[arg(long, global = true, value_name = "WHAT=GLOB")]
    pub only: Vec<String>,
    /// Say more: with errors, what caused them
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// No colours
    #[arg(long, global = true)]
    pub no_color: bool,
}

/// One engine, looked at without a fleet file.
#[derive(Debug, Clone, Default, Args)]
pub struct EngineArg {
    /// Look at this one Docker Engine, without a fleet file, in on-call mode
    #[arg(long = "host", value_name = "ADDRESS", id = "engine")]
    pub address: Option<String>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write the completion script of a shell
    Completions {
        /// Which shell
        shell: Shell,
    },
    /// Write the manual page
    Man,
}

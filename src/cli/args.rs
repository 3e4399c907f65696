//! The arguments, as clap reads them. Their doc comments are the help texts.

use std::path::PathBuf;

use clap::builder::FalseyValueParser;
use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

use super::Failure;
use super::since::{Since, Within};
use super::site::option::KeyOptions;
use crate::console::log::{Pattern, Reading};

/// Web hosting on Docker hosts: one fleet file, one plan, one apply.
///
/// Without a command the console opens.
#[derive(Debug, Parser)]
#[command(name = "ostler", version, subcommand_value_name = "COMMAND")]
pub struct Cli {
    /// What to do; the console when absent.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What every command can be given; which honours what is said in [`super::options`], and there each
/// command gets them.
#[derive(Debug, Clone, Default, Args)]
pub struct Global {
    /// The fleet file; else ./fleet.yml, else fleet.yml in the configuration directory
    #[arg(
        long,
        env = "OSTLER_FLEET",
        hide_env_values = true,
        value_name = "FILE"
    )]
    pub fleet: Option<PathBuf>,
    /// It was said by the option, not by the environment.
    #[arg(skip)]
    pub fleet_by_option: bool,
    /// On-call mode: nothing that changes a host leaves this process
    #[arg(long, env = "OSTLER_READ_ONLY", hide_env_values = true,
          value_parser = FalseyValueParser::new())]
    pub read_only: bool,
    /// Only these sites: site=GLOB, host=GLOB, account=GLOB (repeatable)
    #[arg(long, value_name = "WHAT=GLOB")]
    pub only: Vec<String>,
    /// Run the commands, and read the files, that the fleet file names as sources of secrets without
    /// asking, also those that you have not seen before: for scripts
    #[arg(long)]
    pub trust_commands: bool,
    /// Say more: with errors, what caused them; of a plan, also what is alike
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// No colours
    #[arg(long)]
    pub no_color: bool,
}

/// One engine, looked at without a fleet file.
#[derive(Debug, Clone, Default, Args)]
pub struct EngineArg {
    /// Look at this one Docker Engine, without a fleet file, in on-call mode: an address, or the name
    /// of a Docker context
    #[arg(long = "host", value_name = "ADDRESS", id = "engine")]
    pub address: Option<String>,
    /// With a tcp:// engine: the folder with ca.pem, cert.pem and key.pem
    #[arg(long, value_name = "FOLDER")]
    pub tls: Option<PathBuf>,
    /// With a tcp:// engine: no TLS; loopback and private addresses only
    #[arg(long)]
    pub insecure: bool,
}

impl EngineArg {
    /// The hosts of a fleet file are meant, which says itself how each is spoken to.
    pub fn only_fleet(&self) -> Result<(), Failure> {
        match self.tls.is_some() || self.insecure {
            true => Err(Failure::new("--tls and --insecure go with --host ADDRESS")
                .help("the fleet file says `tls: FOLDER` or `insecure: true` beside `engine:`")),
            false => Ok(()),
        }
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Say all that is wrong or doubtful in the fleet file; looks at no host
    Check {
        #[command(flatten)]
        json: Json,
    },
    /// Show what apply would do, and why; exit code 2 when there is something
    Plan(PlanArgs),
    /// Make the hosts as the fleet file says
    Apply(ApplyArgs),
    /// Replace what runs an older image than its tag stands for by now: one site first, then one after
    /// the other on each host, and nothing more after the first failure
    Update(UpdateArgs),
    /// Do what is due by itself, such as renewing certificates, without a question: for a timer
    Tend(TendArgs),
    /// Show what differs between last applied, live and the file; exit code 2 when anything does
    Drift {
        #[command(flatten)]
        json: Json,
    },
    /// Write what was changed by hand on a site into the fleet file
    Adopt(AdoptArgs),
    /// Say how the fleet is, on one screen; exit code 2 when something is not well, 3 when something
    /// is not known
    Status {
        #[command(flatten)]
        json: Json,
    },
    /// List the sites: what should be and what is
    Sites {
        #[command(flatten)]
        json: Json,
    },
    /// List the hosts
    Hosts {
        #[command(flatten)]
        json: Json,
    },
    /// List the certificates, what comes first on top: stored, loaded, served; exit code 2 when one wants
    /// attention
    Certs(CertsArgs),
    /// Create, start, stop, restart or archive a site
    Site {
        #[command(subcommand)]
        command: SiteCommand,
    },
    /// Take back an apply that was cut off: the hosts go back to what was applied before it
    Undo(UndoArgs),
    /// Say what was applied, when, by whom, and how it ended
    Journal(JournalArgs),
    /// Write a site's log; with --host, any container's
    Logs(LogArgs),
    /// Say what would get in the way on a host, with the remedy
    Doctor {
        #[command(flatten)]
        json: Json,
    },
    /// Write a fleet file for the engine found here
    Init(InitArgs),
    /// Write foreign containers of a host as sites, from what their proxy was told; changes no host
    Import(ImportArgs),
    /// Write the JSON Schema of the fleet file, for editors
    Schema,
    /// Open the console on a simulated fleet, to try everything
    Demo(DemoArgs),
    /// Write the completion script of a shell
    Completions {
        /// Which shell
        shell: Shell,
    },
    /// Write the manual page
    Man,
    /// Write the keys of the console
    Keys,
}

/// For commands whose answer programs read too.
#[derive(Debug, Clone, Copy, Args)]
pub struct Json {
    /// Answer in JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `certs`.
#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct CertsArgs {
    #[command(subcommand)]
    pub command: Option<CertsCommand>,
    /// Only those that end within that time, or have ended; exit code 2 when there is one: 14d, 36h
    #[arg(long, value_name = "TIME")]
    pub expiring: Option<Within>,
    /// Answer in JSON.
    #[command(flatten)]
    pub json: Json,
}

/// What `certs` does besides.
#[derive(Debug, Clone, Subcommand)]
pub enum CertsCommand {
    /// Get other certificates from the authority, due or not
    Renew {
        /// For these sites
        #[arg(value_name = "SITE", required = true)]
        sites: Vec<String>,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
        /// Answer in JSON.
        #[command(flatten)]
        json: Json,
    },
}

/// Arguments of `plan`.
#[derive(Debug, Clone, Args)]
pub struct PlanArgs {
    /// Answer in JSON.
    #[command(flatten)]
    pub json: Json,
    /// Also keep the plan in this file, for `ostler apply FILE`
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Also stop sites that no version of this fleet file ever named
    #[arg(long)]
    pub stop_unknown: bool,
}

/// Arguments of `apply`.
#[derive(Debug, Clone, Args)]
pub struct ApplyArgs {
    /// A plan kept by `ostler plan --out`; refused when fleet file or hosts have moved on
    pub file: Option<PathBuf>,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    /// Answer in JSON.
    #[command(flatten)]
    pub json: Json,
    /// Also stop sites that no version of this fleet file ever named
    #[arg(long)]
    pub stop_unknown: bool,
}

/// Arguments of `update`.
#[derive(Debug, Clone, Args)]
pub struct UpdateArgs {
    /// Only these sites [default: all of them, and the routers]
    #[arg(value_name = "SITE")]
    pub sites: Vec<String>,
    /// First ask the registries for what the tags stand for by now
    #[arg(long)]
    pub pull: bool,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    /// Answer in JSON.
    #[command(flatten)]
    pub json: Json,
}

/// Arguments of `tend`.
#[derive(Debug, Clone, Args)]
pub struct TendArgs {
    /// Write how the fleet is into this file, for node_exporter's textfile collector
    #[arg(long, value_name = "FILE")]
    pub metrics: Option<PathBuf>,
    /// Answer in JSON.
    #[command(flatten)]
    pub json: Json,
}

/// Arguments of `adopt`.
#[derive(Debug, Clone, Args)]
pub struct AdoptArgs {
    /// The site
    pub site: String,
    /// Only these fields, as `ostler drift` names them, such as memory or env.MODE
    #[arg(value_name = "FIELD")]
    pub fields: Vec<String>,
    /// Also commit the fleet file to git, with what changed as the message
    #[arg(long)]
    pub commit: bool,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    /// Answer in JSON.
    #[command(flatten)]
    pub json: Json,
}

/// Arguments of `undo`.
#[derive(Debug, Clone, Args)]
pub struct UndoArgs {
    /// The apply, by its name or the beginning of it [default: the only one that was cut off]
    pub run: Option<String>,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    /// Answer in JSON.
    #[command(flatten)]
    pub json: Json,
}

/// Arguments of `journal`.
#[derive(Debug, Clone, Args)]
pub struct JournalArgs {
    /// One apply, by its name or the beginning of it: every operation, why, and how it ended
    #[arg(conflicts_with_all = ["since", "number"])]
    pub run: Option<String>,
    /// Only from then on: 90s, 2h30m, 3d ago, 08:15, 2026-11-21 08:15 (local time),
    /// 2026-11-21T08:15:00Z, or unix seconds
    #[arg(long, value_name = "TIME")]
    pub since: Option<Since>,
    /// Only the newest [default: 30; with --json all]
    #[arg(short = 'n', long, value_name = "NUMBER")]
    pub number: Option<usize>,
    /// Answer in JSON.
    #[command(flatten)]
    pub json: Json,
}

/// What is done to a site.
#[derive(Debug, Clone, Subcommand)]
pub enum SiteCommand {
    /// Add a site to the fleet file and bring it up
    Create(Box<CreateArgs>),
    /// Take a site off its host; files, uid and state stay
    Archive(SiteArgs),
    /// Bring a stopped or archived site back
    Start(SiteArgs),
    /// Stop a site; its domains answer with a plain page
    Stop(SiteArgs),
    /// Restart a site's container
    Restart(SiteArgs),
}

/// One site of the fleet file.
#[derive(Debug, Clone, Args)]
pub struct SiteArgs {
    /// The site
    pub site: String,
    /// Also commit the fleet file to git, with what changed as the message
    #[arg(long)]
    pub commit: bool,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    /// Answer in JSON.
    #[command(flatten)]
    pub json: Json,
}

/// Arguments of `site create`.
#[derive(Debug, Clone, Args)]
pub struct CreateArgs {
    /// Its name: a DNS label, also login and folder
    pub site: String,
    /// The host it is to run on; may be left out when there is only one
    #[arg(long, value_name = "NAME")]
    pub host: Option<String>,
    /// The customer it belongs to
    #[arg(long, value_name = "NAME")]
    pub account: Option<String>,
    /// static, php, proxy or image [default: what --php, --to or --image say, else static]
    #[arg(long)]
    pub recipe: Option<String>,
    /// A domain it answers for (repeatable)
    #[arg(short, long = "domain", value_name = "DOMAIN", required = true)]
    pub domains: Vec<String>,
    /// What else is said about it.
    #[command(flatten)]
    pub keys: KeyOptions,
    /// An environment variable; not for secrets (repeatable)
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    pub env: Vec<(String, String)>,
    /// Also commit the fleet file to git, with what changed as the message
    #[arg(long)]
    pub commit: bool,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    /// Answer in JSON.
    #[command(flatten)]
    pub json: Json,
}

fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("it is written NAME=VALUE".to_owned()),
    }
}

/// Arguments of `init`.
#[derive(Debug, Clone, Args)]
pub struct InitArgs {
    /// Where to write [default: ./fleet.yml]
    pub file: Option<PathBuf>,
    /// Certificates from Let's Encrypt, to whose terms you then agree
    /// (https://letsencrypt.org/repository/), or none [default: asks at a terminal]
    #[arg(long, value_name = "agreed|off", value_parser = ["agreed", "off"], hide_possible_values = true)]
    pub acme: Option<String>,
    /// Mail address that the authority may write to
    #[arg(long, value_name = "ADDRESS", value_parser = contact, requires = "acme")]
    pub contact: Option<String>,
}

fn contact(text: &str) -> Result<String, crate::fleet::Invalid> {
    crate::fleet::service::parse_contact(text)
}

/// Arguments of `import`.
#[derive(Debug, Clone, Args)]
pub struct ImportArgs {
    /// A host of the fleet file
    pub host: String,
    /// Only these containers [default: all that say a domain]
    pub containers: Vec<String>,
    /// Add the sites to the fleet file, instead of writing them to standard output
    #[arg(long)]
    pub write: bool,
    /// Do not ask
    #[arg(short, long, requires = "write")]
    pub yes: bool,
    /// Answer in JSON.
    #[arg(long, conflicts_with = "write")]
    pub json: bool,
}

/// Arguments of `logs`.
#[derive(Debug, Clone, Args)]
pub struct LogArgs {
    /// The site; with --host, a container
    pub site: String,
    /// Go on as the log grows
    #[arg(short, long)]
    pub follow: bool,
    /// Only the last lines, of those that --errors and --grep leave; with --follow, of all that are
    /// there [default: 100 with --follow, else all]
    #[arg(short = 'n', long, value_name = "LINES")]
    pub tail: Option<u32>,
    /// Only from then on: 90s, 2h30m, 3d ago, 08:15, 2026-11-21 08:15 (local time),
    /// 2026-11-21T08:15:00Z, or unix seconds
    #[arg(long, value_name = "TIME")]
    pub since: Option<Since>,
    /// Only up to then, said as with --since
    #[arg(long, value_name = "TIME", conflicts_with = "follow")]
    pub until: Option<Since>,
    /// Only lines that report an error: by their HTTP status, their program's own level, else by
    /// their words
    #[arg(long)]
    pub errors: bool,
    /// Only lines that match a regular expression; case counts if it has a capital
    #[arg(long, value_name = "RE", value_parser = pattern)]
    pub grep: Option<Pattern>,
    /// Begin each line with its time
    #[arg(short, long)]
    pub timestamps: bool,
    /// Write the bytes as they are, escape sequences included
    #[arg(long)]
    pub raw: bool,
}

fn pattern(text: &str) -> Result<Pattern, String> {
    Pattern::new(text, Reading::Regex)
}

/// What `demo` understands.
#[derive(Debug, Clone, Args)]
pub struct DemoArgs {
    /// Write a picture (SVG) of the first screen instead of opening it
    #[arg(long, value_name = "FILE")]
    pub picture: Option<PathBuf>,
}

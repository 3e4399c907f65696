//! What the program costs, as ratios against what the same work costs otherwise.
//!
//! `cargo bench --bench ostler` measures everything, `cargo bench --bench ostler -- plan --sites 200`
//! one thing, smaller. Times depend on the machine and on what else it does; ratios much less.
//! Everything that is put on the engine has names, a root folder and ports of its own and is gone at
//! the end, however the end comes. `tests/bench.rs` runs each of these tiny.

mod measure;

use std::process::ExitCode;

use clap::Parser;
use ostler::cli::Failure;
use ostler::fleet::EngineAddress;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::signal::unix::{SignalKind, signal};

use measure::{Bench, Extent, far, table};

/// Measure what the program costs, against what the same work costs otherwise
#[derive(Parser)]
struct Arguments {
    /// Which benchmark [default: all]
    what: Option<Bench>,
    /// How many sites, services or containers, instead of what the goals are about
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(2..=9999))]
    sites: Option<u32>,
    /// The engine of those that need one
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "DOCKER_HOST",
        default_value = "unix:///var/run/docker.sock"
    )]
    host: String,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
    /// `cargo bench` says so; `cargo test --benches` does not
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(far::WORD) {
        return ended(run(serve()));
    }
    let arguments = Arguments::parse();
    if !arguments.bench {
        eprintln!("measures only under `cargo bench`; `cargo test --test bench` runs it tiny");
        return ExitCode::SUCCESS;
    }
    ended(run(measure(arguments)))
}

fn run(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Runtime::new();
    let runtime = runtime.map_err(|e| Failure::caused("no runtime", &e))?;
    runtime.block_on(work)
}

fn ended(result: Result<(), Failure>) -> ExitCode {
    let Err(failure) = result else {
        return ExitCode::SUCCESS;
    };
    eprintln!("error: {}", failure.message);
    for more in failure.causes.iter().chain(&failure.help) {
        eprintln!("  {more}");
    }
    ExitCode::FAILURE
}

async fn measure(arguments: Arguments) -> Result<(), Failure> {
    let listen =
        |kind| signal(kind).map_err(|error| Failure::caused("cannot listen for signals", &error));
    let (mut interrupt, mut terminate) = (
        listen(SignalKind::interrupt())?,
        listen(SignalKind::terminate())?,
    );
    let address: EngineAddress = arguments.host.parse().map_err(|e| Failure::of(&e))?;
    let extent = Extent::Full {
        sites: arguments.sites.map(|n| n as usize),
    };
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load: Vec<&str> = load.split(' ').take(3).collect();
    eprintln!("on {address}; the machine's load is {}", load.join(" "));
    let mut rows = Vec::new();
    for bench in Bench::ALL {
        if arguments.what.is_none_or(|what| what == bench) {
            let stop = async {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
            };
            rows.extend(bench.run(&address, extent, stop).await?);
        }
    }
    match arguments.json {
        true => {
            let text = serde_json::to_string_pretty(&rows);
            println!("{}", text.map_err(|e| Failure::caused("no JSON", &e))?);
        }
        false => print!("{}", table(&rows).render(false)),
    }
    Ok(())
}

/// What is started once more for [`far::Far`]: brings the fleet of `fleet.yml` here to simulated
/// hosts and serves them,
/// until its standard input ends.
async fn serve() -> Result<(), Failure> {
    let folder = std::env::current_dir().map_err(|e| Failure::caused("there is no folder", &e))?;
    let hosts = far::build(&folder).await?;
    println!("{}", far::READY);
    let mut orders = BufReader::new(tokio::io::stdin()).lines();
    while let Ok(Some(order)) = orders.next_line().await {
        let (what, host) = order.split_once(' ').unwrap_or_default();
        let sim = hosts.get(host);
        let sim = sim.ok_or_else(|| Failure::new(format!("there is no host {host}")))?;
        match what {
            far::HANG => far::hang(sim),
            _ => sim.faults().clear(),
        }
        println!("{}", far::READY);
    }
    Ok(())
}

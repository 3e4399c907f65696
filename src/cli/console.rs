//! The console: opened when no command is given.

use std::io::IsTerminal;
use std::sync::Arc;

use super::args::EngineArg;
use super::context::Context;
use super::{Exit, Failure, config};
use crate::console::question::Desk;
use crate::console::{self, ConsoleError, ConsoleOptions, Subject};
use crate::engine::{Client, Gate, Mode};
use crate::fleet::EngineAddress;

/// Opens the console on the fleet, or on one engine in on-call mode.
pub async fn run(context: &Context, engine: &EngineArg) -> Result<Exit, Failure> {
    // Before anything is said about fleet files: nothing of it could be seen.
    if !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
        return Err(failure(ConsoleError::NoTerminal));
    }
    let mode = context.mode;
    let subject = match engine.address {
        Some(_) => {
            let host = context.lone(engine)?.fleet.hosts.values().next().cloned();
            let host = host.ok_or_else(|| Failure::new("no engine"))?;
            // A console full of nothing helps nobody: what is wrong is said at once. A login is
            // made once, by the console, which also has its questions answered.
            if !matches!(host.engine, EngineAddress::Ssh { .. }) {
                Client::connect_by(&context.network, &host.engine, Gate::on_call()).await?;
            }
            Subject::Host(Box::new(host))
        }
        None => {
            engine.only_fleet()?;
            Subject::Fleet(context.load()?)
        }
    };
    // What a login asks is asked in the console, not on the terminal under it.
    let desk = Arc::new(Desk::of(context.network.answered().clone()));
    let asked = Context {
        network: context.network.clone().asked_by(desk.clone()),
        ..context.clone()
    };
    let options = ConsoleOptions {
        subject,
        connect: asked.connect(),
        desk,
        on_call: mode == Mode::OnCall,
        demo: false,
        no_color: context.no_color(),
        config: config::directory(),
        state: config::state_directory(),
    };
    open(options).await
}

/// Runs the console to its end.
pub async fn open(options: ConsoleOptions) -> Result<Exit, Failure> {
    console::run(options).await.map_err(failure)?;
    Ok(Exit::Done)
}

fn failure(error: ConsoleError) -> Failure {
    Failure::of(&error)
}

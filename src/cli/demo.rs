//! `ostler demo`: the console on three simulated hosts, where everything can be tried.

mod certificates;
mod scene;

use std::fs;
use std::io::IsTerminal;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::args::DemoArgs;
use super::console;
use super::context::Context;
use super::{Exit, Failure, config, simulated};
use crate::console::{ConsoleError, ConsoleOptions, Subject};
use crate::engine::Mode;
use crate::walk::FleetFile;

/// Columns and lines of the picture.
const PICTURE: (u16, u16) = (124, 28);
/// When it is taken: the hosts have answered, the router's numbers are there.
const PICTURE_AFTER: Duration = Duration::from_secs(14);
const FLEET: &str = include_str!("../../fixtures/demo/fleet.yml");
/// Files that the fleet's secrets are read from; their values are worth nothing.
const SECRETS: [&str; 4] = ["bob-shop-db", "bob-payment", "frank-smtp", "ldap"];

/// Opens the console on the simulated fleet.
pub async fn run(context: &Context, args: &DemoArgs) -> Result<Exit, Failure> {
    let terminal = std::io::stdout().is_terminal() && std::io::stdin().is_terminal();
    if !terminal && args.picture.is_none() {
        return Err(Failure::of(&ConsoleError::NoTerminal));
    }
    let folder = Folder::new()?;
    let file = folder.fleet()?;
    let hosts = scene::build(&file, &folder.path).await?;
    let play = tokio::spawn(scene::play(hosts.clone()));
    let mode = context.mode;
    let options = ConsoleOptions {
        subject: Subject::Fleet(file),
        connect: Arc::new(move |host| {
            let sim = hosts.get(&host.name).cloned();
            let address = host.engine.to_string();
            Box::pin(async move { simulated::connect(sim, address, mode).await })
        }),
        desk: Arc::default(),
        on_call: mode == Mode::OnCall,
        demo: true,
        no_color: context.no_color(),
        config: config::directory(),
        state: Some(folder.path.join("state")),
    };
    let ended = match &args.picture {
        Some(path) => {
            let frame = crate::console::still(options, PICTURE, PICTURE_AFTER).await;
            fs::write(path, crate::console::run::picture::svg(&frame))
                .map(|()| Exit::Done)
                .map_err(|error| Failure::new(format!("cannot write {}: {error}", path.display())))
        }
        None => console::open(options).await,
    };
    play.abort();
    ended
}

/// A folder for the fleet file, which the console edits; gone at the end.
struct Folder {
    path: PathBuf,
}

impl Folder {
    fn new() -> Result<Folder, Failure> {
        let cannot = |path: &Path, error: std::io::Error| {
            Failure::new(format!("cannot make {}: {error}", path.display()))
        };
        let random =
            getrandom::u32().map_err(|error| Failure::new(format!("no random number: {error}")))?;
        let name = format!("ostler-demo-{}-{random:08x}", std::process::id());
        let path = std::env::temp_dir().join(name);
        // Fails where something is: nobody else's folder is used.
        fs::DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .map_err(|error| cannot(&path, error))?;
        let folder = Folder { path };
        let secrets = folder.path.join("secrets");
        fs::create_dir(&secrets).map_err(|error| cannot(&secrets, error))?;
        for name in SECRETS {
            let secret = secrets.join(name);
            fs::write(&secret, format!("demo {name}\n")).map_err(|error| cannot(&secret, error))?;
        }
        let file = folder.path.join("fleet.yml");
        fs::write(&file, FLEET).map_err(|error| cannot(&file, error))?;
        // Whatever new files are given here: one that others can write names no secrets.
        let only_ours = fs::Permissions::from_mode(0o600);
        fs::set_permissions(&file, only_ours).map_err(|error| cannot(&file, error))?;
        Ok(folder)
    }

    fn fleet(&self) -> Result<FleetFile, Failure> {
        let path = self.path.join("fleet.yml");
        let (file, _) = FleetFile::of(&path, FLEET.to_owned())
            .map_err(|_| Failure::new("the demo's own fleet file is broken"))?;
        Ok(file)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A leftover in the temporary folder is not worth a word.
        let _ = fs::remove_dir_all(&self.path);
    }
}

#[cfg(test)]
mod tests;

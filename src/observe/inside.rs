//! Asking a host which certificates lie in its files, and which its router's process has: two commands in
//! the toolbox, however many there are, and none in on-call mode.

use crate::engine::{Client, Mode};
use crate::fleet::{Fleet, Host, Name};
use crate::host::Toolbox;
use crate::host::router::tls::{LoadedCertificate, left_out, loaded, on_disk};
use crate::record::Layout;

use super::model::ObservedHost;
use super::served::{Found, Inside, Loaded};
use super::whose;

/// What is found; `None`: it is not asked, in on-call mode, or where no certificate is kept.
pub async fn inside(
    fleet: &Fleet,
    host: &Host,
    seen: &ObservedHost,
    client: &Client,
) -> Option<Inside> {
    let certificates = &seen.state.read()?.certificates;
    if client.gate().mode() == Mode::OnCall || certificates.is_empty() {
        return None;
    }
    let toolbox = whose::toolbox(&seen.containers, &fleet.name);
    let found = match toolbox.filter(|toolbox| toolbox.is_running()) {
        None => Err("the toolbox does not run".to_owned()),
        Some(found) => {
            let toolbox = Toolbox {
                client: client.clone(),
                id: found.id.clone(),
                layout: Layout::new(&host.root),
            };
            let sites: Vec<&Name> = certificates.keys().collect();
            ask(&toolbox, &sites).await
        }
    };
    Some(Inside {
        at: chrono::Utc::now().timestamp(),
        found,
    })
}

async fn ask(toolbox: &Toolbox, sites: &[&Name]) -> Result<Found, String> {
    let asking = futures_util::join!(on_disk(toolbox, sites), loaded(toolbox), left_out(toolbox));
    let files = asking.0.map_err(|error| error.to_string())?;
    let process = asking.1.map_err(|error| error.to_string())?;
    // It may have been written by no start yet: an earlier version started the router.
    let left_out = asking.2.unwrap_or_default().into_iter();
    let one = |it: LoadedCertificate| {
        let loaded = Loaded {
            listed: it.listed,
            serial: it.serial,
            not_before: it.not_before,
            not_after: it.not_after,
            chain: it.chain,
        };
        Some((it.site?, loaded))
    };
    Ok(Found {
        files,
        loaded: process.into_iter().filter_map(one).collect(),
        left_out: left_out.filter_map(|it| Some((it.site?, it.why))).collect(),
    })
}

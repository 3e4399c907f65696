//! What a pass saw of the fleet, and whom it tells of what changed.

use std::collections::{BTreeMap, HashMap};
use std::fs::{DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;

use chrono::DateTime;
use futures_util::future::join_all;
use rustix::fs::{FlockOperation, flock};
use serde_json::json;

use crate::cli::certs::of_hosts;
use crate::cli::context::Context;
use crate::cli::{Failure, config, rows};
use crate::engine::Client;
use crate::file;
use crate::fleet::{Fleet, Name, Selection};
use crate::notify::{self, Message, Roots, Sent};
use crate::observe::model::Observed;
use crate::observe::scan::Inspect;
use crate::observe::served::Watched;
use crate::verdict::alert::{Alert, Book, Change, Looked, News};
use crate::verdict::{CertificateRow, HostData, Hosts, SiteRow};
use crate::walk::certificates::Rounds;
use crate::walk::look::{Closely, Known, Reach, Sites, look};
use crate::walk::notify::{Named, ways};
use crate::walk::{FleetFile, Proposal};

/// Bytes of what is kept of alerts, at most.
const LARGEST: usize = 16 << 20;
/// What standard output goes by among the ways.
const HERE: &str = "-";

/// What a pass saw, after what it did.
pub struct Seen {
    pub observed: Observed,
    pub rows: Vec<SiteRow>,
    pub certificates: Vec<CertificateRow>,
    /// All sites are meant.
    pub whole: bool,
    /// Unix seconds.
    pub now: i64,
}

/// Judges what the pass saw; where it did something, that is looked at once more.
pub async fn see(
    context: &Context,
    file: &FleetFile,
    proposal: &Proposal,
    selection: &Selection,
) -> Seen {
    let fleet = &*file.fleet;
    let mut observed = proposal.observed.clone();
    if !proposal.is_idle() {
        let hosts = fleet.hosts.iter();
        let known = Known {
            observed: observed.clone(),
            clients: proposal.clients.clone(),
            hosts: hosts
                .map(|(name, host)| (name.clone(), host.clone()))
                .collect(),
        };
        let sites = Sites::Selected(selection.clone());
        let closely = Closely::at(&Inspect::Needed);
        let looking = look(fleet, &sites, None, closely, Reach::Known(known));
        // It was settled before which sites are meant.
        if let Ok(seen) = Box::pin(looking).await {
            let asked = |name: &Name| proposal.observed.hosts.contains_key(name);
            observed = seen.observed;
            observed.hosts.retain(|name, _| asked(name));
        }
    }
    let now = chrono::Utc::now().timestamp();
    let whole = selection.is_all();
    let meant = |site: &Name| {
        whole
            || fleet
                .sites
                .get(site)
                .is_some_and(|it| selection.matches(it))
    };
    let rows = rows::judged(fleet, &observed, None, &HashMap::new(), meant);
    let mut shown = shown(context, file, &observed, &proposal.clients).await;
    let hosts = observed.hosts.iter().map(|(host, found)| {
        let data = HostData {
            certificates: Arc::new(shown.remove(host).unwrap_or_default()),
            ..HostData::of(Some(found), HashMap::new(), now)
        };
        (host.clone(), data)
    });
    let certificates = of_hosts(fleet, &hosts.collect::<Hosts>(), meant, whole, now);
    Seen {
        observed,
        rows,
        certificates,
        whole,
        now,
    }
}

/// What the routers show for the names of sites: one that left a certificate out at its start says so
/// nowhere else. Handshakes and nothing more: no command runs for it. What visitors meet on their way is
/// left to `certs`: it may be a delivery network's.
async fn shown(
    context: &Context,
    file: &FleetFile,
    observed: &Observed,
    clients: &BTreeMap<Name, Client>,
) -> BTreeMap<Name, Watched> {
    let fleet = &*file.fleet;
    let round = Rounds::of(file.secrets(&context.trust)).round(fleet).await;
    let asking = clients.iter().filter_map(|(host, client)| {
        let found = observed.hosts.get(host)?.reached()?;
        let round = &round;
        Some(async move {
            let mut names = round.of_sites(fleet, host, found, client, |_| true).await;
            for showing in names.values_mut().flat_map(|names| names.values_mut()) {
                showing.visitors = None;
            }
            let inside = None;
            (host.clone(), Watched { inside, names })
        })
    });
    join_all(asking).await.into_iter().collect()
}

/// What is to be known of alerts after a pass.
pub struct Told {
    pub standing: Vec<Alert>,
    /// Ways by which something did not go out, and why, a line each.
    pub untold: Vec<String>,
}

/// Tells what changed since the last pass, by each way that the file names and here, and keeps what was
/// told.
///
/// # Errors
/// Standard output cannot be written to.
pub async fn tell(
    context: &Context,
    file: &FleetFile,
    seen: &Seen,
    silent: bool,
) -> Result<Told, Failure> {
    let fleet = &*file.fleet;
    let looked = Looked {
        fleet,
        observed: &seen.observed,
        rows: &seen.rows,
        certificates: &seen.certificates,
        whole: seen.whole,
        now: seen.now,
    };
    let state = config::state_directory().map(|state| state.join("alerts"));
    let place = state.map(|folder| folder.join(format!("{}.json", fleet.name)));
    // Another pass on this machine may be telling the same at this moment.
    let lock = match place.as_deref().map(hold) {
        Some(Ok(lock)) => Ok(Some(lock)),
        Some(Err(why)) => Err(why),
        None => Ok(None),
    };
    let mut book = recall(context, place.as_deref());
    book.update(looked.alerts(), |alert| looked.knows(alert), seen.now);
    let mut told = Told {
        standing: book.standing().cloned().collect(),
        untold: Vec::new(),
    };
    let lock = match lock {
        Ok(lock) => lock,
        Err(why) => {
            told.untold.push(format!("no alert was told: {why}"));
            say(context, &told.untold);
            return Ok(told);
        }
    };
    if !silent {
        for change in book.to_tell(HERE) {
            context.out.line(&message(fleet, &change).title)?;
            book.told(HERE, &change);
        }
    }
    let ways = ways(fleet);
    told.untold = send(context, file, &ways, &mut book).await;
    let keys = ways.iter().map(|way| way.key.as_str());
    book.tidy(&keys.chain([HERE]).collect());
    if let Some(place) = &place {
        let kept = serde_json::to_vec(&book).map_err(std::io::Error::other);
        if let Err(error) = kept.and_then(|bytes| file::keep(place, &bytes)) {
            let place = place.display();
            told.untold
                .push(format!("cannot keep in {place} what was told: {error}"));
        }
    }
    say(context, &told.untold);
    drop(lock);
    Ok(told)
}

fn say(context: &Context, untold: &[String]) {
    for line in untold {
        context.out.warn(line);
    }
}

/// Goes all ways by which something is to be told, at the same time. The answer: what went wrong.
async fn send(
    context: &Context,
    file: &FleetFile,
    ways: &[Named<'_>],
    book: &mut Book,
) -> Vec<String> {
    let sources = &*file.secrets(&context.trust);
    let pending = ways.iter().map(|way| (way, book.to_tell(&way.key)));
    let pending: Vec<_> = pending.filter(|(_, changes)| !changes.is_empty()).collect();
    if pending.is_empty() {
        return Vec::new();
    }
    let roots = &Roots::system();
    let going = pending.iter().map(|(way, changes)| async move {
        let messages = changes.iter().map(|change| message(&file.fleet, change));
        let messages: Vec<Message> = messages.collect();
        match way.open(sources).await {
            Ok(opened) => notify::send(&opened, &messages, roots).await,
            Err(why) => Sent {
                told: 0,
                failed: Some(why),
            },
        }
    });
    let sent = join_all(going).await;
    let mut untold = Vec::new();
    for ((way, changes), sent) in pending.iter().zip(sent) {
        for change in &changes[..sent.told.min(changes.len())] {
            book.told(&way.key, change);
        }
        untold.extend(sent.failed.map(|why| format!("{}: {why}", way.title)));
    }
    untold
}

/// What is told of a change.
fn message(fleet: &Fleet, change: &Change) -> Message {
    let Change { news, alert, ended } = change;
    let (name, about) = (&fleet.name, alert.about());
    let when = |at: i64| match DateTime::from_timestamp(at, 0) {
        Some(at) => at.format("%Y-%m-%d %H:%M UTC").to_string(),
        None => "an unknown time".to_owned(),
    };
    let since = when(alert.since);
    let (title, lines) = match ended {
        Some(ended) => {
            let title = format!("{name}: well again: {about}");
            let was = format!("it was, from {since} to {}: {}", when(*ended), alert.what);
            (title, vec![was])
        }
        None => {
            let worse = if *news == News::Worse { "worse: " } else { "" };
            let title = format!("{name}: {worse}{about}: {}", alert.what);
            (
                title,
                vec![format!("since {since}"), format!("next: {}", alert.next)],
            )
        }
    };
    // Chats show what a webhook has under this name.
    let text = format!("{title} ({})", lines.join("; "));
    let json = json!({
        "fleet": name.as_str(),
        "change": news,
        "key": alert.key,
        "kind": alert.kind,
        "host": Some(&alert.host).filter(|host| !host.is_empty()),
        "site": alert.site,
        "what": alert.what,
        "since": alert.since,
        "ended": ended,
        "next": alert.next,
        "text": text,
    });
    Message { title, lines, json }
}

/// Holds what is kept of alerts, for as long as the file is open.
fn hold(place: &Path) -> Result<File, String> {
    let lock = place.with_extension("lock");
    let failed = |error: std::io::Error| format!("cannot hold {}: {error}", lock.display());
    if let Some(folder) = lock.parent() {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(failed)?;
    }
    let open = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&lock);
    let held = open.map_err(failed)?;
    match flock(&held, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(held),
        Err(rustix::io::Errno::WOULDBLOCK) => {
            Err("another pass on this machine does at this moment".to_owned())
        }
        Err(error) => Err(failed(error.into())),
    }
}

/// What was told before. Where that cannot be read it is told once more.
fn recall(context: &Context, place: Option<&Path>) -> Book {
    let Some(place) = place else {
        return Book::default();
    };
    let read = match file::read(place, LARGEST) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Book::default(),
        read => read,
    };
    let book = read.and_then(|bytes| serde_json::from_slice(&bytes).map_err(Into::into));
    book.unwrap_or_else(|error: std::io::Error| {
        let place = place.display();
        let what = format!("{place}: {error}; all that stands is told anew");
        context.out.warn(&what);
        Book::default()
    })
}

//! Routes: changes of one host's router, as they lie on its desk.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::apply::desk::{Change, Waiting};
use crate::apply::host_work::HostWork;
use crate::apply::progress::{Answer, Failure};
use crate::fleet::{Name, Recipe};
use crate::host::router::{self, RouterError, Unanswered};
use crate::host::{ToolboxError, state};
use crate::record::route::{RouteEntry, RouterConfig};
use crate::record::{RouterRecord, StateRead};

/// Writes the router's files; a router that runs goes on with what it has.
pub async fn write(work: &HostWork, config: &RouterConfig, hash: &str) -> Answer {
    let mut told = work.desk.told.lock().await;
    let mut record = read(work, &told).await?;
    let Some(key) = work.desk.key.get() else {
        return Err(Failure::new("the host has no record of its own"));
    };
    let certificates = match state::read(&work.toolbox).await? {
        StateRead::Read(state) => router::tls::recorded(&state),
        StateRead::Damaged { why } => return Err(Failure::new(why)),
        StateRead::NoToolbox => return Err(Failure::new("there is no toolbox")),
    };
    router::write(&work.toolbox, config, key, &record.routes, &certificates).await?;
    let same = record.config_hash == hash;
    record.proxies.clone_from(&config.proxies);
    let (port, routes) = (config.ports.http, &record.routes);
    let told_all = router::apply_table(&work.toolbox, port, None, routes, &record.proxies).await;
    match told_all {
        // None runs, or it does not answer: it reads the files at its start.
        Err(RouterError::Toolbox(ToolboxError::Engine(e))) if e.is_unreachable() => {
            return Err(e.into());
        }
        Err(RouterError::Toolbox(_)) | Ok(_) => {}
        // The one that runs goes on, so that it has to do what the file says.
        Err(e) if same => return Err(e.into()),
        // It is replaced, and may be one on other ports: the routes' own operations say what matters.
        Err(_) => {}
    }
    record.schema = state::SCHEMA;
    record.config_hash = hash.to_owned();
    record.ports = Some(config.ports);
    state::write_router(&work.toolbox, &record).await?;
    *told = Some(record);
    Ok(None)
}

/// Tells the router a site's route.
pub async fn put(work: &HostWork, entry: &RouteEntry) -> Answer {
    change(work, Change::Put(entry.clone())).await
}

/// Takes a site's routes away.
pub async fn remove(work: &HostWork, site: &Name) -> Answer {
    change(work, Change::Remove(site.clone())).await
}

async fn read(work: &HostWork, told: &Option<RouterRecord>) -> Result<RouterRecord, Failure> {
    if let Some(record) = told {
        return Ok(record.clone());
    }
    match state::read(&work.toolbox).await? {
        StateRead::Read(state) => {
            if let Some(host) = &state.host {
                // Whoever read it before read the same.
                let _ = work.desk.key.set(host.digest_key.clone());
            }
            Ok(state.router.clone())
        }
        StateRead::Damaged { why } => Err(Failure::new(why)),
        StateRead::NoToolbox => Err(Failure::new("there is no toolbox")),
    }
}

async fn change(work: &HostWork, change: Change) -> Answer {
    let (answer, mut answered) = oneshot::channel();
    let waiting = Waiting { change, answer };
    match work.desk.waiting.lock() {
        Ok(mut queue) => queue.push(waiting),
        Err(poisoned) => poisoned.into_inner().push(waiting),
    }
    let mut told = work.desk.told.lock().await;
    // Whoever held the desk before may have made this change along with its own.
    if let Ok(answer) = answered.try_recv() {
        return answer;
    }
    let batch = match work.desk.waiting.lock() {
        Ok(mut queue) => std::mem::take(&mut *queue),
        Err(poisoned) => std::mem::take(&mut *poisoned.into_inner()),
    };
    make_all(work, &mut told, batch).await;
    answered
        .try_recv()
        .unwrap_or_else(|_| Err(Failure::new("the change of routes was lost")))
}

/// Makes changes together; where that fails, one by one, so that the one that is at fault fails
/// alone.
async fn make_all(work: &HostWork, told: &mut Option<RouterRecord>, batch: Vec<Waiting>) {
    let changes: Vec<&Change> = batch.iter().map(|w| &w.change).collect();
    match make(work, told, &changes).await {
        Ok(silent) => {
            for waiting in batch {
                let answer = match silent
                    .iter()
                    .find(|(site, _)| site == waiting.change.site())
                {
                    Some((_, answer)) => answer.clone(),
                    None => Ok(None),
                };
                let _ = waiting.answer.send(answer);
            }
        }
        Err(failure) if batch.len() == 1 => {
            for waiting in batch {
                let _ = waiting.answer.send(Err(failure.clone()));
            }
        }
        Err(_) => {
            for waiting in batch {
                let answer = match make(work, told, &[&waiting.change]).await {
                    Ok(mut silent) => silent.pop().map_or(Ok(None), |(_, answer)| answer),
                    Err(failure) => Err(failure),
                };
                let _ = waiting.answer.send(answer);
            }
        }
    }
}

/// Makes changes and writes them down. On failure the router is told again what it was told
/// before. Gives the sites that are routed and did not answer, with what that means for them; the
/// routes of those that should have answered are put back.
async fn make(
    work: &HostWork,
    told: &mut Option<RouterRecord>,
    changes: &[&Change],
) -> Result<Vec<(Name, Answer)>, Failure> {
    let before = read(work, told).await?;
    let mut after = before.clone();
    for change in changes {
        change.make(&mut after.routes);
    }
    match tell(work, &before, &mut after, changes).await {
        Ok(silent) => {
            *told = Some(after);
            Ok(silent)
        }
        Err(mut failure) => {
            // Where this fails too, either of the two routes may hold: nothing that one of them
            // leads to may be removed then.
            failure.uncertain = apply(work, &before).await.is_err();
            *told = None;
            Err(failure)
        }
    }
}

async fn apply(work: &HostWork, record: &RouterRecord) -> Result<Vec<Unanswered>, RouterError> {
    // Routes are changed once the router is the one that the plan wants: it knows the mark.
    let mark = work.desk.key.get().map(|key| router::probe::mark(key));
    let (port, mark) = (work.host.ports.http, mark.as_deref());
    router::apply_table(&work.toolbox, port, mark, &record.routes, &record.proxies).await
}

async fn tell(
    work: &HostWork,
    before: &RouterRecord,
    after: &mut RouterRecord,
    changes: &[&Change],
) -> Result<Vec<(Name, Answer)>, Failure> {
    let unanswered = apply(work, after).await?;
    let silent = silent(work, changes, &unanswered);
    let failed = |site: &Name| {
        silent
            .iter()
            .any(|(s, answer)| s == site && answer.is_err())
    };
    if changes.iter().any(|change| failed(change.site())) {
        // From the start, not by the site's own entry: a domain it took is the other site's again.
        after.routes.clone_from(&before.routes);
        for change in changes.iter().filter(|change| !failed(change.site())) {
            change.make(&mut after.routes);
        }
        apply(work, after).await?;
    }
    after.schema = state::SCHEMA;
    if *after != *before {
        state::write_router(&work.toolbox, after).await?;
    }
    Ok(silent)
}

/// Which of the changed sites did not answer. A site that ostler runs was ready a moment ago and
/// should have; what a `proxy` leads to is not ours to judge.
fn silent(work: &HostWork, changes: &[&Change], unanswered: &[Unanswered]) -> Vec<(Name, Answer)> {
    changes
        .iter()
        .filter_map(|change| {
            let Change::Put(entry) = change else {
                return None;
            };
            let found = unanswered
                .iter()
                .find(|u| entry.domains.iter().any(|d| d.as_str() == u.domain))?;
            let words = format!("{} through the router: {}", found.domain, found.why);
            let foreign = work
                .fleet
                .sites
                .get(&entry.site)
                .is_none_or(|site| matches!(site.recipe, Recipe::Proxy { .. }));
            let answer = match foreign {
                true => Ok(Some(words)),
                false => Err(Failure::new(words)),
            };
            Some((entry.site.clone(), answer))
        })
        .collect()
}

/// Waits until the router has no request left to an address. Where it cannot be asked, by the
/// clock.
pub async fn drain(work: &HostWork, address: Ipv4Addr, at_most_s: u32) -> Answer {
    let at_most = Duration::from_secs(u64::from(at_most_s));
    let end = Instant::now() + at_most;
    let waiting = router::drain(&work.toolbox, IpAddr::V4(address), at_most);
    let left = tokio::select! {
        left = waiting => left,
        () = work.cancel.cancelled() => return Err(Failure::new("cancelled")),
    };
    match left {
        Ok(0) => Ok(None),
        Ok(left) => Ok(Some(format!("{left} requests were still under way"))),
        Err(RouterError::Toolbox(ToolboxError::Engine(e))) if e.is_unreachable() => Err(e.into()),
        Err(_) => {
            tokio::select! {
                () = tokio::time::sleep_until(end) => {}
                () = work.cancel.cancelled() => return Err(Failure::new("cancelled")),
            }
            Ok(Some(
                "the router could not be asked; waited by the clock".into(),
            ))
        }
    }
}

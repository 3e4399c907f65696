//! The lock of a host: a container that is never started. Its name is unique, so that taking it is
//! atomic; a heartbeat on the daemon's clock tells a living holder from a dead one.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bollard::models::{ContainerCreateBody, HostConfig};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::run::{Operator, Pace};
use crate::engine::{self, Client};
use crate::fleet::Name;
use crate::host::archive::{Entry, pack, unpack};
use crate::host::layout::lock_name;

/// Image of the lock: one small file, imported where it is missing.
pub const LOCK_IMAGE: &str = "ostler/lock:1";
/// The heartbeat's file in the lock.
const HEARTBEAT: &str = "/heartbeat";

/// Who holds a lock.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Holder {
    /// Login name.
    pub who: String,
    /// Machine and process.
    pub whence: String,
    /// Unix seconds on the daemon's clock.
    pub since: i64,
    /// Seconds since the last sign of life, on the daemon's clock.
    pub silent_s: i64,
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let since = chrono::DateTime::from_timestamp(self.since, 0)
            .map(|t| t.format("%Y-%m-%d %H:%M:%S UTC").to_string())
            .unwrap_or_else(|| "an unknown time".into());
        write!(
            f,
            "{} at {} since {since}",
            super::progress::plain(&self.who),
            super::progress::plain(&self.whence)
        )
    }
}

/// Why a lock is not held.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody else holds it.
    #[error("locked by {0}")]
    Busy(Holder),
    /// It was held and is no more.
    #[error("the lock was taken away: another ostler works on this host now")]
    Lost,
    /// The engine could not be asked.
    #[error(transparent)]
    Engine(#[from] engine::Error),
    /// Something of the machine itself, such as no random bytes.
    #[error("{0}")]
    Other(String),
}

/// A held lock. Given back by [`Lock::release`], or on drop as well as that can be done there.
pub struct Lock {
    client: Client,
    id: String,
    heart: JoinHandle<()>,
    checked: Mutex<Option<Instant>>,
    check_every: Duration,
    held: AtomicBool,
}

/// What is found under the lock's name.
struct Found {
    id: String,
    holder: Holder,
}

impl Lock {
    /// Takes the lock of `fleet` on this engine. Where somebody else holds it, waits at most
    /// `wait` and says so through `busy`; a stale one is taken over, by one only.
    pub async fn take(
        client: &Client,
        fleet: &Name,
        operator: &Operator,
        pace: &Pace,
        wait: Duration,
        mut busy: impl FnMut(&Holder),
    ) -> Result<Lock, LockError> {
        let name = lock_name(fleet);
        let end = Instant::now() + wait;
        loop {
            match create(client, &name, fleet, operator).await {
                Ok(id) => return Ok(Lock::hold(client, id, pace)),
                Err(e) if e.is_conflict() => {}
                Err(e) if e.is_not_found() => {
                    import(client).await?;
                    continue;
                }
                Err(e) => return Err(e.into()),
            }
            let Some(found) = find(client, &name).await? else {
                continue;
            };
            if found.holder.silent_s > seconds(pace.stale) {
                // Only one deletion of this very container succeeds; its author may go on to
                // compete for the name, everybody else finds a new holder.
                match client.remove(&found.id, true).await {
                    Ok(()) => continue,
                    Err(e) if e.is_not_found() || e.is_conflict() => {}
                    Err(e) => return Err(e.into()),
                }
            }
            if Instant::now() >= end {
                return Err(LockError::Busy(found.holder));
            }
            busy(&found.holder);
            tokio::time::sleep(pace.retry).await;
        }
    }

    fn hold(client: &Client, id: String, pace: &Pace) -> Lock {
        let (beats, to, every) = (client.clone(), id.clone(), pace.heartbeat);
        let heart = tokio::spawn(async move {
            let mut ticks = tokio::time::interval(every);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                // A missed beat is no harm; when the lock is gone the next check finds out.
                if let Err(e) = beat(&beats, &to).await
                    && e.is_not_found()
                {
                    return;
                }
            }
        });
        Lock {
            client: client.clone(),
            id,
            heart,
            checked: Mutex::new(Some(Instant::now())),
            check_every: pace.check,
            held: AtomicBool::new(true),
        }
    }

    /// Makes sure that the lock is still held; asked before each change. The engine is asked at
    /// most once per [`Pace::check`].
    pub async fn check(&self) -> Result<(), LockError> {
        let mut checked = self.checked.lock().await;
        if checked.is_some_and(|at| at.elapsed() < self.check_every) {
            return Ok(());
        }
        match self.client.inspect(&self.id).await {
            Ok(_) => {
                *checked = Some(Instant::now());
                Ok(())
            }
            Err(e) if e.is_not_found() => {
                *checked = None;
                Err(LockError::Lost)
            }
            Err(e) => Err(e.into()),
        }
    }

    /// Gives it back.
    pub async fn release(&self) -> Result<(), LockError> {
        if !self.held.swap(false, Ordering::SeqCst) {
            return Ok(());
        }
        self.heart.abort();
        match self.client.remove(&self.id, true).await {
            Ok(()) => Ok(()),
            Err(e) if e.is_not_found() => Ok(()),
            Err(e) => Err(e.into()),
        }
    }

    /// Leaves it as a killed process does: still there, without a heartbeat.
    pub fn abandon(&self) {
        self.held.store(false, Ordering::SeqCst);
        self.heart.abort();
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.heart.abort();
        if self.held.load(Ordering::SeqCst)
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let (client, id) = (self.client.clone(), self.id.clone());
            runtime.spawn(async move {
                // Best effort: what stays behind goes stale.
                let _ = client.remove(&id, true).await;
            });
        }
    }
}

/// Who holds the lock of `fleet`, if anybody.
pub async fn holder(client: &Client, fleet: &Name) -> Result<Option<Holder>, LockError> {
    Ok(find(client, &lock_name(fleet)).await?.map(|f| f.holder))
}

async fn create(
    client: &Client,
    name: &str,
    fleet: &Name,
    operator: &Operator,
) -> Result<String, engine::Error> {
    let now = client.daemon_now().unwrap_or_default();
    let labels = HashMap::from([
        ("ostler.fleet".to_owned(), fleet.to_string()),
        ("ostler.role".to_owned(), "lock".to_owned()),
        ("ostler.who".to_owned(), operator.who.clone()),
        ("ostler.whence".to_owned(), operator.whence.clone()),
        ("ostler.since".to_owned(), now.to_string()),
    ]);
    let body = ContainerCreateBody {
        image: Some(LOCK_IMAGE.into()),
        cmd: Some(vec!["/lock".into()]),
        labels: Some(labels),
        host_config: Some(HostConfig {
            network_mode: Some("none".into()),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    };
    client.create(name, &body).await
}

async fn import(client: &Client) -> Result<(), LockError> {
    let text = "This image holds nothing. A container of it marks a host that ostler works on.\n";
    let tar = pack(&[Entry::file("lock", 0o444, 0, text)])
        .map_err(|e| LockError::Other(format!("cannot make the lock's image: {e}")))?;
    Ok(client.import_image(LOCK_IMAGE, tar).await?)
}

async fn beat(client: &Client, id: &str) -> Result<(), engine::Error> {
    let now = match client.daemon_now() {
        Some(now) => now,
        None => return Ok(()),
    };
    let Ok(tar) = pack(&[Entry::file("heartbeat", 0o600, 0, now.to_string())]) else {
        return Ok(());
    };
    client.archive_put(id, "/", tar).await
}

async fn find(client: &Client, name: &str) -> Result<Option<Found>, LockError> {
    let facts = match client.inspect(name).await {
        Ok(facts) => facts,
        Err(e) if e.is_not_found() => return Ok(None),
        Err(e) => return Err(e.into()),
    };
    let Some(id) = facts.id else {
        return Ok(None);
    };
    let labels = facts.config.and_then(|c| c.labels).unwrap_or_default();
    let label = |name: &str| labels.get(&format!("ostler.{name}")).cloned();
    if label("role").as_deref() != Some("lock") {
        return Err(LockError::Other(format!(
            "a container that is not ours has the name {name}; rename or remove it"
        )));
    }
    let since: i64 = label("since").and_then(|s| s.parse().ok()).unwrap_or(0);
    let beat = match client.archive_get(&id, HEARTBEAT).await {
        Ok(tar) => unpack(&tar)
            .ok()
            .and_then(|entries| String::from_utf8(entries.first()?.bytes.clone()).ok())
            .and_then(|text| text.trim().parse().ok()),
        // Not yet, or gone meanwhile.
        Err(e) if e.is_not_found() => None,
        Err(e) => return Err(e.into()),
    };
    let now = client.daemon_now().unwrap_or(since);
    Ok(Some(Found {
        id,
        holder: Holder {
            who: label("who").unwrap_or_else(|| "somebody".into()),
            whence: label("whence").unwrap_or_else(|| "somewhere".into()),
            since,
            silent_s: now - beat.unwrap_or(since),
        },
    }))
}

fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

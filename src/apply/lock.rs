//! The lock of a host: a container that is never started. Its name is unique, so that taking it is
//! atomic; a heartbeat on the daemon's clock tells a living holder from a dead one.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use bollard::models::{ContainerCreateBody, HostConfig};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::context::{Operator, Pace};
use crate::engine::{self, Client};
use crate::fleet::Name;
use crate::host::archive::{Entry, pack};
use crate::host::lock;
use crate::observe::whose::{Whose, told};
use crate::record::{Holder, names};

/// Image of the lock: one small file, imported where it is missing.
pub const LOCK_IMAGE: &str = "ostler/lock:1";
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

/// How long the last call of a process that is known to be dead is given to end in the engine.
const LAST_CALL: Duration = Duration::from_secs(2);
/// How long a lock may take to go away once the engine removes it.
const GOING: Duration = Duration::from_secs(10);
/// When one that is going away is looked at again.
const SHORTLY: Duration = Duration::from_millis(50);
/// By how much the two clocks of a machine may differ before it is taken to have slept.
const SLACK: Duration = Duration::from_secs(1);

/// A moment on both clocks of this machine: the steady one stands still while a laptop sleeps, the
/// other may be set.
#[derive(Debug, Clone, Copy)]
struct Moment {
    steady: Instant,
    wall: SystemTime,
}

impl Moment {
    fn now() -> Moment {
        Moment {
            steady: Instant::now(),
            wall: SystemTime::now(),
        }
    }

    /// Whether what was true then may be relied on now. When the clocks disagree about how long
    /// ago that was, it may not.
    fn holds_until(self, now: Moment, at_most: Duration) -> bool {
        let steady = now.steady.saturating_duration_since(self.steady);
        let wall = now.wall.duration_since(self.wall);
        steady < at_most && wall.is_ok_and(|wall| wall < at_most + SLACK)
    }
}

/// A held lock. Given back by [`Lock::release`], or on drop as well as that can be done there.
pub struct Lock {
    client: Client,
    id: String,
    heart: JoinHandle<()>,
    checked: Mutex<Option<Moment>>,
    check_every: Duration,
    held: AtomicBool,
    clock: Box<dyn Fn() -> Moment + Send + Sync>,
}

/// What is found under the lock's name.
struct Found {
    id: String,
    holder: Holder,
}

impl Lock {
    /// Takes the lock of `fleet` on this engine for the apply named `run`. Where somebody else
    /// holds it, waits at most `wait` and says so through `busy`; a stale one is taken over, by one
    /// only, and one whose process is known to be dead without waiting for it to go stale.
    pub async fn take(
        client: &Client,
        fleet: &Name,
        operator: &Operator,
        run: &str,
        pace: &Pace,
        wait: Duration,
        mut busy: impl FnMut(&Holder),
    ) -> Result<Lock, LockError> {
        let name = names::lock(fleet);
        let end = Instant::now() + wait;
        let mut dead_since: Option<(String, Instant)> = None;
        loop {
            match create(client, &name, fleet, operator, run).await {
                Ok(id) => return Ok(Lock::hold(client, id, pace)),
                Err(e) if e.is_conflict() => {}
                Err(e) if e.is_not_found() => {
                    import(client).await?;
                    continue;
                }
                Err(e) => return Err(e.into()),
            }
            let Some(found) = find(client, fleet).await? else {
                // Gone, or going: soon somebody can have it.
                if Instant::now() >= end + GOING {
                    let why = format!("{name} is there and cannot be read");
                    return Err(LockError::Other(why));
                }
                tokio::time::sleep(SHORTLY).await;
                continue;
            };
            let mut dying = false;
            if found.holder.dead {
                let seen = match dead_since.take() {
                    Some((id, at)) if id == found.id => at,
                    _ => Instant::now(),
                };
                dying = seen.elapsed() < LAST_CALL;
                dead_since = Some((found.id.clone(), seen));
            }
            if found.holder.is_silent(pace.stale) || (found.holder.dead && !dying) {
                // Only one deletion of this very container succeeds; its author may go on to
                // compete for the name, everybody else finds a new holder.
                match client.remove(&found.id, true).await {
                    Ok(()) => continue,
                    Err(e) if e.is_not_found() || e.is_conflict() => {}
                    Err(e) => return Err(e.into()),
                }
            }
            if !dying && Instant::now() >= end {
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
            checked: Mutex::new(Some(Moment::now())),
            check_every: pace.check,
            held: AtomicBool::new(true),
            clock: Box::new(Moment::now),
        }
    }

    /// Makes sure that the lock is still held; asked before each change. The engine is asked at
    /// most once per [`Pace::check`], and always after this machine slept: somebody may have found
    /// the lock stale meanwhile.
    pub async fn check(&self) -> Result<(), LockError> {
        let mut checked = self.checked.lock().await;
        let now = (self.clock)();
        if checked.is_some_and(|then| then.holds_until(now, self.check_every)) {
            return Ok(());
        }
        match self.client.inspect(&self.id).await {
            Ok(_) => {
                *checked = Some(now);
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
    Ok(find(client, fleet).await?.map(|f| f.holder))
}

async fn create(
    client: &Client,
    name: &str,
    fleet: &Name,
    operator: &Operator,
    run: &str,
) -> Result<String, engine::Error> {
    let now = client.daemon_now().unwrap_or_default();
    let (who, whence) = (&operator.who, &operator.whence);
    let body = ContainerCreateBody {
        image: Some(LOCK_IMAGE.into()),
        cmd: Some(vec!["/lock".into()]),
        labels: Some(lock::labels(fleet.as_str(), who, whence, run, now)),
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

async fn find(client: &Client, fleet: &Name) -> Result<Option<Found>, LockError> {
    let name = names::lock(fleet);
    let facts = match client.inspect(&name).await {
        Ok(facts) => facts,
        Err(e) if e.is_not_found() => return Ok(None),
        Err(e) => return Err(e.into()),
    };
    let Some(id) = facts.id else {
        return Ok(None);
    };
    let labels: BTreeMap<String, String> = facts
        .config
        .and_then(|c| c.labels)
        .unwrap_or_default()
        .into_iter()
        .collect();
    if told(&labels, &name, fleet) != Some(Whose::Lock) {
        return Err(LockError::Other(format!(
            "a container that is not ours has the name {name}; rename or remove it"
        )));
    }
    let holder = lock::read(client, &id, &labels).await?;
    Ok(holder.map(|holder| Found { id, holder }))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::Mutex as Sync;

    use super::*;
    use crate::engine::Gate;
    use crate::sim::Sim;

    fn after(moment: Moment, steady: u64, wall: u64) -> Moment {
        Moment {
            steady: moment.steady + Duration::from_millis(steady),
            wall: moment.wall + Duration::from_millis(wall),
        }
    }

    #[test]
    fn what_was_known_before_a_sleep_is_not_relied_on() {
        let then = Moment::now();
        let second = Duration::from_secs(1);
        assert!(then.holds_until(after(then, 900, 900), second));
        assert!(!then.holds_until(after(then, 1000, 1000), second));
        // The lid was closed for ten minutes: the steady clock saw a tenth of a second of it.
        assert!(!then.holds_until(after(then, 100, 600_000), second));
        // The clock was set back: how long it was nobody knows.
        let back = Moment {
            wall: then.wall - Duration::from_secs(60),
            ..after(then, 100, 0)
        };
        assert!(!then.holds_until(back, second));
    }

    #[tokio::test]
    async fn after_a_sleep_the_holder_looks_again_before_it_changes_anything() {
        let sim = Sim::named("here", 7, crate::sim::clock::Clock::at(1_800_000_000));
        let client = Client::over(sim.connector(), sim.address(), Gate::full());
        let client = client.await.unwrap();
        let fleet: Name = "x".parse().unwrap();
        let operator = Operator {
            who: "anna".into(),
            whence: "laptop".into(),
        };
        let pace = Pace {
            check: Duration::from_secs(3600),
            ..Pace::default()
        };
        let taking = Lock::take(
            &client,
            &fleet,
            &operator,
            "r1",
            &pace,
            Duration::ZERO,
            |_| {},
        );
        let mut lock = taking.await.unwrap();
        let clock = Arc::new(Sync::new(Moment::now()));
        let told = clock.clone();
        lock.clock = Box::new(move || *told.lock().unwrap());
        let found = holder(&client, &fleet).await.unwrap().unwrap();
        assert_eq!((found.run.as_str(), found.dead), ("r1", false));
        // Somebody found it stale while we slept, and works on the host now.
        client.remove(&names::lock(&fleet), true).await.unwrap();
        lock.check().await.expect("not asked again so soon");
        let now = *clock.lock().unwrap();
        *clock.lock().unwrap() = after(now, 50, 7_200_000);
        assert!(matches!(lock.check().await, Err(LockError::Lost)));
        lock.abandon();
    }
}

//! Two operators on one host.

#[path = "common/load.rs"]
mod load;
#[path = "common/tier.rs"]
mod tier;
#[path = "apply/world.rs"]
mod world;

use std::time::Duration;

use ostler::apply::{Lock, LockError, Operator, Pace};
use world::World;

const IMAGE: &str = "recipe: image\nimage: ostler-test/web:1\nport: 8080\nmemory: 64M\nenv: { GRACE: \"1\" }\ndomains: [w.test]";

fn operator(who: &str) -> Operator {
    Operator {
        who: who.into(),
        whence: "a test".into(),
    }
}

/// A world as patient in proportion as the pace of a real apply: a living holder may miss some beats.
/// On a busy machine one takes seconds, all the more while six others look at the same lock.
async fn patient(engine: &tier::Engine) -> World {
    let mut world = World::new(engine).await;
    world.pace.stale = world.pace.heartbeat * 6;
    world
}

async fn take(world: &World, who: &str, wait: u64) -> Result<Lock, LockError> {
    Lock::take(
        &world.client,
        &world.name,
        &operator(who),
        "a-run",
        &world.pace,
        Duration::from_secs(wait),
        |_| {},
    )
    .await
}

#[tokio::test]
async fn a_held_lock_names_its_holder_and_is_waited_for() {
    let Some(engine) = tier::engine() else { return };
    let world = patient(&engine).await;
    let held = take(&world, "alice", 0).await.unwrap();
    let Err(LockError::Busy(holder)) = take(&world, "bob", 0).await else {
        panic!("bob got it");
    };
    assert_eq!(
        (holder.who.as_str(), holder.whence.as_str()),
        ("alice", "a test")
    );
    assert!(
        holder.since > 1_600_000_000 && holder.silent_s <= 3,
        "{holder:?}"
    );
    // Longer than a lock may be silent: the heartbeat keeps it.
    assert!(matches!(
        take(&world, "bob", 9).await,
        Err(LockError::Busy(_))
    ));
    held.check().await.unwrap();
    let (released, taken) = tokio::join!(
        async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            held.release().await
        },
        take(&world, "bob", 10)
    );
    released.unwrap();
    taken.unwrap().release().await.unwrap();
    let none = ostler::apply::lock::holder(&world.client, &world.name).await;
    assert_eq!(none.unwrap(), None);
}

#[tokio::test]
async fn a_stale_lock_is_taken_over_by_one_only() {
    let Some(engine) = tier::engine() else { return };
    let world = patient(&engine).await;
    let dead = take(&world, "dead", 0).await.unwrap();
    dead.abandon();
    let mut tries = tokio::task::JoinSet::new();
    for number in 0..6 {
        let (client, name, pace) = (world.client.clone(), world.name.clone(), world.pace.clone());
        tries.spawn(async move {
            let me = operator(&format!("o{number}"));
            let wait = Duration::from_secs(18);
            Lock::take(&client, &name, &me, "a-run", &pace, wait, |_| {}).await
        });
    }
    let mut holders = Vec::new();
    while let Some(result) = tries.join_next().await {
        holders.extend(result.unwrap().ok());
    }
    assert_eq!(holders.len(), 1);
    holders[0].check().await.unwrap();
    holders[0].release().await.unwrap();
}

#[tokio::test]
async fn a_holder_whose_lock_was_taken_changes_nothing_more() {
    let Some(engine) = tier::engine() else { return };
    let mut world = World::new(&engine).await;
    world.pace = Pace {
        check: Duration::ZERO,
        ..world.pace.clone()
    };
    world.site("w", IMAGE);
    let plan = world.plan().await;
    let client = world.client.clone();
    let lock = ostler::record::names::lock(&world.name);
    let robber = tokio::spawn(async move {
        loop {
            if client.remove(&lock, true).await.is_ok() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let ran = world.run(&plan, None).await;
    robber.await.unwrap();
    assert_ne!(ran.outcome.exit_code(), 0);
    let why = &ran.outcome.hosts[&"here".parse::<ostler::fleet::Name>().unwrap()];
    assert!(why.why.contains("another ostler"), "{why:?}");
    world.apply().await;
}

#[tokio::test]
async fn two_applies_at_once_do_not_interleave() {
    let Some(engine) = tier::engine() else { return };
    let mut world = World::new(&engine).await;
    world.site("w", IMAGE);
    let plan = world.plan().await;
    let context = world.context();
    let run = || async {
        let (to, _from) = tokio::sync::mpsc::unbounded_channel();
        let cancel = tokio_util::sync::CancellationToken::new();
        ostler::apply::run(&plan, &context, to, cancel).await
    };
    let (one, two) = tokio::join!(run(), run());
    // The second waits, and then finds that the host is not what its plan was made for.
    let codes = [one.exit_code(), two.exit_code()];
    assert!(codes == [0, 1] || codes == [1, 0], "{one:#?}\n{two:#?}");
    let late = if one.is_complete() { &two } else { &one };
    let why = late.hosts.values().next().unwrap();
    assert!(why.why.contains("changed since"), "{why:?}");
    world.apply().await;
    assert_eq!(world.ask("w.test", "/").await.status, 200);
}

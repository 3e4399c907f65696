//! A process killed in the middle of an apply: the next plan and apply finish or undo what it left,
//! from any point, and leave nothing behind.

#[path = "common/load.rs"]
mod load;
#[path = "common/tier.rs"]
mod tier;
#[path = "apply/world.rs"]
mod world;

use std::time::Duration;

use ostler::record::names;
use world::World;

const IMAGE: &str = "recipe: image\nimage: ostler-test/web:1\nport: 8080\nmemory: 64M\nenv: { BODY: b0, GRACE: \"1\" }\n";

fn site(number: usize) -> String {
    format!("{IMAGE}domains: [w{number}.test]")
}

/// The lock of a killed process would be waited for until it is stale; another test does that.
async fn forget_lock(world: &World) {
    // Where the cut-off run is still giving it back by itself, that is a conflict.
    if let Err(e) = world.client.remove(&names::lock(&world.name), true).await {
        assert!(e.is_not_found() || e.is_conflict(), "{e}");
    }
}

/// A first apply to an empty host, killed after each of its operations.
#[tokio::test]
async fn a_first_apply_killed_after_any_operation() {
    let Some(engine) = tier::engine() else { return };
    let mut after = 1;
    loop {
        let mut world = World::new(&engine).await;
        world.site("w0", &site(0));
        let plan = world.plan().await;
        if after >= plan.operations.len() {
            break;
        }
        world.run(&plan, Some(after)).await;
        forget_lock(&world).await;
        let again = world.plan().await;
        let ids: Vec<_> = again.operations.iter().map(|o| o.id.to_string()).collect();
        // Where the first apply got no further than a toolbox that could not be read, two are
        // needed.
        println!("killed after {after}: then {ids:?} {:?}", again.problems);
        world.apply().await;
        assert_eq!(world.ask("w0.test", "/").await.status, 200, "after {after}");
        after += 1;
    }
    assert!(after > 10);
}

/// Cut off at any moment, in the middle of a request too.
#[tokio::test]
async fn an_apply_cut_off_at_any_moment() {
    let Some(engine) = tier::engine() else { return };
    let mut world = World::new(&engine).await;
    world.site("base", &site(0));
    world.apply().await;
    for round in 1..=12u64 {
        let body = format!("b{round}");
        world.site("base", &site(0).replace("b0", &body));
        let plan = world.plan().await;
        let cut = Duration::from_millis(round * 130);
        let _ = tokio::time::timeout(cut, world.run(&plan, None)).await;
        forget_lock(&world).await;
        world.apply().await;
        let text = world.ask("w0.test", "/").await.text();
        assert!(text.contains(&body), "{round}: {text}");
    }
}

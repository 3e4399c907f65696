//! The whole walk on a real engine: fleet file, look, plan, apply, answers.

#[path = "common/load.rs"]
mod load;
#[path = "common/tier.rs"]
mod tier;
#[path = "apply/world.rs"]
mod world;

use world::World;

const STATIC: &str = "recipe: static\ndomains: [plain.test]\nmemory: 64M";
const PHP: &str = "recipe: php\ndomains: [php.test]\nmemory: 128M";
const IMAGE: &str = "recipe: image\nimage: ostler-test/web:1\nport: 8080\ndomains: [web.test]\nmemory: 64M\nenv: { BODY: first, GRACE: \"10\" }";

#[tokio::test]
async fn three_sites_answer_and_nothing_is_left_to_do() {
    let Some(engine) = tier::engine() else { return };
    let mut world = World::new(&engine).await;
    world.site("plain", STATIC);
    world.site("php", PHP);
    world.site("web", IMAGE);
    world.apply().await;
    for (host, part) in [
        ("plain.test", "waiting for its first page"),
        ("php.test", "waiting"),
        ("web.test", "first"),
    ] {
        let reply = world.ask(host, "/").await;
        assert_eq!(reply.status, 200, "{host}: {}", reply.text());
        assert!(reply.text().contains(part), "{host}: {}", reply.text());
    }
    assert_eq!(world.ask("unknown.test", "/").await.status, 404);
}

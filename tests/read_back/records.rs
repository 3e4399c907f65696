//! What a host keeps is checked before anything of it is acted upon. What does not hold is told, with
//! the host, the file and what would be right; then nothing is done there.

use ostler::plan::{OperationKind, Undo};
use ostler::record::names;
use ostler::record::route::RouteTarget;
use serde_json::{Value, json};

use super::world::{World, text};

const BLOG: &str = "sites/blog.json";

async fn world() -> World {
    World::applied(&text(&["blog", "shop"])).await
}

/// With one value of a kept file another one.
async fn with(world: &World, path: &str, at: &str, value: Value) -> String {
    let mut kept: Value = serde_json::from_str(&world.kept(path).await).unwrap();
    *kept.pointer_mut(at).unwrap() = value;
    kept.to_string()
}

async fn address(world: &World, site: &str) -> String {
    let kept = world.kept(&format!("sites/{site}.json")).await;
    let kept: Value = serde_json::from_str(&kept).unwrap();
    kept["address"].as_str().unwrap().to_owned()
}

/// A plan says what is wrong, and does nothing: not for the file as it was applied, not for one with
/// a change.
async fn refused(world: &World, path: &str, kept: &str, part: &str) {
    let before = world.kept(path).await;
    world.keep(path, kept).await;
    let applied = text(&["blog", "shop"]);
    for file in [
        applied.clone(),
        applied.replace("memory: 64M", "memory: 96M"),
    ] {
        world.write(&file);
        let plan = world.plan().await;
        assert_eq!(plan.operations, [], "{path} {part}");
        let [problem] = &plan.problems[..] else {
            panic!("{path}: {:#?}", plan.problems);
        };
        assert_eq!(problem.host.as_str(), "here");
        assert_eq!(problem.site, None);
        assert!(
            problem.what.contains(part),
            "{part:?} is not in {}",
            problem.what
        );
        let names = format!("state/{path}");
        assert!(problem.what.contains(&names), "{names}: {}", problem.what);
    }
    world.write(&applied);
    world.keep(path, &before).await;
    let plan = world.plan().await;
    assert!(plan.is_empty(), "{plan:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_site_s_record_that_cannot_be_ours_is_told_and_nothing_is_done() {
    let world = world().await;
    let shop = address(&world, "shop").await;
    let bind = json!([{ "host": "/", "inside": "/host", "read_only": false }]);
    for (at, value, part) in [
        (
            "/uid",
            json!(0),
            "the user id is 0; ostler gives sites those from 200000",
        ),
        ("/uid", json!(200_001), "the site's user is 200001:200001"),
        ("/site", json!("../../etc"), "a name is 1 to 63"),
        (
            "/site",
            json!("shop"),
            "about the site shop and not about blog",
        ),
        ("/address", json!(shop), "the address of its container is"),
        (
            "/route/target/address/ip",
            json!(shop),
            "the address of its container is",
        ),
        (
            "/route/target/address/ip",
            json!("169.254.169.254"),
            "leads to",
        ),
        ("/hash", json!("../../../etc/cron.d"), "a hash has up to 64"),
        ("/spec/binds", bind, "a site sees its own folder only"),
        ("/spec/user", json!("0:0"), "runs as 0:0"),
        (
            "/spec/files",
            json!({ "../../../../cron.d/x": "* * * * * root id" }),
            "not a path within a folder",
        ),
    ] {
        let kept = with(&world, BLOG, at, value).await;
        refused(&world, BLOG, &kept, part).await;
    }
    let mut both: Value = serde_json::from_str(&world.kept(BLOG).await).unwrap();
    both["address"] = json!(shop);
    both["route"]["target"]["address"]["ip"] = json!(shop);
    refused(&world, BLOG, &both.to_string(), "have the same address").await;
    both = serde_json::from_str(&world.kept(BLOG).await).unwrap();
    both["uid"] = json!(200_001);
    both["spec"]["user"] = json!("200001:200001");
    refused(&world, BLOG, &both.to_string(), "the same user id 200001").await;
    // One that was cut short is not one that is not there: nothing is made anew.
    let kept = world.kept(BLOG).await;
    refused(&world, BLOG, &kept[..kept.len() / 2], "cannot be read").await;
    let long = with(&world, BLOG, "/image_id", json!("x".repeat(5 << 20))).await;
    refused(&world, BLOG, &long, "too large").await;
    let deep = format!("{{\"services\": {}", "[".repeat(10_000));
    refused(&world, BLOG, &deep, "cannot be read").await;
}

#[tokio::test(start_paused = true)]
async fn so_is_what_is_kept_of_the_host_and_of_its_router() {
    let world = world().await;
    for (path, at, value, part) in [
        ("host.json", "/digest_key", json!(""), "the key of digests"),
        ("host.json", "/fleet", json!("../x"), "the fleet is"),
        (
            "host.json",
            "/commit",
            json!("--upload-pack=x"),
            "the commit is",
        ),
        (
            "router.json",
            "/routes/blog/target",
            json!({ "resolve": { "host": "a.example 80\nshop ip", "port": 80 } }),
            "cannot be given to the router",
        ),
        (
            "router.json",
            "/routes/blog/domains",
            json!(["blog.test", "shop.test"]),
            "is routed to both",
        ),
        (
            "router.json",
            "/routes/blog/site",
            json!("shop"),
            "is filed under blog",
        ),
    ] {
        let kept = with(&world, path, at, value).await;
        refused(&world, path, &kept, part).await;
    }
}

/// The name of an apply becomes the name of files: here, and in the operator's own folder.
#[tokio::test(start_paused = true)]
async fn a_note_does_not_lead_to_other_files() {
    let world = world().await;
    let own = world.folder.path().join("state/journal/x");
    std::fs::create_dir_all(&own).unwrap();
    let note = |run: &str| {
        json!({
            "schema": 1, "run": run, "who": "anna", "whence": "laptop", "at": "2026-11-29T20:00:00Z",
            "fleet_hash": "", "commit": null, "before": "", "before_commit": null,
            "hosts": ["here"], "sites": ["blog"], "operations": 3, "ended": 1,
        })
    };
    for run in ["../../../victim", "x y", "-rf"] {
        let path = format!("applying-{}.json", run.rsplit('/').next().unwrap());
        world.keep(&path, &note(run).to_string()).await;
        let plan = world.plan().await;
        assert_eq!(plan.operations, [], "{run}");
        let what = &plan.problems[0].what;
        assert!(what.contains(&format!("state/{path}")), "{what}");
        world.remove(&path).await;
    }
    let mut odd = note("20261129T200000Z-00000000");
    odd["ended"] = json!(4);
    let path = "applying-20261129T200000Z-00000000.json";
    world.keep(path, &odd.to_string()).await;
    let what = &world.plan().await.problems[0].what;
    assert!(what.contains("4 of 3 operations are done"), "{what}");
    world.remove(path).await;
    assert_eq!(world.plan().await.problems, []);
}

/// What the router was told is put right, and never gone back to where it led elsewhere.
#[tokio::test(start_paused = true)]
async fn a_route_to_another_site_is_not_gone_back_to() {
    let world = world().await;
    let shop = address(&world, "shop").await;
    for ip in [shop.as_str(), "169.254.169.254"] {
        let at = "/routes/blog/target/address/ip";
        let kept = with(&world, "router.json", at, json!(ip)).await;
        world.keep("router.json", &kept).await;
        let plan = world.plan().await;
        assert_eq!(plan.problems, []);
        let routes = plan.operations.iter().filter_map(|o| match &o.kind {
            OperationKind::Route { entry } if entry.site.as_str() == "blog" => {
                Some((entry, &o.undo))
            }
            _ => None,
        });
        let [(entry, undo)] = routes.collect::<Vec<_>>()[..] else {
            panic!("{plan:#?}");
        };
        let RouteTarget::Address { ip: to, .. } = entry.target else {
            panic!("{entry:?}");
        };
        assert_ne!(to.to_string(), ip);
        let Undo::By(undo) = undo else {
            panic!("{undo:?}");
        };
        assert!(matches!(**undo, OperationKind::Unroute { .. }), "{undo:?}");
        assert!(
            !serde_json::to_string(&plan.operations)
                .unwrap()
                .contains("169.254")
        );
    }
}

/// Labels are what somebody wrote: nobody gets root by them, or another site's visitors.
#[tokio::test(start_paused = true)]
async fn a_label_gives_neither_root_nor_another_site_s_address() {
    let world = world().await;
    let shop = address(&world, "shop").await;
    let name = names::site(&"x".parse().unwrap(), "blog");
    let label = |key: &str, value: &str| {
        world.sim.change(|host, _| {
            let mut all = host.containers.values_mut();
            let blog = all.find(|c| c.name == name).unwrap();
            blog.labels.insert(key.to_owned(), value.to_owned());
            let labels = blog.config["Labels"].as_object_mut();
            labels.map(|labels| labels.insert(key.to_owned(), json!(value)));
        });
    };
    label("ostler.address", &shop);
    let plan = world.plan().await;
    let mut routes = plan.operations.iter().filter_map(|o| match &o.kind {
        OperationKind::Route { entry } if entry.site.as_str() == "blog" => Some(&entry.target),
        _ => None,
    });
    let leads = |target: &RouteTarget| matches!(target, RouteTarget::Address { ip, .. } if ip.to_string() == shop);
    assert!(!routes.any(leads), "{plan:#?}");
    label("ostler.uid", "0");
    world.remove(BLOG).await;
    let plan = world.plan().await;
    let told = serde_json::to_string(&plan.operations).unwrap();
    assert!(
        !told.contains("\"uid\":0,") && !told.contains("\"0:0\""),
        "{told}"
    );
}

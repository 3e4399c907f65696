//! What the recipes' servers take and hand out: uploads, heads of requests, sources of programs.

#[path = "common/load.rs"]
mod load;
#[path = "common/tier.rs"]
mod tier;
#[path = "apply/world.rs"]
mod world;

use std::time::Duration;

use load::{Clients, Load};
use ostler::engine::LogOptions;
use ostler::plan::OperationKind;
use world::World;

const STATIC: &str = "recipe: static\ndomains: [plain.test]\nmemory: 64M";
const PHP: &str = "recipe: php\ndomains: [php.test]\nmemory: 64M";

/// Says what came of a form, and leaves a trace of having run.
const FORM: &str = "<?php file_put_contents('ran', 'x', FILE_APPEND);
$file = $_FILES['file'] ?? ['size' => 0, 'error' => 'none'];
echo 'fields ', count($_POST), ', file ', $file['size'], ', error ', $file['error'];";

/// Runs a script in the toolbox, which has curl; `$1` is the root folder, `$2` the router.
async fn shell(world: &World, text: &str) -> String {
    let router = format!("http://{}", world.front);
    let argv = ["sh", "-ec", text, "test", &world.root, &router];
    let id = world.toolbox().id;
    let deadline = Duration::from_secs(60);
    let done = world.client.exec(&id, &argv, None, deadline).await.unwrap();
    let (out, words) = [done.stdout, done.stderr]
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .into();
    assert_eq!(done.code, 0, "{words}");
    out
}

/// Sends a form with a file of so many million bytes; `how` are more arguments of curl.
async fn upload(world: &World, million: u32, how: &str) -> String {
    let text = format!(
        "head -c {million}000000 /dev/zero > \"$1/file\"\n\
         curl -sS -m 50 {how} -w ' status %{{http_code}}' -H 'Host: php.test' -F a=b -F c=d \
         -F \"file=@$1/file\" \"$2/form.php\"; rm \"$1/file\""
    );
    shell(world, &text).await
}

async fn ran(world: &World) -> usize {
    let text = "cat \"$1/sites/php/www/ran\" 2>/dev/null || true";
    shell(world, text).await.len()
}

#[tokio::test]
async fn an_upload_arrives_or_is_answered_with_the_limit() {
    let Some(engine) = tier::engine() else { return };
    let mut world = World::new(&engine).await;
    world.site("php", PHP);
    world.apply().await;
    world.put_page("php", "form.php", FORM).await;
    let whole = "fields 2, file 50000000, error 0 status 200";
    // Almost as much as the site has memory.
    assert_eq!(upload(&world, 50, "").await, whole);
    assert_eq!(ran(&world).await, 1);
    // With and without asking first, and when the end is not told before.
    for how in ["", "-H Expect:"] {
        let answer = upload(&world, 70, how).await;
        assert!(answer.contains("up to 64M"), "{answer}");
        assert!(answer.ends_with("status 413"), "{answer}");
        assert_eq!(ran(&world).await, 1, "the script has seen nothing of it");
    }
    let answer = upload(&world, 70, "-H 'Transfer-Encoding: chunked'").await;
    assert!(answer.ends_with("status 413"), "{answer}");
    let left = shell(&world, "ls -A \"$1/sites/php/private/uploads\"").await;
    assert_eq!(left, "");

    // The operator's own limit is the server's too, in both directions.
    world.site("php", &format!("{PHP}\nini: {{ post_max_size: 8M }}"));
    world.apply().await;
    let answer = upload(&world, 9, "").await;
    assert!(
        answer.contains("up to 8M") && answer.ends_with("status 413"),
        "{answer}"
    );
    let ini = "ini: { upload_max_filesize: 100M }";
    world.site("php", &format!("{PHP}\n{ini}"));
    world.apply().await;
    let answer = upload(&world, 70, "").await;
    assert_eq!(answer, "fields 2, file 70000000, error 0 status 200");
}

#[tokio::test]
async fn what_the_router_takes_the_recipes_take() {
    let Some(engine) = tier::engine() else { return };
    let mut world = World::new(&engine).await;
    world.site("plain", STATIC);
    world.site("php", PHP);
    world.apply().await;
    for host in ["plain.test", "php.test"] {
        let ask = |path: String, headers: usize, bytes: usize| {
            let mut request = load::get(host, &path);
            for i in 0..headers {
                let name = format!("x-{i}").parse::<http::HeaderName>().unwrap();
                let value = http::HeaderValue::from_str(&"v".repeat(bytes)).unwrap();
                request.headers_mut().insert(name, value);
            }
            let mut connection = load::Connection::new(world.front);
            async move { connection.ask(request).await.unwrap().status }
        };
        assert_eq!(ask("/".into(), 1, 23 << 10).await, 200, "{host}");
        assert_eq!(ask("/".into(), 95, 200).await, 200, "{host}");
        let query = format!("/?{}", "q".repeat(23 << 10));
        assert_eq!(ask(query, 0, 0).await, 200, "{host}");
    }
}

#[tokio::test]
async fn the_source_of_programs_is_handed_out_to_nobody_who_did_not_ask_for_it() {
    let Some(engine) = tier::engine() else { return };
    let mut world = World::new(&engine).await;
    world.site("plain", STATIC);
    world.site("php", PHP);
    world.apply().await;
    const SOURCE: [&str; 9] = [
        "a.phtml",
        "a.phar",
        "a.inc",
        "a.php7",
        "a.phps",
        "a.php.bak",
        "a.php~",
        "a.INC",
        "a.inc.old",
    ];
    const OTHERS: [&str; 4] = ["a.inc.js", "a.php.html", "php.txt", "a.bak"];
    for site in ["plain", "php"] {
        for name in SOURCE
            .into_iter()
            .chain(OTHERS)
            .chain(["wp-config.php", ".env"])
        {
            let text = "<?php echo 'ran'; // s3cret";
            world.put_page(site, name, text).await;
        }
    }
    let asked = async |world: &World, host: &str, name: &str| {
        let reply = world.ask(host, &format!("/{name}")).await;
        (reply.status, reply.text().contains("s3cret"))
    };
    for host in ["plain.test", "php.test"] {
        for name in SOURCE {
            assert_eq!(
                asked(&world, host, name).await,
                (403, false),
                "{host} {name}"
            );
        }
        for name in OTHERS {
            assert_eq!(
                asked(&world, host, name).await,
                (200, true),
                "{host} {name}"
            );
        }
        assert!(!asked(&world, host, ".env").await.1, "{host}");
    }
    for name in ["wp-config.php", "WP-CONFIG.PHP", "wp-config.php/"] {
        let (status, shown) = asked(&world, "plain.test", name).await;
        assert!((403..=404).contains(&status) && !shown, "{name}: {status}");
    }
    assert_eq!(asked(&world, "plain.test", "wp-config.php").await.0, 403);
    assert_eq!(world.ask("php.test", "/wp-config.php").await.text(), "ran");
    // The log says what was refused.
    let options = LogOptions {
        until: None,
        follow: false,
        tail: None,
        since: None,
        timestamps: false,
    };
    let id = world.container("plain").await.id;
    let mut log = Vec::new();
    let mut chunks = std::pin::pin!(world.client.logs(&id, options));
    while let Some(chunk) = futures_util::StreamExt::next(&mut chunks).await {
        log.extend_from_slice(&chunk.unwrap().bytes);
    }
    let log = String::from_utf8_lossy(&log).into_owned();
    assert!(log.contains("access forbidden by rule"), "{log}");

    // Whoever wants it says so; no visitor notices the change.
    let visitors = Load::expecting_200(world.front, &[Clients::new("plain.test", "/", 2, true)]);
    world.site("plain", &format!("{STATIC}\nserve_source: true"));
    let plan = world.apply().await;
    visitors.stop().await.assert_no_failure();
    let new = |kind: &OperationKind| matches!(kind, OperationKind::CreateContainer { .. });
    assert!(plan.operations.iter().any(|o| new(&o.kind)), "{plan:#?}");
    for name in ["wp-config.php", "a.inc"] {
        assert_eq!(
            asked(&world, "plain.test", name).await,
            (200, true),
            "{name}"
        );
    }
    assert!(!asked(&world, "plain.test", ".env").await.1);
}

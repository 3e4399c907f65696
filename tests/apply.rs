//! The whole walk on a real engine: fleet file, look, plan, apply, answers.

#[path = "common/load.rs"]
mod load;
#[path = "common/own.rs"]
mod own;
#[path = "common/tier.rs"]
mod tier;
#[path = "apply/world.rs"]
mod world;

use std::time::Duration;

use load::{Clients, Load};
use ostler::apply::{OperationOutcome, journal};
use ostler::host::router;
use ostler::observe::scan::Inspect;
use ostler::plan::service::operation::ServiceOperation;
use ostler::plan::{Class, Intent, OperationKind};
use ostler::record::{Labelled, Role};
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

#[tokio::test]
async fn nothing_to_do_makes_no_changing_call() {
    let Some(engine) = tier::engine() else { return };
    let mut world = World::new(&engine).await;
    world.site("plain", STATIC);
    world.apply().await;
    let before = world.client.gate().changing();
    let plan = world.plan().await;
    assert!(world.run(&plan, None).await.outcome.is_complete());
    assert_eq!(world.client.gate().changing(), before);
}

#[tokio::test]
async fn limits_change_in_place() {
    let Some(engine) = tier::engine() else { return };
    let mut world = World::new(&engine).await;
    world.site("web", IMAGE);
    world.site("plain", STATIC);
    world.apply().await;
    let (web, plain) = (world.container("web").await, world.container("plain").await);
    world.site("web", &IMAGE.replace("64M", "96M"));
    let plan = world.apply().await;
    assert!(
        plan.operations
            .iter()
            .all(|o| o.site.as_ref().is_none_or(|s| s.as_str() == "web")),
        "{plan:#?}"
    );
    assert_eq!(world.container("web").await.id, web.id);
    assert_eq!(world.container("plain").await.id, plain.id);
    let facts = world.client.inspect(&web.id).await.unwrap();
    let host = facts.host_config.unwrap();
    assert_eq!(
        (host.memory, host.memory_swap),
        (Some(96 << 20), Some(96 << 20))
    );
}

#[tokio::test]
async fn a_replacement_fails_no_request() {
    let Some(engine) = tier::engine() else { return };
    let mut world = World::new(&engine).await;
    world.site("web", IMAGE);
    world.site("plain", STATIC);
    world.apply().await;
    let (web, plain) = (world.container("web").await, world.container("plain").await);
    let load = Load::expecting_200(
        world.front,
        &[
            Clients::new("web.test", "/", 3, true),
            Clients::new("web.test", "/", 1, false),
            Clients::new("web.test", "/slow?s=4", 3, true),
            Clients::new("plain.test", "/", 1, true),
        ],
    );
    tokio::time::sleep(Duration::from_secs(1)).await;
    world.site("web", &IMAGE.replace("first", "second"));
    world.apply().await;
    let report = load.stop().await;
    report.assert_no_failure();
    assert!(report.count() > 100, "{}", report.count());
    assert_ne!(world.container("web").await.id, web.id);
    assert_eq!(world.container("web").await.name, web.name);
    assert_eq!(world.container("plain").await.id, plain.id);
    assert!(world.ask("web.test", "/").await.text().contains("second"));
}

#[tokio::test]
async fn a_site_is_stopped_archived_brought_back_and_removed() {
    let Some(engine) = tier::engine() else { return };
    let mut world = World::new(&engine).await;
    world.site("web", IMAGE);
    world.site("plain", STATIC);
    world.apply().await;
    let www = world.toolbox().layout.www(&"plain".parse().unwrap());
    let owner = world.toolbox().head(&www).await.unwrap().unwrap().uid;

    world.site("plain", &format!("{STATIC}\nstate: stopped"));
    world.apply().await;
    let stopped = world.ask("plain.test", "/").await;
    assert_eq!(stopped.status, 503, "{}", stopped.text());
    assert!(!world.container("plain").await.is_running());

    world.site("plain", &format!("{STATIC}\nstate: archived"));
    world.apply().await;
    assert_eq!(world.ask("plain.test", "/").await.status, 404);
    assert!(world.ours().await.iter().all(|c| c.site() != Some("plain")));

    world.site("plain", STATIC);
    world.apply().await;
    assert_eq!(world.ask("plain.test", "/").await.status, 200);
    assert_eq!(
        world.toolbox().head(&www).await.unwrap().unwrap().uid,
        owner
    );

    world.without("plain");
    world.apply().await;
    assert_eq!(world.ask("plain.test", "/").await.status, 404);
    assert!(
        !world.container("plain").await.is_running(),
        "kept, and stopped"
    );
    assert!(world.toolbox().head(&www).await.unwrap().is_some());
    assert_eq!(world.ask("web.test", "/").await.status, 200);
}

#[tokio::test]
async fn the_router_is_replaced_and_one_that_does_not_start_never_takes_over() {
    let Some(engine) = tier::engine() else { return };
    let mut world = World::new(&engine).await;
    world.site("web", IMAGE);
    world.apply().await;
    let routers = async |world: &World| -> Vec<(String, String, bool)> {
        let ours = world.ours().await.into_iter();
        ours.filter(|c| c.role() == Some(Role::Router))
            .map(|c| (c.name.clone(), c.id.clone(), c.is_running()))
            .collect()
    };
    let first = routers(&world).await;
    let load = Load::expecting_200(
        world.front,
        &[
            Clients::new("web.test", "/", 4, true),
            Clients::new("web.test", "/", 1, false),
            Clients::new("web.test", "/slow?s=4", 2, false),
        ],
    );

    // An image without HAProxy.
    world.host = "    images: { router: \"ostler-test/web:1\" }\n".into();
    let plan = world.plan().await;
    let ran = world.run(&plan, None).await;
    assert_ne!(ran.outcome.exit_code(), 0, "{:#?}", ran.outcome);
    assert!(routers(&world).await.contains(&first[0]), "{:#?}", ran.said);
    assert_eq!(world.ask("web.test", "/").await.status, 200);

    // The same image under another name.
    let docker = world.client.docker();
    let tag = world.name.to_string();
    let options = bollard::query_parameters::TagImageOptions {
        repo: Some("ostler-test/haproxy".into()),
        tag: Some(tag.clone()),
    };
    let tagged = docker.tag_image("haproxy:3.0", Some(options)).await;
    tagged.unwrap();
    let image = format!("ostler-test/haproxy:{tag}");
    world.host = format!("    images: {{ router: \"{image}\" }}\n");
    world.apply().await;
    let second = routers(&world).await;
    load.stop().await.assert_no_failure();
    assert_eq!(second.len(), 1);
    assert_eq!((&second[0].0, second[0].2), (&first[0].0, true));
    assert_ne!(second[0].1, first[0].1);

    // And back, so that the name can go.
    world.host.clear();
    world.apply().await;
    let docker = world.client.docker();
    let none = None::<bollard::query_parameters::RemoveImageOptions>;
    docker.remove_image(&image, none, None).await.unwrap();
}

#[tokio::test]
async fn a_site_that_does_not_start_is_taken_back_and_the_others_go_on() {
    let Some(engine) = tier::engine() else { return };
    let mut world = World::new(&engine).await;
    world.site("web", IMAGE);
    world.apply().await;
    let web = world.container("web").await;

    world.site("web", &IMAGE.replace("BODY: first", "FAIL_START: \"1\""));
    world.site("plain", STATIC);
    let plan = world.plan().await;
    let ran = world.run(&plan, None).await;
    assert_eq!(ran.outcome.exit_code(), 3, "{:#?}", ran.outcome);
    let failures: Vec<_> = ran
        .outcome
        .operations
        .values()
        .filter_map(|e| match &e.outcome {
            OperationOutcome::Failed { failure } => Some(failure),
            _ => None,
        })
        .collect();
    assert_eq!(failures.len(), 1, "{:#?}", ran.outcome);
    assert!(
        failures[0]
            .lines
            .iter()
            .any(|l| l.contains("cannot read /etc/serve/settings")),
        "{failures:#?}"
    );
    assert_eq!(world.container("web").await.id, web.id, "the old one stays");
    assert!(world.ask("web.test", "/").await.text().contains("first"));
    assert_eq!(world.ask("plain.test", "/").await.status, 200);

    world.site("web", IMAGE);
    world.apply().await;
    assert_eq!(world.container("web").await.id, web.id);
}

#[tokio::test]
async fn a_new_site_that_does_not_start_leaves_no_container() {
    let Some(engine) = tier::engine() else { return };
    let mut world = World::new(&engine).await;
    world.site("web", &IMAGE.replace("BODY: first", "FAIL_START: \"1\""));
    let plan = world.plan().await;
    let ran = world.run(&plan, None).await;
    assert_eq!(ran.outcome.exit_code(), 3);
    assert!(
        world
            .ours()
            .await
            .iter()
            .all(|c| c.role() != Some(Role::Site))
    );
    world.site("web", IMAGE);
    world.apply().await;
    assert_eq!(world.ask("web.test", "/").await.status, 200);
}

#[tokio::test]
async fn secrets_reach_the_site_as_files_and_nobody_else() {
    let Some(engine) = tier::engine() else { return };
    let mut world = World::new(&engine).await;
    let value = "hunter2-of-the-test";
    own::write(world.folder.path().join("pw"), value);
    let lines = format!("{IMAGE}\nsecrets: {{ DB_PASSWORD: {{ file: pw }} }}");
    world.site("web", &lines);
    world.apply().await;
    let id = world.container("web").await.id;
    let read = async |world: &World| {
        let id = world.container("web").await.id;
        let argv = ["cat", "/run/secrets/DB_PASSWORD"];
        let out = world.client.exec(&id, &argv, None, Duration::from_secs(10));
        String::from_utf8(out.await.unwrap().stdout).unwrap()
    };
    assert_eq!(read(&world).await, value);
    let inspected = serde_json::to_string(&world.client.inspect(&id).await.unwrap()).unwrap();
    assert!(!inspected.contains(value));
    let state = world
        .toolbox()
        .get(&world.toolbox().layout.state())
        .await
        .unwrap();
    let journals = world
        .toolbox()
        .get(&world.toolbox().layout.journal())
        .await
        .unwrap();
    for entry in state.iter().chain(&journals) {
        let text = String::from_utf8_lossy(&entry.bytes);
        assert!(!text.contains(value), "{}", entry.path);
    }
    // Another value is a change; the same value is none.
    own::write(world.folder.path().join("pw"), "another");
    let plan = world.apply().await;
    assert!(
        plan.operations
            .iter()
            .any(|o| matches!(o.kind, OperationKind::Service(ServiceOperation::Secrets(_)))),
        "{plan:#?}"
    );
    assert_eq!(read(&world).await, "another");
}

#[tokio::test]
async fn a_restart_by_hand_and_what_the_journals_say() {
    let Some(engine) = tier::engine() else { return };
    let mut world = World::new(&engine).await;
    world.site("web", IMAGE);
    world.apply().await;
    let before = world.container("web").await;
    let site = "web".parse().unwrap();
    let plan = world.plan_with(&[Intent::Restart { site }]).await;
    assert!(!plan.operations.is_empty());
    assert!(world.run(&plan, None).await.outcome.is_complete());
    assert_eq!(world.container("web").await.id, before.id);
    world.assert_settled().await;

    let mine = journal::read_folder(&world.journal(), &world.name).unwrap();
    let theirs = journal::read_host(&world.toolbox()).await.unwrap();
    assert_eq!((mine.len(), theirs.len()), (2, 2));
    for (mine, theirs) in mine.iter().zip(&theirs) {
        assert_eq!(mine.started, theirs.started);
        assert_eq!(mine.operations, theirs.operations);
        assert_eq!(theirs.ended.as_ref().unwrap().word, "done");
    }
}

/// What a php site is told, as `NAME=value` lines.
const OUTSIDE: &str = "<?php foreach (['HTTPS', 'REQUEST_SCHEME', 'SERVER_PORT', 'SERVER_NAME', 'HTTP_HOST', 'REMOTE_ADDR', 'HTTP_X_FORWARDED_PROTO', 'HTTP_X_FORWARDED_PORT'] as $name) echo $name, '=', $_SERVER[$name] ?? '', \"\\n\";";

/// `curl` on this machine from an address of it: what came, and where it redirects to.
fn curl(from: &str, lines: &[&str], url: &str) -> String {
    let mut curl = std::process::Command::new("curl");
    curl.args(["-sSk", "-m", "20", "--interface", from, "--connect-to"]);
    curl.args(["::127.0.0.1:", "-w", "%{redirect_url}"]);
    for line in lines {
        curl.args(["-H", line]);
    }
    let out = curl.arg(url).output().unwrap();
    assert!(out.status.success(), "{url}: {out:?}");
    String::from_utf8_lossy(&out.stdout).into_owned()
}

#[tokio::test]
async fn a_php_site_and_its_redirects_know_the_outside() {
    let Some(engine) = tier::engine() else { return };
    let mut world = World::new(&engine).await;
    world.host = "    trusted_proxies: [127.9.0.1]\n".to_owned();
    world.site("php", PHP);
    world.site("plain", STATIC);
    world.apply().await;
    world.put_page("php", "told.php", OUTSIDE).await;
    let rules = "RewriteEngine On\nRewriteRule ^old$ /new [R=301,L]\nRedirect /alias /target\n";
    world.put_page("php", ".htaccess", rules).await;
    let sites = world.toolbox().layout.sites();
    let folders = ["php", "plain"].map(|site| format!("{sites}/{site}/www/dir"));
    let argv = ["mkdir", "--", &folders[0], &folders[1]];
    let id = world.toolbox().id;
    let made = world.client.exec(&id, &argv, None, Duration::from_secs(20));
    assert_eq!(made.await.unwrap().code, 0);
    let (http, https) = (world.front.port().to_string(), world.https().to_string());
    let by_http = format!("http://HOST:{http}");
    let by_https = format!("https://HOST:{https}");
    let port_8443 = ["X-Forwarded-Proto: https", "X-Forwarded-Port: 8443"];
    let port_8443 = [&port_8443[..], &["X-Forwarded-For: 6.6.6.6"]].concat();
    let spoofed = ["X-Forwarded-Proto: https", "X-Forwarded-For: 6.6.6.6"];
    let plain = "http://HOST";
    // From where, with what, to which URL: what the visitor has, and which client it is.
    for (from, lines, base, seen, client) in [
        (
            "127.3.3.3",
            &[][..],
            by_http.as_str(),
            by_http.as_str(),
            "127.3.3.3",
        ),
        ("127.3.3.3", &[], &by_https, &by_https, "127.3.3.3"),
        ("127.3.3.3", &spoofed, &by_http, &by_http, "127.3.3.3"),
        ("127.9.0.1", &spoofed, plain, "https://HOST", "6.6.6.6"),
        (
            "127.9.0.1",
            &port_8443,
            plain,
            "https://HOST:8443",
            "6.6.6.6",
        ),
    ] {
        let asked = |host: &str, path: &str| {
            // The port of a URL without one is the router's all the same.
            let base = base.replace("HOST", host);
            let at = format!("Host: {}", base.split_once("//").unwrap().1);
            let url = match base.matches(':').count() {
                1 => format!("{base}:{http}/{path}"),
                _ => format!("{base}/{path}"),
            };
            curl(from, &[lines, &[&at]].concat(), &url)
        };
        let told = asked("php.test", "told.php");
        let scheme = seen.split_once(':').unwrap().0;
        let usual = if scheme == "https" { "443" } else { "80" };
        let port = seen.split(':').nth(2).unwrap_or(usual);
        let on = if scheme == "https" { "on" } else { "" };
        let host = seen.replace("HOST", "php.test");
        let host = host.split_once("//").unwrap().1;
        assert_eq!(
            told,
            format!(
                "HTTPS={on}\nREQUEST_SCHEME={scheme}\nSERVER_PORT={port}\nSERVER_NAME=php.test\nHTTP_HOST={host}\nREMOTE_ADDR={client}\nHTTP_X_FORWARDED_PROTO={scheme}\nHTTP_X_FORWARDED_PORT={port}\n"
            ),
            "{from} {lines:?} {base}"
        );
        for (site, path, to) in [
            ("php.test", "dir", "dir/"),
            ("php.test", "old", "new"),
            ("php.test", "alias", "target"),
        ] {
            let answer = asked(site, path);
            let wanted = format!("{}/{to}", seen.replace("HOST", site));
            assert!(answer.ends_with(&wanted), "{from} {base}: {answer}");
        }
        // nginx names neither scheme nor host: the visitor's own stay.
        let answer = asked("plain.test", "dir");
        assert!(answer.contains("301"), "{answer}");
        assert!(
            answer.ends_with("/dir/") && !answer.contains(":80/"),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn trusted_proxies_are_told_to_the_router_that_runs() {
    let Some(engine) = tier::engine() else { return };
    let mut world = World::new(&engine).await;
    world.site("plain", STATIC);
    world.apply().await;
    let name = ostler::record::names::router(&world.name);
    let before = world.client.inspect(&name).await.unwrap();
    let load = Load::expecting_200(world.front, &[Clients::new("plain.test", "/", 4, true)]);
    for (lines, cause) in [
        (
            "trusted_proxies: [127.9.0.0/16, \"2001:db8::/32\"]",
            "trusted_proxies: added 127.9.0.0/16, 2001:db8::/32",
        ),
        (
            "trusted_proxies: [127.9.0.0/16]",
            "trusted_proxies: removed 2001:db8::/32",
        ),
        (
            "trusted_proxies: [127.9.0.0/16]\n    proxy_protocol: true",
            "proxy_protocol: false → true",
        ),
    ] {
        world.host = format!("    {lines}\n");
        let plan = world.apply().await;
        let changing = plan.operations.iter().filter(|o| o.class == Class::Write);
        let kinds: Vec<_> = changing
            .map(|o| (o.kind.facts().word, o.cause.join(", ")))
            .collect();
        assert_eq!(kinds[0], ("write_router", cause.to_owned()), "{kinds:?}");
        assert_eq!(kinds.len(), 2, "{kinds:?}");
        world.assert_settled().await;
    }
    load.stop().await.assert_no_failure();
    let after = world.client.inspect(&name).await.unwrap();
    assert_eq!(before.id, after.id);
    assert_eq!(before.state.unwrap().pid, after.state.unwrap().pid);

    // What somebody tells the process by hand is found, and put right.
    let toolbox = world.toolbox();
    let map = toolbox.layout.map("proxies");
    let told = router::ask(&toolbox, &[format!("add map {map} 6.6.6.6 headers")]).await;
    told.unwrap();
    world.inspect = Inspect::Ours;
    let seen = world.look().await;
    let found = seen.differs.unwrap().router;
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].path.starts_with("trusted_proxies.6.6.6.6"),
        "{found:?}"
    );
    world.apply().await;
    world.assert_settled().await;
    let answer = router::ask(&toolbox, &[format!("show map {map}")])
        .await
        .unwrap();
    assert!(!answer[0].contains("6.6.6.6"), "{answer:?}");
}

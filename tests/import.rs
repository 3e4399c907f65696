//! Foreign containers become sites one by one, and are given back, while everybody else's requests
//! go on being answered: by the new router, and by what routed requests before.

mod cli;
#[path = "common/load.rs"]
mod load;
#[path = "cli/stage.rs"]
mod stage;
#[path = "common/tier.rs"]
mod tier;

use std::fs;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use load::{Clients, Load};
use stage::Stage;

/// Containers that somebody ran here before: two sites and a database of two compose projects, and
/// an nginx in front that holds a port.
struct Before {
    tag: String,
    front: SocketAddr,
    configuration: tempfile::TempDir,
}

fn docker(arguments: &[&str]) -> String {
    let ran = Command::new("docker").args(arguments).output().unwrap();
    let text = String::from_utf8_lossy(&ran.stdout).trim().to_owned();
    assert!(
        ran.status.success(),
        "docker {arguments:?}: {}",
        String::from_utf8_lossy(&ran.stderr)
    );
    text
}

impl Before {
    fn up() -> Before {
        let tag = format!("oi{:06x}", getrandom::u32().unwrap() & 0xff_ffff);
        let configuration = tempfile::tempdir().unwrap();
        // Here already, so that what is made is removed whatever fails below.
        let mut before = Before {
            front: SocketAddr::from(([127, 0, 0, 1], 0)),
            tag: tag.clone(),
            configuration,
        };
        docker(&["network", "create", "--label", &format!("test={tag}"), &tag]);
        let app = |project: &str, service: &str, more: &[&str]| {
            let name = format!("{tag}_{project}_{service}_1");
            let labels = [
                format!("test={tag}"),
                format!("com.docker.compose.project={project}-{tag}"),
                format!("com.docker.compose.service={service}"),
            ];
            let alias = format!("{service}.{project}");
            let mut arguments = vec!["run", "-d", "--name", &name, "--network", &tag];
            arguments.extend(["--network-alias", &alias]);
            labels.iter().for_each(|l| arguments.extend(["--label", l]));
            arguments.extend(more);
            if service != "proxy" {
                arguments.push("ostler-test/web:1");
            }
            docker(&arguments);
        };
        let data = format!("{tag}-data:/data");
        app(
            "shop",
            "web",
            &[
                "-e",
                "VIRTUAL_HOST=shop.example,www.shop.example",
                "-e",
                "BODY=the shop",
                "-e",
                "TOKEN=wert7-hidden",
                "-v",
                &data,
            ],
        );
        app("shop", "db", &["-e", "BODY=a database"]);
        let named = format!("127.0.0.1:{}:8080", free_port());
        app(
            "blog",
            "web",
            &[
                "--label",
                "traefik.http.routers.b.rule=Host(`blog.example`)",
                "-e",
                "BODY=the blog",
                "-p",
                &named,
            ],
        );
        let server = |name: &str, to: &str| {
            format!(
                "server {{ listen 80; server_name {name}; location / {{ proxy_pass http://{to}:8080; proxy_set_header Host $host; }} }}\n"
            )
        };
        let text = server("shop.example", "web.shop") + &server("blog.example", "web.blog");
        let folder = before.configuration.path();
        fs::write(folder.join("default.conf"), text).unwrap();
        let mount = format!("{}:/etc/nginx/conf.d:ro", folder.display());
        app(
            "front",
            "proxy",
            &["-p", "127.0.0.1::80", "-v", &mount, "nginx:1.28"],
        );
        let front = docker(&["port", &format!("{tag}_front_proxy_1"), "80/tcp"]);
        before.front = front.lines().next().unwrap().parse().unwrap();
        let end = Instant::now() + Duration::from_secs(30);
        while !before.answers() {
            assert!(Instant::now() < end, "the old proxy does not answer");
            std::thread::sleep(Duration::from_millis(100));
        }
        before
    }

    fn answers(&self) -> bool {
        let runtime = runtime();
        ["shop", "blog"].iter().all(|name| {
            let host = format!("{name}.example");
            runtime
                .block_on(load::ask(self.front, &host, "/"))
                .is_ok_and(|reply| reply.text().contains(&format!("the {name}")))
        })
    }

    /// Ids, and when each was started: the same as long as nobody touched them.
    fn lives(&self) -> String {
        let filter = format!("label=test={}", self.tag);
        let ids = docker(&["ps", "-aq", "--no-trunc", "--filter", &filter]);
        let mut arguments = vec![
            "inspect",
            "--format",
            "{{.Id}} {{.State.StartedAt}} {{.State.Status}} {{.HostConfig.Memory}} {{json .Mounts}} {{json .NetworkSettings.Networks}}",
        ];
        arguments.extend(ids.split_whitespace());
        docker(&arguments)
    }

    fn container(&self, project: &str) -> String {
        format!("{}_{project}_web_1", self.tag)
    }
}

impl Drop for Before {
    fn drop(&mut self) {
        let filter = format!("label=test={}", self.tag);
        let ids = docker(&["ps", "-aq", "--filter", &filter]);
        for id in ids.split_whitespace() {
            docker(&["rm", "-f", "-v", id]);
        }
        docker(&["network", "rm", &self.tag]);
        docker(&["volume", "rm", &format!("{}-data", self.tag)]);
    }
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
}

#[test]
fn sites_are_taken_over_and_given_back_without_a_failed_request_elsewhere() {
    let Some(engine) = tier::engine() else { return };
    let before = Before::up();
    let lives = before.lives();
    let stage = Stage::new(&engine, "");
    let (shop, blog) = (before.container("shop"), before.container("blog"));
    let plain = stage.text();

    // Looked at: both sites, with where they come from; the database is none. Nothing is written.
    let ran = stage.done(&[
        "import",
        "here",
        &shop,
        &blog,
        &format!("{}_shop_db_1", before.tag),
    ]);
    for text in [
        "shop.example",
        "blog.example",
        "recipe: proxy",
        &shop,
        "says no domain",
        "http://127.0.0.1:",
    ] {
        assert!(ran.out.contains(text), "{text}\n{}", ran.out);
    }
    assert!(!ran.out.contains("wert7-hidden"), "{}", ran.out);
    assert_eq!(stage.text(), plain);
    let refused = stage.run(&["--read-only", "import", "here", "--write", "--yes"]);
    assert_eq!(refused.code, 1, "{}", refused.out);
    assert!(refused.err.contains("on-call"), "{}", refused.err);
    let ran = stage.done(&["import", "here", &shop, &blog, "--json"]);
    assert_eq!(ran.json()["sites"].as_array().unwrap().len(), 2);

    // Imported and taken over.
    stage.done(&["import", "here", &shop, "--write", "--yes"]);
    stage.done(&["import", "here", &blog, "--write", "--yes"]);
    // A second time there is nothing more to import.
    let ran = stage.done(&["import", "here", &blog]);
    assert!(ran.out.contains("already"), "{}", ran.out);
    stage.done(&["apply", "--yes"]);
    assert!(stage.ask("shop.example").1.contains("the shop"));
    assert!(stage.ask("blog.example").1.contains("the blog"));
    assert_eq!(stage.run(&["plan"]).code, 0);

    // From here on the shop is asked all the time, over the new router and over the old proxy, and
    // the blog over the old one. Not one of these may fail while the blog is converted and back.
    let clients = |host| Clients::new(host, "/", 1, false);
    let runtime = runtime();
    let _inside = runtime.enter();
    let shop_right: load::Judge = Arc::new(|_, reply| match reply.text().contains("the shop") {
        true => Ok(()),
        false => Err(format!("not the shop: {}", reply.text())),
    });
    let new = SocketAddr::from(([127, 0, 0, 1], stage.port));
    let over_new = Load::start(new, &[clients("shop.example")], shop_right.clone());
    let over_old = Load::start(before.front, &[clients("shop.example")], shop_right);
    let blog_old = Load::expecting_200(before.front, &[clients("blog.example")]);

    let name = format!("blog-{}", before.tag);
    let imported = stage.text();
    let to = imported
        .lines()
        .rev()
        .find(|l| l.contains("to:") && l.contains("127.0.0.1"));
    let to = to.expect("the blog's target").to_owned();
    // Converted: ostler's own container.
    let at = imported
        .find(&format!("{name}:"))
        .expect("the blog's entry");
    let own = imported[at..]
        .replacen("recipe: proxy", "recipe: static", 1)
        .replace(&format!("{to}\n"), "");
    fs::write(stage.file(), format!("{}{own}", &imported[..at])).unwrap();
    stage.done(&["apply", "--yes"]);
    assert!(
        !stage.ask("blog.example").1.contains("the blog"),
        "still the old container"
    );
    // And back to the old one.
    fs::write(stage.file(), &imported).unwrap();
    stage.done(&["apply", "--yes"]);
    assert!(stage.ask("blog.example").1.contains("the blog"));
    // Given back altogether: out of the file. The file it was is known here, for it was applied here.
    fs::write(stage.file(), imported[..at].trim_end_matches(' ')).unwrap();
    stage.done(&["apply", "--yes", "--stop-unknown"]);
    assert_ne!(stage.ask("blog.example").0, 200);

    for load in [over_new, over_old, blog_old] {
        let report = runtime.block_on(load.stop());
        report.assert_no_failure();
        assert!(report.count() > 20, "{}", report.count());
    }
    // Whatever was there is as it was: not restarted, not limited, not moved, its data mounted.
    assert_eq!(before.lives(), lives);
}

/// Containers of one test, gone at its end.
struct Made {
    tag: String,
}

impl Made {
    fn new() -> Made {
        let tag = format!("oi{:06x}", getrandom::u32().unwrap() & 0xff_ffff);
        Made { tag }
    }

    /// Its whole name.
    fn run(&self, name: &str, more: &[&str]) -> String {
        let name = format!("{}-{name}", self.tag);
        let label = format!("test={}", self.tag);
        let run = ["run", "-d", "--name", &name, "--label", &label];
        docker(&[&run[..], more, &["ostler-test/web:1"]].concat());
        name
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        let filter = format!("label=test={}", self.tag);
        let ids = docker(&["ps", "-aq", "--filter", &filter]);
        for id in ids.split_whitespace() {
            docker(&["rm", "-f", "-v", id]);
        }
    }
}

/// What a link adds to a container's names comes before its own in the engine's list.
#[test]
fn a_container_that_others_link_to_keeps_its_name() {
    let Some(engine) = tier::engine() else { return };
    let (made, stage) = (Made::new(), Stage::new(&engine, ""));
    let db = made.run(
        "db2",
        &["-e", "VIRTUAL_HOST=db.example", "-e", "BODY=the db"],
    );
    let link = format!("{db}:db");
    made.run("app", &["--link", &link]);
    made.run("zoe", &["--link", &link]);
    stage.done(&["import", "here", &db, "--write", "--yes"]);
    let to = format!("to: {db}:8080");
    assert!(stage.text().contains(&to), "{}", stage.text());
    stage.done(&["apply", "--yes"]);
    assert!(stage.ask("db.example").1.contains("the db"));
    assert_eq!(stage.run(&["plan"]).code, 0);
}

#[test]
fn a_site_that_the_file_cannot_have_keeps_no_other_out() {
    let Some(engine) = tier::engine() else { return };
    let sites =
        "  own: { host: here, recipe: static, domains: [own.example], redirect_www: to-bare }\n";
    let (made, stage) = (Made::new(), Stage::new(&engine, sites));
    // That name is the site's own already, through `redirect_www`.
    let taken = made.run("taken", &["-e", "VIRTUAL_HOST=www.own.example"]);
    let (one, two) = (
        made.run("one", &["-e", "VIRTUAL_HOST=one.example"]),
        made.run("two", &["-e", "VIRTUAL_HOST=two.example"]),
    );
    let all = [one.as_str(), &taken, &two];
    let looked = stage.done(&[&["import", "here"][..], &all].concat());
    let why =
        format!("# left out: {taken}: the fleet file cannot have it: `www.own.example` belongs");
    assert!(looked.out.contains(&why), "{}", looked.out);
    let ran = stage.run(&[&["import", "here", "--write", "--yes"][..], &all].concat());
    assert_eq!(ran.code, 3, "{}\n{}", ran.out, ran.err);
    assert!(
        ran.err.contains("already: through `redirect_www`"),
        "{}",
        ran.err
    );
    let text = stage.text();
    assert!(text.contains("one.example") && text.contains("two.example"));
    assert!(!text.contains("www.own.example"), "{text}");
    assert_eq!(stage.run(&["check"]).code, 0);
    // Alone it is an error, and nothing is written.
    let ran = stage.run(&["import", "here", "--write", "--yes", &taken]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert_eq!(stage.text(), text);
}

/// A port that Docker picked is another one after a restart, and this one may be a stranger's.
#[test]
fn a_port_that_docker_picked_is_not_routed_to() {
    let Some(engine) = tier::engine() else { return };
    let (made, stage) = (Made::new(), Stage::new(&engine, ""));
    let picked = made.run(
        "picked",
        &["-e", "VIRTUAL_HOST=a.example", "-p", "127.0.0.1::8080"],
    );
    let named = format!("{}:8080", free_port());
    let named = made.run("named", &["-e", "VIRTUAL_HOST=b.example", "-p", &named]);
    let ran = stage.done(&["import", "here", &picked, &named]);
    assert!(ran.out.contains("was picked by Docker"), "{}", ran.out);
    stage.done(&["import", "here", &picked, &named, "--write", "--yes"]);
    let text = stage.text();
    assert!(text.contains(&format!("to: {picked}:8080")), "{text}");
    assert_eq!(text.matches("to: http://127.0.0.1:").count(), 1, "{text}");
    stage.done(&["apply", "--yes"]);
    // Started again, with one beside it that gets the port it had.
    docker(&["stop", "-t", "0", &picked]);
    made.run(
        "stranger",
        &["-e", "BODY=a stranger", "-p", "127.0.0.1::8080"],
    );
    docker(&["start", &picked]);
    stage.run(&["apply", "--yes"]);
    for (domain, whose) in [("a.example", &picked), ("b.example", &named)] {
        let (status, body) = stage.ask(domain);
        assert_eq!(status, 200, "{domain}: {body}");
        assert!(!body.contains("a stranger"), "{domain}, {whose}: {body}");
    }
}

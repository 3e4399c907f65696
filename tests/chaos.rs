//! What goes wrong in the middle of things on real hosts: daemons killed, hung and restarted, a
//! full disk, ostler itself killed. Nothing is lost, what it says is plain, and the next apply puts
//! all right.

mod cli;
#[path = "chaos/running.rs"]
mod running;
#[path = "cli/stage.rs"]
mod stage;
#[path = "common/testhost.rs"]
mod testhost;
#[path = "common/tier.rs"]
mod tier;

use std::fs;
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossterm::event::{KeyCode, KeyEvent};
use ostler::console::run::headless::Headless;
use ostler::console::{ConsoleOptions, Message, Subject};
use ostler::engine::{Client, Gate};
use ostler::walk::FleetFile;
use running::{Running, Runs};
use stage::Stage;
use testhost::{IMAGES, TestHost};
use tokio::runtime::Runtime;

const BLOG: &str = "  blog: { host: here, recipe: static, domains: [blog.test], memory: 64M }\n";

impl Runs for Stage {
    fn command(&self, arguments: &[&str]) -> std::process::Command {
        Stage::command(self, arguments)
    }
}

/// A site that answers with its body and needs no files of its own.
fn web(name: &str, body: &str) -> String {
    format!(
        "  {name}: {{ host: here, recipe: image, image: \"ostler-test/web:1\", port: 8080, domains: [{name}.test], memory: 64M, env: {{ BODY: {body}, GRACE: \"1\" }} }}\n"
    )
}

/// A stage on a host of its own, whose `/tmp` is the machine's: what is on the host can be read
/// also while its daemon is down. What is named first goes last.
fn staged(sites: &str) -> Option<(TestHost, Stage)> {
    tier::fleet()?;
    let host = TestHost::up("one", &IMAGES);
    let mut stage = Stage::new(&host.engine, sites);
    stage.front = host.address.into();
    Some((host, stage))
}

/// A page that a customer put there.
fn put_page(stage: &Stage, site: &str, text: &str) {
    fs::write(format!("{}/sites/{site}/www/index.html", stage.root), text).unwrap();
}

#[track_caller]
fn assert_answers(stage: &Stage, domain: &str, text: &str) {
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        let (status, answer) = stage.ask(domain);
        if status == 200 && answer.contains(text) {
            return;
        }
        assert!(Instant::now() < end, "{domain}: {status} {answer}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A killed run leaves its lock, which is waited for until it is stale; `apply_lock` is about that.
fn forget_lock(stage: &Stage, host: &str) {
    let lock = format!("ostler-{}-lock", stage.fleet);
    let _ = std::process::Command::new("docker")
        .args(["-H", host, "rm", "-f", &lock])
        .output();
}

/// All is as the file says, and everything that it says can be seen from outside.
#[track_caller]
fn assert_settled(stage: &Stage) {
    let plan = stage.run(&["plan"]);
    assert_eq!(plan.code, 0, "{}\n{}", plan.out, plan.err);
}

#[test]
fn a_daemon_killed_in_the_middle_of_an_apply() {
    let Some((host, stage)) = staged(BLOG) else {
        return;
    };
    stage.done(&["apply", "--yes"]);
    put_page(&stage, "blog", "the customer's own page");
    for (round, after) in [1, 3, 6].into_iter().enumerate() {
        let name = format!("w{round}");
        stage.edit("sites:\n", &format!("sites:\n{}", web(&name, "b0")));
        let memory = ["64M", "96M", "128M", "160M"];
        stage.edit(
            &format!("[blog.test], memory: {}", memory[round]),
            &format!("[blog.test], memory: {}", memory[round + 1]),
        );
        let mut apply = Running::start(&stage, &["apply", "--yes"]);
        apply.wait_for_done(after);
        host.kill_dockerd();
        let ended = apply.end(Duration::from_secs(100));
        println!(
            "killed after {after}: {} in {:.1?}\n{}",
            ended.code, ended.took, ended.err
        );
        assert!([1, 3].contains(&ended.code), "{ended:?}");
        let both = format!("{}{}", ended.out, ended.err);
        assert!(
            ["nothing listens", "connection", "unix://"]
                .iter()
                .any(|w| both.contains(w)),
            "it says that the engine was gone: {both}"
        );
        host.start_dockerd();
        forget_lock(&stage, &host.engine.address);
        // The daemon starts containers in its own time: ours may not run yet.
        assert_answers(&stage, "blog.test", "the customer's own page");
        let again = stage.run(&["apply", "--yes"]);
        if again.code != 0 {
            // Killed just while it started a container, Docker never starts that one again.
            assert!(again.out.contains("makes it anew"), "{again:?}");
            stage.done(&["apply", "--yes"]);
        }
        assert_settled(&stage);
        assert_answers(&stage, "blog.test", "the customer's own page");
        assert_answers(&stage, &format!("{name}.test"), "b0");
    }
}

fn console(stage: &Stage) -> ConsoleOptions {
    let (path, source) = (stage.file(), stage.text());
    let fleet = Arc::new(ostler::fleet::load(&source, &path).unwrap().fleet);
    ConsoleOptions {
        subject: Subject::Fleet(FleetFile {
            path,
            source,
            fleet,
        }),
        connect: Arc::new(|host| {
            let engine = host.engine.clone();
            Box::pin(async move { Client::connect(&engine, Gate::on_call()).await })
        }),
        desk: Arc::default(),
        on_call: true,
        demo: false,
        no_color: false,
        config: None,
        state: None,
    }
}

/// Its workers belong to the runtime.
fn console_key(runtime: &Runtime, console: &mut Headless, key: char) {
    let event = KeyEvent::from(KeyCode::Char(key));
    runtime.block_on(async { console.send(Message::Key(event)) });
}

#[test]
fn a_log_goes_on_when_its_daemon_was_restarted() {
    let Some((host, stage)) = staged(BLOG) else {
        return;
    };
    stage.done(&["apply", "--yes"]);
    let runtime = Runtime::new().unwrap();
    let mut console = runtime.block_on(async { Headless::open(console(&stage), (140, 40)) });
    let patience = Duration::from_secs(60);
    let shows = |console: &mut Headless, text: &str| {
        let shown = runtime.block_on(console.shows(text, patience));
        assert!(shown, "no {text}:\n{}", console.screen());
    };
    shows(&mut console, "● ok");
    console_key(&runtime, &mut console, 'l');
    shows(&mut console, "following");
    let mut logs = Running::start(&stage, &["logs", "-f", "blog"]);
    let ask = |path: &str| {
        let end = Instant::now() + Duration::from_secs(30);
        while stage.ask_path("blog.test", path).0 == 0 {
            assert!(Instant::now() < end, "{path} is never answered");
        }
    };
    ask("/before");
    logs.wait_for_line("GET /before HTTP/1.1\" 404");
    shows(&mut console, "/before");
    host.restart_dockerd();
    assert_answers(&stage, "blog.test", "");
    ask("/after");
    logs.wait_for_line("GET /after HTTP/1.1\" 404");
    shows(&mut console, "/after");
    host.kill_dockerd();
    logs.wait_for_line("waiting for it");
    host.start_dockerd();
    assert_answers(&stage, "blog.test", "");
    ask("/again");
    logs.wait_for_line("GET /again HTTP/1.1\" 404");
    shows(&mut console, "/again");
    drop(console);
    logs.interrupt();
    let ended = logs.end(Duration::from_secs(10));
    assert_eq!(ended.code, 0, "{ended:?}");
    let lines = |what: &str| ended.out.lines().filter(|l| l.contains(what)).count();
    assert_eq!(
        (
            lines("GET /before"),
            lines("GET /after"),
            lines("GET /again")
        ),
        (1, 1, 1),
        "{ended:?}"
    );
    assert!(ended.err.contains("the log goes on"), "{}", ended.err);
}

#[test]
fn ostler_killed_after_any_operation() {
    let Some(engine) = tier::engine() else { return };
    let stage = Stage::new(&engine, &web("base", "b0"));
    stage.done(&["apply", "--yes"]);
    let mut after = 1;
    loop {
        // A new site, a replacement and a removal.
        let mut text = stage.text();
        let sites = text.find("sites:\n").unwrap() + "sites:\n".len();
        text.truncate(sites);
        text.push_str(&web("base", &format!("b{after}")));
        text.push_str(&web(&format!("w{after}"), "new"));
        fs::write(stage.file(), text).unwrap();
        let mut apply = Running::start(&stage, &["apply", "--yes"]);
        if !apply.try_wait_for_done(after) {
            // It came to its end before: there are no more operations than that.
            let ended = apply.end(Duration::from_secs(60));
            assert_eq!(ended.code, 0, "after {after}: {ended:?}");
            break;
        }
        apply.kill();
        let ended = apply.end(Duration::from_secs(10));
        assert_eq!(ended.code, -1, "killed, not ended: {ended:?}");
        forget_lock(&stage, &engine.address);
        // A call that was under way may still come to its end in the engine, and make the first
        // plan stale.
        let mut again = stage.run(&["apply", "--yes"]);
        for _ in 0..5 {
            if again.code == 0 {
                break;
            }
            assert!(again.err.contains("changed"), "after {after}: {again:?}");
            again = stage.run(&["apply", "--yes"]);
        }
        assert_eq!(again.code, 0, "after {after}: {again:?}");
        assert_settled(&stage);
        assert_answers(&stage, "base.test", &format!("b{after}"));
        assert_answers(&stage, &format!("w{after}.test"), "new");
        after += 1;
    }
    println!("killed after each of {} operations", after - 1);
    assert!(after > 12, "{after}");
}

#[test]
fn a_full_disk_loses_nothing() {
    let Some((host, stage)) = staged(BLOG) else {
        return;
    };
    fs::create_dir_all(&stage.root).unwrap();
    host.run(&[
        "mount",
        "-t",
        "tmpfs",
        "-o",
        "size=1M",
        "tmpfs",
        &stage.root,
    ]);
    stage.done(&["apply", "--yes"]);
    let page = format!("{}/sites/blog/www/index.html", stage.root);
    host.run(&[
        "sh",
        "-c",
        "echo the customer\\'s own page >\"$1\"",
        "sh",
        &page,
    ]);
    let filler = format!("{}/filler", stage.root);
    host.run(&[
        "sh",
        "-c",
        "cat /dev/zero >\"$1\" 2>/dev/null || true",
        "sh",
        &filler,
    ]);
    let record = format!("{}/state/sites/blog.json", stage.root);
    let before = host.run(&["cat", &record]);

    stage.edit("sites:\n", &format!("sites:\n{}", web("more", "b0")));
    stage.edit(
        "[blog.test], memory: 64M",
        "[blog.test, www.blog.test], memory: 96M",
    );
    let full = stage.run(&["apply", "--yes"]);
    let both = format!("{}{}", full.out, full.err);
    println!("{}: {both}", full.code);
    assert!([1, 3].contains(&full.code), "{both}");
    assert!(both.to_lowercase().contains("no space left"), "{both}");
    assert_answers(&stage, "blog.test", "the customer's own page");
    // A record is whole or the old one, never cut short.
    let now = host.run(&["cat", &record]);
    assert!(
        serde_json::from_str::<serde_json::Value>(&now).is_ok(),
        "{before}\n{now}"
    );
    assert_eq!(stage.run(&["plan"]).code, 2, "it can still be looked at");

    host.run(&["rm", &filler]);
    stage.done(&["apply", "--yes"]);
    assert_settled(&stage);
    assert_answers(&stage, "blog.test", "the customer's own page");
    assert_answers(&stage, "more.test", "b0");
}

#[test]
fn a_daemon_that_never_answers_holds_up_nobody_else() {
    let Some(engine) = tier::engine() else { return };
    let stage = Stage::new(&engine, BLOG);
    let socket = stage.folder.path().join("stuck.sock");
    // Connections wait in its queue: accepted by the kernel, never answered.
    let _stuck = UnixListener::bind(&socket).unwrap();
    stage.edit(
        "hosts:\n",
        &format!(
            "hosts:\n  stuck: {{ engine: \"unix://{}\" }}\n",
            socket.display()
        ),
    );
    stage.edit(
        "sites:\n",
        "sites:\n  other: { host: stuck, recipe: static, domains: [other.test] }\n",
    );
    let apply = Running::start(&stage, &["apply", "--yes"]).end(Duration::from_secs(60));
    println!(
        "{} in {:.1?}\n{}{}",
        apply.code, apply.took, apply.out, apply.err
    );
    assert_eq!(apply.code, 3, "{apply:?}");
    assert!(apply.took < Duration::from_secs(40), "{:?}", apply.took);
    let both = format!("{}{}", apply.out, apply.err);
    assert!(
        both.contains("stuck") && both.contains("no answer within"),
        "{both}"
    );
    assert_answers(&stage, "blog.test", "");
    for arguments in [&["sites"][..], &["status"], &["hosts"]] {
        let ran = Running::start(&stage, arguments).end(Duration::from_secs(30));
        assert!(
            ran.out.contains("blog") || ran.out.contains("here"),
            "{ran:?}"
        );
        assert!(
            ran.took < Duration::from_secs(20),
            "{arguments:?} {:?}",
            ran.took
        );
    }
}

#[test]
fn a_daemon_that_hangs_in_the_middle_of_an_apply() {
    let Some((host, stage)) = staged(BLOG) else {
        return;
    };
    stage.done(&["apply", "--yes"]);
    put_page(&stage, "blog", "the customer's own page");
    stage.edit("sites:\n", &format!("sites:\n{}", web("more", "b0")));
    let mut apply = Running::start(&stage, &["apply", "--yes"]);
    apply.wait_for_done(3);
    host.hang();
    // What is under way runs into its deadline of 60 s, the journal into its own; then the host is given up.
    let ended = apply.end(Duration::from_secs(150));
    println!(
        "{} in {:.1?}\n{}{}",
        ended.code, ended.took, ended.out, ended.err
    );
    assert!([1, 3].contains(&ended.code), "{ended:?}");
    // Visitors do not need the daemon.
    assert_answers(&stage, "blog.test", "the customer's own page");
    host.resume();
    forget_lock(&stage, &host.engine.address);
    let end = Instant::now() + Duration::from_secs(60);
    // What it had been asked before, it does now.
    while stage.run(&["apply", "--yes"]).code != 0 {
        assert!(Instant::now() < end, "it never settles");
    }
    assert_settled(&stage);
    assert_answers(&stage, "blog.test", "the customer's own page");
    assert_answers(&stage, "more.test", "b0");
}

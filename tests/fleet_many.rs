//! One fleet over hosts of every kind: on this machine, over SSH, over TLS, behind a bastion; with
//! an older and a newer engine.

mod cli;
#[path = "chaos/running.rs"]
mod running;
#[path = "cli/stage.rs"]
mod stage;
#[path = "common/testhost.rs"]
mod testhost;
#[path = "common/tier.rs"]
mod tier;
#[path = "fleet_many/wide.rs"]
mod wide;

use std::process::Command;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use ostler::engine::transport::ssh::SshOptions;
use ostler::engine::{Client, Gate, LogOptions, Network};
use running::Running;
use testhost::TestFleet;
use wide::Wide;

/// The hosts are shared, and what is done to them touches every test.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> std::sync::MutexGuard<'static, ()> {
    // A test that failed has put its hosts right, or the next one says so.
    ALONE
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Established connections of this machine to a host's sshd.
fn connections(fleet: &TestFleet, name: &str) -> usize {
    let to = fleet.address(name).to_string();
    let out = Command::new("ss")
        .args([
            "-tnH",
            "state",
            "established",
            "dst",
            &to,
            "dport",
            "=",
            ":22",
        ])
        .output()
        .unwrap();
    assert!(out.status.success(), "{out:?}");
    String::from_utf8_lossy(&out.stdout).lines().count()
}

/// Processes on a host that were started to carry a connection to its daemon.
fn carriers(fleet: &TestFleet, name: &str) -> usize {
    let count = fleet.tell(
        name,
        "run",
        &[
            "sh",
            "-c",
            "pgrep -fc '[d]ial-stdio' --ns $$ --nslist net || true",
        ],
    );
    count.trim().parse().unwrap()
}

/// Programs called `ssh` that a process of ours has started.
fn ssh_children(of: u32) -> String {
    let out = Command::new("pgrep")
        .args(["-P", &of.to_string(), "-x", "ssh"])
        .output();
    String::from_utf8_lossy(&out.unwrap().stdout)
        .trim()
        .to_owned()
}

#[track_caller]
fn wait_until(what: &str, mut so: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !so() {
        assert!(Instant::now() < end, "never: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn one_apply_and_one_list_for_hosts_of_every_kind() {
    let Some(_) = tier::fleet() else { return };
    let _alone = alone();
    let fleet = TestFleet::shared();
    let wide = Wide::new(fleet);
    assert_eq!(wide.run(&["plan"]).code, 2);
    let applied = wide.done(&["apply", "--yes"]);
    println!("{}{}", applied.err, applied.out);
    wide.assert_all_answer("b0");
    assert_eq!(wide.run(&["plan"]).code, 0);
    let sites = wide.done(&["sites", "--json"]).json();
    let sites = sites.as_array().unwrap();
    assert_eq!(sites.len(), wide::HOSTS.len());
    for site in sites {
        assert_eq!(site["state"], "running", "{site}");
        assert_eq!(site["drift"], serde_json::json!([]), "{site}");
    }
    let hosts = wide.done(&["hosts"]).out;
    for name in wide::HOSTS {
        assert!(hosts.contains(name), "{hosts}");
    }
    // Nothing of ours is left over there.
    for name in ["web1", "web2", "web4"] {
        wait_until("no connection is left", || connections(fleet, name) == 0);
        assert_eq!(carriers(fleet, name), 0, "{name}");
    }
}

/// Hosts that forward no sockets; they do again when it goes out of scope.
struct Unforwarded(&'static TestFleet);

impl Drop for Unforwarded {
    fn drop(&mut self) {
        for name in ["web1", "web2"] {
            self.0.tell(name, "sshd", &[]);
        }
    }
}

#[test]
fn all_of_it_where_sockets_are_not_forwarded() {
    let Some(_) = tier::fleet() else { return };
    let _alone = alone();
    let fleet = TestFleet::shared();
    let wide = Wide::new(fleet);
    let _back = Unforwarded(fleet);
    for name in ["web1", "web2"] {
        fleet.tell(name, "sshd", &["AllowStreamLocalForwarding no"]);
    }
    let applied = wide.run(&[
        "apply",
        "--yes",
        "--only",
        "host=web1",
        "--only",
        "host=web2",
    ]);
    assert_eq!(applied.code, 0, "{}\n{}", applied.out, applied.err);
    wide.assert_answers("web1", "b0");
    wide.assert_answers("web2", "b0");
    assert_eq!(
        wide.run(&["plan", "--only", "host=web1", "--only", "host=web2"])
            .code,
        0
    );
    follow_fifty(&wide, "web1", false);
    for name in ["web1", "web2"] {
        wait_until("no carrier is left", || carriers(fleet, name) == 0);
    }
}

#[test]
fn fifty_logs_over_one_connection() {
    let Some(_) = tier::fleet() else { return };
    let _alone = alone();
    let fleet = TestFleet::shared();
    let wide = Wide::new(fleet);
    wide.done(&[
        "apply",
        "--yes",
        "--only",
        "host=web1",
        "--only",
        "host=web2",
    ]);
    for name in ["web1", "web2"] {
        follow_fifty(&wide, name, true);
    }
    // And as an operator would: the program itself.
    let mut logs = Running::start(&wide, &["logs", "-f", "on-web1"]);
    wide.assert_answers("web1", "b0");
    logs.wait_for_line("GET /");
    assert_eq!(connections(fleet, "web1"), 1);
    assert_eq!(
        ssh_children(logs.id()),
        "",
        "no ssh runs once it is connected"
    );
    assert_eq!(carriers(fleet, "web1"), 0);
    logs.interrupt();
    assert_eq!(logs.end(Duration::from_secs(10)).code, 0);
    wait_until("no connection is left", || connections(fleet, "web1") == 0);
}

/// Follows a site's log fifty times at once, with requests beside; counts connections and processes.
fn follow_fifty(wide: &Wide, name: &str, streamlocal: bool) {
    const LOGS: usize = 50;
    let fleet = wide.fleet;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let network = Network::headless().with_ssh(SshOptions {
            config: Some(fleet.ssh_config()),
        });
        let address = format!("ssh://ops@{name}").parse().unwrap();
        let client = Client::connect_by(&network, &address, Gate::on_call())
            .await
            .unwrap();
        let container = wide.container(name);
        let mut streams: Vec<_> = (0..LOGS)
            .map(|_| {
                let options = LogOptions {
                    follow: true,
                    tail: Some(1),
                    ..LogOptions::default()
                };
                Box::pin(client.logs(&container, options))
            })
            .collect();
        let firsts = streams.iter_mut().map(|stream| stream.next());
        let firsts = tokio::time::timeout(
            Duration::from_secs(60),
            futures_util::future::join_all(firsts),
        );
        for first in firsts.await.expect("all of them are open") {
            first.expect("it says something").expect("it can be read");
        }
        // Beside them the engine can still be asked.
        let listed = tokio::time::timeout(Duration::from_secs(20), client.containers()).await;
        assert!(!listed.expect("in time").unwrap().is_empty());
        let (count, carried) = (connections(fleet, name), carriers(fleet, name));
        println!("{name}: {LOGS} logs over {count} connections, {carried} dial-stdio");
        assert_eq!(ssh_children(std::process::id()), "");
        if streamlocal {
            assert_eq!((count, carried), (1, 0), "connections, dial-stdio");
        } else {
            assert!((1..=8).contains(&count), "{count} connections");
            assert!(carried > LOGS, "{carried}");
        }
        // A line written now reaches all fifty.
        wide.assert_answers(name, "b0");
        for stream in &mut streams {
            let next = tokio::time::timeout(Duration::from_secs(20), stream.next()).await;
            next.expect("in time")
                .expect("it goes on")
                .expect("it can be read");
        }
        drop(streams);
        drop(client);
    });
    drop(runtime);
    wait_until("no connection is left", || connections(fleet, name) == 0);
    wait_until("no process is left on the host", || {
        carriers(fleet, name) == 0
    });
}

#[test]
fn links_cut_in_the_middle_of_an_apply() {
    let Some(_) = tier::fleet() else { return };
    let _alone = alone();
    let fleet = TestFleet::shared();
    let wide = Wide::new(fleet);
    wide.done(&["apply", "--yes"]);
    wide.set_body("b1");
    let cut = ["web1", "web3"];
    let mut apply = Running::start(&wide, &["apply", "--yes"]);
    apply.wait_for_done(wide::HOSTS.len());
    for name in cut {
        fleet.tell(name, "link", &["down"]);
    }
    let ended = apply.end(Duration::from_secs(150));
    println!(
        "{} in {:.1?}\n{}{}",
        ended.code, ended.took, ended.err, ended.out
    );
    // The others were not held up.
    for name in ["lab", "web2", "web4"] {
        wide.assert_answers(name, "b1");
    }
    assert_eq!(ended.code, 3, "{ended:?}");
    let looked = Running::start(&wide, &["sites"]).end(Duration::from_secs(60));
    println!(
        "{} in {:.1?}\n{}{}",
        looked.code, looked.took, looked.err, looked.out
    );
    assert!(
        looked.out.contains("on-web2") && looked.took < Duration::from_secs(30),
        "{looked:?}"
    );
    for name in cut {
        fleet.tell(name, "link", &["up"]);
        wide.forget_lock(name);
    }
    for name in cut {
        // The old site or the new one, but one of them, all the time.
        wide.assert_answers(name, "b");
    }
    wide.settle();
    wide.assert_all_answer("b1");
}

#[test]
fn one_that_hangs_holds_up_nobody() {
    let Some(_) = tier::fleet() else { return };
    let _alone = alone();
    let fleet = TestFleet::shared();
    let wide = Wide::new(fleet);
    wide.done(&["apply", "--yes"]);
    fleet.tell("web2", "hang", &[]);
    wide.set_body("b1");
    let apply = Running::start(&wide, &["apply", "--yes"]).end(Duration::from_secs(90));
    println!(
        "{} in {:.1?}\n{}{}",
        apply.code, apply.took, apply.err, apply.out
    );
    fleet.tell("web2", "resume", &[]);
    assert_eq!(apply.code, 3, "{apply:?}");
    assert!(apply.took < Duration::from_secs(60), "{:?}", apply.took);
    for name in ["lab", "web1", "web3", "web4"] {
        wide.assert_answers(name, "b1");
    }
    wide.settle();
    wide.assert_all_answer("b1");
}

//! Every benchmark, tiny: that it runs and measures what it says. What it measures says nothing here.

#[path = "../benches/ostler/measure/mod.rs"]
mod measure;
#[path = "common/tier.rs"]
mod tier;

use std::future::pending;
use std::time::Duration;

use measure::proxy::request_line;
use measure::row::median;
use measure::{Bench, Extent, Row, table};
use ostler::fleet::EngineAddress;
use tokio::sync::Mutex;

/// Those on an engine take turns: two fleets that are new at the same moment may choose the same
/// addresses.
static TURN: Mutex<()> = Mutex::const_new(());

async fn run(bench: Bench, address: &str) -> Vec<Row> {
    let address: EngineAddress = address.parse().unwrap();
    let _turn = match address.to_string().as_str() {
        NOWHERE => None,
        _ => Some(TURN.lock().await),
    };
    let ran = bench.run(&address, Extent::Tiny, pending()).await;
    ran.unwrap_or_else(|failure| panic!("{bench:?}: {failure:?}"))
}

/// The rows are there, each with a number, and are shown.
fn complete(rows: &[Row], count: usize) {
    let shown = table(rows).render(false);
    assert_eq!(rows.len(), count, "{shown}");
    for row in rows {
        assert!(!row.measured.is_empty(), "{shown}");
        assert!(shown.contains(&row.what), "{shown}");
    }
}

const NOWHERE: &str = "unix:///nowhere/docker.sock";

#[tokio::test]
async fn frames_are_measured() {
    complete(&run(Bench::Frame, NOWHERE).await, 3);
}

#[tokio::test]
async fn log_lines_are_measured() {
    complete(&run(Bench::Logs, NOWHERE).await, 7);
}

#[tokio::test]
async fn the_fleet_file_is_measured() {
    complete(&run(Bench::FleetFile, NOWHERE).await, 2);
}

#[tokio::test]
async fn as_much_is_measured_as_is_asked_for() {
    let extent = Extent::Full { sites: Some(7) };
    let address = NOWHERE.parse().unwrap();
    let rows = Bench::FleetFile.run(&address, extent, pending()).await;
    let what = rows.unwrap().remove(0).what;
    assert!(what.ends_with("7 sites"), "{what}");
}

/// One that is added gets its test here, too.
#[test]
fn these_are_all() {
    assert_eq!(Bench::ALL.len(), 9);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_of_all_hosts_come_while_one_hangs() {
    let rows = run(Bench::Hosts, NOWHERE).await;
    complete(&rows, 4);
    // The console ends with the last key, which may come before the frame that shows it.
    let all = ["p99 of 29", "p99 of 30"];
    let what = &rows[3].what;
    assert!(all.iter().any(|p| what.contains(p)), "{what}");
}

#[tokio::test]
async fn a_plan_is_measured_on_an_engine() {
    let Some(engine) = tier::engine() else { return };
    complete(&run(Bench::Plan, &engine.address).await, 5);
}

#[tokio::test]
async fn compose_is_measured_where_it_is_installed() {
    let Some(engine) = tier::engine() else { return };
    let rows = run(Bench::Compose, &engine.address).await;
    // Where there is no compose it says so, and measures nothing.
    complete(&rows, if rows.is_empty() { 0 } else { 2 });
}

#[tokio::test]
async fn one_certificate_more_is_measured_on_an_engine() {
    let Some(engine) = tier::engine() else { return };
    complete(&run(Bench::Certificates, &engine.address).await, 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_console_is_measured_on_an_engine() {
    let Some(engine) = tier::engine() else { return };
    complete(&run(Bench::Console, &engine.address).await, 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ssh_is_measured_where_there_is_a_server() {
    let Some(engine) = tier::engine() else { return };
    let there = |program: &str| {
        let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin";
        std::env::split_paths(&path).any(|folder| folder.join(program).exists())
    };
    if let Some(missing) = ["sshd", "ssh-keygen", "docker"].iter().find(|p| !there(p)) {
        println!("left out: no {missing}");
        return;
    }
    complete(&run(Bench::Ssh, &engine.address).await, 3);
}

#[test]
fn a_row_says_whether_its_goal_was_reached() {
    let ms = Duration::from_millis;
    let row = Row::times("plan", ms(120), "list", ms(100)).at_most(1.25);
    assert_eq!((row.met, row.goal.as_str()), (Some(true), "at most 1.25"));
    let row = Row::times("plan", ms(130), "list", ms(100)).at_most(1.25);
    assert_eq!(row.met, Some(false));
    let shown = table(&[row]).render(false);
    assert!(shown.contains("130 ms"), "{shown}");
    assert!(shown.contains("MISSED"), "{shown}");
}

#[test]
fn the_median_is_the_middle() {
    let mut times = [3, 1, 2].map(Duration::from_millis);
    assert_eq!(median(&mut times), Duration::from_millis(2));
    assert_eq!(median(&mut []), Duration::ZERO);
}

#[test]
fn requests_are_told_from_what_follows_them() {
    let line = request_line(b"GET /v1.41/info HTTP/1.1\r\nhost: docker\r\n\r\n");
    assert_eq!(line.as_deref(), Some("GET /v1.41/info HTTP/1.1"));
    assert_eq!(request_line(b"some bytes of a body"), None);
}

//! The console over idle containers: memory, processor, and how often it asks the engine while
//! nothing happens.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use bollard::models::{ContainerCreateBody, HostConfig};
use futures_util::stream::{self, StreamExt};
use tokio::process::{Child, Command};
use tokio::time::sleep;

use super::Extent;
use super::program::{OSTLER, say};
use super::proxy::Proxy;
use super::row::Row;
use super::stage::{AT_ONCE, LABEL, Stage};
use ostler::cli::Failure;
use ostler::fleet::EngineAddress;

const IMAGE: &str = "debian:trixie-slim";
/// No request for so long: the console has seen everything.
const QUIET: Duration = Duration::from_secs(5);
/// How long that is waited for: on an engine where others work it never comes.
const SETTLE: Duration = Duration::from_secs(60);
/// Seconds for which it is watched.
const WINDOW_S: u64 = 30;
/// Columns and rows. At the wider one the memory column is on screen, and is kept current.
const SIZES: [(u16, u16); 2] = [(80, 24), (200, 50)];
/// What runs in the terminal; all data comes from the environment.
const SCRIPT: &str = "stty cols \"$BENCH_COLS\" rows \"$BENCH_ROWS\" && echo $$ >\"$BENCH_PID\" && \
    exec \"$BENCH_PROGRAM\" --host \"$BENCH_ENGINE\"";

/// Starts containers and opens the console over them.
pub async fn measure(stage: &Stage, extent: Extent) -> Result<Vec<Row>, Failure> {
    let EngineAddress::Unix { path: engine } = &stage.address else {
        return Err(Failure::new(
            "the console is measured over a unix socket only",
        ));
    };
    stage.client.inspect_image(IMAGE).await.map_err(|e| {
        Failure::from(e).help(format!(
            "`docker pull {IMAGE}` brings what the idle containers are"
        ))
    })?;
    let count = extent.sites(300);
    say(&format!("starting {count} idle containers"));
    let body = idle(&stage.fleet);
    let containers = (0..count)
        .map(|n| (format!("{}-{n:03}", stage.fleet), body.clone()))
        .collect();
    let ids = stage.create(containers).await?;
    let starting: Vec<_> = ids.iter().map(|id| stage.client.start(id)).collect();
    let started: Vec<_> = stream::iter(starting)
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    started.into_iter().collect::<Result<Vec<_>, _>>()?;

    let mut rows = Vec::new();
    for size in SIZES {
        rows.extend(watch(stage, engine, extent, size).await?);
    }
    Ok(rows)
}

fn idle(fleet: &str) -> ContainerCreateBody {
    ContainerCreateBody {
        image: Some(IMAGE.into()),
        cmd: Some(["sleep", "infinity"].map(str::to_owned).to_vec()),
        labels: Some([(LABEL.to_owned(), fleet.to_owned())].into()),
        host_config: Some(HostConfig {
            network_mode: Some("none".into()),
            init: Some(true),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    }
}

async fn watch(
    stage: &Stage,
    engine: &str,
    extent: Extent,
    size: (u16, u16),
) -> Result<Vec<Row>, Failure> {
    let count = extent.sites(300);
    let window = extent.pick(WINDOW_S, 1);
    let socket = stage.folder.join(format!("engine-{}.sock", size.0));
    let proxy = Proxy::new(&socket, engine)?;
    let file = stage.folder.join(format!("pid-{}", size.0));
    let mut terminal = open(stage, &socket, &file, size)?;
    let pid = pid(&file, &mut terminal).await?;
    settle(&proxy, extent).await?;
    let asked = proxy.count();
    let before = Process::read(pid)?;
    say(&format!("watching for {window} s"));
    sleep(Duration::from_secs(window)).await;
    let after = Process::read(pid)?;
    // Pings are how a daemon that hangs is noticed.
    let mut requests = proxy.after(asked);
    requests.retain(|line| !line.contains("/_ping"));
    // Its terminal goes; so does it.
    let _ = terminal.kill().await;
    let wide = size.0 >= 120;
    let at = format!("console, {count} idle containers, {}×{}", size.0, size.1);
    let cpu = (after.ticks - before.ticks) as f64 / window as f64;
    let memory = after.memory_kb as f64 / 1024.0;
    let peak = after.peak_kb as f64 / 1024.0;
    let mut asked = Row::new(
        format!("{at}: requests in {window} s, pings apart"),
        requests.len().to_string(),
    );
    asked.against = match requests.first() {
        Some(first) => format!("such as {}", short(first)),
        None => String::new(),
    };
    if !wide {
        asked = asked.goal("none", requests.is_empty());
    }
    let mut used = Row::new(format!("{at}: memory"), format!("{memory:.1} MB"));
    used.against = format!("{peak:.1} MB at its highest");
    Ok(vec![
        used.goal("20 MB", memory <= 20.0),
        // 100 ticks a second: a tick a second is one in a hundred of a core.
        Row::new(format!("{at}: processor"), format!("{cpu:.2} %")).goal("0.5 %", cpu <= 0.5),
        asked,
    ])
}

/// A request without the version, without what it asks for in detail, and with a short id.
fn short(request: &str) -> String {
    let path = request.split(' ').nth(1).unwrap_or_default();
    let path = path.split('?').next().unwrap_or_default();
    let parts = path.split('/').skip(2);
    let parts: Vec<&str> = parts.map(|part| part.get(..12).unwrap_or(part)).collect();
    parts.join("/")
}

/// The real program in a terminal of its own, made by `script`.
fn open(stage: &Stage, socket: &Path, pid: &Path, size: (u16, u16)) -> Result<Child, Failure> {
    Command::new("script")
        .args(["-qefc", SCRIPT, "/dev/null"])
        .env("SHELL", "/bin/sh")
        .env("TERM", "xterm-256color")
        .env("BENCH_COLS", size.0.to_string())
        .env("BENCH_ROWS", size.1.to_string())
        .env("BENCH_PID", pid)
        .env("BENCH_PROGRAM", OSTLER)
        .env("BENCH_ENGINE", format!("unix://{}", socket.display()))
        .env("XDG_CONFIG_HOME", &stage.folder)
        .env("XDG_STATE_HOME", &stage.folder)
        .env_remove("OSTLER_FLEET")
        // Kept open: its end would be a key.
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|e| Failure::caused("cannot run script(1), which gives a terminal", &e))
}

async fn pid(file: &Path, terminal: &mut Child) -> Result<u32, Failure> {
    for _ in 0..100 {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        if let Ok(pid) = text.trim().parse() {
            return Ok(pid);
        }
        if let Ok(Some(status)) = terminal.try_wait() {
            return Err(Failure::new(format!("no console came up ({status})")));
        }
        sleep(Duration::from_millis(50)).await;
    }
    Err(Failure::new("no console came up"))
}

/// Waits until the console has asked what it has to ask.
async fn settle(proxy: &Proxy, extent: Extent) -> Result<(), Failure> {
    let [quiet, settled] = extent.pick([QUIET, SETTLE], [Duration::from_secs(1), QUIET * 2]);
    let start = Instant::now();
    let (mut seen, mut since) = (0, Instant::now());
    while start.elapsed() < settled {
        sleep(Duration::from_millis(200)).await;
        let now = proxy.count();
        if now != seen {
            (seen, since) = (now, Instant::now());
        }
        if seen > 0 && since.elapsed() >= quiet {
            return Ok(());
        }
    }
    match seen {
        0 => Err(Failure::new("the console asked the engine for nothing")),
        // Something goes on there: what is asked in the window says so.
        _ => Ok(()),
    }
}

/// What Linux says about a process.
struct Process {
    memory_kb: u64,
    peak_kb: u64,
    /// Of user and system time, 100 a second.
    ticks: u64,
}

impl Process {
    fn read(pid: u32) -> Result<Process, Failure> {
        let read = |what: &str| {
            std::fs::read_to_string(format!("/proc/{pid}/{what}"))
                .map_err(|e| Failure::caused("the console has ended", &e))
        };
        let status = read("status")?;
        let kb = |key: &str| {
            let line = status.lines().find_map(|l| l.strip_prefix(key));
            line.and_then(|l| l.split_whitespace().next()?.parse().ok())
                .unwrap_or(0)
        };
        let stat = read("stat")?;
        // The second field is the program's name, in parentheses.
        let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let ticks = rest.split_whitespace().skip(11).take(2);
        Ok(Process {
            memory_kb: kb("VmRSS:"),
            peak_kb: kb("VmHWM:"),
            ticks: ticks.filter_map(|t| t.parse::<u64>().ok()).sum(),
        })
    }
}

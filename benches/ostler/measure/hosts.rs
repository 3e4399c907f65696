//! Many hosts, each a network away: when the console shows its first frame and all rows, what it
//! takes in memory, and how quickly keys are answered meanwhile, while one host hangs.
//!
//! The console runs as it does on a terminal, with the same loop and workers; its frames go
//! nowhere.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::unbounded_channel;

use super::Extent;
use super::far::{self, Far, TRIP, socket};
use super::row::{Row, ms};
use ostler::cli::Failure;
use ostler::console::run::rehearsal::{Rehearsal, rehearse};
use ostler::console::{ConsoleOptions, Subject};
use ostler::engine::{Client, Gate};
use ostler::walk::FleetFile;

/// Hosts.
const HOSTS: usize = 50;
/// Columns and lines.
const SIZE: (u16, u16) = (200, 50);
/// Keys that are pressed, and the time between two of them.
const KEYS: usize = 400;
const BETWEEN: Duration = Duration::from_millis(37);
/// Longest time that the frame of the last key is waited for.
const LAST: Duration = Duration::from_secs(2);
/// Longest time that rows are waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// Measures; all sites together are what the goals are about.
pub async fn measure(extent: Extent) -> Result<Vec<Row>, Failure> {
    let folder = Folder::new()?;
    let hosts = extent.pick(HOSTS, 4);
    let hanging = host(hosts / 2);
    let source = write(&folder.0, hosts, extent.pick(extent.sites(5000), 2 * hosts))?;
    if extent == Extent::Tiny {
        // All in one process: what it holds and how quick it is says nothing then.
        let simulated = far::build(&folder.0).await?;
        let quiet = open(&source, 0).await?;
        simulated.get(&hanging).map(far::hang);
        let typed = open(&source, 30).await?;
        return Ok(rows(&source, &quiet, &typed));
    }
    let mut far = Far::start(&folder.0).await?;
    let quiet = open(&source, 0).await?;
    far.hang(&hanging).await?;
    let typed = open(&source, KEYS).await?;
    far.mend(&hanging).await?;
    Ok(rows(&source, &quiet, &typed))
}

fn rows(source: &FleetFile, quiet: &Seen, typed: &Seen) -> Vec<Row> {
    let all = source.fleet.sites.len();
    let hosts = source.fleet.hosts.len();
    let what = format!("{hosts} hosts {} ms away, {all} sites", TRIP.as_millis());
    let used = quiet.resident as f64 / 1024.0;
    let mut rows = vec![
        Row::new(format!("{what}: first frame"), ms(quiet.frame))
            .goal("50 ms", quiet.frame <= Duration::from_millis(50)),
        Row::new(format!("{what}: all rows"), ms(quiet.rows))
            .goal("2 s", quiet.rows <= Duration::from_secs(2)),
    ];
    let mut memory = Row::new(format!("{what}: memory"), format!("{used:.1} MB"));
    memory.against = "all that the process holds".into();
    rows.push(memory.goal("60 MB", used <= 60.0));
    let at = |share: f64| {
        let place = (typed.keys.len() as f64 * share) as usize;
        let last = typed.keys.len().saturating_sub(1);
        typed.keys.get(place.min(last)).copied().unwrap_or_default()
    };
    let mut keys = Row::new(
        format!(
            "{what}, one hangs: key to frame, p99 of {}",
            typed.keys.len()
        ),
        ms(at(0.99)),
    );
    keys.against = format!("median {}, longest {}", ms(at(0.5)), ms(at(1.0)));
    rows.push(keys.goal("33 ms", at(0.99) <= Duration::from_millis(33)));
    rows
}

/// A folder that is gone at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Folder, Failure> {
        let random =
            getrandom::u32().map_err(|e| Failure::new(format!("there is no randomness: {e}")))?;
        let path = std::env::temp_dir().join(format!("ostler-bench-{random:08x}"));
        std::fs::create_dir(&path)
            .map_err(|e| Failure::caused(format!("cannot make {}", path.display()), &e))?;
        Ok(Folder(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A leftover in the temporary folder is not worth a word.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Writes the fleet file.
fn write(folder: &Path, hosts: usize, sites: usize) -> Result<FleetFile, Failure> {
    let source = text(folder, hosts, (sites / hosts).max(1));
    let path = folder.join("fleet.yml");
    std::fs::write(&path, &source)
        .map_err(|e| Failure::caused(format!("cannot write {}", path.display()), &e))?;
    Ok(FleetFile::of(&path, source)?.0)
}

/// What came of a console.
#[derive(Default)]
struct Seen {
    frame: Duration,
    rows: Duration,
    /// KiB when all rows were there.
    resident: u64,
    /// From each key to the frame that shows it, sorted.
    keys: Vec<Duration>,
}

/// Opens the console and presses that many keys; with none, until all rows are there.
async fn open(source: &FleetFile, keys: usize) -> Result<Seen, Failure> {
    let options = ConsoleOptions {
        subject: Subject::Fleet(source.clone()),
        connect: Arc::new(|host| {
            let address = host.engine.clone();
            Box::pin(async move { Client::connect(&address, Gate::on_call()).await })
        }),
        desk: Arc::default(),
        on_call: true,
        demo: false,
        no_color: false,
        config: None,
        state: None,
    };
    let (press, pressed) = unbounded_channel();
    let typist = tokio::spawn(async move {
        for n in 0..keys {
            tokio::time::sleep(BETWEEN).await;
            // Down a page, up a page, down to the end, to the start: all of the list is drawn.
            let key = ["ctrl-d", "j", "G", "k", "g", "n"][n % 6];
            if press.send((key, Instant::now())).is_err() {
                return;
            }
        }
        if keys == 0 {
            press.closed().await;
        }
        // The console ends with its keys: the last ones are to be shown before.
        let _ = tokio::time::timeout(LAST, press.closed()).await;
    });
    let all = source.fleet.sites.len();
    let start = Instant::now();
    let mut seen = Seen::default();
    let (mut late, mut known) = (false, 0);
    rehearse(options, SIZE, pressed, |now: &Rehearsal| {
        if seen.frame.is_zero() {
            seen.frame = start.elapsed();
        }
        seen.keys.extend(now.answered.iter().map(Instant::elapsed));
        if seen.rows.is_zero() && now.known == all {
            seen.rows = start.elapsed();
            seen.resident = resident();
        }
        known = now.known;
        late = start.elapsed() > PATIENCE && keys == 0;
        let enough = match keys {
            0 => !seen.rows.is_zero(),
            keys => seen.keys.len() >= keys,
        };
        late || enough
    })
    .await
    .map_err(|e| Failure::caused("the console cannot be drawn", &e))?;
    typist.abort();
    if late {
        return Err(Failure::new(format!(
            "only {known} of {all} sites ever came"
        )));
    }
    seen.keys.sort();
    Ok(seen)
}

/// KiB that this process holds in memory.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
    line.and_then(|l| l.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}

fn host(number: usize) -> String {
    format!("web{number:02}")
}

fn text(folder: &Path, hosts: usize, per_host: usize) -> String {
    let mut text = String::from("fleet: bench\ndefaults: { memory: 64M }\nhosts:\n");
    for number in 0..hosts {
        let name = host(number);
        let socket = socket(folder, &name);
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "  {name}: {{ engine: 'unix://{}' }}",
            socket.display()
        );
    }
    text.push_str("sites:\n");
    for number in 0..hosts {
        for site in 0..per_host {
            let name = format!("customer-{number:02}-{site:03}");
            let _ = writeln!(
                text,
                "  {name}: {{ host: {}, recipe: php, domains: [{name}.example, www.{name}.example] }}",
                host(number)
            );
        }
    }
    text
}

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

use super::far::{Far, TRIP, socket};
use super::{Row, ms};
use crate::cli::Failure;
use crate::console::rehearsal::{Rehearsal, rehearse};
use crate::console::{ConsoleOptions, Subject};
use crate::engine::{Client, Gate};
use crate::walk::FleetFile;

/// Hosts.
const HOSTS: usize = 50;
/// The one that hangs.
const HANGING: usize = HOSTS / 2;
/// Columns and lines.
const SIZE: (u16, u16) = (200, 50);
/// Keys that are pressed, and the time between two of them.
const KEYS: usize = 400;
const BETWEEN: Duration = Duration::from_millis(37);
/// Longest time that rows are waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// Measures with that many sites in all.
pub async fn measure(sites: usize) -> Result<Vec<Row>, Failure> {
    let folder = Folder::new()?;
    let source = write(&folder.0, sites)?;
    let mut far = Far::start(&folder.0).await?;
    let quiet = open(&source, 0).await?;
    far.hang(&host(HANGING)).await?;
    let typed = open(&source, KEYS).await?;
    far.mend(&host(HANGING)).await?;
    Ok(rows(&source, &quiet, &typed))
}

fn rows(source: &FleetFile, quiet: &Seen, typed: &Seen) -> Vec<Row> {
    let all = source.fleet.sites.len();
    let what = format!("{HOSTS} hosts {} ms away, {all} sites", TRIP.as_millis());
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
fn write(folder: &Path, sites: usize) -> Result<FleetFile, Failure> {
    let source = text(folder, (sites / HOSTS).max(1));
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
        late || (keys == 0 && !seen.rows.is_zero())
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

fn text(folder: &Path, per_host: usize) -> String {
    let mut text = String::from("fleet: bench\ndefaults: { memory: 64M }\nhosts:\n");
    for number in 0..HOSTS {
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
    for number in 0..HOSTS {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::bench::far;
    use crate::sim::{Fault, When};

    /// Small and without goals: that it measures what it says.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn rows_of_all_hosts_come_while_one_hangs() {
        let measured = async {
            let folder = Folder::new()?;
            let source = write(&folder.0, 100)?;
            let hosts = far::build(&folder.0).await?;
            far::listen(&folder.0, &hosts)?;
            let quiet = open(&source, 0).await?;
            let name: crate::fleet::Name = host(HANGING).parse().unwrap();
            let hanging = &hosts[&name];
            hanging
                .faults()
                .at(When::Every("", "/".into()), Fault::Hang);
            let typed = open(&source, 30).await?;
            Ok::<_, Failure>(rows(&source, &quiet, &typed))
        };
        let rows = measured.await.unwrap_or_else(|f| panic!("{}", f.message));
        let words: Vec<&str> = rows.iter().map(|r| r.what.as_str()).collect();
        assert_eq!(rows.len(), 4, "{words:?}");
        // The console ends with the last key, which may come before the frame that shows it.
        let all = ["p99 of 29", "p99 of 30"];
        assert!(all.iter().any(|p| words[3].contains(p)), "{words:?}");
    }
}

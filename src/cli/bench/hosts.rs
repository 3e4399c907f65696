//! Many hosts, each a network away: when the console shows its first frame and all rows, what it
//! takes in memory, and how quickly keys are answered meanwhile, while one host hangs.
//!
//! The console runs as it does on a terminal, with the same loop and workers; its frames go
//! nowhere.

use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::sync::mpsc::unbounded_channel;

use super::{Row, ms};
use crate::cli::Failure;
use crate::console::rehearsal::{Rehearsal, rehearse};
use crate::console::{ConsoleOptions, FleetSource, Subject};
use crate::engine::{Client, Gate};
use crate::fleet::{self, Limits, Name, SiteState};
use crate::host::archive::Entry;
use crate::host::layout::toolbox_name;
use crate::host::{Layout, Toolbox};
use crate::observe::model::{RecordedState, SiteRecord};
use crate::sim::image::Image;
use crate::sim::program::Server;
use crate::sim::{Fault, Pace, Sim, When};

/// Hosts.
const HOSTS: usize = 50;
/// How long each request takes.
const TRIP: Duration = Duration::from_millis(100);
/// Columns and lines.
const SIZE: (u16, u16) = (200, 50);
const IMAGE: &str = "bench/web:1";
/// Keys that are pressed, and the time between two of them.
const KEYS: usize = 400;
const BETWEEN: Duration = Duration::from_millis(37);
/// Longest time that rows are waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// Measures with that many sites in all.
pub async fn measure(sites: usize) -> Result<Vec<Row>, Failure> {
    measure_with(sites, KEYS).await
}

async fn measure_with(sites: usize, keys: usize) -> Result<Vec<Row>, Failure> {
    let per_host = (sites / HOSTS).max(1);
    let text = text(per_host);
    let path = Path::new("fleet.yml").to_owned();
    let fleet = fleet::load(&text, &path)
        .map_err(|_| Failure::new("the fleet of this benchmark is wrong"))?
        .fleet;
    let source = FleetSource {
        path,
        source: text,
        fleet: Arc::new(fleet),
    };
    let mut sims = Vec::new();
    for host in source.fleet.hosts.keys() {
        sims.push((host.clone(), build(host, &source).await?));
    }
    let all = source.fleet.sites.len();
    let what = format!("{HOSTS} hosts {} ms away, {all} sites", TRIP.as_millis());

    let before = resident();
    let first = open(&source, &sims, 0).await?;
    let used = first.resident.saturating_sub(before) as f64 / 1024.0;
    let mut rows = vec![
        Row::new(format!("{what}: first frame"), ms(first.frame))
            .goal("50 ms", first.frame <= Duration::from_millis(50)),
        Row::new(format!("{what}: all rows"), ms(first.rows))
            .goal("2 s", first.rows <= Duration::from_secs(2)),
    ];
    let mut memory = Row::new(format!("{what}: memory"), format!("{used:.1} MB"));
    memory.against = format!(
        "{:.1} MB of the simulated hosts before",
        before as f64 / 1024.0
    );
    rows.push(memory.goal("60 MB", used <= 60.0));

    // One of them hangs from the start: it accepts, and never answers.
    let (_, hanging) = &sims[HOSTS / 2];
    let faults = hanging.faults();
    faults.at(When::Every("", "/".into()), Fault::Hang);
    let typed = open(&source, &sims, keys).await?;
    faults.clear();
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
    Ok(rows)
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
async fn open(source: &FleetSource, sims: &[(Name, Sim)], keys: usize) -> Result<Seen, Failure> {
    let hosts: std::collections::BTreeMap<Name, Sim> = sims.iter().cloned().collect();
    let options = ConsoleOptions {
        subject: Subject::Fleet(source.clone()),
        connect: Arc::new(move |host| {
            let sim = hosts.get(&host.name).cloned();
            let address = host.engine.to_string();
            Box::pin(async move {
                match sim {
                    Some(sim) => Client::over(sim.connector(), &address, Gate::on_call()).await,
                    None => Err(crate::engine::Error::NotListening { address }),
                }
            })
        }),
        desk: Arc::default(),
        on_call: true,
        demo: true,
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

fn text(per_host: usize) -> String {
    let mut text = String::from("fleet: bench\nhosts:\n");
    for host in 0..HOSTS {
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "  web{host:02}: {{ engine: 'unix:///nowhere-{host:02}.sock' }}"
        );
    }
    text.push_str("sites:\n");
    for host in 0..HOSTS {
        for site in 0..per_host {
            let name = format!("customer-{host:02}-{site:03}");
            let _ = writeln!(
                text,
                "  {name}: {{ host: web{host:02}, recipe: php, domains: [{name}.example, www.{name}.example] }}"
            );
        }
    }
    text
}

/// A host with its sites, as if they had been applied long ago.
async fn build(host: &Name, source: &FleetSource) -> Result<Sim, Failure> {
    let fleet = &source.fleet;
    let sim = Sim::named(host.as_str(), 1, crate::sim::clock::Clock::real());
    let layout = Layout::new(&fleet.hosts[host].root);
    let refused = |refusal: crate::sim::world::Refusal| Failure::new(refusal.message);
    let body = |role: &str, site: &str| {
        json!({
            "Image": IMAGE,
            "Labels": {
                "ostler.fleet": fleet.name.as_str(), "ostler.role": role, "ostler.site": site,
                "ostler.hash": "0", "ostler.hash-version": "1",
            },
            "HostConfig": { "Binds": [format!("{0}:{0}", layout.root())] },
        })
    };
    let mut entries = Vec::new();
    sim.change(|world, now| {
        world.add_image(now, Image::new(IMAGE, 1, Some(Server::Web)));
        let toolbox = world.create(now, &toolbox_name(&fleet.name), &body("toolbox", ""))?;
        world.start(now, &toolbox)?;
        for (at, site) in fleet.sites_on(host).enumerate() {
            let name = format!("ostler-{}-{at:010}", fleet.name);
            let id = world.create(now, &name, &body("site", site.name.as_str()))?;
            world.start(now, &id)?;
        }
        Ok(())
    })
    .map_err(refused)?;
    for (at, site) in fleet.sites_on(host).enumerate() {
        let record = SiteRecord {
            schema: 1,
            site: site.name.clone(),
            uid: 200_000 + at as u32,
            spec: None,
            hash: Some("0".into()),
            limits: Limits::default(),
            address: None,
            route: None,
            secrets: Default::default(),
            state: RecordedState::Wanted(SiteState::Running),
            made: Default::default(),
            image_id: None,
        };
        let path = layout.site_record(&site.name);
        let path = layout.relative(&path).unwrap_or_default();
        let bytes = serde_json::to_vec(&record)
            .map_err(|e| Failure::caused("a record cannot be written", &e))?;
        entries.push(Entry::file(path, 0o600, 0, bytes));
    }
    let toolbox = Toolbox {
        client: Client::over(sim.connector(), sim.address(), Gate::full()).await?,
        id: toolbox_name(&fleet.name),
        layout: layout.clone(),
    };
    let put = toolbox.put(layout.root(), &entries).await;
    put.map_err(|e| Failure::of(&e))?;
    sim.set_pace(Pace {
        call: TRIP,
        ..Pace::default()
    });
    Ok(sim)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Small and without goals: that it measures what it says.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn rows_of_all_hosts_come_while_one_hangs() {
        let rows = measure_with(100, 30)
            .await
            .unwrap_or_else(|f| panic!("{}", f.message));
        let words: Vec<&str> = rows.iter().map(|r| r.what.as_str()).collect();
        assert_eq!(rows.len(), 4, "{words:?}");
        // The console ends with the last key, which may come before the frame that shows it.
        let all = ["p99 of 29", "p99 of 30"];
        assert!(all.iter().any(|p| words[3].contains(p)), "{words:?}");
    }
}

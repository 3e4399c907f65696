//! Many unchanged sites on an engine, quickly: the planner says what their containers and records
//! are, and only what a plan looks at is made. The first site is applied for real; the others are
//! stopped ones, whose containers were never started.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use super::program::say;
use super::stage::Stage;
use ostler::apply::body;
use ostler::cli::Failure;
use ostler::fleet::{self, Fleet, Host, Name, file_hash};
use ostler::host::archive::Entry;
use ostler::host::{Toolbox, state};
use ostler::observe::model::{HostObservation, Observed, ObservedHost};
use ostler::observe::scan::{Inspect, scan};
use ostler::plan::{self, OperationKind, Plan};
use ostler::record::{Layout, SiteRecord, names};

/// A fleet that was applied.
pub struct Filled {
    /// It.
    pub fleet: Fleet,
    /// Hash of its file.
    pub hash: String,
}

impl Filled {
    /// Its one host.
    pub fn host(&self) -> Result<&Host, Failure> {
        let host = self.fleet.hosts.values().next();
        host.ok_or_else(|| Failure::new("the fleet has no host"))
    }
}

/// Brings that many sites to the engine. The plan is empty afterwards.
pub async fn fill(stage: &Stage, sites: usize) -> Result<Filled, Failure> {
    say("applying one site: toolbox, router, network");
    stage.write(1, "running")?;
    stage.ostler(&["apply", "--yes"]).await?;

    say(&format!("creating the containers of {sites} sites"));
    let running = read(stage, stage.write(sites, "running")?)?;
    let host = running.host()?;
    let layout = Layout::new(&host.root);
    let found = look(stage, &running).await?;
    let images = found.images.clone();
    let wanted = planned(&running, found)?;
    let (mut containers, mut records, mut files) = (Vec::new(), Vec::new(), Vec::new());
    for operation in wanted.operations {
        match operation.kind {
            OperationKind::CreateContainer { container } => {
                let body = body::create(&container, &layout);
                let body = body.map_err(|failure| Failure::new(failure.to_string()))?;
                containers.push((container.name, body));
            }
            OperationKind::CreateFolders { site, uid, .. } => {
                files.extend(folders(&layout, &site, uid));
            }
            OperationKind::WriteConf {
                site,
                hash,
                files: conf,
            } => {
                files.extend(configuration(&layout, &site, &hash, &conf));
            }
            OperationKind::WriteRecord { mut record } => {
                let image = record.spec.as_ref().and_then(|s| images.get(&s.image));
                record.image_id = image.cloned();
                records.push(*record);
            }
            _ => {}
        }
    }
    stage.create(containers).await?;
    let toolbox = Toolbox {
        client: stage.client.clone(),
        id: names::toolbox(&running.fleet.name),
        layout,
    };
    put(&toolbox, &files).await?;
    put(&toolbox, &written(&toolbox.layout, &records)?).await?;

    // They never ran: what is left of stopping them is what is written down about it.
    let stopped = read(stage, stage.write(sites, "stopped")?)?;
    let found = look(stage, &stopped).await?;
    let read_state = found.state.read();
    let mut router = read_state
        .map(|state| state.router.clone())
        .unwrap_or_default();
    let mut records = Vec::new();
    for operation in planned(&stopped, found)?.operations {
        match operation.kind {
            OperationKind::WriteRecord { record } => records.push(*record),
            OperationKind::Route { entry } => {
                router.routes.insert(entry.site.clone(), entry);
            }
            OperationKind::SettleRun { .. } | OperationKind::RecordFleet { .. } => {}
            _ => {
                return Err(Failure::new(format!(
                    "a site that never ran cannot be had by records alone: {}",
                    operation.id
                )));
            }
        }
    }
    put(&toolbox, &written(&toolbox.layout, &records)?).await?;
    state::write_router(&toolbox, &router)
        .await
        .map_err(|e| Failure::of(&e))?;
    stage.ostler(&["apply", "--yes"]).await?;
    let left = planned(&stopped, look(stage, &stopped).await?)?;
    match left.operations.first() {
        None => Ok(stopped),
        Some(operation) => Err(Failure::new(format!(
            "the plan should be empty and has {} operations, the first is {}",
            left.operations.len(),
            operation.id
        ))),
    }
}

fn read(stage: &Stage, text: String) -> Result<Filled, Failure> {
    let loaded = fleet::load(&text, &stage.file())
        .map_err(|_| Failure::new("the fleet file of this benchmark is wrong"))?;
    Ok(Filled {
        fleet: loaded.fleet,
        hash: file_hash(text.as_bytes()),
    })
}

/// What is on the engine.
pub async fn look(stage: &Stage, filled: &Filled) -> Result<ObservedHost, Failure> {
    let host = filled.host()?;
    let found = scan(&stage.client, host, &filled.fleet, None, &Inspect::Needed);
    Ok(found.await?)
}

/// What is to be done; nothing may be in the way.
pub fn planned(filled: &Filled, found: ObservedHost) -> Result<Plan, Failure> {
    let host = filled.host()?.name.clone();
    let mut observed = Observed::default();
    observed.lineage.ancestors.insert(filled.hash.clone());
    observed
        .lineage
        .known_sites
        .extend(filled.fleet.sites.values().map(|site| site.name.clone()));
    if let Some(state) = found.state.read()
        && let Some(record) = &state.host
    {
        // The file was made here, by this program, step by step.
        observed.lineage.ancestors.insert(record.fleet_hash.clone());
    }
    observed
        .hosts
        .insert(host, HostObservation::Reached(std::sync::Arc::new(found)));
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_or(0, |since| since.as_secs() as i64);
    let plan = plan::plan(&filled.fleet, &filled.hash, &observed, &[], now);
    match plan.problems.first() {
        None => Ok(plan),
        Some(problem) => Err(Failure::new(format!("{}: {}", problem.host, problem.what))),
    }
}

/// A site's folders, as an apply makes them.
fn folders(layout: &Layout, site: &Name, uid: u32) -> Vec<Entry> {
    let entry = |path: String, mode, owner| Entry::folder(below(layout, &path), mode, owner);
    vec![
        entry(layout.site(site), 0o711, 0),
        entry(layout.logs(site), 0o750, uid),
        entry(layout.private(site), 0o711, 0),
        entry(layout.secrets(site), 0o700, uid),
        entry(layout.www(site), 0o755, uid),
    ]
}

/// The files of a site's spec, all in the folder that is named by the spec's hash.
fn configuration(
    layout: &Layout,
    site: &Name,
    hash: &str,
    files: &BTreeMap<String, String>,
) -> Vec<Entry> {
    let conf = below(layout, &layout.conf(site, hash)).to_owned();
    let file = |(path, text): (&String, &String)| {
        Entry::file(&format!("{conf}/{path}"), 0o644, 0, text.as_bytes())
    };
    let folder = Entry::folder(&conf, 0o755, 0);
    std::iter::once(folder)
        .chain(files.iter().map(file))
        .collect()
}

fn written(layout: &Layout, records: &[SiteRecord]) -> Result<Vec<Entry>, Failure> {
    let entry = |record: &SiteRecord| {
        let path = layout.site_record(&record.site);
        let bytes = serde_json::to_vec_pretty(record)
            .map_err(|e| Failure::caused("a record cannot be written", &e))?;
        Ok(Entry::file(below(layout, &path), 0o600, 0, bytes))
    };
    records.iter().map(entry).collect()
}

fn below<'a>(layout: &Layout, path: &'a str) -> &'a str {
    layout.relative(path).unwrap_or_default()
}

/// Writes all of it in one archive.
async fn put(toolbox: &Toolbox, entries: &[Entry]) -> Result<(), Failure> {
    let put = toolbox.put(toolbox.layout.root(), entries).await;
    put.map_err(|e| Failure::of(&e))
}

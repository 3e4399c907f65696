//! Many unchanged sites on an engine, quickly: the planner says what their containers and records
//! are, and only what a plan looks at is made. The first site is applied for real; the others are
//! stopped ones, whose containers were never started.

use std::time::{SystemTime, UNIX_EPOCH};

use super::stage::Stage;
use crate::apply::body;
use crate::cli::Failure;
use crate::fleet::{self, Fleet, Host, file_hash};
use crate::host::archive::Entry;
use crate::host::{Toolbox, state};
use crate::observe::model::{HostObservation, Observed, ObservedHost};
use crate::observe::scan::{Inspect, scan};
use crate::plan::{self, OperationKind, Plan};
use crate::record::{Layout, SiteRecord, names};

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
    let say = |text: &str| stage.out.say(text);
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
    let (mut containers, mut records) = (Vec::new(), Vec::new());
    for operation in wanted.operations {
        match operation.kind {
            OperationKind::CreateContainer { container } => {
                let body = body::create(&container, &layout);
                let body = body.map_err(|failure| Failure::new(failure.to_string()))?;
                containers.push((container.name, body));
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
    put(&toolbox, &records).await?;

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
    put(&toolbox, &records).await?;
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

/// Writes records, all in one archive.
async fn put(toolbox: &Toolbox, records: &[SiteRecord]) -> Result<(), Failure> {
    let mut entries = Vec::new();
    for record in records {
        let path = toolbox.layout.site_record(&record.site);
        let path = toolbox.layout.relative(&path).unwrap_or_default();
        let bytes = serde_json::to_vec_pretty(record)
            .map_err(|e| Failure::caused("a record cannot be written", &e))?;
        entries.push(Entry::file(path, 0o600, 0, bytes));
    }
    let root = toolbox.layout.root().to_owned();
    toolbox
        .put(&root, &entries)
        .await
        .map_err(|e| Failure::of(&e))
}

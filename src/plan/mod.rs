//! The difference between what should be and what is, as operations. Pure: no I/O, no clock.
//!
//! [`plan`] goes through the hosts of the fleet file. [`host`](self) lays the ground that sites
//! stand on (network, toolbox, router), `site` brings each site's containers, files and routes to
//! what the file says, whatever state an earlier apply left them in. What a plan chooses, such as
//! addresses and user ids, is written into its operations.

pub mod basis;
pub mod cause;
pub mod drift;
pub mod graph;
pub mod operation;
pub mod recipe;
pub mod service;
pub mod show;
pub mod unfinished;
mod upkeep;

mod address;
mod asked;
mod container;
mod draft;
mod ground;
mod host;
pub mod image;
mod index;
mod limits;
mod lineage;
pub mod newer;
mod order;
mod place;
mod route;
mod site;
mod uid;
mod wish;

pub use graph::{Notice, Plan, Problem};
pub use operation::{
    Class, ContainerRef, Deed, Facts, Interruption, Operation, OperationId, OperationKind, Undo,
};
pub use wish::{Intent, PlanOptions};

use crate::fleet::Fleet;
use crate::observe::model::Observed;

/// What has to be done so that the hosts are as `fleet` says. `fleet_hash` is the hash of the fleet
/// file's bytes, `now` in Unix seconds.
pub fn plan(
    fleet: &Fleet,
    fleet_hash: &str,
    observed: &Observed,
    intents: &[Intent],
    now: i64,
) -> Plan {
    plan_with(
        fleet,
        fleet_hash,
        observed,
        intents,
        now,
        &PlanOptions::default(),
    )
}

/// [`plan`], narrowed or widened by `options`.
pub fn plan_with(
    fleet: &Fleet,
    fleet_hash: &str,
    observed: &Observed,
    intents: &[Intent],
    now: i64,
    options: &PlanOptions,
) -> Plan {
    let mut plan = Plan {
        fleet: fleet.name.to_string(),
        fleet_hash: fleet_hash.to_owned(),
        ..Plan::default()
    };
    let wish = wish::Wish {
        fleet,
        fleet_hash,
        observed,
        intents,
        now,
        options,
        claims: route::Claims::of(fleet),
    };
    for host in fleet.hosts.values() {
        host::plan(&wish, host, &mut plan);
    }
    let updates =
        |intent: &Intent| matches!(intent, Intent::Update { .. } | Intent::UpdateRouter { .. });
    plan.careful = intents.iter().any(updates) && !plan.operations.is_empty();
    order::tie(fleet, &mut plan);
    wish::check(&wish, &mut plan);
    plan
}

#[cfg(test)]
mod tests;

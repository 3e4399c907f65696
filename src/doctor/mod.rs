//! What would get in the way on a host, and what would mend it.

pub mod check;
pub mod facts;
pub mod finding;
pub mod local;
pub mod look;
mod reach;
mod remote;

use serde::Serialize;

use crate::engine::{Mode, Network};
use facts::Patient;
use finding::{Finding, Mark};

/// What the doctor says of one host.
#[derive(Debug, Serialize)]
pub struct Report {
    /// What it is called.
    pub host: String,
    /// The engine's address.
    pub engine: String,
    /// One for each check; one alone where the engine does not answer.
    pub findings: Vec<Finding>,
}

/// Looks at a host and judges what was found. Changes nothing, whatever the mode.
pub async fn examine(network: &Network, mode: Mode, patient: &Patient) -> Report {
    let mut findings = match look::look(network, mode, patient).await {
        Ok(facts) => check::all(&facts),
        Err(error) => vec![Finding {
            check: "engine",
            mark: Mark::Fail,
            text: error.to_string(),
            remedy: error.remedy(),
        }],
    };
    let key = network.open_key(&patient.engine);
    findings.extend(key.map(|key| check::open_key(&key)));
    Report {
        host: patient.name.clone(),
        engine: patient.engine.to_string(),
        findings,
    }
}

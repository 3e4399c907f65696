//! One line of the list of sites: a verdict and what it goes by.

use std::sync::Arc;

use super::certificates::CertificateRow;
use super::evidence::{HostData, Reading, Run};
use super::life::Life;
use super::since::Since;
use super::state::State;
use crate::fleet::{Name, SiteState};
use crate::observe::asked::SiteAnswer;
use crate::plan::drift::Field;

/// One line of the list of sites.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SiteRow {
    /// What it is bound to: unique over the fleet, stable while the row lives.
    pub key: Arc<str>,
    /// The site's name, or a foreign container's.
    pub name: String,
    /// Not a site but a host in trouble.
    pub is_host: bool,
    /// A container without a label of ours.
    pub foreign: bool,
    /// In the fleet file.
    pub in_file: bool,
    /// Compose project of a foreign container.
    pub project: String,
    /// Customer.
    pub account: String,
    pub host: String,
    /// Recipe's word; the service of a foreign container.
    pub recipe: String,
    /// Image reference.
    pub image: String,
    /// The host has a newer image under that reference than its container runs.
    pub newer_image: bool,
    /// Domains it answers for.
    pub domains: Vec<String>,
    /// What the file wants.
    pub wanted: Option<SiteState>,
    /// How it does.
    pub state: State,
    /// What is there, whatever should be.
    pub life: Life,
    /// Whether what is there is what the file wants.
    pub as_wanted: bool,
    /// Since when it does so, where known.
    pub since: Option<Since>,
    /// When its container started, or ended, unix seconds, where known.
    pub turned: Option<i64>,
    /// What came of asking it ourselves.
    pub http: Option<Reading<SiteAnswer>>,
    /// The bad answers that visitors got since the last good one, as far as the router's log tells.
    pub bad: Option<Run>,
    /// Those of them who waited in vain.
    pub waited: Option<Run>,
    /// Requests per second.
    pub requests: Option<Reading<f64>>,
    /// Answers of 500 and above per minute.
    pub errors: Option<Reading<f64>>,
    /// Connections held at the router.
    pub connections: Option<Reading<u32>>,
    /// Bytes in use.
    pub memory_used: Option<Reading<u64>>,
    /// Bytes allowed.
    pub memory_limit: Option<u64>,
    /// Share of one CPU in use, 1.0 = one whole.
    pub cpu: Option<Reading<f64>>,
    /// Restarts made by the engine.
    pub restarts: u64,
    /// Times the kernel killed a process of it for memory, as far as the engine remembers.
    pub oom: u32,
    /// The last of them.
    pub last_oom: i64,
    /// Whether its container runs.
    pub running: bool,
    /// Container that serves it.
    pub container: Option<String>,
    /// That container's name.
    pub container_name: String,
    /// Its address on the sites' network.
    pub address: String,
    /// Its certificate, where it has one or is to have one.
    pub certificate: Option<Arc<CertificateRow>>,
    /// What is the matter, or worth knowing.
    pub why: String,
    /// What differs between last applied, live, and the file.
    pub drift: Vec<Field>,
    /// Its host does not answer: all of this is from `seen`.
    pub stale: bool,
    /// When its host was last read.
    pub seen: Option<i64>,
}

impl SiteRow {
    /// Whether it is as it should be, as far as anybody can tell: what is there is what the file
    /// wants, and it does not fail.
    pub fn is_ok(&self) -> bool {
        self.as_wanted && !matches!(self.state, State::Failing | State::Restarting)
    }
}

/// One of which nothing is known but its name and its host.
pub(super) fn blank(host: &Name, name: &str, data: &HostData, stale: bool) -> SiteRow {
    SiteRow {
        key: Arc::from(format!("{host}/{name}")),
        name: name.to_owned(),
        host: host.to_string(),
        stale,
        seen: data.observed_at,
        ..SiteRow::default()
    }
}

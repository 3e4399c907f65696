//! Starting a container, and asking it.

use std::net::Ipv4Addr;

use super::super::stage::Stage;
use crate::fleet::{Site, SiteState};
use crate::observe::model::{ObservedContainer, RunState};
use crate::plan::cause;
use crate::plan::container::{existing, is_active};
use crate::plan::draft::Step;
use crate::plan::operation::{ContainerRef, OperationKind};
use crate::record::RecordedState;

/// Where a site's container is asked.
pub(crate) struct Answers<'s> {
    pub site: &'s Site,
    pub address: Ipv4Addr,
    pub port: u16,
}

impl Answers<'_> {
    /// Waits until `container` answers, no worse than the one at `baseline`.
    pub fn wait(&self, container: ContainerRef, baseline: Option<Ipv4Addr>) -> OperationKind {
        let site = self.site;
        OperationKind::AwaitReady {
            container,
            address: self.address,
            port: self.port,
            path: site.health.path.clone(),
            domain: site
                .asked()
                .map_or_else(|| site.name.to_string(), |domain| domain.to_string()),
            timeout_s: site.health.timeout_s,
            baseline,
        }
    }
}

/// Starts what does not run; returns whether it did.
pub(super) fn start(
    stage: &mut Stage,
    keep: Option<&ObservedContainer>,
    current: &ContainerRef,
    causes: &[String],
) -> bool {
    let container = current.clone();
    let Some(keep) = keep else {
        let kind = OperationKind::StartContainer { container };
        stage.push(Step::new("start", kind, causes));
        return true;
    };
    if keep.run == RunState::Paused {
        // Stopping resumes it: what it was doing ends properly.
        let kind = OperationKind::RestartContainer {
            container,
            grace_s: 10,
        };
        stage.push(Step::new("start", kind, &[]).because("its container is paused"));
        return true;
    }
    if is_active(keep) {
        return false;
    }
    let kind = OperationKind::StartContainer { container };
    let mut step = Step::new("start", kind, causes);
    let should_run = RecordedState::Wanted(SiteState::Running);
    let record = stage.view.record;
    if record.is_none_or(|record| record.state == should_run) {
        step = step.because(cause::of_halt(keep, stage.ground.wish.now));
    }
    if !stage.view.is_routed(keep) {
        // One that requests are sent to stays up even if it is slow to answer: nothing else does.
        step = step.undone_by(OperationKind::StopContainer {
            container: existing(keep),
            grace_s: 10,
        });
    }
    stage.push(step);
    true
}

/// Waits until it answers, before requests are sent to it.
pub(super) fn await_ready(
    stage: &mut Stage,
    answers: &Answers,
    current: &ContainerRef,
    serving: Option<&ObservedContainer>,
    causes: &[String],
) {
    let baseline = serving
        .filter(|serving| serving.is_running())
        .and_then(|serving| stage.view.address(serving));
    let mut step = Step::new("ready", answers.wait(current.clone(), baseline), causes);
    if causes.is_empty() {
        step = step.because("it must answer before requests are sent to it");
    }
    stage.push_prepared(step);
}

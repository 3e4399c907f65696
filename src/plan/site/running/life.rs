//! Starting a container, asking it, restarting it.

use super::super::view::View;
use crate::fleet::{Site, SiteState};
use crate::observe::model::{ObservedContainer, RunState};
use crate::plan::cause;
use crate::plan::container::{existing, is_active};
use crate::plan::draft::{Chain, Draft, Step};
use crate::plan::ground::Ground;
use crate::plan::operation::{ContainerRef, Interruption, OperationKind};
use crate::plan::wish::Intent;
use crate::record::{RecordedState, names};

/// Starts what does not run; returns whether it did.
pub(super) fn start(
    chain: &mut Chain,
    view: &View,
    keep: Option<&ObservedContainer>,
    current: &ContainerRef,
    causes: &[String],
    ground: &Ground,
) -> bool {
    let Some(keep) = keep else {
        let kind = OperationKind::StartContainer {
            container: current.clone(),
        };
        chain.push(Step::new("start", kind, causes), &[]);
        return true;
    };
    if keep.run == RunState::Paused {
        // Stopping resumes it: what it was doing ends properly.
        let kind = OperationKind::RestartContainer {
            container: existing(keep),
            grace_s: 10,
        };
        chain.push(
            Step::new("start", kind, &[]).because("its container is paused"),
            &[],
        );
        return true;
    }
    if is_active(keep) {
        return false;
    }
    let kind = OperationKind::StartContainer {
        container: existing(keep),
    };
    let mut step = Step::new("start", kind, causes);
    let should_run = RecordedState::Wanted(SiteState::Running);
    if view.record.is_none_or(|record| record.state == should_run) {
        step = step.because(cause::of_halt(keep, ground.wish.now));
    }
    if !view.is_routed(keep) {
        // One that requests are sent to stays up even if it is slow to answer: nothing else does.
        step = step.undone_by(OperationKind::StopContainer {
            container: existing(keep),
            grace_s: 10,
        });
    }
    chain.push(step, &[]);
    true
}

#[expect(
    clippy::too_many_arguments,
    reason = "one caller; a struct would only rename them"
)]
pub(super) fn await_ready(
    chain: &mut Chain,
    view: &View,
    site: &Site,
    current: &ContainerRef,
    address: std::net::Ipv4Addr,
    port: u16,
    serving: Option<&ObservedContainer>,
    causes: &[String],
    ground: &Ground,
) {
    let kind = OperationKind::AwaitReady {
        container: current.clone(),
        address,
        port,
        path: site.health.path.clone(),
        domain: site
            .domains
            .first()
            .map_or_else(|| site.name.to_string(), ToString::to_string),
        timeout_s: site.health.timeout_s,
        baseline: serving
            .filter(|serving| serving.is_running())
            .and_then(|serving| view.address(serving)),
    };
    let mut step = Step::new("ready", kind, causes);
    if causes.is_empty() {
        step = step.because("it must answer before requests are sent to it");
    }
    chain.push(step, &[ground.prepared.as_ref()]);
}

/// The intent `restart`, where the site is not started anyway.
#[expect(
    clippy::too_many_arguments,
    reason = "one caller; a struct would only rename them"
)]
pub(super) fn restart(
    chain: &mut Chain,
    draft: &mut Draft,
    ground: &Ground,
    site: &Site,
    keep: Option<&ObservedContainer>,
    started: bool,
    address: std::net::Ipv4Addr,
    port: u16,
) {
    let asked = ground
        .wish
        .intents
        .iter()
        .any(|intent| matches!(intent, Intent::Restart { site: name } if *name == site.name));
    if !asked {
        return;
    }
    let Some(keep) = keep.filter(|_| !started) else {
        draft.notice(Some(&site.name), "restart: this plan starts it anyway");
        return;
    };
    // The rename may have come first; the id stays.
    let container = ContainerRef {
        name: names::site(&ground.wish.fleet.name, site.name.as_str()),
        id: Some(keep.id.clone()),
    };
    let kind = OperationKind::RestartContainer {
        container: container.clone(),
        grace_s: 30,
    };
    let step = Step::new("restart", kind, &[])
        .because("asked for: restart")
        .interrupts(Interruption::Seconds(3));
    chain.push(step, &[]);
    let kind = OperationKind::AwaitReady {
        container,
        address,
        port,
        path: site.health.path.clone(),
        domain: site
            .domains
            .first()
            .map_or_else(|| site.name.to_string(), ToString::to_string),
        timeout_s: site.health.timeout_s,
        baseline: None,
    };
    let step = Step::new("restarted", kind, &[]).because("asked for: restart");
    chain.push(step, &[ground.prepared.as_ref()]);
}

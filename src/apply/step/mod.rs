//! One small function per kind of operation. Each may be run again after it was cut off, and then
//! finishes what was begun.

mod container;
mod folder;
mod guard;
mod host;
mod image;
mod ready;
mod record;
mod route;
mod service;

use super::host_work::HostWork;
use super::progress::{Answer, Say};
use crate::fleet::Name;
use crate::plan::OperationKind;

/// Does one operation.
pub(super) async fn perform(
    kind: &OperationKind,
    site: Option<&Name>,
    work: &HostWork,
    say: &Say,
) -> Answer {
    match dispatch(kind, site, work, say).await {
        Err(failure) => Err(work.or_gone(failure).await),
        answer => answer,
    }
}

async fn dispatch(kind: &OperationKind, site: Option<&Name>, work: &HostWork, say: &Say) -> Answer {
    use OperationKind as K;
    match kind {
        K::PullImage { image, anew } => image::pull(work, image, *anew, say).await,
        K::BuildImage { image, base } => image::build(work, image, base, say).await,
        K::CreateNetwork {
            name,
            subnet,
            labels,
        } => host::network(work, name, *subnet, labels).await,
        K::PrepareHost { expect_empty, .. } => host::prepare(work, *expect_empty).await,
        K::CheckPorts { ports } => host::ports(work, ports).await,
        K::WriteRouter { config, hash } => route::write(work, config, hash).await,
        K::CreateFolders {
            site,
            uid,
            placeholder,
        } => folder::create(work, site, *uid, *placeholder).await,
        K::TakeOwnership { site, from, uid } => folder::own(work, site, *from, *uid, say).await,
        K::WriteConf { site, hash, files } => folder::write_conf(work, site, hash, files).await,
        K::CleanConf { site, keep } => folder::clean_conf(work, site, keep.as_deref()).await,
        K::Service(operation) => service::perform(operation, work, say).await,
        K::CreateContainer { container } => container::create(work, container).await,
        K::StartContainer { container } => container::start(work, container).await,
        K::AwaitReady {
            container,
            address,
            port,
            path,
            domain,
            timeout_s,
            baseline,
        } => {
            let question = ready::Question {
                address: address.to_string(),
                port: *port,
                path,
                domain,
                timeout_s: *timeout_s,
            };
            ready::site(work, container, &question, *baseline).await
        }
        K::AwaitRouter { container, port } => ready::router(work, container, *port).await,
        K::OpenGuard { container, table } => guard::open(work, container, table).await,
        K::AwaitGuard { container, table } => guard::stands(work, container, table).await,
        K::Route { entry } => route::put(work, entry).await,
        K::Unroute { site } => route::remove(work, site).await,
        K::Drain { address, at_most_s } => route::drain(work, *address, *at_most_s).await,
        K::StopContainer { container, grace_s } => container::stop(work, container, *grace_s).await,
        K::RestartContainer { container, grace_s } => {
            container::restart(work, container, *grace_s).await
        }
        K::RemoveContainer { container, force } => container::remove(work, container, *force).await,
        K::RenameContainer { container, to } => container::rename(work, container, to).await,
        K::SetLimits {
            container,
            limits,
            was,
        } => container::set_limits(work, container, limits, was).await,
        K::SetRestart { container, always } => {
            container::set_restart(work, container, *always).await
        }
        K::WriteRecord { record } => record::write(work, site, record).await,
        K::SettleRun { run, undone } => record::settle(work, run, *undone).await,
        K::RecordFleet { hash } => record::fleet(work, hash).await,
    }
}

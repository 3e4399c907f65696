//! What holds for every operation of a kind, once: one row for each. An operation of a service tells
//! its own.

use super::facts::{Deed, Facts};
use super::kind::OperationKind;

impl OperationKind {
    /// Its row of the table.
    pub fn facts(&self) -> Facts {
        match self {
            Self::PullImage { .. } => Facts::write("pull_image"),
            Self::BuildImage { .. } => Facts::write("build_image"),
            Self::CreateNetwork { .. } => Facts::write("create_network"),
            Self::PrepareHost { .. } => Facts::write("prepare_host"),
            Self::CheckPorts { .. } => Facts::read("check_ports"),
            Self::WriteRouter { .. } => Facts::write("write_router"),
            Self::CreateFolders { .. } => Facts::write("create_folders"),
            Self::TakeOwnership { .. } => Facts::write("take_ownership"),
            Self::WriteConf { .. } => Facts::write("write_conf"),
            Self::CleanConf { .. } => Facts::write("clean_conf").follows(),
            Self::Service(operation) => operation.tells().facts(),
            Self::CreateContainer { .. } => Facts::write("create_container").does(Deed::Create),
            Self::StartContainer { .. } => Facts::write("start_container").does(Deed::Start),
            Self::AwaitReady { .. } => Facts::read("await_ready").follows(),
            Self::AwaitRouter { .. } => Facts::read("await_router").follows(),
            Self::OpenGuard { .. } => Facts::destructive("open_guard"),
            Self::AwaitGuard { .. } => Facts::read("await_guard").follows(),
            Self::Route { .. } => Facts::write("route").does(Deed::Route),
            Self::Unroute { .. } => Facts::destructive("unroute").does(Deed::Unroute),
            Self::Drain { .. } => Facts::read("drain").follows(),
            Self::StopContainer { .. } => Facts::destructive("stop_container"),
            Self::RestartContainer { .. } => Facts::write("restart_container").does(Deed::Restart),
            Self::RemoveContainer { .. } => Facts::destructive("remove_container")
                .does(Deed::Remove)
                .follows(),
            Self::RenameContainer { .. } => Facts::write("rename_container").follows(),
            Self::SetLimits { .. } => Facts::write("set_limits"),
            Self::SetRestart { .. } => Facts::write("set_restart"),
            Self::WriteRecord { .. } => Facts::write("write_record").follows(),
            Self::SettleRun { .. } => Facts::write("settle_run").does(Deed::Note).follows(),
            Self::RecordFleet { .. } => Facts::write("record_fleet").does(Deed::Note).follows(),
        }
    }
}

//! Operations in words.

use super::kind::OperationKind;
use crate::fleet::Limits;
use crate::record::route::RouteTarget;

impl OperationKind {
    /// What it does, in a few words.
    pub fn describe(&self) -> String {
        match self {
            Self::PullImage { image, anew: false } => format!("pull image {image}"),
            Self::PullImage { image, anew: true } => format!("pull image {image} again"),
            Self::BuildImage { image, base } => format!("build image {image} from {base}"),
            Self::CreateNetwork { name, subnet, .. } => format!("create network {name} {subnet}"),
            Self::PrepareHost { .. } => "make ostler's folders".to_owned(),
            Self::CheckPorts { ports } => format!("check that ports {} are free", list(ports)),
            Self::WriteRouter { .. } => "write the router's configuration".to_owned(),
            Self::CreateFolders { placeholder, .. } => if *placeholder {
                "make folders and a placeholder page"
            } else {
                "make folders"
            }
            .to_owned(),
            Self::TakeOwnership { from, uid, .. } => {
                format!(
                    "give its files from {}:{} to {uid}:{uid}",
                    from.uid, from.gid
                )
            }
            Self::WriteConf { files, .. } => {
                let names: Vec<&str> = files.keys().map(String::as_str).collect();
                format!("write {}", names.join(", "))
            }
            Self::CleanConf { .. } => "remove old configuration".to_owned(),
            Self::Service(operation) => operation.tells().describe(),
            Self::CreateContainer { container } => {
                let address = container
                    .address
                    .map(|address| format!(" at {address}"))
                    .unwrap_or_default();
                format!("create container from {}{address}", container.spec.image)
            }
            Self::StartContainer { container } => format!("start {}", container.name),
            Self::AwaitReady {
                address,
                port,
                path,
                ..
            } => {
                format!("wait for an answer from {address}:{port}{path}")
            }
            Self::AwaitRouter { port, .. } => format!("wait for the router on port {port}"),
            Self::OpenGuard { .. } => "take its rules away".to_owned(),
            Self::AwaitGuard { .. } => "wait until its rules stand".to_owned(),
            Self::Route { entry } => match &entry.target {
                RouteTarget::Address { ip, port, .. } => format!("route to {ip}:{port}"),
                RouteTarget::Resolve { host, port } => format!("route to {host}:{port}"),
                RouteTarget::Stopped => "route to the page that says it is stopped".to_owned(),
            },
            Self::Unroute { .. } => "take its routes away".to_owned(),
            Self::Drain { address, at_most_s } => {
                format!("let requests to {address} end, {at_most_s} s at most")
            }
            Self::StopContainer { container, .. } => format!("stop {}", container.name),
            Self::RestartContainer { container, .. } => format!("restart {}", container.name),
            Self::RemoveContainer { container, .. } => format!("remove {}", container.name),
            Self::RenameContainer { container, to } => format!("rename {} to {to}", container.name),
            Self::SetLimits { limits, was, .. } => limits_change(was, limits),
            Self::SetRestart { container, always } => {
                let when = if *always { "always" } else { "never" };
                format!("have {} started again: {when}", container.name)
            }
            Self::WriteRecord { .. } => "record what was applied".to_owned(),
            Self::SettleRun { run, undone } => match undone {
                true => format!("note that apply {run} is taken back"),
                false => format!("note that apply {run} is finished"),
            },
            Self::RecordFleet { .. } => "keep the fleet file on the host".to_owned(),
        }
    }
}

fn limits_change(was: &Limits, now: &Limits) -> String {
    let both = was.each().into_iter().zip(now.each());
    let changed = both.filter(|(was, now)| was != now);
    let parts: Vec<String> = changed
        .map(|(_, (key, now))| format!("{key} {}", now.unwrap_or_else(|| "none".to_owned())))
        .collect();
    format!("set {} in place", parts.join(", "))
}

fn list(ports: &[u16]) -> String {
    let ports: Vec<String> = ports.iter().map(ToString::to_string).collect();
    ports.join(" and ")
}

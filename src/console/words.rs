//! Operations in an operator's words.

use super::text::{clean, size};
use crate::fleet::Limits;
use crate::plan::{Class, Interruption, OperationKind, Undo};

/// What an operation does, short.
pub fn what(kind: &OperationKind) -> String {
    use OperationKind as K;
    let text = match kind {
        K::PullImage { image } => format!("pull image {image}"),
        K::BuildToolbox { image, .. } => format!("build image {image}"),
        K::CreateNetwork { name, subnet, .. } => format!("create network {name} {subnet}"),
        K::PrepareHost { .. } => "prepare the host's folders".into(),
        K::CheckPorts { ports } => {
            let ports: Vec<_> = ports.iter().map(u16::to_string).collect();
            format!("check that ports {} are free", ports.join(", "))
        }
        K::WriteRouter { .. } => "write the router's configuration".into(),
        K::CreateFolders { .. } => "create its folders".into(),
        K::TakeOwnership { uid, .. } => format!("give its files to user {uid}"),
        K::WriteConf { .. } => "write its configuration".into(),
        K::CleanConf { .. } => "remove old configuration".into(),
        K::WriteSecrets { digests, .. } => format!("write {} secrets", digests.len()),
        K::CreateContainer { container } => {
            format!("create container from {}", container.spec.image)
        }
        K::StartContainer { .. } => "start its container".into(),
        K::AwaitReady { .. } => "wait until it answers".into(),
        K::AwaitRouter { .. } => "wait until the router answers".into(),
        K::Route { entry } => match entry.domains.len() {
            0 | 1 => format!(
                "route {}",
                entry
                    .domains
                    .first()
                    .map(|d| d.as_str())
                    .unwrap_or("nothing")
            ),
            n => format!("route {} and {} more", entry.domains[0], n - 1),
        },
        K::Unroute { .. } => "take its route away".into(),
        K::Drain { .. } => "let running requests finish".into(),
        K::StopContainer { container, .. } => format!("stop container {}", container.name),
        K::RestartContainer { .. } => "restart its container".into(),
        K::RemoveContainer { container, .. } => format!("remove container {}", container.name),
        K::RenameContainer { to, .. } => format!("rename container to {to}"),
        K::SetLimits { limits, was, .. } => limits_change(was, limits),
        K::WriteRecord { .. } => "record what was applied".into(),
        K::RecordFleet { .. } => "record the fleet file".into(),
    };
    clean(&text).into_owned()
}

fn limits_change(was: &Limits, now: &Limits) -> String {
    let mut parts = Vec::new();
    let bytes = |v: Option<u64>| v.map_or("none".into(), size);
    if was.memory != now.memory {
        parts.push(format!(
            "memory {}→{}",
            bytes(was.memory),
            bytes(now.memory)
        ));
    }
    let cpus = |v: Option<u64>| v.map_or("none".into(), |n| format!("{}", n as f64 / 1e9));
    if was.nano_cpus != now.nano_cpus {
        parts.push(format!(
            "cpus {}→{}",
            cpus(was.nano_cpus),
            cpus(now.nano_cpus)
        ));
    }
    let pids = |v: Option<u32>| v.map_or("none".into(), |n| n.to_string());
    if was.pids != now.pids {
        parts.push(format!("pids {}→{}", pids(was.pids), pids(now.pids)));
    }
    format!("set limits: {}", parts.join(", "))
}

/// How dangerous, in a word.
pub fn class(class: Class) -> &'static str {
    match class {
        Class::Read => "read",
        Class::Write => "write",
        Class::Destructive => "destructive",
    }
}

/// How long visitors notice it.
pub fn interruption(interrupts: Interruption) -> String {
    match interrupts {
        Interruption::None => "none".into(),
        Interruption::Seconds(s) => format!("~{s}s"),
        Interruption::Lasting => "lasting".into(),
    }
}

/// How it is taken back.
pub fn undo(undo: &Undo) -> String {
    match undo {
        Undo::Nothing => "nothing to undo".into(),
        Undo::By(kind) => format!("undo: {}", what(kind)),
        Undo::Impossible(why) => format!("no undo: {}", clean(why)),
    }
}
